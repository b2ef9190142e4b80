terraform {
  required_providers {
    rdsaccess = {
      source = "rdsaccess/rdsaccess"
    }
  }
}

# The credentials come from the AWS default chain: environment, SSO, instance role, web identity.
provider "rdsaccess" {
  region = "eu-central-1"

  # Every other account is entered through a role of this name.
  member_role = {
    name        = "HoopOrganizationAccountAccessRole"
    external_id = "a-shared-word"
  }

  # The gateway whose connections are managed; its API key comes from HOOP_APIKEY.
  gateway = { url = "https://hoop.example.com" }

  # Vault or OpenBao, for `store = { vault = {} }` here or on a resource. The token comes from VAULT_TOKEN, or name a login:
  # auth = { approle = { role_id = "…", secret_id = var.secret_id } }
  vault = { address = "https://vault.example.com:8200" }

  tags = {
    owner = "platform"
  }
}

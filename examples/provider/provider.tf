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

  tags = {
    owner = "platform"
  }
}

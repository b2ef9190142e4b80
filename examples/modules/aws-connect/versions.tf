terraform {
  # Write-only arguments and ephemeral variables.
  required_version = ">= 1.11"

  required_providers {
    rdsaccess = {
      source  = "rdsaccess/rdsaccess"
      version = ">= 0.1.0"
    }
  }
}

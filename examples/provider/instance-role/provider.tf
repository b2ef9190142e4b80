# A runner on EC2 or ECS: its own role first, then one that the member roles trust.
provider "rdsaccess" {
  region = "eu-central-1"

  assume_role = {
    role_arn     = "arn:aws:iam::123456789012:role/rdsaccess-hub"
    external_id  = "a-shared-word"
    session_name = "runner"
    tags         = { team = "platform" }
  }

  # One account was set up by other people.
  member_role = {
    overrides = {
      "210987654321" = { name = "ops/DbAccess", external_id = "another-word" }
    }
  }
}

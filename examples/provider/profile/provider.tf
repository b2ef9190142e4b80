# A profile of ~/.aws/config: IAM Identity Center (after `aws sso login --profile platform`), a role with
# `source_profile`, or a `credential_process`. Where nothing is written, AWS_PROFILE names it.
provider "rdsaccess" {
  region  = "eu-central-1"
  profile = "platform"
}

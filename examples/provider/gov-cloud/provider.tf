# AWS GovCloud (US). The partition follows the credentials: member roles are entered as
# arn:aws-us-gov:iam::<account>:role/…, and every endpoint is that of the partition. China is the same with
# `cn-north-1` and arn:aws-cn.
provider "rdsaccess" {
  region = "us-gov-west-1"

  assume_role = { role_arn = "arn:aws-us-gov:iam::123456789012:role/rdsaccess-hub" }
}

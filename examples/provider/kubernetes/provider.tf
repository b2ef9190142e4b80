# A pod on EKS. With IRSA (the annotation `eks.amazonaws.com/role-arn` of the service account) or with EKS Pod Identity
# the environment of the pod names the role and the token: nothing is written here.
provider "rdsaccess" {
  region = "eu-central-1"
}

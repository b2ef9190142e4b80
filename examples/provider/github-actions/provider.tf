# GitHub Actions without a stored key. The job has `permissions: id-token: write`, and a step before Terraform writes the
# token:
#
#   curl -sf -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \
#     "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=sts.amazonaws.com" | jq -r .value > "$RUNNER_TEMP/aws-token"
#
# GitLab: `id_tokens: { AWS_TOKEN: { aud: sts.amazonaws.com } }`, and TF_VAR_token="$AWS_TOKEN" with `token = var.token`,
# an ephemeral variable.
provider "rdsaccess" {
  region = "eu-central-1"

  assume_role_with_web_identity = {
    role_arn     = "arn:aws:iam::123456789012:role/rdsaccess-ci"
    token_file   = var.token_file
    session_name = "github-actions"
  }

  # The member roles trust the role above, with this word.
  member_role = { external_id = "a-shared-word" }
}

variable "token_file" {
  type        = string
  description = "File that the step before wrote."
}

output "role_arn" {
  description = "ARN of the role in this account; null without one."
  value       = one(aws_iam_role.this[*].arn)
}

output "stack_set_name" {
  description = "Name of the StackSet; null without one."
  value       = one(aws_cloudformation_stack_set.this[*].name)
}

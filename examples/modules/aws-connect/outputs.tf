output "roles" {
  description = "Level -> login, its stored secret (a reference) and its connection. Nothing here is a secret."
  value = {
    for level, role in rdsaccess_role.this : level => {
      arn              = role.target_arn
      access           = role.access
      username         = role.username
      auth             = role.auth
      endpoint         = role.endpoint
      port             = role.port
      engine           = role.engine
      default_database = role.default_database
      secret_ref       = role.secret_ref
      secret_version   = role.secret_version
      rotated_at       = role.rotated_at
      credential       = role.credential
      coverage         = role.coverage
      uncovered        = role.uncovered
      connection       = rdsaccess_connection.this[level].name
    }
  }
}

output "security_group_id" {
  description = "Id of the security group; null without ingress."
  value       = one(rdsaccess_security_group.this[*].id)
}

output "master_secret_ref" {
  description = "The stored secret of the master user; null with an administrator that exists."
  value       = one(rdsaccess_master_credential.this[*].secret_ref)
}

output "notification" {
  description = "What came of telling others; null without notification."
  value = one([
    for it in rdsaccess_notification.this : {
      event_id  = it.event_id
      status    = it.status
      message   = it.message
      sent_at   = it.sent_at
      exit_code = it.exit_code
      output    = it.output
    }
  ])
}

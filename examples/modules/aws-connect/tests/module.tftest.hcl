# What the module makes of its settings, without any server: `terraform test`.

mock_provider "rdsaccess" {
  mock_resource "rdsaccess_master_credential" {
    defaults = {
      secret_ref = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:rdsaccess/ledger/admin-AbCdEf"
    }
  }
}

variables {
  target_arn = "arn:aws:rds:eu-central-1:111122223333:db:ledger"
  agent_name = "lab"
}

run "three_levels_as_the_wizard" {
  command = plan

  assert {
    condition     = keys(rdsaccess_role.this) == ["ddl", "read_only", "read_write"]
    error_message = "All three levels are expected."
  }
  assert {
    condition     = [for role in rdsaccess_role.this : role.name] == ["hoop_ddl", "hoop_ro", "hoop_rw"]
    error_message = "The names of the wizard are expected."
  }
  assert {
    condition     = [for one in rdsaccess_connection.this : one.name] == ["ledger-ddl", "ledger-ro", "ledger-rw"]
    error_message = "The connections are named after the database."
  }
  assert {
    condition     = length(rdsaccess_master_credential.this) == 1 && length(rdsaccess_security_group.this) == 0 && length(rdsaccess_notification.this) == 0
    error_message = "A master credential, and no group without ingress, and nobody to tell."
  }
}

run "a_setting_of_the_database_wins_over_a_shared_one" {
  command = plan

  variables {
    defaults = {
      ingress      = [{ cidr_ipv4 = "10.20.0.0/16" }]
      rotate_after = "30d"
      levels = {
        read_only  = { groups = ["developers"], reviewers = ["sre"] }
        read_write = { groups = ["sre"] }
        ddl        = { groups = ["dba"] }
      }
      tags = { owner = "platform" }
    }
    overrides = {
      ingress = [{ cidr_ipv4 = "10.30.0.0/16" }]
      levels = {
        read_only = { groups = ["auditors"], access_modes_disabled = ["connect"] }
        ddl       = null
      }
      connection_prefix = "books"
    }
  }

  assert {
    condition     = keys(rdsaccess_role.this) == ["read_only", "read_write"]
    error_message = "A level that is null is taken away."
  }
  assert {
    condition     = rdsaccess_connection.this["read_only"].groups == toset(["auditors"]) && rdsaccess_connection.this["read_only"].reviewers == null
    error_message = "A level wins as a whole."
  }
  assert {
    condition     = !rdsaccess_connection.this["read_only"].access_modes.connect && rdsaccess_connection.this["read_only"].access_modes.exec
    error_message = "Only the named mode is off."
  }
  assert {
    condition     = rdsaccess_connection.this["read_write"].groups == toset(["sre"]) && rdsaccess_connection.this["read_write"].tags.owner == "platform"
    error_message = "What is not overridden is inherited."
  }
  assert {
    condition     = one(rdsaccess_security_group.this[0].ingress).cidr_ipv4 == "10.30.0.0/16" && rdsaccess_role.this["read_write"].rotation.after == "30d"
    error_message = "The source of this database, and the age that is shared."
  }
  assert {
    condition     = rdsaccess_connection.this["read_write"].name == "books-rw"
    error_message = "The prefix of the database is used."
  }
}

run "an_administrator_that_exists_needs_no_reset" {
  command = plan

  variables {
    overrides = { admin_secret_ref = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:admin-AbCdEf" }
  }

  assert {
    condition     = length(rdsaccess_master_credential.this) == 0 && output.master_secret_ref == null
    error_message = "The master password is left alone."
  }
  assert {
    condition     = rdsaccess_role.this["read_only"].admin.secret_ref == "arn:aws:secretsmanager:eu-central-1:111122223333:secret:admin-AbCdEf"
    error_message = "The roles are made by the administrator that exists."
  }
}

run "somebody_is_told" {
  command = plan

  variables {
    defaults       = { notification = { webhook_url = "https://inventory.example.com/roles" } }
    webhook_secret = "whsec_YSBrZXkgb2YgU3RhbmRhcmQgV2ViaG9va3Mh"
  }

  assert {
    condition     = rdsaccess_notification.this[0].webhook.url == "https://inventory.example.com/roles"
    error_message = "The webhook is expected."
  }
}

run "a_member_of_something_else_is_refused" {
  command         = plan
  expect_failures = [var.target_arn]

  variables {
    target_arn = "arn:aws:s3:::bucket"
  }
}

run "another_level_is_refused" {
  command         = plan
  expect_failures = [var.overrides]

  variables {
    overrides = { levels = { admin = {} } }
  }
}

run "another_method_is_refused" {
  command         = plan
  expect_failures = [var.defaults]

  variables {
    defaults = { master_method = "none" }
  }
}

run "no_agent_is_refused" {
  command         = plan
  expect_failures = [var.agent_name]

  variables {
    agent_name = ""
  }
}

# What the module makes of its settings, without any server: `terraform test`.

mock_provider "rdsaccess" {
  mock_data "rdsaccess_agents" {
    defaults = {
      access_control = true
    }
  }
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

run "an_administrator_that_is_made_in_the_same_apply_can_be_planned" {
  command = plan

  module {
    source = "./tests/later"
  }

  assert {
    condition     = output.it.master_secret_ref == null && keys(output.it.roles) == ["ddl", "read_only", "read_write"]
    error_message = "What is made follows from master_method, which is known."
  }
}

run "a_password_of_its_own_beside_a_shared_administrator" {
  command = plan

  variables {
    defaults  = { admin_secret_ref = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:admin-AbCdEf" }
    overrides = { master_method = "password", adopt_secret_ref = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:old-AbCdEf" }
  }

  assert {
    condition     = rdsaccess_master_credential.this[0].adopt_secret_ref == "arn:aws:secretsmanager:eu-central-1:111122223333:secret:old-AbCdEf"
    error_message = "The password that works is taken over."
  }
}

run "an_administrator_that_would_be_left_aside_is_refused" {
  command         = plan
  expect_failures = [rdsaccess_master_credential.this]

  variables {
    defaults  = { master_method = "rds_managed" }
    overrides = { admin_secret_ref = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:admin-AbCdEf" }
  }
}

run "one_that_is_shared_neither" {
  command         = plan
  expect_failures = [var.defaults]

  variables {
    defaults = { master_method = "password", admin_secret_ref = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:admin-AbCdEf" }
  }
}

run "an_existing_administrator_needs_a_secret" {
  command         = plan
  expect_failures = [rdsaccess_role.this]

  variables {
    overrides = { master_method = "existing" }
  }
}

run "without_a_level_nothing_is_made" {
  command = plan

  variables {
    defaults  = { ingress = [{ cidr_ipv4 = "10.20.0.0/16" }], levels = { read_only = {} }, notification = { command = ["true"] } }
    overrides = { levels = { read_only = null } }
  }

  assert {
    condition = alltrue([for made in [
      rdsaccess_security_group.this, rdsaccess_master_credential.this, rdsaccess_notification.this,
    ] : length(made) == 0]) && length(rdsaccess_role.this) == 0 && length(rdsaccess_connection.this) == 0
    error_message = "Nobody may do anything, so the master password is left alone too."
  }
}

run "a_database_takes_out_what_is_shared" {
  command = plan

  variables {
    defaults = {
      rotate_after = "30d"
      databases    = ["ledger"]
      role_prefix  = "team"
      ingress      = [{ cidr_ipv4 = "10.20.0.0/16" }]
      notification = { webhook_url = "https://inventory.example.com/roles" }
      tags         = { owner = "platform" }
    }
    overrides = {
      unset = ["rotate_after", "databases", "role_prefix", "ingress", "notification", "tags"]
      tags  = { owner = "payments" }
    }
  }

  assert {
    condition     = rdsaccess_role.this["ddl"].rotation == null && rdsaccess_role.this["ddl"].databases == null && rdsaccess_role.this["ddl"].name == "hoop_ddl"
    error_message = "Never rotated, all databases, and the default of the name."
  }
  assert {
    condition     = length(rdsaccess_security_group.this) == 0 && length(rdsaccess_notification.this) == 0
    error_message = "No group, and nobody is told."
  }
  assert {
    condition     = rdsaccess_connection.this["ddl"].tags.owner == "payments"
    error_message = "What the database says itself stays."
  }
}

run "settings_reach_their_resources" {
  command = plan

  variables {
    agent_name = null
    agent_id   = "75122bce-f957-49eb-a812-2ab60977cd9f"
    defaults = {
      store        = { secrets_manager = { account_id = "444455556666", region = "eu-central-1" } }
      schemas      = ["public"]
      owners       = ["app"]
      on_destroy   = "disable"
      timeouts     = { create = "1h" }
      notification = { command = ["true"], timeout = "1m" }
    }
    overrides = {
      databases         = ["archive", "ledger"]
      database          = "ledger"
      reassign_owned_to = "app"
      resource_name     = "books"
      store             = { vault = { mount = "team" } }
    }
  }

  assert {
    condition     = alltrue([for one in rdsaccess_connection.this : one.database == "ledger" && one.resource_name == "books" && one.agent_id != null && one.agent_name == null])
    error_message = "Sessions begin where it is said, through the agent of that id."
  }
  assert {
    condition     = rdsaccess_role.this["ddl"].owners == toset(["app"]) && rdsaccess_role.this["read_write"].owners == null && rdsaccess_role.this["read_write"].schemas == toset(["public"])
    error_message = "Owners are for ddl alone."
  }
  assert {
    condition     = alltrue([for role in rdsaccess_role.this : role.on_destroy == "disable" && role.reassign_owned_to == "app" && role.timeouts.create == "1h"])
    error_message = "What becomes of the roles, and how long they may take."
  }
  assert {
    condition     = rdsaccess_role.this["ddl"].store.vault.mount == "team" && rdsaccess_role.this["ddl"].store.secrets_manager == null && rdsaccess_master_credential.this[0].store.vault.mount == "team"
    error_message = "One store holds the secrets of the database."
  }
  assert {
    condition     = rdsaccess_notification.this[0].timeout == "1m"
    error_message = "The command has its own time."
  }
}

run "secrets_of_rds_have_no_store" {
  command = plan

  variables {
    defaults = { master_method = "rds_managed", store = { vault = { mount = "team" } } }
  }

  assert {
    condition     = rdsaccess_master_credential.this[0].store == null && rdsaccess_role.this["ddl"].store.vault.mount == "team"
    error_message = "RDS keeps the secret of the master user, and the store those of the roles."
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

run "no_agent_at_all_is_refused" {
  command         = plan
  expect_failures = [var.agent_name]

  variables {
    agent_name = null
  }
}

run "two_agents_are_refused" {
  command         = plan
  expect_failures = [var.agent_name]

  variables {
    agent_id = "75122bce-f957-49eb-a812-2ab60977cd9f"
  }
}

run "the_agent_is_asked_for_first" {
  command = plan

  assert {
    condition     = data.rdsaccess_agents.all[0].must_include == toset(["lab"])
    error_message = "The gateway is asked for the agent."
  }
}

run "an_agent_that_is_missing_is_refused" {
  command         = plan
  expect_failures = [data.rdsaccess_agents.all]

  override_data {
    target = data.rdsaccess_agents.all
    values = { access_control = true, missing = ["lab"] }
  }
}

run "groups_need_access_control" {
  command         = plan
  expect_failures = [data.rdsaccess_agents.all]

  override_data {
    target = data.rdsaccess_agents.all
    values = { access_control = false }
  }

  variables {
    defaults = { levels = { read_only = { groups = ["developers"] } } }
  }
}

run "without_groups_nobody_needs_it" {
  command = plan

  override_data {
    target = data.rdsaccess_agents.all
    values = { access_control = false }
  }

  assert {
    condition     = length(rdsaccess_connection.this) == 3
    error_message = "The plugin is off, and everybody may connect."
  }
}

run "a_mode_of_access_that_does_not_exist_is_refused" {
  command         = plan
  expect_failures = [var.defaults]

  variables {
    defaults = { levels = { read_only = { access_modes_disabled = ["conect"] } } }
  }
}

run "a_database_cannot_name_one_either" {
  command         = plan
  expect_failures = [var.overrides]

  variables {
    overrides = { levels = { read_only = { access_modes_disabled = ["Connect"] }, ddl = null } }
  }
}

run "a_setting_that_does_not_exist_cannot_be_taken_out" {
  command         = plan
  expect_failures = [var.overrides]

  variables {
    overrides = { unset = ["rotate_afer"] }
  }
}

run "levels_are_taken_away_with_null" {
  command         = plan
  expect_failures = [var.overrides]

  variables {
    overrides = { unset = ["levels"] }
  }
}

# A caller that has no settings for a database passes null on.
run "no_settings_are_the_defaults" {
  command = plan

  variables {
    defaults  = null
    overrides = null
  }

  assert {
    condition     = length(rdsaccess_role.this) == 3
    error_message = "All three levels are expected."
  }
}

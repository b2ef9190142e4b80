# Proves on a real database what the roles may do and where they end, by logging in as each of them:
#
#   terraform init -test-directory=tests/boundary
#   terraform test -test-directory=tests/boundary -var-file=boundary.tfvars
#
# The file gives values to the variables of tests/boundary/call.
#
# It makes everything that the module makes, logs in, and destroys it again: use a database for tests. The machine needs
# python3 and psql or mariadb, and a way to the database.

provider "rdsaccess" {
  allow_command = true
}

run "what_is_granted_works_and_the_neighbour_is_closed" {
  module {
    source = "./tests/boundary/call"
  }

  assert {
    condition     = output.notification.exit_code == 0
    error_message = "The boundary does not hold: ${output.notification.output}"
  }
  assert {
    condition     = strcontains(output.notification.output, "3 roles, 15 logins, no surprise")
    error_message = "Not everything was tried: ${output.notification.output}"
  }
  assert {
    condition     = output.notification.status == "completed"
    error_message = output.notification.message
  }
}

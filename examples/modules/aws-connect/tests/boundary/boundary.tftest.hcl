# Proves on a real database what the roles may do and where they end, by logging in as each of them. The README of the
# module says how it is run, and what it leaves behind.

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
    condition     = strcontains(output.notification.output, "a control and 3 roles, 16 logins, no surprise")
    error_message = "Not everything was tried: ${output.notification.output}"
  }
  assert {
    condition     = output.notification.status == "completed"
    error_message = output.notification.message
  }
}

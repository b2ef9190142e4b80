//! A user of a database, as the names of secrets and of token logins have it.

use std::fmt;
use std::str::FromStr;

use crate::access::{Identifier, Invalid, RoleName};
use crate::store::escape;

/// The name of a role, or `name@host` for an account of MySQL or MariaDB.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct User(RoleName);

impl User {
    /// The last part of the name of its secret. An `@` may be part of the name or stand before a host.
    pub(super) fn secret_names(&self) -> Vec<String> {
        let name = self.0.as_str();
        let account = name.rsplit_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty());
        let with_host = account.map(|(user, host)| format!("{}@{}", escape(user), escape(host)));
        [Some(escape(name)), with_host].into_iter().flatten().collect()
    }

    /// The name in `rds-db:connect`, which knows no hosts.
    pub(super) fn token_name(&self) -> String {
        self.0.as_str().to_owned()
    }
}

impl FromStr for User {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains(['*', '?', '$']) {
            return Err(Invalid::new(format!("`{text}` holds a wildcard or variable of IAM: names are given exactly")));
        }
        text.parse().map(Self)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

crate::text_kinds! {
    User;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_named_as_the_store_names_it() {
        let names = |text: &str| text.parse::<User>().unwrap().secret_names();
        assert_eq!(names("hoop_ro"), ["hoop_ro"]);
        assert_eq!(names("app@10.%"), ["app=4010=2E=25", "app@10=2E=25"]);
    }

    #[test]
    fn a_name_is_no_pattern() {
        for text in ["*", "hoop_*", "hoop_r?", "${aws:username}", ""] {
            assert!(text.parse::<User>().is_err(), "{text}");
        }
    }
}

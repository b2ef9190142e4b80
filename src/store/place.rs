//! The name of a secret: the same path in every store.

use crate::access::{Arn, HostPattern, Identifier, RoleName};

/// Whose secret it is: a user of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The database
    pub arn: Arn,
    /// The user
    pub username: RoleName,
    /// MySQL and MariaDB: the host part of the account, unless it is `%`; `u@%` and `u@10.%` are two accounts with a
    /// password each
    pub host: Option<HostPattern>,
}

impl Place {
    /// The place of a user that has no host part.
    pub fn user(arn: Arn, username: RoleName) -> Self {
        Self { arn, username, host: None }
    }

    /// The place of an account of MySQL or MariaDB.
    pub fn account(arn: Arn, username: RoleName, host: &HostPattern) -> Self {
        Self { arn, username, host: Some(host.clone()).filter(|host| host.as_str() != "%") }
    }

    /// `<prefix><account>/<region>/<db|cluster>/<identifier>/<username>`, with `@<host>` where there is a host part; characters that a name cannot hold are written
    /// as `=XX`, so that no two users share a name.
    pub fn name(&self, prefix: &str) -> String {
        let Arn { account_id, region, kind, identifier, .. } = &self.arn;
        let user = escape(self.username.as_str());
        let host = self.host.as_ref().map(|host| format!("@{}", escape(host.as_str()))).unwrap_or_default();
        format!("{prefix}{account_id}/{region}/{}/{identifier}/{user}{host}", kind.arn_word())
    }
}

/// Letters, digits and `_` stay; every other byte becomes `=XX`. Secrets Manager takes `/_+=.@-` besides letters and
/// digits, but a name must not end with `-` and six characters, which would read like the suffix of an ARN.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("={byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(user: &str) -> Place {
        let arn = "arn:aws:rds:eu-central-1:123456789012:db:ledger".parse().unwrap();
        Place::user(arn, user.parse().unwrap())
    }

    #[test]
    fn the_name_tells_account_region_database_and_user() {
        assert_eq!(place("hoop_ro").name("rdsaccess/"), "rdsaccess/123456789012/eu-central-1/db/ledger/hoop_ro");
        assert_eq!(place("a b-c").name(""), "123456789012/eu-central-1/db/ledger/a=20b=2Dc");
    }

    #[test]
    fn accounts_of_one_user_with_different_hosts_have_different_secrets() {
        let account = |user: &str, host: &str| {
            let place = place(user);
            Place::account(place.arn, place.username, &host.parse().unwrap()).name("")
        };
        assert_eq!(account("u", "%"), place("u").name(""));
        assert!(account("u", "10.%").ends_with("/u@10=2E=25"));
        assert_ne!(account("u", "h"), account("u@h", "%"));
    }

    proptest! {
        #[test]
        fn two_users_never_share_a_name(a in "[^\0]{1,20}", b in "[^\0]{1,20}") {
            prop_assume!(a != b);
            prop_assert_ne!(place(&a).name(""), place(&b).name(""));
        }
    }
}

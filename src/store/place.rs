//! The name of a secret: the same path in every store.

use crate::access::{Arn, Identifier, RoleName};

/// Whose secret it is: a user of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The database
    pub arn: Arn,
    /// The user
    pub username: RoleName,
}

impl Place {
    /// `<prefix><account>/<region>/<db|cluster>/<identifier>/<username>`; characters that a name cannot hold are written
    /// as `=XX`, so that no two users share a name.
    pub fn name(&self, prefix: &str) -> String {
        let Arn { account_id, region, kind, identifier, .. } = &self.arn;
        let user = escape(self.username.as_str());
        format!("{prefix}{account_id}/{region}/{}/{identifier}/{user}", kind.arn_word())
    }
}

/// Letters, digits and `_` stay; every other byte becomes `=XX`. Secrets Manager takes `/_+=.@-` besides letters and
/// digits, but a name must not end with `-` and six characters, which would read like the suffix of an ARN.
fn escape(text: &str) -> String {
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
        Place { arn, username: user.parse().unwrap() }
    }

    #[test]
    fn the_name_tells_account_region_database_and_user() {
        assert_eq!(place("hoop_ro").name("rdsaccess/"), "rdsaccess/123456789012/eu-central-1/db/ledger/hoop_ro");
        assert_eq!(place("a b-c").name(""), "123456789012/eu-central-1/db/ledger/a=20b=2Dc");
    }

    proptest! {
        #[test]
        fn two_users_never_share_a_name(a in "[^\0]{1,20}", b in "[^\0]{1,20}") {
            prop_assume!(a != b);
            prop_assert_ne!(place(&a).name(""), place(&b).name(""));
        }
    }
}

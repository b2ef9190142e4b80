//! The key of the secret of RDS. RDS takes one only when it begins to manage the password, so a change is either none at
//! all, because it names the same key, or refused.

use crate::access::Target;
use crate::schema::Attr;

use super::error::Error;

/// Refuses a key that RDS does not use for the secret that it has, against the one of the state before (null on create
/// and after an import). A database without such a secret takes any.
pub(super) fn check(target: &Target, prior: &Attr<String>, planned: &Attr<String>) -> Result<(), Error> {
    let found = target.managed_kms_key_id.as_deref();
    if target.managed_secret.is_none() || planned.is_unknown() || is_fine(found, prior.get(), planned.get()) {
        return Ok(());
    }
    let text = |key: Option<&str>, other: &str| key.map_or_else(|| other.to_owned(), str::to_owned);
    let wanted = text(planned.get().map(String::as_str), "the default key");
    Err(Error::OtherKey { arn: target.arn.clone(), found: text(found, "a key that AWS does not name"), wanted })
}

fn is_fine(found: Option<&str>, prior: Option<&String>, planned: Option<&String>) -> bool {
    match (found, planned) {
        _ if prior == planned && planned.is_none_or(|key| is_alias(key)) => true,
        (Some(found), Some(planned)) if !is_alias(planned) => id(planned) == id(found),
        // Which key an alias means cannot be told without asking KMS: only where none was known it is taken on trust.
        _ => prior.is_none() || prior == planned,
    }
}

/// Whether a key is taken on trust, which the person should know.
pub(super) fn is_on_trust(target: &Target, prior: &Attr<String>, planned: &Attr<String>) -> bool {
    target.managed_secret.is_some() && prior != planned && planned.get().is_some_and(|key| is_alias(key))
}

/// The key as it is, where the state names another: somebody began the management anew. An alias cannot be told apart.
pub(super) fn other_key(target: &Target, state: &Attr<String>) -> Option<String> {
    let (state, found) = (state.get()?, target.managed_kms_key_id.as_ref()?);
    (!is_alias(state) && id(state) != id(found)).then(|| found.clone())
}

fn is_alias(key: &str) -> bool {
    key.starts_with("alias/") || key.contains(":alias/")
}

/// A key is written by its ARN or by its id.
fn id(key: &str) -> &str {
    key.rsplit("key/").next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:eu-west-1:123456789012:key/0a1b";

    fn fine(prior: Option<&str>, planned: Option<&str>) -> bool {
        let [prior, planned] = [prior, planned].map(|key| key.map(str::to_owned));
        is_fine(Some(ARN), prior.as_ref(), planned.as_ref())
    }

    #[test]
    fn a_key_that_is_named_for_the_first_time_must_be_the_one_in_use() {
        assert!(fine(None, Some("0a1b")) && fine(None, Some(ARN)) && fine(None, None));
        assert!(!fine(None, Some("0a1c")));
        assert!(fine(None, Some("alias/db")), "on trust");
    }

    #[test]
    fn a_known_key_is_never_changed_only_written_otherwise() {
        assert!(fine(Some("0a1b"), Some(ARN)) && fine(Some("alias/db"), Some(ARN)));
        assert!(fine(Some("alias/a"), Some("alias/a")));
        for planned in [Some("0a1c"), Some("alias/b"), Some("arn:aws:kms:eu-west-1:123456789012:alias/b"), None] {
            assert!(!fine(Some(ARN), planned) && !fine(Some("alias/a"), planned), "{planned:?}");
        }
    }

    #[test]
    fn a_key_that_is_planned_as_before_is_checked_against_the_one_in_use() {
        assert!(fine(Some("0a1b"), Some("0a1b")) && !fine(Some("0a1c"), Some("0a1c")));
    }
}

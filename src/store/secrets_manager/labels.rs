//! What the staging labels of a secret say. Pure.

use crate::access::{MANAGED_TAG, TARGET_TAG};
use crate::aws::secrets::{CURRENT, PENDING, SecretDescription};
use crate::store::{Held, VersionId};

/// Reads the labels: a version is proven when it carries AWSCURRENT and not AWSPENDING. The first version of a secret is
/// AWSCURRENT whatever is asked for, so it carries both until a login has proven it; so does a version whose promotion
/// was interrupted after AWSCURRENT had moved.
pub(super) fn held(secret: &SecretDescription) -> Held {
    let version = |id: Option<&str>| id.map(|id| VersionId(id.to_owned()));
    let (current, pending) = (secret.version_with(CURRENT), secret.version_with(PENDING));
    Held {
        secret_ref: secret.secret_ref.clone(),
        proven: version(current.filter(|id| Some(*id) != pending)),
        pending: version(pending),
        target: secret.tags.get(TARGET_TAG).filter(|_| is_managed(secret)).cloned(),
        deleted: secret.deleted_at.is_some(),
    }
}

/// Whether the secret was made by this provider.
pub(super) fn is_managed(secret: &SecretDescription) -> bool {
    secret.tags.get(MANAGED_TAG).is_some_and(|value| value == "true")
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use super::*;

    pub(in super::super) fn secret(versions: &[(&str, &[&str])], tags: &[(&str, &str)]) -> SecretDescription {
        let texts = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        SecretDescription {
            secret_ref: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf".parse().unwrap(),
            name: "a".to_owned(),
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            versions: versions.iter().map(|(id, stages)| ((*id).to_owned(), texts(stages))).collect::<BTreeMap<_, _>>(),
            deleted_at: None,
            kms_key_id: None,
            owning_service: None,
            rotation_enabled: false,
            replica_regions: Vec::new(),
        }
    }

    fn versions(list: &[(&str, &[&str])]) -> (Option<String>, Option<String>) {
        let held = held(&secret(list, &[]));
        (held.proven.map(|v| v.0), held.pending.map(|v| v.0))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn every_state_of_a_rotation_says_which_version_is_proven() {
        assert_eq!(versions(&[]), (None, None), "killed before the first value");
        assert_eq!(versions(&[("1", &[CURRENT, PENDING])]), (None, some("1")), "the first value, unproven");
        assert_eq!(versions(&[("1", &[CURRENT])]), (some("1"), None), "proven");
        assert_eq!(versions(&[("1", &[CURRENT]), ("2", &[PENDING])]), (some("1"), some("2")), "a rotation began");
        let moved: [(&str, &[&str]); 2] = [("1", &["AWSPREVIOUS"]), ("2", &[CURRENT, PENDING])];
        assert_eq!(versions(&moved), (None, some("2")), "killed between the two steps of a promotion");
        assert_eq!(versions(&[("1", &["AWSPREVIOUS"]), ("2", &[CURRENT])]), (some("2"), None), "rotated");
    }

    #[test]
    fn only_both_tags_are_our_mark() {
        let target = |tags: &[(&str, &str)]| held(&secret(&[], tags)).target;
        assert_eq!(target(&[(MANAGED_TAG, "true"), (TARGET_TAG, "db-1")]), some("db-1"));
        assert_eq!(target(&[(TARGET_TAG, "db-1")]), None);
        assert_eq!(target(&[(MANAGED_TAG, "false"), (TARGET_TAG, "db-1")]), None);
        assert_eq!(target(&[(MANAGED_TAG, "true")]), None);
    }

    #[test]
    fn a_secret_that_goes_away_is_seen() {
        let going = SecretDescription { deleted_at: Some(SystemTime::UNIX_EPOCH), ..secret(&[], &[]) };
        assert!(held(&going).deleted && !held(&secret(&[], &[])).deleted);
    }
}

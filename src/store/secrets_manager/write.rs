//! The steps that change a secret.

use std::collections::BTreeMap;

use crate::access::{Identifier, MANAGED_TAG, RoleName, SecretRef, TARGET_TAG, USERNAME_TAG};
use crate::aws;
use crate::aws::secrets::{NewSecret, SecretDescription, Secrets};
use crate::store::VersionId;

use super::labels::{held, is_managed};
use super::{CURRENT, Credential, Fault, Held, PENDING, SecretsManager, token};

/// Stores a value as the pending version, in a secret that carries our mark for `target` by then.
pub(super) async fn put_pending(
    store: &SecretsManager,
    name: &str,
    (target, username): (&str, &RoleName),
    credential: &Credential,
    replacing: Option<&VersionId>,
) -> Result<Held, Fault> {
    let secrets = store.secrets().await?;
    let tags = tags(store, target, username);
    let mut found = secrets.describe(name).await?;
    let mut created = None;
    if found.is_none() {
        check_seen(None, replacing)?;
        match create(store, &secrets, name, &tags).await {
            // Another run was faster, or the answer to a first try was lost.
            Err(Fault::Aws(aws::Error { fault: aws::Fault::Duplicate(_), .. })) => {
                found = Some(secrets.describe(name).await?.ok_or(Fault::Gone)?);
            }
            made => created = Some(made?),
        }
    }
    let secret_ref = match (created, &found) {
        (Some(created), _) => created,
        (None, Some(secret)) => {
            check_owner(secret, username)?;
            check_seen(Some(secret), replacing)?;
            reuse(store, &secrets, secret, &tags).await?
        }
        (None, None) => return Err(Fault::Gone),
    };
    let id = secret_ref.to_string();
    let stages = stages(found.as_ref());
    let version = secrets.put_version(&id, &credential.to_json(), &new_token(store)?, stages).await?;
    let replicas = found.as_ref().map(|secret| secret.replica_regions.as_slice()).unwrap_or_default();
    replicate(store, &secrets, &id, replicas).await?;
    // Not described again: an answer of a moment ago could name the pending version before this one.
    Ok(Held {
        secret_ref,
        proven: found.as_ref().and_then(|secret| held(secret).proven),
        pending: Some(VersionId(version)),
        target: Some(target.to_owned()),
        deleted: false,
    })
}

/// Adds the replicas that are wanted and not there.
async fn replicate(store: &SecretsManager, secrets: &Secrets, id: &str, replicas: &[String]) -> Result<(), Fault> {
    let wanted = store.settings.replica_regions.iter().filter(|r| !replicas.iter().any(|known| known == r.as_str()));
    Ok(secrets.replicate(id, &wanted.cloned().collect::<Vec<_>>()).await?)
}

/// The labels of a new pending version. Where nothing is proven it takes both: a version that is current and was never
/// proven would read as proven with AWSPENDING gone. That also holds for one that another run stores in this moment as
/// the first, which AWS makes the current one unasked.
fn stages(found: Option<&SecretDescription>) -> &'static [&'static str] {
    if found.is_some_and(|secret| held(secret).proven.is_some()) { &[PENDING] } else { &[CURRENT, PENDING] }
}

/// Another pending version than the one that was seen may be on its way into the database, and stays.
fn check_seen(found: Option<&SecretDescription>, seen: Option<&VersionId>) -> Result<(), Fault> {
    let pending = found.and_then(|secret| secret.version_with(PENDING));
    if pending == seen.map(|version| version.0.as_str()) { Ok(()) } else { Err(Fault::Overtaken) }
}

async fn create(
    store: &SecretsManager,
    secrets: &Secrets,
    name: &str,
    tags: &BTreeMap<String, String>,
) -> Result<SecretRef, Fault> {
    let description = "Credential of a database user, managed by Terraform (rdsaccess)".to_owned();
    let kms_key_id = store.settings.kms_key_id.clone();
    Ok(secrets.create(&NewSecret { name: name.to_owned(), description, kms_key_id, tags: tags.clone() }).await?)
}

/// A name tells account, region, database and user, so a secret of ours under it was made for this user of a database
/// with this ARN. When the database was made anew or restored, the secret is taken over; what it holds is trusted only
/// after a login.
fn check_owner(secret: &SecretDescription, username: &RoleName) -> Result<(), Fault> {
    let user = secret.tags.get(USERNAME_TAG);
    if let Some(service) = &secret.owning_service {
        return Err(Fault::Foreign(format!("the name is taken by a secret that the service `{service}` owns")));
    }
    if !is_managed(secret) || !secret.tags.contains_key(TARGET_TAG) {
        let text = format!("the name is taken by a secret without the tags `{MANAGED_TAG}` and `{TARGET_TAG}`");
        return Err(Fault::Foreign(text));
    }
    if user.is_some_and(|user| *user != tag_text(username)) {
        return Err(Fault::Foreign("the name is taken by a secret of this provider for another user".to_owned()));
    }
    if secret.rotation_enabled {
        return Err(Fault::RotatedByAws);
    }
    Ok(())
}

async fn reuse(
    store: &SecretsManager,
    secrets: &Secrets,
    secret: &SecretDescription,
    tags: &BTreeMap<String, String>,
) -> Result<SecretRef, Fault> {
    let id = secret.secret_ref.to_string();
    if secret.deleted_at.is_some() {
        secrets.restore(&id).await?;
    }
    let new = tags.iter().filter(|(key, value)| secret.tags.get(*key) != Some(value));
    secrets.tag(&id, &new.map(|(k, v)| (k.clone(), v.clone())).collect()).await?;
    if let Some(key) = store.settings.kms_key_id.as_ref().filter(|key| secret.kms_key_id.as_ref() != Some(key)) {
        secrets.set_kms_key(&id, key).await?;
    }
    Ok(secret.secret_ref.clone())
}

/// Makes a version the proven one. After the first of the two steps it carries AWSCURRENT and AWSPENDING, which still
/// reads as unproven; a run that is interrupted there is continued by the next. Only a version that carries AWSPENDING
/// is promoted, and AWSCURRENT moves only from where it was seen: what a faster run has put there stays.
pub(super) async fn promote(
    store: &SecretsManager,
    secrets: &Secrets,
    id: &str,
    version: &VersionId,
) -> Result<(), Fault> {
    let secret = secrets.describe(id).await?.ok_or(Fault::Gone)?;
    // A run that ended after it had stored the version left the replicas to this one.
    replicate(store, secrets, id, &secret.replica_regions).await?;
    let carries = |secret: &SecretDescription, stage: &str| carries(secret, version, stage);
    if !carries(&secret, CURRENT) && !carries(&secret, PENDING) {
        return Err(Fault::Overtaken);
    }
    if !carries(&secret, CURRENT) {
        let from = secret.version_with(CURRENT);
        if let Err(refusal) = secrets.move_stage(id, CURRENT, &version.0, from).await {
            let now = secrets.describe(id).await?.ok_or(Fault::Gone)?;
            // It may be done: the answer to a first try was lost, and a second one found nothing to move.
            if !carries(&now, CURRENT) {
                return Err(if now.version_with(CURRENT) == from { refusal.into() } else { Fault::Overtaken });
            }
        }
    }
    if carries(&secret, PENDING)
        && let Err(refusal) = secrets.remove_stage(id, PENDING, &version.0).await
    {
        let now = secrets.describe(id).await?.ok_or(Fault::Gone)?;
        return after_refusal(&now, version, refusal.into());
    }
    Ok(())
}

/// What it means that AWSPENDING could not be removed: an earlier try may have done it, or another run has put its own
/// version there.
fn after_refusal(now: &SecretDescription, version: &VersionId, refusal: Fault) -> Result<(), Fault> {
    match (carries(now, version, CURRENT), carries(now, version, PENDING)) {
        (true, false) => Ok(()),
        (true, true) => Err(refusal),
        (false, _) => Err(Fault::Overtaken),
    }
}

fn carries(secret: &SecretDescription, version: &VersionId, stage: &str) -> bool {
    secret.versions.get(&version.0).is_some_and(|stages| stages.iter().any(|known| known == stage))
}

/// Schedules the deletion of a secret of ours.
pub(super) async fn forget(secrets: &Secrets, id: &str, recovery_window_days: u8) -> Result<(), Fault> {
    let Some(secret) = secrets.describe(id).await?.filter(|secret| secret.deleted_at.is_none()) else {
        return Ok(());
    };
    if !is_managed(&secret) {
        return Err(Fault::LostMark("the tag `rdsaccess:managed`"));
    }
    secrets.remove_replicas(id, &secret.replica_regions).await?;
    Ok(secrets.schedule_deletion(id, recovery_window_days).await?)
}

/// All tags of a secret, those of the provider block included.
fn tags(store: &SecretsManager, target: &str, username: &RoleName) -> BTreeMap<String, String> {
    let mut tags = store.sessions.settings().tags.clone();
    tags.extend(store.settings.tags.clone());
    tags.insert(MANAGED_TAG.to_owned(), "true".to_owned());
    tags.insert(TARGET_TAG.to_owned(), target.to_owned());
    tags.insert(USERNAME_TAG.to_owned(), tag_text(username));
    tags
}

/// A user name as a tag value: AWS takes letters, digits, spaces and `_.:/=+-@`, at most 256; others become `=XX`, as in
/// the name of the secret.
fn tag_text(username: &RoleName) -> String {
    let mut text = String::new();
    for c in username.as_str().chars() {
        if c.is_alphanumeric() || "_.:/+-@ ".contains(c) {
            text.push(c);
        } else {
            let mut bytes = [0; 4];
            text.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("={byte:02X}")));
        }
    }
    text.chars().take(256).collect()
}

/// Id of a new version, see [`token::of`].
fn new_token(store: &SecretsManager) -> Result<String, Fault> {
    let mut bytes = [0_u8; 8];
    (store.entropy)(&mut bytes).map_err(Fault::NoEntropy)?;
    Ok(token::of(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::labels::tests::secret;
    use super::*;

    #[test]
    fn a_new_version_takes_the_current_label_from_one_that_is_not_proven() {
        let both: &[&str] = &[CURRENT, PENDING];
        assert_eq!(stages(None), both, "another run may store the first version in this moment");
        assert_eq!(stages(Some(&secret(&[], &[]))), both);
        assert_eq!(stages(Some(&secret(&[("1", &[CURRENT, PENDING])], &[]))), both);
        assert_eq!(stages(Some(&secret(&[("1", &[CURRENT])], &[]))), [PENDING]);
        assert_eq!(stages(Some(&secret(&[("1", &[CURRENT]), ("2", &[PENDING])], &[]))), [PENDING]);
    }

    #[test]
    fn only_the_pending_version_that_was_seen_is_replaced() {
        let (one, two) = (VersionId("1".to_owned()), VersionId("2".to_owned()));
        let pending = secret(&[("1", &[CURRENT]), ("2", &[PENDING])], &[]);
        let none = secret(&[("1", &[CURRENT])], &[]);
        check_seen(Some(&pending), Some(&two)).unwrap();
        check_seen(Some(&none), None).unwrap();
        check_seen(None, None).unwrap();
        for (found, seen) in
            [(Some(&pending), None), (Some(&pending), Some(&one)), (Some(&none), Some(&two)), (None, Some(&two))]
        {
            assert!(check_seen(found, seen).unwrap_err().is_overtaken(), "{found:?} {seen:?}");
        }
    }

    #[test]
    fn a_refused_end_of_a_promotion_is_a_success_only_where_it_is_done() {
        let refusal = || Fault::Foreign("no".to_owned());
        let after =
            |stages: &[&str]| after_refusal(&secret(&[("1", stages)], &[]), &VersionId("1".to_owned()), refusal());
        after(&[CURRENT]).unwrap();
        assert!(matches!(after(&[CURRENT, PENDING]).unwrap_err(), Fault::Foreign(_)));
        for lost in [&["AWSPREVIOUS"][..], &[], &[PENDING]] {
            assert!(after(lost).unwrap_err().is_overtaken(), "{lost:?}");
        }
    }

    #[test]
    fn a_user_name_becomes_a_tag_that_aws_takes() {
        assert_eq!(tag_text(&"hoop_ro".parse().unwrap()), "hoop_ro");
        assert_eq!(tag_text(&"a\"b=c".parse().unwrap()), "a=22b=3Dc");
    }
}

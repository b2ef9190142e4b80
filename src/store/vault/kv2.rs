//! The steps on an engine of version 2: check-and-set, and what can be told from metadata alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use vaultrs::api::kv2::requests::{ReadSecretRequest, SetSecretMetadataRequest, SetSecretRequestOptions};
use vaultrs::api::kv2::responses::ReadSecretMetadataResponse;
use vaultrs::client::VaultClient;
use vaultrs::error::ClientError;
use vaultrs::kv2;

use crate::access::RoleName;
use crate::store::{Credential, Fault, Held, VersionId};

use super::client::Request;
use super::layout::{self, Fields, VERSION};
use super::{At, Vault};

/// What the key of an id in `custom_metadata` begins with; the number of the version follows.
const VERSION_KEY: &str = "rdsaccess:version:";
/// What a write needs: which of the two depends on whether the path is there.
const WRITE: &[&str] = &["create", "update"];
/// How often a promotion looks again after somebody else wrote the current value.
const ROUNDS: u32 = 3;

/// One path as its metadata shows it.
struct Entry {
    /// Number of the newest version; 0 when there is none yet
    newest: u64,
    /// When the newest version was stored; `None` when it is deleted, destroyed or not there
    stored: Option<String>,
    /// Numbers of all versions that can be read
    live: Vec<u64>,
    custom: Fields,
}

impl Entry {
    fn of(metadata: ReadSecretMetadataResponse, now: Timestamp) -> Self {
        let is_live = |number: &u64| {
            let version = metadata.versions.get(&number.to_string());
            version.is_some_and(|version| !version.destroyed && !is_over(&version.deletion_time, now))
        };
        let numbers = metadata.versions.keys().filter_map(|number| number.parse().ok());
        let live: Vec<u64> = numbers.filter(is_live).collect();
        let newest = metadata.current_version;
        let stored = metadata.versions.get(&newest.to_string()).filter(|_| live.contains(&newest));
        Self {
            newest,
            stored: stored.map(|version| version.created_time.clone()),
            custom: metadata.custom_metadata.unwrap_or_default().into_iter().collect(),
            live,
        }
    }

    fn is_ours(&self) -> bool {
        layout::target(&self.custom).is_some()
    }

    /// The id that the newest version of the current path goes by; its number where a hand wrote it.
    fn current_id(&self) -> Option<VersionId> {
        self.stored.as_ref()?;
        let named = self.custom.get(&format!("{VERSION_KEY}{}", self.newest));
        Some(VersionId(named.cloned().unwrap_or_else(|| self.newest.to_string())))
    }

    /// The id of the newest version of a pending path.
    fn pending_id(&self, at: &At) -> Option<VersionId> {
        self.stored.as_ref().filter(|_| self.is_ours()).map(|stored| id(at, self.newest, stored))
    }
}

/// A deletion may lie ahead, where the engine lets versions end by themselves.
fn is_over(deletion_time: &str, now: Timestamp) -> bool {
    // A time that cannot be read counts as over.
    !deletion_time.is_empty() && deletion_time.parse::<Timestamp>().map_or(true, |at| at <= now)
}

/// The id of a pending version: what Vault gave it can be seen without reading the value, and no two values share it.
fn id(at: &At, number: u64, stored: &str) -> VersionId {
    let text = format!("{}\n{}\n{}\n{number}\n{stored}", at.namespace.as_str(), at.mount, at.path);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(Sha256::digest(text)).for_each(|(to, from)| *to = from);
    VersionId(super::uuid(bytes))
}

pub(super) async fn look(vault: &Vault, at: &At) -> Result<Option<Held>, Fault> {
    Ok(both(vault, at).await?.and_then(|(current, pending)| held(at, &current, pending.as_ref())))
}

/// The current path and, where it is ours, the pending one.
async fn both(vault: &Vault, at: &At) -> Result<Option<(Entry, Option<Entry>)>, Fault> {
    let Some(current) = entry(vault, at, &at.path).await? else { return Ok(None) };
    let pending = if current.is_ours() { entry(vault, at, &layout::pending_path(&at.path)).await? } else { None };
    Ok(Some((current, pending)))
}

/// A version that both paths name is the current one of a promotion that did not finish: not proven yet.
fn held(at: &At, current: &Entry, pending: Option<&Entry>) -> Option<Held> {
    let pending = pending.and_then(|entry| entry.pending_id(at));
    Some(Held {
        secret_ref: at.secret_ref.clone(),
        proven: current.current_id().filter(|id| Some(id) != pending.as_ref()),
        target: layout::target(&current.custom).cloned(),
        deleted: current.newest > 0 && current.stored.is_none() && pending.is_none(),
        pending,
    })
}

pub(super) async fn stored_at(vault: &Vault, at: &At, version: &VersionId) -> Result<Option<SystemTime>, Fault> {
    let Some((current, pending)) = both(vault, at).await? else { return Ok(None) };
    let of_pending = pending.filter(|entry| entry.pending_id(at).as_ref() == Some(version));
    let entry = of_pending.or_else(|| Some(current).filter(|entry| entry.current_id().as_ref() == Some(version)));
    let stored = entry.and_then(|entry| entry.stored).and_then(|text| text.parse::<Timestamp>().ok());
    Ok(stored.map(SystemTime::from))
}

pub(super) async fn value(vault: &Vault, at: &At, version: &VersionId) -> Result<Credential, Fault> {
    layout::credential(&by_id(vault, at, version).await?).map_err(Fault::Malformed)
}

async fn by_id(vault: &Vault, at: &At, version: &VersionId) -> Result<Value, Fault> {
    let (current, pending) = both(vault, at).await?.ok_or(Fault::Gone)?;
    let (path, number) = match pending.filter(|entry| entry.pending_id(at).as_ref() == Some(version)) {
        Some(entry) => (layout::pending_path(&at.path), entry.newest),
        None if current.current_id().as_ref() == Some(version) => (at.path.clone(), current.newest),
        None => return Err(Fault::Gone),
    };
    Ok(data(vault, at, &path, Some(number)).await?.ok_or(Fault::Gone)?.0)
}

pub(super) async fn read(vault: &Vault, at: &At) -> Result<Credential, Fault> {
    layout::credential(&current(vault, at).await?.1).map_err(Fault::Malformed)
}

/// The current value. The metadata that comes with it tells whether it is ours; only then its id is asked for.
pub(super) async fn current(vault: &Vault, at: &At) -> Result<(Option<VersionId>, Value), Fault> {
    let Some((value, custom)) = data(vault, at, &at.path, None).await? else {
        let is_begun = look(vault, at).await?.is_some_and(|held| held.target.is_some() && held.pending.is_some());
        return Err(if is_begun { Fault::Unproven } else { Fault::Gone });
    };
    if layout::target(&custom).is_none() {
        return Ok((None, value));
    }
    let proven = look(vault, at).await?.ok_or(Fault::Gone)?.proven.ok_or(Fault::Unproven)?;
    let value = by_id(vault, at, &proven).await?;
    Ok((Some(proven), value))
}

/// The value that waits for its proof.
pub(super) async fn pending(vault: &Vault, at: &At) -> Result<Option<(VersionId, Value)>, Fault> {
    match look(vault, at).await?.and_then(|held| held.pending) {
        Some(id) => by_id(vault, at, &id).await.map(|value| Some((id, value))),
        None => Ok(None),
    }
}

/// The value before the current one, as long as the engine keeps it. Only one of ours has an id: its number where a
/// hand wrote it.
pub(super) async fn previous(vault: &Vault, at: &At) -> Result<Option<(Option<VersionId>, Value)>, Fault> {
    let Some(entry) = entry(vault, at, &at.path).await? else { return Ok(None) };
    let Some(number) = entry.live.iter().copied().filter(|number| *number < entry.newest).max() else {
        return Ok(None);
    };
    let named = entry.custom.get(&format!("{VERSION_KEY}{number}")).cloned();
    let id = entry.is_ours().then(|| VersionId(named.unwrap_or_else(|| number.to_string())));
    Ok(data(vault, at, &at.path, Some(number)).await?.map(|(value, _)| (id, value)))
}

pub(super) async fn put_pending(
    vault: &Vault,
    at: &At,
    mark: &Fields,
    username: &RoleName,
    credential: &Credential,
    replacing: Option<&VersionId>,
) -> Result<Held, Fault> {
    let path = layout::pending_path(&at.path);
    let current = entry(vault, at, &at.path).await?;
    let pending = entry(vault, at, &path).await?;
    for found in [&current, &pending].into_iter().flatten() {
        layout::owner(&found.custom, username).map_err(Fault::Foreign)?;
    }
    let seen = current.as_ref().filter(|entry| entry.is_ours()).and(pending.as_ref());
    if seen.and_then(|entry| entry.pending_id(at)).as_ref() != replacing {
        return Err(Fault::Overtaken);
    }
    if current.is_none() {
        vault.check_engine(at, 2).await?;
    }
    // The current path is marked first: from here on the name is ours, whatever happens.
    keep_mark(vault, at, &at.path, current.as_ref(), mark).await?;
    keep_mark(vault, at, &path, pending.as_ref(), mark).await?;
    let newest = pending.map_or(0, |entry| entry.newest);
    let (number, stored) = write(vault, at, &path, &layout::fields(credential, None), newest).await?;
    let proven = current.as_ref().and_then(Entry::current_id);
    let pending = Some(id(at, number, &stored));
    let target = layout::target(mark).cloned();
    Ok(Held { secret_ref: at.secret_ref.clone(), proven, pending, target, deleted: false })
}

/// Makes the pending version the current one. Whatever was done before is seen and not done again.
pub(super) async fn promote(vault: &Vault, at: &At, version: &VersionId) -> Result<(), Fault> {
    let path = layout::pending_path(&at.path);
    for _ in 0..ROUNDS {
        let (current, pending) = both(vault, at).await?.ok_or(Fault::Gone)?;
        let Some(pending) = pending.filter(|entry| entry.pending_id(at).as_ref() == Some(version)) else {
            return if current.current_id().as_ref() == Some(version) { Ok(()) } else { Err(Fault::Gone) };
        };
        if !(current.current_id().as_ref() == Some(version) && carries(vault, at, version).await?) {
            let (value, _) = data(vault, at, &path, Some(pending.newest)).await?.ok_or(Fault::Gone)?;
            let mut fields: Fields = serde_json::from_value(value)
                .map_err(|_| Fault::Malformed("a key of it holds something else than a text".to_owned()))?;
            fields.insert(VERSION.to_owned(), version.0.clone());
            announce(vault, at, &current, &pending, version).await?;
            match write(vault, at, &at.path, &fields, current.newest).await {
                Err(Fault::Vault(super::Fault::Conflict { .. })) => continue,
                written => drop(written?),
            }
        }
        // Also what the pending value took the place of: nobody asks for it any more.
        return destroy(vault, at, &path, &pending.live).await;
    }
    Err(super::Fault::Conflict { path: format!("{}/data/{}", at.mount, at.path) }.into())
}

/// Whether the current value was written by a promotion of this version, and not by a hand in its moment.
async fn carries(vault: &Vault, at: &At, version: &VersionId) -> Result<bool, Fault> {
    let found = data(vault, at, &at.path, None).await?;
    Ok(found.is_some_and(|(value, _)| value.get(VERSION).and_then(Value::as_str) == Some(version.0.as_str())))
}

/// Names the version that is about to be written, so that the write itself makes it known.
async fn announce(vault: &Vault, at: &At, current: &Entry, pending: &Entry, version: &VersionId) -> Result<(), Fault> {
    let now = format!("{VERSION_KEY}{}", current.newest);
    let mut custom = current.custom.clone();
    custom.retain(|key, _| !key.starts_with(VERSION_KEY) || *key == now);
    custom.extend(
        pending.custom.iter().filter(|(key, _)| !key.starts_with(VERSION_KEY)).map(|(k, v)| (k.clone(), v.clone())),
    );
    custom.insert(format!("{VERSION_KEY}{}", current.newest + 1), version.0.clone());
    set_custom(vault, at, &at.path, custom).await
}

/// Takes the pending path away and soft-deletes every version of the current one; the metadata stays.
pub(super) async fn forget(vault: &Vault, at: &At) -> Result<(), Fault> {
    let Some((current, pending)) = both(vault, at).await? else { return Ok(()) };
    if !current.is_ours() {
        return Err(Fault::LostMark("`rdsaccess:managed` and `rdsaccess:target` in `custom_metadata`"));
    }
    if pending.is_some() {
        let path = layout::pending_path(&at.path);
        let request = request(at, "metadata", &path, &["delete"], true);
        let send = |client: Arc<VaultClient>| {
            let (mount, path) = (at.mount.clone(), path.clone());
            async move { kv2::delete_metadata(&*client, &mount, &path).await }
        };
        vault.call(&request, send).await?;
    }
    if current.live.is_empty() {
        return Ok(());
    }
    let request = request(at, "delete", &at.path, &["update"], true);
    let send = |client: Arc<VaultClient>| {
        let (mount, path, live) = (at.mount.clone(), at.path.clone(), current.live.clone());
        async move { kv2::delete_versions(&*client, &mount, &path, live).await }
    };
    vault.call(&request, send).await?;
    Ok(())
}

async fn entry(vault: &Vault, at: &At, path: &str) -> Result<Option<Entry>, Fault> {
    let request = request(at, "metadata", path, &["read"], true);
    let send = |client: Arc<VaultClient>| {
        let (mount, path) = (at.mount.clone(), path.to_owned());
        async move { kv2::read_metadata(&*client, &mount, &path).await }
    };
    let now = Timestamp::try_from(vault.now()).unwrap_or_default();
    Ok(vault.call(&request, send).await?.map(|metadata| Entry::of(metadata, now)))
}

/// A value with the `custom_metadata` of its path.
async fn data(vault: &Vault, at: &At, path: &str, number: Option<u64>) -> Result<Option<(Value, Fields)>, Fault> {
    let request = request(at, "data", path, &["read"], true);
    let send = |client: Arc<VaultClient>| {
        let mut endpoint = ReadSecretRequest::builder();
        endpoint.mount(&at.mount).path(path).version(number);
        let endpoint = endpoint.build();
        async move {
            let endpoint = endpoint.map_err(|_| ClientError::InvalidUpdateParameter)?;
            vaultrs::api::exec_with_result(&*client, endpoint).await
        }
    };
    let found = vault.call(&request, send).await?;
    Ok(found.map(|read| (read.data, read.metadata.custom_metadata.unwrap_or_default().into_iter().collect())))
}

/// Writes a version after the one that was seen; its number and time.
async fn write(vault: &Vault, at: &At, path: &str, fields: &Fields, seen: u64) -> Result<(u64, String), Fault> {
    let cas = u32::try_from(seen).map_err(|_| Fault::Malformed("it has too many versions".to_owned()))?;
    let request = request(at, "data", path, WRITE, false);
    let send = |client: Arc<VaultClient>| {
        let (mount, path, fields) = (at.mount.clone(), path.to_owned(), fields.clone());
        async move { kv2::set_with_options(&*client, &mount, &path, &fields, SetSecretRequestOptions { cas }).await }
    };
    let written = vault.call(&request, send).await?.ok_or_else(|| no_engine(vault, at))?;
    Ok((written.version, written.created_time))
}

async fn keep_mark(vault: &Vault, at: &At, path: &str, found: Option<&Entry>, mark: &Fields) -> Result<(), Fault> {
    let mut custom = found.map(|entry| entry.custom.clone()).unwrap_or_default();
    custom.extend(mark.clone());
    if found.is_some_and(|entry| entry.custom == custom) {
        return Ok(());
    }
    set_custom(vault, at, path, custom).await
}

async fn set_custom(vault: &Vault, at: &At, path: &str, custom: Fields) -> Result<(), Fault> {
    let request = request(at, "metadata", path, WRITE, true);
    let send = |client: Arc<VaultClient>| {
        let (mount, path, custom) = (at.mount.clone(), path.to_owned(), HashMap::from_iter(custom.clone()));
        async move {
            let mut fields = SetSecretMetadataRequest::builder();
            fields.custom_metadata(custom);
            kv2::set_metadata(&*client, &mount, &path, Some(&mut fields)).await
        }
    };
    vault.call(&request, send).await?.ok_or_else(|| no_engine(vault, at))
}

async fn destroy(vault: &Vault, at: &At, path: &str, numbers: &[u64]) -> Result<(), Fault> {
    let request = request(at, "destroy", path, &["update"], true);
    let send = |client: Arc<VaultClient>| {
        let (mount, path, numbers) = (at.mount.clone(), path.to_owned(), numbers.to_vec());
        async move { kv2::destroy_versions(&*client, &mount, &path, numbers).await }
    };
    vault.call(&request, send).await?;
    Ok(())
}

fn no_engine(vault: &Vault, at: &At) -> Fault {
    let message = "it took no value".to_owned();
    super::Fault::NoEngine { address: vault.address(), mount: at.mount.clone(), version: 2, message }.into()
}

fn request<'a>(
    at: &'a At,
    part: &str,
    path: &str,
    capabilities: &'static [&'static str],
    repeatable: bool,
) -> Request<'a> {
    let path = format!("{}/{part}/{path}", at.mount);
    Request { namespace: &at.namespace, mount: &at.mount, version: 2, path, capabilities, repeatable }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::{MANAGED_TAG, TARGET_TAG};

    fn at() -> At {
        At::of(&"vault:kv2::secret:a/b".parse().unwrap()).unwrap()
    }

    /// Metadata with versions as (number, deletion time, destroyed) and further custom entries.
    fn entry(versions: &[(u64, &str, bool)], custom: &[(&str, &str)]) -> Entry {
        let versions: serde_json::Map<String, Value> = versions
            .iter()
            .map(|(n, deleted, destroyed)| {
                let created = format!("2026-01-0{n}T00:00:00Z");
                (n.to_string(), json!({"created_time": created, "deletion_time": deleted, "destroyed": destroyed}))
            })
            .collect();
        let newest = versions.keys().filter_map(|n| n.parse::<u64>().ok()).max().unwrap_or(0);
        let mut all = HashMap::from([(MANAGED_TAG, "true"), (TARGET_TAG, "db-1")]);
        all.extend(custom.iter().copied());
        let metadata = json!({"cas_required": false, "created_time": "", "current_version": newest,
            "delete_version_after": "0s", "max_versions": 0, "oldest_version": 0, "updated_time": "",
            "custom_metadata": all, "versions": versions});
        Entry::of(serde_json::from_value(metadata).unwrap(), "2026-02-01T00:00:00Z".parse().unwrap())
    }

    fn seen(current: &Entry, pending: Option<&Entry>) -> (Option<String>, bool, bool) {
        let held = held(&at(), current, pending).unwrap();
        (held.proven.map(|v| v.0), held.pending.is_some(), held.deleted)
    }

    #[test]
    fn every_state_of_a_rotation_says_which_version_is_proven() {
        let pending = entry(&[(1, "", false)], &[]);
        let id = pending.pending_id(&at()).unwrap().0;
        let husk = entry(&[(1, "", true)], &[]);
        let named = |n: u64| entry(&[(n, "", false)], &[(&format!("{VERSION_KEY}{n}"), &id)]);
        assert_eq!(seen(&entry(&[], &[]), None), (None, false, false), "killed before the first value");
        assert_eq!(seen(&entry(&[], &[]), Some(&pending)), (None, true, false), "the first value, unproven");
        assert_eq!(seen(&named(1), Some(&pending)), (None, true, false), "killed within the promotion");
        assert_eq!(seen(&named(1), Some(&husk)), (Some(id.clone()), false, false), "proven");
        assert_eq!(seen(&named(1), None), (Some(id), false, false));
        let announced = entry(&[(1, "", false)], &[(&format!("{VERSION_KEY}2"), "x")]);
        assert_eq!(seen(&announced, Some(&pending)).0.as_deref(), Some("1"), "named, but not written yet");
    }

    #[test]
    fn a_version_of_a_hand_goes_by_its_number() {
        assert_eq!(seen(&entry(&[(1, "", false), (2, "", false)], &[]), None).0.as_deref(), Some("2"));
    }

    #[test]
    fn a_version_that_will_end_is_still_there_and_one_that_ended_is_not() {
        let deleted = |at: &str| seen(&entry(&[(1, at, false)], &[]), None);
        assert_eq!(deleted("2026-03-01T00:00:00Z"), (Some("1".to_owned()), false, false));
        assert_eq!(deleted("2026-01-15T00:00:00Z"), (None, false, true));
        let pending = entry(&[(1, "", false)], &[]);
        let gone = entry(&[(1, "2026-01-15T00:00:00Z", false)], &[]);
        assert_eq!(seen(&gone, Some(&pending)), (None, true, false), "a new pending value ends the deletion");
    }

    #[test]
    fn no_two_versions_share_an_id() {
        let ids = [id(&at(), 1, "a"), id(&at(), 2, "a"), id(&at(), 1, "b")];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(id(&at(), 1, "a"), ids[0]);
        assert_eq!(ids[0].0.len(), 36);
    }
}

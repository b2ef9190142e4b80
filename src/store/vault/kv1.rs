//! The steps on an engine of version 1: no versions, no metadata, no check-and-set. A mark beside the value says what
//! can be known without reading it.
//!
//! The mark never names a pending version that is not there: the value is written before the mark. While a promotion is
//! under way the mark names no proven version.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::Value;
use vaultrs::client::VaultClient;
use vaultrs::kv1;

use crate::access::RoleName;
use crate::store::{Credential, Fault, Held, VersionId};

use super::client::Request;
use super::layout::{self, Fields, VERSION};
use super::{At, Vault};

/// What every write needs: which of the two depends on whether the path is there.
const WRITE: &[&str] = &["create", "update"];
/// Key of the mark: the proven version.
const PROVEN: &str = "rdsaccess:version";
/// Key of the mark: when it was stored.
const STORED_AT: &str = "rdsaccess:stored_at";
/// Key of the mark: the pending version.
const PENDING: &str = "rdsaccess:pending";
/// Key of the mark: when that was stored.
const PENDING_AT: &str = "rdsaccess:pending_at";

pub(super) async fn look(vault: &Vault, at: &At) -> Result<Option<Held>, Fault> {
    Ok(mark(vault, at).await?.map(|mark| held(at, &mark)))
}

fn held(at: &At, mark: &Fields) -> Held {
    Held {
        secret_ref: at.secret_ref.clone(),
        proven: mark.get(PROVEN).cloned().map(VersionId),
        pending: mark.get(PENDING).cloned().map(VersionId),
        target: layout::target(mark).cloned(),
        deleted: false,
    }
}

pub(super) async fn stored_at(vault: &Vault, at: &At, version: &VersionId) -> Result<Option<SystemTime>, Fault> {
    let Some(mark) = mark(vault, at).await? else { return Ok(None) };
    let pairs = [(PENDING, PENDING_AT), (PROVEN, STORED_AT)];
    let stored = pairs.iter().find(|(id, _)| mark.get(*id) == Some(&version.0)).and_then(|(_, at)| mark.get(*at));
    Ok(stored.and_then(|text| text.parse::<Timestamp>().ok()).map(SystemTime::from))
}

pub(super) async fn value(vault: &Vault, at: &At, version: &VersionId) -> Result<Credential, Fault> {
    layout::credential(&by_id(vault, at, version).await?).map_err(Fault::Malformed)
}

/// A version by the id that stands in the value itself. A promotion that was interrupted has moved it already. Two runs
/// at once can leave a mark that names a version in vain: no database ever took it, and the next run replaces it.
async fn by_id(vault: &Vault, at: &At, version: &VersionId) -> Result<Value, Fault> {
    for path in [layout::pending_path(&at.path), at.path.clone()] {
        if let Some(value) = data(vault, at, &path).await?.filter(|value| is(value, version)) {
            return Ok(value);
        }
    }
    Err(Fault::Gone)
}

pub(super) async fn read(vault: &Vault, at: &At) -> Result<Credential, Fault> {
    layout::credential(&current(vault, at).await?.1).map_err(Fault::Malformed)
}

/// The current value; one of ours only when it is proven.
pub(super) async fn current(vault: &Vault, at: &At) -> Result<(Option<VersionId>, Value), Fault> {
    // Who may read a secret of somebody else need not be allowed to look for a mark beside it.
    let value = data(vault, at, &at.path).await?;
    let ours = value.as_ref().is_none_or(|value| value.get(VERSION).is_some());
    let mark = if ours { mark(vault, at).await? } else { None };
    if let Some(held) = mark.map(|mark| held(at, &mark)).filter(|held| held.target.is_some()) {
        let proven = held.proven.ok_or(Fault::Unproven)?;
        let value = by_id(vault, at, &proven).await?;
        return Ok((Some(proven), value));
    }
    Ok((None, value.ok_or(Fault::Gone)?))
}

/// The value that waits for its proof.
pub(super) async fn pending(vault: &Vault, at: &At) -> Result<Option<(VersionId, Value)>, Fault> {
    match look(vault, at).await?.and_then(|held| held.pending) {
        Some(id) => by_id(vault, at, &id).await.map(|value| Some((id, value))),
        None => Ok(None),
    }
}

/// A value that is to become the pending one.
pub(super) struct New<'a> {
    pub(super) credential: &'a Credential,
    pub(super) id: VersionId,
    /// The pending version that was seen
    pub(super) replacing: Option<&'a VersionId>,
}

pub(super) async fn put_pending(
    vault: &Vault,
    at: &At,
    new_mark: Fields,
    username: &RoleName,
    New { credential, id, replacing }: New<'_>,
) -> Result<Held, Fault> {
    let found = mark(vault, at).await?;
    match &found {
        Some(mark) => layout::owner(mark, username).map_err(Fault::Foreign)?,
        None => check_free(vault, at).await?,
    }
    let mut mark = found.clone().unwrap_or_default();
    if mark.get(PENDING) != replacing.map(|version| &version.0) {
        return Err(Fault::Overtaken);
    }
    mark.extend(new_mark);
    if mark.remove(PENDING).is_some() {
        // The value that it names is about to be overwritten.
        mark.remove(PENDING_AT);
        set(vault, at, &layout::mark_path(&at.path), &mark).await?;
    }
    set(vault, at, &layout::pending_path(&at.path), &layout::fields(credential, Some(&id))).await?;
    let now = Timestamp::try_from(vault.now()).unwrap_or_default();
    mark.insert(PENDING.to_owned(), id.0.clone());
    mark.insert(PENDING_AT.to_owned(), now.to_string());
    set(vault, at, &layout::mark_path(&at.path), &mark).await?;
    check_alone(vault, at, &id).await?;
    Ok(held(at, &mark))
}

/// No mark: nothing may be there but a pending value of ours, from a run that was interrupted before its mark.
async fn check_free(vault: &Vault, at: &At) -> Result<(), Fault> {
    vault.check_engine(at, 1).await?;
    let pending = data(vault, at, &layout::pending_path(&at.path)).await?;
    let foreign = pending.is_some_and(|value| value.get(VERSION).is_none());
    if foreign || data(vault, at, &at.path).await?.is_some() {
        let mark = layout::mark_path(&at.path);
        return Err(Fault::Foreign(format!("the path is taken by a secret without our mark at `{}/{mark}`", at.mount)));
    }
    Ok(())
}

/// There is no check-and-set: another run is noticed by what it left.
async fn check_alone(vault: &Vault, at: &At, id: &VersionId) -> Result<(), Fault> {
    let path = layout::pending_path(&at.path);
    let named = mark(vault, at).await?.is_some_and(|mark| mark.get(PENDING) == Some(&id.0));
    if named && data(vault, at, &path).await?.is_some_and(|value| is(&value, id)) {
        return Ok(());
    }
    Err(super::Fault::Conflict { path: format!("{}/{path}", at.mount) }.into())
}

/// Makes the pending version the current one. Whatever was done before is seen and not done again.
pub(super) async fn promote(vault: &Vault, at: &At, version: &VersionId) -> Result<(), Fault> {
    let mut mark = mark(vault, at).await?.ok_or(Fault::Gone)?;
    if mark.get(PENDING) != Some(&version.0) {
        return if mark.get(PROVEN) == Some(&version.0) { Ok(()) } else { Err(Fault::Gone) };
    }
    let (pending_path, mark_path) = (layout::pending_path(&at.path), layout::mark_path(&at.path));
    match data(vault, at, &pending_path).await?.filter(|value| is(value, version)) {
        Some(value) => {
            let fields: Fields = serde_json::from_value(value)
                .map_err(|_| Fault::Malformed("a key of it holds something else than a text".to_owned()))?;
            mark.remove(STORED_AT);
            if mark.remove(PROVEN).is_some() {
                set(vault, at, &mark_path, &mark).await?;
            }
            set(vault, at, &at.path, &fields).await?;
        }
        None if data(vault, at, &at.path).await?.is_some_and(|value| is(&value, version)) => {}
        None => return Err(Fault::Gone),
    }
    // The pending value goes only when the current one is seen: whoever answers for Vault may have swallowed the write.
    if !data(vault, at, &at.path).await?.is_some_and(|value| is(&value, version)) {
        return Err(super::Fault::Conflict { path: format!("{}/{}", at.mount, at.path) }.into());
    }
    delete(vault, at, &pending_path).await?;
    mark.remove(PENDING);
    let stored = mark.remove(PENDING_AT);
    mark.insert(PROVEN.to_owned(), version.0.clone());
    mark.extend(stored.map(|stored| (STORED_AT.to_owned(), stored)));
    set(vault, at, &mark_path, &mark).await
}

/// Takes everything away, the mark last.
pub(super) async fn forget(vault: &Vault, at: &At) -> Result<(), Fault> {
    let Some(mut mark) = mark(vault, at).await? else {
        return match data(vault, at, &at.path).await? {
            None => Ok(()),
            Some(_) => Err(Fault::LostMark("the secret `<path>.mark`")),
        };
    };
    if layout::target(&mark).is_none() {
        return Err(Fault::LostMark("the secret `<path>.mark`"));
    }
    for key in [PROVEN, STORED_AT, PENDING, PENDING_AT] {
        mark.remove(key);
    }
    set(vault, at, &layout::mark_path(&at.path), &mark).await?;
    for path in [layout::pending_path(&at.path), at.path.clone(), layout::mark_path(&at.path)] {
        delete(vault, at, &path).await?;
    }
    Ok(())
}

fn is(value: &Value, version: &VersionId) -> bool {
    value.get(VERSION).and_then(Value::as_str) == Some(version.0.as_str())
}

async fn mark(vault: &Vault, at: &At) -> Result<Option<Fields>, Fault> {
    let found = data(vault, at, &layout::mark_path(&at.path)).await?;
    // What is no map of texts is not our mark.
    Ok(found.map(|value| serde_json::from_value(value).unwrap_or_default()))
}

async fn data(vault: &Vault, at: &At, path: &str) -> Result<Option<Value>, Fault> {
    let send = |client: Arc<VaultClient>| {
        let (mount, path) = (at.mount.clone(), path.to_owned());
        async move { kv1::get::<Value>(&*client, &mount, &path).await }
    };
    Ok(vault.call(&request(at, path, &["read"]), send).await?)
}

async fn set(vault: &Vault, at: &At, path: &str, fields: &Fields) -> Result<(), Fault> {
    let send = |client: Arc<VaultClient>| {
        let (mount, path, fields) = (at.mount.clone(), path.to_owned(), fields.clone());
        async move {
            let fields: HashMap<&str, &str> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            kv1::set(&*client, &mount, &path, &fields).await
        }
    };
    vault.call(&request(at, path, WRITE), send).await?.ok_or(Fault::Gone)
}

async fn delete(vault: &Vault, at: &At, path: &str) -> Result<(), Fault> {
    let send = |client: Arc<VaultClient>| {
        let (mount, path) = (at.mount.clone(), path.to_owned());
        async move { kv1::delete(&*client, &mount, &path).await }
    };
    vault.call(&request(at, path, &["delete"]), send).await?;
    Ok(())
}

/// Every write of version 1 replaces the whole value, so that it may be sent twice.
fn request<'a>(at: &'a At, path: &str, capabilities: &'static [&'static str]) -> Request<'a> {
    let path = format!("{}/{path}", at.mount);
    Request { namespace: &at.namespace, mount: &at.mount, version: 1, path, capabilities, repeatable: true }
}

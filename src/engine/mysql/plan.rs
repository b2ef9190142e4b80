//! From a reading of the server and a specification to the statements in between. Pure, salts apart.

use super::catalog::{Account, Catalog};
use super::check::{check_grant, check_role_name};
use super::error::Failure;
use super::password::{Salt, verifier};
use super::quote::Statement;
use super::roles::{account_name, compare, create, ownership, settle};
use super::terms::{Way, is_iam, is_set, lost_password, new_password, only_way, plugin, refusal};
use super::wanted::Wanted;
use crate::access::{Auth, EngineKind, Secret};
use crate::engine::{Fault, Ownership, RoleSpec};

/// What one run does.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In this order; empty when nothing differs
    pub(super) statements: Vec<Statement>,
    /// What is to be said of it besides
    pub(super) note: Option<String>,
}

/// The statements that turn what is into what should be. Grants come before the account is unlocked, and a password that
/// is already there is not set again.
pub(super) fn plan(
    catalog: &Catalog,
    spec: &RoleSpec,
    password: Option<&Secret<String>>,
    demand_tls: bool,
) -> Result<Plan, Failure> {
    if let Ownership::Foreign(words) = ownership(catalog, spec) {
        return Err(Failure::last(Fault::Foreign(words)));
    }
    check(catalog, spec, password)?;
    if let Some(words) = Wanted::of(catalog, spec).refusal(catalog, spec) {
        return Err(Failure::last(Fault::NotFound(words)));
    }
    let name = account_name(spec);
    let account = catalog.account(&name);
    let (way, note) = way(catalog, spec, account, password)?;
    let mut statements = Vec::new();
    if let (None, Some(way)) = (account, &way) {
        statements.push(create(catalog.dialect, spec, way, demand_tls));
    }
    statements.extend(compare(catalog, spec, demand_tls).statements(&name));
    statements.extend(settle(catalog, spec, account, way.as_ref(), demand_tls));
    Ok(Plan { statements, note })
}

/// The way to log in that is to be set, if one is, and what is to be said of it.
fn way(
    catalog: &Catalog,
    spec: &RoleSpec,
    account: Option<&Account>,
    password: Option<&Secret<String>>,
) -> Result<(Option<Way>, Option<String>), Failure> {
    let hash = |password: &Secret<String>| {
        verifier(plugin(catalog, account), password, catalog.settings.rounds, salt()?)
            .map_err(|invalid| Failure::last(Fault::Unsupported(invalid.to_string())))
    };
    let way = match (spec.terms.auth, account, password) {
        (Auth::Iam, Some(account), _) if is_iam(account) => None,
        (Auth::Iam, _, _) => Some(Way::Iam),
        // Nobody knows this password: the account can be used only after another was set.
        (Auth::Password, None, None) => Some(Way::Password(hash(&nobodys_password()?)?)),
        (Auth::Password, None, Some(password)) => Some(Way::Password(hash(password)?)),
        (Auth::Password, Some(account), Some(password)) if is_set(account, password) => None,
        (Auth::Password, Some(account), Some(password)) => {
            let verifier = hash(password)?;
            let note = lost_password(account, &spec.terms, &verifier);
            return Ok((Some(new_password(account, &spec.terms, verifier)), note));
        }
        (Auth::Password, Some(account), None) => only_way(account),
    };
    Ok((way, None))
}

/// Refuses what this engine cannot hold, before anything is changed.
fn check(catalog: &Catalog, spec: &RoleSpec, password: Option<&Secret<String>>) -> Result<(), Failure> {
    if let Some(words) = refusal(catalog.dialect, &spec.terms, password) {
        return Err(Failure::last(Fault::Unsupported(words)));
    }
    check_texts(if catalog.dialect.mariadb { EngineKind::Mariadb } else { EngineKind::Mysql }, spec)
}

/// The part of it that needs no look at the server.
pub(super) fn check_texts(kind: EngineKind, spec: &RoleSpec) -> Result<(), Failure> {
    let grants = spec.grants.iter().try_for_each(|grant| check_grant(kind, grant));
    check_role_name(kind, &spec.name)
        .and(grants)
        .map_err(|invalid| Failure::last(Fault::Unsupported(invalid.to_string())))
}

fn salt() -> Result<Salt, Failure> {
    let mut salt = [0; 20];
    fill(&mut salt)?;
    Ok(Salt(salt))
}

fn nobodys_password() -> Result<Secret<String>, Failure> {
    let mut bytes = [0; 32];
    fill(&mut bytes)?;
    Ok(Secret::new(hex::encode(bytes)))
}

fn fill(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|error| {
        Failure::last(Fault::Unsupported(format!("the operating system gives no random numbers: {error}")))
    })
}

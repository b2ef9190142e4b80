//! From a reading of the server and a specification to the batches in between. Pure, the password that nobody knows apart.

use super::catalog::Catalog;
use super::connect::MASTER;
use super::error::Failure;
use super::password::password_literal;
use super::quote::Statement;
use super::roles::{compare, create, enable, ownership, set_password, wrong_choice};
use crate::access::{Identifier, Secret};
use crate::engine::{Fault, Ownership, RoleSpec};

/// One batch and the database that it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) database: String,
    pub(super) statement: Statement,
}

impl Batch {
    pub(super) fn on_server(statement: Statement) -> Self {
        Self { database: MASTER.to_owned(), statement }
    }
}

/// The batches that turn what is into what should be; empty when nothing differs. The login is enabled last. A password
/// is set whenever one is given: the server shows no hash to compare it with.
pub(super) fn plan(
    catalog: &Catalog,
    spec: &RoleSpec,
    password: Option<&Secret<String>>,
) -> Result<Vec<Batch>, Failure> {
    if let Ownership::Foreign(words) = ownership(catalog, spec) {
        return Err(Fault::Foreign(words).into());
    }
    if let Some(words) = wrong_choice(catalog, spec) {
        return Err(Fault::NotFound(words).into());
    }
    let literal = |password: &Secret<String>| {
        password_literal(password).map_err(|invalid| Failure::from(Fault::Unsupported(invalid.to_string())))
    };
    let mut batches = Vec::new();
    match (catalog.principal(spec.name.as_str()), password) {
        // Nobody knows this password: the login can be used only after another was set.
        (None, None) => batches.push(create(&spec.name, &literal(&nobodys_password()?)?)),
        (None, Some(password)) => batches.push(create(&spec.name, &literal(password)?)),
        (Some(_), Some(password)) => batches.push(set_password(&spec.name, &literal(password)?)),
        (Some(_), None) => {}
    }
    let comparison = match password {
        Some(_) => compare(&with_password_set(catalog, spec), spec),
        None => compare(catalog, spec),
    };
    if !comparison.server.is_empty() {
        batches.push(Statement::transaction(format!("settling the login {}", spec.name), &comparison.server));
    }
    let mut batches: Vec<Batch> = batches.into_iter().map(Batch::on_server).collect();
    for (database, statements) in &comparison.databases {
        let step = format!("settling the user {} in {database}", spec.name);
        batches.push(Batch { database: database.clone(), statement: Statement::transaction(step, statements) });
    }
    if comparison.enable {
        batches.push(Batch::on_server(enable(&spec.name)));
    }
    Ok(batches)
}

/// What is after the password was set: no lock and no duty to change it.
fn with_password_set(catalog: &Catalog, spec: &RoleSpec) -> Catalog {
    let mut after = catalog.clone();
    let names = after.names;
    for login in after.principals.iter_mut().filter(|login| names.same(&login.name, spec.name.as_str())) {
        (login.must_change, login.locked) = (false, false);
    }
    after
}

/// Meets every password policy and is forgotten at once.
fn nobodys_password() -> Result<Secret<String>, Failure> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| Failure::from(Fault::Unsupported(format!("no entropy: {error}"))))?;
    Ok(Secret::new(format!("{}-aA1", hex::encode(bytes))))
}

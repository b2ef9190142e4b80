//! What a plan of a role says beyond the declarations.

use crate::access::rotation::Goal;
use crate::access::{Identifier, Target};
use crate::context::{Context, Takes};
use crate::report::Report;
use crate::resources::rotation::{OK, Trigger, moves, trigger};
use crate::schema::{Attr, Change, Private, Reports};
use crate::value::Path;

use super::bench::{check, place};
use super::model::{Role, Strategy};
use super::{secret, spec};

/// Why an apply makes another password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A rotation is wanted
    Rotation(Trigger),
    /// The second login is to go, and it is its turn
    Leave,
    /// The role logged in with tokens before
    FirstPassword,
    /// `credential` is not `ok`
    Repair,
}

impl Reason {
    /// Whether any other password is wanted, or one that works.
    pub(super) fn goal(self) -> Goal {
        match self {
            Self::Rotation(_) | Self::Leave => Goal::Renew,
            Self::FirstPassword | Self::Repair => Goal::Ensure,
        }
    }
}

/// Decides from configuration, state and private state alone, so that plan and apply give the same answer.
pub(super) fn reason(prior: &Role, planned: &Role, private: &Private) -> Option<Reason> {
    if planned.is_iam() {
        return None;
    }
    if prior.is_iam() {
        return Some(Reason::FirstPassword);
    }
    if let Some(wanted) = trigger(&prior.schedule(), &planned.schedule(), &prior.rotated_at, private) {
        return Some(Reason::Rotation(wanted));
    }
    let is_clones_turn = prior.username.get().map(String::as_str) != prior.name.get().map(|name| name.as_str());
    if prior.strategy() == Strategy::TwoUsers && planned.strategy() != Strategy::TwoUsers && is_clones_turn {
        return Some(Reason::Leave);
    }
    prior.credential.get().is_none_or(|word| word != OK).then_some(Reason::Repair)
}

/// Fills in what is known already and marks what the change moves.
pub(super) async fn plan(context: &Context, change: &mut Change<Role>) -> Result<(), Reports> {
    let target = target(context, change).await?;
    defaults(change, target.as_ref())?;
    if let (Attr::Known(name), true) = (&change.planned.name, change.is_create()) {
        change.planned.username = name.to_string().into();
    }
    let Some(prior) = change.prior.clone() else {
        first_credential(&mut change.planned);
        return Ok(());
    };
    if prior.target_resource_id.is_null() {
        change.planned.target_resource_id = Attr::Unknown;
        change.replace.push(Path::attribute("target_resource_id"));
        return Ok(());
    }
    coverage(change, &prior);
    credential(context, change, &prior);
    Ok(())
}

/// The database, where it is known and something changes that its engine has a say in; its rules are checked.
async fn target(context: &Context, change: &Change<Role>) -> Result<Option<Target>, Reports> {
    let Attr::Known(arn) = &change.planned.target_arn else { return Ok(None) };
    if !change.is_create() && !touches_engine_rules(change) && !lacks_tokens(change) {
        return Ok(None);
    }
    let Some(target) = context.find_for_plan(arn, Takes::Writers).await? else { return Ok(None) };
    // A default that the engine decides stands in the configuration as null; one that follows the level is needed here.
    let mut judged = change.config.clone();
    if let (Attr::Null, Attr::Known(access)) = (&judged.name, &judged.access) {
        judged.name = spec::default_name(*access).map_err(invalid)?.into();
    }
    check(context, &target, &judged)?;
    Ok(Some(target))
}

fn invalid(error: crate::access::Invalid) -> Report {
    Report::error("Invalid default", error.0)
}

/// The defaults that follow from other arguments.
fn defaults(change: &mut Change<Role>, target: Option<&Target>) -> Result<(), Reports> {
    if change.config.name.is_null() {
        change.planned.name = match change.planned.access {
            Attr::Known(access) => spec::default_name(access).map_err(invalid)?.into(),
            _ => Attr::Unknown,
        };
    }
    if change.config.host.is_null() && change.is_create() {
        change.planned.host = match target {
            Some(target) if spec::has_hosts(target.engine) => spec::default_host().map_err(invalid)?.into(),
            Some(_) => Attr::Null,
            None => Attr::Unknown,
        };
    }
    Ok(())
}

/// Arguments that the rules of the database are about.
const ENGINE_RULES: [&str; 12] = [
    "access",
    "admin",
    "auth",
    "connection_limit",
    "grants",
    "host",
    "name",
    "owners",
    "reassign_owned_to",
    "rotation",
    "schemas",
    "valid_until",
];

fn touches_engine_rules(change: &Change<Role>) -> bool {
    ENGINE_RULES.into_iter().any(|attribute| change.changes(attribute))
}

/// Whether tokens do not work as they should, which the database itself may be the reason of.
fn lacks_tokens(change: &Change<Role>) -> bool {
    let credential = change.prior.as_ref().and_then(|prior| prior.credential.get());
    change.planned.is_iam() && credential.is_some_and(|word| word != OK)
}

/// Which attributes decide what is covered.
const SCOPE: [&str; 5] = ["access", "databases", "schemas", "owners", "grants"];

fn coverage(change: &mut Change<Role>, prior: &Role) {
    if SCOPE.into_iter().any(|attribute| change.changes(attribute)) {
        change.planned.coverage = Attr::Unknown;
        change.planned.uncovered = Attr::Unknown;
        change.planned.default_database = Attr::Unknown;
    } else if let Attr::Known(found) = &prior.coverage {
        change.planned.coverage = spec::completed(found).into();
    }
}

/// What is known of the credential before the role exists.
fn first_credential(planned: &mut Role) {
    if planned.is_iam() {
        secret::none(planned);
        planned.credential = OK.to_owned().into();
    } else if !planned.auth.is_unknown() {
        planned.set_due();
    }
}

/// A password that is replaced moves its version; tokens leave nothing of a password.
fn credential(context: &Context, change: &mut Change<Role>, prior: &Role) {
    if change.planned.auth.is_unknown() {
        unknown(&mut change.planned);
        change.planned.username = Attr::Unknown;
        return;
    }
    if change.planned.is_iam() {
        secret::none(&mut change.planned);
        change.planned.credential = OK.to_owned().into();
        change.planned.username = change.planned.name.clone().map(|name| name.to_string());
        return;
    }
    let reason = reason(prior, &change.planned, &change.private);
    if let Some(reason) = reason {
        let secret_ref = change.planned.secret_ref.clone();
        unknown(&mut change.planned);
        change.planned.credential = OK.to_owned().into();
        if matches!(reason, Reason::Rotation(_) | Reason::Leave) && !moves_secret(context, prior) {
            change.planned.secret_ref = secret_ref;
        }
        if change.planned.strategy() == Strategy::TwoUsers {
            change.planned.username = Attr::Unknown;
        } else {
            change.planned.username = change.planned.name.clone().map(|name| name.to_string());
        }
    }
    change.planned.set_due();
}

fn unknown(planned: &mut Role) {
    planned.secret_ref = Attr::Unknown;
    planned.secret_version = Attr::Unknown;
    planned.rotated_at = Attr::Unknown;
    planned.rotation_due_at = Attr::Unknown;
    planned.credential = Attr::Unknown;
}

/// Whether a rotation puts the secret somewhere else than where the state says.
fn moves_secret(context: &Context, prior: &Role) -> bool {
    match (prior.target_arn.get(), prior.name.get()) {
        (Some(arn), Some(name)) => {
            moves(context, None, &place(arn.clone(), name, prior.host.get()), prior.secret_ref.get())
        }
        _ => true,
    }
}

/// Whether an update has anything to do on the server: settings of destroy and of the administrator have not.
pub(super) fn needs_server(prior: &Role, planned: &Role, private: &Private) -> bool {
    prior.access != planned.access
        || prior.auth != planned.auth
        || prior.databases != planned.databases
        || prior.schemas != planned.schemas
        || prior.owners != planned.owners
        || prior.grants != planned.grants
        || prior.valid_until != planned.valid_until
        || prior.connection_limit != planned.connection_limit
        || prior.strategy() != planned.strategy()
        || prior.credential != planned.credential
        || !spec::is_complete(&prior.coverage)
        || reason(prior, planned, private).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::model::Rotation;
    use super::*;
    use crate::access::{Access, Auth};

    fn role(strategy: &str, username: &str) -> Role {
        Role {
            name: "hoop_ro".parse::<crate::access::RoleName>().unwrap().into(),
            username: username.to_owned().into(),
            access: Access::ReadOnly.into(),
            auth: Auth::Password.into(),
            rotation: Rotation { strategy: strategy.to_owned().into(), ..Rotation::default() }.into(),
            credential: OK.to_owned().into(),
            coverage: std::collections::BTreeMap::from([("app".to_owned(), "complete".to_owned())]).into(),
            ..Role::default()
        }
    }

    fn why(prior: &Role, planned: &Role) -> Option<Reason> {
        reason(prior, planned, &Private::default())
    }

    #[test]
    fn a_second_login_is_left_by_a_password_for_the_first() {
        let (single, first) = (role("single", "hoop_ro"), role("two_users", "hoop_ro"));
        let clone = role("two_users", "hoop_ro_clone");
        assert_eq!(why(&first, &first), None);
        assert_eq!(why(&clone, &clone), None);
        assert_eq!(why(&clone, &single), Some(Reason::Leave));
        assert_eq!(why(&first, &single), None, "it is not the second login's turn");
        assert!(needs_server(&first, &single, &Private::default()), "but it has to go");
        assert_eq!(why(&single, &first), None);
    }

    #[test]
    fn tokens_need_no_password_and_a_password_after_them_is_new() {
        let password = role("single", "hoop_ro");
        let iam = Role { auth: Auth::Iam.into(), rotation: Attr::Null, ..password.clone() };
        assert_eq!(why(&password, &iam), None);
        assert_eq!(why(&iam, &iam), None);
        assert_eq!(why(&iam, &password), Some(Reason::FirstPassword));
        assert!(needs_server(&password, &iam, &Private::default()));
        assert!(!needs_server(&iam, &iam, &Private::default()));
    }

    #[test]
    fn what_does_not_work_is_repaired() {
        let broken = Role { credential: "no stored password".to_owned().into(), ..role("single", "hoop_ro") };
        assert_eq!(why(&broken, &role("single", "hoop_ro")), Some(Reason::Repair));
        assert_eq!(Reason::Repair.goal(), Goal::Ensure);
    }

    #[test]
    fn settings_of_destroy_need_no_server() {
        let prior = role("single", "hoop_ro");
        let planned = Role { on_destroy: "retain".to_owned().into(), ..prior.clone() };
        assert!(!needs_server(&prior, &planned, &Private::default()));
        assert!(needs_server(&prior, &Role { connection_limit: 3.into(), ..prior.clone() }, &Private::default()));
    }
}

//! What a plan of a role says beyond the declarations.

use crate::access::rotation::Goal;
use crate::access::{Expiry, HostPattern, Identifier, Invalid, Target};
use crate::context::{Context, Takes};
use crate::report::Report;
use crate::resources::rotation::{OK, Trigger, moves, observed_at, trigger};
use crate::schema::{Attr, Change, Private, Reports};
use crate::value::Path;

use super::bench::{check, place};
use super::model::{Role, Strategy};
use super::{home, secret, spec};

/// Why an apply makes another password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A rotation is wanted
    Rotation(Trigger),
    /// The second login is to go, and it is its turn
    Leave,
    /// `password_wo_version` differs
    Given,
    /// The role logged in with tokens before
    FirstPassword,
    /// `credential` is not `ok`
    Repair,
}

impl Reason {
    /// Whether any other password is wanted, or one that works.
    pub(super) fn goal(self) -> Goal {
        match self {
            Self::Rotation(_) | Self::Given | Self::Leave => Goal::Renew,
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
    if planned.is_given() && prior.password_wo_version != planned.password_wo_version {
        return Some(Reason::Given);
    }
    // An age that is over after the login has ended leads nowhere: no login can prove another password.
    let goes_on = |wanted: &Trigger| *wanted != Trigger::Due || ended(planned, private).is_none();
    let wanted = trigger(&prior.schedule(), &planned.schedule(), &prior.rotated_at, private);
    if let Some(wanted) = wanted.filter(goes_on) {
        return Some(Reason::Rotation(wanted));
    }
    let is_clones_turn = prior.username.get().map(String::as_str) != prior.name.get().map(|name| name.as_str());
    if prior.strategy() == Strategy::TwoUsers && planned.strategy() != Strategy::TwoUsers && is_clones_turn {
        return Some(Reason::Leave);
    }
    let is_good = prior.credential.get().is_some_and(|word| word == OK || secret::is_left(word));
    (!is_good).then_some(Reason::Repair)
}

/// When the login ended, where that was before the last refresh.
fn ended(planned: &Role, private: &Private) -> Option<Expiry> {
    let until = *planned.valid_until.get()?;
    (until.seconds() <= observed_at(private)?.as_second()).then_some(until)
}

/// A password that is wanted for a login that has ended: said before anything is stored.
fn refuse_ended(planned: &Role, private: &Private) -> Option<Report> {
    let (name, arn) = (planned.name.get()?, planned.target_arn.get()?);
    let until = ended(planned, private)?;
    let detail = format!(
        "The login of `{name}` on {arn} ended at {until}, and a new password counts only once a login has proven it. Set a \
         later `valid_until` or leave it out; to keep the login ended, undo what asks for a new password, such as \
         another value of `rotation.keepers` or `password_wo_version`."
    );
    Some(Report::error("The login has ended", detail).at(Path::attribute("valid_until")))
}

/// Fills in what is known already and marks what the change moves.
pub(super) async fn plan(context: &Context, change: &mut Change<Role>) -> Result<(), Reports> {
    let target = target(context, change).await?;
    defaults(change, target.as_ref())?;
    let Some(prior) = change.prior.clone() else {
        change.planned.username = username(&change.planned);
        first_credential(&mut change.planned);
        return check_store(context, change);
    };
    if prior.target_resource_id.is_null() {
        change.planned.target_resource_id = Attr::Unknown;
        change.replace.push(Path::attribute("target_resource_id"));
        return Ok(());
    }
    coverage(change, &prior);
    let place_moves = moves_secret(context, &prior, &change.planned);
    credential(&mut change.planned, &prior, &change.private, place_moves);
    known_secret(context, &prior, &mut change.planned).await;
    if reason(&prior, &change.planned, &change.private).is_none() {
        return Ok(());
    }
    if let Some(refusal) = refuse_ended(&change.planned, &change.private) {
        return Err(refusal.into());
    }
    check_store(context, change)
}

/// What can be said now of the store that an apply will need.
fn check_store(context: &Context, change: &mut Change<Role>) -> Result<(), Reports> {
    if !change.planned.is_iam() && !change.planned.store_is_unknown() {
        change.warnings.extend(context.check_store(change.planned.store_settings().as_ref())?);
    }
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

fn invalid(error: Invalid) -> Report {
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
    if change.config.host.is_null() {
        let has_hosts = match &change.prior {
            Some(prior) => Some(prior.host.is_known()),
            None => target.map(|target| spec::has_hosts(target.engine)),
        };
        change.planned.host = left_out_host(has_hosts).map_err(invalid)?;
    }
    Ok(())
}

/// The host part that nobody wrote down, also when it was written before: engine with hosts, without, not known yet.
fn left_out_host(has_hosts: Option<bool>) -> Result<Attr<HostPattern>, Invalid> {
    Ok(match has_hosts {
        Some(true) => spec::default_host()?.into(),
        Some(false) => Attr::Null,
        None => Attr::Unknown,
    })
}

/// Arguments that the rules of the database are about.
const ENGINE_RULES: [&str; 13] = [
    "access",
    "admin",
    "auth",
    "connection_limit",
    "grants",
    "host",
    "name",
    "owners",
    "password_wo_version",
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
    if spec::is_unread(&prior.coverage) || SCOPE.into_iter().any(|attribute| change.changes(attribute)) {
        change.planned.coverage = Attr::Unknown;
        change.planned.uncovered = Attr::Unknown;
        if home::may_move(prior, &change.planned) {
            change.planned.default_database = Attr::Unknown;
        }
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

/// The login whose turn it will be, where a plan can tell. Of two logins the secret knows, and a secret that is already
/// there may name either.
fn username(planned: &Role) -> Attr<String> {
    match &planned.name {
        Attr::Known(_) if planned.may_take_turns() => Attr::Unknown,
        name => name.clone().map(|name| name.to_string()),
    }
}

/// A password that is replaced moves its version; tokens leave nothing of a password. `moves` says whether the store
/// has another place for the secret by now.
fn credential(planned: &mut Role, prior: &Role, private: &Private, moves: bool) {
    if planned.auth.is_unknown() {
        unknown(planned);
        planned.username = Attr::Unknown;
        return;
    }
    if planned.is_iam() {
        secret::none(planned);
        planned.credential = OK.to_owned().into();
        planned.username = username(planned);
        return;
    }
    if reason(prior, planned, private).is_some() {
        unknown(planned);
        planned.credential = OK.to_owned().into();
        // A secret that is there gets another version; one that is gone may come back under another ARN.
        if secret::is_stored(prior) && !moves {
            planned.secret_ref = prior.secret_ref.clone();
        }
        planned.username = username(planned);
    } else if prior.credential.get().is_some_and(|word| secret::is_left(word)) {
        planned.credential = OK.to_owned().into();
    }
    planned.set_due();
}

/// Names the secret that an import could not know: a role of a database holds its password where `store` says. A plan that
/// may not ask the store leaves it open.
async fn known_secret(context: &Context, prior: &Role, planned: &mut Role) {
    let is_open = prior.secret_ref.is_null() && planned.secret_ref.is_unknown() && !prior.is_iam();
    let parts = (prior.target_arn.get(), prior.name.get(), prior.target_resource_id.get());
    let ((Some(arn), Some(name), Some(resource_id)), true) = (parts, is_open && !planned.store_is_unknown()) else {
        return;
    };
    let Ok(store) = context.store(planned.store_settings().as_ref(), arn) else { return };
    let held = store.find(&place(arn.clone(), name, prior.host.get())).await.ok().flatten();
    if let Some(held) = held.filter(|held| held.is_for(resource_id) && held.proven.is_some()) {
        planned.secret_ref = held.secret_ref.into();
    }
}

fn unknown(planned: &mut Role) {
    planned.secret_ref = Attr::Unknown;
    planned.secret_version = Attr::Unknown;
    planned.rotated_at = Attr::Unknown;
    planned.rotation_due_at = Attr::Unknown;
    planned.credential = Attr::Unknown;
}

/// Whether a rotation puts the secret somewhere else than where the state says, or may.
fn moves_secret(context: &Context, prior: &Role, planned: &Role) -> bool {
    match (prior.target_arn.get(), prior.name.get()) {
        (Some(arn), Some(name)) if !planned.store_is_unknown() => {
            let place = place(arn.clone(), name, prior.host.get());
            moves(context, planned.store_settings().as_ref(), &place, prior.secret_ref.get())
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
    fn a_given_password_is_set_for_another_version_alone() {
        let given = |version: Option<&str>| Role {
            rotation: Attr::Null,
            password_wo_version: version.map(str::to_owned).into(),
            ..role("single", "hoop_ro")
        };
        assert_eq!(why(&given(Some("1")), &given(Some("1"))), None);
        assert_eq!(why(&given(Some("1")), &given(Some("2"))), Some(Reason::Given));
        assert_eq!(why(&given(None), &given(Some("1"))), Some(Reason::Given), "an import, or a generated one before");
        assert_eq!(why(&given(Some("1")), &given(None)), None, "what is left out changes nothing");
        let unknown = Role { password_wo_version: Attr::Unknown, ..given(None) };
        assert_eq!(why(&given(Some("1")), &unknown), Some(Reason::Given), "it may differ");
        let iam = Role { auth: Auth::Iam.into(), ..given(None) };
        assert_eq!(why(&iam, &given(Some("1"))), Some(Reason::FirstPassword));
        assert_eq!(Reason::Given.goal(), Goal::Renew);
    }

    #[test]
    fn what_does_not_work_is_repaired() {
        let broken = Role { credential: "no stored password".to_owned().into(), ..role("single", "hoop_ro") };
        assert_eq!(why(&broken, &role("single", "hoop_ro")), Some(Reason::Repair));
        assert_eq!(Reason::Repair.goal(), Goal::Ensure);
    }

    /// What an update of a role with a secret plans.
    fn update(prior: &Role, planned: Role, private: &Private, moves: bool) -> Role {
        let mut planned = Role {
            secret_ref: prior.secret_ref.clone(),
            secret_version: prior.secret_version.clone(),
            username: prior.username.clone(),
            rotated_at: prior.rotated_at.clone(),
            credential: prior.credential.clone(),
            ..planned
        };
        credential(&mut planned, prior, private, moves);
        planned
    }

    fn stored(credential: &str, strategy: &str, username: &str) -> Role {
        Role {
            secret_ref: "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf"
                .parse::<crate::access::SecretRef>()
                .unwrap()
                .into(),
            secret_version: "v1".to_owned().into(),
            rotated_at: "2026-01-01T00:00:00Z".to_owned().into(),
            credential: credential.to_owned().into(),
            ..role(strategy, username)
        }
    }

    fn refreshed(at: &str) -> Private {
        let mut private = Private::default();
        private.set("observed_at", at);
        private
    }

    fn aged(after: &str, role: Role) -> Role {
        let rotation = role.rotation.get().cloned().unwrap_or_default();
        let after = after.parse::<crate::access::Span>().unwrap().into();
        Role { rotation: Rotation { after, ..rotation }.into(), ..role }
    }

    #[test]
    fn a_secret_stays_where_it_is_unless_it_is_gone_or_its_place_moves() {
        let plan = |word: &str, moves| {
            let prior = stored(word, "single", "hoop_ro");
            update(&prior, aged("30d", prior.clone()), &refreshed("2026-03-01T00:00:00Z"), moves)
        };
        for word in [OK, "the stored password is refused", "the stored password is not proven"] {
            assert!(plan(word, false).secret_ref.is_known(), "{word}");
            assert!(plan(word, false).secret_version.is_unknown(), "{word}");
            assert!(plan(word, true).secret_ref.is_unknown(), "{word}, elsewhere");
        }
        for word in ["no stored password", spec::UNREAD] {
            assert!(plan(word, false).secret_ref.is_unknown(), "{word}: it may come back under another ARN");
        }
        let broken = stored("the stored password is refused", "single", "hoop_ro");
        assert!(update(&broken, broken.clone(), &Private::default(), false).secret_ref.is_known(), "a repair");
    }

    #[test]
    fn whose_turn_it_is_is_not_known_before_a_role_with_two_logins_is_made() {
        let open = Role { rotation: Attr::Unknown, ..role("single", "") };
        let strategy = Rotation { strategy: Attr::Unknown, ..Rotation::default() };
        let half_open = Role { rotation: strategy.into(), ..role("single", "") };
        for unsure in [role("two_users", ""), open, half_open] {
            assert!(username(&unsure).is_unknown(), "{:?}", unsure.rotation);
        }
        assert_eq!(username(&role("single", "")), "hoop_ro".to_owned().into());
        assert_eq!(username(&Role { rotation: Attr::Null, ..role("single", "") }), "hoop_ro".to_owned().into());
    }

    #[test]
    fn a_strategy_that_is_not_known_yet_may_leave_the_second_login_or_keep_it() {
        let clone = stored(OK, "two_users", "hoop_ro_clone");
        for rotation in [Attr::Unknown, Rotation { strategy: Attr::Unknown, ..Rotation::default() }.into()] {
            let planned = update(&clone, Role { rotation, ..clone.clone() }, &Private::default(), false);
            assert!(planned.username.is_unknown() && planned.secret_version.is_unknown(), "{planned:?}");
            assert!(planned.rotated_at.is_unknown());
        }
        let left = update(&clone, role("single", ""), &Private::default(), false);
        assert_eq!(left.username, "hoop_ro".to_owned().into(), "one login is certain");
    }

    #[test]
    fn an_age_does_not_replace_the_password_of_a_login_that_has_ended() {
        let until = |at: &str| Role {
            valid_until: at.parse::<Expiry>().unwrap().into(),
            target_arn: "arn:aws:rds:eu-central-1:123456789012:db:ledger".parse::<crate::access::Arn>().unwrap().into(),
            ..aged("30d", stored(OK, "single", "hoop_ro"))
        };
        let (ended, open) = (until("2026-02-01T00:00:00Z"), until("2026-04-01T00:00:00Z"));
        let private = refreshed("2026-03-01T00:00:00Z");
        assert_eq!(reason(&open, &open, &private), Some(Reason::Rotation(Trigger::Due)));
        assert_eq!(reason(&ended, &ended, &private), None);
        assert_eq!(reason(&ended, &open, &private), Some(Reason::Rotation(Trigger::Due)), "it goes on");
        assert!(refuse_ended(&open, &private).is_none());
        let refusal = refuse_ended(&ended, &private).unwrap().to_string();
        for word in ["The login has ended", "2026-02-01T00:00:00Z", "`hoop_ro`", "db:ledger", "rotation.keepers"] {
            assert!(refusal.contains(word), "{word} is not in: {refusal}");
        }
        assert!(refuse_ended(&ended, &Private::default()).is_none(), "never refreshed");
    }

    #[test]
    fn a_host_that_is_written_no_more_is_the_default_again() {
        assert_eq!(left_out_host(Some(true)).unwrap().get().map(HostPattern::as_str), Some("%"));
        assert!(left_out_host(Some(false)).unwrap().is_null());
        assert!(left_out_host(None).unwrap().is_unknown());
    }

    #[test]
    fn settings_of_destroy_need_no_server() {
        let prior = role("single", "hoop_ro");
        let planned = Role { on_destroy: "retain".to_owned().into(), ..prior.clone() };
        assert!(!needs_server(&prior, &planned, &Private::default()));
        assert!(needs_server(&prior, &Role { connection_limit: 3.into(), ..prior.clone() }, &Private::default()));
    }
}

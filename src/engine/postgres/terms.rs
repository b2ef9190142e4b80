//! How the login proves itself, until when it is good, and how many sessions it may have.

use super::catalog::{Cluster, Membership, Oid, Role};
use super::change::Step;
use super::quote::{Sql, ident, literal, number};
use super::reach::Reach;
use super::roles::LoginChange;
use crate::access::{Auth, Expiry, Identifier};
use crate::engine::{Fault, RoleSpec, Terms};

/// The role of RDS whose members log in with a token, and with nothing else.
pub(super) const IAM_ROLE: &str = "rds_iam";
/// What stands for "no limit" in the catalog.
const NO_LIMIT: i32 = -1;

/// Adds what differs; `role` is `None` while the login does not exist.
pub(super) fn compare(
    cluster: &Cluster,
    reach: &Reach<'_>,
    spec: &RoleSpec,
    role: Option<&Role>,
    out: &mut LoginChange,
) {
    let (terms, name) = (&spec.terms, ident(spec.name.as_str()));
    let (held, wanted) = (role.and_then(|role| role.valid_until), terms.valid_until.map(Expiry::seconds));
    if held != wanted {
        out.gaps.of_terms(format!("login is valid {}, not {}", end(held), end(wanted)));
        let text = terms.valid_until.map_or_else(|| "infinity".to_owned(), |expiry| expiry.to_string());
        out.opening.push(Step::mine(Sql::of("ALTER ROLE {} VALID UNTIL {}", &[name.clone(), literal(&text)])));
    }
    let (held, wanted) = (role.map_or(NO_LIMIT, |role| role.connection_limit), limit(terms));
    if held != wanted {
        out.gaps.of_terms(format!("login may have {}, not {}", sessions(held), sessions(wanted)));
        out.opening.push(Step::mine(Sql::of("ALTER ROLE {} CONNECTION LIMIT {}", &[name.clone(), number(wanted)])));
    }
    if terms.auth == Auth::Iam {
        join_iam(cluster, reach, spec, role, out);
    }
}

/// Makes the login a direct member. That ends every login by password; what is left of the old password goes in the
/// same transaction ([`without_password`]).
fn join_iam(cluster: &Cluster, reach: &Reach<'_>, spec: &RoleSpec, role: Option<&Role>, out: &mut LoginChange) {
    let Some(iam) = cluster.role_named(IAM_ROLE) else {
        out.uncovered.plain(no_iam());
        return;
    };
    if role.is_some_and(|role| reach.memberships_of(role.oid).any(|m| m.role == iam.oid)) {
        return;
    }
    out.gaps.plain(format!("login is not a direct member of {IAM_ROLE}"));
    let pair = [ident(IAM_ROLE), ident(spec.name.as_str())];
    out.opening.push(Step::mine(Sql::of("GRANT {} TO {}", &pair)));
}

/// How the login proves itself now.
pub(super) fn auth_of(cluster: &Cluster, reach: &Reach<'_>, role: &Role) -> Auth {
    let takes_tokens = reach.memberships_of(role.oid).any(|membership| is_iam(cluster, membership.role));
    if takes_tokens { Auth::Iam } else { Auth::Password }
}

/// Why a login by token is impossible on this server.
pub(super) fn refusal(cluster: &Cluster, spec: &RoleSpec) -> Option<Fault> {
    let impossible = spec.terms.auth == Auth::Iam && cluster.role_named(IAM_ROLE).is_none();
    impossible.then(|| Fault::Unsupported(no_iam()))
}

fn no_iam() -> String {
    format!(
        "the server has no role {IAM_ROLE}, so nobody can log in with a token: switch on IAM database authentication \
         for the instance or cluster"
    )
}

/// Takes the password from a login that uses tokens. Nobody but a superuser can see whether it has one, so this goes
/// along with every other change: a password left there would be good again when the membership ends.
pub(super) fn without_password(spec: &RoleSpec) -> Option<Step> {
    let sql = || Sql::of("ALTER ROLE {} PASSWORD NULL", &[ident(spec.name.as_str())]);
    (spec.terms.auth == Auth::Iam).then(|| Step::mine(sql()))
}

/// Whether the membership is the one that a login by token needs.
pub(super) fn is_wanted(cluster: &Cluster, spec: &RoleSpec, membership: &Membership) -> bool {
    spec.terms.auth == Auth::Iam && is_iam(cluster, membership.role)
}

/// Whether this is the role of RDS.
pub(super) fn is_iam(cluster: &Cluster, role: Oid) -> bool {
    cluster.roles.get(&role).is_some_and(|role| role.name == IAM_ROLE)
}

/// What a membership means for a login by password: a member of the role of RDS, however indirect, has none.
pub(super) fn shadow(cluster: &Cluster, reach: &Reach<'_>, spec: &RoleSpec, membership: &Membership) -> &'static str {
    let leads = || reach.leads_to(membership.role, |oid| is_iam(cluster, *oid));
    let direct = is_iam(cluster, membership.role);
    match spec.terms.auth {
        Auth::Password if direct => ", so that no password logs in",
        Auth::Password if leads() => ", which leads to rds_iam, so that no password logs in",
        Auth::Password | Auth::Iam => "",
    }
}

/// Adds to a refusal about the role of RDS who can help.
pub(super) fn explain(fault: Fault, cluster_user: &str) -> Fault {
    match fault {
        Fault::Denied { step, text } if text.contains(IAM_ROLE) => Fault::Denied {
            step,
            text: format!(
                "{text}; a login by token needs membership in {IAM_ROLE}, which {cluster_user} may not pass on: as a \
                 user with ADMIN on it run GRANT {IAM_ROLE} TO {cluster_user} WITH ADMIN OPTION"
            ),
        },
        other => other,
    }
}

/// Whether the login has ended when the specification says so: the server then refuses every password in the same words.
pub(super) fn is_over(spec: &RoleSpec, role: &Role) -> bool {
    role.expired && role.valid_until.is_some() && role.valid_until == spec.terms.valid_until.map(Expiry::seconds)
}

fn limit(terms: &Terms) -> i32 {
    terms.connection_limit.map_or(NO_LIMIT, |limit| i32::try_from(limit).unwrap_or(i32::MAX))
}

fn end(seconds: Option<i64>) -> String {
    match seconds.map(Expiry::from_seconds) {
        None => "for ever".to_owned(),
        Some(Some(expiry)) => format!("until {expiry}"),
        Some(None) => "until a year beyond 9999".to_owned(),
    }
}

fn sessions(limit: i32) -> String {
    match limit {
        NO_LIMIT => "any number of sessions".to_owned(),
        1 => "1 session".to_owned(),
        n => format!("{n} sessions"),
    }
}

//! What is refused, and why. Unknown values are not judged.

use std::collections::BTreeSet;

use crate::access::{Access, Arn, Auth, DatabaseName, EngineKind, Identifier, Invalid, RoleName, Target, TlsMode};
use crate::engine;
use crate::report::{Report, sentence};
use crate::schema::Attr;
use crate::value::Path;

use super::logins::clone_name;
use super::model::{Admin, Role, Strategy};

/// The longest user name that a token can be made for on MySQL and MariaDB.
const LONGEST_IAM_USER: usize = 32;
/// The first version of MySQL with a second password.
const DUAL_PASSWORDS: (u32, u32, u32) = (8, 0, 14);

/// Rules that need no target.
pub(super) fn validate(config: &Role) -> Vec<Report> {
    let mut reports = Vec::new();
    reports.extend(owners(config));
    reports.extend(uncovered_grants(config));
    reports.extend(rotated_tokens(config));
    reports.extend(given(config));
    reports.extend(config.admin.get().and_then(admin));
    reports.extend(clone(config).err());
    reports
}

fn owners(config: &Role) -> Option<Report> {
    let level = config.access.get().filter(|level| **level != Access::Ddl && config.owners.is_known())?;
    let detail = format!("`{level}` never alters or drops objects. Leave `owners` out.");
    Some(Report::error("`owners` needs `access = \"ddl\"`", detail).at(Path::attribute("owners")))
}

/// Grants in databases that the role does not cover.
fn uncovered_grants(config: &Role) -> Option<Report> {
    let covered = config.databases.get()?;
    let outside: BTreeSet<&DatabaseName> = config
        .grants
        .get()?
        .iter()
        .filter_map(|grant| grant.database.get())
        .filter(|d| !covered.contains(*d))
        .collect();
    let names: Vec<&str> = outside.into_iter().map(Identifier::as_str).collect();
    (!names.is_empty()).then(|| {
        let detail = format!(
            "`grants` names {}, which `databases` does not. Add it there: a role has rights in covered databases only.",
            names.join(", ")
        );
        Report::error("A grant is outside of the covered databases", detail).at(Path::attribute("grants"))
    })
}

fn rotated_tokens(config: &Role) -> Option<Report> {
    (config.is_iam() && config.rotation.is_known()).then(|| {
        let detail =
            "With `auth = \"iam\"` there is no password: every login has a token of its own. Leave `rotation` out.";
        Report::error("There is nothing to rotate", detail).at(Path::attribute("rotation"))
    })
}

/// What `password_wo` and `password_wo_version` need, and what they exclude.
pub(super) fn given(config: &Role) -> Vec<Report> {
    let mut reports = Vec::new();
    let (password, version) = (&config.password_wo, &config.password_wo_version);
    let mut refuse = |attribute: &str, summary: &str, detail: &str| {
        reports.push(Report::error(summary, detail).at(Path::attribute(attribute)));
    };
    match (password, version) {
        (Attr::Null, Attr::Known(_)) => refuse(
            "password_wo_version",
            "There is no password to set",
            "`password_wo_version` says when `password_wo` is set, and `password_wo` is null. Give both, or leave both out.",
        ),
        (Attr::Known(_), Attr::Null) => refuse(
            "password_wo_version",
            "The password has no version",
            "Nobody remembers `password_wo`, so that `password_wo_version` says when to set it. Set it to any text or \
             number, and to another one with every new password.",
        ),
        _ => {}
    }
    let is_given = password.is_known() || version.is_known();
    if is_given && config.is_iam() {
        refuse(
            "password_wo_version",
            "There is no password to set",
            "With `auth = \"iam\"` there is no password: every login has a token of its own. Leave `password_wo` and \
             `password_wo_version` out.",
        );
    }
    if is_given && config.rotation.is_known() {
        refuse(
            "rotation",
            "A given password is not rotated",
            "`rotation` makes new passwords, and `password_wo` gives one. Leave `rotation` out, or `password_wo` and \
             `password_wo_version`.",
        );
    }
    reports.extend(password.get().and_then(|password| unfit(engine::check_password(None, password))));
    reports
}

/// The line with `password_wo` is never pointed at: Terraform would show what stands there.
fn unfit(checked: Result<(), Invalid>) -> Option<Report> {
    let why = sentence(&checked.err()?.0);
    Some(Report::error("`password_wo` cannot be set", why).at(Path::attribute("password_wo_version")))
}

/// Whether the engine can hold the given password.
fn given_fits(role: &Role, target: &Target) -> Option<Report> {
    let password = role.password_wo.get()?;
    let named = |invalid: Invalid| Invalid::new(format!("{} ({})", invalid.0, target.arn));
    unfit(engine::check_password(Some(target.engine), password).map_err(named))
}

fn admin(admin: &Admin) -> Option<Report> {
    let (attribute, summary, detail) = match &admin.auth {
        Attr::Known(Auth::Iam) if admin.secret_ref.is_known() => (
            "secret_ref",
            "An administrator has a secret or tokens",
            "With `auth = \"iam\"` the administrator logs in with tokens, and no secret is read. Leave `secret_ref` out.",
        ),
        Attr::Known(Auth::Password) | Attr::Null if admin.username.is_known() => (
            "username",
            "The secret names the administrator",
            "`username` is for `auth = \"iam\"`. With a password the secret holds the user name. Leave `username` out.",
        ),
        Attr::Known(Auth::Password) | Attr::Null if admin.secret_ref.is_null() => (
            "secret_ref",
            "The administrator has no secret",
            "Set `secret_ref` to a secret with `username` and `password`, or `auth = \"iam\"`, or leave `admin` out.",
        ),
        _ => return None,
    };
    Some(Report::error(summary, detail).at(Path::attribute("admin").field(attribute)))
}

/// The name of the second login, where there is one.
fn clone(config: &Role) -> Result<Option<RoleName>, Report> {
    let name = config.name.get().filter(|_| config.strategy() == Strategy::TwoUsers);
    name.map(clone_name).transpose().map_err(|invalid| long_clone(&invalid.0))
}

fn long_clone(why: &str) -> Report {
    let detail = sentence(&format!("`two_users` needs a second login, `<name>_clone`: {why}. Choose a shorter `name`"));
    Report::error("The name is too long for two logins", detail).at(Path::attribute("name"))
}

/// Rules that need the target: the same at plan, where it is known, and at apply before the first change.
pub(super) fn check_target(role: &Role, target: &Target, tls: TlsMode) -> Vec<Report> {
    let mut reports = check_engine(role, &target.arn, target.engine);
    reports.extend(master_user(role, target));
    reports.extend(grants(role, target));
    reports.extend(tokens(role, target, tls));
    reports.extend(given_fits(role, target));
    reports.extend(strategy(role, target));
    reports
}

fn master_user(role: &Role, target: &Target) -> Option<Report> {
    let ignores_case = target.engine != EngineKind::Postgres;
    let name = role.name.get()?.as_str();
    let master = &target.master_username;
    (name == master || ignores_case && name.eq_ignore_ascii_case(master)).then(|| {
        let detail = format!(
            "`{master}` is the master user of {}: as a role it would lose its rights and its secret. Choose another name; \
             `rdsaccess_master_credential` takes care of the master user.",
            target.arn
        );
        Report::error("The master user cannot be a role", detail).at(Path::attribute("name"))
    })
}

pub(super) fn check_engine(role: &Role, arn: &Arn, kind: EngineKind) -> Vec<Report> {
    const POSTGRES: &[EngineKind] = &[EngineKind::Postgres];
    const HOSTS: &[EngineKind] = &[EngineKind::Mysql, EngineKind::Mariadb];
    const LIMITS: &[EngineKind] = &[EngineKind::Postgres, EngineKind::Mysql, EngineKind::Mariadb];
    let mut reports = Vec::new();
    let mut only = |attribute: &str, set: bool, engines: &[EngineKind]| {
        if set && !engines.contains(&kind) {
            let words: Vec<String> = engines.iter().map(|e| format!("`{e}`")).collect();
            let detail = format!(
                "`{attribute}` is for {} only, and {arn} is `{kind}`. Leave it out for this database.",
                words.join(" and ")
            );
            reports.push(
                Report::error(format!("`{attribute}` does not fit the engine"), detail).at(Path::attribute(attribute)),
            );
        }
    };
    only("schemas", role.schemas.is_known(), POSTGRES);
    only("owners", role.owners.is_known(), POSTGRES);
    only("host", role.host.is_known(), HOSTS);
    only("reassign_owned_to", role.reassign_owned_to.is_known(), POSTGRES);
    only("valid_until", role.valid_until.is_known(), POSTGRES);
    only("connection_limit", role.connection_limit.is_known(), LIMITS);
    if let Some(Err(invalid)) = role.name.get().map(|name| engine::check_role_name(kind, name)) {
        let detail = sentence(&format!("{invalid} ({arn})"));
        reports.push(Report::error("The name does not fit the engine", detail).at(Path::attribute("name")));
    }
    reports
}

fn grants(role: &Role, target: &Target) -> Vec<Report> {
    let at = || Path::attribute("grants");
    if role.grants.is_known() && target.engine == EngineKind::Postgres && role.access.get() == Some(&Access::Ddl) {
        let detail = format!(
            "On PostgreSQL ({}) a role with `access = \"ddl\"` runs as its group, so that rights of the login itself have \
             no effect. Leave `grants` out, or make a second role for them.",
            target.arn
        );
        return vec![Report::error("`grants` and `ddl` do not go together on PostgreSQL", detail).at(at())];
    }
    let refused = role.known_grants().into_iter().filter_map(|grant| {
        let invalid = engine::check_grant(target.engine, &grant).err()?;
        Some(sentence(&format!("{invalid} ({}, {} in database `{}`)", target.arn, grant.kind, grant.database)))
    });
    refused.map(|detail| Report::error("A grant does not fit the engine", detail).at(at())).collect()
}

/// What logins with tokens need, of the role and of its administrator.
fn tokens(role: &Role, target: &Target, tls: TlsMode) -> Vec<Report> {
    let mut reports = Vec::new();
    let of_admin = role.admin.get().filter(|admin| admin.auth.get() == Some(&Auth::Iam));
    if role.is_iam() {
        reports.extend(needs_of_tokens(target, tls).map(|report| report.at(Path::attribute("auth"))));
        reports.extend(role.name.get().and_then(|name| long_for_tokens(name, target)));
    }
    if of_admin.is_some() {
        let at = Path::attribute("admin").field("auth");
        reports.extend(needs_of_tokens(target, tls).map(|report| report.at(at)));
    }
    reports
}

fn needs_of_tokens(target: &Target, tls: TlsMode) -> Option<Report> {
    let arn = &target.arn;
    if target.engine == EngineKind::Sqlserver {
        let detail = format!(
            "RDS for SQL Server has no IAM database authentication, and {arn} is one. Set `auth = \"password\"`."
        );
        return Some(Report::error("No IAM authentication on SQL Server", detail));
    }
    if !target.iam_authentication {
        let detail = format!(
            "IAM database authentication of {arn} is off. Set `iam_database_authentication_enabled = true` where the \
             database is managed (`aws rds modify-db-instance` or `modify-db-cluster` with \
             `--enable-iam-database-authentication --apply-immediately`), wait until it is on, and plan again."
        );
        return Some(Report::error("IAM authentication is off", detail));
    }
    (tls == TlsMode::Disable).then(|| {
        let detail = "A token goes over the wire as it is, so that it is sent only over TLS, and `tls.mode` of the provider \
                      block is `disable`. Set it to `verify-full`.";
        Report::error("Tokens need TLS", detail)
    })
}

/// MariaDB takes longer names, but tokens are for names that MySQL takes too. PostgreSQL has the limit of every name.
fn long_for_tokens(name: &RoleName, target: &Target) -> Option<Report> {
    let length = name.as_str().chars().count();
    let fits = target.engine == EngineKind::Postgres || length <= LONGEST_IAM_USER;
    (!fits).then(|| {
        let detail = format!(
            "A user that logs in with tokens must not be longer than {LONGEST_IAM_USER} characters on {}; `{name}` has \
             {length} ({}). Choose a shorter `name`.",
            target.engine, target.arn
        );
        Report::error("The name is too long for IAM authentication", detail).at(Path::attribute("name"))
    })
}

fn strategy(role: &Role, target: &Target) -> Option<Report> {
    match role.strategy() {
        Strategy::Single => None,
        Strategy::DualPassword if has_dual_passwords(target) => None,
        Strategy::DualPassword => {
            let detail = format!(
                "`dual_password` needs MySQL 8.0.14 or later, which keeps a second password; {} is `{}` {}. Use \
                 `two_users`, which works on every engine.",
                target.arn, target.engine, target.engine_version
            );
            let at = Path::attribute("rotation").field("strategy");
            Some(Report::error("The engine has no second password", detail).at(at))
        }
        Strategy::TwoUsers => match clone(role) {
            Ok(name) => engine::check_role_name(target.engine, &name?)
                .err()
                .map(|invalid| long_clone(&format!("{invalid} ({})", target.arn))),
            Err(report) => Some(report),
        },
    }
}

/// `8.0.36`, `8.4.3`, `8.0.mysql_aurora.3.05.2`: version 3 of Aurora began with 8.0.23.
fn has_dual_passwords(target: &Target) -> bool {
    let mut parts = target.engine_version.split('.');
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    let Some((major, minor)) = number().zip(number()) else { return false };
    let patch = if target.aurora { u32::MAX } else { number().unwrap_or_default() };
    target.engine == EngineKind::Mysql && (major, minor, patch) >= DUAL_PASSWORDS
}

#[cfg(test)]
pub(super) mod tests;

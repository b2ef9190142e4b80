//! Every refusal with its reason, and what is let through.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{GrantBlock, Rotation};
use super::*;
use crate::access::{Endpoint, Expiry, ObjectKind, Secret, SecretRef};

/// A database of this engine and version.
pub(in crate::resources::role) fn target(engine: EngineKind, version: &str) -> Target {
    Target {
        arn: "arn:aws:rds:eu-central-1:123456789012:db:ledger".parse().unwrap(),
        resource_id: "db-LEDGER".to_owned(),
        engine,
        rds_engine: engine.as_str().to_owned(),
        engine_version: version.to_owned(),
        aurora: version.contains("aurora"),
        endpoint: Some(Endpoint { host: "ledger.example".to_owned(), port: 5432 }),
        reader_endpoint: None,
        master_username: "admin1".to_owned(),
        database_name: None,
        iam_authentication: true,
        publicly_accessible: false,
        vpc_id: None,
        security_group_ids: Vec::new(),
        status: "available".to_owned(),
        tags: BTreeMap::new(),
        managed_secret: None,
        managed_status: None,
        managed_kms_key_id: None,
        pending_changes: Vec::new(),
        members: Vec::new(),
    }
}

fn postgres() -> Target {
    target(EngineKind::Postgres, "16.4")
}

fn role() -> Role {
    Role { access: Access::ReadOnly.into(), name: "hoop_ro".parse::<RoleName>().unwrap().into(), ..Role::default() }
}

fn named(name: &str) -> Role {
    Role { name: name.parse::<RoleName>().unwrap().into(), ..role() }
}

fn rotated(strategy: &str, role: Role) -> Role {
    let rotation = Rotation { strategy: strategy.to_owned().into(), ..Rotation::default() };
    Role { rotation: rotation.into(), ..role }
}

fn with_grant(database: &str, role: Role) -> Role {
    let grant = GrantBlock {
        database: database.parse::<DatabaseName>().unwrap().into(),
        schema: Attr::Null,
        object_type: ObjectKind::Function.into(),
        objects: Attr::Null,
        privileges: BTreeSet::from(["EXECUTE".parse().unwrap()]).into(),
    };
    Role { grants: BTreeSet::from([grant]).into(), ..role }
}

fn iam(role: Role) -> Role {
    Role { auth: Auth::Iam.into(), ..role }
}

/// The only refusal, as one text.
fn refusal(reports: Vec<Report>) -> String {
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports[0].to_string()
}

fn at(role: &Role, target: &Target) -> Vec<Report> {
    check_target(role, target, TlsMode::VerifyFull)
}

#[test]
fn owners_are_for_ddl_only() {
    let role = Role { owners: BTreeSet::from(["app".parse().unwrap()]).into(), ..role() };
    assert!(refusal(validate(&role)).contains("`owners`"));
    assert!(validate(&Role { access: Access::Ddl.into(), ..role }).is_empty());
}

#[test]
fn what_does_not_fit_the_engine_is_refused() {
    let schemas = Role { schemas: BTreeSet::from(["app".parse().unwrap()]).into(), ..role() };
    let until = Role { valid_until: "2030-01-31T12:00:00Z".parse::<Expiry>().unwrap().into(), ..role() };
    let limit = Role { connection_limit: 3.into(), ..role() };
    for role in [&schemas, &until, &limit] {
        assert!(at(role, &postgres()).is_empty());
    }
    let mariadb = target(EngineKind::Mariadb, "10.11.8");
    assert!(refusal(at(&schemas, &mariadb)).contains("`schemas`"));
    assert!(refusal(at(&until, &mariadb)).contains("`valid_until` is for `postgres` only"));
    assert!(at(&limit, &mariadb).is_empty());
    let sqlserver = target(EngineKind::Sqlserver, "15.00");
    assert!(refusal(at(&limit, &sqlserver)).contains("`connection_limit` is for"));
    let host = Role { host: "%".parse::<crate::access::HostPattern>().unwrap().into(), ..role() };
    assert!(refusal(at(&host, &sqlserver)).contains("`host`"));
    assert!(refusal(at(&named("sa"), &sqlserver)).contains("reserved"));
    assert!(at(&role(), &sqlserver).is_empty());
    assert!(refusal(at(&named(&"x".repeat(64)), &postgres())).contains("63 bytes"));
    assert!(refusal(at(&named("ADMIN1"), &mariadb)).contains("master user"));
}

#[test]
fn grants_are_in_covered_databases_and_not_beside_ddl_on_postgres() {
    let some = Role { databases: BTreeSet::from(["app".parse().unwrap()]).into(), ..role() };
    assert!(refusal(validate(&with_grant("other", some.clone()))).contains("`grants` names other"));
    assert!(validate(&with_grant("app", some)).is_empty());
    assert!(validate(&with_grant("any", role())).is_empty(), "all databases are covered");
    let ddl = with_grant("app", Role { access: Access::Ddl.into(), ..role() });
    assert!(refusal(at(&ddl, &postgres())).contains("runs as its group"));
    assert!(at(&ddl, &target(EngineKind::Mysql, "8.0.36")).is_empty());
}

#[test]
fn tokens_need_the_instance_tls_and_a_short_name() {
    let iam_role = iam(role());
    assert!(at(&iam_role, &postgres()).is_empty());
    let off = Target { iam_authentication: false, ..postgres() };
    let text = refusal(at(&iam_role, &off));
    assert!(text.contains("is off") && text.contains("--enable-iam-database-authentication"), "{text}");
    assert!(refusal(check_target(&iam_role, &postgres(), TlsMode::Disable)).contains("`tls.mode`"));
    assert!(refusal(at(&iam_role, &target(EngineKind::Sqlserver, "15.00"))).contains("no IAM database authentication"));
    let long = "x".repeat(33);
    let mariadb = target(EngineKind::Mariadb, "10.11.8");
    assert!(refusal(at(&iam(named(&long)), &mariadb)).contains("32 characters"));
    assert!(at(&named(&long), &mariadb).is_empty());
    assert!(at(&iam(named(&long)), &postgres()).is_empty());
    assert!(refusal(validate(&rotated("single", iam_role))).contains("nothing to rotate"));
}

#[test]
fn an_administrator_has_a_secret_or_tokens() {
    let secret: SecretRef = "vault:kv2::secret:a".parse().unwrap();
    let admin = |admin: Admin| Role { admin: admin.into(), ..role() };
    let tokens = Admin { auth: Auth::Iam.into(), ..Admin::default() };
    assert!(validate(&admin(tokens.clone())).is_empty());
    assert!(validate(&admin(Admin { secret_ref: secret.clone().into(), ..Admin::default() })).is_empty());
    assert!(validate(&admin(Admin { secret_ref: Attr::Unknown, ..Admin::default() })).is_empty());
    let both = admin(Admin { secret_ref: secret.clone().into(), ..tokens.clone() });
    assert!(refusal(validate(&both)).contains("no secret is read"));
    assert!(refusal(validate(&admin(Admin::default()))).contains("has no secret"));
    let username = "dba".parse::<RoleName>().unwrap();
    let user = Admin { secret_ref: secret.into(), username: username.clone().into(), ..Admin::default() };
    assert!(refusal(validate(&admin(user))).contains("`username`"));
    let off = Target { iam_authentication: false, ..postgres() };
    let with_tokens = admin(Admin { username: username.into(), ..tokens });
    assert!(refusal(at(&with_tokens, &off)).contains("is off"));
    assert!(at(&with_tokens, &postgres()).is_empty());
}

#[test]
fn second_passwords_are_for_mysql_from_8_0_14_on() {
    let dual = rotated("dual_password", role());
    for version in ["8.0.14", "8.0.36", "8.4.3", "9.7.4", "8.0.mysql_aurora.3.05.2"] {
        assert!(at(&dual, &target(EngineKind::Mysql, version)).is_empty(), "{version}");
    }
    for (engine, version) in [
        (EngineKind::Mysql, "8.0.13"),
        (EngineKind::Mysql, "5.7.44"),
        (EngineKind::Mysql, "5.7.mysql_aurora.2.11.4"),
        (EngineKind::Mysql, "unknown"),
        (EngineKind::Mariadb, "10.11.8"),
        (EngineKind::Postgres, "16.4"),
    ] {
        assert!(
            refusal(at(&dual, &target(engine, version))).contains("`dual_password` needs MySQL 8.0.14"),
            "{version}"
        );
    }
}

#[test]
fn two_logins_need_a_name_that_is_short_enough() {
    let two = |name: &str| rotated("two_users", named(name));
    let mysql = target(EngineKind::Mysql, "8.0.36");
    assert!(at(&two(&"x".repeat(26)), &mysql).is_empty());
    let text = refusal(at(&two(&"x".repeat(27)), &mysql));
    assert!(text.contains("`<name>_clone`") && text.contains("32 characters"), "{text}");
    assert!(at(&two(&"x".repeat(57)), &postgres()).is_empty());
    assert!(refusal(at(&two(&"x".repeat(58)), &postgres())).contains("63 bytes"));
    assert!(refusal(validate(&two(&"x".repeat(125)))).contains("two logins"));
}

fn given_as(password: &str, version: Option<&str>) -> Role {
    Role {
        password_wo: Secret::from(password).into(),
        password_wo_version: version.map(str::to_owned).into(),
        ..role()
    }
}

#[test]
fn a_given_password_has_a_version_and_nothing_beside_it() {
    let said = |role: &Role| validate(role).iter().map(|report| report.summary.clone()).collect::<Vec<_>>();
    let given = given_as("Given-1", Some("1"));
    assert!(said(&given).is_empty());
    assert_eq!(said(&given_as("Given-1", None)), ["The password has no version"]);
    assert_eq!(said(&Role { password_wo: Attr::Null, ..given.clone() }), ["There is no password to set"]);
    assert!(said(&Role { password_wo: Attr::Unknown, ..given.clone() }).is_empty(), "an ephemeral value comes later");
    assert!(said(&Role { password_wo_version: Attr::Unknown, ..given.clone() }).is_empty());
    assert_eq!(said(&Role { auth: Auth::Iam.into(), ..given.clone() }), ["There is no password to set"]);
    let rotated = Role { rotation: Rotation::default().into(), ..given };
    assert_eq!(said(&rotated), ["A given password is not rotated"]);
}

#[test]
fn a_given_password_fits_its_engine_and_is_never_repeated() {
    let fits = |engine, password: &str| {
        check_target(&given_as(password, Some("1")), &target(engine, "16.4"), TlsMode::VerifyFull)
    };
    for (engine, longest) in [
        (EngineKind::Postgres, 1_024),
        (EngineKind::Mysql, 256),
        (EngineKind::Mariadb, 256),
        (EngineKind::Sqlserver, 128),
    ] {
        assert!(fits(engine, &"x".repeat(longest)).is_empty(), "{engine}");
        let refused = fits(engine, &"x".repeat(longest + 1));
        assert_eq!(refused.len(), 1, "{engine}");
        let text = refused[0].to_string();
        assert!(text.contains(&longest.to_string()) && text.contains("db:ledger") && !text.contains("xxx"), "{text}");
        assert_eq!(
            refused[0].attribute,
            Some(Path::attribute("password_wo_version")),
            "the line of the value is not shown"
        );
    }
    for bad in ["", "hunter\0two", "hunter\ntwo", "hunter\u{7f}two", "hunter\u{85}two"] {
        let text = validate(&given_as(bad, Some("1"))).iter().map(ToString::to_string).collect::<String>();
        assert!(text.contains("`password_wo` cannot be set") && !text.contains("hunter"), "{bad:?}: {text}");
    }
}

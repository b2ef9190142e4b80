use rdsaccess::access::{Access, Auth, Expiry};
use rdsaccess::engine::Fault;

use super::*;

fn reader() -> RoleSpec {
    spec_in("hoop_ro", Access::ReadOnly, &["app"])
}

fn by_token() -> RoleSpec {
    let mut spec = reader();
    spec.terms.auth = Auth::Iam;
    spec
}

/// A server where the master user may pass on `rds_iam`, as on RDS.
async fn with_iam() -> PostgresServer {
    let server = PostgresServer::start().await;
    let superuser = server.superuser("app").await;
    superuser.batch_execute("GRANT rds_iam TO admin1 WITH ADMIN OPTION").await.unwrap();
    server.master("app").await.batch_execute(EVERY_KIND).await.unwrap();
    server
}

async fn has_password(server: &PostgresServer) -> bool {
    let sql = "SELECT rolname::text FROM pg_authid WHERE rolname = 'hoop_ro' AND rolpassword IS NOT NULL";
    !column(&server.superuser("app").await, sql).await.is_empty()
}

async fn members_of_iam(server: &PostgresServer) -> Vec<String> {
    let sql = "SELECT member::regrole || ' ' || admin_option FROM pg_auth_members
        WHERE roleid = 'rds_iam'::regrole AND member NOT IN ('admin1'::regrole, 'rds_superuser'::regrole)";
    column(&server.superuser("app").await, sql).await
}

fn login_gaps(observed: &Observed) -> Vec<&str> {
    observed.login.iter().map(|gap| gap.what.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_and_the_limit_are_set_and_kept_in_both_directions() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let mut spec = reader();
    spec.terms.valid_until = Some("2099-01-31T13:00:00+01:00".parse().unwrap());
    spec.terms.connection_limit = Some(2);
    make(&*engine, &spec).await;
    let superuser = server.superuser("app").await;
    let held = "SELECT (rolvaliduntil AT TIME ZONE 'UTC')::text || ' ' || rolconnlimit FROM pg_roles
        WHERE rolname = 'hoop_ro'";
    assert_eq!(column(&superuser, held).await, ["2099-01-31 12:00:00 2"]);
    let first = enter(&server, "hoop_ro", "app").await;
    let second = enter(&server, "hoop_ro", "app").await;
    let third = server.connect("hoop_ro", PASSWORD, "app").await.err().unwrap();
    assert_eq!(third.code().unwrap().code(), "53300");
    // The limit is no word about the password.
    assert!(engine.accepts(&spec, &Secret::from(PASSWORD)).await.unwrap());
    assert!(!engine.accepts(&spec, &Secret::from("wrong")).await.unwrap());
    drop((first, second));

    // Within the same second nothing differs.
    superuser.batch_execute("ALTER ROLE hoop_ro VALID UNTIL '2099-01-31 12:00:00.7+00'").await.unwrap();
    assert_complete(&server.engine().read(&spec).await.unwrap());
    for (by_hand, gaps) in [
        (
            "VALID UNTIL 'infinity' CONNECTION LIMIT -1",
            [
                "login is valid for ever, not until 2099-01-31T12:00:00Z",
                "login may have any number of sessions, not 2 sessions",
            ],
        ),
        (
            "VALID UNTIL '2099-01-31 12:00:01+00' CONNECTION LIMIT 1",
            [
                "login is valid until 2099-01-31T12:00:01Z, not until 2099-01-31T12:00:00Z",
                "login may have 1 session, not 2 sessions",
            ],
        ),
    ] {
        superuser.batch_execute(&format!("ALTER ROLE hoop_ro {by_hand}")).await.unwrap();
        assert_eq!(login_gaps(&server.engine().read(&spec).await.unwrap()), gaps);
        assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    }
    spec.terms = Default::default();
    for end in ["2099-01-31 12:00:00+00", "-infinity", "200000-01-01", "0044-03-15 BC"] {
        superuser.batch_execute(&format!("ALTER ROLE hoop_ro VALID UNTIL '{end}'")).await.unwrap();
        let observed = server.engine().read(&spec).await.unwrap();
        assert!(login_gaps(&observed)[0].ends_with(", not for ever"), "{end}: {observed:?}");
        assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    }
    assert_eq!(column(&superuser, held).await, ["infinity -1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_has_ended_as_it_should_says_nothing_of_its_password() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let mut spec = reader();
    make(&*engine, &spec).await;
    spec.terms.valid_until = Expiry::from_seconds(1_000_000_000);
    assert_complete(&engine.ensure(&spec, None).await.unwrap());
    assert!(server.connect("hoop_ro", PASSWORD, "app").await.is_err());
    assert!(engine.accepts(&spec, &Secret::from(PASSWORD)).await.unwrap(), "no reason to set another password");
    let error = engine.proves(&spec, &Secret::from(PASSWORD)).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::LoginBarred(text) if text.contains("valid_until")), "{error}");
    // An end that nobody asked for is a gap, and the refusal is one that apply repairs.
    spec.terms.valid_until = None;
    assert!(!engine.accepts(&spec, &Secret::from(PASSWORD)).await.unwrap());
    assert_complete(&engine.ensure(&spec, None).await.unwrap());
    assert!(engine.proves(&spec, &Secret::from(PASSWORD)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_from_password_to_token_and_back_in_place() {
    let server = with_iam().await;
    let engine = server.engine();
    let (mut password, mut token) = (reader(), by_token());
    let insert = super::grants::grant(rdsaccess::access::ObjectKind::Table, "sales", &["orders"], &["INSERT"]);
    password.grants = [insert.clone()].into();
    token.grants = [insert].into();
    make(&*engine, &password).await;
    let acl = "SELECT relacl::text FROM pg_class WHERE oid = 'sales.orders'::regclass";
    let superuser = server.superuser("app").await;
    let rights = column(&superuser, acl).await;

    assert_eq!(login_gaps(&engine.read(&token).await.unwrap()), ["login is not a direct member of rds_iam"]);
    let before = server.log().len();
    assert_complete(&engine.ensure(&token, None).await.unwrap());
    assert_eq!(members_of_iam(&server).await, ["hoop_ro false"]);
    assert!(!has_password(&server).await);
    assert!(server.connect("hoop_ro", PASSWORD, "app").await.is_err());
    let log = server.log().split_off(before);
    let change = log.split("statement: ").find(|batch| batch.contains("GRANT \"rds_iam\"")).unwrap();
    let (null, grant) = (change.find("PASSWORD NULL").unwrap(), change.find("GRANT \"rds_iam\"").unwrap());
    assert!(change.starts_with("BEGIN") && null < grant && grant < change.find("COMMIT").unwrap(), "{change}");
    assert_complete(&server.engine().read(&token).await.unwrap());

    // A password that somebody set beside the token is not to be seen; it goes with the next change.
    superuser.batch_execute("ALTER ROLE hoop_ro PASSWORD 'by hand' CONNECTION LIMIT 5").await.unwrap();
    assert_complete(&engine.ensure(&token, None).await.unwrap());
    assert!(!has_password(&server).await);
    let error = engine.ensure(&token, Some(&Secret::from(PASSWORD))).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Unsupported(_)), "{error}");

    let gaps = engine.read(&password).await.unwrap();
    assert_eq!(login_gaps(&gaps), ["is a member of rds_iam, so that no password logs in"]);
    make(&*engine, &password).await;
    assert!(members_of_iam(&server).await.is_empty());
    assert_eq!(column(&superuser, acl).await, rights, "the grants have changed");
    let client = enter(&server, "hoop_ro", "app").await;
    assert_allowed(&client, &["INSERT INTO sales.orders (id) VALUES (9)"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_login_by_token_never_has_a_password_and_may_not_pass_the_membership_on() {
    let server = with_iam().await;
    let engine = server.engine();
    let observed = engine.ensure(&by_token(), None).await.unwrap();
    assert_complete(&observed);
    assert!(!has_password(&server).await);
    let sql = "SET ROLE admin1; GRANT rds_iam TO hoop_ro WITH ADMIN OPTION";
    server.superuser("app").await.batch_execute(sql).await.unwrap();
    assert_eq!(login_gaps(&server.engine().read(&by_token()).await.unwrap()), ["may pass on rds_iam"]);
    assert_complete(&engine.ensure(&by_token(), None).await.unwrap());
    assert_eq!(members_of_iam(&server).await, ["hoop_ro false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_that_turns_passwords_off_by_a_detour_is_named_and_ended() {
    let server = with_iam().await;
    let engine = server.engine();
    make(&*engine, &reader()).await;
    let detour = "CREATE ROLE tokens; GRANT rds_iam TO tokens; GRANT tokens TO hoop_ro";
    server.master("app").await.batch_execute(detour).await.unwrap();
    let observed = server.engine().read(&reader()).await.unwrap();
    assert_eq!(login_gaps(&observed), ["is a member of tokens, which leads to rds_iam, so that no password logs in"]);
    // For a login by token the detour is not enough.
    let observed = server.engine().read(&by_token()).await.unwrap();
    assert_eq!(login_gaps(&observed), ["is a member of tokens", "login is not a direct member of rds_iam"]);
    assert_complete(&engine.ensure(&reader(), None).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tokens_are_impossible_the_reason_and_the_remedy_are_named() {
    let server = PostgresServer::start().await;
    let superuser = server.superuser("app").await;
    let version: i32 = column(&superuser, "SHOW server_version_num").await[0].parse().unwrap();
    if version >= 160_000 {
        superuser.batch_execute("REVOKE rds_iam FROM rds_superuser").await.unwrap();
        let error = server.engine().ensure(&by_token(), None).await.unwrap_err();
        let helps = |text: &str| text.contains("GRANT rds_iam TO admin1 WITH ADMIN OPTION");
        assert!(matches!(&error.fault, Fault::Denied { text, .. } if helps(text)), "{error}");
    } else {
        // Until then CREATEROLE is enough.
        assert_complete(&server.engine().ensure(&by_token(), None).await.unwrap());
        server.master("app").await.batch_execute("DROP ROLE hoop_ro").await.unwrap();
    }
    let roles = "SELECT rolname::text FROM pg_roles WHERE rolname = 'hoop_ro'";
    assert!(column(&superuser, roles).await.is_empty());
    superuser.batch_execute("DROP ROLE rds_iam").await.unwrap();
    let error = server.engine().ensure(&by_token(), None).await.unwrap_err();
    let helps = |text: &str| text.contains("switch on IAM database authentication");
    assert!(matches!(&error.fault, Fault::Unsupported(text) if helps(text)), "{error}");
    let observed = server.engine().read(&by_token()).await.unwrap();
    assert!(observed.uncovered.texts()["app"].contains("no role rds_iam"), "{observed:?}");
    assert!(column(&superuser, roles).await.is_empty());
}

//! Single rights beside the level.

use rdsaccess::access::{Access, Grant, Secret};
use rdsaccess::engine::{RoleSpec, check_grant};

use super::subject::{Beside, PASSWORD, Subject};
use super::{assert_complete, assert_settled, make, words};

pub(crate) async fn each_grant_opens_what_it_names_and_goes_with_the_specification<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    server.furnish().await;
    let plain = server.spec("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*server.engine(), &plain).await;
    let mut wrong = Vec::new();
    for beside in server.beside() {
        if let Err(text) = works(&server, &plain, &beside).await {
            wrong.push(format!("{:?}:\n    {text}", beside.grant));
        }
    }
    assert!(wrong.is_empty(), "on {}:\n{}", server.label(), wrong.join("\n"));
}

/// Given, taken by hand, given back, and dropped from the specification.
async fn works<S: Subject>(server: &S, plain: &RoleSpec, beside: &Beside) -> Result<(), String> {
    let engine = server.engine();
    let spec = RoleSpec { grants: [beside.grant.clone()].into(), ..plain.clone() };
    tries::<S>(server, "before", beside, false).await?;
    let observed = engine.ensure(&spec, None).await.map_err(|error| error.to_string())?;
    assert_complete(&observed);
    tries::<S>(server, "with the grant", beside, true).await?;
    assert_settled(server, &*engine, &spec).await;

    let taken: Vec<String> = beside.taken.iter().map(|sql| sql.replace("$role", &S::account("hoop_ro"))).collect();
    server.by_hand("app", &taken.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let watcher = server.engine();
    let seen = words(&watcher.read(&spec).await.unwrap());
    tries::<S>(server, "taken by hand", beside, false).await?;
    assert_complete(&watcher.ensure(&spec, None).await.unwrap());
    tries::<S>(server, "given back", beside, true).await?;

    let extra = words(&server.engine().read(plain).await.unwrap());
    assert_complete(&watcher.ensure(plain, None).await.unwrap());
    tries::<S>(server, "dropped from the specification", beside, false).await?;
    assert_settled(server, &*watcher, plain).await;
    if !seen.contains(beside.missing) {
        return Err(format!("`{}` is not in `{seen}`", beside.missing));
    }
    let surplus = beside.grant.privileges.iter().all(|name| extra.contains(name.as_str()));
    if surplus { Ok(()) } else { Err(format!("a grant that nobody asks for is not in `{extra}`")) }
}

async fn tries<S: Subject>(server: &S, when: &str, beside: &Beside, allowed: bool) -> Result<(), String> {
    let entered = server.login("hoop_ro", PASSWORD, "app").await;
    let mut session = entered.map_err(|refused| refused.to_string())?;
    let opens = beside.opens.iter().map(|sql| (sql, allowed));
    for (sql, allowed) in opens.chain(beside.stays.iter().map(|sql| (sql, false))) {
        S::before_row(&mut session, sql).await;
        let got = S::attempt(&mut session, sql).await;
        if if allowed { !got.is_allowed() } else { !got.is_denied() } {
            return Err(format!("{when}: `{sql}` is {got}"));
        }
    }
    Ok(())
}

pub(crate) async fn a_grant_that_cannot_be_is_refused_before_anything_is_sent<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    for (grant, word) in server.refused_grants() {
        let text = check_grant(server.kind(), &grant).unwrap_err().0;
        assert!(text.contains(word), "`{word}` is not in `{text}`");
        let before = server.log().await.len();
        let error = ensure_with(&server, grant).await.unwrap_err();
        assert!(error.contains(word), "`{word}` is not in `{error}`");
        let sent = server.log().await[before..].to_owned();
        assert!(sent.is_empty(), "{error}: {sent}");
    }
}

pub(crate) async fn a_grant_outside_the_covered_databases_is_refused<S: Subject>() {
    let server = S::start().await;
    for database in ["app", "other"] {
        server.make_shop(database).await;
    }
    let before = server.traces().await;
    for beside in server.beside() {
        for database in ["other", "nowhere"] {
            let grant = Grant { database: database.parse().unwrap(), ..beside.grant.clone() };
            let error = ensure_with(&server, grant).await.unwrap_err();
            assert!(error.contains(database), "{error}");
        }
    }
    assert_eq!(server.traces().await, before, "something was changed before that was known");
}

async fn ensure_with<S: Subject>(server: &S, grant: Grant) -> Result<(), String> {
    let mut spec = server.spec("hoop_ro", Access::ReadOnly, &["app"]);
    spec.grants = [grant].into();
    let done = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await;
    done.map(|_| ()).map_err(|error| error.to_string())
}

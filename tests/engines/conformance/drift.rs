//! What others change by hand is seen in words, repaired, and then left alone.

use rdsaccess::access::{Access, Identifier};

use super::subject::{Drift, PASSWORD, Subject};
use super::{assert_settled, make, role_of, words};

pub(crate) async fn every_change_by_hand_is_seen_and_repaired<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    server.furnish().await;
    let engine = server.engine();
    for access in Access::ALL {
        make(&*engine, &server.spec(&role_of(access), access, &["app"])).await;
    }
    let mut wrong = Vec::new();
    for drift in server.drifts() {
        if let Err(text) = happens(&server, &drift).await {
            wrong.push(format!("{} {:?}:\n    {text}", drift.access, drift.by_hand));
        }
    }
    assert!(wrong.is_empty(), "on {}:\n{}", server.label(), wrong.join("\n"));
}

/// One drift from beginning to end; the error says what did not hold.
async fn happens<S: Subject>(server: &S, drift: &Drift) -> Result<(), String> {
    let spec = server.spec(&role_of(drift.access), drift.access, &["app"]);
    let group = server.group(drift.access).await.unwrap_or_default();
    let quoted =
        |sql: &&str| sql.replace("$role", &S::account(spec.name.as_str())).replace("$group", &S::quote(&group));
    let run = |statements: &[&str]| statements.iter().map(quoted).collect::<Vec<_>>();
    let (by_hand, after) = (run(drift.by_hand), run(drift.after));
    server.by_hand("app", &by_hand.iter().map(String::as_str).collect::<Vec<_>>()).await;

    let engine = server.engine();
    let seen = words(&engine.read(&spec).await.map_err(|error| error.to_string())?);
    let absent: Vec<String> = drift
        .seen
        .iter()
        .map(|text| text.replace("$role", spec.name.as_str()).replace("$group", &group))
        .filter(|text| !seen.contains(text))
        .collect();
    let drifted = tries(server, drift, true).await;
    let repaired = engine.ensure(&spec, None).await.map_err(|error| error.to_string())?;
    let settled = tries(server, drift, false).await;
    server.by_hand("app", &after.iter().map(String::as_str).collect::<Vec<_>>()).await;

    if !absent.is_empty() {
        return Err(format!("{absent:?} is not in `{seen}`"));
    }
    if !repaired.login.is_empty() || !repaired.coverage.is_complete() {
        return Err(format!("not repaired: {}", words(&repaired)));
    }
    drifted.map_err(|text| format!("while drifted: {text}"))?;
    settled.map_err(|text| format!("once repaired: {text}"))?;
    assert_settled(server, &*engine, &spec).await;
    Ok(())
}

/// Tries what the drift opens and closes, as the role in a new session.
async fn tries<S: Subject>(server: &S, drift: &Drift, drifted: bool) -> Result<(), String> {
    let opens = drift.opens.iter().map(|sql| (sql, drifted));
    let statements: Vec<(&&str, bool)> = opens.chain(drift.closes.iter().map(|sql| (sql, !drifted))).collect();
    if statements.is_empty() {
        return Ok(());
    }
    let mut session = server.login(&role_of(drift.access), PASSWORD, "app").await;
    for (sql, allowed) in statements {
        let got = match &mut session {
            Ok(session) => {
                S::before_row(session, sql).await;
                S::attempt(session, sql).await
            }
            Err(refused) => refused.clone(),
        };
        if got.is_allowed() != allowed {
            return Err(format!("`{sql}` is {got}"));
        }
    }
    Ok(())
}

//! What each level may do, and what it may not: the proof table.

use rdsaccess::access::Access;

use super::proof::{self, Tried};
use super::subject::{Outcome, PASSWORD, Refusal, Row, Subject};
use super::{make, role_of};

/// Every statement of the proof, tried at every level.
pub(crate) async fn levels_hold<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    server.furnish().await;
    let engine = server.engine();
    for access in Access::ALL {
        make(&*engine, &server.spec(&role_of(access), access, &["app"])).await;
    }
    let mut tried: Vec<Tried> = server.proof().into_iter().map(|row| Tried { row, got: Vec::new() }).collect();
    for access in Access::ALL {
        let mut session = server.login(&role_of(access), PASSWORD, "app").await.unwrap();
        for Tried { row, got } in &mut tried {
            got.push(attempt::<S>(&mut session, row).await);
        }
    }
    proof::write(&server.label(), &tried);
    let broken: Vec<String> = tried.iter().flat_map(Tried::broken).collect();
    assert!(broken.is_empty(), "on {}:\n{}", server.label(), broken.join("\n"));
    proof::compare(&server.label(), &tried);
}

/// What the server answered; `None` when it said yes and did nothing.
async fn attempt<S: Subject>(session: &mut S::Session, row: &Row) -> Option<Outcome> {
    S::before_row(session, &row.sql).await;
    let Refusal::Idle(watched) = row.refusal else {
        return Some(S::attempt(session, &row.sql).await);
    };
    let before = S::value(session, watched).await;
    let outcome = S::attempt(session, &row.sql).await;
    let idle = outcome.is_allowed() && S::value(session, watched).await == before;
    (!idle).then_some(outcome)
}

//! Sessions that outlive the rights of their login: told to end one by one, looked for again, and named when they stay.

use std::time::Duration;

use crate::access::list_names;

/// How often open sessions are looked for before the person is warned.
const LOOKS: usize = 50;
/// Time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// In so many looks one tells them to end again.
const BETWEEN_ENDS: usize = 10;

/// The sessions of one login.
pub(super) trait Sessions {
    /// What the server says when it does not answer.
    type Failure;

    /// Those that are open now, by the server's numbers.
    fn list(&mut self) -> impl Future<Output = Result<Vec<u64>, Self::Failure>> + Send;

    /// Tells one to end. Returns the server's words when it refuses.
    fn end(&mut self, id: u64) -> impl Future<Output = Result<Option<String>, Self::Failure>> + Send;
}

/// Sessions that did not end.
pub(super) struct Left {
    /// The server's numbers
    pub(super) ids: Vec<u64>,
    /// What it said, between brackets; nothing when it said nothing
    pub(super) why: String,
}

/// Ends sessions, all or only these, and waits until they are gone. Returns those that are left.
pub(super) async fn end_sessions<S: Sessions>(
    sessions: &mut S,
    only: Option<&[u64]>,
) -> Result<Option<Left>, S::Failure> {
    let mut refused = None;
    let mut ids = Vec::new();
    for look in 0..LOOKS {
        ids = sessions.list().await?;
        ids.retain(|id| only.is_none_or(|only| only.contains(id)));
        if ids.is_empty() {
            return Ok(None);
        }
        if look % BETWEEN_ENDS == 0 {
            for id in &ids {
                refused = sessions.end(*id).await?.or(refused);
            }
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    let why = refused.map(|words: String| format!(" ({words})")).unwrap_or_default();
    Ok(Some(Left { ids, why }))
}

/// A warning about sessions of a login that stay, with what that means and the statement that ends one; none when there
/// are none.
pub(super) fn still_open(login: &str, ids: &[u64], what: &str, statement: &str) -> Option<String> {
    let listed: Vec<String> = ids.iter().map(u64::to_string).collect();
    let list = || list_names(&listed);
    (!ids.is_empty())
        .then(|| format!("{} open session(s) of {login} {what}; to end one: {statement}, id {}", ids.len(), list()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sessions: one that ends when it is told to, one that stays.
    struct Stubborn {
        open: Vec<u64>,
        told: usize,
    }

    impl Sessions for Stubborn {
        type Failure = ();

        async fn list(&mut self) -> Result<Vec<u64>, ()> {
            Ok(self.open.clone())
        }

        async fn end(&mut self, id: u64) -> Result<Option<String>, ()> {
            self.told += 1;
            self.open.retain(|open| *open != id || id == 2);
            Ok((id == 2).then(|| "permission denied".to_owned()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_stays_open_is_named_with_the_reason() {
        let mut sessions = Stubborn { open: vec![1, 2], told: 0 };
        assert!(end_sessions(&mut sessions, Some(&[1])).await.unwrap().is_none(), "the other one is not meant");
        let left = end_sessions(&mut sessions, None).await.unwrap().unwrap();
        assert_eq!((left.ids.as_slice(), left.why.as_str(), sessions.told), (&[2][..], " (permission denied)", 6));
        let warning = still_open("hoop_ro", &left.ids, "stay", "KILL id").unwrap();
        assert_eq!(warning, "1 open session(s) of hoop_ro stay; to end one: KILL id, id 2");
        assert_eq!(still_open("hoop_ro", &[], "stay", "KILL id"), None);
    }
}

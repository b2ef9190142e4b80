//! Database servers: one per endpoint, user and password, so that all roles of a database share its connections, its
//! catalog and its writer lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::access::{Arn, Endpoint, EngineKind, RoleName, Secret, SecretRef, Target};
use crate::engine::{self, Connections, Fault, Key, Login, Server};
use crate::report::{Explain, Reach};
use crate::schema::Reports;
use crate::store::Credential;
use crate::value::Path;

use super::tokens::connect_resource;
use super::{Context, OnUnreachable, TargetError};

/// How the attempt to log in ended.
#[derive(Debug)]
pub enum Attempt {
    /// The password is right
    Accepted,
    /// The server refused user name or password
    Refused,
    /// The server could not be asked, so nothing is known of the password
    OutOfReach(engine::Error),
}

/// What was opened so far. A password that changed opens another server; the old one ends when its last user is done.
#[derive(Default)]
pub(super) struct Servers {
    opened: Mutex<HashMap<(Endpoint, RoleName), Opened>>,
    /// One bound per endpoint, whoever logs in
    connections: Mutex<HashMap<Endpoint, Connections>>,
}

struct Opened {
    key: Key,
    server: Arc<dyn Server>,
    /// Set by the first login that worked
    proven: Arc<OnceCell<()>>,
}

impl Opened {
    /// Whether the server was opened with this password. Tokens come and go without another server.
    fn is_entered_with(&self, key: &Key) -> bool {
        match (&self.key, key) {
            (Key::Password(ours), Key::Password(other)) => ours == other,
            (Key::Tokens(_), Key::Tokens(_)) => true,
            _ => false,
        }
    }
}

impl Servers {
    /// The connections of an endpoint.
    fn connections(&self, endpoint: &Endpoint, bound: usize) -> Connections {
        let mut all = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(endpoint.clone()).or_insert_with(|| Connections::at_most(bound)).clone()
    }

    fn get(&self, login: Login, kind: EngineKind) -> Result<Arc<dyn Server>, engine::Error> {
        self.open(login, kind).map(|(server, _)| server)
    }

    #[expect(clippy::type_complexity, reason = "the two parts of one entry")]
    fn open(&self, login: Login, kind: EngineKind) -> Result<(Arc<dyn Server>, Arc<OnceCell<()>>), engine::Error> {
        let key = (login.endpoint.clone(), login.username.clone());
        let mut all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = all.get(&key).filter(|opened| opened.is_entered_with(&login.key)) {
            return Ok((Arc::clone(&opened.server), Arc::clone(&opened.proven)));
        }
        let entered_with = login.key.clone();
        let (server, proven) = (engine::open(kind, login)?, Arc::default());
        all.insert(key, Opened { key: entered_with, server: Arc::clone(&server), proven: Arc::clone(&proven) });
        Ok((server, proven))
    }
}

impl Context {
    /// The server of a database, entered with a credential; the host is always the one that AWS names. Nothing is sent
    /// before the first call.
    ///
    /// # Errors
    /// The database has no endpoint yet, or its engine is not supported.
    pub fn server(&self, target: &Target, credential: &Credential) -> Result<Arc<dyn Server>, Reports> {
        let login = self.login(target, &credential.username, credential.password.clone().into())?;
        Ok(self.servers.get(login, target.engine)?)
    }

    /// The server of a database, entered with a stored credential that logs in; the login is proven once for all users
    /// of the server. When it is refused the secret is read once more: RDS may have rotated it, or another resource may
    /// just have changed it.
    ///
    /// # Errors
    /// As [`Context::server`]; the secret cannot be read, or the server refuses what it holds.
    pub async fn enter(&self, target: &Target, secret_ref: &SecretRef) -> Result<Arc<dyn Server>, Reports> {
        let credential = self.read_secret(secret_ref).await?;
        match self.prove(target, &credential).await? {
            Ok(server) => Ok(server),
            Err(refusal) => {
                let again = self.read_secret(secret_ref).await?;
                if again.password != credential.password {
                    return Ok(self.prove(target, &again).await??);
                }
                // A rotation that was interrupted: the database may already have the password that waits for its proof.
                match self.read_pending(secret_ref).await? {
                    Some(pending) => Ok(self.prove(target, &pending).await??),
                    None => Err(refusal.into()),
                }
            }
        }
    }

    /// The server, or the refusal of the login.
    async fn prove(
        &self,
        target: &Target,
        credential: &Credential,
    ) -> Result<Result<Arc<dyn Server>, engine::Error>, Reports> {
        self.prove_login(target, self.login(target, &credential.username, credential.password.clone().into())?).await
    }

    /// As [`Context::enter`], with tokens that the identity in the database's account signs. A kept token that is
    /// refused is replaced once by the engine.
    ///
    /// # Errors
    /// The account cannot be entered, the server refuses the token, or anything else that keeps the login away.
    pub async fn enter_with_tokens(&self, target: &Target, username: &RoleName) -> Result<Arc<dyn Server>, Reports> {
        let session = self.aws()?.session(&target.arn.account_id, &target.arn.region).await?;
        let identity = session.identity().to_owned();
        let endpoint = endpoint(target)?;
        let tokens = self.tokens.get(session, endpoint, username, super::now);
        let login = self.login(target, username, Key::Tokens(tokens))?;
        let refused = |text: String| TokenRefused {
            arn: target.arn.clone(),
            username: username.clone(),
            identity,
            resource: connect_resource(target, username),
            text,
        };
        match self.prove_login(target, login).await {
            Ok(Ok(server)) => Ok(server),
            Ok(Err(error)) => Err(refused(error.fault.to_string()).into()),
            Err(reports) => Err(reports),
        }
    }

    async fn prove_login(
        &self,
        target: &Target,
        login: Login,
    ) -> Result<Result<Arc<dyn Server>, engine::Error>, Reports> {
        let (server, proven) = self.servers.open(login, target.engine)?;
        match proven.get_or_try_init(|| server.ping()).await {
            Ok(()) => Ok(Ok(server)),
            Err(error @ engine::Error { fault: Fault::LoginRefused(_), .. }) => Ok(Err(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Tries a user name and password: one login of its own, on no shared connection.
    ///
    /// # Errors
    /// The database has no endpoint yet, or its engine is not supported.
    pub async fn try_login(
        &self,
        target: &Target,
        username: &RoleName,
        password: &Secret<String>,
    ) -> Result<Attempt, Reports> {
        let server = engine::open(target.engine, self.login(target, username, password.clone().into())?)?;
        Ok(match server.ping().await {
            Ok(()) => Attempt::Accepted,
            Err(engine::Error { fault: Fault::LoginRefused(_), .. }) => Attempt::Refused,
            Err(error) => Attempt::OutOfReach(error),
        })
    }

    /// Whether a refresh should keep the prior state although the database could not be asked. A server that answers and
    /// bars the login has said something of it, so that is narrower than [`Context::keeps`].
    pub fn keeps_unreachable(&self, error: &engine::Error) -> bool {
        let out_of_reach = matches!(error.fault, Fault::Unreachable(_) | Fault::Tls(_) | Fault::ConnectionLost { .. });
        self.on_unreachable() == OnUnreachable::Keep && out_of_reach
    }

    fn login(&self, target: &Target, username: &RoleName, key: Key) -> Result<Login, Reports> {
        let endpoint = endpoint(target)?;
        Ok(Login {
            endpoint: endpoint.clone(),
            username: username.clone(),
            key,
            trust: self.trust()?.clone(),
            target: target.arn.to_string(),
            connections: self.servers.connections(endpoint, self.parts.max_connections_per_target),
        })
    }
}

fn endpoint(target: &Target) -> Result<&Endpoint, TargetError> {
    let missing = || TargetError::NoEndpoint { arn: target.arn.clone(), status: target.status.clone() };
    target.endpoint.as_ref().ok_or_else(missing)
}

/// An administrator's token that the server does not take.
#[derive(Debug, thiserror::Error)]
#[error("{arn} refuses the token that {identity} signed for the user `{username}`: {text}")]
struct TokenRefused {
    arn: Arn,
    username: RoleName,
    identity: String,
    /// What a policy must allow
    resource: String,
    text: String,
}

impl Explain for TokenRefused {
    fn summary(&self) -> String {
        "The database refused the token".to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(format!(
            "Allow `rds-db:connect` on {} to {}, and let the user log in with IAM: `GRANT rds_iam TO` on PostgreSQL, \
             AWSAuthenticationPlugin on MySQL and MariaDB",
            self.resource, self.identity
        ))
    }

    fn reach(&self) -> Reach {
        Reach::Refused
    }

    fn attribute(&self) -> Option<Path> {
        Some(Path::attribute("admin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{TlsMode, Trust};

    fn login(host: &str, user: &str, password: &str) -> Login {
        Login {
            endpoint: Endpoint { host: host.to_owned(), port: 5432 },
            username: user.parse().unwrap(),
            key: Key::Password(password.into()),
            trust: Trust { mode: TlsMode::Disable, roots: Arc::default() },
            target: "arn".to_owned(),
            connections: Connections::at_most(3),
        }
    }

    #[test]
    fn roles_of_one_database_share_a_server_and_others_do_not() {
        let servers = Servers::default();
        let get = |host: &str, user: &str, password: &str| {
            servers.get(login(host, user, password), EngineKind::Postgres).unwrap()
        };
        let first = get("a", "admin", "1");
        assert!(Arc::ptr_eq(&first, &get("a", "admin", "1")));
        assert!(!Arc::ptr_eq(&first, &get("b", "admin", "1")));
        assert!(!Arc::ptr_eq(&first, &get("a", "other", "1")));
        let renewed = get("a", "admin", "2");
        assert!(!Arc::ptr_eq(&first, &renewed));
        assert!(Arc::ptr_eq(&renewed, &get("a", "admin", "2")));
    }
}

//! Tokens: a login by each method, and renewal before the end.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;
use vaultrs::api::AuthInfo;
use vaultrs::auth::{approle, aws, oidc};
use vaultrs::client::VaultClient;
use vaultrs::error::ClientError;

use crate::access::{Region, Secret};

use super::Vault;
use super::client::pause;
use super::error::{Failure, Fault};
use super::settings::{JwtSource, Login, Token};

/// How long a token lives, as Vault says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    /// Zero: it does not end
    seconds: u64,
    renewable: bool,
}

impl Grant {
    /// When to renew, and when it ends: two thirds and all of its life from now.
    pub(super) fn moments(self, now: Instant) -> (Option<Instant>, Option<Instant>) {
        if self.seconds == 0 {
            return (None, None);
        }
        let life = Duration::from_secs(self.seconds);
        (self.renewable.then(|| now.checked_add(life * 2 / 3)).flatten(), now.checked_add(life))
    }
}

/// A token with its life. One that was given is looked up; where that is not allowed nothing is known of its end.
pub(super) async fn log_in(vault: &Vault) -> Result<(Token, Grant), Fault> {
    let login = &vault.settings().login;
    if let Login::Token(token) = login {
        let client = vault.plain_client(Some(token))?;
        let known = vaultrs::token::lookup_self(&client).await.ok();
        let grant = known.map(|token| Grant { seconds: token.ttl, renewable: token.renewable.unwrap_or(false) });
        return Ok((token.clone(), grant.unwrap_or(Grant { seconds: 0, renewable: false })));
    }
    let client = vault.plain_client(None)?;
    let mut attempt = 1;
    loop {
        let failure = match by_method(vault, &client, login).await? {
            Ok(auth) => return granted(vault, login, auth),
            Err(error) => Failure::of(&error),
        };
        // A login that was carried out twice leaves one token more, which ends by itself.
        if !failure.is_worth_another(true) || attempt >= vault.settings().attempts {
            return Err(refused(vault, login, failure));
        }
        tokio::time::sleep(pause(vault.settings().pause, attempt)).await;
        attempt += 1;
    }
}

async fn by_method(vault: &Vault, client: &VaultClient, login: &Login) -> Result<Result<AuthInfo, ClientError>, Fault> {
    Ok(match login {
        Login::Token(_) => Err(ClientError::InvalidLoginMethodError),
        Login::AppRole { mount, role_id, secret_id } => {
            approle::login(client, mount.as_str(), role_id, secret_id.expose()).await
        }
        Login::AwsIam { mount, role, header_value, region } => {
            let proof = signed(vault, region.as_ref(), header_value.as_deref()).await?;
            let Proof { method, url, headers, body } = &proof;
            aws::iam_login(client, mount.as_str(), method, url, headers.expose(), body, Some(role)).await
        }
        Login::Jwt { mount, role, token } => {
            let jwt = jwt(token).await?;
            oidc::login(client, mount.as_str(), jwt.expose(), Some(role.clone())).await
        }
    })
}

/// A signed request as the `aws` method takes it.
struct Proof {
    method: &'static str,
    url: String,
    headers: Secret<String>,
    body: String,
}

async fn signed(vault: &Vault, region: Option<&Region>, server_id: Option<&str>) -> Result<Proof, Fault> {
    let proof = vault.sessions().identity_proof(region, server_id, vault.now()).await.map_err(Fault::Unsigned)?;
    Ok(Proof {
        method: proof.method,
        url: STANDARD.encode(&proof.url),
        headers: Secret::new(STANDARD.encode(proof.headers.expose())),
        body: STANDARD.encode(proof.body),
    })
}

async fn jwt(source: &JwtSource) -> Result<Secret<String>, Fault> {
    match source {
        JwtSource::Text(text) => Ok(text.clone()),
        JwtSource::File(path) => from_file(path).await,
    }
}

async fn from_file(path: &Path) -> Result<Secret<String>, Fault> {
    let failed = |reason: String| Fault::JwtFile { path: path.display().to_string(), reason };
    let text = Secret::new(tokio::fs::read_to_string(path).await.map_err(|error| failed(error.to_string()))?);
    let trimmed = text.expose().trim();
    if trimmed.is_empty() { Err(failed("it is empty".to_owned())) } else { Ok(Secret::new(trimmed.to_owned())) }
}

fn granted(vault: &Vault, login: &Login, auth: AuthInfo) -> Result<(Token, Grant), Fault> {
    let grant = Grant { seconds: auth.lease_duration, renewable: auth.renewable };
    let token = Token::new(&Secret::new(auth.client_token)).map_err(|why| Fault::LoginRefused {
        address: vault.address(),
        method: login.name(),
        message: why.to_string(),
    })?;
    tracing::debug!(address = vault.address(), method = login.name(), seconds = grant.seconds, "logged in to Vault");
    Ok((token, grant))
}

fn refused(vault: &Vault, login: &Login, failure: Failure) -> Fault {
    match failure {
        Failure::Status { status: 400 | 401 | 403 | 404 | 405, message } => {
            Fault::LoginRefused { address: vault.address(), method: login.name(), message }
        }
        failure => vault.transport_fault(format!("auth/…/login ({})", login.name()), failure),
    }
}

/// A longer life for the token of this client.
pub(super) async fn renew(vault: &Vault, client: &VaultClient) -> Result<Grant, Failure> {
    let renewed = repeated(vault, || vaultrs::token::renew_self(client, None)).await;
    tracing::debug!(address = vault.address(), renewed = renewed.is_ok(), "token of Vault was to be renewed");
    renewed.map(|auth| Grant { seconds: auth.lease_duration, renewable: auth.renewable })
}

/// Whether Vault knows the token of this client and lets it be looked up.
pub(super) async fn look_up(vault: &Vault, client: &VaultClient) -> Result<(), Failure> {
    repeated(vault, || vaultrs::token::lookup_self(client)).await.map(drop)
}

/// Sends what does no harm twice until there is an answer.
async fn repeated<T, F, Answer>(vault: &Vault, send: F) -> Result<T, Failure>
where
    F: Fn() -> Answer + Send + Sync,
    Answer: Future<Output = Result<T, ClientError>> + Send,
{
    let mut attempt = 1;
    loop {
        let failure = match send().await {
            Ok(answer) => return Ok(answer),
            Err(error) => Failure::of(&error),
        };
        if !failure.is_worth_another(true) || attempt >= vault.settings().attempts {
            return Err(failure);
        }
        tokio::time::sleep(pause(vault.settings().pause, attempt)).await;
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_before_it_ends_and_never_one_that_cannot() {
        let now = Instant::now();
        let after = |seconds| Some(now + Duration::from_secs(seconds));
        assert_eq!(Grant { seconds: 3_600, renewable: true }.moments(now), (after(2_400), after(3_600)));
        assert_eq!(Grant { seconds: 3_600, renewable: false }.moments(now), (None, after(3_600)));
        assert_eq!(Grant { seconds: 0, renewable: true }.moments(now), (None, None), "a root token");
    }

    #[tokio::test]
    async fn a_jwt_is_read_from_its_file_without_the_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jwt");
        std::fs::write(&file, "e.y.j\n").unwrap();
        assert_eq!(jwt(&JwtSource::File(file.clone())).await.unwrap().expose(), "e.y.j");
        std::fs::write(&file, "\n").unwrap();
        assert!(jwt(&JwtSource::File(file)).await.unwrap_err().to_string().contains("it is empty"));
        assert!(jwt(&JwtSource::File(folder.path().join("none"))).await.is_err());
    }
}

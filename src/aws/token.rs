//! Tokens for IAM database authentication: a pre-signed URL that stands in for a password. Made offline.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Call, Error, Fault, Session, Sessions};
use crate::access::{Endpoint, Identifier, Region, RoleName, Secret, check_host_name};

/// The longest life that RDS accepts.
const LIFE: Duration = Duration::from_secs(900);

/// RFC 3986: everything but the unreserved characters is encoded.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Parameters of the signed URL, in the order of the AWS SDKs, so that tokens can be compared.
const PARAMETERS: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
];

/// A token and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamToken {
    /// Used as the password; only over TLS
    pub token: Secret<String>,
    /// 15 minutes after it was made, or when the credentials end that signed it. It is checked at login only.
    pub expires_at: SystemTime,
}

impl Sessions {
    /// A token signed by the hub identity. No call is made unless the credentials have to be fetched. The endpoint must
    /// be the database's own: the server checks the host that was signed.
    ///
    /// # Errors
    /// No credentials, or a host that cannot be signed.
    pub async fn iam_token(
        &self,
        endpoint: &Endpoint,
        region: &Region,
        username: &RoleName,
        now: SystemTime,
    ) -> Result<IamToken, Error> {
        signed(&self.hub_credentials().await?, endpoint, region, username, now)
    }
}

impl Session {
    /// A token signed by the credentials of this account, for a database of this region.
    ///
    /// # Errors
    /// As [`Sessions::iam_token`].
    pub async fn iam_token(
        &self,
        endpoint: &Endpoint,
        username: &RoleName,
        now: SystemTime,
    ) -> Result<IamToken, Error> {
        signed(&self.credentials().await?, endpoint, &self.region, username, now)
    }
}

fn signed(
    credentials: &Credentials,
    endpoint: &Endpoint,
    region: &Region,
    username: &RoleName,
    now: SystemTime,
) -> Result<IamToken, Error> {
    let token = presign(credentials, endpoint, region, username, now).map_err(|text| {
        let call = Call { region: Some(region.clone()), ..Call::new("rds-db:connect").on(endpoint) };
        call.failed(Fault::Refused(text))
    })?;
    let expires_at = credentials.expiry().map_or(now + LIFE, |end| end.min(now + LIFE));
    Ok(IamToken { token: Secret::new(token), expires_at })
}

fn presign(
    credentials: &Credentials,
    endpoint: &Endpoint,
    region: &Region,
    username: &RoleName,
    now: SystemTime,
) -> Result<String, String> {
    check_host_name(&endpoint.host).map_err(|why| format!("a token cannot be signed: {why}"))?;
    // The server compares with its own name: in lower case, without the dot that ends a name of the DNS.
    let host = endpoint.host.trim_end_matches('.').to_ascii_lowercase();
    let user = utf8_percent_encode(username.as_str(), &ENCODED);
    let path = format!("{host}:{}/?Action=connect&DBUser={user}", endpoint.port);
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(LIFE);
    settings.signature_location = SignatureLocation::QueryParams;
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.as_str())
        .name("rds-db")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|e| e.to_string())?
        .into();
    let url = format!("https://{path}");
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::empty());
    let request = request.map_err(|e| e.to_string())?;
    let (instructions, _) = sign(request, &parameters).map_err(|e| e.to_string())?.into_parts();
    let mut token = path;
    for name in PARAMETERS {
        if let Some((_, value)) = instructions.params().iter().find(|(known, _)| *known == name) {
            token.push_str(&format!("&{name}={}", utf8_percent_encode(value, &ENCODED)));
        }
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 03:04:05 UTC
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_316_645)
    }

    fn credentials(token: Option<&str>, expiry: Option<SystemTime>) -> Credentials {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), expiry, "test")
    }

    fn endpoint(host: &str, port: u16) -> Endpoint {
        Endpoint { host: host.to_owned(), port }
    }

    fn token(host: &str, port: u16, region: &str, user: &str, session: Option<&str>) -> String {
        let (region, user) = (region.parse().unwrap(), user.parse().unwrap());
        let token = signed(&credentials(session, None), &endpoint(host, port), &region, &user, now()).unwrap();
        token.token.expose().clone()
    }

    /// Every expected text was made by `generate_db_auth_token` of botocore 1.44.5 with the same clock and keys.
    #[test]
    fn tokens_are_byte_for_byte_those_of_the_python_sdk() {
        let scope = |region: &str| {
            format!(
                "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261122%2F{region}%2Frds-db\
                 %2Faws4_request&X-Amz-Date=20261122T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
            )
        };
        let host = "ledger.abc123.eu-west-1.rds.amazonaws.com";
        assert_eq!(
            token(host, 5432, "eu-west-1", "hoop_ro", None),
            format!(
                "{host}:5432/?Action=connect&DBUser=hoop_ro{}&X-Amz-Signature={}",
                scope("eu-west-1"),
                "af7b930fe91de55404e4ff47465b9fbf1a9aeae96fb150a6c69c46aba94a7a77"
            )
        );
        assert_eq!(
            token(host, 3306, "eu-west-1", "hoop_ro", Some("FwoGZXIvYXdzEXAMPLE//token+with/odd=chars==")),
            format!(
                "{host}:3306/?Action=connect&DBUser=hoop_ro{}&X-Amz-Security-Token={}&X-Amz-Signature={}",
                scope("eu-west-1"),
                "FwoGZXIvYXdzEXAMPLE%2F%2Ftoken%2Bwith%2Fodd%3Dchars%3D%3D",
                "c9fdde7418b9290e02952d854f6b576c412954f2cf65d1f9cc7c6dae0dd0ac4d"
            )
        );
        let host = "main.cluster-x.us-gov-west-1.rds.amazonaws.com";
        assert_eq!(
            token(host, 5432, "us-gov-west-1", "ü ser&a=b#c+d%e/f?g'h\"i~j", None),
            format!(
                "{host}:5432/?Action=connect&DBUser={}{}&X-Amz-Signature={}",
                "%C3%BC%20ser%26a%3Db%23c%2Bd%25e%2Ff%3Fg%27h%22i~j",
                scope("us-gov-west-1"),
                "37518e0d685244abcedaff00c723c0b8d02fe30fedeef05cebed5c5dde1a2eed"
            )
        );
        let host = "main.x.rds.cn-north-1.amazonaws.com.cn";
        assert_eq!(
            token(host, 5432, "cn-north-1", "alice@example.com", None),
            format!(
                "{host}:5432/?Action=connect&DBUser=alice%40example.com{}&X-Amz-Signature={}",
                scope("cn-north-1"),
                "28b466fd5df3e1581dc8f20a24d393fc0daead79f3018ba3b3d1ec2e07cb304d"
            )
        );
    }

    #[test]
    fn the_host_is_signed_as_the_server_knows_it() {
        let host = "ledger.abc123.eu-west-1.rds.amazonaws.com";
        let lower = token(host, 5432, "eu-west-1", "hoop_ro", None);
        assert_eq!(token(&host.to_uppercase(), 5432, "eu-west-1", "hoop_ro", None), lower);
        assert_eq!(token(&format!("{host}."), 5432, "eu-west-1", "hoop_ro", None), lower);
    }

    #[test]
    fn a_token_ends_with_the_credentials_that_signed_it() {
        let end = |expiry| {
            let host = endpoint("a.b.eu-west-1.rds.amazonaws.com", 5432);
            let (region, user) = ("eu-west-1".parse().unwrap(), "hoop_ro".parse().unwrap());
            signed(&credentials(None, expiry), &host, &region, &user, now()).unwrap().expires_at
        };
        assert_eq!(end(None), now() + LIFE);
        assert_eq!(end(Some(now() + LIFE * 2)), now() + LIFE);
        assert_eq!(end(Some(now() + LIFE / 3)), now() + LIFE / 3);
    }

    #[test]
    fn a_text_that_is_no_host_name_is_refused() {
        for host in ["", "a b", "host/path", "user@host", "::1", "host:1", "10.0.0.5"] {
            let (region, user) = ("eu-west-1".parse().unwrap(), "hoop_ro".parse().unwrap());
            assert!(signed(&credentials(None, None), &endpoint(host, 5432), &region, &user, now()).is_err(), "{host}");
        }
    }
}

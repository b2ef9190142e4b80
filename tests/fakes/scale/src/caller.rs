//! Who calls: the account is in the access key, so that nothing has to be remembered of ten thousand sessions.

use axum::http::{HeaderMap, StatusCode};

use crate::numbering::digits;
use crate::wire::{Refusal, Service};
use crate::world::World;

/// The key of the hub's user in the management account. Any other key must come from AssumeRole.
pub(crate) const HUB_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Who calls, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Number of the account
    pub(crate) account: u32,
    /// Region of the credential scope
    pub(crate) region: String,
    /// Session name; `None` for the hub's user
    pub(crate) session: Option<String>,
    pub(crate) key: String,
}

impl Caller {
    /// Reads the `Authorization` header. The signature in it is not looked at.
    pub(crate) fn read(world: &World, headers: &HeaderMap, service: Service, now: u64) -> Result<Self, Refusal> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let missing = || {
            let text = "Request is missing Authentication Token";
            Refusal::new(StatusCode::FORBIDDEN, "MissingAuthenticationToken", text)
        };
        let authorization = header("authorization").ok_or_else(missing)?;
        let scope = authorization.split_once("Credential=").and_then(|(_, rest)| rest.split(',').next());
        let parts: Vec<&str> = scope.ok_or_else(missing)?.split('/').collect();
        let [key, _, region, signed_for, "aws4_request"] = parts[..] else { return Err(missing()) };
        if signed_for != service.name() {
            let text = format!("Credential should be scoped to correct service: '{}'.", service.name());
            return Err(Refusal::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", text));
        }
        let caller = |account, session| Self { account, region: region.to_owned(), session, key: key.to_owned() };
        if key == HUB_KEY {
            return Ok(caller(0, None));
        }
        let session = header("x-amz-security-token").and_then(read_token);
        match (read_key(world, key), session) {
            (Some((_, expires)), _) if expires <= now => Err(expired(service)),
            (Some((account, _)), Some(session)) => Ok(caller(account, Some(session))),
            _ => Err(unknown(service)),
        }
    }

    /// The caller as AWS names it.
    pub(crate) fn arn(&self, world: &World) -> String {
        let account = world.organization.account_id(self.account);
        match &self.session {
            None => format!("arn:aws:iam::{account}:user/hub"),
            Some(session) => format!("arn:aws:sts::{account}:assumed-role/{}/{session}", world.settings.member_role),
        }
    }
}

/// The answer to a key that nobody made, and to any key in a region that is off.
pub(crate) fn unknown(service: Service) -> Refusal {
    let text = "The security token included in the request is invalid.";
    match service {
        Service::Organizations => Refusal::bad("UnrecognizedClientException", text),
        Service::Ec2 => Refusal::new(StatusCode::UNAUTHORIZED, "AuthFailure", text),
        Service::Sts | Service::Rds => Refusal::new(StatusCode::FORBIDDEN, "InvalidClientTokenId", text),
    }
}

fn expired(service: Service) -> Refusal {
    let text = "The security token included in the request is expired";
    match service {
        Service::Organizations => Refusal::bad("ExpiredTokenException", text),
        Service::Ec2 => Refusal::bad("RequestExpired", text),
        Service::Sts | Service::Rds => Refusal::new(StatusCode::FORBIDDEN, "ExpiredToken", text),
    }
}

/// An access key for an account: 24 bits of account, 36 bits of expiry, 20 bits by which forgeries are told.
pub(crate) fn make_key(world: &World, account: u32, expires: u64) -> String {
    let expires = expires & 0xf_ffff_ffff;
    let bits = u128::from(account) << 56 | u128::from(expires) << 20 | u128::from(check(world, account, expires));
    let symbol = |at: u32| ALPHABET.get((bits >> (75 - 5 * at) & 31) as usize).copied().map_or('A', char::from);
    format!("ASIA{}", (0..16).map(symbol).collect::<String>())
}

fn read_key(world: &World, key: &str) -> Option<(u32, u64)> {
    let symbols = key.strip_prefix("ASIA").filter(|rest| rest.len() == 16)?;
    let value = |symbol| ALPHABET.iter().position(|one| *one == symbol).map(|at| at as u128);
    let bits = symbols.bytes().try_fold(0_u128, |bits, symbol| Some(bits << 5 | value(symbol)?))?;
    let account = u32::try_from(bits >> 56).ok()?;
    let expires = u64::try_from(bits >> 20 & 0xf_ffff_ffff).ok()?;
    (bits & 0xf_ffff == u128::from(check(world, account, expires))).then_some((account, expires))
}

fn check(world: &World, account: u32, expires: u64) -> u64 {
    let text = digits(&["key", &world.settings.seed.to_string(), &account.to_string(), &expires.to_string()], 5);
    u64::from_str_radix(&text, 16).unwrap_or_default()
}

/// The session token carries the name of the session.
pub(crate) fn make_token(session: &str) -> String {
    format!("FwoGZXIvYXdzE{}", hex::encode(session))
}

fn read_token(token: &str) -> Option<String> {
    String::from_utf8(hex::decode(token.strip_prefix("FwoGZXIvYXdzE")?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn headers(key: &str, token: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let scope = format!("AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/rds/aws4_request, Signature=0");
        headers.insert("authorization", scope.parse().unwrap());
        if let Some(token) = token {
            headers.insert("x-amz-security-token", token.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_key_names_its_account_until_it_expires_and_a_forged_one_names_none() {
        let world = World::new(Settings::default());
        let (key, token) = (make_key(&world, 7, 2_000_000_000), make_token("somebody"));
        let read = |key: &str, token: Option<&str>, now| Caller::read(&world, &headers(key, token), Service::Rds, now);
        let caller = read(&key, Some(&token), 1_999_999_999).unwrap();
        assert_eq!(
            (caller.account, caller.region.as_str(), caller.session.as_deref()),
            (7, "eu-west-1", Some("somebody"))
        );
        assert_eq!(read(&key, Some(&token), 2_000_000_000).unwrap_err().code, "ExpiredToken");
        assert_eq!(read(&key, None, 0).unwrap_err().code, "InvalidClientTokenId");
        let forged = key.replace(&key[4..8], if &key[4..8] == "AAAB" { "AAAC" } else { "AAAB" });
        assert_eq!(read(&forged, Some(&token), 0).unwrap_err().code, "InvalidClientTokenId");
        assert_eq!(read(HUB_KEY, None, 0).unwrap().account, 0);
    }
}

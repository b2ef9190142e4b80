//! `sts:AssumeRoleWithWebIdentity`: a token of an OpenID Connect provider for credentials of a role. The call is not
//! signed, so that no other credentials are needed.

mod claims;

use std::fmt;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::credentials::{DEFAULT_SESSION_NAME, credentials};
use super::fault::hiding;
use super::settings::{TokenOrigin, WebIdentity, WebToken};
use super::{Call, Error, Fault};
use crate::access::Secret;

use claims::Claims;

/// The longest token that STS takes.
const LONGEST_TOKEN: usize = 20_000;

/// What STS says when it could not fetch the issuer's keys; it may pass.
pub(super) const KEYS_NOT_FOUND: &str = "verification key";

/// Why a token did not open a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentityFault {
    problem: Problem,
    /// The words of AWS or of the operating system
    text: String,
    role_arn: String,
    origin: TokenOrigin,
    claims: Claims,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    /// There is none to send
    NoToken,
    /// Its time is over
    Expired,
    /// It was made for somebody else
    Audience,
    /// IAM knows no such issuer
    UnknownIssuer,
    /// The role does not trust it
    NotTrusted,
    /// AWS cannot get the keys of the issuer
    IssuerUnreachable,
    /// It is no token that STS takes
    Invalid,
}

/// Asks STS for credentials. A token in a file is read again every time: whoever gave it renews it there.
///
/// # Errors
/// [`Fault::WebIdentity`], and whatever keeps STS from being asked.
pub(super) async fn exchange(
    sts: &aws_sdk_sts::Client,
    identity: &WebIdentity,
    call: &Call,
) -> Result<Credentials, Error> {
    let fault = |problem, text, claims| {
        let WebIdentity { role_arn, origin, .. } = identity;
        let fault = WebIdentityFault { problem, text, role_arn: role_arn.clone(), origin: *origin, claims };
        call.clone().failed(Fault::WebIdentity(Box::new(fault)))
    };
    let token = read(&identity.token).await.map_err(|text| fault(Problem::NoToken, text, Claims::default()))?;
    let answer = sts
        .assume_role_with_web_identity()
        .role_arn(&identity.role_arn)
        .role_session_name(identity.session_name.as_deref().unwrap_or(DEFAULT_SESSION_NAME))
        .web_identity_token(token.expose())
        .send()
        .await
        .map_err(|refusal| match refused(&refusal, token.expose()) {
            Some((problem, text)) => fault(problem, text, Claims::of(token.expose())),
            None => call.clone().refused_hiding(&refusal, token.expose()),
        })?;
    credentials(answer.credentials(), call)
}

/// The token, or why there is none.
async fn read(token: &WebToken) -> Result<Secret<String>, String> {
    let (text, place) = match token {
        WebToken::Inline(token) => (token.clone(), "`token`".to_owned()),
        WebToken::File(path) => {
            let place = format!("the file {}", path.display());
            let text = tokio::fs::read_to_string(path).await.map_err(|e| format!("{place} cannot be read: {e}"))?;
            (Secret::new(text), place)
        }
    };
    let token = text.expose().trim();
    if token.is_empty() {
        return Err(format!("{place} is empty"));
    }
    if token.len() > LONGEST_TOKEN || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!("{place} holds something else than a token"));
    }
    Ok(Secret::new(token.to_owned()))
}

/// What STS has against the token, in its words without the token; `None` when the refusal is about something else.
fn refused<E: ProvideErrorMetadata>(refusal: &SdkError<E, HttpResponse>, token: &str) -> Option<(Problem, String)> {
    let said = refusal.as_service_error()?.meta();
    let text = said.message().unwrap_or("no message");
    Some((problem(said.code()?, text)?, hiding(text, token)))
}

/// What a refusal means, in the codes of STS.
fn problem(code: &str, text: &str) -> Option<Problem> {
    match code {
        "AccessDenied" => Some(Problem::NotTrusted),
        "ExpiredTokenException" | "ExpiredToken" => Some(Problem::Expired),
        "IDPCommunicationError" => Some(Problem::IssuerUnreachable),
        "InvalidIdentityToken" if text.contains("audience") => Some(Problem::Audience),
        "InvalidIdentityToken" if text.contains("No OpenIDConnect provider") => Some(Problem::UnknownIssuer),
        "InvalidIdentityToken" if text.contains(KEYS_NOT_FOUND) => Some(Problem::IssuerUnreachable),
        "InvalidIdentityToken" | "IDPRejectedClaim" => Some(Problem::Invalid),
        _ => None,
    }
}

impl fmt::Display for WebIdentityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problem == Problem::NoToken {
            return write!(f, "there is no web identity token: {}", self.text);
        }
        write!(f, "the web identity token does not open the role {}: {}{}", self.role_arn, self.text, self.claims)
    }
}

impl WebIdentityFault {
    pub(super) fn summary(&self) -> &'static str {
        match self.problem {
            Problem::NoToken => "No web identity token",
            Problem::Expired => "The web identity token has expired",
            Problem::Audience => "The web identity token is for another audience",
            Problem::UnknownIssuer => "AWS does not know the issuer of the web identity token",
            Problem::NotTrusted => "The role does not trust the web identity token",
            Problem::IssuerUnreachable => "AWS cannot reach the issuer of the web identity token",
            Problem::Invalid => "AWS refused the web identity token",
        }
    }

    pub(super) fn next_step(&self) -> String {
        let account = self.role_arn.split(':').nth(4).unwrap_or("of the role");
        match self.problem {
            Problem::NoToken => format!(
                "Check that {} and that this process may read it. On GitHub Actions the job needs `permissions: \
                 id-token: write` and a step that stores the token, on GitLab `id_tokens` with `aud: \
                 sts.amazonaws.com`, on Kubernetes a service account with the annotation `eks.amazonaws.com/role-arn`",
                self.origin.words()
            ),
            Problem::Expired => {
                "Get a new token and apply again; tokens of CI jobs live for minutes. With `token_file` \
                 the file is read again at every renewal, so that a run may be longer than a token; a token that is \
                 given as `token` must outlive the run or the session. If the token is new, check the clock of the \
                 machine that made it"
                    .to_owned()
            }
            Problem::Audience => format!(
                "Ask for a token with an audience that the identity provider in IAM of account {account} lists, usually \
                 `sts.amazonaws.com`: GitHub Actions `audience: sts.amazonaws.com`, GitLab `id_tokens` with `aud: \
                 sts.amazonaws.com`; or add the audience of the token to the provider's client ids"
            ),
            Problem::UnknownIssuer => format!(
                "Create an OpenID Connect identity provider in IAM of account {account} for exactly the issuer of the \
                 token, or name a role in an account that has one"
            ),
            Problem::NotTrusted => format!(
                "Check that the role {} exists, and that its trust policy allows sts:AssumeRoleWithWebIdentity for the \
                 identity provider with conditions on `aud` and `sub` that fit this token. The `sub` of GitHub Actions \
                 changes with the branch, the environment and for pull requests",
                self.role_arn
            ),
            Problem::IssuerUnreachable => "Apply again later; if it stays, check that AWS can reach the issuer's \
                 `/.well-known/openid-configuration` and the keys that it names from the internet"
                .to_owned(),
            Problem::Invalid => {
                "Give the ID token of an OpenID Connect provider: a signed JWT with `iss`, `aud`, `sub`, \
                 `exp` and `iat`. An access token is none"
                    .to_owned()
            }
        }
    }
}

impl TokenOrigin {
    fn words(self) -> &'static str {
        match self {
            Self::ProviderBlock => "the token that `assume_role_with_web_identity` names exists",
            Self::Environment => "the file that AWS_WEB_IDENTITY_TOKEN_FILE names exists",
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;
    use crate::report::Explain;

    /// The words are those that people report of AWS.
    #[test]
    fn every_refusal_of_sts_has_its_problem() {
        let expired = "Token expired: current date/time 1731098245 must be before the expiration date/time 1731095240";
        let no_issuer =
            "No OpenIDConnect provider found in your account for https://token.actions.githubusercontent.com";
        let keys = "Couldn't retrieve verification key from your identity provider,  please reference \
                    AssumeRoleWithWebIdentity documentation for requirements";
        for (code, text, problem) in [
            ("ExpiredTokenException", expired, Problem::Expired),
            ("InvalidIdentityToken", "Incorrect token audience", Problem::Audience),
            ("InvalidIdentityToken", no_issuer, Problem::UnknownIssuer),
            ("InvalidIdentityToken", keys, Problem::IssuerUnreachable),
            ("InvalidIdentityToken", "Missing a required claim: aud", Problem::Invalid),
            ("IDPCommunicationError", "Error communicating with the identity provider", Problem::IssuerUnreachable),
            ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", Problem::NotTrusted),
        ] {
            assert_eq!(super::problem(code, text), Some(problem), "{code}: {text}");
        }
        assert_eq!(super::problem("Throttling", "Rate exceeded"), None);
        assert_eq!(super::problem("RegionDisabledException", "STS is not activated in this region"), None);
    }

    #[tokio::test]
    async fn a_token_is_text_without_space_from_the_file_as_it_is_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let file = WebToken::File(path.clone());
        let text = read(&file).await.unwrap_err();
        assert!(text.contains(&path.display().to_string()) && text.contains("cannot be read"), "{text}");
        for (content, expected) in [("  e.y.J\n", Ok("e.y.J")), ("n.e.w", Ok("n.e.w")), (" \n", Err("is empty"))] {
            std::fs::write(&path, content).unwrap();
            match (read(&file).await, expected) {
                (Ok(token), Ok(wanted)) => assert_eq!(token.expose(), wanted),
                (Err(text), Err(wanted)) => assert!(text.contains(wanted), "{text}"),
                (outcome, _) => panic!("{content:?}: {outcome:?}"),
            }
        }
        for content in ["two tokens", "{\n\"value\": 1\n}", &"x".repeat(LONGEST_TOKEN + 1)] {
            std::fs::write(&path, content).unwrap();
            let text = read(&file).await.unwrap_err();
            assert!(text.contains("something else than a token") && !text.contains(content), "{text}");
        }
    }

    /// A token of a GitHub job has about 1,400 characters, more than an error shows of a message.
    #[test]
    fn a_token_that_a_message_repeats_is_shown_in_no_part() {
        let token = format!("eyJhbGci.{}.c2lnbmF0dXJl", "x".repeat(1_379));
        for code in ["ValidationError", "AccessDeniedException", "Throttling", "InvalidIdentityToken", "AccessDenied"] {
            let text =
                format!("Value '{token}' at 'webIdentityToken' failed to satisfy a constraint, and '{token}' too");
            let meta = ErrorMetadata::builder().code(code).message(text).build();
            let error = AssumeRoleWithWebIdentityError::generic(meta);
            let response = HttpResponse::new(400.try_into().unwrap(), SdkBody::empty());
            let refusal = SdkError::service_error(error, response);
            let shown = refused(&refusal, &token).map_or_else(
                || Call::new("sts:AssumeRoleWithWebIdentity").refused_hiding(&refusal, &token).to_string(),
                |(_, text)| text,
            );
            assert!(shown.contains("Value '***' at") && shown.contains("'***' too"), "{code}: {shown}");
            assert!(!shown.contains("eyJ") && !shown.contains("xxx"), "{code}: {shown}");
        }
    }

    #[test]
    fn each_problem_says_what_to_do_and_never_the_token() {
        let step = |problem| {
            let fault = WebIdentityFault {
                problem,
                text: "the words of AWS".to_owned(),
                role_arn: "arn:aws:iam::210987654321:role/ci".to_owned(),
                origin: TokenOrigin::ProviderBlock,
                claims: Claims::default(),
            };
            let error = Call::new("sts:AssumeRoleWithWebIdentity").failed(Fault::WebIdentity(Box::new(fault)));
            assert!(error.detail().contains("the words of AWS"));
            error.next_step().unwrap()
        };
        assert!(step(Problem::NoToken).contains("`permissions: id-token: write`"));
        assert!(step(Problem::Expired).contains("Get a new token"));
        assert!(step(Problem::Audience).contains("account 210987654321"));
        assert!(step(Problem::UnknownIssuer).contains("Create an OpenID Connect identity provider in IAM"));
        assert!(step(Problem::NotTrusted).contains("`aud` and `sub`"));
        assert!(step(Problem::IssuerUnreachable).contains("well-known"));
        assert!(step(Problem::Invalid).contains("ID token"));
    }
}

//! From the errors of the SDK to our faults. Only messages of AWS and of the transport are taken over, never the SDK's
//! `Debug` output: it prints requests and responses.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::pace::TooLong;
use super::{Call, Error, Fault};

/// The longest message that is taken over.
const LONGEST_MESSAGE: usize = 1_000;

impl Call {
    /// The error of this call that the SDK reports.
    pub(super) fn refused<E>(self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        self.refused_hiding(error, "")
    }

    /// As [`Call::refused`] for a call that sent a secret, which a message about a value that breaks a rule may repeat.
    pub(super) fn refused_hiding<E>(self, error: &SdkError<E, HttpResponse>, secret: &str) -> Error
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        match nested(error) {
            // A renewal of credentials failed under this call: that error names role and account.
            Some(inner) => inner,
            None => self.failed(fault_of(error, secret)),
        }
    }
}

/// Our own error, when it travelled through the SDK as the source of another one.
fn nested(error: &(dyn StdError + 'static)) -> Option<Error> {
    sources(error).find_map(|e| e.downcast_ref::<Error>().cloned())
}

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let current = next?;
        next = current.source();
        Some(current)
    })
}

fn fault_of<E>(error: &SdkError<E, HttpResponse>, secret: &str) -> Fault
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            answer(service.raw(), meta.code(), meta.message(), secret)
        }
        SdkError::ResponseError(response) => answer(response.raw(), None, None, secret),
        SdkError::TimeoutError(_) => Fault::Unreachable("no answer in time".to_owned()),
        _ => local(error, secret),
    }
}

/// No answer came: the connection or the credentials failed.
fn local<E: StdError + 'static>(error: &SdkError<E, HttpResponse>, secret: &str) -> Fault {
    if let Some(late) = sources(error).find_map(|e| e.downcast_ref::<TooLong>()) {
        return Fault::Throttled(late.to_string());
    }
    let text = shorten(&hiding(&texts(error), secret));
    let credentials = |e: &(dyn StdError + 'static)| e.is::<aws_credential_types::provider::error::CredentialsError>();
    if sources(error).any(credentials) || text.contains("no providers in chain") {
        Fault::NoCredentials(text)
    } else {
        Fault::Unreachable(text)
    }
}

/// The texts of an error and of its causes, without the SDK's own headlines and without repetition.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    shorten(&texts(error))
}

fn texts(error: &(dyn StdError + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in sources(error).map(ToString::to_string) {
        if text != "dispatch failure" && !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// AWS answered with an error.
fn answer(response: &HttpResponse, code: Option<&str>, message: Option<&str>, secret: &str) -> Fault {
    let status = response.status().as_u16();
    let body = response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    // A JSON service behind a proxy or an authorizer may refuse in XML, which the SDK cannot read.
    let code = code.map(str::to_owned).or_else(|| element(&body, "Code"));
    let message = message.map(str::to_owned).or_else(|| element(&body, "Message"));
    let text = shorten(&hiding(message.as_deref().unwrap_or("no message"), secret));
    match code {
        Some(code) => classify(&code, text),
        None if status == 403 => Fault::AccessDenied(format!("HTTP status 403, {text}")),
        None if status == 429 => Fault::Throttled(format!("HTTP status 429, {text}")),
        None => Fault::Unexpected(format!("HTTP status {status}, {text}")),
    }
}

fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim().to_owned()).filter(|t| !t.is_empty())
}

/// Whether an answer says: slower.
pub(super) fn is_throttled(response: &HttpResponse) -> bool {
    let status = response.status().as_u16();
    if status < 400 {
        return false;
    }
    let body = response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let json = || Some(serde_json::from_str::<serde_json::Value>(&body).ok()?.get("__type")?.as_str()?.to_owned());
    match element(&body, "Code").or_else(json) {
        Some(code) => THROTTLED.contains(&bare(&code)),
        None => status == 429,
    }
}

/// A code without what the JSON services may put around it: a namespace before, an address after it.
fn bare(code: &str) -> &str {
    code.rsplit('#').next().unwrap_or(code).split(':').next().unwrap_or(code)
}

/// Codes that mean: slower.
const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "EC2ThrottledException",
    "SlowDown",
    "PriorRequestNotComplete",
    "BandwidthLimitExceeded",
];

/// Codes that mean: who are you?
const REFUSED_CREDENTIALS: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Codes that mean: a policy says no.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "Client.UnauthorizedOperation",
    "NotAuthorized",
    "UnauthorizedOperation",
];

/// Secrets Manager has no code of its own for a secret that is scheduled for deletion.
const WAITS_FOR_DELETION: &[&str] = &["scheduled for deletion", "marked for deletion", "marked deleted"];

/// Sorts a code of any of the services into our classes.
pub(super) fn classify(code: &str, text: String) -> Fault {
    let code = bare(code);
    let ends = |suffixes: &[&str]| suffixes.iter().any(|s| code.trim_end_matches("Fault").ends_with(s));
    if DENIED.contains(&code) {
        Fault::AccessDenied(without_encoded_message(&text))
    } else if THROTTLED.contains(&code) {
        Fault::Throttled(text)
    } else if code == "RegionDisabledException" {
        Fault::RegionOff { enabled: None, text }
    } else if REFUSED_CREDENTIALS.contains(&code) {
        Fault::CredentialsRefused(text)
    } else if WAITS_FOR_DELETION.iter().any(|words| text.contains(words)) {
        Fault::ScheduledForDeletion(text)
    } else if code == "AWSOrganizationsNotInUseException" {
        Fault::NoOrganization(text)
    } else if code.contains("NotFound") || code == "NoSuchEntity" {
        Fault::NotFound(text)
    } else if code == "DependencyViolation" {
        Fault::InUse(text)
    } else if ends(&["InvalidDBInstanceState", "InvalidDBClusterState"]) {
        Fault::InvalidState(text)
    } else if ends(&["AlreadyExists", ".Duplicate", "ResourceExistsException", "AlreadyExistsException"]) {
        Fault::Duplicate(text)
    } else if ends(&["LimitExceeded", "QuotaExceeded", "LimitExceededException"]) {
        Fault::LimitExceeded(text)
    } else {
        Fault::Other { code: code.to_owned(), text }
    }
}

/// EC2 appends a blob of about a kilobyte that only `sts:DecodeAuthorizationMessage` can read.
fn without_encoded_message(text: &str) -> String {
    text.split(" Encoded authorization failure message:").next().unwrap_or(text).to_owned()
}

/// The text without the secret. It must be whole: in a text that was cut, the beginning of a secret is not found.
pub(super) fn hiding(text: &str, secret: &str) -> String {
    if secret.is_empty() { text.to_owned() } else { text.replace(secret, "***") }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_organizations::error::SdkError;
    use aws_sdk_organizations::operation::list_roots::ListRootsError;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body.as_bytes().to_vec()))
    }

    fn fault(error: SdkError<ListRootsError, HttpResponse>) -> Fault {
        Call::new("organizations:ListRoots").refused(&error).fault
    }

    #[test]
    fn codes_of_all_services_are_sorted_into_classes() {
        let class = |code: &str| classify(code, "text".to_owned());
        let text = || "text".to_owned();
        for code in ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "a.b#AccessDeniedException"] {
            assert_eq!(class(code), Fault::AccessDenied(text()), "{code}");
        }
        for code in ["Throttling", "TooManyRequestsException", "RequestLimitExceeded"] {
            assert_eq!(class(code), Fault::Throttled(text()), "{code}");
        }
        for code in [
            "DBInstanceNotFound",
            "DBClusterNotFoundFault",
            "InvalidGroup.NotFound",
            "InvalidSecurityGroupRuleId.NotFound",
            "ResourceNotFoundException",
            "ParentNotFoundException",
        ] {
            assert_eq!(class(code), Fault::NotFound(text()), "{code}");
        }
        for code in ["InvalidDBInstanceState", "InvalidDBInstanceStateFault", "InvalidDBClusterStateFault"] {
            assert_eq!(class(code), Fault::InvalidState(text()), "{code}");
        }
        for code in ["InvalidGroup.Duplicate", "InvalidPermission.Duplicate", "ResourceExistsException"] {
            assert_eq!(class(code), Fault::Duplicate(text()), "{code}");
        }
        for code in ["RulesPerSecurityGroupLimitExceeded", "SecurityGroupsPerInterfaceLimitExceeded"] {
            assert_eq!(class(code), Fault::LimitExceeded(text()), "{code}");
        }
        assert_eq!(class("DependencyViolation"), Fault::InUse(text()));
        assert_eq!(class("RegionDisabledException"), Fault::RegionOff { enabled: None, text: text() });
        assert_eq!(class("ExpiredToken"), Fault::CredentialsRefused(text()));
        assert_eq!(class("Strange"), Fault::Other { code: "Strange".to_owned(), text: text() });
    }

    #[test]
    fn throttling_is_seen_in_the_answers_of_every_service() {
        let xml = |code: &str| format!("<R><Errors><Error><Code>{code}</Code></Error></Errors></R>");
        let json = |code: &str| format!(r#"{{"__type":"com.amazonaws#{code}","message":"slower"}}"#);
        for (status, body, slower) in [
            (503, xml("RequestLimitExceeded"), true),
            (400, xml("Throttling"), true),
            (400, json("TooManyRequestsException"), true),
            (429, "<html>".to_owned(), true),
            (400, json("LimitExceededException"), false),
            (403, xml("AccessDenied"), false),
            (500, String::new(), false),
            (200, "<Code>Throttling</Code>".to_owned(), false),
        ] {
            assert_eq!(is_throttled(&response(status, &body)), slower, "{status} {body}");
        }
    }

    #[test]
    fn a_secret_that_waits_for_its_deletion_has_its_own_class() {
        let text = "You can't create this secret because a secret with this name is already scheduled for deletion.";
        assert!(matches!(classify("InvalidRequestException", text.to_owned()), Fault::ScheduledForDeletion(_)));
    }

    #[test]
    fn a_refusal_in_a_format_that_the_service_does_not_speak_is_still_a_refusal() {
        let xml =
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not allowed</Message></Error></ErrorResponse>";
        let unparsed = |status, body| SdkError::response_error("cannot parse", response(status, body));
        assert_eq!(fault(unparsed(403, xml)), Fault::AccessDenied("not allowed".to_owned()));
        assert!(matches!(fault(unparsed(403, "<html>")), Fault::AccessDenied(_)));
        assert!(matches!(fault(unparsed(429, "")), Fault::Throttled(_)));
        assert!(matches!(fault(unparsed(502, "Bad Gateway")), Fault::Unexpected(_)));
        let empty = ListRootsError::generic(ErrorMetadata::builder().build());
        assert_eq!(
            fault(SdkError::service_error(empty, response(403, xml))),
            Fault::AccessDenied("not allowed".to_owned())
        );
    }

    #[test]
    fn a_connection_that_fails_is_told_with_its_causes() {
        let refused = std::io::Error::other("connection refused");
        let error = fault(SdkError::dispatch_failure(ConnectorError::io(refused.into())));
        let Fault::Unreachable(text) = error else { panic!("{error}") };
        assert!(text.contains("connection refused") && !text.contains("ConnectorError"), "{text}");
    }

    #[test]
    fn the_error_of_a_renewal_comes_back_as_it_was() {
        let inner = Call::new("sts:AssumeRole").failed(Fault::CannotAssume {
            role_arn: "arn:aws:iam::123456789012:role/X".to_owned(),
            external_id: false,
            text: "no".to_owned(),
        });
        let credentials = aws_credential_types::provider::error::CredentialsError::provider_error(inner.clone());
        let error = SdkError::dispatch_failure(ConnectorError::other(credentials.into(), None));
        assert_eq!(fault(error), inner.fault);
    }

    #[test]
    fn the_encoded_message_of_ec2_is_left_out() {
        let text = "You are not authorized. Encoded authorization failure message: AAAA";
        let fault = classify("UnauthorizedOperation", text.to_owned());
        assert_eq!(fault, Fault::AccessDenied("You are not authorized.".to_owned()));
    }
}

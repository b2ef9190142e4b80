//! What can go wrong between us and AWS, classified so that callers and people know what to do.

use std::fmt;

use super::entry;
use super::web_identity::WebIdentityFault;
use crate::access::{AccountId, Region};
use crate::report::{Explain, Reach};

/// An error of one call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{call}: {fault}")]
pub struct Error {
    /// What was asked of whom
    pub call: Box<Call>,
    /// What happened
    pub fault: Fault,
}

impl Error {
    /// An error of this call.
    pub fn new(call: Call, fault: Fault) -> Self {
        Self { call: Box::new(call), fault }
    }

    /// Whether AWS says that the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.fault, Fault::NotFound(_))
    }

    /// Whether a policy does not allow the action.
    pub fn is_denied(&self) -> bool {
        matches!(self.fault, Fault::AccessDenied(_))
    }

    /// Whether a role was refused in the words that AWS also has for an account that is closed.
    pub(super) fn is_refused_entry(&self) -> bool {
        matches!(&self.fault, Fault::CannotAssume { text, .. } if entry::is_refusal(text))
    }
}

/// One call: the names that a person needs to find the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The action as IAM writes it, such as `rds:DescribeDBInstances`
    pub action: &'static str,
    /// The account that was asked
    pub account: Option<AccountId>,
    /// The region that was asked
    pub region: Option<Region>,
    /// ARN or id of the object that the call is about
    pub resource: Option<String>,
    /// ARN of the role or caller that made the call
    pub identity: Option<String>,
}

impl Call {
    /// A call of which only the action is known.
    pub fn new(action: &'static str) -> Self {
        Self { action, account: None, region: None, resource: None, identity: None }
    }

    /// The same call about an object.
    #[must_use]
    pub fn on(mut self, resource: impl fmt::Display) -> Self {
        self.resource = Some(resource.to_string());
        self
    }

    /// The same call by this role or caller.
    #[must_use]
    pub fn by(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    fn account_words(&self) -> String {
        self.account.as_ref().map_or_else(|| "the account".to_owned(), |account| format!("account {account}"))
    }

    /// The part before the colon: `rds`, `ec2`, `sts`, `organizations`, `secretsmanager`.
    pub fn service(&self) -> &'static str {
        self.action.split(':').next().unwrap_or_default()
    }

    pub(super) fn failed(self, fault: Fault) -> Error {
        Error::new(self, fault)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action)?;
        if let Some(resource) = &self.resource {
            write!(f, " on {resource}")?;
        }
        match (&self.account, &self.region) {
            (Some(account), Some(region)) => write!(f, " in account {account}, region {region}"),
            (Some(account), None) => write!(f, " in account {account}"),
            (None, Some(region)) => write!(f, " in region {region}"),
            (None, None) => Ok(()),
        }
    }
}

/// The classes of faults. The texts are the words of AWS, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A policy does not allow the action
    #[error("access denied: {0}")]
    AccessDenied(String),
    /// A role cannot be taken. AWS does not tell a missing role from a refused one.
    #[error("the role {role_arn} cannot be assumed: {text}")]
    CannotAssume {
        /// The role
        role_arn: String,
        /// Whether an external id was sent
        external_id: bool,
        /// The words of AWS
        text: String,
    },
    /// A web identity token did not open its role
    #[error("{0}")]
    WebIdentity(Box<WebIdentityFault>),
    /// A session was asked for that is longer than AWS allows
    #[error("the session of the role {role_arn} is too long: {text}")]
    SessionTooLong {
        /// The role
        role_arn: String,
        /// The words of AWS
        text: String,
    },
    /// The account cannot be entered, and Organizations says that AWS is taking it away
    #[error("the account is {state} in AWS Organizations: {text}")]
    AccountLeaving {
        /// `SUSPENDED`, `PENDING_CLOSURE` or `CLOSED`
        state: String,
        /// The words of AWS to the attempt to enter it
        text: String,
    },
    /// The account cannot be entered, and Organizations does not know it (any more)
    #[error(
        "the role {role_arn} cannot be assumed, and AWS Organizations knows no such account in the organization: {text}"
    )]
    NotInOrganization {
        /// The role
        role_arn: String,
        /// Whether an external id was sent
        external_id: bool,
        /// The words of AWS to the attempt to enter it
        text: String,
    },
    /// The default chain found no credentials, or a source of them failed
    #[error("no AWS credentials: {0}")]
    NoCredentials(String),
    /// Credentials were sent and not accepted
    #[error("credentials refused: {0}")]
    CredentialsRefused(String),
    /// The region takes no calls of this account
    #[error("{text}")]
    RegionOff {
        /// Whether the region is enabled in the account, where `ec2:DescribeRegions` could be asked
        enabled: Option<bool>,
        /// The words of AWS
        text: String,
    },
    /// Neither the provider block nor the default chain names a region
    #[error("no home region is set")]
    NoRegion,
    /// The caller's account belongs to no organization
    #[error("the account belongs to no organization: {0}")]
    NoOrganization(String),
    /// Still throttled after all retries
    #[error("throttled: {0}")]
    Throttled(String),
    /// The object does not exist
    #[error("not found: {0}")]
    NotFound(String),
    /// The object exists already
    #[error("it exists already: {0}")]
    Duplicate(String),
    /// A secret that is scheduled for deletion
    #[error("scheduled for deletion: {0}")]
    ScheduledForDeletion(String),
    /// The state of the object refuses the change, also after waiting
    #[error("the state does not allow it: {0}")]
    InvalidState(String),
    /// Something else still uses the object, also after waiting
    #[error("it is still in use: {0}")]
    InUse(String),
    /// A quota of the account
    #[error("a quota is reached: {0}")]
    LimitExceeded(String),
    /// No answer: name resolution, routing, proxy, TLS, a time-out
    #[error("no answer: {0}")]
    Unreachable(String),
    /// An answer that does not say what it must
    #[error("unexpected answer: {0}")]
    Unexpected(String),
    /// Not asked, because AWS would do the wrong thing
    #[error("{0}")]
    Refused(String),
    /// AWS never takes this password: it breaks a rule of length or characters
    #[error("RDS takes no such password: {0}")]
    Unfit(String),
    /// Anything else, with the code of AWS
    #[error("{code}: {text}")]
    Other {
        /// Error code
        code: String,
        /// Message
        text: String,
    },
}

impl Explain for Error {
    fn reach(&self) -> Reach {
        match self.fault {
            Fault::AccessDenied(_)
            | Fault::CannotAssume { .. }
            | Fault::RegionOff { .. }
            | Fault::Unreachable(_)
            | Fault::Throttled(_) => Reach::OutOfReach,
            Fault::AccountLeaving { .. } => Reach::Leaving,
            Fault::NotInOrganization { .. } => Reach::Strange,
            Fault::Unfit(_) => Reach::Unfit,
            _ => Reach::Fine,
        }
    }

    fn summary(&self) -> String {
        match &self.fault {
            Fault::AccessDenied(_) => "AWS denied access",
            Fault::CannotAssume { .. } | Fault::NotInOrganization { .. } => "Cannot enter the account",
            Fault::AccountLeaving { .. } => "The account is suspended or closed",
            Fault::WebIdentity(fault) => fault.summary(),
            Fault::SessionTooLong { .. } => "The session is too long",
            Fault::NoCredentials(_) => "No AWS credentials",
            Fault::CredentialsRefused(_) => "AWS refused the credentials",
            Fault::RegionOff { enabled: Some(false), .. } => "The region is not enabled in the account",
            Fault::RegionOff { .. } => "The region refuses the credentials",
            Fault::NoRegion => "No AWS region",
            Fault::NoOrganization(_) => "No AWS Organization",
            Fault::Throttled(_) => "AWS throttled the request",
            Fault::NotFound(_) => "Not found in AWS",
            Fault::Duplicate(_) => "Already exists in AWS",
            Fault::ScheduledForDeletion(_) => "The secret is scheduled for deletion",
            Fault::InvalidState(_) => "The state in AWS does not allow the change",
            Fault::InUse(_) => "Still in use in AWS",
            Fault::LimitExceeded(_) => "A quota of AWS is reached",
            Fault::Unreachable(_) => "Cannot reach AWS",
            Fault::Unexpected(_) => "Unexpected answer of AWS",
            Fault::Unfit(_) => "RDS takes no such password",
            Fault::Refused(_) | Fault::Other { .. } => "AWS call failed",
        }
        .to_owned()
    }

    fn detail(&self) -> String {
        match &self.call.identity {
            Some(identity) => format!("the call of {}, as {identity}: {}", self.call, self.fault),
            None => format!("the call of {self}"),
        }
    }

    fn next_step(&self) -> Option<String> {
        let Call { action, region, .. } = &*self.call;
        let step = match &self.fault {
            Fault::AccessDenied(text) => return Some(allow_step(&self.call, text)),
            Fault::CannotAssume { role_arn, external_id, text } => {
                return Some(entry::next_step(&self.call, role_arn, *external_id, text));
            }
            Fault::AccountLeaving { .. } => leaving_step(&self.call.account_words()),
            Fault::NotInOrganization { role_arn, external_id, text } => {
                let way_in = entry::next_step(&self.call, role_arn, *external_id, text);
                strange_step(&self.call.account_words(), &way_in)
            }
            Fault::WebIdentity(fault) => fault.next_step(),
            Fault::SessionTooLong { .. } => {
                "Set `duration` of `member_role` or `assume_role` to at most `1h` where the \
                 provider is a role itself (role chaining), else raise the role's maximum session duration; sessions \
                 are renewed before they end"
                    .to_owned()
            }
            Fault::NoCredentials(text) => no_credentials_step(text),
            Fault::CredentialsRefused(_) => format!(
                "Check that the credentials are current and that the clock of this machine is right; if it happens in \
                 one region only, check that {} is enabled in the account",
                region.as_ref().map_or_else(|| "the region".to_owned(), Region::to_string)
            ),
            Fault::RegionOff { enabled, .. } => region_step(&self.call, *enabled),
            Fault::NoRegion => "Set `region` in the provider block, or AWS_REGION".to_owned(),
            Fault::NoOrganization(_) => "Use the organization's management account or a delegated administrator, or \
                 give `account_ids` instead of listing accounts"
                .to_owned(),
            Fault::Throttled(_) => {
                format!("Apply again later, or lower `max_concurrency`; another program uses up the rate of {action}")
            }
            Fault::Duplicate(_) => "Import the existing object, or choose another name".to_owned(),
            Fault::ScheduledForDeletion(_) => {
                "Restore the secret, or wait until its recovery window is over".to_owned()
            }
            Fault::InvalidState(_) => "Wait until the database is available and apply again".to_owned(),
            Fault::InUse(_) => "Remove what uses it and apply again".to_owned(),
            Fault::LimitExceeded(_) => "Raise the quota in Service Quotas, or use fewer objects".to_owned(),
            Fault::Unreachable(_) => "Check the network, HTTPS_PROXY, NO_PROXY and `endpoints` in the provider block; \
                 the name of a region that does not exist looks the same"
                .to_owned(),
            Fault::Unfit(_) => {
                "Ease the rule for passwords in the parameter group of the database and apply again; the \
                 password before stays good"
                    .to_owned()
            }
            Fault::NotFound(_) | Fault::Unexpected(_) | Fault::Refused(_) | Fault::Other { .. } => return None,
        };
        Some(step)
    }
}

fn no_credentials_step(text: &str) -> String {
    if ["SSO", "sso", "token has expired", "token is expired"].iter().any(|word| text.contains(word)) {
        return "Log in again with `aws sso login`, with `--profile` and the name of the profile if it is not the \
                default one, and apply again"
            .to_owned();
    }
    "Give the provider credentials: environment variables, a profile, SSO (`aws sso login`), an instance role, or \
     `assume_role_with_web_identity` in the provider block"
        .to_owned()
}

fn allow_step(call: &Call, text: &str) -> String {
    if call.service() == "organizations" {
        return format!(
            "Use the management account or a delegated administrator of the organization, and allow {} there",
            call.action
        );
    }
    let who = call.identity.as_deref().unwrap_or("the caller");
    let on = call.resource.as_deref().map(|r| format!(" on {r}")).unwrap_or_default();
    let kms = if text.contains("KMS") || text.contains("kms:") {
        "; the key policy of the KMS key must allow it too"
    } else {
        ""
    };
    let (action, also) =
        (call.action, if action_is_regions(call) { ", or name the regions instead of `*`" } else { "" });
    if text.contains("service control policy") && text.contains("explicit deny") {
        let region = call.region.as_ref().map(|r| format!(", or leave {r} out of `regions`")).unwrap_or_default();
        return format!("Exempt {who} from the service control policy that denies {action}{on}{region}");
    }
    format!(
        "Allow {action}{on} for {who}{kms}{also}. If a policy allows it already, look for a permissions boundary, a \
         session policy or a service control policy that does not"
    )
}

fn action_is_regions(call: &Call) -> bool {
    call.action == "ec2:DescribeRegions"
}

fn region_step(call: &Call, enabled: Option<bool>) -> String {
    let region = call.region.as_ref().map_or_else(|| "the region".to_owned(), Region::to_string);
    let account = call.account.as_ref().map_or_else(|| "the account".to_owned(), |a| format!("account {a}"));
    let session = "make the session of the provider at a regional endpoint of STS (AWS_STS_REGIONAL_ENDPOINTS=regional): \
                   sessions of the global endpoint are refused in regions that were opted in to";
    match enabled {
        Some(false) => format!(
            "Enable {region} in {account}, or leave it out of `regions`; `[\"*\"]` asks only the regions that are \
             enabled in each account"
        ),
        Some(true) => format!("The region is enabled in {account}: {session}"),
        None => format!(
            "Check that {region} is enabled in {account} and that STS is active there. If it is, {session}. Where \
             ec2:DescribeRegions is allowed this error tells which of the two it is"
        ),
    }
}

/// What becomes of the objects in an account that AWS takes away.
fn leaving_step(account: &str) -> String {
    format!(
        "AWS removes what is in {account} with it, 90 days after it was closed. Until then its objects stay in the state \
         as they were last seen, and nothing in it can be changed; a destroy takes them out of the state. Take its databases \
         out of the configuration, or have AWS Support reopen it"
    )
}

/// The ways into an account that Organizations does not know, and out of it.
fn strange_step(account: &str, way_in: &str) -> String {
    format!(
        "Check that {account} is meant and that it has not left the organization: an account that leaves keeps its databases, \
         so what is known of objects in it stays in the state, and a destroy is refused. {way_in}. If it is gone for good, take \
         its objects out of the state with `removed {{ from = … lifecycle {{ destroy = false }} }}` or `terraform state rm`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn call() -> Call {
        Call {
            account: "123456789012".parse().ok(),
            region: "eu-west-1".parse().ok(),
            ..Call::new("rds:DescribeDBInstances").by("arn:aws:iam::123456789012:role/Reader")
        }
    }

    #[test]
    fn a_denied_call_names_action_account_region_and_role() {
        let report = Report::of(&call().failed(Fault::AccessDenied("no policy allows it".to_owned())));
        assert_eq!(report.summary, "AWS denied access");
        for part in [
            "rds:DescribeDBInstances in account 123456789012, region eu-west-1",
            "as arn:aws:iam::123456789012:role/Reader",
            "no policy allows it",
            "Allow rds:DescribeDBInstances for arn:aws:iam::123456789012:role/Reader",
        ] {
            assert!(report.detail.contains(part), "{part} is not in {}", report.detail);
        }
    }

    #[test]
    fn an_account_that_cannot_be_entered_names_every_possible_cause() {
        let fault = |external_id| Fault::CannotAssume {
            role_arn: "arn:aws:iam::210987654321:role/X".to_owned(),
            external_id,
            text: "is not authorized to perform: sts:AssumeRole".to_owned(),
        };
        let detail = |external_id| Report::of(&Call::new("sts:AssumeRole").failed(fault(external_id))).detail;
        for text in [detail(true), detail(false)] {
            assert!(text.contains("arn:aws:iam::210987654321:role/X exists") && text.contains("account is active"));
        }
        assert!(detail(true).contains("exactly the external id"));
        assert!(detail(false).contains("no external id"));
    }

    #[test]
    fn an_account_on_its_way_out_is_told_with_its_state_and_what_becomes_of_it() {
        let text = || "is not authorized to perform: sts:AssumeRole".to_owned();
        let enter = || Call { account: "210987654321".parse().ok(), ..Call::new("sts:AssumeRole") };
        let leaving = enter().failed(Fault::AccountLeaving { state: "CLOSED".to_owned(), text: text() });
        assert_eq!(leaving.reach(), Reach::Leaving);
        let detail = Report::of(&leaving).detail;
        assert!(
            detail.contains("the account is CLOSED") && detail.contains("account 210987654321 with it"),
            "{detail}"
        );
        let role_arn = "arn:aws:iam::210987654321:role/X".to_owned();
        let strange = enter().failed(Fault::NotInOrganization { role_arn, external_id: false, text: text() });
        assert_eq!(strange.reach(), Reach::Strange);
        let detail = Report::of(&strange).detail;
        for part in ["a destroy is refused", "removed { from", "the role arn:aws:iam::210987654321:role/X exists"] {
            assert!(detail.contains(part), "{part} is not in {detail}");
        }
    }

    #[test]
    fn organizations_are_read_from_the_management_account() {
        let error = Call::new("organizations:ListRoots").failed(Fault::AccessDenied("no".to_owned()));
        assert!(error.next_step().unwrap().contains("management account or a delegated administrator"));
    }
}

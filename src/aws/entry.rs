//! Why an account cannot be entered: what the words of STS prove, and what they leave open.
//!
//! AWS answers a role that is missing, a role that refuses and an account that is closed with the same sentence, so that
//! nobody can find out which roles a foreign account has. Only what an answer says is taken for a cause here; the rest is
//! [`Cause::Untold`], and a person gets the causes that remain in the order of their likelihood.

use super::{Call, Error, Fault, Sessions};
use crate::access::AccountId;
use crate::report::{Explain, sentence};

/// Whether an account can be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryState {
    /// The role was taken
    Ok,
    /// STS refuses, and proves nothing more precise
    Denied,
    /// There is no such role
    RoleMissing,
    /// The role takes another external id
    ExternalIdWrong,
    /// The account is suspended, closing or closed
    Suspended,
    /// STS gave no answer: nothing was learned
    Unknown,
}

impl EntryState {
    /// As configurations compare it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::RoleMissing => "role missing",
            Self::ExternalIdWrong => "external id wrong",
            Self::Suspended => "suspended",
            Self::Unknown => "unknown",
        }
    }
}

/// What an attempt to enter an account showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How it ended
    pub state: EntryState,
    /// Why, and what to do; nothing when the account was entered
    pub reason: Option<String>,
}

/// Whose policy an answer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Of the caller or of the way that it goes: identity, boundary, session, service control, VPC endpoint
    Caller(&'static str),
    /// Of the role
    Trust,
    /// Of the organization of the role's account
    ResourceControl,
}

/// The names of policies in the messages of AWS.
const POLICIES: [(&str, Policy); 8] = [
    ("identity-based policy", Policy::Caller("identity-based policy")),
    ("permissions boundary", Policy::Caller("permissions boundary")),
    ("session policy", Policy::Caller("session policy")),
    ("service control policy", Policy::Caller("service control policy")),
    ("vpc endpoint policy", Policy::Caller("VPC endpoint policy")),
    ("role trust policy", Policy::Trust),
    ("resource-based policy", Policy::Trust),
    ("resource control policy", Policy::ResourceControl),
];

/// What an answer of STS proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// No statement of a policy of this kind allows it
    NotAllowed(Policy),
    /// A statement denies it
    ExplicitDeny(Policy),
    /// It is not the role that is refused but what goes with it, such as `sts:TagSession`
    OtherAction(&'static str),
    /// Nothing of this form can be an external id
    ExternalIdForm,
    /// No role can have this ARN
    RoleForm,
    /// There is no such role
    NoSuchRole,
    /// The caller is the root user of its account
    RootUser,
    /// The answer fits several causes
    Untold,
}

impl Cause {
    /// What the words of STS prove.
    fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let has = |words: &str| text.contains(words);
        if has("nosuchentity") {
            Self::NoSuchRole
        } else if has("'externalid' failed to satisfy") {
            Self::ExternalIdForm
        } else if has("'rolearn' failed to satisfy") || has("validationerror") && has("arn") && has("is invalid") {
            Self::RoleForm
        } else if has("may not be assumed by root accounts") {
            Self::RootUser
        } else if let Some(action) = OTHER_ACTIONS.into_iter().find(|action| has(&action.to_ascii_lowercase())) {
            Self::OtherAction(action)
        } else if let Some(policy) = policy_after(&text, "with an explicit deny in ") {
            Self::ExplicitDeny(policy)
        } else if let Some(policy) = policy_after(&text, "because no ") {
            Self::NotAllowed(policy)
        } else {
            Self::Untold
        }
    }

    fn state(self) -> EntryState {
        match self {
            Self::NoSuchRole | Self::RoleForm => EntryState::RoleMissing,
            Self::ExternalIdForm => EntryState::ExternalIdWrong,
            _ => EntryState::Denied,
        }
    }
}

/// Actions that may be refused beside `sts:AssumeRole` in the same call.
const OTHER_ACTIONS: [&str; 3] = ["sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext"];

/// The kind of policy that a message names after some words.
fn policy_after(text: &str, words: &str) -> Option<Policy> {
    let (_, rest) = text.split_once(words)?;
    let rest = ["a ", "an ", "the "].into_iter().find_map(|article| rest.strip_prefix(article)).unwrap_or(rest);
    POLICIES.into_iter().find(|(name, _)| rest.starts_with(name)).map(|(_, policy)| policy)
}

/// Whether the account may be the reason, rather than a request that cannot be right or a policy of the caller: where
/// AWS names one of those, it proves nothing about the account, however the account stands.
pub(super) fn is_refusal(text: &str) -> bool {
    match Cause::of(text) {
        Cause::NotAllowed(policy) | Cause::ExplicitDeny(policy) => !matches!(policy, Policy::Caller(_)),
        cause => cause == Cause::Untold,
    }
}

/// What to do about a role that could not be taken. `external_id` says whether one was sent.
pub(super) fn next_step(call: &Call, role_arn: &str, external_id: bool, text: &str) -> String {
    if call.action != "sts:AssumeRole" {
        return format!(
            "Check that the role {role_arn} exists, and that its trust policy names the caller and {}",
            external_id_words(external_id)
        );
    }
    let known = call.identity.as_deref().map(principal);
    let caller = known.clone().unwrap_or_else(|| "the caller".to_owned());
    match Cause::of(text) {
        Cause::NotAllowed(Policy::Caller(kind)) => {
            format!("The {kind} of {caller} is in the way, not the account: allow sts:AssumeRole on {role_arn} there")
        }
        Cause::ExplicitDeny(Policy::Caller(kind)) => {
            format!("A Deny in a {kind} of {caller} is in the way, not the account: except {role_arn} from it")
        }
        // AWS also says so of a caller whose own policy is lacking, where the trust policy names the account only.
        Cause::NotAllowed(Policy::Trust) => format!(
            "The role {role_arn} exists. Check that its trust policy names {caller} and {}, and that a policy of \
             {caller} allows sts:AssumeRole on it",
            external_id_words(external_id)
        ),
        Cause::ExplicitDeny(Policy::Trust) => {
            format!(
                "The role {role_arn} exists, and a Deny in its trust policy is meant for {caller}: take it away there"
            )
        }
        Cause::NotAllowed(Policy::ResourceControl) | Cause::ExplicitDeny(Policy::ResourceControl) => {
            format!("A resource control policy of the organization bars {caller} from {role_arn}: except it there")
        }
        Cause::OtherAction(action) => {
            format!("Allow {action} beside sts:AssumeRole in the trust policy of {role_arn} and to {caller}")
        }
        Cause::ExternalIdForm => {
            "Correct `external_id` of `member_role` or `assume_role`: 2 to 1,224 letters, digits and \
             `+=,.@:/-`"
                .to_owned()
        }
        Cause::RoleForm => {
            format!("No role can have the ARN {role_arn}: correct the name in `member_role` or `assume_role`")
        }
        Cause::NoSuchRole => format!("Make the role {role_arn}, or correct its name in `member_role` or `assume_role`"),
        Cause::RootUser => "Use an IAM role or user: AWS lets the root user take no role".to_owned(),
        Cause::Untold => untold(call, role_arn, external_id, known.as_deref()),
    }
}

/// The causes that remain, the likeliest first. The caller is not known yet when the provider takes its own first role.
fn untold(call: &Call, role_arn: &str, external_id: bool, caller: Option<&str>) -> String {
    let name = role_arn.rsplit('/').next().unwrap_or(role_arn);
    let place = call.account.as_ref().map_or_else(|| "its account".to_owned(), |account| format!("account {account}"));
    let statement = caller.map_or_else(String::new, |caller| {
        format!(
            " ({{ \"Effect\": \"Allow\", \"Principal\": {{ \"AWS\": \"{caller}\" }}, \"Action\": \"sts:AssumeRole\" }})"
        )
    });
    let simulate = caller.map_or_else(String::new, |caller| {
        format!(
            "; `aws iam simulate-principal-policy --policy-source-arn {caller} --action-names sts:AssumeRole \
             --resource-arns {role_arn}` shows what the caller may"
        )
    });
    format!(
        "AWS does not tell the possible causes apart. Check that the role {role_arn} exists, that its trust policy names \
         the caller{statement} and {}, that the caller may sts:AssumeRole on it, and that the account is active. \
         `aws iam get-role --role-name {name}` inside {place} shows role and trust policy{simulate}",
        external_id_words(external_id)
    )
}

fn external_id_words(external_id: bool) -> &'static str {
    if external_id {
        "asks for exactly the external id that is set in `member_role` or `assume_role`"
    } else {
        "asks for no external id (none is set)"
    }
}

/// What a trust policy names for a caller: the role behind a session.
fn principal(caller: &str) -> String {
    let Some((account, session)) = caller.split_once(":assumed-role/") else { return caller.to_owned() };
    let role = session.split('/').next().unwrap_or(session);
    format!("{}:role/{role}", account.replacen(":sts:", ":iam:", 1))
}

impl Sessions {
    /// Tries to enter an account and says what that showed. It asks Organizations nothing, and it never fails.
    pub async fn entry(&self, account: &AccountId) -> Entry {
        let Err(error) = self.try_enter(account).await else {
            return Entry { state: EntryState::Ok, reason: None };
        };
        let mut state = match &error.fault {
            Fault::CannotAssume { text, .. } => Cause::of(text).state(),
            // The role or STS has answered: nobody comes in like this.
            Fault::SessionTooLong { .. } | Fault::RegionOff { .. } => {
                return Entry { state: EntryState::Denied, reason: Some(reason(&error)) };
            }
            _ => return Entry { state: EntryState::Unknown, reason: Some(reason(&error)) },
        };
        if state == EntryState::Denied && self.enters_with_general_id(account).await {
            state = EntryState::ExternalIdWrong;
            let words = "the role takes `member_role.external_id`, and not the `external_id` that `member_role.overrides` \
                         sets for the account: take it out there";
            return Entry { state, reason: Some(sentence(words)) };
        }
        Entry { state, reason: Some(reason(&error)) }
    }
}

fn reason(error: &Error) -> String {
    let step = error.next_step().map(|step| format!(" {}", sentence(&step))).unwrap_or_default();
    format!("{}{step}", sentence(&error.detail()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: &str = "arn:aws:sts::111111111111:assumed-role/hub/ci";
    const ROLE: &str = "arn:aws:iam::222222222222:role/Member";

    /// The words of AWS: `User: … is not authorized to perform: sts:AssumeRole …`.
    fn denied(why: &str) -> String {
        format!("User: {CALLER} is not authorized to perform: sts:AssumeRole on resource: {ROLE}{why}")
    }

    fn step(text: &str, external_id: bool) -> String {
        let call = Call { account: "222222222222".parse().ok(), ..Call::new("sts:AssumeRole").by(CALLER) };
        next_step(&call, ROLE, external_id, text)
    }

    #[test]
    fn a_plain_refusal_proves_nothing_and_names_every_cause() {
        for text in [denied(""), "Not authorized to perform sts:AssumeRole".to_owned(), "Access denied".to_owned()] {
            assert_eq!(Cause::of(&text), Cause::Untold, "{text}");
            assert_eq!(Cause::of(&text).state(), EntryState::Denied);
            let step = step(&text, false);
            for part in [
                "does not tell",
                ROLE,
                "asks for no external id",
                "account is active",
                "arn:aws:iam::111111111111:role/hub",
            ] {
                assert!(step.contains(part), "{part} is not in {step}");
            }
        }
        assert!(step(&denied(""), true).contains("asks for exactly the external id"));
        let first = next_step(&Call::new("sts:AssumeRole"), ROLE, false, &denied(""));
        assert!(first.contains("names the caller and asks") && !first.contains("simulate"), "{first}");
    }

    #[test]
    fn a_policy_that_aws_names_is_the_cause() {
        let action = "allows the sts:AssumeRole action";
        let why = |words: &str| Cause::of(&denied(words));
        for kind in [
            "identity-based policy",
            "permissions boundary",
            "session policy",
            "service control policy",
            "VPC endpoint policy",
        ] {
            let policy = Policy::Caller(kind);
            assert_eq!(why(&format!(" because no {kind} {action}")), Cause::NotAllowed(policy), "{kind}");
            for article in ["a", "an", "the"] {
                assert_eq!(
                    why(&format!(" with an explicit deny in {article} {kind}")),
                    Cause::ExplicitDeny(policy),
                    "{kind}"
                );
            }
            let step = step(&denied(&format!(" because no {kind} {action}")), true);
            assert!(step.contains(&format!("The {kind} of arn:aws:iam::111111111111:role/hub")), "{step}");
            assert!(step.contains("not the account"), "{step}");
        }
        let with_arn = ": arn:aws:organizations::111111111111:policy/o-1/service_control_policy/p-1";
        assert_eq!(
            why(&format!(" with an explicit deny in a service control policy{with_arn}")),
            Cause::ExplicitDeny(Policy::Caller("service control policy"))
        );
        assert_eq!(
            why(" with an explicit deny in a resource control policy"),
            Cause::ExplicitDeny(Policy::ResourceControl)
        );
    }

    #[test]
    fn a_trust_policy_that_is_named_proves_that_the_role_exists() {
        for kind in ["role trust policy", "resource-based policy"] {
            let text = denied(&format!(" because no {kind} allows the sts:AssumeRole action"));
            assert_eq!(Cause::of(&text), Cause::NotAllowed(Policy::Trust));
            // AWS says the same where only the caller's policy is lacking: it is no proof of a wrong external id.
            assert_eq!(Cause::of(&text).state(), EntryState::Denied);
            assert!(step(&text, true).contains("exists") && step(&text, true).contains("exactly the external id"));
        }
        let text = denied(" with an explicit deny in the role trust policy");
        assert_eq!(Cause::of(&text), Cause::ExplicitDeny(Policy::Trust));
    }

    #[test]
    fn what_is_refused_beside_the_role_is_told_apart() {
        let tags = denied("").replace("perform: sts:AssumeRole", "perform: sts:TagSession");
        assert_eq!(Cause::of(&tags), Cause::OtherAction("sts:TagSession"));
        for (text, cause, state) in [
            ("Roles may not be assumed by root accounts.", Cause::RootUser, EntryState::Denied),
            (
                "ValidationError: 1 validation error detected: Value 'a b' at 'externalId' failed to satisfy constraint: \
                 Member must satisfy regular expression pattern: [\\w+=,.@:\\/-]*",
                Cause::ExternalIdForm,
                EntryState::ExternalIdWrong,
            ),
            ("ValidationError: Request ARN is invalid", Cause::RoleForm, EntryState::RoleMissing),
            (
                "ValidationError: arn:aws:iam::222222222222:role/a b is invalid",
                Cause::RoleForm,
                EntryState::RoleMissing,
            ),
            ("NoSuchEntity: Role Member not found", Cause::NoSuchRole, EntryState::RoleMissing),
        ] {
            assert_eq!((Cause::of(text), Cause::of(text).state()), (cause, state), "{text}");
        }
    }

    #[test]
    fn a_policy_of_the_caller_says_nothing_of_the_account() {
        for (name, policy) in POLICIES {
            let is_of_the_caller = matches!(policy, Policy::Caller(_));
            for words in [" because no {} allows the sts:AssumeRole action", " with an explicit deny in a {}"] {
                assert_eq!(is_refusal(&denied(&words.replace("{}", name))), !is_of_the_caller, "{words} {name}");
            }
        }
        assert!(is_refusal(&denied("")));
        assert!(!is_refusal("NoSuchEntity: Role Member not found"));
    }

    #[test]
    fn a_trust_policy_names_the_role_behind_a_session() {
        assert_eq!(principal(CALLER), "arn:aws:iam::111111111111:role/hub");
        assert_eq!(principal("arn:aws-cn:sts::1:assumed-role/a/b"), "arn:aws-cn:iam::1:role/a");
        assert_eq!(principal("arn:aws:iam::111111111111:user/ops/bob"), "arn:aws:iam::111111111111:user/ops/bob");
    }
}

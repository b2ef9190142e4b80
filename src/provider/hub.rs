//! Who the provider is: the parts of the provider block that name the hub identity, with what the environment adds.

use crate::access::Span;
use crate::aws::settings::{TokenOrigin, WebIdentity, WebToken};
use crate::report::Report;
use crate::value::Path;

use super::model::{self, ProviderModel};
use super::variables::Variables;

/// The longest session of a role that is taken by a role.
const LONGEST_CHAINED: Span = Span::from_seconds(3_600);

/// Rules over several attributes.
pub(super) fn validate(config: &ProviderModel) -> Vec<Report> {
    let mut reports = static_keys(config);
    reports.extend(web_identity(config));
    reports.extend(chained_sessions(config));
    reports
}

fn static_keys(config: &ProviderModel) -> Vec<Report> {
    let mut reports = Vec::new();
    let pairs = [
        ("access_key", &config.access_key, "secret_key", &config.secret_key),
        ("secret_key", &config.secret_key, "access_key", &config.access_key),
    ];
    for (name, one, other_name, other) in pairs {
        if one.is_known() && other.is_null() {
            reports.push(
                Report::error(
                    format!("`{name}` without `{other_name}`"),
                    format!("Static credentials need both. Set `{other_name}`, or leave both out to use the AWS default chain."),
                )
                .at(Path::attribute(name)),
            );
        }
    }
    if config.token.is_known() && config.access_key.is_null() {
        let detail = "A session token belongs to an access key. Set `access_key` and `secret_key` too.";
        reports.push(Report::error("`token` without `access_key`", detail).at(Path::attribute("token")));
    }
    reports
}

fn web_identity(config: &ProviderModel) -> Vec<Report> {
    let at = Path::attribute("assume_role_with_web_identity");
    let Some(written) = config.assume_role_with_web_identity.get() else { return Vec::new() };
    let mut reports = Vec::new();
    let is_open = written.token.is_unknown() || written.token_file.is_unknown();
    if written.token.is_null() == written.token_file.is_null() && !is_open {
        let detail = "The token comes from one place. Set exactly one of `token_file` and `token`.";
        reports.push(Report::error("One web identity token is needed", detail).at(at.clone()));
    }
    if !config.access_key.is_null() || !config.secret_key.is_null() {
        let detail = "A web identity token replaces stored keys: the call that exchanges it is not signed. Keep \
                      `assume_role_with_web_identity`, or keep `access_key` and `secret_key`.";
        reports.push(Report::error("Two identities for the provider", detail).at(at));
    }
    reports
}

/// What AWS would refuse only when an account is entered, long after the plan began.
fn chained_sessions(config: &ProviderModel) -> Vec<Report> {
    let by_token = !config.assume_role_with_web_identity.is_null();
    let first = if by_token { "assume_role_with_web_identity" } else { "assume_role" };
    let is_role = by_token || !config.assume_role.is_null();
    let of_hub = config.assume_role.get().and_then(|role| role.duration.get()).filter(|_| by_token);
    let of_members = config.member_role.get().and_then(|role| role.duration.get()).filter(|_| is_role);
    [("assume_role", of_hub), ("member_role", of_members)]
        .into_iter()
        .filter_map(|(name, duration)| Some((name, *duration?)))
        .filter(|(_, duration)| *duration > LONGEST_CHAINED)
        .map(|(name, duration)| {
            let detail = format!(
                "AWS limits the session of a role that is taken by a role (role chaining) to one hour, and with `{first}` \
                 the provider is a role. Set `duration` to at most `1h` instead of `{duration}`; sessions are renewed \
                 before they end, so that a run may be longer."
            );
            Report::error("The session is too long", detail).at(Path::attribute(name).field("duration"))
        })
        .collect()
}

/// The web identity: what is written, else what the environment says, in the order of the AWS SDKs: keys and a profile
/// that somebody names come before.
pub(super) fn resolve(config: &ProviderModel, variables: &Variables) -> Option<WebIdentity> {
    if let Some(written) = config.assume_role_with_web_identity.get() {
        return of_block(written);
    }
    let is_other_named = !config.access_key.is_null()
        || !config.profile.is_null()
        || variables.has_access_key
        || variables.aws_profile.is_some();
    if is_other_named {
        return None;
    }
    Some(WebIdentity {
        role_arn: variables.role_arn.clone()?,
        token: WebToken::File(variables.web_identity_token_file.clone()?.into()),
        session_name: variables.role_session_name.clone(),
        origin: TokenOrigin::Environment,
    })
}

fn of_block(written: &model::WebIdentity) -> Option<WebIdentity> {
    let token = match (written.token.get(), written.token_file.get()) {
        (Some(token), _) => WebToken::Inline(token.clone()),
        (None, file) => WebToken::File(file?.into()),
    };
    Some(WebIdentity {
        role_arn: written.role_arn.get()?.0.clone(),
        token,
        session_name: written.session_name.get().cloned(),
        origin: TokenOrigin::ProviderBlock,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Secret;
    use crate::schema::Attr;

    fn role() -> Attr<model::RoleArn> {
        model::RoleArn("arn:aws:iam::123456789012:role/ci".to_owned()).into()
    }

    fn by_file() -> model::WebIdentity {
        let file = "/var/run/token".to_owned();
        model::WebIdentity { role_arn: role(), token_file: file.into(), ..Default::default() }
    }

    fn with(written: model::WebIdentity) -> ProviderModel {
        ProviderModel { assume_role_with_web_identity: written.into(), ..Default::default() }
    }

    fn span(text: &str) -> Attr<Span> {
        text.parse::<Span>().unwrap().into()
    }

    #[test]
    fn half_of_a_key_pair_is_refused() {
        let config = ProviderModel { access_key: Secret::<String>::from("AKIA").into(), ..Default::default() };
        assert!(validate(&config)[0].summary.contains("`access_key` without `secret_key`"));
        let config =
            ProviderModel { access_key: Secret::<String>::from("AKIA").into(), secret_key: Attr::Unknown, ..config };
        assert!(validate(&config).is_empty(), "an unknown value is not judged");
    }

    #[test]
    fn a_token_comes_from_one_place_and_replaces_keys() {
        assert!(validate(&with(by_file())).is_empty());
        assert_eq!(validate(&with(model::WebIdentity { token_file: Attr::Null, ..by_file() })).len(), 1);
        let token: Attr<Secret<String>> = Secret::<String>::from("e.y.J").into();
        assert_eq!(validate(&with(model::WebIdentity { token, ..by_file() })).len(), 1);
        assert!(validate(&with(model::WebIdentity { token: Attr::Unknown, ..by_file() })).is_empty());
        let key = || Secret::<String>::from("key").into();
        let both = ProviderModel { access_key: key(), secret_key: key(), ..with(by_file()) };
        assert!(validate(&both)[0].summary.contains("Two identities"));
    }

    #[test]
    fn a_chained_session_is_at_most_an_hour() {
        let member = |text: &str| model::MemberRole { duration: span(text), ..Default::default() };
        let long = ProviderModel { member_role: member("2h").into(), ..with(by_file()) };
        let report = &validate(&long)[0];
        assert!(report.detail.contains("role chaining") && report.detail.contains("`2h`"), "{}", report.detail);
        assert!(validate(&ProviderModel { member_role: member("1h").into(), ..with(by_file()) }).is_empty());
        let alone = ProviderModel { member_role: member("12h").into(), ..Default::default() };
        assert!(validate(&alone).is_empty(), "the hub may be an IAM user");
        let assume = model::AssumeRole { role_arn: role(), duration: span("2h"), ..Default::default() };
        let first = ProviderModel { assume_role: assume.clone().into(), ..Default::default() };
        assert!(validate(&first).is_empty(), "the hub may be an IAM user");
        assert_eq!(validate(&ProviderModel { assume_role: assume.into(), ..with(by_file()) }).len(), 1);
        assert_eq!(validate(&ProviderModel { member_role: member("2h").into(), ..first }).len(), 1);
    }

    #[test]
    fn the_environment_is_the_fallback_unless_something_else_is_named() {
        let variables = Variables {
            role_arn: Some("arn:aws:iam::123456789012:role/pod".to_owned()),
            web_identity_token_file: Some("/var/run/secrets/token".to_owned()),
            ..Default::default()
        };
        let found = resolve(&ProviderModel::default(), &variables).unwrap();
        assert_eq!((found.role_arn.ends_with("role/pod"), found.origin), (true, TokenOrigin::Environment));
        let found = resolve(&with(by_file()), &variables).unwrap();
        assert_eq!((found.role_arn.ends_with("role/ci"), found.origin), (true, TokenOrigin::ProviderBlock));
        let profile = ProviderModel { profile: "hub".to_owned().into(), ..Default::default() };
        assert!(resolve(&profile, &variables).is_none());
        for other in [
            Variables { has_access_key: true, ..variables.clone() },
            Variables { aws_profile: Some("hub".to_owned()), ..variables.clone() },
            Variables { role_arn: None, ..variables.clone() },
        ] {
            assert!(resolve(&ProviderModel::default(), &other).is_none());
        }
    }
}

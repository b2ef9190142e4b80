//! From the provider block as it is written to what it means. Pure: no file, no network, no clock.

use crate::access::{AccountId, TlsMode};
use crate::aws::settings::{self, Settings};
use crate::context::{Clock, CommandSettings, Context, GatewayBlock, OnUnreachable, Parts, Refresh, TlsSettings};
use crate::gateway::BaseUrl;
use crate::report::Report;
use crate::schema::{Attr, Model, Reports};
use crate::value::Value;

use super::hub;
use super::model::{self, ProviderModel};
use super::variables::Variables;
use super::vault;

/// Rules over several attributes.
pub(super) fn validate(config: &ProviderModel) -> Vec<Report> {
    let mut reports = hub::validate(config);
    reports.extend(vault::validate(config));
    reports
}

/// Resolves the provider block.
pub(super) fn resolve(config: &ProviderModel, variables: &Variables) -> Result<(Context, Vec<Report>), Reports> {
    let mut reports = validate(config);
    if crate::schema::has_errors(&reports) {
        return Err(reports.into());
    }
    let gateway = gateway(config, variables);
    reports.extend(clear_text(&gateway));
    let vault = vault::block(config, variables);
    reports.extend(vault::warnings(&vault));
    let parts = Parts {
        unknown: unknown_attributes(config),
        aws: Settings { web_identity: hub::resolve(config, variables), ..aws_settings(config) },
        gateway,
        vault,
        tls: TlsSettings {
            mode: nested(&config.tls).and_then(|t| t.mode.get().copied()).unwrap_or(TlsMode::VerifyFull),
            ca_bundle: nested(&config.tls).and_then(|t| t.ca_bundle.get().cloned()),
        },
        store: nested(&config.store).and_then(|store| store.settings()).unwrap_or_default(),
        on_unreachable: match config.on_unreachable.get().map(String::as_str) {
            Some("keep") => OnUnreachable::Keep,
            _ => OnUnreachable::Fail,
        },
        refresh: refresh(config, variables)?,
        max_connections_per_target: count(&config.max_connections_per_target, 3),
        commands: CommandSettings {
            allowed: config.allow_command.get() == Some(&true),
            environment: variables.for_commands.clone(),
        },
        clock: Clock::default(),
    };
    Ok((Context::new(parts), reports))
}

/// The top-level attributes that will be known only at apply.
fn unknown_attributes(config: &ProviderModel) -> Vec<String> {
    config.fields().into_iter().filter(|(_, value)| !Value::is_wholly_known(value)).map(|(name, _)| name).collect()
}

fn nested<M>(attr: &Attr<M>) -> Option<&M> {
    attr.get()
}

/// What is written, else what the environment says.
fn gateway(config: &ProviderModel, variables: &Variables) -> GatewayBlock {
    let written = config.gateway.get();
    GatewayBlock {
        url: written.and_then(|g| g.url.get().cloned()).or_else(|| variables.gateway_url.clone()),
        token: written.and_then(|g| g.token.get().cloned()).or_else(|| variables.gateway_token.clone()),
        ca_bundle: written.and_then(|g| g.ca_bundle.get().cloned()),
        user_agent: variables.append_user_agent.clone(),
    }
}

fn clear_text(gateway: &GatewayBlock) -> Option<Report> {
    let url: BaseUrl = gateway.url.as_deref()?.parse().ok()?;
    let report = Report::warning(
        "The gateway's token travels in clear text",
        format!("The address {url} has no TLS: everybody in between can read the token. Use an `https://` address."),
    );
    (gateway.token.is_some() && url.is_clear_text()).then_some(report)
}

fn refresh(config: &ProviderModel, variables: &Variables) -> Result<Refresh, Reports> {
    match (config.refresh.get(), &variables.refresh) {
        (Some(word), _) | (None, Some(word)) => match word.as_str() {
            "database" => Ok(Refresh::Database),
            "aws" => Ok(Refresh::Aws),
            other => Err(Report::error(
                "Invalid RDSACCESS_REFRESH",
                format!("`{other}` is neither `database` nor `aws`. Correct the environment variable or unset it."),
            )
            .into()),
        },
        (None, None) => Ok(Refresh::Database),
    }
}

fn count(attr: &Attr<i64>, default: usize) -> usize {
    attr.get().and_then(|n| usize::try_from(*n).ok()).unwrap_or(default)
}

fn aws_settings(config: &ProviderModel) -> Settings {
    let defaults = Settings::default();
    Settings {
        region: config.region.get().cloned(),
        profile: config.profile.get().cloned(),
        static_keys: config.access_key.get().zip(config.secret_key.get()).map(|(access_key, secret_key)| {
            settings::StaticKeys {
                access_key: access_key.expose().clone(),
                secret_key: secret_key.clone(),
                token: config.token.get().cloned(),
            }
        }),
        assume_role: config.assume_role.get().and_then(assume_role),
        member_role: config.member_role.get().map(member_role).unwrap_or_default(),
        endpoints: config.endpoints.get().map(endpoints).unwrap_or_default(),
        tags: config.tags.get().cloned().unwrap_or_default(),
        max_concurrency: count(&config.max_concurrency, defaults.max_concurrency),
        ..defaults
    }
}

fn assume_role(role: &model::AssumeRole) -> Option<settings::AssumeRole> {
    Some(settings::AssumeRole {
        role_arn: role.role_arn.get()?.0.clone(),
        external_id: role.external_id.get().cloned(),
        session_name: role.session_name.get().cloned(),
        duration: role.duration.get().copied(),
        policy: role.policy.get().cloned(),
        tags: role.tags.get().cloned().unwrap_or_default(),
    })
}

fn member_role(role: &model::MemberRole) -> settings::MemberRole {
    let defaults = settings::MemberRole::default();
    settings::MemberRole {
        name: role.name.get().cloned().unwrap_or(defaults.name),
        external_id: role.external_id.get().cloned(),
        session_name: role.session_name.get().cloned(),
        duration: role.duration.get().copied().unwrap_or(defaults.duration),
        overrides: role
            .overrides
            .get()
            .into_iter()
            .flatten()
            .filter_map(|(account, entry)| {
                let account: AccountId = account.parse().ok()?;
                let name = entry.name.get().cloned();
                Some((account, settings::MemberOverride { name, external_id: entry.external_id.get().cloned() }))
            })
            .collect(),
    }
}

fn endpoints(endpoints: &model::Endpoints) -> settings::Endpoints {
    settings::Endpoints {
        rds: endpoints.rds.get().cloned(),
        ec2: endpoints.ec2.get().cloned(),
        sts: endpoints.sts.get().cloned(),
        organizations: endpoints.organizations.get().cloned(),
        secretsmanager: endpoints.secretsmanager.get().cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_the_fallback_of_refresh() {
        let variables = Variables { refresh: Some("aws".to_owned()), ..Default::default() };
        assert_eq!(refresh(&ProviderModel::default(), &variables), Ok(Refresh::Aws));
        let config = ProviderModel { refresh: "database".to_owned().into(), ..Default::default() };
        assert_eq!(refresh(&config, &variables), Ok(Refresh::Database));
        let variables = Variables { refresh: Some("often".to_owned()), ..Default::default() };
        assert!(refresh(&ProviderModel::default(), &variables).is_err());
    }

    #[test]
    fn the_environment_is_the_fallback_of_the_gateway() {
        let variables = Variables {
            gateway_url: Some("http://env.example.com".to_owned()),
            gateway_token: Some("hpk_env".into()),
            ..Default::default()
        };
        let found = gateway(&ProviderModel::default(), &variables);
        assert_eq!((found.url.as_deref(), found.token.is_some()), (Some("http://env.example.com"), true));
        assert!(clear_text(&found).is_some_and(|r| r.severity == crate::report::Severity::Warning));
        let url = "https://written.example.com".to_owned();
        let written = model::Gateway { url: url.clone().into(), ..Default::default() };
        let found = gateway(&ProviderModel { gateway: written.into(), ..Default::default() }, &variables);
        assert_eq!((found.url.as_deref(), found.token.is_some()), (Some(url.as_str()), true));
        assert!(clear_text(&found).is_none());
    }

    #[test]
    fn no_default_hides_the_environment() {
        let written = ProviderModel::default().to_value();
        let filled = crate::schema::plan::with_defaults(&ProviderModel::attributes(), &written);
        let config: ProviderModel = crate::schema::decode(&filled).unwrap();
        let variables = Variables { refresh: Some("aws".to_owned()), ..Default::default() };
        assert_eq!(refresh(&config, &variables), Ok(Refresh::Aws));
    }

    #[test]
    fn nothing_written_means_the_documented_defaults() {
        let settings = aws_settings(&ProviderModel::default());
        assert_eq!(settings.max_concurrency, 64);
        assert_eq!(settings.member_role.name, "HoopOrganizationAccountAccessRole");
        assert_eq!(settings.member_role.duration.seconds(), 3_600);
    }
}

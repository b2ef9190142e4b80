//! The attribute `vault` of the provider block, with what the environment adds.

use crate::context::{VaultAuth, VaultBlock};
use crate::report::Report;
use crate::schema::Attr;
use crate::store::{StoreBlock, StoreSettings};
use crate::value::Path;

use super::model::{self, ProviderModel};
use super::variables::Variables;

/// Rules over several attributes.
pub(super) fn validate(config: &ProviderModel) -> Vec<Report> {
    let Some(auth) = config.vault.get().and_then(|vault| vault.auth.get()) else { return Vec::new() };
    let at = Path::attribute("vault").field("auth");
    let ways = [auth.token.is_null(), auth.approle.is_null(), auth.aws_iam.is_null(), auth.jwt.is_null()];
    let set = ways.iter().filter(|is_null| !**is_null).count();
    let mut reports = Vec::new();
    if set > 1 {
        let detail = "Several ways to log in are set. Keep one of `token`, `approle`, `aws_iam` and `jwt`.";
        reports.push(Report::error("More than one login for Vault", detail).at(at.clone()));
    }
    if let Some(jwt) = auth.jwt.get()
        && (jwt.token.is_null() == jwt.token_file.is_null())
        && !jwt.token.is_unknown()
        && !jwt.token_file.is_unknown()
    {
        let detail = "The JWT comes from one place. Set exactly one of `token` and `token_file`.";
        reports.push(Report::error("One JWT is needed", detail).at(at.field("jwt")));
    }
    reports
}

/// What is written, else what the environment says.
pub(super) fn block(config: &ProviderModel, variables: &Variables) -> VaultBlock {
    let written = config.vault.get();
    let ca_bundle = written.and_then(|vault| vault.ca_bundle.get().cloned());
    let auth = written.and_then(|vault| vault.auth.get()).and_then(auth);
    VaultBlock {
        address: written.and_then(|v| v.address.get().cloned()).or_else(|| variables.vault_address.clone()),
        namespace: written.and_then(|v| v.namespace.get().cloned()).or_else(|| variables.vault_namespace.clone()),
        ca_file: variables.vault_ca_file.clone().filter(|_| ca_bundle.is_none()),
        ca_bundle,
        auth: auth.or_else(|| variables.vault_token.clone().map(VaultAuth::Token)),
        user_agent: variables.append_user_agent.clone(),
        is_judged: is_named(config),
    }
}

/// Whether the provider block names Vault at all: variables may be there for another program.
fn is_named(config: &ProviderModel) -> bool {
    let store = config.store.get().and_then(StoreBlock::settings);
    !config.vault.is_null() || matches!(store, Some(StoreSettings::Vault(_)))
}

/// What there is to warn of, where Vault is used for certain.
pub(super) fn warnings(vault: &VaultBlock) -> Option<Report> {
    vault.clear_text().filter(|_| vault.is_judged)
}

fn auth(written: &model::VaultAuth) -> Option<VaultAuth> {
    if let Some(token) = written.token.get() {
        return Some(VaultAuth::Token(token.clone()));
    }
    if let Some(approle) = written.approle.get() {
        return Some(VaultAuth::AppRole {
            role_id: approle.role_id.get()?.clone(),
            secret_id: approle.secret_id.get()?.clone(),
            mount: mount(&approle.mount, "approle"),
        });
    }
    if let Some(aws) = written.aws_iam.get() {
        return Some(VaultAuth::AwsIam {
            role: aws.role.get()?.clone(),
            mount: mount(&aws.mount, "aws"),
            header_value: aws.header_value.get().cloned(),
            region: aws.sts_region.get().cloned(),
        });
    }
    let jwt = written.jwt.get()?;
    Some(VaultAuth::Jwt {
        role: jwt.role.get()?.clone(),
        token: jwt.token.get().cloned(),
        token_file: jwt.token_file.get().cloned(),
        mount: mount(&jwt.mount, "jwt"),
    })
}

fn mount(written: &Attr<String>, default: &str) -> String {
    written.get().cloned().unwrap_or_else(|| default.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Secret;

    fn config(auth: model::VaultAuth) -> ProviderModel {
        let vault = model::VaultServer { auth: auth.into(), ..Default::default() };
        ProviderModel { vault: vault.into(), ..Default::default() }
    }

    fn token() -> model::VaultAuth {
        model::VaultAuth { token: Secret::<String>::from("hvs.written").into(), ..Default::default() }
    }

    #[test]
    fn one_way_to_log_in_is_enough_and_two_are_refused() {
        assert!(validate(&config(token())).is_empty() && validate(&config(model::VaultAuth::default())).is_empty());
        let approle = model::VaultAppRole { role_id: "r".to_owned().into(), ..Default::default() };
        let both = model::VaultAuth { approle: approle.into(), ..token() };
        assert!(validate(&config(both))[0].summary.contains("More than one"));
    }

    #[test]
    fn a_jwt_comes_from_one_place() {
        let of =
            |jwt: model::VaultJwt| validate(&config(model::VaultAuth { jwt: jwt.into(), ..Default::default() })).len();
        let file = model::VaultJwt { token_file: "/run/jwt".to_owned().into(), ..Default::default() };
        assert_eq!(of(file.clone()), 0);
        assert_eq!(of(model::VaultJwt::default()), 1);
        assert_eq!(of(model::VaultJwt { token: Secret::<String>::from("e.y").into(), ..file.clone() }), 1);
        assert_eq!(of(model::VaultJwt { token: Attr::Unknown, token_file: Attr::Null, ..file }), 0);
    }

    #[test]
    fn the_environment_is_the_fallback() {
        let variables = Variables {
            vault_address: Some("http://vault.example.com:8200".to_owned()),
            vault_token: Some("hvs.env".into()),
            vault_ca_file: Some("/etc/ca.pem".to_owned()),
            ..Default::default()
        };
        let found = block(&ProviderModel::default(), &variables);
        assert!(matches!(&found.auth, Some(VaultAuth::Token(token)) if token.expose() == "hvs.env"));
        assert_eq!(found.ca_file.as_deref(), Some("/etc/ca.pem"));
        assert!(found.clear_text().is_some() && warnings(&found).is_none(), "nobody said that Vault is used");
        let found = block(&config(token()), &variables);
        assert!(matches!(&found.auth, Some(VaultAuth::Token(token)) if token.expose() == "hvs.written"));
        assert!(warnings(&found).is_some(), "the block `vault` is written");
        let vault = model::VaultServer { ca_bundle: "pem".to_owned().into(), ..Default::default() };
        let found = block(&ProviderModel { vault: vault.into(), ..Default::default() }, &variables);
        assert_eq!((found.ca_file, found.ca_bundle.as_deref()), (None, Some("pem")), "what is written wins");
    }
}

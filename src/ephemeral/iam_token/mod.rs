//! `rdsaccess_iam_token`: a password for IAM database authentication, made offline.

mod model;

use crate::access::{Endpoint, Region, region_of_endpoint};
use crate::context::Context;
use crate::report::Report;
use crate::schema::{Ephemeral, Opening, Reports};
use crate::value::Path;

use model::Token;

/// The ephemeral resource.
pub struct IamToken;

impl Ephemeral for IamToken {
    type Context = Context;
    type Model = Token;

    const NAME: &'static str = "rdsaccess_iam_token";
    const SUBCATEGORY: &'static str = "Credentials";

    fn validate(config: &Token) -> Vec<Report> {
        match region(config) {
            Err(report) if config.region.is_null() => vec![report],
            _ => Vec::new(),
        }
    }

    async fn open(&self, context: &Context, opening: &mut Opening<Token>) -> Result<(), Reports> {
        let asked = &opening.result;
        let (Some(host), Some(port), Some(username)) = (asked.host.get(), asked.port.get(), asked.username.get())
        else {
            return Err(Report::error("Incomplete token", "`host`, `port` and `username` are needed.").into());
        };
        let endpoint = Endpoint {
            host: asked.signing_host.get().unwrap_or(host).clone(),
            port: u16::try_from(*port).unwrap_or_default(),
        };
        let Some(region) = region(asked)? else {
            return Err(Report::error("Incomplete token", "`region` is not known.").into());
        };
        let token = context.aws()?.iam_token(&endpoint, &region, username, context.now()).await?;
        let expires_at = jiff::Timestamp::try_from(token.expires_at)
            .map_err(|error| Report::error("Cannot tell when the token ends", error.to_string()))?;
        opening.result.token = token.token.into();
        opening.result.expires_at = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        Ok(())
    }
}

/// The region to sign for; `None` when it is not known yet.
fn region(config: &Token) -> Result<Option<Region>, Report> {
    if let Some(region) = config.region.get() {
        return Ok(Some(region.clone()));
    }
    if config.region.is_unknown() || config.host.is_unknown() || config.signing_host.is_unknown() {
        return Ok(None);
    }
    let (attribute, host) = match config.signing_host.get() {
        Some(host) => ("signing_host", Some(host)),
        None => ("host", config.host.get()),
    };
    let Some(host) = host else { return Ok(None) };
    match region_of_endpoint(host) {
        Ok(region) => Ok(Some(region)),
        Err(why) => Err(Report::error(
            "The region of the token is not known",
            format!("{why}. Set `region`, and `signing_host` when `host` is not the name that RDS gave the database."),
        )
        .at(Path::attribute(attribute))),
    }
}

//! `rdsaccess_iam_token`: a password for IAM database authentication, made offline.

mod endpoint;
mod model;

use crate::context::Context;
use crate::report::Report;
use crate::schema::{Ephemeral, Opening, Reports};

use model::Token;

/// The ephemeral resource.
///
/// There is nothing to renew: Terraform cannot give a new value to what it has opened, and a database looks at a token
/// at the login only. Nor is there anything to close: no server keeps a token.
pub struct IamToken;

impl Ephemeral for IamToken {
    type Context = Context;
    type Model = Token;

    const NAME: &'static str = "rdsaccess_iam_token";
    const SUBCATEGORY: &'static str = "Credentials";

    fn validate(config: &Token) -> Vec<Report> {
        let problems = [endpoint::host(config).err(), endpoint::region(config).err(), endpoint::port(config).err()];
        let mut reports: Vec<Report> = problems.into_iter().flatten().collect();
        // A host that tells nothing is one mistake.
        reports.dedup_by(|a, b| a.attribute == b.attribute);
        reports
    }

    async fn open(&self, context: &Context, opening: &mut Opening<Token>) -> Result<(), Reports> {
        let asked = &opening.result;
        let parts = (endpoint::endpoint(asked)?, endpoint::region(asked)?, asked.username.get());
        let (Some(endpoint), Some(region), Some(username)) = parts else {
            return Err(Report::error("Incomplete token", "`host`, `port`, `region` and `username` are needed.").into());
        };
        let token = context.aws()?.iam_token(&endpoint, &region, username, context.now()).await?;
        let expires_at = jiff::Timestamp::try_from(token.expires_at)
            .map_err(|error| Report::error("Cannot tell when the token ends", error.to_string()))?;
        opening.result.token = token.token.into();
        opening.result.expires_at = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        Ok(())
    }
}

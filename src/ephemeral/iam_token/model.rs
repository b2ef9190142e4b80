//! Arguments and results of `rdsaccess_iam_token`.

use crate::access::{Region, RoleName, Secret};
use crate::model;

model! {
    /// A token for IAM database authentication: it stands in for the password of a user for 15 minutes.
    ///
    /// It is signed offline with the credentials of the provider block and never reaches state or plan. Send it over
    /// verified TLS only: it is a password.
    pub struct Token {
        /// Host name of the database.
        host: String = required().not_empty(),
        /// TCP port of the database.
        port: i64 = required().between(1, 65_535),
        /// Region to sign for.
        region: Region = optional().default_words("the region in the host name"),
        /// User to log in as.
        username: RoleName = required(),
        /// The name that RDS gave the database, when `host` is a tunnel or a name of your own: the server checks the
        /// host that was signed.
        signing_host: String = optional().not_empty().default_words("`host`"),
        /// The token.
        token: Secret<String> = computed(),
        /// When the token ends, RFC 3339.
        expires_at: String = computed(),
    }
}

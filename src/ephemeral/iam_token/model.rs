//! Arguments and results of `rdsaccess_iam_token`.

use crate::access::{EngineKind, Region, RoleName, Secret};
use crate::model;

model! {
    /// A token for IAM database authentication: it stands in for the password of a user for 15 minutes.
    ///
    /// It is signed offline with the credentials of the provider block and never reaches state or plan. Send it over
    /// verified TLS only: it is a password.
    ///
    /// A database takes tokens of identities of its own account. For a database of another account use a provider block
    /// whose `assume_role` is a role there; `member_role` is not entered, because nothing here names an account.
    ///
    /// A database looks at a token at the login only: sessions that are open stay. A token is not renewed while
    /// Terraform runs, because Terraform cannot change a value that it has opened: what logs in later than 15 minutes
    /// after the token was made is refused.
    pub struct Token {
        /// Host name of the database: the name that RDS gave it, unless `signing_host` is set.
        host: String = required(),
        /// TCP port of the database. It is a part of what is signed.
        port: i64 = optional().between(1, 65_535).default_words("the default port of `engine`"),
        /// Engine, for its default port: `postgres` 5432, `mysql` and `mariadb` 3306. Needed only without `port`.
        engine: EngineKind = optional(),
        /// Region to sign for. Needed where the name that RDS gave tells none: the endpoint of a global database.
        region: Region = optional().default_words("the region in the host name"),
        /// User to log in as.
        username: RoleName = required(),
        /// The name that RDS gave the database, when `host` is a tunnel, an address or a name of your own: the server
        /// checks the host that was signed.
        signing_host: String = optional().default_words("`host`"),
        /// The token.
        token: Secret<String> = computed(),
        /// When the token ends, RFC 3339: 15 minutes after it was made, or earlier when the credentials end that signed
        /// it.
        expires_at: String = computed(),
    }
}

//! Arguments and results of `rdsaccess_secret`.

use crate::access::{Secret, SecretRef, SecretStage};
use crate::model;

model! {
    /// Reads a credential of a database from its store, for one run: the value never reaches state or plan.
    ///
    /// Every secret in the form of RDS can be read: one that `rdsaccess_role` or `rdsaccess_master_credential` made, one
    /// that RDS manages, and one of others. What the secret does not say is null; RDS itself stores only the user name
    /// and the password. The account and the region are those of the reference; another account is entered by
    /// `member_role` of the provider block.
    ///
    /// A version of this provider that no login has proven yet is refused, unless `version_stage` asks for it.
    pub struct SecretModel {
        /// The secret, as `secret_ref` of the resources gives it: the full ARN in Secrets Manager, or
        /// `vault:<kv1|kv2>:<namespace>:<mount>:<path>`.
        secret_ref: SecretRef = required(),
        /// Which version: `AWSCURRENT`, `AWSPENDING` or `AWSPREVIOUS`. `AWSPENDING` is there while a password is being
        /// changed, or when a change was interrupted; `AWSPREVIOUS` is the version before the current one. The words are
        /// the same for Vault; version 1 of its engine keeps no version before the current one.
        version_stage: SecretStage = optional().default_words("`AWSCURRENT`"),
        /// User to log in as.
        username: String = computed(),
        /// Password.
        password: Secret<String> = computed(),
        /// Engine: `postgres`, `mysql`, `mariadb` or `sqlserver`.
        engine: String = computed(),
        /// Host name of the database.
        host: String = computed(),
        /// TCP port of the database.
        port: i64 = computed(),
        /// Database to connect to.
        database: String = computed(),
        /// Id of the version that was read; null for a secret of others in Vault.
        version_id: String = computed(),
    }
}

//! Arguments and results of `rdsaccess_master_credential`.

use std::collections::BTreeMap;

use crate::access::{Arn, RoleName, SecretRef, Span};
use crate::aws::secrets as aws_secrets;
use crate::model;
use crate::schema::{Attr, Limits, Timeouts};
use crate::store::{ONE_STORE, StoreBlock, StoreSettings, is_one_store};

use crate::resources::rotation::{Schedule, is_an_age};

/// The word for passwords that RDS makes and keeps.
pub(super) const RDS_MANAGED: &str = "rds_managed";

model! {
    /// Control of a database's master password: it is generated, stored in a secret before the database changes, proven
    /// by a login, and never written to state, plan or log.
    ///
    /// Creating it replaces the master password: clients that use the old one stop working, and the plan warns of it.
    /// Nothing is replaced when a secret that this provider made for the same database still logs in, or when
    /// `adopt_secret_ref` names a secret that does. A run that is interrupted at any point is continued by the next.
    ///
    /// Destroying it leaves the master password and the secret as they are, because nobody else knows the password. Only
    /// when the database is gone its secret is scheduled for deletion (in Vault it is deleted at once).
    ///
    /// With `method = "rds_managed"` RDS makes, stores and rotates the password; this resource switches that on, waits
    /// until a login with the managed secret works, and gives its ARN as `secret_ref`. RDS makes these changes only at
    /// once, so they are refused while any other change waits for the maintenance window. A change of `method` switches
    /// in place, in both directions; clients that use the password of before stop working.
    ///
    /// Destroying it leaves the management by RDS switched on, too.
    ///
    /// The permissions that it needs are those of the features `master_password` and `master_rds_managed` of the data source
    /// `rdsaccess_policy`, whose page lists each action. With `rds_managed` RDS uses some of them for the caller:
    /// `secretsmanager:CreateSecret`, `TagResource` and `RotateSecret`, `kms:DescribeKey` with any key, and
    /// `kms:CreateGrant`, `GenerateDataKey` and `Decrypt` for a key of your own, which `kms_key_arns` names there.
    ///
    /// ~> With `method = "password"` a password that RDS manages already (`manage_master_user_password`) is refused on
    /// create; use `method = "rds_managed"`, which takes it over without a change. Where `password` or `password_wo`
    /// stands in hashicorp/aws, freeze it with `ignore_changes`.
    pub struct MasterCredential {
        /// ARN of the standalone instance or of the cluster.
        target_arn: Arn = required().replace(),
        /// Who makes and keeps the password: this provider (`password`), or RDS in a secret of its own (`rds_managed`).
        /// After a switch to `rds_managed` the stored secret is scheduled for deletion (deleted at once in Vault); after a
        /// switch to `password` RDS has deleted its own.
        method: String = optional().computed().one_of(&["password", "rds_managed"]).defaults_to("password"),
        /// With `rds_managed`: the key that encrypts the secret, by key id, ARN or alias; `aws/secretsmanager` when it is
        /// left out. RDS sets it only when it begins to manage the password: another key is refused afterwards, and so is
        /// an alias in place of a known key, because which key it means is not asked. Switch `method` to `password`
        /// without `kms_key_id` and back instead.
        kms_key_id: String = optional().not_empty(),
        /// Where the secret lives; the `store` of the provider block when it is left out. It replaces that block as a
        /// whole. A change takes effect with the next rotation; the secret at the old place is then scheduled for
        /// deletion (in Vault it is deleted at once: version 1 of the engine keeps nothing). Not with `rds_managed`.
        store: StoreBlock = optional().check(ONE_STORE, is_one_store),
        /// When the password is replaced.
        rotation: Rotation = optional(),
        /// Length of generated passwords. Clusters, MySQL and MariaDB take at most 41 characters. A change takes effect
        /// with the next rotation. Not with `rds_managed`.
        password_length: i64 = optional().computed().between(8, 128).defaults_to(40),
        /// A secret with the password that works now. On create it is copied into the store, and the password is not
        /// replaced; a secret whose password is refused is an error, and nothing is replaced either. The secret itself
        /// is left alone. A change afterwards changes nothing. Not with `rds_managed`.
        adopt_secret_ref: SecretRef = optional(),
        /// How long the calls may take.
        timeouts: Timeouts = optional(),
        /// Name of the master user.
        username: RoleName = computed(),
        /// The secret: what other resources and agents refer to. With `rds_managed` the ARN of the secret of RDS.
        secret_ref: SecretRef = computed(),
        /// Id of the version that a login has proven.
        secret_version: String = computed(),
        /// When the password was stored (RFC 3339).
        rotated_at: String = computed(),
        /// When `rotation.after` is over (RFC 3339); null without it.
        rotation_due_at: String = computed(),
        /// `ok`, or what is wrong. Anything else than `ok` is repaired by the next apply, which replaces the password
        /// where it must.
        credential: String = computed(),
        /// Resource id of the database; null when the database is gone, and then this object is replaced.
        target_resource_id: String = computed(),
    }
}

model! {
    /// When the password is replaced.
    #[derive(Eq)]
    pub struct Rotation {
        /// Age at which the password is replaced by the next apply, such as `30d`. The age is taken at refresh, never at
        /// apply, so that a plan that was saved does what it says whenever it is applied; without a refresh nothing gets
        /// older. With `rds_managed` it is the schedule by which AWS replaces the password: 4 to 23 whole hours or 1 to
        /// 999 whole days. RDS begins with 7 days; a schedule that was changed by hand is set again.
        after: Span = optional().check("longer than `0s`", is_an_age),
        /// Any texts; the password is replaced when one of them changes. Setting them for the first time changes nothing.
        keepers: BTreeMap<String, String> = optional(),
    }
}

model! {
    /// What names a master credential for ever.
    pub struct MasterCredentialIdentity {
        /// ARN of the database.
        target_arn: Arn = required(),
    }
}

impl MasterCredential {
    /// Whether RDS makes and keeps the password.
    pub(super) fn is_managed(&self) -> bool {
        self.method.get().is_some_and(|method| method == RDS_MANAGED)
    }

    /// How often AWS is to rotate the secret of RDS; `None` when that is left to RDS.
    pub(super) fn managed_schedule(&self) -> Option<aws_secrets::Schedule> {
        let after = self.rotation.get().filter(|_| self.is_managed())?.after.get()?;
        aws_secrets::Schedule::try_from(*after).ok()
    }

    /// How long a create or update may take.
    pub(super) fn limit(&self, is_create: bool) -> Span {
        let timeouts = self.timeouts.get();
        let written = timeouts.and_then(|t| if is_create { t.create.get() } else { t.update.get() });
        written.copied().unwrap_or_else(|| Span::from_seconds(Limits::default().create))
    }

    /// The store that the configuration asks for; `None` for the provider's, or while parts are unknown.
    pub(super) fn store_settings(&self) -> Option<StoreSettings> {
        self.store.get().and_then(StoreBlock::settings)
    }

    /// Whether the place of the secret cannot be told yet.
    pub(super) fn store_is_unknown(&self) -> bool {
        self.store.is_unknown() || self.store.is_known() && self.store_settings().is_none()
    }

    /// When an apply is to replace the password. AWS looks after the age of a password that RDS manages.
    pub(super) fn own_schedule(&self) -> Schedule<'_> {
        let schedule = self.schedule();
        if self.is_managed() { Schedule { after: Attr::Null, ..schedule } } else { schedule }
    }

    /// When the password is to be replaced, by whomever.
    pub(super) fn schedule(&self) -> Schedule<'_> {
        match &self.rotation {
            Attr::Known(rotation) => Schedule { after: rotation.after.clone(), keepers: rotation.keepers.as_ref() },
            Attr::Null => Schedule { after: Attr::Null, keepers: Attr::Null },
            Attr::Unknown => Schedule { after: Attr::Unknown, keepers: Attr::Unknown },
        }
    }

    /// Fills `rotation_due_at` from what is known.
    pub(super) fn set_due(&mut self) {
        self.rotation_due_at = self.schedule().due(&self.rotated_at).map(|due| due.to_string());
    }

    /// The password length as the generator takes it.
    pub(super) fn length(&self) -> usize {
        self.password_length.get().and_then(|n| usize::try_from(*n).ok()).unwrap_or(40)
    }
}

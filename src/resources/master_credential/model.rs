//! Arguments and results of `rdsaccess_master_credential`.

use std::collections::BTreeMap;

use crate::access::{Arn, RoleName, SecretRef, Span};
use crate::model;
use crate::schema::{Attr, Timeouts};
use crate::store::{ONE_STORE, StoreBlock, StoreSettings, is_one_store};

use crate::resources::rotation::{Schedule, is_an_age};

model! {
    /// Control of a database's master password: it is generated, stored in a secret before the database changes, proven
    /// by a login, and never written to state, plan or log.
    ///
    /// Creating it replaces the master password: clients that use the old one stop working, and the plan warns of it.
    /// Nothing is replaced when a secret that this provider made for the same database still logs in, or when
    /// `adopt_secret_ref` names a secret that does. A run that is interrupted at any point is continued by the next.
    ///
    /// Destroying it leaves the master password and the secret as they are, because nobody else knows the password. Only
    /// when the database is gone its secret is scheduled for deletion.
    ///
    /// ~> A password that RDS manages itself (`manage_master_user_password`) is refused; pass the secret of RDS on
    /// instead. Where `password` or `password_wo` stands in hashicorp/aws, freeze it with `ignore_changes`.
    pub struct MasterCredential {
        /// ARN of the standalone instance or of the cluster.
        target_arn: Arn = required().replace(),
        /// Where the secret lives; the `store` of the provider block when it is left out. It replaces that block as a
        /// whole. A change takes effect with the next rotation; the secret at the old place is then scheduled for
        /// deletion.
        store: StoreBlock = optional().check(ONE_STORE, is_one_store),
        /// When the password is replaced.
        rotation: Rotation = optional(),
        /// Length of generated passwords. Clusters, MySQL and MariaDB take at most 41 characters. A change takes effect
        /// with the next rotation.
        password_length: i64 = optional().computed().between(8, 128).defaults_to(40),
        /// A secret with the password that works now. On create it is copied into the store, and the password is not
        /// replaced. The secret itself is left alone.
        adopt_secret_ref: SecretRef = optional(),
        /// How long the calls may take.
        timeouts: Timeouts = optional(),
        /// Name of the master user.
        username: RoleName = computed(),
        /// The secret: what other resources and agents refer to.
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
        /// older.
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
    /// The store that the configuration asks for; `None` for the provider's, or while parts are unknown.
    pub(super) fn store_settings(&self) -> Option<StoreSettings> {
        self.store.get().and_then(StoreBlock::settings)
    }

    /// Whether the place of the secret cannot be told yet.
    pub(super) fn store_is_unknown(&self) -> bool {
        self.store.is_unknown() || self.store.is_known() && self.store_settings().is_none()
    }

    /// When the password is to be replaced.
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

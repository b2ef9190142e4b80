//! What a resource may use: sessions with AWS, database servers, roots to trust, a clock and randomness.
//!
//! Only this file knows the concrete adapters. Everything is made lazily: a context that is never asked anything never
//! opens a connection or a file.

mod admin;
mod gateway;
mod notify;
mod password;
mod servers;
mod stores;
mod target;
mod tokens;
mod vault;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use crate::access::{TlsMode, Trust};
use crate::aws::{self, Sessions};
use crate::gateway::Gateway;
use crate::network;
use crate::notify::Sender;
use crate::report::Report;
use crate::schema::Reports;
use crate::store::StoreSettings;
use crate::store::vault::Vault;

use servers::Servers;
use tokens::TokenSources;

pub use admin::{Administrator, NoAdmin};
pub use gateway::{Error as GatewayError, GatewayBlock};
pub use notify::{CommandSettings, NoCommands};
pub use servers::Attempt;
pub use target::{Error as TargetError, Found, Takes, check_ready, found};
pub use vault::{Error as VaultError, VaultAuth, VaultBlock};

/// What a refresh does with a target that cannot be reached or entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnreachable {
    /// The plan fails
    Fail,
    /// The prior state is kept, with a warning
    Keep,
}

/// What a refresh looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// AWS, the gateway and the databases
    Database,
    /// AWS, the gateway and the stores only
    Aws,
}

/// How servers of databases are verified.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// How far to check
    pub mode: TlsMode,
    /// Further roots, PEM
    pub ca_bundle: Option<String>,
}

/// The provider block, resolved.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Attributes of the provider block that will be known only at apply
    pub unknown: Vec<String>,
    /// How to reach AWS
    pub aws: aws::Settings,
    /// The gateway and the token for it
    pub gateway: GatewayBlock,
    /// Vault and how to log in there
    pub vault: VaultBlock,
    /// How databases are verified
    pub tls: TlsSettings,
    /// Where generated secrets live unless a resource says otherwise
    pub store: StoreSettings,
    /// What a refresh does with an unreachable target
    pub on_unreachable: OnUnreachable,
    /// What a refresh looks at
    pub refresh: Refresh,
    /// Bound of connections to one database
    pub max_connections_per_target: usize,
    /// Whether commands may run, and what they inherit
    pub commands: CommandSettings,
    /// What tells the time
    pub clock: Clock,
}

/// What every call may use.
pub struct Context {
    parts: Parts,
    aws: Sessions,
    gateway: OnceLock<Gateway>,
    sender: OnceLock<Sender>,
    vault: OnceLock<Vault>,
    trust: OnceLock<Trust>,
    servers: Servers,
    tokens: TokenSources,
    /// What was said of whole accounts
    told: Mutex<HashSet<String>>,
}

impl Context {
    /// Makes a context; opens nothing.
    pub fn new(parts: Parts) -> Self {
        Self {
            aws: Sessions::new(parts.aws.clone()),
            gateway: OnceLock::new(),
            sender: OnceLock::new(),
            vault: OnceLock::new(),
            trust: OnceLock::new(),
            servers: Servers::default(),
            tokens: TokenSources::default(),
            told: Mutex::default(),
            parts,
        }
    }

    /// AWS.
    ///
    /// # Errors
    /// The provider block holds values that are not known yet: at plan it cannot be said which account is meant.
    pub fn aws(&self) -> Result<&Sessions, Reports> {
        // Tags are written at apply alone, when they are known; a store that is not known refuses what has to look there.
        let apart = ["allow_command", "gateway", "vault", "tags", "store"];
        let unknown: Vec<&str> =
            self.parts.unknown.iter().map(String::as_str).filter(|name| !apart.contains(name)).collect();
        if unknown.is_empty() {
            return Ok(&self.aws);
        }
        Err(Report::error(
            "The provider is not known well enough yet",
            format!(
                "These attributes of the provider block will be known only after apply: {}. Apply what they come from \
                 first (-target), or give them as variables.",
                unknown.join(", ")
            ),
        )
        .into())
    }

    /// Whether everything in the provider block is known.
    pub fn is_known(&self) -> bool {
        self.parts.unknown.is_empty()
    }

    /// What a database session trusts; read once.
    ///
    /// # Errors
    /// A `ca_bundle` that is not PEM.
    pub fn trust(&self) -> Result<&Trust, Reports> {
        if let Some(trust) = self.trust.get() {
            return Ok(trust);
        }
        let trust = network::trust(self.parts.tls.mode, self.parts.tls.ca_bundle.as_deref())?;
        Ok(self.trust.get_or_init(|| trust))
    }

    /// What a refresh does with an unreachable target.
    pub fn on_unreachable(&self) -> OnUnreachable {
        self.parts.on_unreachable
    }

    /// What a refresh looks at.
    pub fn refresh(&self) -> Refresh {
        self.parts.refresh
    }

    /// The time as state keeps it: RFC 3339 in whole seconds, UTC.
    pub fn timestamp(&self) -> String {
        jiff::Timestamp::try_from(self.now()).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The time. Plan and apply never decide by it; it is stored and compared with what is stored.
    pub fn now(&self) -> SystemTime {
        self.parts.clock.now()
    }

    /// How far the certificates of databases are checked.
    pub fn tls_mode(&self) -> TlsMode {
        self.parts.tls.mode
    }
}

/// What tells the time: the system, or a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// A clock that shows whatever `now` says.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    fn now(&self) -> SystemTime {
        (self.0)()
    }
}

#[cfg(test)]
impl Context {
    /// A context of an empty provider block with another clock.
    pub(crate) fn with_clock(clock: Clock) -> Self {
        let gateway = GatewayBlock { url: None, token: None, ca_bundle: None, user_agent: None };
        Self::new(Parts {
            unknown: Vec::new(),
            aws: aws::Settings::default(),
            gateway,
            vault: VaultBlock::default(),
            tls: TlsSettings { mode: TlsMode::VerifyFull, ca_bundle: None },
            store: StoreSettings::default(),
            on_unreachable: OnUnreachable::Fail,
            refresh: Refresh::Database,
            max_connections_per_target: 1,
            commands: CommandSettings::default(),
            clock,
        })
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "the one place where the provider looks at the clock")]
    SystemTime::now()
}

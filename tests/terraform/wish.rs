//! What a test wants to exist before it starts.

use std::collections::BTreeMap;

use serde::Serialize;

/// The wish for a rig. `fakes/rig.py` describes the fields.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Wish {
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    home_region: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    vault: bool,
    databases: Vec<DatabaseWish>,
}

impl Wish {
    /// An organization without any database.
    pub(crate) fn organization() -> Self {
        Self::default()
    }

    /// Lives in the partition of this region.
    pub(crate) fn home_region(mut self, region: &'static str) -> Self {
        self.home_region = Some(region);
        self
    }

    /// Asks for a database; `database` numbers in [`crate::rig::Rig`] follow this order.
    pub(crate) fn with(mut self, database: DatabaseWish) -> Self {
        self.databases.push(database);
        self
    }

    /// A stand-in for Vault, with TLS.
    pub(crate) fn with_vault(mut self) -> Self {
        self.vault = true;
        self
    }

    /// Every member role trusts the hub only with this external id.
    pub(crate) fn external_id(mut self, id: &str) -> Self {
        self.external_id = Some(id.to_owned());
        self
    }
}

/// One RDS instance or cluster, with a real server behind it.
#[derive(Debug, Serialize)]
pub(crate) struct DatabaseWish {
    account: String,
    region: String,
    identifier: String,
    engine: String,
    kind: &'static str,
    databases: Vec<String>,
    tags: BTreeMap<String, String>,
    server: bool,
    in_aws: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_of: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    master_password: Option<String>,
    iam: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'static str>,
}

impl DatabaseWish {
    /// An instance in an account of the organization (by name, see `fakes/aws/seed.py`).
    pub(crate) fn instance(account: &str, region: &str, identifier: &str, engine: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            identifier: identifier.to_owned(),
            engine: engine.to_owned(),
            kind: "instance",
            databases: Vec::new(),
            tags: BTreeMap::new(),
            server: true,
            in_aws: true,
            server_of: None,
            master_password: None,
            iam: false,
            program: None,
        }
    }

    /// A cluster with two members; one server answers to all their names.
    pub(crate) fn cluster(account: &str, region: &str, identifier: &str, engine: &str) -> Self {
        Self { kind: "cluster", ..Self::instance(account, region, identifier, engine) }
    }

    /// Databases to create inside the server, owned by the master user.
    pub(crate) fn holding(mut self, databases: &[&str]) -> Self {
        self.databases = databases.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// A tag of the database in AWS.
    pub(crate) fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Exists in the fake AWS only: its port is closed.
    pub(crate) fn unreachable(mut self) -> Self {
        self.server = false;
        self
    }

    /// The server of the database with this number answers here too.
    pub(crate) fn on_server_of(mut self, number: usize) -> Self {
        self.server_of = Some(number);
        self
    }

    /// The server and its names exist, but somebody else will create the database in AWS.
    pub(crate) fn not_yet_in_aws(mut self) -> Self {
        self.in_aws = false;
        self
    }

    /// Takes tokens of IAM authentication.
    pub(crate) fn with_iam(mut self) -> Self {
        self.iam = true;
        self
    }

    /// A real MySQL behind it, instead of MariaDB, which starts faster.
    pub(crate) fn on_mysql(mut self) -> Self {
        self.program = Some("mysql");
        self
    }

    pub(crate) fn master_password(mut self, password: &str) -> Self {
        self.master_password = Some(password.to_owned());
        self
    }
}

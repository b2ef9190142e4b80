//! A database with its store, both watched, and the objects that the tests change.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::{Value as Json, json};

use super::hosted::{Applied, Hosted, State, provider_block};
use super::stores::{Kept, Requests, SecretsManager, StoreUnderTest};
use super::watch::{Statements, Then, Watch};
use crate::fixture::{fill, is_postgres, master_secret};
use crate::rig::{Database, Rig};
use crate::sql::Login;
use crate::tds;
use crate::wish::{DatabaseWish, Wish};

/// Where the watched way to the databases begins: beside the servers, which listen on 127.0.0.1 only.
const WATCHED: &str = "127.0.0.2";

/// The engines of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Mariadb,
    Mysql,
    /// The stand-in of SQL Server
    SqlServer,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
            Self::SqlServer => "sqlserver",
        }
    }

    /// What a table of this engine does not show.
    pub(crate) fn proviso(self) -> &'static str {
        match self {
            Self::SqlServer => {
                "The server is a stand-in: it shows the order of the changes, the wire and the logins. That SQL Server \
                 means the same by a statement is not shown here."
            }
            Self::Postgres | Self::Mariadb | Self::Mysql => "",
        }
    }

    fn wish(self) -> DatabaseWish {
        let of = |engine| DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine);
        match self {
            Self::Postgres | Self::Mariadb => of(self.name()).holding(&["shop"]),
            Self::Mysql => of(self.name()).holding(&["shop"]).on_mysql(),
            // Its database is made with T-SQL.
            Self::SqlServer => of("sqlserver-ex"),
        }
    }
}

/// A rig with one database, and a watch on everything that can be changed.
pub(crate) struct Stage {
    pub(crate) rig: Rig,
    pub(crate) watch: Watch,
    pub(crate) store: Box<dyn StoreUnderTest>,
    admin: String,
    block: Json,
}

impl Stage {
    pub(crate) fn new(engine: Engine) -> Self {
        Self::with(engine, Box::new(SecretsManager))
    }

    pub(crate) fn with(engine: Engine, store: Box<dyn StoreUnderTest>) -> Self {
        let rig = Rig::start(&store.wish(Wish::organization().with(engine.wish())));
        match engine {
            Engine::SqlServer => {
                tds::make(rig.database(0), "shop", &["CREATE TABLE dbo.orders (id int, note nvarchar(100));"])
            }
            Engine::Postgres | Engine::Mariadb | Engine::Mysql => fill(rig.database(0), &["shop"]),
        }
        let watch = Watch::default();
        let endpoint = watch_aws(&rig, &watch);
        watch_database(&rig, &watch);
        let admin = master_secret(&rig, rig.database(0));
        let mut block = provider_block(&rig, &endpoint);
        for (key, value) in store.watched(&rig, &watch).as_object().into_iter().flatten() {
            block[key] = value.clone();
        }
        Self { rig, watch, store, admin, block }
    }

    pub(crate) fn database(&self) -> &Database {
        self.rig.database(0)
    }

    /// A provider process, configured.
    pub(crate) fn provider(&self) -> Hosted {
        Hosted::start(&self.rig, &self.block)
    }

    /// The role `name` in this round of its rotation.
    pub(crate) fn role(&self, name: &str, strategy: &str, round: usize) -> Subject {
        Subject {
            resource: "rdsaccess_role",
            user: name.to_owned(),
            configuration: json!({
                "target_arn": self.database().arn, "access": "read_only", "name": name,
                "admin": { "secret_ref": self.admin },
                "rotation": { "strategy": strategy, "keepers": { "round": round.to_string() } },
            }),
        }
    }

    /// The master credential in this round of its rotation.
    pub(crate) fn master(&self, round: usize) -> Subject {
        Subject {
            resource: "rdsaccess_master_credential",
            user: self.database().master_username.clone(),
            configuration: json!({
                "target_arn": self.database().arn, "rotation": { "keepers": { "round": round.to_string() } },
            }),
        }
    }

    /// Refreshes, plans and applies in a process of its own; acts after this many effects.
    pub(crate) fn apply_until(&self, subject: &Subject, prior: &State, after: usize, then: Then) -> Applied {
        let mut provider = self.provider();
        let prior = refreshed(&mut provider, subject, prior);
        let plan = provider.plan(subject.resource, &prior, &subject.configuration);
        self.watch.arm(after, then);
        provider.apply(subject.resource, &plan, &subject.configuration, &self.watch)
    }

    /// An apply that nothing disturbs.
    pub(crate) fn apply(&self, subject: &Subject, prior: &State) -> Applied {
        let applied = self.apply_until(subject, prior, usize::MAX, Then::Hold);
        self.watch.disarm();
        applied
    }

    /// Refreshes, plans and, where there is something to do, applies, in one process; says whether there was.
    pub(crate) fn repair(&self, subject: &Subject, prior: &State) -> (State, bool) {
        let mut provider = self.provider();
        let prior = refreshed(&mut provider, subject, prior);
        let plan = provider.plan(subject.resource, &prior, &subject.configuration);
        if plan.is_empty() {
            return (prior, false);
        }
        (provider.apply(subject.resource, &plan, &subject.configuration, &self.watch).ok(), true)
    }

    /// Refreshes and plans: the new state, and whether there is anything to do.
    pub(crate) fn plan(&self, subject: &Subject, prior: &State) -> (State, bool) {
        let mut provider = self.provider();
        let state = refreshed(&mut provider, subject, prior);
        let plan = provider.plan(subject.resource, &state, &subject.configuration);
        (state, !plan.is_empty())
    }

    /// Whether a user with this password gets in, as a client that we did not write.
    pub(crate) fn logs_in(&self, user: &str, password: &str) -> bool {
        let database = self.database();
        if is_sqlserver(database) {
            return tds::logs_in(database, user, password);
        }
        let login = Login::new(database, user, password);
        let login = if is_postgres(database) { login.database("shop") } else { login };
        login.run(&self.rig, "SELECT 1").is_ok()
    }

    /// Whether a version's user gets in.
    pub(crate) fn works(&self, kept: &Kept) -> bool {
        self.logs_in(&kept.username, &kept.password)
    }

    pub(crate) fn versions(&self, subject: &Subject) -> Vec<Kept> {
        self.store.versions(&self.rig, self.database(), &subject.user)
    }

    /// What readers of the store get.
    pub(crate) fn current(&self, subject: &Subject) -> Option<Kept> {
        self.versions(subject).into_iter().find(|kept| kept.current)
    }

    /// The end of every story: what readers get logs in, nothing waits, nothing is left over, nothing is to be done.
    pub(crate) fn assert_settled(&self, subject: &Subject, state: &State, story: &str) {
        let versions = self.versions(subject);
        let current =
            versions.iter().find(|kept| kept.current).unwrap_or_else(|| panic!("{story}: no current version"));
        assert!(self.works(current), "{story}: the current password of {} is refused", current.username);
        let clean = versions.iter().all(|kept| !kept.pending && (kept.current || kept.previous));
        assert!(clean && versions.len() <= self.store.keeps(), "{story}: something is left in the store");
        let passwords: BTreeSet<&String> = versions.iter().map(|kept| &kept.password).collect();
        assert_eq!(passwords.len(), versions.len(), "{story}: a password was stored twice");
        assert_eq!(self.store.left_over(&self.rig, self.database(), &subject.user), None, "{story}");
        let (after, has_changes) = self.plan(subject, state);
        assert_eq!(after.value, state.value, "{story}: the refresh after the apply finds something else");
        assert!(!has_changes, "{story}: the second plan is not empty");
    }
}

/// What has a password, as it is configured.
pub(crate) struct Subject {
    pub(crate) resource: &'static str,
    pub(crate) user: String,
    pub(crate) configuration: Json,
}

fn is_sqlserver(database: &Database) -> bool {
    database.server.as_deref() == Some("sqlserver")
}

fn refreshed(provider: &mut Hosted, subject: &Subject, prior: &State) -> State {
    if prior.value.is_null() { prior.clone() } else { provider.refresh(subject.resource, prior) }
}

/// Puts the watch before the fake AWS; returns its address there.
fn watch_aws(rig: &Rig, watch: &Watch) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("an address");
    let server = rig.made.endpoint.trim_start_matches("http://");
    watch.stand_before(listener, server.to_owned(), Box::new(Requests::of(server)));
    format!("http://{address}")
}

/// Puts the watch before the database, on the same port of another loopback address, and lets its name resolve there.
fn watch_database(rig: &Rig, watch: &Watch) {
    let database = rig.database(0);
    let listener = TcpListener::bind((WATCHED, database.port)).expect("the port is free beside the server");
    let log = database.log.as_ref().expect("the database has a server");
    let log = if is_sqlserver(database) { Statements::of_batches(log) } else { Statements::of(log) };
    watch.stand_before(listener, format!("127.0.0.1:{}", database.port), Box::new(log));
    let hosts = std::fs::read_to_string(&rig.made.hosts_file).expect("the hosts file");
    let watched =
        hosts.replace(&format!("127.0.0.1 {}", database.endpoint), &format!("{WATCHED} {}", database.endpoint));
    assert_ne!(hosts, watched, "the database has a name");
    std::fs::write(&rig.made.hosts_file, watched).expect("the hosts file is ours");
}

//! Round trips to a distant server, counted on the wire, and statements, counted in the server's general log.

use std::time::Instant;

use futures_util::future::try_join_all;
use rdsaccess::engine::Ownership;

use super::*;
use crate::figures::{Figure, with_login_and_lock};
use crate::proxy::Proxy;

const DATABASES: [&str; 4] = ["app", "billing", "second", "third"];
/// Taking the writer's lock and giving it back.
const LOCK: usize = 2;

struct Distant {
    server: TestServer,
    proxy: Proxy,
    /// Round trips of a login and the settings of a session
    set_up: usize,
}

/// What one case took, without set-up and lock.
#[derive(Debug, PartialEq, Eq)]
struct Took {
    round_trips: usize,
    /// Statements that change accounts or grants
    changes: usize,
}

impl Distant {
    async fn start() -> Self {
        let server = TestServer::start(&[]).await;
        for database in DATABASES {
            let table = format!("CREATE TABLE {database}.t (id INT)");
            server.by_hand(&[&format!("CREATE DATABASE {database}"), &table]).await;
        }
        let proxy = Proxy::start(server.port()).await;
        let mut distant = Self { server, proxy, set_up: 0 };
        // MySQL keeps the hash that the first login proves, which shortens those after it.
        for _ in 0..2 {
            distant.engine().ping().await.unwrap();
        }
        // A sign of life is one statement after the set-up.
        distant.set_up = distant.proxy.connections()[1].round_trips - 1;
        distant
    }

    /// The engine as a new process opens it.
    fn engine(&self) -> Mysql {
        let mut login = self.server.admin();
        login.endpoint.port = self.proxy.port;
        Mysql::new(login).unwrap()
    }

    /// Runs a case with a new engine, and counts. Everything goes over one connection.
    async fn count(&self, case: &str, lock: usize, bar: usize, work: impl AsyncFnOnce(Mysql)) -> Took {
        let (known, position) = (self.proxy.connections().len(), self.server.log_position());
        let start = Instant::now();
        work(self.engine()).await;
        let time = start.elapsed();
        let connections = self.proxy.connections().split_off(known);
        let [connection] = connections.as_slice() else { panic!("{connections:?}") };
        let round_trips = connection.round_trips - self.set_up - lock;
        let changes = changing(&self.server.logged_since(position)).len();
        let engine = if self.server.is_mysql { "MySQL" } else { "MariaDB" };
        let case = format!("{engine}, {} databases: {case}", DATABASES.len());
        let (unit, count) = if lock == 0 { ("round trips", round_trips) } else { ("statements", changes) };
        Figure { case, unit, count, bar, beside: with_login_and_lock(connection.round_trips, time) }.check();
        Took { round_trips, changes }
    }
}

#[tokio::test]
async fn a_role_takes_a_statement_per_database_and_a_look_one_round_trip() {
    let distant = Distant::start().await;
    let bar = DATABASES.len() + 3;
    let rw = role("hoop_rw", Access::ReadWrite);
    let made =
        distant.count("create", LOCK, bar, async |mysql| assert_complete(&ensure(&mysql, &rw).await, &DATABASES));
    let create_and_unlock = 2;
    let wanted = Took { round_trips: 3, changes: DATABASES.len() + create_and_unlock };
    assert_eq!(made.await, wanted, "a look, the statements in one go, a look at what is there then");

    let read = distant.count("read of one role", 0, 1, async |mysql| {
        assert_complete(&mysql.read(&rw).await.unwrap(), &DATABASES);
    });
    assert_eq!(read.await, Took { round_trips: 1, changes: 0 });

    let nothing = distant.count("apply with nothing to do", LOCK, 0, async |mysql| {
        assert_complete(&ensure(&mysql, &rw).await, &DATABASES);
    });
    assert_eq!(nothing.await, Took { round_trips: 1, changes: 0 });

    distant.server.by_hand(&["REVOKE INSERT ON second.* FROM hoop_rw@'%'"]).await;
    let repaired = distant.count("repair of one grant", LOCK, 1, async |mysql| {
        assert_complete(&ensure(&mysql, &rw).await, &DATABASES);
    });
    assert_eq!(repaired.await, Took { round_trips: 3, changes: 1 });
}

#[tokio::test]
async fn all_roles_are_read_in_one_round_trip() {
    let distant = Distant::start().await;
    let specs: Vec<RoleSpec> = (0..30).map(|n| role(&format!("hoop_{n:02}"), Access::ALL[n % 3])).collect();
    for spec in specs.iter().take(3) {
        ensure(&mysql(&distant.server), spec).await;
    }
    for roles in [3, 30] {
        let case = format!("read of {roles} roles at once");
        let read = distant.count(&case, 0, 1, async |mysql| {
            let seen = try_join_all(specs.iter().take(roles).map(|spec| mysql.read(spec))).await.unwrap();
            seen.iter().take(3).for_each(|observed| assert_complete(observed, &DATABASES));
            assert!(seen.iter().skip(3).all(|observed| observed.ownership == Ownership::Absent));
        });
        assert_eq!(read.await, Took { round_trips: 1, changes: 0 });
    }
}

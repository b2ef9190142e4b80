//! Stands between the provider and the servers: what changed a server is told by that server's own log, and the answer
//! to a chosen change is held back, so that the provider can be killed after the change and before it knows.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// What a server wrote about its work.
pub(crate) trait Log: Send {
    /// The effects since it was asked last, in words without names.
    fn news(&mut self) -> Vec<String>;
    /// Leaves out all that was so far
    fn forget(&mut self);
}

/// What becomes of the answer to the chosen effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing passes any more
    Hold,
    /// The connection breaks, once
    Cut,
    /// The connection breaks, and for this time every connection to a database does
    FailOver(Duration),
}

#[derive(Default)]
struct State {
    logs: Vec<Box<dyn Log>>,
    effects: Vec<String>,
    stop: Option<(usize, Then)>,
    held: bool,
    /// No connection to a database is good before
    down_until: Option<Instant>,
}

/// The log that is followed second: AWS comes first, a store of its own last.
const DATABASE: usize = 1;

/// All that is watched of one rig.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<State>>);

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Forgets what was, and acts after this many effects.
    pub(crate) fn arm(&self, after: usize, then: Then) {
        let mut state = self.state();
        state.logs.iter_mut().for_each(|log| log.forget());
        *state = State { logs: std::mem::take(&mut state.logs), stop: Some((after, then)), ..State::default() };
    }

    /// Lets everything pass, and returns the effects since it was armed.
    pub(crate) fn disarm(&self) -> Vec<String> {
        let mut state = self.state();
        let news: Vec<String> = state.logs.iter_mut().flat_map(|log| log.news()).collect();
        state.effects.extend(news);
        (state.stop, state.held) = (None, false);
        std::mem::take(&mut state.effects)
    }

    /// Whether the chosen effect has happened and its answer is held.
    pub(crate) fn is_held(&self) -> bool {
        self.state().held
    }

    /// Listens at an address, passes everything on to a server and follows its log. It ends with the test's process.
    pub(crate) fn stand_before(&self, listener: TcpListener, server: String, log: Box<dyn Log>) {
        let watch = self.clone();
        let number = {
            let mut state = self.state();
            state.logs.push(log);
            state.logs.len() - 1
        };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (watch, server) = (watch.clone(), server.clone());
                // Opened on a thread of its own: a server that is full must not keep the others waiting.
                std::thread::spawn(move || watch.carry(&client, &server, number));
            }
        });
    }

    fn carry(&self, client: &TcpStream, server: &str, log: usize) {
        let Ok(server) = TcpStream::connect(server) else { return };
        for stream in [client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let asking = self.clone();
        std::thread::spawn(move || asking.pass_on(&from_client, &to_server, Self::of_question));
        self.pass_on(&server, client, |watch| watch.of_answer(log));
    }

    fn of_question(&self) -> Passes {
        if self.state().held { Passes::Later } else { Passes::Now }
    }

    /// Whether an answer may pass; looks what the server did.
    fn of_answer(&self, log: usize) -> Passes {
        let mut state = self.state();
        if log == DATABASE && state.down_until.is_some_and(|end| Instant::now() < end) {
            return Passes::Never;
        }
        let Some((after, then)) = state.stop else { return Passes::Now };
        if state.held {
            return Passes::Later;
        }
        let news = state.logs[log].news();
        state.effects.extend(news);
        if state.effects.len() < after {
            return Passes::Now;
        }
        match then {
            Then::Hold => {
                state.held = true;
                Passes::Later
            }
            Then::Cut => {
                state.stop = None;
                Passes::Never
            }
            Then::FailOver(time) => {
                (state.stop, state.down_until) = (None, Some(Instant::now() + time));
                // Other answers pass: it is the database that fails.
                if log == DATABASE { Passes::Never } else { Passes::Now }
            }
        }
    }

    /// Carries one direction until it ends, or until something may not pass: then both ends are closed, at the latest
    /// when nothing is held any more.
    fn pass_on(&self, mut from: &TcpStream, mut to: &TcpStream, passes: impl Fn(&Self) -> Passes) {
        let mut buffer = vec![0; 65_536];
        loop {
            let length = from.read(&mut buffer).unwrap_or(0);
            if length == 0 {
                let _closed_already = to.shutdown(Shutdown::Write);
                return;
            }
            let passes = passes(self);
            while passes == Passes::Later && self.is_held() {
                std::thread::sleep(Duration::from_millis(10));
            }
            if passes != Passes::Now || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        for stream in [from, to] {
            let _closed_already = stream.shutdown(Shutdown::Both);
        }
    }
}

/// What becomes of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passes {
    Now,
    Later,
    Never,
}

/// The statement log of a database server.
pub(crate) struct Statements {
    log: File,
    /// The beginning of a line that is being written
    rest: Vec<u8>,
    /// What finds the statements in whole lines
    entries: fn(&str) -> Vec<String>,
}

impl Statements {
    pub(crate) fn of(path: &Path) -> Self {
        Self { log: File::open(path).expect("the server has a log"), rest: Vec::new(), entries }
    }

    /// The log of the stand-in of SQL Server.
    pub(crate) fn of_batches(path: &Path) -> Self {
        Self { entries: batches, ..Self::of(path) }
    }
}

impl Log for Statements {
    fn news(&mut self) -> Vec<String> {
        self.log.read_to_end(&mut self.rest).expect("the log is read");
        let whole = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let new: Vec<u8> = self.rest.drain(..whole).collect();
        (self.entries)(&String::from_utf8_lossy(&new)).iter().filter_map(|entry| change(entry)).collect()
    }

    fn forget(&mut self) {
        let _before = self.news();
    }
}

/// The statements in a piece of a log: of PostgreSQL (`LOG:  statement: …`, lines that go on begin with a tab), of
/// MariaDB and MySQL (`… Query\t…`).
fn entries(log: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    let mut open = false;
    for line in log.lines() {
        let begins = ["statement: ", "Query\t", "Execute\t"].iter().find_map(|mark| line.split_once(mark));
        let executes = || line.split_once("LOG:  execute ").and_then(|(_, rest)| rest.split_once(": "));
        if let Some((_, statement)) = begins.or_else(executes) {
            entries.push(statement.to_owned());
            open = true;
        } else if let (true, true, Some(entry)) = (open, is_continued(line), entries.last_mut()) {
            entry.push('\n');
            entry.push_str(line.trim_start());
        } else {
            open = false;
        }
    }
    entries
}

/// Batches that take and release the writer's lock, which ends with its session.
const LOCKS: [&str; 2] = ["DECLARE @taken int; EXEC @taken = sys.sp_getapplock", "EXEC sys.sp_releaseapplock"];

/// The batches in a piece of the stand-in's log: an object in JSON on every line.
fn batches(log: &str) -> Vec<String> {
    let sql = log.lines().map(|line| {
        let entry: Json = serde_json::from_str(line).expect("the stand-in writes JSON");
        entry["sql"].as_str().expect("a text").to_owned()
    });
    sql.filter(|sql| !LOCKS.iter().any(|lock| sql.starts_with(lock))).collect()
}

/// PostgreSQL indents the further lines of an entry; the others write them as they are, and begin entries with a time.
fn is_continued(line: &str) -> bool {
    line.starts_with('\t') && !line.contains("Connect\t") && !line.contains("Quit\t")
        || !line.starts_with(['\t', '1', '2', ' '])
}

/// Statements that change nothing that outlives their session.
const HARMLESS: [&str; 16] = [
    "SELECT",
    "SHOW",
    "SET",
    "BEGIN",
    "START",
    "COMMIT",
    "ROLLBACK",
    "DO",
    "USE",
    "WITH",
    "RESET",
    "DISCARD",
    "DEALLOCATE",
    "EXPLAIN",
    "LOCK",
    "UNLOCK",
];

/// The kinds of change that an entry of the log makes, if any; a batch is one change, because it is one transaction.
fn change(entry: &str) -> Option<String> {
    let mut kinds: Vec<String> = Vec::new();
    for statement in entry.split(";\n").flat_map(|part| part.split("; ")) {
        let mut words = statement.split_whitespace().map(str::to_uppercase);
        let Some(first) = words.next() else { continue };
        let first = first.trim_end_matches(';').to_owned();
        let is_word = !first.is_empty() && first.chars().all(|c| c.is_ascii_uppercase());
        if !is_word || HARMLESS.contains(&first.as_str()) && !statement.contains("pg_terminate_backend") {
            continue;
        }
        let object =
            words.next().filter(|word| ["ROLE", "USER", "LOGIN", "DEFAULT", "ON", "DATABASE"].contains(&word.as_str()));
        let kind = object.map_or_else(|| first.clone(), |object| format!("{first} {object}"));
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    (!kinds.is_empty()).then(|| kinds.join(", "))
}

#[test]
fn changes_are_told_from_reads_in_every_log() {
    let postgres = "2026-01-01 [7] LOG:  statement: SELECT 1\n2026-01-01 [7] LOG:  statement: BEGIN;\n\tCREATE ROLE \"a\";\n\t\
                    GRANT x TO y;\n\tGRANT z TO y;\n\tCOMMIT\n2026-01-01 [7] LOG:  execute s1: SELECT 2\n2026-01-01 [7] \
                    LOG:  disconnection\n";
    let changes = |log: &str| entries(log).iter().filter_map(|entry| change(entry)).collect::<Vec<_>>();
    assert_eq!(changes(postgres), ["CREATE ROLE, GRANT"]);
    let mariadb = "260101 10:00:00\t     5 Connect\tadmin@% on \n\t\t     5 Query\tSET NAMES utf8mb4\n\t\t     5 \
                   Query\tALTER USER `a`@`%` IDENTIFIED VIA x\n\t\t     5 Execute\tGRANT SELECT ON *.* TO `a`@`%`\n\t\t     \
                   5 Quit\t\n";
    assert_eq!(changes(mariadb), ["ALTER USER", "GRANT"]);
    let mysql = "2026-01-01T10:00:00.1Z\t   12 Query\tCREATE USER `a`\n2026-01-01T10:00:00.2Z\t   12 Query\tSELECT 1\n";
    assert_eq!(changes(mysql), ["CREATE USER"]);
    let line = |sql: &str| serde_json::json!({"login": "admin", "database": "shop", "sql": sql}).to_string() + "\n";
    let sqlserver = [
        "SET XACT_ABORT ON; SET NOCOUNT ON;",
        "DECLARE @taken int; EXEC @taken = sys.sp_getapplock @Resource = N'roles'; SELECT @taken;",
        "BEGIN TRANSACTION;\nCREATE LOGIN [a] WITH PASSWORD = N'x';\nALTER LOGIN [a] DISABLE;\nCOMMIT TRANSACTION;",
        "EXEC sys.sp_releaseapplock @Resource = N'roles';",
    ];
    let found: Vec<String> = batches(&sqlserver.map(line).concat()).iter().filter_map(|entry| change(entry)).collect();
    assert_eq!(found, ["CREATE LOGIN, ALTER LOGIN"]);
}

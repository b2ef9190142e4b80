//! Other people at work on a server while Terraform runs, and what the provider takes of servers and memory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::fixture::{is_postgres, providers_of};
use crate::rig::Database;
use crate::sql::owners_client;
use crate::workspace::{Run, Workspace};

const BETWEEN_GRANTS: Duration = Duration::from_millis(2);
const BETWEEN_SAMPLES: Duration = Duration::from_millis(20);
/// Milliseconds that a connection takes to end after the client closed it.
const GOODBYE: u64 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// Linux counts the time of processes in hundredths of a second.
const TICKS: u64 = 100;

/// A client that is fed the same statements until it is told to stop.
pub(crate) struct Feed {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, String)>,
}

impl Feed {
    fn start(mut client: Command, statements: String, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut child =
            client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the client runs");
        let mut stdout = child.stdout.take().expect("a pipe");
        let heard = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("the client prints text");
            text
        });
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut stdin = child.stdin.take().expect("a pipe");
            let mut rounds = 0;
            while !stopping.load(Ordering::SeqCst) && stdin.write_all(statements.as_bytes()).is_ok() {
                rounds += 1;
                std::thread::sleep(pause);
            }
            // What it has not read yet is of no use any more.
            let _ = child.kill();
            let _ = child.wait();
            (rounds, heard.join().expect("the output is read"))
        });
        Self { stop, thread }
    }

    /// How often the statements were sent, and what they printed.
    pub(crate) fn stop(self) -> (usize, String) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the client is fed")
    }
}

/// Somebody who grants and revokes on the table `orders` of this database, and on the database itself, for an account of
/// his own.
pub(crate) fn bystander(target: &Database, database: &str) -> Feed {
    let mut client = owners_client(target, database);
    let postgres = is_postgres(target);
    let (name, more) = if postgres { ("bystander", "-vON_ERROR_STOP=0") } else { ("bystander@'%'", "--force") };
    client.arg(more);
    let mut statements = format!("CREATE {} {name};\n", if postgres { "ROLE" } else { "USER IF NOT EXISTS" });
    for (grant, to) in [("GRANT", "TO"), ("REVOKE", "FROM")] {
        statements += &format!("{grant} SELECT ON orders {to} {name};\n");
        statements += &if postgres {
            format!(
                "{grant} USAGE ON SCHEMA public {to} {name};\n{grant} CONNECT ON DATABASE {database} {to} {name};\n"
            )
        } else {
            format!("{grant} SELECT ON {database}.* {to} {name};\n")
        };
    }
    Feed::start(client, statements, BETWEEN_GRANTS)
}

/// The provider's connections to a server while this is watched. PostgreSQL logs when each of them began and ended; the
/// log of MariaDB and MySQL has seconds only, so they are listed again and again.
pub(crate) enum Connections {
    Logged { log: PathBuf, from: usize },
    Listed(Feed),
}

impl Connections {
    pub(crate) fn watch(target: &Database) -> Self {
        if is_postgres(target) {
            let log = target.log.clone().expect("the server has a log");
            let from = fs::read(&log).expect("the log is readable").len();
            return Self::Logged { log, from };
        }
        let ours = format!("USER = '{}' OR USER RLIKE '^(app|hoop)'", target.master_username);
        let list = "information_schema.processlist";
        let sql = format!("SELECT CONCAT('=', COALESCE(GROUP_CONCAT(ID), '')) FROM {list} WHERE {ours}");
        let mut client = owners_client(target, "");
        client.arg("--unbuffered");
        Self::Listed(Feed::start(client, format!("{sql};\n"), BETWEEN_SAMPLES))
    }

    /// How many there were at most.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::Logged { log, from } => {
                let log = fs::read(log).expect("the log is readable").split_off(from);
                most_logged(&String::from_utf8_lossy(&log))
            }
            Self::Listed(feed) => most_listed(&feed.stop().1),
        }
    }
}

/// One that the client has closed stays in the list for a moment, so only what three samples in a row show is counted.
fn most_listed(listed: &str) -> usize {
    let samples: Vec<Vec<&str>> = listed
        .lines()
        .filter_map(|line| line.strip_prefix('='))
        .map(|ids| ids.split(',').filter(|id| !id.is_empty()).collect())
        .collect();
    let held = |three: &[Vec<&str>]| match three {
        [one, two, three] => one.iter().filter(|id| two.contains(id) && three.contains(id)).count(),
        _ => 0,
    };
    samples.windows(3).map(held).max().unwrap_or(0)
}

/// The server notes the end of a connection some milliseconds after the client closed it; one that ends so soon after
/// another began does not count beside that.
fn most_logged(log: &str) -> usize {
    let mut open: BTreeMap<&str, u64> = BTreeMap::new();
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for line in log.lines() {
        let Some((time, pid)) = time_and_process(line) else { continue };
        if line.contains("connection authorized") && line.contains("application_name=terraform-provider-rdsaccess") {
            open.insert(pid, time);
        } else if line.contains("disconnection: ") {
            spans.extend(open.remove(pid).map(|began| (began, time)));
        }
    }
    spans.extend(open.into_values().map(|began| (began, u64::MAX)));
    let beside = |at: u64| spans.iter().filter(|(began, ended)| *began <= at && *ended > at + GOODBYE).count();
    // What begins and ends within that moment is one connection all the same.
    spans.iter().map(|(began, _)| beside(*began).max(1)).max().unwrap_or(0)
}

/// Milliseconds of the day, and the process: `2026-01-31 10:20:30.456 UTC [123] LOG:  …`.
fn time_and_process(line: &str) -> Option<(u64, &str)> {
    let (_, rest) = line.split_once(' ')?;
    let (time, rest) = rest.split_once(' ')?;
    let (_, rest) = rest.split_once('[')?;
    let (pid, _) = rest.split_once(']')?;
    let (seconds, millis) = time.split_once('.')?;
    let seconds = seconds.split(':').try_fold(0, |sum, part| Some(sum * 60 + part.parse::<u64>().ok()?))?;
    Some((seconds * 1000 + millis.parse::<u64>().ok()?, pid))
}

#[test]
fn short_logins_are_counted_and_goodbyes_are_not() {
    let began = |at: u32, pid: u32| {
        format!(
            "2026-01-31 10:20:30.{at:03} UTC [{pid}] LOG:  connection authorized: user=u database=d \
             application_name=terraform-provider-rdsaccess SSL enabled\n"
        )
    };
    let ended = |at: u32, pid: u32| {
        format!("2026-01-31 10:20:30.{at:03} UTC [{pid}] LOG:  disconnection: session time: 0:00:00.030\n")
    };
    let log = [began(100, 1), began(110, 2), ended(140, 1), began(141, 3), ended(145, 2), ended(180, 3)].concat();
    assert_eq!(most_logged(&log), 2, "the second is saying goodbye when the third begins");
    assert_eq!(most_logged(&[began(100, 1), ended(105, 1)].concat()), 1);
    assert_eq!(most_logged("2026-01-31 10:20:30.100 UTC [1] LOG:  statement: SELECT 1\n"), 0);
}

/// A Terraform command that was watched.
pub(crate) struct Watched {
    pub(crate) run: Run,
    pub(crate) time: Duration,
    /// The most memory that a provider process ever held, in MiB
    pub(crate) memory: u64,
    /// What all provider processes together took of the processor
    pub(crate) provider_cpu: Duration,
    /// What Terraform itself took
    pub(crate) terraform_cpu: Duration,
    /// The most memory that Terraform itself ever held, in MiB
    pub(crate) terraform_memory: u64,
}

/// What a process has taken so far.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    kibibytes: u64,
    ticks: u64,
}

/// Runs a Terraform command and looks at the memory of its provider processes.
pub(crate) fn watch(workspace: &Workspace<'_>, arguments: &[&str]) -> Watched {
    let file = |name: &str| workspace.folder().join(name);
    let mut command = workspace.command(arguments);
    // What is measured should not be the logging.
    command.env_remove("TF_LOG").env_remove("TF_LOG_PATH");
    command.stdout(File::create(file("stdout.txt")).expect("a file"));
    command.stderr(File::create(file("stderr.txt")).expect("a file"));
    let begin = Instant::now();
    let mut child = command.spawn().expect("the command runs");
    let (mut terraform, mut providers) = (Taken::default(), BTreeMap::new());
    let status = loop {
        for pid in providers_of(child.id()) {
            providers.extend(taken(pid).map(|now| (pid, now)));
        }
        terraform = taken(child.id()).unwrap_or(terraform);
        match child.try_wait().expect("the command is waited for") {
            Some(status) => break status,
            None => std::thread::sleep(BETWEEN_LOOKS),
        }
    };
    let time = begin.elapsed();
    let text = |name: &str| fs::read_to_string(file(name)).expect("what it said");
    let run = Run { code: status.code().unwrap_or(-1), stdout: text("stdout.txt"), stderr: text("stderr.txt") };
    let cpu = |ticks: u64| Duration::from_millis(ticks * 1000 / TICKS);
    Watched {
        run,
        time,
        memory: providers.values().map(|one| one.kibibytes).max().unwrap_or(0) / 1024,
        provider_cpu: cpu(providers.values().map(|one| one.ticks).sum()),
        terraform_cpu: cpu(terraform.ticks),
        terraform_memory: terraform.kibibytes / 1024,
    }
}

/// What a process has taken; nothing where it has just ended.
fn taken(pid: u32) -> Option<Taken> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    // The state is the third field of `proc(5)`; user and system time are the 14th and 15th.
    let times = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap_or(0));
    Some(Taken { kibibytes: high_water_mark(pid), ticks: times.sum() }).filter(|taken| taken.kibibytes > 0)
}

/// `VmHWM` of a process in KiB; nothing where it has just ended.
fn high_water_mark(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

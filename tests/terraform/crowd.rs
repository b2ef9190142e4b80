//! Other people at work on a server while Terraform runs, and what the provider takes of servers and memory.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
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
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

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

/// Lists the provider's connections to a server again and again.
pub(crate) struct Connections(Feed);

impl Connections {
    pub(crate) fn watch(target: &Database) -> Self {
        let (database, sql) = if is_postgres(target) {
            let ours = "application_name = 'terraform-provider-rdsaccess'";
            let sql =
                format!("SELECT '=' || coalesce(string_agg(pid::text, ','), '') FROM pg_stat_activity WHERE {ours}");
            ("postgres", sql)
        } else {
            let ours = format!("USER = '{}'", target.master_username);
            let list = "information_schema.processlist";
            ("", format!("SELECT CONCAT('=', COALESCE(GROUP_CONCAT(ID), '')) FROM {list} WHERE {ours}"))
        };
        let mut client = owners_client(target, database);
        if !is_postgres(target) {
            client.arg("--unbuffered");
        }
        Self(Feed::start(client, format!("{sql};\n"), BETWEEN_SAMPLES))
    }

    /// How many there were at most. One that the client has closed stays in the list for a moment, so only what three
    /// samples in a row show is counted.
    pub(crate) fn most(self) -> usize {
        let (_, listed) = self.0.stop();
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
}

/// A Terraform command that was watched.
pub(crate) struct Watched {
    pub(crate) run: Run,
    pub(crate) time: Duration,
    /// The most memory that a provider process ever held, in MiB
    pub(crate) memory: u64,
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
    let mut kibibytes = 0;
    let status = loop {
        kibibytes = providers_of(child.id()).into_iter().map(high_water_mark).max().unwrap_or(0).max(kibibytes);
        match child.try_wait().expect("the command is waited for") {
            Some(status) => break status,
            None => std::thread::sleep(BETWEEN_LOOKS),
        }
    };
    let time = begin.elapsed();
    let text = |name: &str| fs::read_to_string(file(name)).expect("what it said");
    let run = Run { code: status.code().unwrap_or(-1), stdout: text("stdout.txt"), stderr: text("stderr.txt") };
    Watched { run, time, memory: kibibytes / 1024 }
}

/// `VmHWM` of a process in KiB; nothing where it has just ended.
fn high_water_mark(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

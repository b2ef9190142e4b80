//! Running a command: its own environment, its own process group, within its time.

use std::io::{PipeReader, PipeWriter, Read};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::access::Secret;

use super::output::{KEPT, shown};
use super::{Error, Kind, Redactor};

/// What the gateway asked its agent for.
const REQUEST: &str = "HOOP_AWS_CONNECT_REQUEST";
/// What the agent answered.
const RESPONSE: &str = "HOOP_AWS_CONNECT_RESPONSE";
/// Largest variable that Linux takes, with its name, `=` and the end.
const LARGEST_VARIABLE: usize = 128 * 1024;
/// The exit code of a command that was out of time, as of `timeout`.
const OUT_OF_TIME: i64 = 124;
/// How long output is waited for after the end of the command: what it left running may hold its output open.
const LINGER: Duration = Duration::from_secs(1);

/// A command with what it gets.
pub struct Hook {
    /// Id of the event, for errors
    pub event: String,
    /// Program and arguments; no shell is in between
    pub command: Vec<String>,
    /// The environment besides the two variables: nothing is inherited
    pub environment: Vec<(String, String)>,
    /// `HOOP_AWS_CONNECT_REQUEST`
    pub request: Secret<String>,
    /// `HOOP_AWS_CONNECT_RESPONSE`
    pub response: Secret<String>,
    /// How long it may take
    pub within: Duration,
    /// Takes secrets out of its output
    pub redactor: Redactor,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code: 128 and the number of the signal that ended it, 124 when its time was over
    pub exit_code: i64,
    /// Standard output and error as they came, cleaned and cut
    pub output: String,
    /// How long it took
    pub took: Duration,
    /// Whether its time was over
    pub is_late: bool,
}

impl Hook {
    /// Runs the command to its end, or ends it and every process of its group when its time is over. Dropped on the way,
    /// it does the same. A process that left the group, by `setsid` for example, goes on: nothing leads from the command
    /// to it any more.
    ///
    /// # Errors
    /// The command does not start.
    pub async fn run(&self) -> Result<Ran, Error> {
        self.check_sizes()?;
        let began = Instant::now();
        let (reader, writer) = std::io::pipe().map_err(|error| self.no_start(&error))?;
        let child = self.spawn(writer).map_err(|error| self.no_start(&error))?;
        let mut group = Group { child, is_over: false };
        let mut tail = Tail::of(reader);
        let ended = timeout(self.within, group.child.wait()).await;
        let is_late = ended.is_err();
        if is_late {
            group.end();
        }
        let status = match ended {
            Ok(status) => status,
            Err(_) => group.child.wait().await,
        };
        group.is_over = true;
        let took = began.elapsed();
        let breaks_off = !tail.is_whole().await || is_late;
        let output = tail.shown(breaks_off, &self.redactor);
        let exit_code = if is_late { OUT_OF_TIME } else { exit_code(status.map_err(|error| self.no_start(&error))?) };
        Ok(Ran { exit_code, output, took, is_late })
    }

    fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    fn check_sizes(&self) -> Result<(), Error> {
        for (name, value) in [(REQUEST, &self.request), (RESPONSE, &self.response)] {
            let size = name.len() + value.expose().len() + 2;
            if size > LARGEST_VARIABLE {
                return Err(self.error(Kind::TooLarge { name, size, limit: LARGEST_VARIABLE }));
            }
        }
        Ok(())
    }

    /// One pipe for both streams, so that they come in the order in which they were written.
    fn spawn(&self, output: PipeWriter) -> std::io::Result<Child> {
        let mut command = Command::new(self.program());
        command
            .args(self.command.iter().skip(1))
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(REQUEST, self.request.expose())
            .env(RESPONSE, self.response.expose())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        command.spawn()
    }

    fn no_start(&self, error: &std::io::Error) -> Error {
        self.error(Kind::NoStart { reason: error.to_string() })
    }

    fn error(&self, kind: Kind) -> Error {
        Error { address: self.program().to_owned(), event: self.event.clone(), attempts: 1, kind }
    }
}

/// The command's process group; it does not outlive this value before its end was seen.
struct Group {
    child: Child,
    is_over: bool,
}

impl Group {
    /// Ends every process of the group. As long as the command's own end was not seen its number is not given to another
    /// process.
    #[cfg(unix)]
    fn end(&self) {
        let Some(pid) = self.child.id() else { return };
        // The kill of the shell is on every system; the program of that name is not.
        let script = "kill -s KILL -- \"-$1\"";
        let mut kill = std::process::Command::new("/bin/sh");
        kill.args(["-c", script, "sh", &pid.to_string()]).env_clear();
        kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = kill.status() {
            tracing::warn!(pid, %error, "the processes that the command started are not ended");
        }
    }

    #[cfg(not(unix))]
    fn end(&mut self) {
        let _ = self.child.start_kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_over {
            self.end();
        }
    }
}

/// The output of the command, read by a thread of its own: a process that it left running may hold the pipe open for
/// ever, and nobody waits for that thread.
struct Tail {
    read: Arc<Mutex<Output>>,
    whole: oneshot::Receiver<()>,
}

#[derive(Default)]
struct Output {
    kept: Vec<u8>,
    total: usize,
}

impl Tail {
    fn of(mut pipe: PipeReader) -> Self {
        let read = Arc::new(Mutex::new(Output::default()));
        let (end, whole) = oneshot::channel();
        let ours = Arc::clone(&read);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let mut output = ours.lock().unwrap_or_else(PoisonError::into_inner);
                let room = KEPT.saturating_sub(output.kept.len());
                output.kept.extend(buffer.iter().take(count.min(room)));
                output.total += count;
            }
            let _ = end.send(());
        });
        Self { read, whole }
    }

    /// Whether everything was read: nobody holds the output open any more.
    async fn is_whole(&mut self) -> bool {
        timeout(LINGER, &mut self.whole).await.is_ok()
    }

    fn shown(&self, breaks_off: bool, redactor: &Redactor) -> String {
        let output = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        shown(&output.kept, output.total, breaks_off, redactor)
    }
}

/// As shells tell it.
#[cfg(unix)]
fn exit_code(status: ExitStatus) -> i64 {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal().map_or(0, i64::from);
    status.code().map_or(128 + signal, i64::from)
}

#[cfg(not(unix))]
fn exit_code(status: ExitStatus) -> i64 {
    status.code().map_or(-1, i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(script: &str) -> Hook {
        let path = ("PATH".to_owned(), "/usr/bin:/bin".to_owned());
        Hook {
            event: "e".to_owned(),
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            environment: vec![path],
            request: r#"{"master_password":"hunter2-master"}"#.into(),
            response: "{}".into(),
            within: Duration::from_secs(60),
            redactor: Redactor::new([&"hunter2-master".into()]),
        }
    }

    async fn run(script: &str) -> Ran {
        hook(script).run().await.unwrap()
    }

    #[tokio::test]
    async fn both_streams_come_as_they_were_written_with_the_exit_code() {
        let ran = run("echo one; echo two >&2; echo three; exit 3").await;
        assert_eq!((ran.exit_code, ran.output.as_str(), ran.is_late), (3, "one\ntwo\nthree\n", false));
        assert_eq!(run("kill -s TERM $$").await.exit_code, 143);
        assert_eq!(run("cat; echo nothing to read").await.output, "nothing to read\n");
    }

    #[tokio::test]
    async fn a_command_gets_its_two_variables_and_nothing_that_it_was_not_given() {
        let ran = run("env | sort | cut -d= -f1 | grep -v -e '^PWD$' -e '^_$' -e SHLVL -e OLDPWD").await;
        assert_eq!(ran.output, format!("{REQUEST}\n{RESPONSE}\nPATH\n"));
        assert_eq!(run("echo \"$HOOP_AWS_CONNECT_REQUEST\"").await.output, "{\"master_password\":\"***\"}\n");
    }

    #[tokio::test]
    async fn a_command_that_is_late_ends_with_every_process_of_its_group() {
        let late = Hook { within: Duration::from_secs(2), ..hook("sleep 600 & echo $!; sleep 600") };
        let ran = late.run().await.unwrap();
        assert_eq!((ran.exit_code, ran.is_late), (124, true));
        let pid: u32 = ran.output.trim().parse().expect("the command said which process it started");
        assert!(is_gone(&pid.to_string()).await, "process {pid} goes on");
    }

    #[tokio::test]
    async fn a_process_that_left_the_group_outlives_a_command_that_is_late() {
        let left = "until [ \"$(cut -d' ' -f6 /proc/$pid/stat)\" = $pid ]; do :; done";
        let script = format!("setsid sleep 600 & pid=$!; {left}; echo $pid; sleep 600 & echo $!; sleep 600");
        let late = Hook { within: Duration::from_secs(3), ..hook(&script) };
        let ran = late.run().await.unwrap();
        assert_eq!((ran.exit_code, ran.is_late), (124, true));
        let (outside, inside) =
            ran.output.trim().split_once('\n').expect("setsid is there: apt-get install util-linux");
        assert!(is_gone(inside).await, "process {inside} goes on");
        assert!(std::process::Command::new("kill").arg(outside).status().unwrap().success(), "{outside} goes on");
    }

    #[tokio::test]
    async fn a_command_that_nobody_waits_for_any_more_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let hook = hook(&format!("echo $$ > {0}.new; mv {0}.new {0}; sleep 600", file.display()));
        let wait_for_pid = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            ran = hook.run() => panic!("it ended: {ran:?}"),
            () = wait_for_pid => {}
        }
        let pid = std::fs::read_to_string(&file).unwrap();
        assert!(is_gone(pid.trim()).await, "process {pid} goes on");
    }

    /// Whether the process ends soon; one that only waits to be noticed has ended.
    async fn is_gone(pid: &str) -> bool {
        for _ in 0..500 {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    #[tokio::test]
    async fn what_a_command_leaves_running_is_not_waited_for() {
        let ran = run("sleep 600 & echo $!").await;
        let pid: u32 = ran.output.trim().parse().unwrap();
        assert_eq!(ran.exit_code, 0);
        assert!(std::process::Command::new("kill").arg(pid.to_string()).status().unwrap().success(), "it goes on");
    }

    #[tokio::test]
    async fn a_huge_output_is_read_to_its_end_and_shown_up_to_the_cut() {
        let ran =
            run("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done").await;
        assert!(ran.output.ends_with("[cut at 4096 bytes, the output has 123000]"), "{}", ran.output);
        assert_eq!(ran.exit_code, 0);
    }

    #[tokio::test]
    async fn what_does_not_start_is_explained_without_the_variables() {
        let missing = Hook { command: vec!["no-such-program".to_owned()], ..hook("") };
        let text = crate::report::Report::of(&missing.run().await.unwrap_err()).to_string();
        assert!(
            text.contains("`no-such-program`") && text.contains("No such file") && !text.contains("hunter2"),
            "{text}"
        );
        let large = Hook { request: Secret::new("x".repeat(LARGEST_VARIABLE)), ..hook("") };
        let text = crate::report::Report::of(&large.run().await.unwrap_err()).to_string();
        assert!(text.contains(REQUEST) && text.contains("131072"), "{text}");
        let fits = LARGEST_VARIABLE - REQUEST.len() - 2;
        let largest = Hook { request: Secret::new("x".repeat(fits)), ..hook("echo ${#HOOP_AWS_CONNECT_REQUEST}") };
        assert_eq!(largest.run().await.unwrap().output, format!("{fits}\n"), "the system takes that much");
    }
}

//! When the process ends and when it does not.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::client::{BINARY, SOON, command, connect, signal};
use crate::host::{COOKIE, ClientIdentity, Host, schema};

/// After this a host kills.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn after_a_shutdown_the_process_is_gone_in_time_and_so_is_its_socket() {
    let identity = ClientIdentity::new();
    let mut plugin = Host::with_tls(&identity).start().await;
    let config = identity.config(&plugin.line, rustls::ALL_VERSIONS);
    let channel = plugin.connect_as(config).await.unwrap();
    plugin.shut_down(channel.clone()).await;
    // Even if the host keeps its connection
    let status = timeout(PATIENCE, plugin.child.wait()).await.expect("the host would have killed").unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(plugin.left_nothing_behind());
    drop(channel);
}

#[tokio::test]
async fn ctrl_c_and_terminate_are_left_to_the_host() {
    let mut plugin = Host::without_tls().start().await;
    let channel = plugin.connect().await.unwrap();
    schema(channel.clone()).await.unwrap();
    for name in ["INT", "TERM", "INT"] {
        signal(&plugin.child, name);
        tokio::time::sleep(Duration::from_millis(50)).await;
        schema(channel.clone()).await.unwrap();
    }
    plugin.shut_down(channel).await;
    let status = timeout(PATIENCE, plugin.child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_closed_connection_does_not_end_the_process() {
    let plugin = Host::without_tls().start().await;
    for _ in 0..3 {
        let channel = plugin.connect().await.unwrap();
        schema(channel).await.unwrap();
    }
}

#[tokio::test]
async fn standard_output_stays_silent_after_the_line() {
    let mut plugin = Host::without_tls().variable("TF_LOG", "TRACE").start().await;
    let channel = plugin.connect().await.unwrap();
    schema(channel.clone()).await.unwrap();
    plugin.shut_down(channel).await;
    let mut rest = String::new();
    timeout(PATIENCE, plugin.stdout.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, "");
}

/// A shell stands for the host. The plugin's end is seen on its standard output, which nobody else holds open.
#[tokio::test]
async fn the_process_ends_when_its_parent_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut shell = shell_around_plugin(&directory).spawn().unwrap();
    let mut stdout = BufReader::new(shell.stdout.take().unwrap());
    let mut line = String::new();
    timeout(SOON, stdout.read_line(&mut line)).await.unwrap().unwrap();
    let socket = line.split('|').nth(3).unwrap().to_owned();
    let channel = connect(move || UnixStream::connect(socket.clone())).await.unwrap();
    schema(channel.clone()).await.expect("it serves before");
    shell.kill().await.unwrap();
    timeout(SOON, stdout.read_line(&mut line)).await.expect("the plugin outlives its parent").unwrap();
    assert!(directory.path().read_dir().unwrap().next().is_none());
}

fn shell_around_plugin(directory: &TempDir) -> Command {
    let mut shell = Command::new("/bin/sh");
    // The second command keeps the shell from replacing itself by the plugin
    shell.args(["-c", "\"$0\"; exit 1", BINARY]);
    shell.env_clear().env("TMPDIR", directory.path()).envs([COOKIE]);
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    shell
}

#[tokio::test]
async fn a_host_that_does_not_listen_any_more_gets_no_process() {
    let directory = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = command(&directory).envs([COOKIE]).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    let status = timeout(SOON, child.wait()).await.expect("the plugin goes on").unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(directory.path().read_dir().unwrap().next().is_none());
}

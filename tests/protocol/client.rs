//! A running provider and a client of its service, for tests that are about the service.

use std::process::Stdio;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rdsaccess::plugin::MESSAGE_LIMIT;
use serde_json::Value;
use tempfile::TempDir;
use tfplugin_proto::tfplugin6::provider_client::ProviderClient;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tonic::transport::{Channel, Endpoint};

/// The program under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_terraform-provider-rdsaccess");

/// How long anything may take that should take no time.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The provider, started with `--debug`, and a connection to it. It is interrupted when the value is dropped.
pub(crate) struct Plugin {
    child: Child,
    channel: Channel,
    reattach: Value,
    /// Holds the socket
    _directory: TempDir,
}

impl Plugin {
    /// Starts the provider with an empty environment.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts the provider with these environment variables and no others.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = command(&directory)
            .arg("--debug")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let reattach = tokio::time::timeout(SOON, reattach(&mut child)).await.expect("no TF_REATTACH_PROVIDERS");
        let path = reattach["Addr"]["String"].as_str().unwrap().to_owned();
        let channel = connect(move || UnixStream::connect(path.clone())).await.unwrap();
        Self { child, channel, reattach, _directory: directory }
    }

    /// A client of the provider service with the limits that Terraform has.
    pub(crate) fn client(&self) -> ProviderClient<Channel> {
        provider_client(self.channel.clone())
    }

    /// The connection, for another client.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// What the provider said about itself in `TF_REATTACH_PROVIDERS`.
    pub(crate) fn reattach(&self) -> &Value {
        &self.reattach
    }

    /// The process, to signal it or to wait for it.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Interrupts the provider and returns everything that it wrote to standard error.
    pub(crate) async fn finish(mut self) -> String {
        signal(&self.child, "INT");
        tokio::time::timeout(SOON, stderr(&mut self.child)).await.expect("the provider goes on after SIGINT")
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        signal(&self.child, "INT");
    }
}

/// The binary with nothing but a directory for its socket in the environment.
pub(crate) fn command(directory: &TempDir) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("TMPDIR", directory.path()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A channel over whatever `dial` opens.
pub(crate) async fn connect<S, F>(dial: impl FnMut() -> F + Send + 'static) -> Result<Channel, tonic::transport::Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    F: Future<Output = std::io::Result<S>> + Send + 'static,
{
    let mut dial = dial;
    let connector = tower::service_fn(move |_| {
        let dialling = dial();
        async move { dialling.await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await
}

/// A client of the provider service with the limits that Terraform has.
pub(crate) fn provider_client(channel: Channel) -> ProviderClient<Channel> {
    ProviderClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT).max_encoding_message_size(MESSAGE_LIMIT)
}

/// Sends a signal by its name, such as `INT`; a process that is gone is left alone.
pub(crate) fn signal(child: &Child, name: &str) {
    if let Some(pid) = child.id() {
        let status = std::process::Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
        assert!(status.is_ok(), "no kill program");
    }
}

/// Everything from standard error, up to the end of the process.
pub(crate) async fn stderr(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).await.unwrap();
    text
}

async fn reattach(child: &mut Child) -> Value {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let Some(json) = line.trim().strip_prefix("TF_REATTACH_PROVIDERS='") else { continue };
        let providers: Value = serde_json::from_str(json.strip_suffix('\'').unwrap()).unwrap();
        return providers["rdsaccess/rdsaccess"].clone();
    }
    panic!("the provider ended: {}", stderr(child).await)
}

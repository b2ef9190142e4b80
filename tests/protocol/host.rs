//! The program that starts plugins, as Terraform does it.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P521_SHA512};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tfplugin_proto::plugin::Empty;
use tfplugin_proto::plugin::grpc_controller_client::GrpcControllerClient;
use tfplugin_proto::tfplugin6::get_provider_schema;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Child;
use tokio_rustls::TlsConnector;
use tonic::transport::Channel;

use crate::client::{SOON, command, connect, provider_client};

/// What hosts put into the environment.
pub(crate) const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// A host before it starts a plugin.
pub(crate) struct Host {
    variables: Vec<(String, String)>,
}

impl Host {
    /// A host with TLS switched off.
    pub(crate) fn without_tls() -> Self {
        Self { variables: Vec::new() }.variable(COOKIE.0, COOKIE.1).variable("PLUGIN_PROTOCOL_VERSIONS", "5,6")
    }

    /// A host that identifies itself.
    pub(crate) fn with_tls(identity: &ClientIdentity) -> Self {
        Self::without_tls().variable("PLUGIN_CLIENT_CERT", &identity.pem)
    }

    /// Adds or replaces an environment variable of the plugin.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts a plugin and reads its line.
    pub(crate) async fn start(self) -> Started {
        let directory = tempfile::tempdir().unwrap();
        let mut child =
            command(&directory).envs(self.variables).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        tokio::time::timeout(SOON, stdout.read_line(&mut line)).await.expect("no line").unwrap();
        Started { line: Line::parse(&line), child, stdout, directory }
    }

    /// Starts a plugin that ends without a line; returns its exit code and what it wrote to standard error.
    pub(crate) async fn start_in_vain(self) -> (Option<i32>, String) {
        let directory = tempfile::tempdir().unwrap();
        let output = command(&directory).envs(self.variables).output();
        let output = tokio::time::timeout(SOON, output).await.expect("the plugin goes on").unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

/// A plugin that has said where it listens.
pub(crate) struct Started {
    pub(crate) line: Line,
    pub(crate) child: Child,
    pub(crate) stdout: BufReader<tokio::process::ChildStdout>,
    /// Holds the socket
    pub(crate) directory: TempDir,
}

impl Started {
    /// Connects without TLS.
    pub(crate) async fn connect(&self) -> Result<Channel, tonic::transport::Error> {
        let path = self.line.place.clone();
        assert_eq!(self.line.network, "unix");
        connect(move || UnixStream::connect(path.clone())).await
    }

    /// Connects with TLS, trusting only the certificate of the line.
    pub(crate) async fn connect_as(&self, client: ClientConfig) -> Result<Channel, tonic::transport::Error> {
        let (line, connector) = (self.line.clone(), TlsConnector::from(Arc::new(client)));
        let dial = move || {
            let (line, connector) = (line.clone(), connector.clone());
            async move {
                let name = ServerName::try_from("localhost").unwrap();
                let stream: Box<dyn Transport> = match line.network.as_str() {
                    "unix" => Box::new(UnixStream::connect(&line.place).await?),
                    _ => Box::new(TcpStream::connect(&line.place).await?),
                };
                let stream = connector.connect(name, stream).await?;
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
                Ok(stream)
            }
        };
        connect(dial).await
    }

    /// Asks the plugin to end.
    pub(crate) async fn shut_down(&self, channel: Channel) {
        GrpcControllerClient::new(channel).shutdown(Empty {}).await.unwrap();
    }

    /// Whether the plugin has removed its socket.
    pub(crate) fn left_nothing_behind(&self) -> bool {
        !Path::new(&self.line.place).exists() && self.directory.path().read_dir().unwrap().next().is_none()
    }
}

/// The first call of every host.
pub(crate) async fn schema(channel: Channel) -> Result<get_provider_schema::Response, tonic::Status> {
    let mut client = provider_client(channel);
    let response = client.get_provider_schema(get_provider_schema::Request {}).await?;
    Ok(response.into_inner())
}

pub(crate) trait Transport: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Transport for T {}

/// What the plugin wrote to standard output, taken apart as go-plugin does it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) network: String,
    pub(crate) place: String,
    pub(crate) certificate: Option<CertificateDer<'static>>,
    /// Fields after the sixth
    pub(crate) more: Vec<String>,
}

impl Line {
    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.trim().split('|').collect();
        assert!(line.ends_with('\n') && fields.len() >= 6, "{line:?}");
        assert_eq!((fields[0], fields[1], fields[4]), ("1", "6", "grpc"), "{line:?}");
        let certificate = (!fields[5].is_empty()).then(|| {
            assert!(fields[5].len() > 50, "hosts take a short field for no certificate");
            STANDARD_NO_PAD.decode(fields[5]).expect("base64 without padding").into()
        });
        let more = fields[6..].iter().map(|field| (*field).to_owned()).collect();
        Self { network: fields[2].to_owned(), place: fields[3].to_owned(), certificate, more }
    }
}

/// A host's key and certificate, made as Terraform makes them: P-521, self-signed, and an authority by its own words.
pub(crate) struct ClientIdentity {
    pub(crate) pem: String,
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl ClientIdentity {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), certificate: certificate.der().clone(), key }
    }

    /// Client settings that show this identity and trust only the plugin's certificate.
    pub(crate) fn config(&self, line: &Line, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let builder = trusting(line, versions);
        with_h2(builder.with_client_auth_cert(vec![self.certificate.clone()], key).unwrap())
    }
}

/// Client settings that show no identity.
pub(crate) fn anonymous(line: &Line, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    with_h2(trusting(line, versions).with_no_client_auth())
}

fn trusting(
    line: &Line,
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(line.certificate.clone().expect("a certificate on the line")).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

fn with_h2(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

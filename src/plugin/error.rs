//! Why the plugin process cannot start or go on.

use std::io;
use std::path::PathBuf;

use crate::report::Explain;

/// Everything that ends the process before or outside a call. It is written to standard error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The magic cookie is missing: a person started the program
    #[error("this program is a provider, and they start it themselves")]
    StartedByHand,
    /// The command line holds something else than a known flag
    #[error("the argument {0:?} does not exist")]
    UnknownArgument(String),
    /// `PLUGIN_CLIENT_CERT` holds no certificate
    #[error("PLUGIN_CLIENT_CERT holds no certificate in PEM form")]
    ClientCertificate,
    /// No key or certificate of our own
    #[error("cannot make a certificate for this process: {0}")]
    OwnCertificate(#[from] rcgen::Error),
    /// The TLS library refused our settings
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// No place to listen at
    #[error("cannot listen at {}", place.display())]
    Listen {
        /// Socket path or directory, or the loopback address
        place: PathBuf,
        /// What the operating system said
        #[source]
        source: io::Error,
    },
    /// `PLUGIN_UNIX_SOCKET_GROUP` names nothing
    #[error("the group {0:?} of PLUGIN_UNIX_SOCKET_GROUP does not exist")]
    SocketGroup(String),
    /// The host does not read our line any more
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// No threads or no event queue
    #[error("cannot start the asynchronous runtime")]
    Runtime(#[source] io::Error),
    /// The server stopped by itself
    #[error("the gRPC server stopped")]
    Serve(#[from] tonic::transport::Error),
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::StartedByHand => "Not started by Terraform or OpenTofu",
            Self::UnknownArgument(_) => "Unknown argument",
            _ => "The provider process cannot serve",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::StartedByHand => {
                "name it in the required_providers block of a configuration and run `terraform init`; to use it with a \
                 debugger start it with --debug"
            }
            Self::UnknownArgument(_) => "see --help",
            Self::Listen { .. } => "set TMPDIR to a short path of a directory that you can write to",
            _ => return None,
        };
        Some(step.to_owned())
    }
}

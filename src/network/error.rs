//! What can be wrong with certificates, in words.

use crate::report::Explain;

/// A `ca_bundle` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text holds no `-----BEGIN CERTIFICATE-----` block
    #[error("`ca_bundle` holds no certificate{}", if *path { ": it looks like a path" } else { "" })]
    NoCertificate {
        /// The text looks like the name of a file
        path: bool,
    },
    /// A PEM block of another kind
    #[error("`ca_bundle` holds a `{label}` block; only `CERTIFICATE` blocks belong there")]
    ForeignBlock {
        /// The block's label, such as `PRIVATE KEY`
        label: String,
    },
    /// A block that is not PEM
    #[error("`ca_bundle`, certificate {number}: {reason}")]
    Pem {
        /// Place in the text, counted from 1
        number: usize,
        /// Why, without the content
        reason: String,
    },
    /// A certificate that TLS cannot use
    #[error("`ca_bundle`, certificate {number}{subject}: {reason}")]
    Certificate {
        /// Place in the text, counted from 1
        number: usize,
        /// ` (CN=…)` where it could be read, else empty
        subject: String,
        /// Why
        reason: String,
    },
    /// The certificates inside the provider are broken; a fault of the build
    #[error("the certificates built into the provider cannot be read: {0}")]
    BuiltIn(String),
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::BuiltIn(_) => "The built-in RDS certificates are broken",
            _ => "The CA bundle cannot be used",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::NoCertificate { path: true } => "Pass the content, not the name of the file: `file(\"ca.pem\")`.",
            Self::NoCertificate { path: false } | Self::Pem { .. } | Self::Certificate { .. } => {
                "Pass PEM text with one `-----BEGIN CERTIFICATE-----` block per certificate, such as \
                 `file(\"ca.pem\")`, and check it with `openssl storeutl -noout -certs ca.pem`."
            }
            Self::ForeignBlock { label } if label.contains("PRIVATE KEY") => {
                "Take the private key out of the file, and treat it as disclosed: everything in `ca_bundle` can \
                 stand in a plan."
            }
            Self::ForeignBlock { .. } => "Convert the certificate with `openssl x509 -in ca.pem -out plain.pem`.",
            Self::BuiltIn(_) => "Report it with the provider's version.",
        };
        Some(step.to_owned())
    }
}

//! How far a database server's certificate is checked, and against which roots.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Invalid;

/// The check of a server certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsMode {
    /// Chain and host name
    VerifyFull,
    /// Chain only
    VerifyCa,
    /// No TLS at all
    Disable,
}

impl TlsMode {
    /// Every mode, the strictest first.
    pub const ALL: [Self; 3] = [Self::VerifyFull, Self::VerifyCa, Self::Disable];

    /// The word used in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyFull => "verify-full",
            Self::VerifyCa => "verify-ca",
            Self::Disable => "disable",
        }
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TlsMode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|m| m.as_str() == text).ok_or_else(|| {
            Invalid::new(format!("`{text}` is not a TLS mode: `verify-full`, `verify-ca` or `disable` is expected"))
        })
    }
}

/// What a database session trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// How far to check
    pub mode: TlsMode,
    /// Trusted root certificates, DER
    pub roots: Arc<Vec<Vec<u8>>>,
}

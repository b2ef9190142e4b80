//! How a role proves who it is.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// The way to log in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Auth {
    /// With a stored password
    #[default]
    Password,
    /// With a token of IAM database authentication, and with no password at all
    Iam,
}

impl Auth {
    /// Both ways.
    pub const ALL: [Self; 2] = [Self::Password, Self::Iam];

    /// The word used in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Iam => "iam",
        }
    }
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Auth {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|auth| auth.as_str() == text)
            .ok_or_else(|| Invalid::new(format!("`{text}` is not a way to log in: `password` or `iam` is expected")))
    }
}

//! The three levels of access; each adds to the one before.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// What a role may do: read, write, or change the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// `read_only`
    ReadOnly,
    /// `read_write`
    ReadWrite,
    /// `ddl`
    Ddl,
}

impl Access {
    /// Every level, from the least.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::ReadWrite, Self::Ddl];

    /// The word used in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::ReadWrite => "read_write",
            Self::Ddl => "ddl",
        }
    }

    /// The short form in names of roles, groups and connections: `ro`, `rw`, `ddl`.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::ReadOnly => "ro",
            Self::ReadWrite => "rw",
            Self::Ddl => "ddl",
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Access {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|a| a.as_str() == text).ok_or_else(|| {
            Invalid::new(format!("`{text}` is not a level of access: `read_only`, `read_write` or `ddl` is expected"))
        })
    }
}

//! Which version of a secret a reader asks for.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// A version by its stage. The words are the staging labels of Secrets Manager; every store has the same words, so that
/// a configuration can move from one store to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretStage {
    /// What readers get; of our own secrets only a version that a login has proven
    #[default]
    Current,
    /// The version of a change of the password that has not finished
    Pending,
    /// The version before the current one
    Previous,
}

impl SecretStage {
    /// Every stage, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Current, Self::Pending, Self::Previous];

    /// The word used in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Pending => "AWSPENDING",
            Self::Previous => "AWSPREVIOUS",
        }
    }
}

impl fmt::Display for SecretStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SecretStage {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text).ok_or_else(|| {
            Invalid::new(format!(
                "`{text}` is not a stage of a secret: `AWSCURRENT`, `AWSPENDING` or `AWSPREVIOUS` is expected"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_read_as_it_is_written() {
        for stage in SecretStage::ALL {
            assert_eq!(stage.to_string().parse(), Ok(stage));
        }
        assert!("current".parse::<SecretStage>().unwrap_err().0.contains("`AWSPENDING`"));
    }
}

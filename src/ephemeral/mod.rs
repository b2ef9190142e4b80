//! Ephemeral resources: one folder each.

mod iam_token;
mod secret;

pub use iam_token::IamToken;
pub use secret::SecretValue;

//! Ephemeral resources: one folder each.

mod iam_token;

pub use iam_token::IamToken;

//! Terraform's plugin protocol 6: from messages to our words and back. Knows nothing of AWS.

pub mod codec;
mod service;
pub mod wire;

pub use service::Service;

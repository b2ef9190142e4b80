//! The log: JSON lines on standard error, in the form that go-plugin hosts understand (hclog).
//!
//! Hosts are picky readers: they crash when a reserved key is not a string, and they split lines over 64 KiB. So nothing
//! else in the process may write JSON to standard error, and only our own modules log below the level WARN: libraries
//! would print requests with everything in them.

mod layer;
mod level;
mod line;
mod redact;

pub(super) use layer::install;
pub(super) use level::Levels;

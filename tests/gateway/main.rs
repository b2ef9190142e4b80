//! The gateway client against the stand-in in `tests/fakes/gateway`, which keeps the real gateway's rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod connections;
mod failures;
mod hidden;
mod members;
mod restarts;
mod rig;
mod stand_in;
mod transport;

//! The engines against real database servers, started for each test on loopback.
#![allow(unreachable_pub)]

mod postgres;
mod server_postgres;

//! Discovery in organizations of any size, by the provider's own protocol: no Terraform, so that what is counted and
//! measured is the provider's.
//!
//! The tests count calls and look for everything; `bench`, which `scripts/bench` runs, prints times and memory.

mod accounts;
mod bench;
mod fake;
mod instances;
mod provider;

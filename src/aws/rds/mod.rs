//! RDS: what is there, which of it is a target, and the few changes that the provider makes.
//!
//! Reads of one account and region share one inventory; `describe_now` asks for a single database afresh. Changes go
//! through a [`ModifyLock`], one at a time per database.

mod classify;
mod describe;
mod inventory;
mod modify;
mod pending;
mod sweep;

pub use inventory::{Described, Inventory, Other};
pub use modify::{GroupsError, ModifyLock, Pauses};
pub use sweep::{Found, Regions};

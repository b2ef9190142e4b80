//! AWS Organizations: the tree of organizational units with its accounts, walked by parent.
//!
//! `walk` says what to ask next, `client` makes the calls at the pace of `pace`, `shared` lets all who ask share a reading.

mod client;
mod pace;
mod path;
mod select;
mod shared;
mod throttle;
mod tree;
mod walk;

pub use path::{UnitPath, UnitRef};
pub use select::{Selection, UnknownUnit};
pub(super) use shared::Shared;
pub(super) use throttle::NotOnThrottling;
pub use tree::{Account, OrganizationTree, Unit};

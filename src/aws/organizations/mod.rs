//! AWS Organizations: the tree of organizational units with its accounts, walked by parent.
//!
//! `walk` says what to ask next, `client` makes the calls, `shared` lets all who ask share a reading.

mod client;
mod path;
mod select;
mod shared;
mod standing;
mod tree;
mod walk;

pub use path::{UnitPath, UnitRef};
pub use select::{Selection, UnknownUnit};
pub(super) use shared::Shared;
pub(super) use standing::Standings;
pub use standing::is_leaving;
pub use tree::{Account, OrganizationTree, Unit};

//! AWS Organizations: the tree of organizational units with its accounts, walked by parent.

mod path;
mod select;
mod standing;
mod tree;
mod walk;

pub use path::{UnitPath, UnitRef};
pub use select::{Selection, UnknownUnit};
pub(super) use standing::Standings;
pub use standing::is_leaving;
pub use tree::{Account, OrganizationTree, Unit};

//! AWS Organizations: the tree of organizational units with its accounts, walked by parent.

mod path;
mod select;
mod tree;
mod walk;

pub use path::{UnitPath, UnitRef};
pub use select::{Selection, UnknownUnit};
pub use tree::{Account, OrganizationTree, Unit};

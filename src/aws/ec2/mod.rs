//! EC2: security groups with their rules, and the regions that an account has switched on.

mod groups;
mod regions;
mod rules;

pub use groups::{GROUPS_PER_INTERFACE, NewGroup, SecurityGroup, SecurityGroups};
pub use rules::{NewRule, Rule};

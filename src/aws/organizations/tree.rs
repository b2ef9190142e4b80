//! The organization as plain data.

use super::path::UnitPath;
use crate::access::AccountId;

/// All units and accounts of an organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationTree {
    /// Roots and units, sorted by path
    pub units: Vec<Unit>,
    /// Accounts, sorted by id
    pub accounts: Vec<Account>,
}

/// A root or organizational unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// `r-…` or `ou-…-…`
    pub id: String,
    /// Name as people see it
    pub name: String,
    /// Names from the root down
    pub path: UnitPath,
}

/// An account of the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The 12 digits
    pub id: AccountId,
    /// Name as people see it
    pub name: String,
    /// Address of the root user
    pub email: String,
    /// ARN of the account in the organization
    pub arn: String,
    /// `ACTIVE`, `SUSPENDED`, `PENDING_ACTIVATION`, `PENDING_CLOSURE` or `CLOSED`
    pub status: String,
    /// `CREATED` or `INVITED`
    pub joined_method: String,
    /// RFC 3339, UTC
    pub joined_at: Option<String>,
    /// Id of the unit that holds it
    pub ou_id: String,
    /// Path of the unit that holds it
    pub ou_path: UnitPath,
}

impl OrganizationTree {
    pub(super) fn sort(&mut self) {
        self.units.sort_by(|a, b| a.path.cmp(&b.path));
        self.accounts.sort_by(|a, b| a.id.cmp(&b.id));
    }
}

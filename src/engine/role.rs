//! What a role should be, and what it is.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use crate::access::{
    Access, Auth, Coverage, DatabaseName, Expiry, Grant, HostPattern, Mark, Missing, RoleName, SchemaName,
};

/// Which part of a server a role covers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Databases; all non-system databases when `None`
    pub databases: Option<BTreeSet<DatabaseName>>,
    /// Schemas (PostgreSQL only); all non-system schemas when `None`
    pub schemas: Option<BTreeSet<SchemaName>>,
    /// Owners whose objects a `ddl` role may change and drop besides those that `ddl` logins made (PostgreSQL only);
    /// no others when `None`
    pub owners: Option<BTreeSet<RoleName>>,
}

/// How a role logs in, and what bounds that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// Password or token
    pub auth: Auth,
    /// When the login ends (PostgreSQL only); never when `None`
    pub valid_until: Option<Expiry>,
    /// How many sessions it may have at once; as many as the server gives when `None`
    pub connection_limit: Option<u32>,
    /// Whether a new password leaves the old one good until the next one (MySQL 8.0.14 and later)
    pub keeps_old_password: bool,
}

/// What a role should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSpec {
    /// Name of the login
    pub name: RoleName,
    /// Host part of a MySQL or MariaDB account; ignored elsewhere
    pub host: HostPattern,
    /// Level
    pub access: Access,
    /// Databases, schemas and owners
    pub scope: Scope,
    /// Single rights beside the level
    pub grants: BTreeSet<Grant>,
    /// How it logs in
    pub terms: Terms,
    /// The owner note to write
    pub mark: Mark,
    /// Whether a role of this name without our mark may be taken over: a secret of ours for it exists, or it was
    /// imported
    pub adopt: bool,
    /// Whether an earlier apply made or took over what is to be adopted. What somebody made of it since is repaired then;
    /// otherwise more than a login is taken for somebody else's
    pub known: bool,
}

/// Whose a role is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// No role of that name
    Absent,
    /// It carries our mark for this database, or the specification says that it is ours
    Ours,
    /// Somebody else's, in words
    Foreign(String),
}

/// What a role is, compared with its specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Whether it exists, and whose it is
    pub ownership: Ownership,
    /// How it logs in
    pub auth: Auth,
    /// Gaps of the login itself (`login is disabled`, `is a member of x`), which apply can repair
    pub login: Vec<Missing>,
    /// Gaps per covered database, which apply can repair
    pub coverage: Coverage,
    /// What apply cannot repair, per database: an owner out of reach, rights through PUBLIC, a database that cannot be
    /// entered. Only databases with something to say are listed.
    pub uncovered: Coverage,
    /// The smallest level that contains the rights found; `read_only` when there are none
    pub access: Access,
    /// Databases that are there and covered, also those that cannot be entered now
    pub covered: BTreeSet<String>,
    /// Database that a client should connect to first, where none was chosen before
    pub default_database: Option<DatabaseName>,
    /// What the person should know of what the call has just done
    pub notes: Vec<String>,
}

/// When a password was set, as far as the server tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordSet {
    /// The moment
    pub at: SystemTime,
    /// How far that may be off, clocks and time zones included
    pub within: Duration,
}

impl PasswordSet {
    /// Whether the password can be the one of a version that was stored at `stored` and set no later than `rotated`:
    /// one that was set before it was stored, or again after that, is another one. An apply that was interrupted may
    /// set a password long after it was stored, so without `rotated` only the first is known.
    pub fn fits(self, stored: SystemTime, rotated: Option<SystemTime>) -> bool {
        let latest = rotated.map(|rotated| rotated.max(stored) + self.within);
        self.at + self.within >= stored && latest.is_none_or(|latest| self.at <= latest)
    }
}

/// What to do with the login on destroy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalAction {
    /// Drop it
    Drop,
    /// Take its rights and its ability to log in, keep the name
    Disable,
}

/// How to take a role away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Drop or disable
    pub action: RemovalAction,
    /// Whether to end the sessions of the role
    pub end_sessions: bool,
    /// PostgreSQL: who receives objects that the role or its group owns; objects are never dropped
    pub reassign_owned_to: Option<RoleName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_was_set_by_somebody_else_does_not_fit() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let set = |seconds| PasswordSet { at: at(seconds), within: Duration::from_secs(300) };
        let (stored, rotated) = (at(10_000), Some(at(10_060)));
        assert!(set(10_030).fits(stored, rotated), "between");
        assert!(set(9_800).fits(stored, rotated), "clocks differ");
        assert!(!set(9_000).fits(stored, rotated), "an older password");
        assert!(!set(20_000).fits(stored, rotated), "set again later");
        assert!(set(20_000).fits(stored, None), "set by an apply that was resumed");
        assert!(set(20_000).fits(at(20_000), Some(at(10_060))), "a version that another run stored and set");
    }
}

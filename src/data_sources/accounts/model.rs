//! Arguments and results of `rdsaccess_accounts`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::access::{AccountId, Invalid};
use crate::aws::organizations::{Account, Unit, UnitRef};
use crate::data_sources::shard::ShardModel;
use crate::model;
use crate::schema::Attr;
use crate::value::Value;

model! {
    /// Lists the accounts of the organization, with the tree of organizational units.
    ///
    /// Works in the organization's management account and in its delegated administrators. The tree is walked by parent,
    /// so the number of calls grows with the number of units, not of accounts; only tags cost one call per account. The
    /// guide "A whole organization" says what a plan makes of accounts and units that come, move and go.
    pub struct Accounts {
        /// Organizational units to look into, by id (`ou-…`, `r-…`) or by path from the root, such as
        /// `Root/Prod/Payments`. A `/` inside a name is written `\/` and a backslash `\\`, in HCL `"Root/R\\/D"`. A unit
        /// that does not exist is an error.
        organizational_units: BTreeSet<UnitName> = optional().not_empty().default_words("the whole organization"),
        /// Whether the units below `organizational_units` are meant too.
        recursive: bool = optional().defaults_to(true),
        /// Statuses to keep. By default an account leaves `ids` when AWS suspends it and when its closure begins.
        statuses: BTreeSet<Status> = optional().not_empty()
            .defaults_to(Value::Set(BTreeSet::from([Value::from("ACTIVE")]))),
        /// Tags that an account must have, all of them; the value `*` stands for any value.
        tags: BTreeMap<String, String> = optional(),
        /// Accounts to leave out; one that the organization does not have is no error.
        exclude_ids: BTreeSet<AccountId> = optional(),
        /// Whether to read the tags of the accounts, one call for each; they are read in any case when `tags` filters.
        include_tags: bool = optional().defaults_to(false),
        /// Whether to enter each account that the filters leave and to say in `access` how that went; one call to STS for
        /// each. What is found never fails the run.
        check_access: bool = optional().defaults_to(false),
        /// What every `handle` begins with.
        handle_prefix: String = optional().check("lower-case letters, digits and `-`", is_prefix),
        /// A part of the accounts, so that several states, or jobs of a pipeline, share the organization: an account is
        /// in the part that the first 8 bytes of the SHA-256 of its id give, modulo `count`. So an account that is added,
        /// renamed or closed changes one part only. The other filters decide first; `units` and handles stay the same.
        shard: ShardModel = optional(),
        /// Ids of the accounts, for `account_ids` of `rdsaccess_instances`.
        ids: BTreeSet<AccountId> = computed(),
        /// The accounts, by id.
        accounts: BTreeMap<String, AccountModel> = computed(),
        /// All organizational units of the organization, by path.
        units: BTreeMap<String, UnitModel> = computed(),
    }
}

model! {
    /// An account.
    pub struct AccountModel {
        /// Name as people see it.
        name: String = computed(),
        /// Address of the root user.
        email: String = computed(),
        /// ARN in the organization.
        arn: String = computed(),
        /// Status, as in `statuses`.
        status: String = computed(),
        /// `CREATED` or `INVITED`.
        joined_method: String = computed(),
        /// When it joined, RFC 3339 in UTC.
        joined_at: String = computed(),
        /// Id of the unit that holds it.
        ou_id: String = computed(),
        /// Path of the unit that holds it.
        ou_path: String = computed(),
        /// A readable name for connections, folders and keys: `handle_prefix`, the name in lower case with `-` for what is
        /// no letter or digit, and the id in base 36 (8 digits and letters), as in `payments-eu-1kpqzg2c`. No filter and no
        /// other account that comes, goes or is renamed changes it; a rename of the account itself does, so what must
        /// outlive that is keyed by id.
        handle: String = computed(),
        /// Tags; null unless `include_tags` is set or `tags` filters.
        tags: BTreeMap<String, String> = computed(),
        /// Whether the account can be entered; null unless `check_access` is set.
        access: AccessModel = computed(),
    }
}

model! {
    /// Whether an account can be entered.
    pub struct AccessModel {
        /// `ok`: the role was taken, or it is the caller's own account. `suspended`: Organizations says that the account is
        /// suspended, closing or closed; it was not tried. `external id wrong`: the role takes
        /// `member_role.external_id` and not the one that `member_role.overrides` sets for the account, which was tried
        /// too, or STS says that what is set can be no external id. `role missing`: STS says that there is no such role,
        /// or that no role can have this ARN. `denied`: STS refuses. AWS gives the same answer for a role that is missing,
        /// a trust policy that does not name the caller and an external id that is not the agreed one, so all of these are
        /// `denied` unless something proves more; `reason` lists the causes that remain, the likeliest first. `unknown`:
        /// STS gave no answer (throttled, no network), so that nothing was learned.
        state: String = computed(),
        /// The words of AWS and what to do next; null where `state` is `ok`.
        reason: String = computed(),
    }
}

model! {
    /// A root or organizational unit.
    pub struct UnitModel {
        /// Id, `r-…` or `ou-…`.
        id: String = computed(),
        /// Name as people see it.
        name: String = computed(),
        /// Path of the unit above; null for the root.
        parent_path: String = computed(),
        /// Those of `ids` that the unit holds itself, not through a unit below it.
        account_ids: BTreeSet<AccountId> = computed(),
    }
}

impl AccountModel {
    /// The results for an account; `tags` is none where they were not read.
    pub fn new(account: &Account, handle: String, tags: Option<BTreeMap<String, String>>) -> Self {
        Self {
            name: account.name.clone().into(),
            email: account.email.clone().into(),
            arn: account.arn.clone().into(),
            status: account.status.clone().into(),
            joined_method: account.joined_method.clone().into(),
            joined_at: account.joined_at.clone().into(),
            ou_id: account.ou_id.clone().into(),
            ou_path: account.ou_path.to_string().into(),
            handle: handle.into(),
            tags: tags.into(),
            access: Attr::Null,
        }
    }
}

impl UnitModel {
    /// The results for a unit.
    pub fn new(unit: &Unit, account_ids: BTreeSet<AccountId>) -> Self {
        Self {
            id: unit.id.clone().into(),
            name: unit.name.clone().into(),
            parent_path: unit.path.parent().map(|path| path.to_string()).into(),
            account_ids: account_ids.into(),
        }
    }
}

/// Status of an account, the words of the API's `AccountState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// In use
    Active,
    /// Suspended by AWS
    Suspended,
    /// Made, its sign-up is not finished
    PendingActivation,
    /// Will be closed
    PendingClosure,
    /// Closed, kept for 90 days
    Closed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Active, Self::Suspended, Self::PendingActivation, Self::PendingClosure, Self::Closed];

    /// As AWS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::PendingClosure => "PENDING_CLOSURE",
            Self::Closed => "CLOSED",
        }
    }
}

impl FromStr for Status {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let words: Vec<String> = Self::ALL.iter().map(|status| format!("`{}`", status.as_str())).collect();
            Invalid::new(format!("`{text}` is no status of an account; there are {}", words.join(", ")))
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A unit as it is written: an id, or names from the root down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitName(String);

impl UnitName {
    /// What it means.
    pub fn unit(&self) -> UnitRef {
        let Ok(unit) = self.0.parse();
        unit
    }
}

impl FromStr for UnitName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (mut empty, mut escaped) = (true, false);
        for c in text.chars() {
            if c == '/' && !escaped && empty {
                break;
            }
            empty = c == '/' && !escaped;
            escaped = c == '\\' && !escaped;
        }
        if empty {
            let why = "has an empty name: write a path as `Root/Prod/Payments`, a `/` inside a name as `\\/`";
            return Err(Invalid::new(format!("`{text}` {why}")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::text_kinds! {
    Status = Status::ALL;
    UnitName;
}

fn is_prefix(value: &Value) -> bool {
    match value {
        Value::String(text) => text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_as_it_is_written() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        assert!("active".parse::<Status>().unwrap_err().0.contains("`ACTIVE`"));
    }

    #[test]
    fn a_unit_without_a_name_is_refused() {
        for text in ["", "/", "/Root", "Root/", "Root//Prod"] {
            assert!(text.parse::<UnitName>().is_err(), "{text}");
        }
        for text in ["Root", "Root/R\\/D", "\\/", "Root/a\\\\/b", "ou-ab12-12345678"] {
            assert!(text.parse::<UnitName>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_prefix_is_of_the_characters_of_a_handle() {
        for (text, holds) in [("", true), ("aws-1", true), ("AWS", false), ("a_b", false), ("é", false)] {
            assert_eq!(is_prefix(&Value::from(text)), holds, "{text}");
        }
    }
}

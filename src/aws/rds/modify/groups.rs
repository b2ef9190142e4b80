//! Attaching and detaching one security group beside those of other people.
//!
//! RDS only takes the whole list, and it may refuse changes for many minutes. So every try builds the list from what is
//! attached at that moment: a list from before the wait would detach what others have attached meanwhile.

use tokio::time::Instant;

use super::{Change, ModifyLock};
use crate::access::{Arn, Target};
use crate::aws::Error;
use crate::aws::ec2::GROUPS_PER_INTERFACE;
use crate::aws::rds::{Described, Other};

/// Why a group could not be attached or detached.
#[derive(Debug, thiserror::Error)]
pub enum GroupsError {
    /// A call failed
    #[error(transparent)]
    Call(#[from] Error),
    /// There is no such database (any more), or it is of a kind without groups of its own
    #[error("{0} has no security groups of its own")]
    NotThere(Arn, Box<Described>),
    /// The network interface takes no more groups
    #[error("{arn} has {count} security groups attached; a network interface takes {GROUPS_PER_INTERFACE}")]
    TooMany {
        /// The database
        arn: Arn,
        /// How many are attached
        count: usize,
    },
    /// The group is the only one: RDS would put the default group there, or nothing
    #[error("{id} is the only security group of {arn}, and a database cannot be left without one")]
    LastGroup {
        /// The group
        id: String,
        /// The database
        arn: Arn,
    },
    /// RDS took the list and shows another one, twice
    #[error("RDS accepted the change of {arn}, but {found}")]
    NotVerified {
        /// The database
        arn: Arn,
        /// What is not as it should be
        found: String,
    },
}

/// What is to become of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edit<'a> {
    id: &'a str,
    attach: bool,
}

impl ModifyLock {
    /// Attaches a group beside those that are attached when the call is sent, and makes sure that it and they are
    /// there afterwards. Nothing is sent when it is attached already. Waits while the state of the database refuses
    /// changes.
    ///
    /// # Errors
    /// The quota of groups is used up, or the groups are not as they should be after two tries.
    pub async fn attach_security_group(&self, id: &str) -> Result<(), GroupsError> {
        self.edit_security_groups(Edit { id, attach: true }).await
    }

    /// Detaches a group and leaves the others as they are when the call is sent, and makes sure of both afterwards.
    /// Nothing is sent when it is not attached. Waits while the state of the database refuses changes.
    ///
    /// # Errors
    /// It is the last group, or the groups are not as they should be after two tries.
    pub async fn detach_security_group(&self, id: &str) -> Result<(), GroupsError> {
        self.edit_security_groups(Edit { id, attach: false }).await
    }

    async fn edit_security_groups(&self, edit: Edit<'_>) -> Result<(), GroupsError> {
        let Some(before) = self.send_security_groups(edit).await? else { return Ok(()) };
        let wrong = edit.wrong(&before, &self.attached().await?);
        let Some(wrong) = wrong else { return Ok(()) };
        tracing::debug!(target = %self.arn(), %wrong, "looking at the security groups once more");
        tokio::time::sleep(self.sessions.settings().patience.interval).await;
        self.send_security_groups(edit).await?;
        match edit.wrong(&before, &self.attached().await?) {
            None => Ok(()),
            Some(found) => Err(GroupsError::NotVerified { arn: self.arn().clone(), found }),
        }
    }

    /// What was attached when RDS took the new list; `None` when it is as asked already.
    async fn send_security_groups(&self, edit: Edit<'_>) -> Result<Option<Vec<String>>, GroupsError> {
        let session = self.sessions.session_for(self.arn()).await?;
        let end = Instant::now() + self.sessions.settings().patience.limit;
        loop {
            let before = self.attached().await?;
            let Some(ids) = edit.list(self.arn(), &before)? else { return Ok(None) };
            match self.try_modify(&session, &Change::SecurityGroups(&ids)).await {
                Ok(()) => return Ok(Some(before)),
                Err(error) => self.wait_out(error, &session, self.sessions.settings().patience.interval, end).await?,
            }
        }
    }

    /// The groups that are attached now.
    async fn attached(&self) -> Result<Vec<String>, GroupsError> {
        match self.describe_now().await? {
            Described::Target(Target { security_group_ids, .. })
            | Described::Unsupported(Other { target: Some(Target { security_group_ids, .. }), .. }) => {
                Ok(security_group_ids)
            }
            other => Err(GroupsError::NotThere(self.arn().clone(), Box::new(other))),
        }
    }
}

impl Edit<'_> {
    /// The list to send in place of the attached one, never empty; `None` when there is nothing to change.
    fn list(self, arn: &Arn, attached: &[String]) -> Result<Option<Vec<String>>, GroupsError> {
        if attached.iter().any(|group| group == self.id) == self.attach {
            return Ok(None);
        }
        let others = attached.iter().filter(|group| *group != self.id).cloned();
        if !self.attach {
            let left: Vec<String> = others.collect();
            let last = left.is_empty();
            return if last { Err(self.last(arn)) } else { Ok(Some(left)) };
        }
        if attached.len() >= GROUPS_PER_INTERFACE {
            return Err(GroupsError::TooMany { arn: arn.clone(), count: attached.len() });
        }
        Ok(Some(others.chain([self.id.to_owned()]).collect()))
    }

    fn last(self, arn: &Arn) -> GroupsError {
        GroupsError::LastGroup { id: self.id.to_owned(), arn: arn.clone() }
    }

    /// What is not as it should be after the change, in words.
    fn wrong(self, before: &[String], now: &[String]) -> Option<String> {
        if now.iter().any(|group| group == self.id) != self.attach {
            let state = if self.attach { "not attached" } else { "still attached" };
            return Some(format!("{} is {state}", self.id));
        }
        let lost: Vec<&str> =
            before.iter().filter(|group| *group != self.id && !now.contains(group)).map(String::as_str).collect();
        match lost.as_slice() {
            [] => None,
            [one] => Some(format!("{one}, which was attached before, is not attached any more")),
            more => Some(format!("{}, which were attached before, are not attached any more", more.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACH: Edit<'_> = Edit { id: "sg-ours", attach: true };
    const DETACH: Edit<'_> = Edit { id: "sg-ours", attach: false };

    fn list(edit: Edit<'_>, attached: &[&str]) -> Result<Option<Vec<String>>, GroupsError> {
        edit.list(&"arn:aws:rds:eu-west-1:123456789012:db:ledger".parse().unwrap(), &ids(attached))
    }

    fn ids(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn our_group_is_added_to_and_taken_from_what_is_attached() {
        assert_eq!(list(ATTACH, &["sg-a", "sg-b"]).unwrap(), Some(ids(&["sg-a", "sg-b", "sg-ours"])));
        assert_eq!(list(DETACH, &["sg-a", "sg-ours", "sg-b"]).unwrap(), Some(ids(&["sg-a", "sg-b"])));
        assert_eq!(list(ATTACH, &[]).unwrap(), Some(ids(&["sg-ours"])));
    }

    #[test]
    fn nothing_is_sent_when_nothing_changes() {
        assert_eq!(list(ATTACH, &["sg-ours"]).unwrap(), None);
        assert_eq!(list(ATTACH, &["sg-1", "sg-2", "sg-3", "sg-4", "sg-ours"]).unwrap(), None);
        assert_eq!(list(DETACH, &["sg-a"]).unwrap(), None);
        assert_eq!(list(DETACH, &[]).unwrap(), None);
    }

    #[test]
    fn the_quota_and_the_last_group_are_rules_of_what_is_attached_now() {
        assert!(list(ATTACH, &["sg-1", "sg-2", "sg-3", "sg-4"]).unwrap().is_some());
        let error = list(ATTACH, &["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"]).unwrap_err();
        assert!(matches!(error, GroupsError::TooMany { count: 5, .. }), "{error}");
        let error = list(DETACH, &["sg-ours"]).unwrap_err();
        assert!(matches!(error, GroupsError::LastGroup { .. }), "an empty list is never sent: {error}");
    }

    #[test]
    fn the_others_must_still_be_there_after_the_change() {
        let before = ids(&["sg-a", "sg-b"]);
        assert_eq!(ATTACH.wrong(&before, &ids(&["sg-b", "sg-ours", "sg-a", "sg-new"])), None);
        assert_eq!(ATTACH.wrong(&before, &before).unwrap(), "sg-ours is not attached");
        assert!(ATTACH.wrong(&before, &ids(&["sg-ours", "sg-b"])).unwrap().starts_with("sg-a, which was attached"));
        let before = ids(&["sg-a", "sg-b", "sg-ours"]);
        assert_eq!(DETACH.wrong(&before, &ids(&["sg-a", "sg-b"])), None);
        assert_eq!(DETACH.wrong(&before, &before).unwrap(), "sg-ours is still attached");
        assert!(DETACH.wrong(&before, &ids(&["sg-c"])).unwrap().starts_with("sg-a, sg-b, which were attached"));
    }
}

//! Security groups as such: find, create, tag, delete.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use tokio::time::Instant;

use crate::access::{AccountId, Region};
use crate::aws::{Error, Fault, Session, Sessions};

/// How many security groups a network interface takes unless AWS raised the quota of the account ("Security groups per
/// network interface", at most 16). RDS refuses a longer list only after the group was made, so callers check before.
pub const GROUPS_PER_INTERFACE: usize = 5;

/// A new group is not visible everywhere at once: time between two looks, and how many.
const SETTLE: (Duration, u32) = (Duration::from_secs(1), 15);

/// The security groups of one account and region.
#[derive(Debug, Clone)]
pub struct SecurityGroups {
    pub(super) session: Session,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`
    pub id: String,
    /// ARN
    pub arn: String,
    /// Name, unique in the VPC
    pub name: String,
    /// Its VPC; `None` for EC2-Classic answers
    pub vpc_id: Option<String>,
    /// Tags
    pub tags: BTreeMap<String, String>,
}

/// A security group to make.
#[derive(Debug, Clone)]
pub struct NewGroup {
    /// Name, unique in the VPC
    pub name: String,
    /// What it is for; cannot be changed later
    pub description: String,
    /// Where it belongs
    pub vpc_id: String,
    /// Tags, over those of the provider block
    pub tags: BTreeMap<String, String>,
}

impl Sessions {
    /// The security groups of an account and region.
    ///
    /// # Errors
    /// The account cannot be entered.
    pub async fn security_groups(&self, account: &AccountId, region: &Region) -> Result<SecurityGroups, Error> {
        Ok(SecurityGroups { session: self.session(account, region).await? })
    }
}

impl SecurityGroups {
    /// The group of this name in a VPC; names differ by case.
    ///
    /// # Errors
    /// `ec2:DescribeSecurityGroups` is refused.
    pub async fn find(&self, name: &str, vpc_id: &str) -> Result<Option<SecurityGroup>, Error> {
        let groups = self.filtered(&[("group-name", &[name.to_owned()]), ("vpc-id", &[vpc_id.to_owned()])]).await?;
        // Filters know wildcards.
        Ok(groups.into_iter().find(|g| g.name == name))
    }

    /// Those of the groups that exist.
    ///
    /// # Errors
    /// `ec2:DescribeSecurityGroups` is refused.
    pub async fn describe(&self, ids: &[String]) -> Result<Vec<SecurityGroup>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.filtered(&[("group-id", ids)]).await
    }

    /// Makes a group without ingress rules and waits until EC2 knows it.
    ///
    /// # Errors
    /// [`Fault::Duplicate`] when the VPC has a group of this name (also after a lost answer: look it up and check its
    /// tags); [`Fault::LimitExceeded`].
    pub async fn create(&self, new: &NewGroup) -> Result<SecurityGroup, Error> {
        let call = self.session.call("ec2:CreateSecurityGroup").on(format!("{} in {}", new.name, new.vpc_id));
        let mut tags = self.session.sessions.settings().tags.clone();
        tags.extend(new.tags.clone());
        let specification = TagSpecification::builder()
            .resource_type(ResourceType::SecurityGroup)
            .set_tags(Some(sdk_tags(&tags)))
            .build();
        let request = self.session.ec2().create_security_group().group_name(&new.name).vpc_id(&new.vpc_id);
        let request = request.description(&new.description).tag_specifications(specification);
        let answer = request.send().await.map_err(|e| call.clone().refused(&e))?;
        let id = answer.group_id.ok_or_else(|| call.failed(Fault::Unexpected("EC2 returned no id".to_owned())))?;
        self.settle(&id).await?;
        let arn = answer.security_group_arn.unwrap_or_else(|| self.arn(&id));
        Ok(SecurityGroup { arn, id, name: new.name.clone(), vpc_id: Some(new.vpc_id.clone()), tags })
    }

    /// Sets tags on a group.
    ///
    /// # Errors
    /// `ec2:CreateTags` is refused, or the group is gone.
    pub async fn tag(&self, id: &str, tags: &BTreeMap<String, String>) -> Result<(), Error> {
        if tags.is_empty() {
            return Ok(());
        }
        let call = self.session.call("ec2:CreateTags").on(id);
        let request = self.session.ec2().create_tags().resources(id).set_tags(Some(sdk_tags(tags)));
        request.send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// Removes tags by key, whatever their value.
    ///
    /// # Errors
    /// `ec2:DeleteTags` is refused, or the group is gone.
    pub async fn untag(&self, id: &str, keys: &[String]) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        let call = self.session.call("ec2:DeleteTags").on(id);
        let tags = keys.iter().map(|key| Tag::builder().key(key).build()).collect();
        let request = self.session.ec2().delete_tags().resources(id).set_tags(Some(tags));
        request.send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// Deletes a group; one that is gone already counts as deleted. Waits while something still uses it: RDS lets go
    /// of a detached group after some seconds.
    ///
    /// # Errors
    /// [`Fault::InUse`] when it is still used after the wait.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let call = self.session.call("ec2:DeleteSecurityGroup").on(id);
        let patience = self.session.sessions.settings().patience;
        let end = Instant::now() + patience.limit;
        loop {
            match self.session.ec2().delete_security_group().group_id(id).send().await.map(drop) {
                Ok(()) => return Ok(()),
                Err(refusal) => match call.clone().refused(&refusal) {
                    error if error.is_not_found() => return Ok(()),
                    Error { fault: Fault::InUse(_), .. } if Instant::now() + patience.interval < end => {}
                    error => return Err(error),
                },
            }
            tokio::time::sleep(patience.interval).await;
        }
    }

    async fn settle(&self, id: &str) -> Result<(), Error> {
        let (pause, looks) = SETTLE;
        for _ in 0..looks {
            if !self.describe(&[id.to_owned()]).await?.is_empty() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    async fn filtered(&self, filters: &[(&str, &[String])]) -> Result<Vec<SecurityGroup>, Error> {
        let filter = |(name, values): &(&str, &[String])| {
            Filter::builder().name(*name).set_values(Some(values.to_vec())).build()
        };
        let request = self.session.ec2().describe_security_groups();
        let request = request.set_filters(Some(filters.iter().map(filter).collect()));
        let mut pages = request.into_paginator().send();
        let mut groups = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.session.call("ec2:DescribeSecurityGroups").refused(&e))?;
            groups.extend(page.security_groups.unwrap_or_default().into_iter().filter_map(|g| self.group(g)));
        }
        Ok(groups)
    }

    fn group(&self, found: aws_sdk_ec2::types::SecurityGroup) -> Option<SecurityGroup> {
        let id = found.group_id?;
        Some(SecurityGroup {
            arn: found.security_group_arn.unwrap_or_else(|| self.arn(&id)),
            id,
            name: found.group_name.unwrap_or_default(),
            vpc_id: found.vpc_id.filter(|v| !v.is_empty()),
            tags: tags(found.tags.as_deref().unwrap_or_default()),
        })
    }

    fn arn(&self, id: &str) -> String {
        let Session { region, account, .. } = &self.session;
        format!("arn:{}:ec2:{region}:{account}:security-group/{id}", region.partition())
    }
}

pub(super) fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn tags(list: &[Tag]) -> BTreeMap<String, String> {
    let pair = |t: &Tag| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()));
    list.iter().filter_map(pair).collect()
}

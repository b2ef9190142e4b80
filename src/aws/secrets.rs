//! The calls of Secrets Manager that a store is made of. Versions are always asked for by stage or id: the default of
//! `GetSecretValue` hides which one was meant.

mod schedule;

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_secretsmanager::types::{ReplicaRegionType, Tag};

use super::{Call, Error, Fault, Session, Sessions};
use crate::access::{AccountId, Region, Secret, SecretRef};

pub use schedule::Schedule;

/// The stage of the version that readers get.
pub const CURRENT: &str = "AWSCURRENT";
/// The stage of a version that is not proven yet.
pub const PENDING: &str = "AWSPENDING";
/// The stage of the version before the current one.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// The secrets of one account and region. Every `id` is a full ARN or a name.
#[derive(Debug, Clone)]
pub struct Secrets {
    session: Session,
}

/// What is known of a secret without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretDescription {
    /// Full ARN
    pub secret_ref: SecretRef,
    /// Name
    pub name: String,
    /// Tags
    pub tags: BTreeMap<String, String>,
    /// Version id -> stages, sorted; only versions that have one
    pub versions: BTreeMap<String, Vec<String>>,
    /// Set when it is scheduled for deletion
    pub deleted_at: Option<SystemTime>,
    /// Customer key; `None` for `aws/secretsmanager`
    pub kms_key_id: Option<String>,
    /// The service that owns it, such as `rds`
    pub owning_service: Option<String>,
    /// Whether AWS rotates it
    pub rotation_enabled: bool,
    /// Regions that hold a replica
    pub replica_regions: Vec<String>,
}

impl SecretDescription {
    /// The version that carries a stage.
    pub fn version_with(&self, stage: &str) -> Option<&str> {
        self.versions.iter().find(|(_, stages)| stages.iter().any(|s| s == stage)).map(|(id, _)| id.as_str())
    }
}

/// A secret to make, still without a version.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// Name
    pub name: String,
    /// What it is for
    pub description: String,
    /// Customer key; `None` for `aws/secretsmanager`
    pub kms_key_id: Option<String>,
    /// Tags, over those of the provider block
    pub tags: BTreeMap<String, String>,
}

/// Which version of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version<'a> {
    /// The one that carries a stage
    Stage(&'a str),
    /// The one of this id
    Id(&'a str),
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretValue {
    /// The text
    pub value: Secret<String>,
    /// Id of the version
    pub version_id: String,
    /// Its stages, sorted
    pub stages: Vec<String>,
}

/// A version without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVersion {
    /// Id
    pub id: String,
    /// Stages, sorted
    pub stages: Vec<String>,
    /// When it was stored
    pub created_at: Option<SystemTime>,
}

impl Sessions {
    /// The secrets of an account and region.
    ///
    /// # Errors
    /// The account cannot be entered.
    pub async fn secrets(&self, account: &AccountId, region: &Region) -> Result<Secrets, Error> {
        Ok(Secrets { session: self.session(account, region).await? })
    }
}

impl Secrets {
    /// A secret without its value; `None` when there is none, one that is scheduled for deletion has `deleted_at`.
    ///
    /// # Errors
    /// `secretsmanager:DescribeSecret` is refused.
    pub async fn describe(&self, id: &str) -> Result<Option<SecretDescription>, Error> {
        let call = self.call("secretsmanager:DescribeSecret", id);
        let answer = match self.client().describe_secret().secret_id(id).send().await {
            Ok(answer) => answer,
            Err(refusal) => return none_if_not_found(call.refused(&refusal)),
        };
        let versions = answer.version_ids_to_stages.unwrap_or_default().into_iter();
        Ok(Some(SecretDescription {
            secret_ref: secret_ref(answer.arn.as_deref(), call)?,
            name: answer.name.unwrap_or_default(),
            tags: tags(answer.tags.as_deref().unwrap_or_default()),
            versions: versions.map(|(id, stages)| (id, sorted(stages))).filter(|(_, s)| !s.is_empty()).collect(),
            deleted_at: answer.deleted_date.and_then(|d| d.try_into().ok()),
            kms_key_id: answer.kms_key_id,
            owning_service: answer.owning_service,
            rotation_enabled: answer.rotation_enabled.unwrap_or_default(),
            replica_regions: sorted(
                answer.replication_status.unwrap_or_default().into_iter().filter_map(|r| r.region).collect(),
            ),
        }))
    }

    /// Makes a secret without a version: a value that came with CreateSecret would be AWSCURRENT and nothing else, and
    /// a reader could not tell it from a proven one.
    ///
    /// # Errors
    /// [`Fault::Duplicate`] when the name is taken, [`Fault::ScheduledForDeletion`] when it waits for its deletion.
    pub async fn create(&self, new: &NewSecret) -> Result<SecretRef, Error> {
        let call = self.call("secretsmanager:CreateSecret", &new.name);
        let mut all_tags = self.session.sessions.settings().tags.clone();
        all_tags.extend(new.tags.clone());
        let answer = self
            .client()
            .create_secret()
            .name(&new.name)
            .description(&new.description)
            .set_kms_key_id(new.kms_key_id.clone())
            .set_tags(Some(sdk_tags(&all_tags)))
            .send()
            .await
            .map_err(|e| call.clone().refused(&e))?;
        secret_ref(answer.arn.as_deref(), call)
    }

    /// Stores a new version under stages and returns its id, which is the token: 32 to 64 characters. AWS adds
    /// AWSCURRENT to the first version of a secret.
    ///
    /// # Errors
    /// [`Fault::Duplicate`] when the token was used for another value.
    pub async fn put_version(
        &self,
        id: &str,
        value: &Secret<String>,
        token: &str,
        stages: &[&str],
    ) -> Result<String, Error> {
        let call = self.call("secretsmanager:PutSecretValue", id);
        let stages = stages.iter().map(|s| (*s).to_owned()).collect();
        let request = self.client().put_secret_value().secret_id(id).secret_string(value.expose());
        let request = request.client_request_token(token).set_version_stages(Some(stages));
        let answer = request.send().await.map_err(|e| call.refused(&e))?;
        Ok(answer.version_id.unwrap_or_else(|| token.to_owned()))
    }

    /// Reads a version; `None` when the secret or the version does not exist.
    ///
    /// # Errors
    /// [`Fault::ScheduledForDeletion`]; [`Fault::Unexpected`] for a binary value.
    pub async fn value(&self, id: &str, version: Version<'_>) -> Result<Option<SecretValue>, Error> {
        let call = self.call("secretsmanager:GetSecretValue", id);
        let request = self.client().get_secret_value().secret_id(id);
        let request = match version {
            Version::Stage(stage) => request.version_stage(stage),
            Version::Id(id) => request.version_id(id),
        };
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(refusal) => return none_if_not_found(call.refused(&refusal)),
        };
        let Some(text) = answer.secret_string else {
            return Err(call.failed(Fault::Unexpected("the secret holds binary data, not text".to_owned())));
        };
        Ok(Some(SecretValue {
            value: Secret::new(text),
            version_id: answer.version_id.unwrap_or_default(),
            stages: sorted(answer.version_stages.unwrap_or_default()),
        }))
    }

    /// The versions that carry a stage, with the time they were stored; their values are not read.
    ///
    /// # Errors
    /// `secretsmanager:ListSecretVersionIds` is refused, or the secret does not exist.
    pub async fn versions(&self, id: &str) -> Result<Vec<SecretVersion>, Error> {
        let mut pages = self.client().list_secret_version_ids().secret_id(id).into_paginator().send();
        let mut versions = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.call("secretsmanager:ListSecretVersionIds", id).refused(&e))?;
            versions.extend(page.versions.unwrap_or_default().into_iter().filter_map(|v| {
                let created_at = v.created_date.and_then(|d| d.try_into().ok());
                Some(SecretVersion {
                    id: v.version_id?,
                    stages: sorted(v.version_stages.unwrap_or_default()),
                    created_at,
                })
            }));
        }
        Ok(versions)
    }

    /// Moves a stage to a version in one step. AWS moves AWSPREVIOUS by itself when AWSCURRENT moves.
    ///
    /// # Errors
    /// AWS refuses when the stage sits on another version than `from`: somebody else moved it.
    pub async fn move_stage(&self, id: &str, stage: &str, to: &str, from: Option<&str>) -> Result<(), Error> {
        let call = self.call("secretsmanager:UpdateSecretVersionStage", id);
        let request = self.client().update_secret_version_stage().secret_id(id).version_stage(stage);
        let request = request.move_to_version_id(to).set_remove_from_version_id(from.map(str::to_owned));
        request.send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// Takes a stage off a version. AWSCURRENT cannot be taken off, only moved.
    ///
    /// # Errors
    /// AWS refuses when the version does not carry the stage.
    pub async fn remove_stage(&self, id: &str, stage: &str, from: &str) -> Result<(), Error> {
        let call = self.call("secretsmanager:UpdateSecretVersionStage", id);
        let request = self.client().update_secret_version_stage().secret_id(id).version_stage(stage);
        request.remove_from_version_id(from).send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// Schedules the deletion; a secret that is gone or scheduled already counts as done.
    ///
    /// # Errors
    /// `secretsmanager:DeleteSecret` is refused; replicas exist.
    pub async fn schedule_deletion(&self, id: &str, recovery_window_days: u8) -> Result<(), Error> {
        let call = self.call("secretsmanager:DeleteSecret", id);
        let request = self.client().delete_secret().secret_id(id);
        let outcome = request.recovery_window_in_days(i64::from(recovery_window_days)).send().await;
        match outcome.map_err(|e| call.refused(&e)) {
            Err(error) if error.is_not_found() || matches!(error.fault, Fault::ScheduledForDeletion(_)) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Takes back a scheduled deletion.
    ///
    /// # Errors
    /// The secret is gone for good.
    pub async fn restore(&self, id: &str) -> Result<(), Error> {
        let call = self.call("secretsmanager:RestoreSecret", id);
        self.client().restore_secret().secret_id(id).send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// How often AWS rotates a secret; `None` when it does not, or by a schedule that is no plain interval.
    ///
    /// # Errors
    /// `secretsmanager:DescribeSecret` is refused, or the secret does not exist.
    pub async fn schedule(&self, id: &str) -> Result<Option<Schedule>, Error> {
        let call = self.call("secretsmanager:DescribeSecret", id);
        let answer = self.client().describe_secret().secret_id(id).send().await.map_err(|e| call.refused(&e))?;
        let rules = answer.rotation_rules.filter(|_| answer.rotation_enabled == Some(true));
        Ok(rules.and_then(|rules| Schedule::of(&rules)))
    }

    /// Sets how often AWS rotates a secret that a service manages; nothing is rotated now.
    ///
    /// # Errors
    /// `secretsmanager:RotateSecret` is refused, or the secret does not exist.
    pub async fn set_schedule(&self, id: &str, schedule: Schedule) -> Result<(), Error> {
        let call = self.call("secretsmanager:RotateSecret", id);
        let request = self.client().rotate_secret().secret_id(id).rotation_rules(schedule.rules());
        request.rotate_immediately(false).send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// Encrypts later versions with another key.
    ///
    /// # Errors
    /// `secretsmanager:UpdateSecret` is refused, or the key cannot be used.
    pub async fn set_kms_key(&self, id: &str, kms_key_id: &str) -> Result<(), Error> {
        let call = self.call("secretsmanager:UpdateSecret", id);
        let request = self.client().update_secret().secret_id(id).kms_key_id(kms_key_id);
        request.send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// Adds replicas in further regions.
    ///
    /// # Errors
    /// `secretsmanager:ReplicateSecretToRegions` is refused, or a secret of the name is there already.
    pub async fn replicate(&self, id: &str, regions: &[Region]) -> Result<(), Error> {
        if regions.is_empty() {
            return Ok(());
        }
        let call = self.call("secretsmanager:ReplicateSecretToRegions", id);
        let replica = |region: &Region| ReplicaRegionType::builder().region(region.as_str()).build();
        let replicas = regions.iter().map(replica).collect();
        let request = self.client().replicate_secret_to_regions().secret_id(id).set_add_replica_regions(Some(replicas));
        request.send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// Removes replicas; a secret that has some cannot be deleted.
    ///
    /// # Errors
    /// `secretsmanager:RemoveRegionsFromReplication` is refused.
    pub async fn remove_replicas(&self, id: &str, regions: &[String]) -> Result<(), Error> {
        if regions.is_empty() {
            return Ok(());
        }
        let call = self.call("secretsmanager:RemoveRegionsFromReplication", id);
        let request = self.client().remove_regions_from_replication().secret_id(id);
        let request = request.set_remove_replica_regions(Some(regions.to_vec()));
        request.send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// Sets tags.
    ///
    /// # Errors
    /// `secretsmanager:TagResource` is refused, or the secret is gone.
    pub async fn tag(&self, id: &str, tags: &BTreeMap<String, String>) -> Result<(), Error> {
        if tags.is_empty() {
            return Ok(());
        }
        let call = self.call("secretsmanager:TagResource", id);
        let request = self.client().tag_resource().secret_id(id).set_tags(Some(sdk_tags(tags)));
        request.send().await.map(drop).map_err(|e| call.refused(&e))
    }

    fn client(&self) -> aws_sdk_secretsmanager::Client {
        self.session.secrets_manager()
    }

    fn call(&self, action: &'static str, id: &str) -> Call {
        self.session.call(action).on(id)
    }
}

fn none_if_not_found<T>(error: Error) -> Result<Option<T>, Error> {
    if error.is_not_found() { Ok(None) } else { Err(error) }
}

fn secret_ref(arn: Option<&str>, call: Call) -> Result<SecretRef, Error> {
    arn.unwrap_or_default().parse().map_err(|e: crate::access::Invalid| call.failed(Fault::Unexpected(e.0)))
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn tags(list: &[Tag]) -> BTreeMap<String, String> {
    let pair = |t: &Tag| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()));
    list.iter().filter_map(pair).collect()
}

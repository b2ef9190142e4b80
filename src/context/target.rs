//! Finding the database that `target_arn` names, and saying what is wrong with it.

use std::sync::PoisonError;

use crate::access::{Arn, Target, Unsupported};
use crate::aws::rds::{Described, Other};
use crate::report::{Explain, Reach, Report, Severity};
use crate::schema::Reports;

use super::{Context, OnUnreachable};

/// What `target_arn` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A database that can be managed
    Target(Box<Target>),
    /// AWS knows no such database
    Gone,
}

/// Which kinds of databases a resource takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A standalone instance or the writer's cluster
    Writers,
    /// Also read replicas and global secondaries: they have security groups of their own
    ReplicasToo,
}

/// Why a database cannot be managed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is a kind that the resource does not take
    #[error("{arn} cannot be managed: {reason}")]
    Unsupported {
        /// The database
        arn: Arn,
        /// Why
        reason: Unsupported,
    },
    /// It does not exist
    #[error("{0} does not exist (rds:DescribeDBInstances and rds:DescribeDBClusters found nothing)")]
    Gone(Arn),
    /// It is stopped
    #[error("{arn} is {status}: RDS refuses changes and no session can be opened")]
    Stopped {
        /// The database
        arn: Arn,
        /// Its status
        status: String,
    },
    /// It has no endpoint yet
    #[error("{arn} has no endpoint yet (status {status})")]
    NoEndpoint {
        /// The database
        arn: Arn,
        /// Its status
        status: String,
    },
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::Unsupported { .. } => "This database cannot be managed",
            Self::Gone(_) => "No such database",
            Self::Stopped { .. } => "The database is stopped",
            Self::NoEndpoint { .. } => "The database is not ready",
        }
        .to_owned()
    }

    fn reach(&self) -> Reach {
        if matches!(self, Self::Stopped { .. }) { Reach::OutOfReach } else { Reach::Fine }
    }

    fn next_step(&self) -> Option<String> {
        Some(
            match self {
                Self::Unsupported { .. } => "Correct target_arn, or leave this database out",
                Self::Gone(_) => {
                    "Check account, region and identifier in target_arn; rdsaccess_instances lists what there is"
                }
                Self::Stopped { .. } => "Start it first, then apply again",
                Self::NoEndpoint { .. } => "Wait until RDS has created it, then apply again",
            }
            .to_owned(),
        )
    }

    fn attribute(&self) -> Option<crate::value::Path> {
        Some(crate::value::Path::attribute("target_arn"))
    }
}

impl Context {
    /// The database as AWS describes it; one paged Describe per account and region serves all callers.
    ///
    /// # Errors
    /// AWS cannot be asked, or the database is a kind that cannot be managed.
    pub async fn find(&self, arn: &Arn, takes: Takes) -> Result<Found, Reports> {
        found(arn, takes, self.aws()?.describe(arn).await?)
    }

    /// The database for a plan: `None` when nothing can be said yet, because the provider is not known, or because the
    /// database does not exist yet.
    ///
    /// # Errors
    /// As [`Context::find`].
    pub async fn find_for_plan(&self, arn: &Arn, takes: Takes) -> Result<Option<Target>, Reports> {
        if !self.is_known() {
            return Ok(None);
        }
        match self.find(arn, takes).await? {
            Found::Target(target) => Ok(Some(*target)),
            Found::Gone => Ok(None),
        }
    }

    /// The database for a change: it exists, runs and has an endpoint.
    ///
    /// # Errors
    /// As [`Context::find`], and what stands in the way of a change.
    pub async fn ready(&self, arn: &Arn, takes: Takes) -> Result<Target, Reports> {
        // What was read for another resource may be minutes old, and this database may have been made meanwhile.
        if let Found::Target(target) = self.find(arn, takes).await?
            && let Ok(target) = check_ready(*target)
        {
            return Ok(target);
        }
        match self.find_now(arn, takes).await? {
            Found::Target(target) => Ok(check_ready(*target)?),
            Found::Gone => Err(Error::Gone(arn.clone()).into()),
        }
    }

    /// The database as it is at this moment, asked for alone.
    ///
    /// # Errors
    /// As [`Context::find`].
    pub async fn find_now(&self, arn: &Arn, takes: Takes) -> Result<Found, Reports> {
        let aws = self.aws()?;
        let described = aws.describe_now(arn).await?;
        aws.forget(&arn.account_id, &arn.region);
        found(arn, takes, described)
    }

    /// The present ARN of the database with this resource id, when it is no longer the given one: a rename keeps the
    /// resource id.
    ///
    /// # Errors
    /// AWS cannot be asked.
    pub async fn renamed(&self, arn: &Arn, resource_id: &str) -> Result<Option<Arn>, Reports> {
        let inventory = self.aws()?.inventory(&arn.account_id, &arn.region).await?;
        Ok(inventory.named(resource_id).filter(|now| *now != arn).cloned())
    }

    /// As [`Context::renamed`], asked afresh: for who would otherwise throw something away.
    ///
    /// # Errors
    /// As [`Context::renamed`].
    pub async fn renamed_now(&self, arn: &Arn, resource_id: Option<&str>) -> Result<Option<Arn>, Reports> {
        let Some(resource_id) = resource_id else { return Ok(None) };
        self.aws()?.forget(&arn.account_id, &arn.region);
        self.renamed(arn, resource_id).await
    }

    /// Whether a refresh should keep the prior state: every error says that nothing could be learned, and the provider
    /// block asks for it.
    pub fn keeps_state(&self, reports: &Reports) -> bool {
        let mut errors = reports.0.iter().filter(|report| report.severity == Severity::Error).peekable();
        match errors.peek() {
            Some(_) => errors.all(|report| is_lost(report.reach) || self.is_kept() && report.reach != Reach::Fine),
            None => self.is_kept(),
        }
    }

    /// Whether a refresh should keep the prior state although AWS or a store could not be asked.
    pub fn keeps<E: Explain>(&self, error: &E) -> bool {
        is_lost(error.reach()) || self.is_kept() && error.reach() == Reach::OutOfReach
    }

    fn is_kept(&self) -> bool {
        self.on_unreachable() == OnUnreachable::Keep
    }

    /// Whether the errors say that an account is suspended, closed or gone.
    pub fn is_lost(&self, Reports(reports): &Reports) -> bool {
        let mut errors = reports.iter().filter(|report| report.severity == Severity::Error).peekable();
        errors.peek().is_some() && errors.all(|report| is_lost(report.reach))
    }

    /// The warnings of a refresh that keeps the prior state. What is the matter with a whole account is said once, and
    /// not for each of its objects.
    pub fn warnings(&self, Reports(reports): Reports) -> Vec<Report> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // The last paragraph says what becomes of the account, without the object.
        let of_account = |report: &Report| report.detail.rsplit("\n\n").next().unwrap_or_default().to_owned();
        let is_new = |report: &Report| !is_lost(report.reach) || told.insert(of_account(report));
        reports.into_iter().filter(is_new).map(Report::as_warning).collect()
    }

    /// Notes that a refresh of this run has found a lost account, at the time that it keeps with the object.
    pub fn has_found_lost(&self, at: &str) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(found_lost(at));
    }

    /// Whether it was this run that found an account lost at this time.
    pub fn is_found_lost(&self, at: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).contains(&found_lost(at))
    }

    /// What a destroy says of an object in an account that AWS is taking away; none where the errors say anything else.
    /// `object` begins the sentence, with a capital.
    pub fn leaves_with_account(&self, reports: &Reports, object: &str) -> Option<Report> {
        let error = reports.0.iter().find(|report| report.severity == Severity::Error)?;
        let all_leave = reports.0.iter().all(|r| r.severity == Severity::Warning || r.reach == Reach::Leaving);
        all_leave.then(|| {
            let why = error.detail.split("\n\n").next().unwrap_or_default();
            Report::warning(
                "Left to go with its account",
                format!(
                    "{object} was not removed, because nobody can enter the account any more: AWS removes it with the \
                     account. Should the account be reopened it is still there, and can be imported. {why}"
                ),
            )
        })
    }
}

fn found_lost(at: &str) -> String {
    format!("found lost at {at}")
}

/// Whether an account is out of reach for good, by what AWS Organizations says of it.
fn is_lost(reach: Reach) -> bool {
    matches!(reach, Reach::Leaving | Reach::Strange)
}

/// Reads the answer of AWS for one ARN.
///
/// # Errors
/// A kind that the resource does not take.
pub fn found(arn: &Arn, takes: Takes, described: Described) -> Result<Found, Reports> {
    match described {
        Described::Target(target) => Ok(Found::Target(Box::new(target))),
        Described::Gone => Ok(Found::Gone),
        Described::Unsupported(Other { target: Some(target), reason, .. })
            if takes == Takes::ReplicasToo && is_replica(&reason) =>
        {
            Ok(Found::Target(Box::new(target)))
        }
        Described::Unsupported(other) => Err(Error::Unsupported { arn: arn.clone(), reason: other.reason }.into()),
    }
}

fn is_replica(reason: &Unsupported) -> bool {
    matches!(reason, Unsupported::ReadReplica(_) | Unsupported::GlobalSecondary(_))
}

/// Whether changes are possible now.
///
/// # Errors
/// What stands in the way.
pub fn check_ready(target: Target) -> Result<Target, Error> {
    let (arn, status) = (target.arn.clone(), target.status.clone());
    if target.is_stopped() {
        Err(Error::Stopped { arn, status })
    } else if target.endpoint.is_none() {
        Err(Error::NoEndpoint { arn, status })
    } else {
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Call, Error as AwsError, Fault};
    use crate::context::Clock;

    fn error(fault: Fault) -> AwsError {
        let account = "210987654321".parse().ok();
        AwsError::new(Call { account, ..Call::new("sts:AssumeRole") }, fault)
    }

    fn leaving() -> AwsError {
        error(Fault::AccountLeaving { state: "CLOSED".to_owned(), text: "no".to_owned() })
    }

    fn strange() -> AwsError {
        let (role_arn, text) = ("arn:aws:iam::210987654321:role/X".to_owned(), "no".to_owned());
        error(Fault::NotInOrganization { role_arn, external_id: false, text })
    }

    fn refused() -> AwsError {
        let (role_arn, text) = ("arn:aws:iam::210987654321:role/X".to_owned(), "no".to_owned());
        error(Fault::CannotAssume { role_arn, external_id: false, text })
    }

    #[test]
    fn only_a_lost_account_is_kept_without_being_asked_for() {
        let context = Context::with_clock(Clock::default());
        for (error, kept) in [(leaving(), true), (strange(), true), (refused(), false)] {
            assert_eq!(context.keeps(&error), kept, "{error}");
            assert_eq!(context.keeps_state(&error.clone().into()), kept, "{error}");
            assert_eq!(context.is_lost(&error.clone().into()), kept, "{error}");
        }
        let mixed = Reports(vec![Report::of(&leaving()), Report::of(&refused())]);
        assert!(!context.keeps_state(&mixed) && !context.is_lost(&mixed));
        let warned = Reports(vec![Report::of(&leaving()), Report::of(&refused()).as_warning()]);
        assert!(context.keeps_state(&warned) && context.is_lost(&warned));
        let none = Reports(vec![Report::of(&leaving()).as_warning()]);
        assert!(!context.keeps_state(&none) && !context.is_lost(&none), "no error says so");
    }

    #[test]
    fn only_what_goes_with_its_account_may_be_left() {
        let context = Context::with_clock(Clock::default());
        let left = |reports: Reports| context.leaves_with_account(&reports, "The role `hoop_ro`");
        let warning = left(leaving().into()).unwrap();
        assert_eq!(warning.severity, Severity::Warning);
        assert!(warning.detail.starts_with("The role `hoop_ro` was not removed") && warning.detail.contains("CLOSED"));
        for kept in [strange(), refused()] {
            assert_eq!(left(kept.into()), None, "its databases may be there still");
        }
        assert_eq!(left(Reports(vec![Report::of(&leaving()), Report::of(&refused())])), None);
        assert_eq!(left(Reports(Vec::new())), None);
    }

    #[test]
    fn a_lost_account_is_told_once_and_anything_else_each_time() {
        let context = Context::with_clock(Clock::default());
        assert_eq!(context.warnings(leaving().into()).len(), 1);
        assert_eq!(context.warnings(leaving().into()).len(), 0);
        let mut other = leaving();
        other.call.account = "123456789012".parse().ok();
        assert_eq!(context.warnings(other.into()).len(), 1, "another account");
        assert_eq!(context.warnings(refused().into()).len(), 1);
        assert_eq!(context.warnings(refused().into()).len(), 1);
    }
}

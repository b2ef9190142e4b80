//! What is refused without a look at the database. Unknown values are not judged.

use crate::aws::secrets::Schedule;
use crate::report::{Report, sentence};
use crate::schema::Attr;
use crate::value::Path;

use super::model::MasterCredential;

/// Rules that need no target.
pub(super) fn validate(config: &MasterCredential) -> Vec<Report> {
    if config.method.is_unknown() {
        return Vec::new();
    }
    if config.is_managed() { managed(config) } else { own(config).into_iter().collect() }
}

fn managed(config: &MasterCredential) -> Vec<Report> {
    let written = [
        ("store", !config.store.is_null(), "RDS keeps the password in a secret of its own, in the database's account"),
        ("password_length", !config.password_length.is_null(), "RDS makes the password"),
        ("adopt_secret_ref", !config.adopt_secret_ref.is_null(), "RDS makes the password"),
    ];
    let refused = written.into_iter().filter(|(_, is_written, _)| *is_written).map(|(name, _, why)| {
        let detail = format!("With `method = \"rds_managed\"` {why}. Leave `{name}` out.");
        Report::error(format!("`{name}` does not fit the method"), detail).at(Path::attribute(name))
    });
    refused.chain(schedule(config)).collect()
}

fn schedule(config: &MasterCredential) -> Option<Report> {
    let after = config.rotation.get()?.after.get()?;
    let invalid = Schedule::try_from(*after).err()?;
    let at = Path::attribute("rotation").field("after");
    Some(Report::error("AWS has no such rotation schedule", sentence(&invalid.to_string())).at(at))
}

fn own(config: &MasterCredential) -> Option<Report> {
    matches!(config.kms_key_id, Attr::Known(_)).then(|| {
        let detail = "`kms_key_id` is the key of a secret that RDS manages. Write the key of your own secret in \
                      `store = { secrets_manager = { kms_key_id = … } }`, or set `method = \"rds_managed\"`.";
        Report::error("`kms_key_id` does not fit the method", detail).at(Path::attribute("kms_key_id"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::model::Rotation;
    use super::*;
    use crate::schema::Attr;

    fn summaries(config: &MasterCredential) -> Vec<String> {
        validate(config).into_iter().map(|report| report.summary).collect()
    }

    fn of_rds() -> MasterCredential {
        MasterCredential { method: "rds_managed".to_owned().into(), ..MasterCredential::default() }
    }

    fn every(text: &str) -> MasterCredential {
        let after = text.parse::<crate::access::Span>().unwrap().into();
        MasterCredential { rotation: Rotation { after, ..Rotation::default() }.into(), ..of_rds() }
    }

    #[test]
    fn what_is_ours_alone_does_not_fit_a_password_of_rds() {
        assert!(summaries(&of_rds()).is_empty());
        let length = MasterCredential { password_length: 40.into(), ..of_rds() };
        assert_eq!(summaries(&length), ["`password_length` does not fit the method"]);
        let store = MasterCredential { store: Attr::Known(Default::default()), ..of_rds() };
        assert_eq!(summaries(&store), ["`store` does not fit the method"]);
        let adopted = MasterCredential { adopt_secret_ref: Attr::Unknown, ..of_rds() };
        assert_eq!(summaries(&adopted), ["`adopt_secret_ref` does not fit the method"]);
    }

    #[test]
    fn aws_takes_whole_days_and_some_whole_hours() {
        for good in ["4h", "1d", "720h"] {
            assert!(summaries(&every(good)).is_empty(), "{good}");
        }
        for bad in ["1h", "90m", "25h", "1000d"] {
            assert_eq!(summaries(&every(bad)), ["AWS has no such rotation schedule"], "{bad}");
        }
    }

    #[test]
    fn the_key_of_rds_does_not_fit_a_password_of_ours() {
        let config = MasterCredential { kms_key_id: "alias/a".to_owned().into(), ..MasterCredential::default() };
        assert_eq!(summaries(&config), ["`kms_key_id` does not fit the method"]);
        let open = MasterCredential { method: Attr::Unknown, ..config };
        assert!(summaries(&open).is_empty(), "it may become rds_managed");
    }
}

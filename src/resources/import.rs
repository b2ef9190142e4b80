//! Import ids that begin with the ARN of the database: `<target_arn>|<rest>`.

use crate::access::{Arn, Invalid};
use crate::report::Report;

/// Splits an id at its first `|`; `form` is what the id should look like.
pub(super) fn split<'a>(id: &'a str, form: &str) -> Result<(Arn, &'a str), Report> {
    let (arn, rest) = id.split_once('|').ok_or_else(|| refuse("`|` is missing", form))?;
    Ok((arn.parse().map_err(|error: Invalid| refuse(error, form))?, rest))
}

/// An id of another form.
pub(super) fn refuse(why: impl std::fmt::Display, form: &str) -> Report {
    Report::error("Invalid import id", format!("{why}. The id is {form}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_split_at_its_first_bar() {
        let (arn, rest) = split("arn:aws:rds:eu-central-1:123456789012:db:ledger|a|b", "`x`").unwrap();
        assert_eq!((arn.identifier.as_str(), rest), ("ledger", "a|b"));
    }

    #[test]
    fn other_ids_are_refused_with_the_right_form() {
        for id in ["", "ledger", "ledger|a"] {
            assert!(split(id, "`<target_arn>|<name>`").unwrap_err().detail.contains("`<target_arn>|<name>`"), "{id}");
        }
    }
}

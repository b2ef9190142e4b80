//! `shard`, the same argument for every data source that goes through accounts.

use std::collections::BTreeSet;

use crate::access::{Invalid, Shard};
use crate::model;
use crate::report::Report;
use crate::schema::Attr;
use crate::value::Path;

model! {
    /// A part of the accounts.
    pub struct ShardModel {
        /// How many parts there are. Choose it once, larger than you need, and never change it: another number moves
        /// nearly every account to another part, and so to another state.
        count: i64 = required().between(1, 10_000),
        /// The parts to take, from 0 to `count` - 1.
        indexes: BTreeSet<i64> = required().not_empty(),
    }
}

/// What does not fit together; what is not known yet is not judged.
pub(super) fn validate(shard: &Attr<ShardModel>) -> Vec<Report> {
    match shard.get().map(|model| (model.count.get(), model.indexes.get())) {
        // Out of range or empty: the declarations say so.
        Some((Some(1..=10_000), Some(indexes))) if !indexes.is_empty() => parse(shard).err().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The part that is wanted; `None` for all accounts.
pub(super) fn parse(shard: &Attr<ShardModel>) -> Result<Option<Shard>, Report> {
    let Some(model) = shard.get() else { return Ok(None) };
    let count = model.count.get().copied().unwrap_or_default();
    let indexes = model.indexes.get().cloned().unwrap_or_default();
    let number = |text: i64| u64::try_from(text).map_err(|_| Invalid::new(format!("`{text}` is below 0")));
    let indexes: Result<BTreeSet<u64>, Invalid> = indexes.into_iter().map(number).collect();
    let found = number(count).and_then(|count| Shard::new(count, indexes?));
    found.map(Some).map_err(|why| {
        let path = Path::root().field("shard").field("indexes");
        Report::error(format!("Invalid value for `{path}`"), crate::report::sentence(&why.0)).at(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(count: i64, indexes: &[i64]) -> Attr<ShardModel> {
        let indexes: BTreeSet<i64> = indexes.iter().copied().collect();
        Attr::Known(ShardModel { count: count.into(), indexes: indexes.into() })
    }

    #[test]
    fn a_part_that_there_is_not_is_named_at_its_attribute() {
        for indexes in [&[4][..], &[-1, 0]] {
            let reports = validate(&model(4, indexes));
            assert_eq!(reports.len(), 1);
            assert_eq!(reports[0].attribute.as_ref().unwrap().to_string(), "shard.indexes");
            assert!(reports[0].detail.contains(&indexes[0].to_string()), "{}", reports[0].detail);
        }
        assert!(validate(&model(4, &[0, 3])).is_empty());
    }

    #[test]
    fn what_the_declarations_refuse_is_not_refused_twice() {
        assert!(validate(&model(0, &[0])).is_empty() && validate(&model(4, &[])).is_empty());
        assert!(parse(&model(0, &[0])).is_err() && parse(&model(4, &[])).is_err());
    }

    #[test]
    fn what_is_not_known_is_not_judged() {
        let unknown = ShardModel { count: Attr::Unknown, indexes: BTreeSet::from([7]).into() };
        assert!(validate(&Attr::Known(unknown)).is_empty() && validate(&Attr::Unknown).is_empty());
        assert_eq!(parse(&Attr::Null).unwrap(), None);
    }
}

//! The filter `tags` of the lists.

use std::collections::BTreeMap;

type Tags = BTreeMap<String, String>;

/// Whether an object has all the tags that are asked for; `*` stands for any value.
pub(super) fn has_tags(found: &Tags, wanted: &Tags) -> bool {
    wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| value == "*" || found == value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_is_asked_for_with_its_value_or_any() {
        let tags = |tags: &[(&str, &str)]| -> Tags {
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let wanted = tags(&[("env", "prod"), ("team", "*")]);
        assert!(has_tags(&tags(&[("env", "prod"), ("team", "a"), ("more", "b")]), &wanted));
        for found in [&[("env", "prod")][..], &[("env", "test"), ("team", "a")], &[("env", "*"), ("team", "a")], &[]] {
            assert!(!has_tags(&tags(found), &wanted), "{found:?}");
        }
        assert!(has_tags(&tags(&[]), &tags(&[])));
    }
}

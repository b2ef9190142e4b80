//! What a role lacks, in the words that the plan shows.

use std::collections::BTreeMap;

/// The text of a database where nothing is missing.
pub const COMPLETE: &str = "complete";

/// How many names a sentence lists before it counts the rest.
const MOST_NAMES: usize = 10;

/// What closing a gap does to whoever is logged in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Gives something that is lacking
    Lacks,
    /// Takes something away that is beyond what is wanted
    #[default]
    Exceeds,
    /// Changes what bounds later logins, such as how many there may be
    Terms,
}

/// One kind of gap in one database: a privilege that is missing (or too much) on some objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The gap in words up to the objects, such as `missing SELECT`
    pub what: String,
    /// The kind of object in the singular, such as `table`; empty when the gap names no objects
    pub noun: String,
    /// The objects
    pub names: Vec<String>,
    /// What closing it does
    pub gap: Gap,
}

impl Missing {
    /// Something beyond what is wanted, without objects, such as `is a member of x`.
    pub fn plain(what: impl Into<String>) -> Self {
        Self { what: what.into(), noun: String::new(), names: Vec::new(), gap: Gap::default() }
    }

    /// Something that is lacking, without objects, such as `role is missing`.
    pub fn lacking(what: impl Into<String>) -> Self {
        Self { gap: Gap::Lacks, ..Self::plain(what) }
    }

    /// A bound of later logins that differs, such as `connection limit is 3 instead of 2`.
    pub fn of_terms(what: impl Into<String>) -> Self {
        Self { gap: Gap::Terms, ..Self::plain(what) }
    }

    fn sentence(&self) -> String {
        match self.names.len() {
            _ if self.noun.is_empty() => self.what.clone(),
            0 => format!("{} on {}", self.what, self.noun),
            1 => format!("{} on {} {}", self.what, self.noun, self.names[0]),
            n => format!("{} on {n} {}s: {}", self.what, self.noun, list_names(&self.names)),
        }
    }
}

/// The gaps of one role: database -> what apply can repair there. A covered database has an empty list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Database -> gaps
    pub databases: BTreeMap<String, Vec<Missing>>,
}

impl Coverage {
    /// Whether every database is covered.
    pub fn is_complete(&self) -> bool {
        self.databases.values().all(Vec::is_empty)
    }

    /// The `coverage` attribute: database -> `complete` or sentences, sorted, joined by `; `.
    pub fn texts(&self) -> BTreeMap<String, String> {
        self.databases.iter().map(|(name, gaps)| (name.clone(), text(gaps))).collect()
    }
}

fn text(gaps: &[Missing]) -> String {
    if gaps.is_empty() {
        return COMPLETE.to_owned();
    }
    let mut sentences: Vec<String> = gaps
        .iter()
        .map(|gap| {
            let mut sorted = gap.clone();
            sorted.names.sort();
            sorted.sentence()
        })
        .collect();
    sentences.sort();
    sentences.dedup();
    sentences.join("; ")
}

/// At most ten names, then `and N more`.
pub fn list_names<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST_NAMES).map(AsRef::as_ref).collect();
    match names.len().checked_sub(MOST_NAMES) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(what: &str, noun: &str, names: &[&str]) -> Missing {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        Missing { noun: noun.into(), names, ..Missing::lacking(what) }
    }

    #[test]
    fn gaps_read_as_sentences() {
        let coverage = Coverage {
            databases: BTreeMap::from([
                ("app".to_owned(), vec![gap("missing SELECT", "table", &["public.c", "public.a", "public.b"])]),
                ("empty".to_owned(), vec![]),
                ("one".to_owned(), vec![gap("missing USAGE", "schema", &["app"]), Missing::plain("role is missing")]),
            ]),
        };
        let texts = coverage.texts();
        assert_eq!(texts["app"], "missing SELECT on 3 tables: public.a, public.b, public.c");
        assert_eq!(texts["empty"], "complete");
        assert_eq!(texts["one"], "missing USAGE on schema app; role is missing");
        assert!(!coverage.is_complete());
    }

    #[test]
    fn a_long_list_is_cut_at_ten_names() {
        let names: Vec<String> = (0..13).map(|n| format!("t{n:02}")).collect();
        assert!(list_names(&names).ends_with("t09 and 3 more"));
        assert_eq!(list_names(&names[..10]).matches(',').count(), 9);
    }
}

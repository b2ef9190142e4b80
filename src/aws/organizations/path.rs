//! Paths of organizational units, such as `Root/Prod/EU`; a `/` inside a name is written `\/`, a backslash `\\`.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// The names from the root down to a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitPath(Vec<String>);

impl UnitPath {
    /// The path of a root.
    pub fn root(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    /// The path of a unit below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut names = self.0.clone();
        names.push(name.to_owned());
        Self(names)
    }

    /// The path of the unit above; `None` for a root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        (!above.is_empty()).then(|| Self(above.to_vec()))
    }

    /// How much another path looks like this one; more is nearer. A path that differs in capitals only comes first, then
    /// one that ends in the same name, as that of a unit that was moved, then the neighbours.
    pub fn likeness(&self, other: &Self) -> impl Ord + use<> {
        let lower = |path: &Self| path.0.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
        let (own, others) = (lower(self), lower(other));
        let shared = own.iter().zip(&others).take_while(|(a, b)| a == b).count();
        (own == others, own.last() == others.last(), shared, std::cmp::Reverse(own.len().abs_diff(others.len())))
    }

    /// Whether a unit is this one or below it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl FromStr for UnitPath {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (mut names, mut name) = (Vec::new(), String::new());
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => name.push(chars.next_if(|n| matches!(n, '/' | '\\')).unwrap_or('\\')),
                '/' => names.push(std::mem::take(&mut name)),
                _ => name.push(c),
            }
        }
        names.push(name);
        Ok(Self(names))
    }
}

impl fmt::Display for UnitPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("/")?;
            }
            f.write_str(&name.replace('\\', "\\\\").replace('/', "\\/"))?;
        }
        Ok(())
    }
}

/// How a configuration names a unit: by id (`r-…`, `ou-…-…`) or by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitRef {
    /// Id of a root or unit
    Id(String),
    /// Path from the root
    Path(UnitPath),
}

impl FromStr for UnitRef {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let word = |t: &str, range: std::ops::RangeInclusive<usize>| {
            range.contains(&t.len()) && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let is_id = match text.split('-').collect::<Vec<_>>()[..] {
            ["r", root] => word(root, 4..=32),
            ["ou", root, unit] => word(root, 4..=32) && word(unit, 8..=32),
            _ => false,
        };
        if is_id { Ok(Self::Id(text.to_owned())) } else { text.parse().map(Self::Path) }
    }
}

impl fmt::Display for UnitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Path(path) => path.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> UnitPath {
        text.parse().unwrap()
    }

    #[test]
    fn a_slash_inside_a_name_is_escaped() {
        let unit = UnitPath::root("Root").child("R/D").child("EU");
        assert_eq!(unit.to_string(), "Root/R\\/D/EU");
        assert_eq!(path("Root/R\\/D/EU"), unit);
        assert_eq!(unit.parent().unwrap().to_string(), "Root/R\\/D");
        assert_eq!(UnitPath::root("Root").parent(), None);
    }

    #[test]
    fn a_unit_contains_itself_and_what_is_below_but_no_longer_name() {
        assert!(path("Root/Prod").contains(&path("Root/Prod")));
        assert!(path("Root/Prod").contains(&path("Root/Prod/EU")));
        assert!(!path("Root/Prod").contains(&path("Root/Production")));
        assert!(!path("Root/Prod/EU").contains(&path("Root/Prod")));
    }

    #[test]
    fn ids_and_paths_are_told_apart() {
        let is_id = |text: &str| matches!(text.parse::<UnitRef>().unwrap(), UnitRef::Id(_));
        assert!(is_id("r-ab12") && is_id("ou-ab12-12345678"));
        assert!(!is_id("Root") && !is_id("ou-ab12") && !is_id("Root/ou-ab12-12345678") && !is_id("r-d"));
    }

    proptest! {
        #[test]
        fn every_path_survives_a_round_trip(names in prop::collection::vec("[a-z/\\\\ ]{1,6}", 1..5)) {
            let unit = names.iter().skip(1).fold(UnitPath::root(&names[0]), |p, n| p.child(n));
            prop_assert_eq!(path(&unit.to_string()), unit);
        }
    }
}

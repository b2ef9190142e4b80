//! Names as people and attackers choose them.

use crate::conformance::subject::Names;

/// Names of at most so many bytes, the last ones exactly so long.
pub(super) fn possible(longest: usize) -> Vec<String> {
    let mut names: Vec<String> = [
        "quo\"ted\"",
        "it's'); DROP TABLE t; --",
        "back\\slash\\",
        " spaces around ",
        "日本ünïcode",
        "emoji 🦀",
        "select",
        "Mixed.Case$$;{}%s",
        "line\nbreak\ttab",
        "[brackets] `ticks`",
        "user",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    names.push("x".repeat(longest));
    // Two bytes each: the length is counted in bytes.
    names.push(format!("{}{}", "é".repeat(longest / 2), "y".repeat(longest % 2)));
    names
}

/// The names of the suite.
pub(super) fn all() -> Names {
    let mut refused: Vec<String> =
        ["pg_made", "public", "none", "rdsadmin", "rds_superuser", "rdsaccess_ro_made"].map(ToOwned::to_owned).to_vec();
    refused.extend(["x".repeat(64), format!("{}yy", "é".repeat(31))]);
    Names { roles: possible(63), databases: possible(63).split_off(7), tables: possible(63), refused }
}

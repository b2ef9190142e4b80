//! Names as people and attackers choose them.

use crate::conformance::subject::Names;

/// The names of the suite. Accounts are measured in characters and cannot hold emoji.
pub(super) fn all(is_mysql: bool) -> Names {
    let longest = if is_mysql { 32 } else { 128 };
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut roles = texts(&[
        "x`; DROP USER dba; --",
        "o'neil \"q\" \\",
        "ünï`@`%",
        " leading",
        "日本",
        "select",
        "a_b%c",
        "[brackets]",
        "line\nbreak",
    ]);
    roles.extend(["x".repeat(longest), "é".repeat(longest)]);
    let mut databases = texts(&[r"a\b", "we`ird; DROP USER dba; --", "it's \"x\"", "50%", "日本", "a b", "table"]);
    databases.push("d".repeat(64));
    let mut tables = texts(&["quo`ted", "it's", "back\\slash", "日本", "select", "a b", "$$;{}%s"]);
    tables.push("t".repeat(64));
    let mut refused = texts(&["trailing ", "emoji 🦀", "root", "mysql.sys", "RDSADMIN", "public"]);
    refused.push("x".repeat(longest + 1));
    // No role name of any engine is longer than 128 characters, so MariaDB's limit is that of the type.
    refused.retain(|name| name.chars().count() <= 128);
    Names { roles, databases, tables, refused }
}

//! Names as people and attackers choose them.

use crate::conformance::subject::Names;

/// The names of the suite, measured in UTF-16 units.
pub(super) fn all() -> Names {
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut roles = texts(&[
        "x]; DROP LOGIN sa; --",
        "o'neil \"q\"",
        "[brackets]",
        "日本",
        "select",
        "a_b%c",
        "/* comment",
        "emoji 🦀",
        "N'x'",
    ]);
    roles.extend(["x".repeat(128), "é".repeat(128)]);
    let mut databases = texts(&["we]ird; DROP DATABASE app; --", "it's \"x\"", "50%", "日本", "a b", "table", "a.b"]);
    databases.push("d".repeat(120));
    let mut tables = texts(&["quo]ted", "it's", "日本", "select", "a b", "$$;{}%s", "[t]"]);
    tables.push("t".repeat(128));
    let mut refused = texts(&["trailing ", " leading", "AD\\user", "sa", "DBO", "##x##", "rdsadmin", "line\nbreak"]);
    refused.push("🦀".repeat(65));
    Names { roles, databases, tables, refused }
}

//! The engines' golden files: the statements of each engine, version and level, all in `tests/golden`. A change of one word
//! shows in review.

use std::path::PathBuf;

use crate::golden as switch;

/// A golden file or its folder, by its path below `tests/golden`.
pub(super) fn path(below: &str) -> PathBuf {
    switch::root().join("tests/golden").join(below)
}

/// Compares texts with their committed files, by their paths below `tests/golden`; `RDSACCESS_UPDATE=1` writes them.
pub(super) fn assert_committed(texts: impl IntoIterator<Item = (String, String)>) {
    let wrong = texts.into_iter().filter_map(|(below, text)| switch::compare(&path(&below), &text).err());
    let wrong: Vec<String> =
        wrong.map(|text| text.replace("make docs", "RDSACCESS_UPDATE=1 cargo nextest run --lib engine::")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

//! One suite for every engine: what a role promises, proved on a real server by logging in as the role.
//!
//! `subject` says what an engine must provide, a folder per engine provides it, and each other file holds the cases of
//! one topic, written once. `proof` writes what was tried into `target/proof/`, and compares it with the copy in
//! `proof/` beside it, which is what the product promises; `RDSACCESS_UPDATE=1` writes that copy anew.

mod subject;

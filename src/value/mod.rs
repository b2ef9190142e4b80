//! The lowest floor: Terraform's values with null and unknown, their types, exact numbers and paths.

mod path;

pub use path::{Path, Step};

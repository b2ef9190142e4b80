//! The lowest floor: Terraform's values with null and unknown, their types, exact numbers and paths.

mod number;
mod path;
mod types;
#[expect(clippy::module_inception, reason = "the main type of the floor has the floor's name")]
mod value;

pub use number::{NotANumber, Number};
pub use path::{Path, Step};
pub use types::Type;
pub use value::{DynamicValue, Refinement, Value};

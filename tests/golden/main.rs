//! What must not change by accident: the floors of the house, the size of files, the schema, the registry's pages.

mod docs;
mod house;
mod schema;
mod switch;

//! Starts the plugin process.
fn main() {}

//! The `timeouts` argument of every resource.

use crate::access::Span;
use crate::model;

model! {
    /// How long the calls of a resource may take.
    #[derive(Eq, PartialOrd, Ord)]
    pub struct Timeouts {
        /// Create.
        create: Span = optional(),
        /// Read.
        read: Span = optional(),
        /// Update.
        update: Span = optional(),
        /// Delete.
        delete: Span = optional(),
    }
}

//! Declaring an attribute once: one declaration gives the wire schema, the typed model, validation, the plan and the
//! documentation page. Also what authors of resources, data sources, ephemeral resources and functions implement.

mod any_resource;
mod attr;
mod attribute;
mod data_source;
pub mod docs;
mod ephemeral;
mod function;
mod kind;
mod model;
pub mod plan;
mod private;
mod provider;
mod reports;
mod resource;
mod timeouts;
mod validate;

pub use any_resource::{AnyResource, ApplyRequest, Kept, PlanRequest, Planned};
pub use attr::Attr;
pub use attribute::{
    Attribute, Check, Flags, Nesting, Shape, computed, join_doc, object_type, optional, required, walk,
};
pub use data_source::{Answer, AnyDataSource, DataSource, Query};
pub use ephemeral::{AnyEphemeral, Ephemeral, Opened, Opening};
pub use function::{Function, FunctionError, Parameter};
pub use kind::{Kind, misfit, parse_text};
pub use model::{Model, decode, decode_field, decode_object, encode_field, field_into_value, overlay};
pub use private::Private;
pub use provider::Provider;
pub use reports::Reports;
pub use resource::{Apply, Change, Limits, NoIdentity, Reading, Resource};
pub use timeouts::Timeouts;
pub use validate::{has_errors, validate};

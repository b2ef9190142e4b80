//! How a database is reached, and which certificates it may show.
//!
//! [`trust`] joins the certificates built into the provider (`rds-roots.pem`, whose head names the sources and the
//! regions that are missing) with what the user wrote into `ca_bundle`; [`http_client`] is for servers that are no
//! databases. Nothing here opens a connection.

mod bundle;
mod error;
mod http;
mod roots;

pub use bundle::parse_ca_bundle;
pub use error::Error;
pub use http::{HttpSettings, certificate_reason, http_client, http_client_with, innermost, speaks_no_tls};
pub use roots::trust;

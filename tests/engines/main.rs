//! The engines against real servers, started on the loopback address.

mod mysql;
mod server_mariadb;

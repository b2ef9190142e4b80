//! Placeholder of the Mysql engine until its folder lands.
use super::{Error, Fault, Login, Observed, Removal, Reply, RoleSpec, Server};
use crate::access::Secret;

/// A server of this engine.
pub struct Mysql(Login);

impl Mysql {
    /// Nothing is sent.
    ///
    /// # Errors
    /// None yet.
    pub fn new(login: Login) -> Result<Self, Error> {
        Ok(Self(login))
    }
}

impl Server for Mysql {
    fn ping(&self) -> Reply<'_, ()> {
        Box::pin(async { Err(Error::new(&self.0, Fault::Unsupported(String::new()))) })
    }
    fn read<'a>(&'a self, _: &'a RoleSpec) -> Reply<'a, Observed> {
        Box::pin(async { Err(Error::new(&self.0, Fault::Unsupported(String::new()))) })
    }
    fn ensure<'a>(&'a self, _: &'a RoleSpec, _: Option<&'a Secret<String>>) -> Reply<'a, Observed> {
        Box::pin(async { Err(Error::new(&self.0, Fault::Unsupported(String::new()))) })
    }
    fn accepts<'a>(&'a self, _: &'a RoleSpec, _: &'a Secret<String>) -> Reply<'a, bool> {
        Box::pin(async { Err(Error::new(&self.0, Fault::Unsupported(String::new()))) })
    }
    fn remove<'a>(&'a self, _: &'a RoleSpec, _: &'a Removal) -> Reply<'a, Vec<String>> {
        Box::pin(async { Err(Error::new(&self.0, Fault::Unsupported(String::new()))) })
    }
}

/// Placeholder.
///
/// # Errors
/// None yet.
pub fn check_role_name(
    _: crate::access::EngineKind,
    _: &crate::access::RoleName,
) -> Result<(), crate::access::Invalid> {
    Ok(())
}

//! The organization and the rules of the moment.

use std::sync::Arc;

use crate::fleet::Fleet;
use crate::organization::Organization;
use crate::settings::Settings;

/// What one call sees; a change of settings makes another one.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) organization: Organization,
    pub(crate) fleet: Fleet,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        let (organization, fleet) = (Organization::new(&settings), Fleet::new(&settings));
        Arc::new(Self { settings, organization, fleet })
    }
}

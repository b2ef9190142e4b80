//! Several reports as one error.

use crate::report::{Explain, Report};

/// Why a call failed: at least one error, and whatever else there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reports(pub Vec<Report>);

impl From<Report> for Reports {
    fn from(report: Report) -> Self {
        Self(vec![report])
    }
}

impl From<Vec<Report>> for Reports {
    fn from(reports: Vec<Report>) -> Self {
        Self(reports)
    }
}

impl<E: Explain> From<E> for Reports {
    fn from(error: E) -> Self {
        Self(vec![Report::of(&error)])
    }
}

//! Calls that fail for no reason of the caller's: which ones is computed from the seed and the number of the call.

use axum::http::StatusCode;

use crate::numbering::hash;
use crate::settings::{FailureKind, Settings};
use crate::wire::{Refusal, Service};

/// How the call of this number fails, if it does.
pub(crate) fn failure(settings: &Settings, call: u64) -> Option<FailureKind> {
    const ALL: [FailureKind; 3] = [FailureKind::Internal, FailureKind::Unavailable, FailureKind::Lost];
    if settings.failures.share <= 0.0 {
        return None;
    }
    let drawn = hash(&["failure", &settings.seed.to_string(), &call.to_string()]);
    // Six digits of the share are enough.
    if (drawn % 1_000_000) as f64 >= settings.failures.share * 1e6 {
        return None;
    }
    let kinds = if settings.failures.kinds.is_empty() { &ALL[..] } else { &settings.failures.kinds };
    kinds.get(usize::try_from(drawn / 1_000_000 % kinds.len() as u64).ok()?).copied()
}

/// The answer of a service that fails.
pub(crate) fn refusal(service: Service, kind: FailureKind) -> Refusal {
    let (status, code) = match (kind, service) {
        (FailureKind::Unavailable, _) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        (_, Service::Organizations) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
    };
    Refusal::new(status, code, "The request processing has failed because of an unknown error.")
}

/// Ends the connection without an answer: the task that serves it ends, and nothing is printed.
pub(crate) fn lose_the_connection() -> ! {
    std::panic::resume_unwind(Box::new("the connection is lost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_share_fails_and_each_kind_comes_up() {
        let settings = Settings::default().changed(br#"{"failures": {"share": 0.1}}"#).unwrap();
        let failed: Vec<FailureKind> = (0..10_000).filter_map(|call| failure(&settings, call)).collect();
        assert!((900..1100).contains(&failed.len()), "{}", failed.len());
        for kind in [FailureKind::Internal, FailureKind::Unavailable, FailureKind::Lost] {
            assert!(failed.contains(&kind), "{kind:?}");
        }
        assert_eq!((0..1000).find_map(|call| failure(&Settings::default(), call)), None);
    }
}

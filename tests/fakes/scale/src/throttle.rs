//! Token buckets, one for each account, region and action.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::settings::{Rate, Settings};
use crate::wire::Service;

/// Who shares a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) account: u32,
    pub(crate) region: String,
    pub(crate) service: Service,
    pub(crate) action: String,
}

/// What is left in a bucket, and since when it fills up again.
#[derive(Debug)]
struct Bucket {
    calls: f64,
    at: Instant,
}

/// All buckets that were ever used.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<HashMap<Key, Bucket>>);

impl Buckets {
    /// Takes a call out of the bucket; false when it is empty.
    pub(crate) fn take(&self, settings: &Settings, key: Key, now: Instant) -> bool {
        let Some(rate) = rate(settings, key.service, &key.action) else { return true };
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(key).or_insert(Bucket { calls: rate.burst, at: now });
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.calls = (bucket.calls + since * rate.rate).min(rate.burst);
        bucket.at = now;
        if bucket.calls < 1.0 {
            return false;
        }
        bucket.calls -= 1.0;
        true
    }

    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn rate(settings: &Settings, service: Service, action: &str) -> Option<Rate> {
    let names = [format!("{}:{action}", service.name()), format!("{}:*", service.name()), "*".to_owned()];
    names.iter().find_map(|name| settings.throttle.get(name)).copied()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(account: u32, region: &str, service: Service, action: &str) -> Key {
        Key { account, region: region.to_owned(), service, action: action.to_owned() }
    }

    #[test]
    fn a_bucket_empties_fills_up_again_and_is_not_shared() {
        let settings = Settings::default().changed(br#"{"throttle": {"rds:*": {"rate": 2, "burst": 3}}}"#).unwrap();
        let (buckets, start) = (Buckets::default(), Instant::now());
        let take = |account, region, millis| {
            let key = key(account, region, Service::Rds, "DescribeDBInstances");
            buckets.take(&settings, key, start + Duration::from_millis(millis))
        };
        assert_eq!([0; 4].map(|_| take(1, "a", 0)), [true, true, true, false]);
        assert!(take(2, "a", 0) && take(1, "b", 0));
        assert_eq!([take(1, "a", 400), take(1, "a", 500), take(1, "a", 500)], [false, true, false]);
        assert_eq!([0; 4].map(|_| take(1, "a", 60_000)), [true, true, true, false]);
    }

    #[test]
    fn the_closest_name_holds() {
        let text =
            br#"{"throttle": {"*": {"rate": 1, "burst": 1}, "rds:DescribeDBClusters": {"rate": 1, "burst": 9}}}"#;
        let settings = Settings::default().changed(text).unwrap();
        assert_eq!(rate(&settings, Service::Rds, "DescribeDBClusters").unwrap().burst, 9.0);
        assert_eq!(rate(&settings, Service::Sts, "AssumeRole").unwrap().burst, 1.0);
        assert_eq!(rate(&Settings::default(), Service::Sts, "AssumeRole"), None);
    }
}

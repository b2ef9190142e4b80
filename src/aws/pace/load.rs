//! How much is under way, so that new work begins exactly when there is room for its requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Chains of requests (the pages of a list, entering an account) that are under way. A chain has one request at a time
/// and does not count while it waits for an account that AWS throttles: so as many chains as `max_concurrency` keep
/// that many requests busy, a page that follows never queues behind thousands of first pages, and throttled accounts
/// take no room from others.
#[derive(Debug)]
pub(crate) struct Load {
    room: Arc<Semaphore>,
    /// Chains beyond the bound: they woke up when their room was taken
    beyond: AtomicUsize,
    asleep: AtomicUsize,
    slept: Notify,
}

/// A chain that is under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    load: Arc<Load>,
    room: Option<OwnedSemaphorePermit>,
}

/// A chain that waits because AWS throttles, until it is dropped.
#[derive(Debug)]
pub(super) struct Asleep<'a> {
    load: &'a Load,
    who: Who,
}

/// Who is throttled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// An account: others can go on in its place
    Account,
    /// The hub: who is not entered yet waits in the same line
    Hub,
}

impl Load {
    /// An eighth more chains than requests: one that reads an answer leaves its turn to another.
    pub(crate) fn new(max_concurrency: usize) -> Self {
        let room = Arc::new(Semaphore::new(max_concurrency.max(1) + max_concurrency.div_ceil(8)));
        Self { room, beyond: AtomicUsize::new(0), asleep: AtomicUsize::new(0), slept: Notify::new() }
    }

    /// Begins a chain, when there is room; first come, first served.
    pub(crate) async fn begin(self: &Arc<Self>) -> UnderWay {
        // Only a closed semaphore refuses, and this one is never closed.
        let room = self.room.clone().acquire_owned().await.ok();
        UnderWay { load: self.clone(), room }
    }

    /// How many chains wait for a throttled account.
    pub(crate) fn asleep(&self) -> usize {
        self.asleep.load(Ordering::SeqCst)
    }

    /// Ends when one more chain waits for a throttled account: one that begins to wait from this call on, not only from
    /// the first poll on.
    pub(crate) fn one_more_asleep(&self) -> Notified<'_> {
        self.slept.notified()
    }

    /// A request of a chain waits because AWS throttles.
    pub(super) fn sleep(&self, who: Who) -> Asleep<'_> {
        if !self.settle_one_beyond() {
            self.room.add_permits(1);
        }
        if who == Who::Account {
            self.asleep.fetch_add(1, Ordering::SeqCst);
            self.slept.notify_waiters();
        }
        Asleep { load: self, who }
    }

    fn settle_one_beyond(&self) -> bool {
        self.beyond.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.load.settle_one_beyond()
            && let Some(room) = self.room.take()
        {
            room.forget();
        }
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        if self.who == Who::Account {
            self.load.asleep.fetch_sub(1, Ordering::SeqCst);
        }
        if self.load.room.forget_permits(1) == 0 {
            self.load.beyond.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_sleeps_gives_room_and_takes_it_back() {
        let load = Arc::new(Load::new(1));
        let (first, second) = (load.begin().await, load.begin().await);
        assert!(load.begin().now_or_never().is_none(), "one request and one that is read");

        let asleep = load.sleep(Who::Account);
        assert_eq!(load.asleep(), 1);
        let third = load.begin().now_or_never().expect("the room of the one that sleeps");
        drop(asleep);
        drop(first);
        assert!(load.begin().now_or_never().is_none(), "three were under way");
        drop(second);
        let fourth = load.begin().now_or_never().expect("one is left");
        assert!(load.begin().now_or_never().is_none());

        let one_more = load.one_more_asleep();
        drop(load.sleep(Who::Account));
        assert!(one_more.now_or_never().is_some(), "it slept before anybody looked");

        drop((third, fourth));
        drop(load.sleep(Who::Hub));
        let both = (load.begin().now_or_never(), load.begin().now_or_never());
        assert!(both.0.is_some() && both.1.is_some() && load.begin().now_or_never().is_none());
    }
}

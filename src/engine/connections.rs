//! The connections to one endpoint, whoever logs in: how many there may be at once, and those that rest between two uses.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::Fault;

/// The connections to one endpoint. Clones share them: every login to the endpoint holds one, so that administrators and
/// roles whose passwords are tried stay within one bound together.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    bound: usize,
    permits: Arc<Semaphore>,
    /// Writes of this process run one after the other
    writer: Arc<tokio::sync::Mutex<()>>,
    table: Mutex<Table>,
    pools: AtomicU64,
}

#[derive(Default)]
struct Table {
    /// The longest unused first
    resting: VecDeque<Resting>,
    /// Seats that are taken
    active: usize,
}

struct Resting {
    pool: u64,
    place: String,
    connection: Box<dyn Any + Send>,
    since: Instant,
}

impl Connections {
    /// So many at once, and at least one. The session that holds the writer's lock counts as one of them; where the
    /// bound is one it comes on top, since a change needs another beside it.
    pub fn at_most(bound: usize) -> Self {
        let bound = bound.max(1);
        Self(Arc::new(Shared {
            bound,
            permits: Arc::new(Semaphore::new(bound)),
            writer: Arc::default(),
            table: Mutex::default(),
            pools: AtomicU64::new(0),
        }))
    }

    /// How many there may be at once.
    pub fn bound(&self) -> usize {
        self.0.bound
    }

    /// The part of one login. A connection that rests for longer than `lifetime` is closed.
    pub(super) fn pool<C: Send + 'static>(&self, lifetime: Duration) -> Pool<C> {
        let id = self.0.pools.fetch_add(1, Ordering::SeqCst);
        Pool { all: Arc::clone(&self.0), id, lifetime, connections: PhantomData }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections(at most {})", self.0.bound)
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.map_err(|_| Fault::Unreachable("the provider is stopping".to_owned()))
    }
}

/// The connections of one login: those that rest are its own, the bound is everybody's.
pub(super) struct Pool<C> {
    all: Arc<Shared>,
    id: u64,
    lifetime: Duration,
    connections: PhantomData<fn() -> C>,
}

/// The right to hold one connection.
pub(super) struct Seat {
    all: Arc<Shared>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.all.table().active -= 1;
        }
    }
}

impl<C: Send + 'static> Pool<C> {
    /// How many connections there may be at once.
    pub(super) fn bound(&self) -> usize {
        self.all.bound
    }

    /// Waits until one more connection is allowed. Nobody waits for a seat while holding another, the writer apart.
    pub(super) async fn seat(&self) -> Result<Seat, Fault> {
        let permit = self.all.permit().await?;
        self.all.table().active += 1;
        Ok(Seat { all: Arc::clone(&self.all), permit: Some(permit) })
    }

    /// The same for the session of the writer's lock, which is held while the writer takes others: one writer at a time
    /// and a bound of two leave one for those, and with a bound of one this seat is not counted.
    pub(super) async fn lock_seat(&self) -> Result<Seat, Fault> {
        match self.all.bound {
            1 => Ok(Seat { all: Arc::clone(&self.all), permit: None }),
            _ => self.seat().await,
        }
    }

    /// Waits until nobody else in this process changes anything on this endpoint, as whomever he logged in.
    pub(super) async fn writer(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.all.writer).lock_owned().await
    }

    /// The connection of this login that rested last at this place, and for how long. A seat is held already.
    pub(super) fn take(&self, place: &str) -> Option<(C, Duration)> {
        let mut table = self.all.table();
        let at = table.resting.iter().rposition(|resting| resting.pool == self.id && resting.place == place)?;
        let resting = table.resting.remove(at)?;
        let rested = resting.since.elapsed();
        resting.connection.downcast().ok().map(|connection| (*connection, rested))
    }

    /// The resting connections, of every login, that have to be closed before another is opened. A seat is held already.
    pub(super) fn make_room(&self) -> Vec<C> {
        let mut table = self.all.table();
        let mut leaving = Vec::new();
        while table.resting.len() + table.active > self.all.bound {
            let Some(oldest) = table.resting.pop_front() else { break };
            // All logins of one endpoint speak to one engine.
            leaving.extend(oldest.connection.downcast().map(|connection| *connection));
        }
        leaving
    }

    /// Lets a connection rest until its next use at this place, and gives its seat back.
    pub(super) fn keep(&self, seat: Seat, place: String, connection: C) {
        let resting = Resting { pool: self.id, place, connection: Box::new(connection), since: Instant::now() };
        {
            let mut table = self.all.table();
            table.resting.push_back(resting);
            if table.resting.len() > self.all.bound {
                table.resting.pop_front();
            }
        }
        drop(seat);
        self.close_later();
    }

    fn close_later(&self) {
        let (all, lifetime): (Weak<Shared>, Duration) = (Arc::downgrade(&self.all), self.lifetime);
        let id = self.id;
        tokio::spawn(async move {
            tokio::time::sleep(lifetime).await;
            if let Some(all) = all.upgrade() {
                all.table().resting.retain(|resting| resting.pool != id || resting.since.elapsed() < lifetime);
            }
        });
    }
}

impl<C> Pool<C> {
    /// Closes every connection of this login that is not in use, so that the next ones are new.
    pub(super) fn close_idle(&self) {
        self.all.table().resting.retain(|resting| resting.pool != self.id);
    }
}

impl<C> Drop for Pool<C> {
    fn drop(&mut self) {
        self.close_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(3);

    #[tokio::test]
    async fn logins_of_one_endpoint_share_the_bound_and_close_each_others_resting_connections() {
        let all = Connections::at_most(2);
        let (one, two) = (all.pool::<&str>(LIFETIME), all.clone().pool::<&str>(LIFETIME));
        let (first, second) = (one.seat().await.unwrap(), two.seat().await.unwrap());
        let third = one.seat();
        assert!(futures_util::poll!(std::pin::pin!(third)).is_pending(), "both seats are taken");
        one.keep(first, "app".to_owned(), "of one");
        let again = two.seat().await.unwrap();
        assert!(two.take("app").is_none(), "a session belongs to who logged in");
        assert_eq!(two.make_room(), ["of one"]);
        assert!(one.take("app").is_none());
        drop((second, again));
        assert!(one.make_room().is_empty());
    }

    #[tokio::test]
    async fn a_writer_finds_a_second_connection_whatever_the_bound() {
        for bound in [0, 1, 2, 3] {
            let pool = Connections::at_most(bound).pool::<()>(LIFETIME);
            let (_writer, _lock) = (pool.writer().await, pool.lock_seat().await.unwrap());
            assert!(futures_util::poll!(std::pin::pin!(pool.seat())).is_ready(), "{bound}");
        }
    }

    #[tokio::test]
    async fn one_endpoint_has_one_writer_whoever_logs_in() {
        let all = Connections::at_most(3);
        let (one, two) = (all.pool::<()>(LIFETIME), all.pool::<()>(LIFETIME));
        let writer = one.writer().await;
        assert!(futures_util::poll!(std::pin::pin!(two.writer())).is_pending());
        drop(writer);
        drop(two.writer().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_does_not_outlive_its_login() {
        let all = Connections::at_most(3);
        let pool = all.pool::<u8>(LIFETIME);
        let seat = pool.seat().await.unwrap();
        pool.keep(seat, String::new(), 1);
        assert_eq!(pool.take("").map(|(connection, _)| connection), Some(1));
        let seat = pool.seat().await.unwrap();
        pool.keep(seat, String::new(), 2);
        drop(pool);
        assert!(all.0.table().resting.is_empty());
    }
}

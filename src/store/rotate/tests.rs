//! The whole way of a password, killed at every single effect, over a store with the labels of Secrets Manager.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::access::{Identifier, RoleName};
use crate::report::Report;
use crate::store::{Error, Fault, Reply};

const TARGET: &str = "db-NOW";

/// Everything outside the process.
#[derive(Debug, Clone, Default)]
struct Outside {
    /// Secret: target tag, deleted, versions
    secret: Option<Kept>,
    database: String,
    changes: u32,
    /// A version that somebody else stored
    others: Option<u32>,
    /// Passwords that the database does not take
    unfit: Vec<&'static str>,
    /// A password that is not wanted any more
    unwanted: Option<&'static str>,
    /// Effects until the process dies; it dies before the effect, or right after it
    life: Option<(u32, When)>,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    target: String,
    deleted: bool,
    current: Option<u32>,
    pending: Option<u32>,
    values: BTreeMap<u32, String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Before,
    After,
}

struct World(Mutex<Outside>);

/// Lets others go first, once.
async fn turn() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

impl World {
    fn new(outside: Outside) -> Self {
        Self(Mutex::new(outside))
    }

    fn look<T>(&self, see: impl FnOnce(&Outside) -> T) -> T {
        see(&self.0.lock().unwrap())
    }

    /// One effect; an error is the end of the process.
    fn effect(&self, change: impl FnOnce(&mut Outside)) -> Result<(), ()> {
        let mut outside = self.0.lock().unwrap();
        match outside.life.as_mut() {
            Some((0, When::Before)) => return Err(()),
            Some((0, When::After)) => {
                change(&mut outside);
                return Err(());
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        change(&mut outside);
        Ok(())
    }
}

fn killed(_: ()) -> Error {
    Error::new("test", Fault::Gone)
}

fn secret_ref() -> SecretRef {
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf".parse().unwrap()
}

fn id(number: u32) -> VersionId {
    VersionId(number.to_string())
}

/// The labels as AWS moves them: the first version is current whatever is asked for.
impl Store for World {
    fn find<'a>(&'a self, _place: &'a Place) -> Reply<'a, Option<Held>> {
        let held = |kept: &Kept| Held {
            secret_ref: secret_ref(),
            proven: kept.current.filter(|version| Some(*version) != kept.pending).map(id),
            pending: kept.pending.map(id),
            target: Some(kept.target.clone()),
            deleted: kept.deleted,
        };
        Box::pin(async move {
            turn().await;
            Ok(self.look(|outside| outside.secret.as_ref().map(held)))
        })
    }

    fn is_ours(&self, version: &VersionId) -> bool {
        self.look(|outside| outside.others != version.0.parse().ok())
    }

    fn stored_at<'a>(&'a self, _secret_ref: &'a SecretRef, _version: &'a VersionId) -> Reply<'a, Option<SystemTime>> {
        Box::pin(async { Ok(Some(SystemTime::UNIX_EPOCH)) })
    }

    fn look<'a>(&'a self, _secret_ref: &'a SecretRef) -> Reply<'a, Option<Held>> {
        Box::pin(async { Err(killed(())) })
    }

    fn value<'a>(&'a self, _secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Credential> {
        let read = self.look(|outside| outside.secret.as_ref()?.values.get(&version.0.parse().ok()?).cloned());
        Box::pin(async move { read.map(|password| credential(&password)).ok_or_else(|| killed(())) })
    }

    fn put_pending<'a>(
        &'a self,
        _place: &'a Place,
        target: &'a str,
        _username: &'a RoleName,
        credential: &'a Credential,
        replacing: Option<&'a VersionId>,
    ) -> Reply<'a, Held> {
        Box::pin(async move {
            let make = |outside: &mut Outside| outside.secret = Some(outside.secret.take().unwrap_or_default());
            self.effect(make).map_err(killed)?;
            let mark = |kept: &mut Kept| (kept.target, kept.deleted) = (target.to_owned(), false);
            self.effect(|outside| mark(outside.secret.as_mut().unwrap())).map_err(killed)?;
            let put = |kept: &mut Kept| {
                let version = u32::try_from(kept.values.len()).unwrap();
                kept.values.insert(version, credential.password.expose().clone());
                kept.pending = Some(version);
                kept.current.get_or_insert(version);
            };
            turn().await;
            let mut stored = None;
            let put_one = |outside: &mut Outside| {
                let kept = outside.secret.as_mut().unwrap();
                if kept.pending.map(id).as_ref() != replacing {
                    return;
                }
                let proven = kept.current.filter(|version| Some(*version) != kept.pending).map(id);
                put(kept);
                stored = Some((proven.filter(|_| kept.current != kept.pending), kept.pending.map(id)));
            };
            self.effect(put_one).map_err(killed)?;
            let (proven, pending) = stored.ok_or_else(|| Error::new("test", Fault::Overtaken))?;
            let target = Some(target.to_owned());
            Ok(Held { secret_ref: secret_ref(), proven, pending, target, deleted: false })
        })
    }

    fn promote<'a>(&'a self, _secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, ()> {
        Box::pin(async move {
            let version: u32 = version.0.parse().unwrap();
            let stages = |outside: &Outside| outside.secret.as_ref().map(|kept| (kept.current, kept.pending));
            turn().await;
            let (from, pending) = self.look(stages).ok_or_else(|| killed(()))?;
            if from != Some(version) && pending != Some(version) {
                return Err(Error::new("test", Fault::Overtaken));
            }
            if from != Some(version) {
                turn().await;
                let now = self.look(stages).and_then(|(current, _)| current);
                if now != from && now != Some(version) {
                    return Err(Error::new("test", Fault::Overtaken));
                }
                self.effect(|outside| outside.secret.as_mut().unwrap().current = Some(version)).map_err(killed)?;
            }
            turn().await;
            let remove = |outside: &mut Outside| {
                let kept = outside.secret.as_mut().unwrap();
                kept.pending = kept.pending.filter(|pending| *pending != version);
            };
            self.effect(remove).map_err(killed)
        })
    }

    fn forget<'a>(&'a self, _secret_ref: &'a SecretRef) -> Reply<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Subject for World {
    fn accepts<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<bool, Reports>> {
        Box::pin(async move {
            turn().await;
            Ok(self.look(|outside| outside.database == *credential.password.expose()))
        })
    }

    fn wants(&self, credential: &Credential) -> bool {
        self.look(|outside| outside.unwanted != Some(credential.password.expose().as_str()))
    }

    fn change<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), Reports>> {
        Box::pin(async move {
            turn().await;
            let password = credential.password.expose();
            if self.look(|outside| outside.unfit.iter().any(|unfit| unfit == password)) {
                let report = Report { reach: Reach::Unfit, ..Report::error("Unfit", "It is too short.") };
                return Err(report.into());
            }
            let changed = self.effect(|outside| {
                outside.database.clone_from(password);
                outside.changes += 1;
            });
            Ok(changed.map_err(killed)?)
        })
    }
}

/// Versions in these tests were stored in 1970; this is ten years later.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(315_360_000)
}

fn place() -> Place {
    let arn = "arn:aws:rds:eu-west-1:123456789012:db:ledger".parse().unwrap();
    Place::user(arn, "admin".parse().unwrap())
}

fn credential(password: &str) -> Credential {
    Credential {
        username: "admin".parse().unwrap(),
        password: password.into(),
        engine: None,
        endpoint: None,
        database: None,
        arn: None,
        master: None,
        keepers: None,
    }
}

async fn run(world: &World, goal: Goal, password: &str) -> Result<Settled, Reports> {
    let make = || Ok(credential(password));
    rotate(world, world, &Request { goal, place: &place(), target: TARGET, now: now(), make: &make }).await
}

fn kept(target: &str, deleted: bool, current: Option<u32>, pending: Option<u32>) -> Option<Kept> {
    let values = BTreeMap::from([(0, "zero".to_owned()), (1, "one".to_owned())]);
    Some(Kept { target: target.to_owned(), deleted, current, pending, values })
}

/// Every state that a run may find, by what the database holds.
fn starts() -> Vec<Outside> {
    let secrets = [
        None,
        Some(Kept { target: TARGET.to_owned(), ..Kept::default() }),
        kept(TARGET, false, Some(0), None),
        kept(TARGET, false, Some(0), Some(0)),
        kept(TARGET, false, Some(0), Some(1)),
        kept(TARGET, false, Some(1), Some(1)),
        kept(TARGET, true, Some(0), None),
        kept(TARGET, true, Some(0), Some(1)),
        kept("db-EARLIER", false, Some(0), None),
        kept("db-EARLIER", false, Some(0), Some(1)),
    ];
    let with = |secret: &Option<Kept>, database: &str| Outside {
        secret: secret.clone(),
        database: database.to_owned(),
        ..Outside::default()
    };
    secrets.iter().flat_map(|s| ["zero", "one", "by hand"].map(|database| with(s, database))).collect()
}

/// The proven password is the database's, and nothing is pending.
fn assert_settled(outside: &Outside, story: &str) {
    let kept = outside.secret.as_ref().unwrap();
    let proven = kept.current.and_then(|version| kept.values.get(&version));
    assert_eq!(proven, Some(&outside.database), "{story}: {outside:?}");
    assert_eq!((kept.pending, kept.deleted, kept.target.as_str()), (None, false, TARGET), "{story}: {outside:?}");
}

fn knows_the_password(outside: &Outside) -> bool {
    outside.secret.as_ref().is_some_and(|kept| {
        let labelled = [kept.current, kept.pending].into_iter().flatten();
        labelled.filter_map(|version| kept.values.get(&version)).any(|value| *value == outside.database)
    })
}

#[tokio::test]
async fn every_start_settles_on_a_proven_password() {
    for goal in [Goal::Ensure, Goal::Renew] {
        for start in starts() {
            let world = World::new(start.clone());
            run(&world, goal, "fresh").await.unwrap();
            assert_settled(&world.look(Clone::clone), &format!("{goal:?} from {start:?}"));
        }
    }
}

#[tokio::test]
async fn a_run_killed_before_or_after_any_effect_is_continued() {
    let mut kills = 0;
    for goal in [Goal::Ensure, Goal::Renew] {
        for start in starts() {
            for (effects, when) in (0..8).flat_map(|n| [(n, When::Before), (n, When::After)]) {
                let story = format!("{goal:?} from {start:?}, killed {when:?} effect {effects}");
                let world = World::new(Outside { life: Some((effects, when)), ..start.clone() });
                if run(&world, goal, "fresh").await.is_ok() {
                    continue;
                }
                kills += 1;
                let dead = world.look(Clone::clone);
                if dead.changes > 0 {
                    assert!(knows_the_password(&dead), "{story}: nobody knows the password: {dead:?}");
                }
                let world = World::new(Outside { life: None, ..dead });
                run(&world, Goal::Ensure, "fresher").await.unwrap();
                assert_settled(&world.look(Clone::clone), &story);
            }
        }
    }
    assert!(kills > 300, "only {kills} runs were killed");
}

#[tokio::test]
async fn a_proven_password_that_works_is_kept_and_nothing_is_reset() {
    let start =
        Outside { secret: kept(TARGET, false, Some(0), None), database: "zero".to_owned(), ..Outside::default() };
    let world = World::new(start);
    let settled = run(&world, Goal::Ensure, "fresh").await.unwrap();
    assert_eq!((settled.version, settled.moved), (id(0), false));
    assert_eq!(world.look(|outside| outside.changes), 0);
}

#[tokio::test]
async fn what_an_earlier_database_left_is_never_trusted() {
    for secret in [kept(TARGET, true, Some(0), Some(1)), kept("db-EARLIER", false, Some(0), Some(1))] {
        let world = World::new(Outside { secret, database: "by hand".to_owned(), ..Outside::default() });
        let settled = run(&world, Goal::Ensure, "fresh").await.unwrap();
        assert_eq!((settled.version, settled.moved), (id(2), true));
        assert_eq!(world.look(|outside| outside.database.clone()), "fresh");
    }
}

#[tokio::test]
async fn a_password_that_the_database_has_is_proven_and_not_set_again() {
    for goal in [Goal::Ensure, Goal::Renew] {
        let start =
            Outside { secret: kept(TARGET, false, Some(0), Some(1)), database: "one".to_owned(), ..Outside::default() };
        let world = World::new(start);
        let settled = run(&world, goal, "fresh").await.unwrap();
        assert_eq!((settled.version, settled.moved), (id(1), true), "{goal:?}");
        assert_eq!(world.look(|outside| outside.changes), 0, "{goal:?}");
    }
}

#[tokio::test]
async fn a_password_that_the_database_never_takes_is_replaced_once() {
    let start = |unfit: &[&'static str]| {
        let secret = kept(TARGET, false, Some(0), Some(1));
        Outside { secret, database: "zero".to_owned(), unfit: unfit.to_vec(), ..Outside::default() }
    };
    for goal in [Goal::Ensure, Goal::Renew] {
        let world = World::new(start(&["one"]));
        let settled = run(&world, goal, "fresh").await.unwrap();
        assert_eq!((settled.version, settled.moved), (id(2), true), "{goal:?}");
        assert_settled(&world.look(Clone::clone), "an unfit pending password");

        let world = World::new(start(&["one", "fresh"]));
        let Reports(reports) = run(&world, goal, "fresh").await.unwrap_err();
        assert_eq!(reports[0].reach, Reach::Unfit);
        assert_eq!(world.look(|outside| (outside.changes, outside.database.clone())), (0, "zero".to_owned()));
    }
}

#[tokio::test]
async fn a_pending_version_of_somebody_else_is_left_alone_for_an_hour() {
    let outside = Outside {
        secret: kept(TARGET, false, Some(0), Some(1)),
        database: "zero".to_owned(),
        others: Some(1),
        ..Outside::default()
    };
    let at = async |goal, now| {
        let world = World::new(outside.clone());
        let make = || Ok(credential("fresh"));
        let request = Request { goal, place: &place(), target: TARGET, now, make: &make };
        let settled = rotate(&world, &world, &request).await;
        (settled, world.look(|outside| outside.changes))
    };
    let after = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    for goal in [Goal::Ensure, Goal::Renew] {
        for (now, words) in [(after(59), "less than a minute ago"), (after(3_599), "59 minutes ago")] {
            let (refused, changes) = at(goal, now).await;
            let text = refused.unwrap_err().0[0].to_string();
            assert!(text.contains(words) && text.contains("Nothing was changed"), "{text}");
            assert_eq!(changes, 0);
        }
        let (settled, changes) = at(goal, after(3_600)).await;
        assert_eq!((settled.unwrap().version, changes), (id(1), 1), "it is continued, not replaced");
    }
}

#[tokio::test]
async fn a_pending_password_that_is_not_wanted_is_followed_by_the_wanted_one() {
    for goal in [Goal::Ensure, Goal::Renew] {
        for (database, changes) in [("zero", 1), ("one", 1), ("by hand", 1)] {
            let secret = kept(TARGET, false, Some(0), Some(1));
            let start = Outside { secret, database: database.to_owned(), unwanted: Some("one"), ..Outside::default() };
            let world = World::new(start);
            let settled = run(&world, goal, "fresh").await.unwrap();
            assert_eq!((settled.version, settled.moved), (id(2), true), "{goal:?}, {database}");
            let outside = world.look(Clone::clone);
            assert_settled(&outside, database);
            assert_eq!((outside.database.as_str(), outside.changes), ("fresh", changes), "{goal:?}, {database}");
        }
    }
}

#[tokio::test]
async fn a_young_version_of_somebody_else_is_left_alone_also_where_it_is_not_wanted() {
    for database in ["zero", "one"] {
        let start = Outside {
            secret: kept(TARGET, false, Some(0), Some(1)),
            database: database.to_owned(),
            others: Some(1),
            unwanted: Some("one"),
            ..Outside::default()
        };
        let world = World::new(start);
        let make = || Ok(credential("fresh"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        let request = Request { goal: Goal::Renew, place: &place(), target: TARGET, now, make: &make };
        let text = rotate(&world, &world, &request).await.unwrap_err().0[0].to_string();
        assert!(text.contains("Nothing was changed"), "{text}");
        let outside = world.look(Clone::clone);
        assert_eq!((outside.changes, outside.secret.unwrap().pending), (0, Some(1)), "{database}");
    }
}

#[tokio::test]
async fn a_pending_version_without_a_value_is_replaced() {
    for goal in [Goal::Ensure, Goal::Renew] {
        let mut secret = kept(TARGET, false, Some(0), Some(7)).unwrap();
        secret.values.remove(&1);
        let start = Outside { secret: Some(secret), database: "zero".to_owned(), ..Outside::default() };
        let world = World::new(start);
        let settled = run(&world, goal, "fresh").await.unwrap();
        assert_eq!((settled.version, settled.moved), (id(1), true), "{goal:?}");
        assert_settled(&world.look(Clone::clone), "an empty pending version");
    }
}

/// Two logins with a password each, and the order of what was done.
#[derive(Default)]
struct Pair {
    passwords: Mutex<BTreeMap<String, String>>,
    done: Mutex<Vec<String>>,
}

impl Subject for Pair {
    fn accepts<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<bool, Reports>> {
        let passwords = self.passwords.lock().unwrap();
        let accepted = passwords.get(credential.username.as_str()) == Some(credential.password.expose());
        Box::pin(async move { Ok(accepted) })
    }

    fn change<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), Reports>> {
        let (user, password) = (credential.username.to_string(), credential.password.expose().clone());
        self.done.lock().unwrap().push(format!("change {user}"));
        self.passwords.lock().unwrap().insert(user, password);
        Box::pin(async { Ok(()) })
    }

    fn works<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), Reports>> {
        self.done.lock().unwrap().push(format!("works {}", credential.username));
        Box::pin(async { Ok(()) })
    }
}

/// A store that keeps whole credentials.
#[derive(Default)]
struct Shelf(Mutex<(Vec<Credential>, Option<usize>, Option<usize>)>);

impl Store for Shelf {
    fn find<'a>(&'a self, _place: &'a Place) -> Reply<'a, Option<Held>> {
        let (proven, pending) = {
            let kept = self.0.lock().unwrap();
            (kept.1, kept.2)
        };
        let version = |at: Option<usize>| at.map(|at| VersionId(at.to_string()));
        let target = Some(TARGET.to_owned());
        let held = Held {
            secret_ref: secret_ref(),
            proven: version(proven),
            pending: version(pending),
            target,
            deleted: false,
        };
        Box::pin(async move { Ok(Some(held)) })
    }

    fn look<'a>(&'a self, _secret_ref: &'a SecretRef) -> Reply<'a, Option<Held>> {
        Box::pin(async { Err(killed(())) })
    }

    fn value<'a>(&'a self, _secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Credential> {
        let value = self.0.lock().unwrap().0[version.0.parse::<usize>().unwrap()].clone();
        Box::pin(async move { Ok(value) })
    }

    fn put_pending<'a>(
        &'a self,
        place: &'a Place,
        _target: &'a str,
        username: &'a RoleName,
        credential: &'a Credential,
        _replacing: Option<&'a VersionId>,
    ) -> Reply<'a, Held> {
        assert_eq!(username.as_str(), "admin", "the secret belongs to the first login");
        {
            let mut kept = self.0.lock().unwrap();
            kept.0.push(credential.clone());
            kept.2 = Some(kept.0.len() - 1);
        }
        Box::pin(async move { Ok(self.find(place).await?.unwrap()) })
    }

    fn promote<'a>(&'a self, _secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, ()> {
        let mut kept = self.0.lock().unwrap();
        (kept.1, kept.2) = (Some(version.0.parse().unwrap()), None);
        Box::pin(async { Ok(()) })
    }

    fn forget<'a>(&'a self, _secret_ref: &'a SecretRef) -> Reply<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn the_user_of_a_version_is_carried_beside_its_password() {
    let (pair, shelf) = (Pair::default(), Shelf::default());
    let turn = async |goal, user: &str, password: &str| {
        let make = || Ok(Credential { username: user.parse().unwrap(), ..credential(password) });
        let request = Request { goal, place: &place(), target: TARGET, now: now(), make: &make };
        rotate(&shelf, &pair, &request).await.unwrap().username.to_string()
    };
    assert_eq!(turn(Goal::Ensure, "admin", "one").await, "admin");
    assert_eq!(turn(Goal::Renew, "admin_clone", "two").await, "admin_clone");
    assert_eq!(turn(Goal::Ensure, "admin", "never").await, "admin_clone", "the proven version names its user");
    let done = ["change admin", "works admin", "change admin_clone", "works admin_clone"];
    assert_eq!(*pair.done.lock().unwrap(), done);
    assert_eq!(pair.passwords.lock().unwrap()["admin"], "one", "the other login keeps its password");
}

mod races;

//! The rotation state machine: what to do next, decided from what can be observed alone.
//!
//! A new password goes through these stages: stored as pending, changed in the database, proven by a login, promoted. A
//! process may be killed between any two of them; the next run observes the store and tries logins, and goes on. A
//! pending password is never replaced, because the database may already hold it; the exceptions are a password that the
//! database has just refused to take, and one that is void: the database cannot hold them.

use std::time::Duration;

/// What a run wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// A proven password that logs in; one that is there is kept
    Ensure,
    /// Another password than the one that is proven now
    Renew,
}

/// What a login attempt with a stored password gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Not tried yet
    Untried,
    /// The database took the password
    Accepted,
    /// The database refused the password
    Refused,
    /// The database was asked to take the password and never will: it breaks a rule for passwords
    Unfit,
    /// Nothing to go on with: the version has no value, or the database refused it and another password is wanted
    Void,
}

/// What can be observed. A version of the store is either proven, pending or absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The login with the proven version; `None` when there is no proven version
    pub proven: Option<Login>,
    /// The login with the pending version; `None` when there is no pending version
    pub pending: Option<Login>,
    /// Somebody else stored the pending version, and so lately that they may be at work still
    pub others: bool,
    /// This run has replaced an unfit password before
    pub replaced: bool,
}

/// How long a pending version of somebody else is left alone. Rotations take minutes; one that is older was given up.
pub const LEFT_ALONE: Duration = Duration::from_secs(3_600);

/// The next step. Every step may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Try the pending password
    TryPending,
    /// Try the proven password
    TryProven,
    /// Make a password and store it as pending
    StorePending,
    /// Give the pending password to the database, then wait until it logs in
    Change,
    /// Make the pending version the proven one
    Promote,
    /// The proven password is the wanted one
    Keep,
    /// Leave everything to somebody else, who is changing the password now
    Yield,
    /// Say that the database takes none of our passwords
    GiveUp,
}

/// Decides the next step.
pub fn next(goal: Goal, seen: Seen) -> Step {
    if seen.others && seen.pending.is_some() {
        return Step::Yield;
    }
    match (seen.pending, goal, seen.proven) {
        (Some(Login::Untried), _, _) => Step::TryPending,
        (Some(Login::Accepted), _, _) => Step::Promote,
        (Some(Login::Refused), _, _) => Step::Change,
        (Some(Login::Unfit), _, _) if seen.replaced => Step::GiveUp,
        (Some(Login::Unfit | Login::Void), _, _) => Step::StorePending,
        (None, Goal::Renew, _) | (None, Goal::Ensure, None) => Step::StorePending,
        (None, Goal::Ensure, Some(Login::Untried)) => Step::TryProven,
        (None, Goal::Ensure, Some(Login::Accepted)) => Step::Keep,
        (None, Goal::Ensure, Some(Login::Refused | Login::Unfit | Login::Void)) => Step::StorePending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store and a database, as far as the machine can tell them apart.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct World {
        proven: Option<u32>,
        pending: Option<u32>,
        database: u32,
        made: u32,
        /// The database takes only passwords from this number on
        fit_from: u32,
        /// The pending version is a young one of somebody else
        others: bool,
        /// The pending version has no value, or one that is not wanted any more
        unwanted: Option<u32>,
    }

    #[derive(Debug, PartialEq)]
    enum End {
        Settled,
        Yielded,
        GaveUp,
        Killed,
    }

    impl World {
        fn login(&self, version: Option<u32>) -> Option<Login> {
            Some(if version == Some(self.database) { Login::Accepted } else { Login::Refused })
        }

        /// Does one step; observations are forgotten when the process dies.
        fn step(&mut self, goal: Goal, seen: &mut Seen) -> Option<End> {
            match next(goal, *seen) {
                Step::TryPending => {
                    let login = self.login(self.pending);
                    let is_void = login == Some(Login::Refused) && self.pending == self.unwanted;
                    seen.pending = if is_void { Some(Login::Void) } else { login };
                }
                Step::TryProven => seen.proven = self.login(self.proven),
                Step::StorePending => {
                    (seen.replaced, seen.others) = (seen.replaced || seen.pending == Some(Login::Unfit), false);
                    self.made += 1;
                    self.pending = Some(self.made);
                    seen.pending = Some(Login::Refused);
                }
                Step::Change if self.pending.unwrap() < self.fit_from => seen.pending = Some(Login::Unfit),
                Step::Change => {
                    self.database = self.pending.unwrap();
                    seen.pending = Some(Login::Accepted);
                }
                Step::Promote => {
                    self.proven = self.pending.take();
                    return Some(End::Settled);
                }
                Step::Keep => return Some(End::Settled),
                Step::Yield => return Some(End::Yielded),
                Step::GiveUp => return Some(End::GaveUp),
            }
            None
        }

        fn look(&self) -> Seen {
            let untried = |version: Option<u32>| version.map(|_| Login::Untried);
            Seen { others: self.others, replaced: false, proven: untried(self.proven), pending: untried(self.pending) }
        }

        fn run(&mut self, goal: Goal, steps: usize) -> End {
            let mut seen = self.look();
            (0..steps).find_map(|_| self.step(goal, &mut seen)).unwrap_or(End::Killed)
        }

        /// Whether somebody who reads the store can find the password.
        fn is_known(&self) -> bool {
            [self.proven, self.pending].contains(&Some(self.database))
        }
    }

    fn worlds() -> Vec<World> {
        let mut worlds = Vec::new();
        for proven in [None, Some(100), Some(101)] {
            for pending in [None, Some(200)] {
                for database in [100, 200, 300] {
                    for fit_from in [0, 250] {
                        for unwanted in [None, Some(200)] {
                            let made = 1_000;
                            worlds.push(World { proven, pending, database, made, fit_from, others: false, unwanted });
                        }
                    }
                }
            }
        }
        worlds
    }

    #[test]
    fn every_start_ends_with_a_proven_password_that_logs_in() {
        for goal in [Goal::Ensure, Goal::Renew] {
            for start in worlds() {
                let mut world = start;
                assert_eq!(world.run(goal, 20), End::Settled, "{start:?} never ends");
                assert_eq!(world.proven, Some(world.database), "{start:?} -> {world:?}");
                assert_eq!(world.pending, None);
            }
        }
    }

    #[test]
    fn a_process_killed_after_any_step_is_continued_by_the_next() {
        for goal in [Goal::Ensure, Goal::Renew] {
            for start in worlds() {
                for killed_after in 0..9 {
                    let mut world = start;
                    world.run(goal, killed_after);
                    let known = world.is_known() || world.database == start.database;
                    assert!(known, "{start:?} killed after {killed_after}: nobody knows the password");
                    assert!(!start.is_known() || world.is_known(), "{start:?} killed after {killed_after}: {world:?}");
                    for next in [Goal::Ensure, Goal::Renew] {
                        let mut world = world;
                        assert_eq!(world.run(next, 20), End::Settled);
                        assert_eq!((world.proven, world.pending), (Some(world.database), None), "{start:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_working_proven_password_is_never_reset() {
        let start = World {
            proven: Some(100),
            pending: None,
            database: 100,
            made: 0,
            fit_from: 0,
            others: false,
            unwanted: None,
        };
        let mut world = start;
        assert_eq!(world.run(Goal::Ensure, 20), End::Settled);
        assert_eq!(world, start);
    }

    #[test]
    fn a_pending_password_is_used_and_not_replaced() {
        let is_used =
            |w: &World| w.pending.is_some_and(|p| p == w.database || p >= w.fit_from && w.pending != w.unwanted);
        for start in worlds().into_iter().filter(is_used) {
            let mut world = start;
            world.run(Goal::Renew, 20);
            assert_eq!(world.proven, start.pending);
        }
    }

    #[test]
    fn a_password_that_the_database_never_takes_is_replaced_once() {
        for goal in [Goal::Ensure, Goal::Renew] {
            let mut world = World {
                proven: Some(100),
                pending: Some(200),
                database: 100,
                made: 1_000,
                fit_from: 250,
                others: false,
                unwanted: None,
            };
            assert_eq!(world.run(goal, 20), End::Settled);
            assert_eq!((world.proven, world.database), (Some(1_001), 1_001));

            let mut strict =
                World { fit_from: u32::MAX, pending: Some(200), database: 100, proven: Some(100), ..world };
            assert_eq!(strict.run(goal, 20), End::GaveUp, "not for ever");
            assert_eq!((strict.proven, strict.database, strict.made), (Some(100), 100, 1_002), "nothing is lost");
        }
    }

    #[test]
    fn a_pending_password_that_is_not_wanted_gives_way_unless_the_database_has_it() {
        for goal in [Goal::Ensure, Goal::Renew] {
            for (database, settles_on) in [(100, 1), (200, 200)] {
                let mut world = World {
                    proven: Some(100),
                    pending: Some(200),
                    database,
                    made: 0,
                    fit_from: 0,
                    others: false,
                    unwanted: Some(200),
                };
                assert_eq!(world.run(goal, 20), End::Settled);
                assert_eq!((world.proven, world.database), (Some(settles_on), settles_on));
            }
        }
    }

    #[test]
    fn what_somebody_else_has_just_stored_is_left_alone() {
        for goal in [Goal::Ensure, Goal::Renew] {
            for start in worlds() {
                let start = World { others: true, ..start };
                let mut world = start;
                let end = world.run(goal, 20);
                if start.pending.is_some() {
                    assert_eq!((end, world), (End::Yielded, start));
                } else {
                    assert_eq!(end, End::Settled);
                }
            }
        }
    }
}

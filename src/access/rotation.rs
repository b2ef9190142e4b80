//! The rotation state machine: what to do next, decided from what can be observed alone.
//!
//! A new password goes through these stages: stored as pending, changed in the database, proven by a login, promoted. A
//! process may be killed between any two of them; the next run observes the store and tries logins, and goes on. A
//! pending password is never replaced, because the database may already hold it.

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
}

/// What can be observed. A version of the store is either proven, pending or absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The login with the proven version; `None` when there is no proven version
    pub proven: Option<Login>,
    /// The login with the pending version; `None` when there is no pending version
    pub pending: Option<Login>,
}

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
}

/// Decides the next step.
pub fn next(goal: Goal, seen: Seen) -> Step {
    match (seen.pending, goal, seen.proven) {
        (Some(Login::Untried), _, _) => Step::TryPending,
        (Some(Login::Accepted), _, _) => Step::Promote,
        (Some(Login::Refused), _, _) => Step::Change,
        (None, Goal::Renew, _) | (None, Goal::Ensure, None) => Step::StorePending,
        (None, Goal::Ensure, Some(Login::Untried)) => Step::TryProven,
        (None, Goal::Ensure, Some(Login::Accepted)) => Step::Keep,
        (None, Goal::Ensure, Some(Login::Refused)) => Step::StorePending,
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
    }

    impl World {
        /// Does one step; observations are forgotten when the process dies.
        fn step(&mut self, goal: Goal, seen: &mut Seen) -> Option<Step> {
            let step = next(goal, *seen);
            let login = |version: Option<u32>| {
                if version == Some(self.database) { Login::Accepted } else { Login::Refused }
            };
            match step {
                Step::TryPending => seen.pending = Some(login(self.pending)),
                Step::TryProven => seen.proven = Some(login(self.proven)),
                Step::StorePending => {
                    self.made += 1;
                    self.pending = Some(self.made);
                    seen.pending = Some(Login::Refused);
                }
                Step::Change => {
                    self.database = self.pending.unwrap();
                    seen.pending = Some(Login::Accepted);
                }
                Step::Promote => {
                    self.proven = self.pending.take();
                    return None;
                }
                Step::Keep => return None,
            }
            Some(step)
        }

        fn look(&self) -> Seen {
            Seen { proven: self.proven.map(|_| Login::Untried), pending: self.pending.map(|_| Login::Untried) }
        }

        fn run(&mut self, goal: Goal, steps: usize) -> bool {
            let mut seen = self.look();
            (0..steps).any(|_| self.step(goal, &mut seen).is_none())
        }
    }

    fn worlds() -> Vec<World> {
        let mut worlds = Vec::new();
        for proven in [None, Some(100), Some(101)] {
            for pending in [None, Some(200)] {
                for database in [100, 200, 300] {
                    worlds.push(World { proven, pending, database, made: 1_000 });
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
                assert!(world.run(goal, 20), "{start:?} never ends");
                assert_eq!(world.proven, Some(world.database), "{start:?} -> {world:?}");
                assert_eq!(world.pending, None);
            }
        }
    }

    #[test]
    fn a_process_killed_after_any_step_is_continued_by_the_next() {
        for goal in [Goal::Ensure, Goal::Renew] {
            for start in worlds() {
                for killed_after in 0..6 {
                    let mut world = start;
                    world.run(goal, killed_after);
                    let known = [world.proven, world.pending].contains(&Some(world.database));
                    let was_known = [start.proven, start.pending].contains(&Some(start.database));
                    assert!(known || !was_known, "{start:?} killed after {killed_after}: nobody knows the password");
                    assert!(world.run(Goal::Ensure, 20));
                    assert_eq!(world.proven, Some(world.database));
                }
            }
        }
    }

    #[test]
    fn a_working_proven_password_is_never_reset() {
        let start = World { proven: Some(100), pending: None, database: 100, made: 0 };
        let mut world = start;
        assert!(world.run(Goal::Ensure, 20));
        assert_eq!(world, start);
    }

    #[test]
    fn a_pending_password_is_used_and_not_replaced() {
        for start in worlds().into_iter().filter(|w| w.pending.is_some()) {
            let mut world = start;
            world.run(Goal::Renew, 20);
            assert_eq!(world.proven, start.pending);
        }
    }
}

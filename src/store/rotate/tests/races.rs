//! Two runs over one secret and one database, in every order of their single steps, and killed at every one of them.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;

type Racing<'a> = Pin<Box<dyn Future<Output = Result<Settled, Reports>> + Send + 'a>>;

/// Two runs that go on only when they are told to.
struct Race<'a> {
    runs: [Racing<'a>; 2],
    ended: [Option<Result<Settled, Reports>>; 2],
}

impl<'a> Race<'a> {
    fn new(world: &'a World, goals: [Goal; 2]) -> Self {
        let start = |goal, password| -> Racing<'a> { Box::pin(run(world, goal, password)) };
        Self { runs: [start(goals[0], "red"), start(goals[1], "blue")], ended: [None, None] }
    }

    /// One step of one run.
    fn step(&mut self, which: usize) {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(end) = self.runs[which].as_mut().poll(&mut context) {
            self.ended[which] = Some(end);
        }
    }

    /// Plays an order of steps.
    fn play(world: &'a World, goals: [Goal; 2], order: &[usize]) -> Self {
        let mut race = Self::new(world, goals);
        order.iter().for_each(|&which| race.step(which));
        race
    }
}

/// What must hold when both runs are gone, whatever became of them: the next run settles, and finds at most one version
/// to clean up.
fn assert_repaired_by_the_next(dead: &Outside, story: &str) {
    let world = World::new(Outside { life: None, ..dead.clone() });
    let mut next = Box::pin(run(&world, Goal::Ensure, "next"));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        if let Poll::Ready(end) = next.as_mut().poll(&mut context) {
            end.unwrap_or_else(|Reports(reports)| panic!("{story}: {}", reports[0]));
            return assert_settled(&world.look(Clone::clone), story);
        }
    }
    panic!("{story}: the next run never ends");
}

/// Plays every order of steps; returns how many orders there were. Both runs are killed after every step of each, too.
fn play_all(start: &Outside, goals: [Goal; 2]) -> usize {
    let (mut orders, mut repaired) = (0, BTreeSet::new());
    // Of two runs alike it does not matter which is first.
    let mut open: Vec<Vec<usize>> = if goals[0] == goals[1] { vec![vec![0]] } else { vec![vec![0], vec![1]] };
    while let Some(mut order) = open.pop() {
        let world = World::new(start.clone());
        let mut race = Race::play(&world, goals, &order);
        loop {
            let story = || format!("{goals:?} from {start:?} in the order {order:?}");
            let now = world.look(Clone::clone);
            let is_known = now.changes == 0 || knows_the_password(&now);
            assert!(is_known, "{}: nobody knows the password: {now:?}", story());
            // What a kill leaves is all that counts for the next run.
            if repaired.insert(format!("{now:?}")) {
                assert_repaired_by_the_next(&now, &story());
            }
            assert!(order.len() < 60, "{} never ends", story());
            match [race.ended[0].is_some(), race.ended[1].is_some()] {
                [true, true] => {
                    let both = race.ended.iter().flatten().all(Result::is_ok);
                    assert!(both, "{}: a run that was overtaken goes on", story());
                    assert_settled(&now, &story());
                    break;
                }
                [false, false] => {
                    open.push([order.as_slice(), &[1]].concat());
                    order.push(0);
                }
                [first_ended, _] => order.push(usize::from(first_ended)),
            }
            race.step(order[order.len() - 1]);
        }
        orders += 1;
    }
    orders
}

fn outside(secret: Option<Kept>, database: &str) -> Outside {
    Outside { secret, database: database.to_owned(), ..Outside::default() }
}

#[test]
fn two_runs_in_any_order_leave_a_proven_password_that_logs_in() {
    let starts = [
        outside(None, "by hand"),
        outside(kept(TARGET, false, Some(0), None), "zero"),
        outside(kept(TARGET, false, Some(0), Some(1)), "zero"),
        outside(kept(TARGET, false, Some(1), Some(1)), "one"),
    ];
    let mut played = 0;
    for start in &starts {
        for goals in [[Goal::Renew, Goal::Renew], [Goal::Ensure, Goal::Renew], [Goal::Ensure, Goal::Ensure]] {
            played += play_all(start, goals);
        }
    }
    assert!(played > 10_000, "only {played} orders");
}

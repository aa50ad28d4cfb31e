//! Sessions of publishers, a relay and subscribers over a bad network in memory, on a clock that nobody
//! waits for. A seed says who is there, what they do and what the network does; the same seed is the same
//! course of events. What must hold for all of them:
//!
//! - every object that is delivered is one that was published, whole, none twice, in order within its
//!   subgroup, and a subgroup that ends whole is whole;
//! - every request ends in one answer;
//! - no session breaks the protocol;
//! - nothing outlives its session: no task, no entry of the relay, no byte of memory.
//!
//! `SEEDS` says how many seeds are tried, `SEED` which is the first; a seed that fails prints the command
//! that repeats it.
//!
//! | module | what it is |
//! |---|---|
//! | `dice` | luck that a seed repeats |
//! | `world` | one seed from its beginning to its end |
//! | `publisher`, `subscriber` | who take part |
//! | `ledger` | what was published, and whether what arrives is that |
//! | `heap` | counts memory |

use std::{
    cell::Cell,
    env, panic,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

mod dice;
mod heap;
mod ledger;
mod publisher;
mod subscriber;
mod world;

pub(crate) use heap::Counting;
use world::{Outcome, Telling, Totals};

/// How many seeds are tried where `SEEDS` does not say.
const SEEDS: u64 = 10_000;
/// Of so many seeds one is played twice, to see that a seed is one course of events.
const TWICE: u64 = 50;

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn whatever_the_network_does_the_promises_are_kept() {
    let number = |name| env::var(name).ok().map(|text: String| text.parse::<u64>().expect("a number"));
    let first = number("SEED");
    let count = number("SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let first = first.unwrap_or(0);
    // A seed that is repeated alone is told.
    let telling = if count == 1 { Telling::Aloud } else { Telling::Silent };
    count_panics();
    let begin = Instant::now();
    let next = AtomicU64::new(first);
    let all = Mutex::new((Totals::new(), Vec::new()));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut totals = Totals::new();
                while let seed @ 0.. = next.fetch_add(1, Ordering::Relaxed)
                    && seed < first + count
                {
                    match judge(seed, telling) {
                        Ok(outcome) => {
                            outcome.totals.iter().for_each(|(what, n)| *totals.entry(what).or_default() += n);
                        }
                        Err(failure) => {
                            next.store(u64::MAX / 2, Ordering::Relaxed);
                            all.lock().expect("whole").1.push(failure);
                        }
                    }
                }
                let sum = &mut all.lock().expect("whole").0;
                totals.into_iter().for_each(|(what, n)| *sum.entry(what).or_default() += n);
            });
        }
    });
    let (totals, failures) = all.into_inner().expect("whole");
    println!("{count} seeds from {first} in {:.1?}: {totals:?}", begin.elapsed());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    if count >= 1_000 {
        let often = ["objects", "datagrams", "fetched", "joined", "namespace events", "done", "refused"];
        let kinds =
            ["statuses", "updates", "tokens", "farewells", "tracks published", "redirected", "offers taken"];
        for what in often.into_iter().chain(kinds).chain(["relays stopped"]) {
            let often = totals.get(what).copied().unwrap_or_default();
            assert!(often >= count / 50, "{what} happened {often} times only: the seeds show nothing of it");
        }
    }
}

/// Plays a seed; where a promise is broken, says which and how to see it again.
fn judge(seed: u64, telling: Telling) -> Result<Outcome, String> {
    let mut outcome = watched(seed, telling);
    if outcome.wrong.is_empty() && seed.is_multiple_of(TWICE) {
        let again = watched(seed, telling);
        if again.digest != outcome.digest {
            outcome.wrong.push("the same seed took another course".to_owned());
        }
    }
    if outcome.wrong.is_empty() {
        return Ok(outcome);
    }
    Err(format!(
        "seed {seed}: {}\n{}\n{:?}\nrepeat it with: SEED={seed} cargo nextest run --workspace --no-capture -E 'test(sim::)'",
        outcome.plan,
        outcome.wrong.join("\n"),
        outcome.totals
    ))
}

/// Plays a seed and looks at what it left in memory, and for panics that tasks swallowed.
fn watched(seed: u64, telling: Telling) -> Outcome {
    if telling == Telling::Aloud {
        weighed(seed, Telling::Silent);
    }
    let (mut outcome, mut leak) = weighed(seed, telling);
    if leak != 0 {
        // What is made once and kept for the program is not made again.
        (outcome, leak) = weighed(seed, telling);
    }
    if leak != 0 {
        outcome.wrong.push(format!("{leak} bytes of memory were not given back"));
    }
    match PANICS.take() {
        0 => {}
        panics => outcome.wrong.push(format!("{panics} panics, printed above")),
    }
    outcome
}

/// Plays a seed; gives the bytes too that it did not give back.
fn weighed(seed: u64, telling: Telling) -> (Outcome, isize) {
    let before = heap::live();
    let outcome = world::play(seed, telling);
    let with_outcome = heap::live();
    let kept = outcome.clone();
    let of_kept = heap::live() - with_outcome;
    drop(outcome);
    (kept, heap::live() - before - of_kept)
}

/// A panic in a task ends that task only: count them.
fn count_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.set(PANICS.get() + 1);
        print(info);
    }));
}

//! The broadcast's time, which all of its sources share.

use std::{
    sync::OnceLock,
    thread,
    time::{Duration, Instant, SystemTime},
};

use shared::media::{FrameRate, Timestamp};

/// Counts from the moment that something is first asked of it. Steady: a wall clock that is set in between
/// moves no timestamp.
#[derive(Debug, Default)]
pub(super) struct Clock {
    start: OnceLock<(Instant, Timestamp)>,
}

impl Clock {
    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.start().0.elapsed()
    }

    /// The timestamp of what happens so long after the start.
    pub(super) fn at(&self, since_start: Duration) -> Timestamp {
        self.start().1 + since_start
    }

    /// Sleeps until so long after the start; not at all where that is past.
    pub(super) fn wait_until(&self, since_start: Duration) {
        let wait = since_start.saturating_sub(self.elapsed());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
    }

    fn start(&self) -> &(Instant, Timestamp) {
        self.start.get_or_init(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            (Instant::now(), Timestamp(u64::try_from(now.as_micros()).unwrap_or(u64::MAX)))
        })
    }
}

/// Which picture of a steady rate comes next; those whose time has passed are let go. Pure.
#[derive(Debug)]
pub(super) struct Pace {
    frame_rate: FrameRate,
    next: u64,
    skipped: u64,
}

impl Pace {
    pub(super) fn new(frame_rate: FrameRate) -> Self {
        Self { frame_rate, next: 0, skipped: 0 }
    }

    /// When the next picture is due, seen from `now`. One that is late by up to its own duration still goes.
    pub(super) fn next(&mut self, now: Duration) -> Duration {
        let mut due = self.frame_rate.time_of(self.next);
        while self.frame_rate.time_of(self.next + 1) < now {
            self.next += 1;
            self.skipped += 1;
            due = self.frame_rate.time_of(self.next);
        }
        self.next += 1;
        due
    }

    /// Pictures let go so far.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_late_is_let_go_and_counted() {
        let mut pace = Pace::new(FrameRate::new(20, 1).expect("a rate"));
        assert_eq!([pace.next(ms(0)), pace.next(ms(1)), pace.next(ms(140))], [ms(0), ms(50), ms(100)]);
        assert_eq!((pace.next(ms(420)), pace.skipped()), (ms(400), 5));
        assert_eq!((pace.next(ms(421)), pace.skipped()), (ms(450), 5));
    }

    #[test]
    fn timestamps_follow_the_start() {
        let clock = Clock::default();
        assert_eq!(clock.at(ms(30)).since(clock.at(ms(10))), ms(20));
        clock.wait_until(ms(5));
        assert!(clock.elapsed() >= ms(5));
    }
}

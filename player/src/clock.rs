//! The time of day that never steps back; waiting for a moment.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shared::media::Timestamp;

/// The time since the epoch as it was at the start, with the monotonic clock's progress since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    epoch: Timestamp,
}

impl Clock {
    /// A clock that shows the system's time now.
    pub(crate) fn new() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { origin: Instant::now(), epoch: Timestamp(0) + epoch }
    }

    /// Now.
    pub(crate) fn now(self) -> Timestamp {
        self.epoch + self.origin.elapsed()
    }

    /// A moment that the monotonic clock showed.
    pub(crate) fn at(self, instant: Instant) -> Timestamp {
        match instant.checked_duration_since(self.origin) {
            Some(since) => self.epoch + since,
            None => Timestamp(self.epoch.0.saturating_sub(micros(self.origin - instant))),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Sleeps until a moment, or for ever.
pub(crate) async fn until(moment: Option<impl Into<tokio::time::Instant>>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

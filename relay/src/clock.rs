//! Times as text; the clock of timers.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shared::media::Timestamp;
use time::{OffsetDateTime, macros::format_description};

/// RFC 3339 in UTC, to the millisecond; the epoch where the time has no such form.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&format).unwrap_or_default()
}

/// The same for a time of the system.
pub(crate) fn rfc3339_of(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    rfc3339(Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX)))
}

/// The time of tokio's clock, which tests can stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Sleeps until a moment of that clock, or for ever.
pub(crate) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

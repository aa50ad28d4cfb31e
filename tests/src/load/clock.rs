//! The clock that all programs of this machine share, so that what one stamps another can read.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since some moment before this machine's programs began.
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

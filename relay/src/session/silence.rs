//! Notices a publisher that is unplugged: QUIC alone would wait for its idle timeout, which is long for the
//! sake of viewers on bad links (pure).

use std::time::{Duration, Instant};

/// How often to look.
pub(super) const EVERY: Duration = Duration::from_millis(250);
/// Whoever is silent for this long is asked for an answer at every look.
const QUIET: Duration = Duration::from_millis(500);

/// What was heard of one peer.
#[derive(Debug)]
pub(super) struct Silence {
    received_bytes: u64,
    heard_at: Instant,
    longest: Duration,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is there.
    Heard,
    /// It is to be asked for an answer.
    Quiet,
    /// It is gone.
    Gone,
}

impl Silence {
    /// Heard of now; it is gone when it was silent for `longest`.
    pub(super) fn new(now: Instant, longest: Duration) -> Self {
        Self { received_bytes: 0, heard_at: now, longest }
    }

    /// Looks at how many bytes came from it so far.
    pub(super) fn look(&mut self, now: Instant, received_bytes: u64) -> Verdict {
        if std::mem::replace(&mut self.received_bytes, received_bytes) != received_bytes {
            self.heard_at = now;
        }
        match now.saturating_duration_since(self.heard_at) {
            silent if silent >= self.longest => Verdict::Gone,
            silent if silent >= QUIET => Verdict::Quiet,
            _ => Verdict::Heard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_is_asked_and_then_held_to_be_gone() {
        let start = Instant::now();
        let longest = Duration::from_millis(2_500);
        let mut silence = Silence::new(start, longest);
        assert_eq!(silence.look(start + EVERY, 100), Verdict::Heard);
        assert_eq!(silence.look(start + EVERY * 2, 100), Verdict::Heard);
        assert_eq!(silence.look(start + EVERY * 3, 100), Verdict::Quiet);
        assert_eq!(silence.look(start + EVERY * 4, 130), Verdict::Heard, "it answered");
        assert_eq!(silence.look(start + EVERY * 13, 130), Verdict::Quiet);
        assert_eq!(silence.look(start + EVERY * 4 + longest, 130), Verdict::Gone);
        assert!(longest + EVERY <= Duration::from_secs(3), "what the operator is promised");
    }
}

//! Sound on its way from the device's thread: bounded, and the oldest is let go.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What a device heard at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chunk {
    /// When it came in: right after its last sample, on the broadcast's clock.
    pub(super) end: Duration,
    /// Samples of all channels, interleaved, from -1 to 1.
    pub(super) samples: Vec<f32>,
}

/// What there was to take.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    Chunk(Chunk),
    /// Nothing came in time.
    Nothing,
    /// The device failed, for this reason.
    Broken(String),
}

/// A queue between two threads. Who puts in never waits for who takes out.
#[derive(Debug)]
pub(super) struct Queue {
    /// Samples that may wait.
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Chunk>,
    waiting: usize,
    lost: u64,
    broken: Option<String>,
}

impl Queue {
    /// One that holds sound of this length.
    pub(super) fn new(capacity: Duration, rate: u32, channels: usize) -> Self {
        let capacity = (capacity.as_secs_f64() * f64::from(rate)) as usize * channels;
        Self { capacity, state: Mutex::default(), changed: Condvar::new() }
    }

    pub(super) fn put(&self, chunk: Chunk) {
        let mut state = self.state();
        state.waiting += chunk.samples.len();
        state.chunks.push_back(chunk);
        while state.waiting > self.capacity && state.chunks.len() > 1 {
            let oldest = state.chunks.pop_front().map_or(0, |chunk| chunk.samples.len());
            state.waiting -= oldest;
            state.lost += 1;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// What is taken from now on, once the queue is empty, is this failure.
    pub(super) fn fail(&self, reason: String) {
        self.state().broken = Some(reason);
        self.changed.notify_one();
    }

    /// The oldest chunk; waits for it so long.
    pub(super) fn take(&self, patience: Duration) -> Taken {
        let empty = |state: &mut State| state.chunks.is_empty() && state.broken.is_none();
        let waited = self.changed.wait_timeout_while(self.state(), patience, empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match (state.chunks.pop_front(), &state.broken) {
            (Some(chunk), _) => {
                state.waiting -= chunk.samples.len();
                Taken::Chunk(chunk)
            }
            (None, Some(reason)) => Taken::Broken(reason.clone()),
            (None, None) => Taken::Nothing,
        }
    }

    /// Chunks let go so far. Only grows.
    pub(super) fn lost(&self) -> u64 {
        self.state().lost
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(number: u64) -> Chunk {
        Chunk { end: Duration::from_millis(number * 10), samples: vec![0.0; 20] }
    }

    #[test]
    fn the_oldest_is_let_go_and_counted() {
        let queue = Queue::new(Duration::from_millis(50), 1000, 2);
        (0..8).for_each(|number| queue.put(chunk(number)));
        assert_eq!(queue.lost(), 3);
        for number in 3..8 {
            assert_eq!(queue.take(Duration::ZERO), Taken::Chunk(chunk(number)));
        }
        assert_eq!(queue.take(Duration::ZERO), Taken::Nothing);
        queue.put(Chunk { end: Duration::ZERO, samples: vec![0.0; 500] });
        assert!(matches!(queue.take(Duration::ZERO), Taken::Chunk(_)), "one that is too large still goes");
    }

    #[test]
    fn what_was_heard_before_a_failure_is_not_lost() {
        let queue = Queue::new(Duration::from_secs(1), 1000, 2);
        queue.put(chunk(1));
        queue.fail("unplugged".to_owned());
        assert_eq!(queue.take(Duration::ZERO), Taken::Chunk(chunk(1)));
        assert_eq!(queue.take(Duration::from_secs(60)), Taken::Broken("unplugged".to_owned()));
    }
}

//! Tracks that viewers wait for.

use std::{collections::BTreeMap, sync::Weak};

use shared::moqt::TrackName;

use super::Registry;

/// How many wait for objects of each track that nobody publishes. The permits of sessions bound it.
#[derive(Debug, Default)]
pub(super) struct Awaited(BTreeMap<TrackName, usize>);

impl Awaited {
    /// Whether somebody waits for a track.
    pub(super) fn has(&self, track: &TrackName) -> bool {
        self.0.contains_key(track)
    }

    /// Somebody waits for a track from now on.
    pub(super) fn enter(&mut self, track: &TrackName) {
        *self.0.entry(track.clone()).or_default() += 1;
    }

    fn leave(&mut self, track: &TrackName) {
        if let Some(waiting) = self.0.get_mut(track) {
            *waiting -= 1;
            if *waiting == 0 {
                self.0.remove(track);
            }
        }
    }
}

/// One who waits. Dropping it ends the wait.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) registry: Weak<Registry>,
    pub(super) track: TrackName,
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.lock().awaited.leave(&self.track);
        }
    }
}

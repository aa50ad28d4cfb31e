//! The room's own tracks: numbers their groups and objects, and keeps the snapshots that groups begin with.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Serialize;
use shared::{
    naming::Feed,
    room::{
        Delta, Snapshot, Speaker, ViewerId, Wall, chat, danmaku,
        desk::{self, ActDone},
        reactions::Tally,
        run::first_group,
    },
};

use super::{Kept, Output};

/// Deltas after which a snapshot begins a new group.
const MAX_DELTAS: u64 = 64;
/// Tallies of one group.
const TALLIES: u64 = 100;

/// An object of one of the room's tracks. All of a group travel in one subgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The track.
    pub feed: Feed,
    /// The group; a larger one than before ends the one before.
    pub group: u64,
    /// The object in it, counted from 0.
    pub object: u64,
    /// JSON.
    pub payload: Bytes,
}

/// Where a track is.
#[derive(Debug, Default)]
struct Place {
    /// `None` before the first object.
    group: Option<u64>,
    /// The next object's number.
    next: u64,
    /// Bytes of the snapshot that the group began with.
    snapshot: usize,
    /// Bytes of its deltas.
    deltas: usize,
}

/// The tracks, and what goes out of the room.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    outputs: VecDeque<Output>,
    state: Snapshot,
    desk: desk::Snapshot,
    places: [Place; Feed::ALL.len()],
    /// Whether something changed that a restart is to bring back.
    is_unsaved: bool,
}

impl Feeds {
    /// Those of a room that shows this already.
    pub(super) fn new(state: Snapshot, desk: desk::Snapshot) -> Self {
        Self { state, desk, ..Self::default() }
    }

    /// Publishes both snapshots, so that whoever comes finds them.
    pub(super) fn open(&mut self, now: Wall) {
        self.snapshot(now, Feed::State);
        self.snapshot(now, Feed::Desk);
    }

    /// What everybody sees.
    pub(super) fn state(&self) -> &Snapshot {
        &self.state
    }

    /// What moderators see.
    pub(super) fn desk(&self) -> &desk::Snapshot {
        &self.desk
    }

    /// Tells everybody of a change.
    pub(super) fn tell(&mut self, now: Wall, delta: Delta) {
        // Numbers of viewers are not what a restart brings back.
        self.is_unsaved |= !matches!(delta, Delta::Presence(_));
        let payload = json(&delta);
        self.state.apply(delta);
        self.change(now, Feed::State, payload);
    }

    /// Tells moderators of a change.
    pub(super) fn tell_desk(&mut self, now: Wall, delta: desk::Delta) {
        self.is_unsaved = true;
        let payload = json(&delta);
        self.desk.apply(delta);
        self.change(now, Feed::Desk, payload);
    }

    /// Writes down what a moderator did, for the desk and the audit log.
    pub(super) fn act(&mut self, now: Wall, by: &Speaker, act: &str, to: Option<ViewerId>, detail: String) {
        let act = ActDone { at: now, by: by.clone(), act: act.to_owned(), to, detail };
        self.keep(Kept::Act(act.clone()));
        self.tell_desk(now, desk::Delta::Act(act));
    }

    /// Publishes a line of the chat; gives it as it stands on the wire.
    pub(super) fn chat(&mut self, now: Wall, line: &chat::Line) -> Bytes {
        self.publish(now, Feed::Chat, json(line), chat::GROUP)
    }

    /// Publishes a bullet; gives it as it stands on the wire.
    pub(super) fn danmaku(&mut self, now: Wall, bullet: &danmaku::Bullet) -> Bytes {
        self.publish(now, Feed::Danmaku, json(bullet), danmaku::GROUP)
    }

    /// Publishes a tally.
    pub(super) fn reactions(&mut self, now: Wall, tally: Tally) {
        self.publish(now, Feed::Reactions, json(&tally), TALLIES);
        self.state.reactions = Tally { burst: std::collections::BTreeMap::new(), ..tally };
        self.is_unsaved = true;
    }

    /// Something is to be written down.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.outputs.push_back(Output::Keep(kept));
    }

    /// Something else leaves the room.
    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Something changed that neither track tells.
    pub(super) fn touch(&mut self) {
        self.is_unsaved = true;
    }

    /// Whether anything changed since the last call that a restart is to bring back.
    pub(super) fn take_unsaved(&mut self) -> bool {
        std::mem::take(&mut self.is_unsaved)
    }

    /// The same, without forgetting it.
    pub(super) fn is_unsaved(&self) -> bool {
        self.is_unsaved
    }

    /// What leaves next.
    pub(super) fn next(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn change(&mut self, now: Wall, feed: Feed, payload: Bytes) {
        let place = &mut self.places[index(feed)];
        let is_long = place.deltas + payload.len() > place.snapshot.max(256) || place.next > MAX_DELTAS;
        if place.group.is_none() || is_long {
            return self.snapshot(now, feed);
        }
        place.deltas += payload.len();
        self.push(feed, payload);
    }

    fn snapshot(&mut self, now: Wall, feed: Feed) {
        let payload = match feed {
            Feed::Desk => json(&self.desk),
            Feed::State | Feed::Chat | Feed::Danmaku | Feed::Reactions => json(&self.state),
        };
        let place = &mut self.places[index(feed)];
        place.snapshot = payload.len();
        self.begin(now, feed);
        self.push(feed, payload);
    }

    fn publish(&mut self, now: Wall, feed: Feed, payload: Bytes, most: u64) -> Bytes {
        let place = &self.places[index(feed)];
        if place.group.is_none() || place.next >= most {
            self.begin(now, feed);
        }
        self.push(feed, payload.clone());
        payload
    }

    fn begin(&mut self, now: Wall, feed: Feed) {
        let place = &mut self.places[index(feed)];
        let next = |group: u64| group.saturating_add(1);
        place.group = Some(place.group.map_or_else(|| first_group(now).0, next));
        place.next = 0;
        place.deltas = 0;
    }

    fn push(&mut self, feed: Feed, payload: Bytes) {
        let place = &mut self.places[index(feed)];
        let (group, object) = (place.group.unwrap_or_default(), place.next);
        place.next += 1;
        self.outputs.push_back(Output::Publish(Publication { feed, group, object, payload }));
    }
}

fn index(feed: Feed) -> usize {
    feed as usize
}

/// What is written to a track.
pub(super) fn json(value: &impl Serialize) -> Bytes {
    // Shapes of our own: maps have keys that are strings, numbers are finite.
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use shared::room::{mode::Mode, presence::Presence};

    use super::*;

    fn published(feeds: &mut Feeds) -> Vec<Publication> {
        std::iter::from_fn(|| feeds.next())
            .filter_map(|output| match output {
                Output::Publish(publication) => Some(publication),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_group_of_the_state_is_a_snapshot_and_what_changed_since() {
        let mut feeds = Feeds::default();
        feeds.open(Wall(1_000));
        let mut seen = Snapshot::default();
        let mut groups = Vec::new();
        for watching in 0..500 {
            feeds.tell(Wall(1_000), Delta::Presence(Presence { watching, ..Presence::default() }));
            if watching % 7 == 0 {
                feeds.tell(Wall(1_001), Delta::Mode(Mode { slow_seconds: watching, ..Mode::default() }));
            }
            for publication in published(&mut feeds).into_iter().filter(|one| one.feed == Feed::State) {
                if publication.object == 0 {
                    seen = serde_json::from_slice(&publication.payload).expect("a snapshot");
                    groups.push(publication.group);
                } else {
                    assert_eq!(groups.last(), Some(&publication.group));
                    assert!(publication.object <= MAX_DELTAS);
                    seen.apply(serde_json::from_slice(&publication.payload).expect("a delta"));
                }
            }
            assert_eq!(&seen, feeds.state());
        }
        assert!(groups.len() > 8 && groups.is_sorted_by(|one, next| one < next), "{groups:?}");
    }
}

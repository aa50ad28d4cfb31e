//! Packets of sound in order, with what is missing said so.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use shared::{
    loc,
    media::{AudioFrame, Timestamp},
    moqt::{GroupId, Item, Object, ObjectId, Status},
};

use super::Lost;

/// One sound track: each object is a group of its own.
#[derive(Debug)]
pub(crate) struct Sound {
    waiting: BTreeMap<(GroupId, ObjectId), AudioFrame>,
    last: Option<(GroupId, ObjectId)>,
    end: Option<Timestamp>,
    duration: fn(&Bytes) -> Option<Duration>,
    lost: Lost,
}

/// What a sound decoder is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    /// The next packet.
    Frame(AudioFrame),
    /// One packet is missing: conceal it.
    Concealed {
        /// When its first sample was captured.
        timestamp: Timestamp,
        /// How long it would have sounded.
        duration: Duration,
    },
    /// More is missing than can be concealed, or a new source begins: start anew.
    Restart,
}

/// Packets that may wait: two seconds of 20 ms.
const MOST_WAITING: usize = 100;
/// Packets in a row that are worth concealing.
const MOST_CONCEALED: u64 = 3;

impl Sound {
    /// A track; `duration` tells how long a packet sounds, `None` for what is no packet.
    pub(crate) fn new(duration: fn(&Bytes) -> Option<Duration>) -> Self {
        Self { waiting: BTreeMap::new(), last: None, end: None, duration, lost: Lost::default() }
    }

    /// Takes what came. Says when it was captured, where it is a packet.
    pub(crate) fn push(&mut self, item: Item) -> Option<Timestamp> {
        match item {
            Item::Object(object) | Item::Datagram(object) => self.push_object(&object),
            Item::End { .. } => None,
        }
    }

    /// The next packet to decode. What is missing and was due before `due` is concealed; `None` waits
    /// for nothing.
    pub(crate) fn poll(&mut self, due: Option<Timestamp>) -> Option<Packet> {
        let (&at, first) = self.waiting.first_key_value()?;
        let missing = self.last.map_or(0, |last| between(last, at));
        if missing > 0 {
            let end = self.end.unwrap_or(first.timestamp);
            if due.is_some_and(|due| end > due) {
                return None;
            }
            let (duration, gap) = (first.duration, first.timestamp.since(end));
            if missing > MOST_CONCEALED || gap > duration * 4 || gap < duration / 2 {
                self.lost.frames += missing.min(MOST_WAITING as u64);
                self.last = None;
                return Some(Packet::Restart);
            }
            self.lost.frames += 1;
            self.end = Some(end + duration);
            self.last = self.last.map(|(group, object)| {
                if group == at.0 {
                    (group, ObjectId(object.0 + 1))
                } else {
                    (GroupId(group.0 + 1), ObjectId(0))
                }
            });
            return Some(Packet::Concealed { timestamp: end, duration });
        }
        let (at, frame) = self.waiting.pop_first()?;
        self.last = Some(at);
        self.end = Some(frame.timestamp + frame.duration);
        Some(Packet::Frame(frame))
    }

    /// When a missing packet is given up, where one is.
    pub(crate) fn gives_up_at(&self) -> Option<Timestamp> {
        if self.waiting.is_empty() { None } else { self.end }
    }

    /// What was let go so far.
    pub(crate) fn lost(&self) -> Lost {
        self.lost
    }

    fn push_object(&mut self, object: &Object) -> Option<Timestamp> {
        if object.status != Status::Normal {
            return None;
        }
        let Some(frame) = packet(object, self.duration) else {
            self.lost.not_loc += 1;
            return None;
        };
        let timestamp = frame.timestamp;
        if self.last.is_some_and(|last| (object.subgroup.group, object.id) <= last) {
            self.lost.frames += 1;
            return None;
        }
        self.waiting.insert((object.subgroup.group, object.id), frame);
        while self.waiting.len() > MOST_WAITING {
            self.waiting.pop_first();
            self.lost.frames += 1;
            self.lost.overflow += 1;
        }
        Some(timestamp)
    }
}

/// Packets between two that are known: a publisher makes a group of each, or groups of many.
fn between(last: (GroupId, ObjectId), next: (GroupId, ObjectId)) -> u64 {
    if last.0 == next.0 {
        next.1.0.saturating_sub(last.1.0).saturating_sub(1)
    } else {
        next.0.0.saturating_sub(last.0.0).saturating_sub(1)
    }
}

/// A sound packet out of an object; `None` where it is none.
fn packet(object: &Object, duration: impl Fn(&Bytes) -> Option<Duration>) -> Option<AudioFrame> {
    let header = loc::Header::decode(&object.properties).ok()?;
    let duration = duration(&object.payload)?;
    Some(AudioFrame { timestamp: header.timestamp, duration, payload: object.payload.clone() })
}

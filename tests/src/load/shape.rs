//! What is sent: tracks, and when each of their objects is due. Pure.

use std::{cmp::Reverse, collections::BinaryHeap};

const SECOND: u64 = 1_000_000_000;

/// How objects of a track travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// On subgroup streams.
    Streams,
    /// In datagrams.
    Datagrams,
}

/// Who subscribes to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Everybody to every track.
    All,
    /// Each subscriber to one track, in turn.
    Divided,
}

/// A track of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Track {
    /// What its numbers are printed under.
    pub(super) kind: &'static str,
    pub(super) way: Way,
    /// Objects a second.
    pub(super) rate: u64,
    /// Bytes of an object.
    pub(super) bytes: usize,
    /// Bytes of a group's first object.
    pub(super) key_bytes: usize,
    /// Objects of a group.
    pub(super) group: u64,
    /// Subgroups of a group: object `n` belongs to subgroup `n % layers`.
    pub(super) layers: u64,
    /// The publisher's priority.
    pub(super) priority: u8,
}

/// What a run sends to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) tracks: Vec<Track>,
    pub(super) audience: Audience,
    /// Connections that the tracks are published from.
    pub(super) publishers: usize,
}

const VIDEO: Track = Track {
    kind: "video",
    way: Way::Streams,
    rate: 30,
    bytes: 4_096,
    key_bytes: 4_096,
    group: 30,
    layers: 1,
    priority: 128,
};
const AUDIO: Track =
    Track { kind: "audio", rate: 50, bytes: 120, key_bytes: 120, group: 1, priority: 64, ..VIDEO };
const NOTES: Track = Track {
    kind: "datagrams",
    way: Way::Datagrams,
    rate: 200,
    bytes: 100,
    key_bytes: 100,
    group: 200,
    priority: 64,
    ..VIDEO
};

impl Shape {
    /// All there are.
    pub(super) fn all() -> Vec<Self> {
        let shape = |name, title, tracks: &[Track]| Self {
            name,
            title,
            tracks: tracks.to_vec(),
            audience: Audience::All,
            publishers: 1,
        };
        let calm = [AUDIO, Track { rate: 50, group: 50, ..NOTES }];
        let burst = Track { rate: 1, bytes: 60_000, key_bytes: 60_000, group: 1, kind: "keyframe", ..VIDEO };
        vec![
            shape("video", "30/s x 4 kB", &[VIDEO]),
            shape(
                "layers",
                "30/s x 4 kB, 40 kB keyframe each second, two temporal layers",
                &[Track { key_bytes: 40_000, layers: 2, ..VIDEO }],
            ),
            shape("audio", "50/s x 120 B, a group each", &[AUDIO]),
            shape("datagrams", "datagrams, 200/s x 100 B", &[NOTES]),
            Self {
                audience: Audience::Divided,
                publishers: 10,
                ..shape("tracks", "100 tracks of 30/s x 4 kB", &[VIDEO; 100])
            },
            shape("calm", "audio 50/s and datagrams 50/s, no keyframes", &calm),
            shape(
                "burst",
                "audio 50/s and datagrams 50/s beside a 60 kB keyframe each second",
                &[calm[0], calm[1], burst],
            ),
            Self { publishers: 0, ..shape("idle", "connections that ask for nothing", &[]) },
        ]
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|shape| shape.name == name)
    }

    /// The tracks of subscriber `index`.
    pub(super) fn tracks_of(&self, index: usize) -> Vec<usize> {
        match self.audience {
            Audience::All => (0..self.tracks.len()).collect(),
            Audience::Divided => vec![index % self.tracks.len()],
        }
    }
}

/// An object that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// The track's place in the shape.
    pub(super) track: usize,
    /// The object's number in the track, from 0.
    pub(super) number: u64,
    pub(super) group: u64,
    pub(super) subgroup: u64,
    /// The object's ID in the group.
    pub(super) object: u64,
    pub(super) bytes: usize,
    /// Whether it is its subgroup's first.
    pub(super) opens: bool,
    /// Whether it is its subgroup's last.
    pub(super) ends: bool,
}

/// When each object of a shape is due. Tracks of an undivided audience keep step, so that a keyframe and
/// sound meet; divided ones are broadcasts of their own, spread evenly over an object's time.
#[derive(Debug)]
pub(super) struct Schedule {
    tracks: Vec<Track>,
    queue: BinaryHeap<Reverse<(u64, usize, u64)>>,
    first_group: u64,
    start: u64,
    phases: Vec<u64>,
}

impl Schedule {
    /// From `start` on, in nanoseconds; groups count from `first_group`.
    pub(super) fn new(shape: &Shape, start: u64, first_group: u64) -> Self {
        let count = shape.tracks.len() as u64;
        let phase = |(index, track): (usize, &Track)| match shape.audience {
            Audience::All => 0,
            Audience::Divided => SECOND / track.rate * index as u64 / count,
        };
        let phases: Vec<u64> = shape.tracks.iter().enumerate().map(phase).collect();
        // The larger first where several are due at once: what is urgent then comes last into a full queue.
        let queue = phases.iter().enumerate().rev().map(|(index, phase)| Reverse((start + phase, index, 0)));
        Self { tracks: shape.tracks.clone(), queue: queue.collect(), first_group, start, phases }
    }

    /// When the next object is due.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse((due, ..))| *due)
    }

    /// The next object that is due by `now`.
    pub(super) fn next(&mut self, now: u64) -> Option<Due> {
        let Reverse((due, index, number)) = *self.queue.peek()?;
        if due > now {
            return None;
        }
        self.queue.pop();
        let track = self.tracks[index];
        let after = number + 1;
        let at = self.start
            + self.phases[index]
            + (u128::from(after) * u128::from(SECOND) / u128::from(track.rate)) as u64;
        self.queue.push(Reverse((at, index, after)));
        let object = number % track.group;
        Some(Due {
            track: index,
            number,
            group: self.first_group + number / track.group,
            subgroup: object % track.layers,
            object,
            bytes: if object == 0 { track.key_bytes } else { track.bytes },
            opens: object < track.layers,
            ends: object + track.layers >= track.group,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subgroup_opens_and_ends_once_in_a_group() {
        let shape = Shape::named("layers").unwrap();
        let mut schedule = Schedule::new(&shape, 0, 10);
        let second: Vec<Due> = std::iter::from_fn(|| schedule.next(SECOND - 1)).collect();
        assert_eq!(second.len(), 30);
        assert_eq!(schedule.deadline(), Some(SECOND));
        assert_eq!((second[0].bytes, second[1].bytes), (40_000, 4_096));
        let of = |what: fn(&Due) -> bool| -> Vec<(u64, u64)> {
            second.iter().filter(|due| what(due)).map(|due| (due.object, due.subgroup)).collect()
        };
        assert_eq!(of(|due| due.opens), [(0, 0), (1, 1)]);
        assert_eq!(of(|due| due.ends), [(28, 0), (29, 1)]);
        assert_eq!(schedule.next(SECOND).unwrap().group, 11);
    }

    #[test]
    fn divided_tracks_are_spread_and_keep_their_rate() {
        let shape = Shape::named("tracks").unwrap();
        let mut schedule = Schedule::new(&shape, 0, 0);
        let first: Vec<Due> = std::iter::from_fn(|| schedule.next(SECOND / 60)).collect();
        assert!((49..=51).contains(&first.len()), "{}", first.len());
        let rest: Vec<Due> = std::iter::from_fn(|| schedule.next(10 * SECOND - 1)).collect();
        assert_eq!(first.len() + rest.len(), 100 * 300);
        assert_eq!(shape.tracks_of(203), [3]);
    }
}

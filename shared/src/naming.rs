//! Every namespace and track name of the live room, in one place.
//!
//! | namespace | track | carries |
//! |---|---|---|
//! | `room/<room>/stage` | `catalog`, `video-<rendition>`, `audio` | the broadcast |
//! | `room/<room>/feed` | `state`, `chat`, `danmaku`, `reactions` | what the room says to everybody |
//! | `room/<room>/feed` | `desk` | what it says to moderators |
//! | `room/<room>/audience` | `summary` | what the audience experiences |
//! | `room/<room>/audience/<viewer>` | `say` | what a viewer says to the room |
//! | `room/<room>/audience/<viewer>` | `replies` | what the room answers |

use std::{fmt, str::FromStr};

use bytes::Bytes;

use crate::{
    moqt::{Namespace, TrackName},
    room::ViewerId,
};

/// Name of a room: 1 to 64 of `a-z A-Z 0-9 - _`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Room(String);

/// Not a room's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no room name: use 1 to 64 letters, digits, '-' or '_'")]
pub struct BadRoom(String);

impl FromStr for Room {
    type Err = BadRoom;

    fn from_str(text: &str) -> Result<Self, BadRoom> {
        if is_plain(text) { Ok(Self(text.to_owned())) } else { Err(BadRoom(text.to_owned())) }
    }
}

/// Whether a name needs no quoting anywhere: 1 to 64 of `a-z A-Z 0-9 - _`.
pub(crate) fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Room {
    /// The room that a namespace belongs to: the second field below `room`.
    pub fn of(namespace: &Namespace) -> Option<Self> {
        match namespace.fields() {
            [root, room, ..] if root == ROOT => std::str::from_utf8(room).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// Where the streamer publishes.
    pub fn stage(&self) -> Namespace {
        self.below("stage")
    }

    /// Where the relay tells what the audience experiences.
    pub fn audience(&self) -> Namespace {
        self.below("audience")
    }

    /// The MSF catalog's track.
    pub fn catalog(&self) -> TrackName {
        self.on_stage("catalog")
    }

    /// A track that the catalog names.
    pub fn on_stage(&self, name: &str) -> TrackName {
        TrackName { namespace: self.stage(), name: Bytes::copy_from_slice(name.as_bytes()) }
    }

    /// The track with the summary of the audience.
    pub fn summary(&self) -> TrackName {
        TrackName { namespace: self.audience(), name: Bytes::from_static(b"summary") }
    }

    /// Where the room speaks to everybody.
    pub fn feed(&self) -> Namespace {
        self.below("feed")
    }

    /// A track of the room's own.
    pub fn on_feed(&self, feed: Feed) -> TrackName {
        TrackName { namespace: self.feed(), name: Bytes::from_static(feed.name().as_bytes()) }
    }

    /// Which track of the room's own this is.
    pub fn feed_of(track: &TrackName) -> Option<(Self, Feed)> {
        let room = Self::of(&track.namespace).filter(|room| room.feed() == track.namespace)?;
        Feed::ALL.into_iter().find(|feed| feed.name().as_bytes() == track.name).map(|feed| (room, feed))
    }

    /// A viewer's own namespace.
    pub fn viewer(&self, viewer: &ViewerId) -> Namespace {
        let audience = self.audience();
        let fields = audience.fields().iter().cloned();
        Namespace::new(fields.chain([Bytes::from(viewer.to_string())]))
    }

    /// Whose namespace this is.
    pub fn viewer_of(namespace: &Namespace) -> Option<(Self, ViewerId)> {
        let room = Self::of(namespace)?;
        let viewer: ViewerId = std::str::from_utf8(namespace.fields().get(3)?).ok()?.parse().ok()?;
        (room.viewer(&viewer) == *namespace).then_some((room, viewer))
    }

    /// The track on which a viewer speaks.
    pub fn say(&self, viewer: &ViewerId) -> TrackName {
        TrackName { namespace: self.viewer(viewer), name: Bytes::from_static(SAY) }
    }

    /// The track on which the room answers a viewer.
    pub fn replies(&self, viewer: &ViewerId) -> TrackName {
        TrackName { namespace: self.viewer(viewer), name: Bytes::from_static(REPLIES) }
    }

    fn below(&self, part: &'static str) -> Namespace {
        let room = Bytes::copy_from_slice(self.0.as_bytes());
        Namespace::new([Bytes::from_static(ROOT), room, Bytes::from_static(part.as_bytes())])
    }
}

/// Name of the track of a picture rendition, such as `720p`.
pub fn video(rendition: &str) -> String {
    format!("video-{rendition}")
}

/// Name of the sound track.
pub const AUDIO: &str = "audio";

/// Name of the track on which a viewer speaks.
pub const SAY: &[u8] = b"say";
/// Name of the track on which the room answers a viewer.
pub const REPLIES: &[u8] = b"replies";

/// A track of the room's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    /// Snapshot and deltas of all that everybody sees.
    State,
    /// Chat messages.
    Chat,
    /// Bullet comments.
    Danmaku,
    /// Tallies of likes and reactions.
    Reactions,
    /// What moderators see.
    Desk,
}

impl Feed {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::State, Self::Chat, Self::Danmaku, Self::Reactions, Self::Desk];

    /// The track's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Chat => "chat",
            Self::Danmaku => "danmaku",
            Self::Reactions => "reactions",
            Self::Desk => "desk",
        }
    }
}

const ROOT: &[u8] = b"room";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_found_in_its_namespaces_only() {
        let room: Room = "class-7".parse().expect("a room");
        assert_eq!(room.catalog().to_string(), "room/class-7/stage/catalog");
        assert_eq!(Room::of(&room.audience()), Some(room));
        assert_eq!(Room::of(&Namespace::new(["live", "class-7"])), None);
        assert_eq!(Room::of(&Namespace::new(["room", "a/b"])), None);
    }

    #[test]
    fn feeds_and_viewers_are_found_by_their_names() {
        let room: Room = "class-7".parse().expect("a room");
        for feed in Feed::ALL {
            assert_eq!(Room::feed_of(&room.on_feed(feed)), Some((room.clone(), feed)));
        }
        let viewer: ViewerId = "v-1".parse().expect("a viewer");
        assert_eq!(room.say(&viewer).to_string(), "room/class-7/audience/v-1/say");
        assert_eq!(Room::viewer_of(&room.viewer(&viewer)), Some((room.clone(), viewer)));
        assert_eq!(Room::viewer_of(&room.audience()), None);
        assert_eq!(Room::viewer_of(&Namespace::new(["room", "class-7", "audience", "v", "x"])), None);
        assert_eq!(Room::viewer_of(&Namespace::new(["room", "class-7", "elsewhere", "v"])), None);
    }

    #[test]
    fn names_that_would_break_a_url_are_refused() {
        for text in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(text.parse::<Room>().is_err(), "{text}");
        }
    }
}

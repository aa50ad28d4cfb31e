//! Every namespace and track name of the live room, in one place.
//!
//! | namespace | track | carries |
//! |---|---|---|
//! | `room/<room>/stage` | `catalog`, `video-<rendition>`, `audio` | the broadcast |
//! | `room/<room>/audience` | `summary` | what the audience experiences |

use std::{fmt, str::FromStr};

use bytes::Bytes;

use crate::moqt::{Namespace, TrackName};

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
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadRoom(text.to_owned()))
        }
    }
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
    fn names_that_would_break_a_url_are_refused() {
        for text in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(text.parse::<Room>().is_err(), "{text}");
        }
    }
}

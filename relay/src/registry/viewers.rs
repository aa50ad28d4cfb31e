//! Who watches which room: a session counts once, however many tracks it takes.

use std::collections::HashMap;

use shared::{event::SessionId, naming::Room};

/// Sessions in rooms with the number of their subscriptions. Bounded by the bounds of connections and of
/// subscriptions of each.
#[derive(Debug, Default)]
pub(super) struct Viewers(HashMap<Room, HashMap<SessionId, usize>>);

impl Viewers {
    /// Sessions in a room.
    pub(super) fn of(&self, room: &Room) -> usize {
        self.0.get(room).map_or(0, HashMap::len)
    }

    /// Counts a subscription; whether it is the session's first in the room.
    pub(super) fn enter(&mut self, room: &Room, viewer: SessionId) -> bool {
        let count = self.0.entry(room.clone()).or_default().entry(viewer).or_default();
        *count += 1;
        *count == 1
    }

    /// Counts a subscription no more.
    pub(super) fn leave(&mut self, room: &Room, viewer: SessionId) {
        let Some(sessions) = self.0.get_mut(room) else { return };
        if let Some(count) = sessions.get_mut(&viewer) {
            *count -= 1;
            if *count == 0 {
                sessions.remove(&viewer);
            }
        }
        if sessions.is_empty() {
            self.0.remove(room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_once_until_its_last_track() {
        let room: Room = "demo".parse().expect("a room");
        let mut viewers = Viewers::default();
        assert!(viewers.enter(&room, SessionId(1)));
        assert!(!viewers.enter(&room, SessionId(1)));
        assert!(viewers.enter(&room, SessionId(2)));
        viewers.leave(&room, SessionId(1));
        assert_eq!(viewers.of(&room), 2);
        viewers.leave(&room, SessionId(1));
        viewers.leave(&room, SessionId(2));
        assert_eq!((viewers.of(&room), viewers.0.len()), (0, 0));
    }
}

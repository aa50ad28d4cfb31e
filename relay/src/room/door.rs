//! Sessions that are in rooms, with a voice or without: whoever is banned is shown out.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::{
    event::SessionId,
    moqt::{Session, SessionCode},
    naming::Room,
    room::{Role, ViewerId},
};

/// Rooms that one session may be in; further ones are refused.
const MAX_ROOMS: usize = 8;

/// Who is in.
#[derive(Debug, Default)]
pub(crate) struct Door(Mutex<HashMap<SessionId, Guest>>);

#[derive(Debug)]
struct Guest {
    session: Session,
    address: IpAddr,
    /// Who it is in each room, where it said so.
    rooms: BTreeMap<Room, Option<(ViewerId, Role)>>,
}

impl Door {
    /// Lets a session in, until the pass is dropped.
    pub(crate) fn enter(self: &Arc<Self>, id: SessionId, session: Session, address: IpAddr) -> Pass {
        self.lock().insert(id, Guest { session, address, rooms: BTreeMap::new() });
        Pass { door: Arc::clone(self), id }
    }

    /// Ends all sessions in a room for which this is so.
    pub(super) fn end_where(&self, room: &Room, is_out: impl Fn(Option<(&ViewerId, Role)>, IpAddr) -> bool) {
        for guest in self.lock().values() {
            let Some(who) = guest.rooms.get(room) else { continue };
            if is_out(who.as_ref().map(|(viewer, role)| (viewer, *role)), guest.address) {
                guest.session.close(SessionCode::Unauthorized, "banned from this room");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Guest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that is in. Dropping it is leaving.
#[derive(Debug)]
pub(crate) struct Pass {
    door: Arc<Door>,
    id: SessionId,
}

impl Pass {
    /// The session is in a room, as somebody or as a mere watcher. `false` where it is in too many already.
    pub(crate) fn visit(&self, room: &Room, who: Option<(ViewerId, Role)>) -> bool {
        let mut guests = self.door.lock();
        let Some(guest) = guests.get_mut(&self.id) else { return false };
        if guest.rooms.len() >= MAX_ROOMS && !guest.rooms.contains_key(room) {
            return false;
        }
        let known = guest.rooms.entry(room.clone()).or_default();
        if who.is_some() {
            *known = who;
        }
        true
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.door.lock().remove(&self.id);
    }
}

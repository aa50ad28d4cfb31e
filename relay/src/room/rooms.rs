//! Finds the room that somebody wants, and makes it when it is first wanted.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::Bytes;
use shared::{
    event::SessionId,
    moqt::{DoneCode, RequestCode, SubscribeRequest},
    naming::{self, Feed},
    room::{Identity, Role, ViewerId},
};
use tokio::sync::mpsc;

use super::{
    Ban,
    door::Door,
    keeper::Keeper,
    moderation::is_among,
    task::{Asked, Task, Uttered},
};
use crate::{
    media::{Command, Context},
    registry::Registry,
    tasks::Tasks,
};

/// Rooms at one time; a further one is refused.
const MAX_ROOMS: usize = 1_000;
/// Requests that may wait for a room. Past it they are refused with EXCESSIVE_LOAD.
const ASKED: usize = 4_096;
/// Sayings that may wait for a room. Past it they are dropped and counted: their viewers say them again.
const UTTERED: usize = 8_192;

/// The rooms of a relay.
#[derive(Debug)]
pub(crate) struct Rooms {
    live: Mutex<Live>,
    registry: Weak<Registry>,
    context: Context,
    tasks: Tasks,
    keeper: Keeper,
    door: Arc<Door>,
}

#[derive(Debug, Default)]
struct Live {
    rooms: BTreeMap<naming::Room, Handle>,
    /// Of all rooms, whether or not they are live.
    bans: HashMap<naming::Room, Vec<Ban>>,
    /// Why no room is made any more.
    over: Option<(DoneCode, &'static str)>,
}

/// The way to a room's task.
#[derive(Debug, Clone)]
struct Handle {
    asked: mpsc::Sender<Asked>,
    uttered: mpsc::Sender<Uttered>,
}

/// Why a room does not do what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Closed {
    #[error("too many rooms are open: try later")]
    Rooms,
    #[error("too many ask this room at once: try again")]
    Busy,
    #[error("the relay stops")]
    Stopping,
}

impl Closed {
    /// The code that it is refused with.
    pub(crate) fn code(self) -> RequestCode {
        match self {
            Self::Rooms | Self::Busy => RequestCode::ExcessiveLoad,
            Self::Stopping => RequestCode::GoingAway,
        }
    }
}

impl Rooms {
    /// None yet, with the bans of all that were.
    pub(crate) fn new(
        registry: &Arc<Registry>,
        tasks: Tasks,
        keeper: Keeper,
        bans: HashMap<naming::Room, Vec<Ban>>,
    ) -> Arc<Self> {
        let live = Mutex::new(Live { bans, ..Live::default() });
        let (registry, context) = (Arc::downgrade(registry), registry.context().clone());
        Arc::new(Self { live, registry, context, tasks, keeper, door: Arc::default() })
    }

    pub(super) fn registry(&self) -> Option<Arc<Registry>> {
        self.registry.upgrade()
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub(super) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Where sessions that may have to be ended are known.
    pub(crate) fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// Whether somebody is not let into a room.
    pub(crate) fn is_banned(
        &self,
        room: &naming::Room,
        who: Option<(&ViewerId, Role)>,
        from: IpAddr,
    ) -> bool {
        let live = self.lock();
        live.bans.get(room).is_some_and(|bans| is_among(bans.iter(), who, from))
    }

    /// Hands what a viewer wants of a room's track to it, or refuses it.
    pub(crate) fn track(self: &Arc<Self>, room: &naming::Room, feed: Feed, command: Command) {
        let Err(refused) = self.ask(room, Asked::Track(feed, Box::new(command))) else { return };
        if let (closed, Asked::Track(_, command)) = *refused {
            self.context.metrics.requests_refused.add(1);
            command.refuse(closed.code(), &closed.to_string());
        }
    }

    /// Gives a session a voice in a room.
    ///
    /// # Errors
    /// [`Closed`] where there is no place for it.
    pub(crate) fn join(
        self: &Arc<Self>,
        session: SessionId,
        who: Identity,
        address: IpAddr,
    ) -> Result<Voice, Closed> {
        let (room, alive) = (who.room.clone(), Arc::new(()));
        let viewer = who.viewer.clone();
        let came = Asked::Came { session, who, address, alive: Arc::downgrade(&alive) };
        let handle = self.ask(&room, came).map_err(|refused| refused.0)?;
        Ok(Voice { rooms: Arc::clone(self), session, viewer, handle, _alive: alive })
    }

    /// Everybody who is banned from a room, after a change: their sessions are ended.
    pub(super) fn ban(&self, room: &naming::Room, bans: Vec<Ban>) {
        self.door.end_where(room, |who, address| is_among(bans.iter(), who, address));
        let mut live = self.lock();
        if bans.is_empty() {
            live.bans.remove(room);
        } else {
            live.bans.insert(room.clone(), bans);
        }
    }

    /// Closes a room that nobody is in, unless somebody came meanwhile.
    pub(super) fn close(&self, room: &naming::Room, asked: &mpsc::Receiver<Asked>) -> bool {
        // What is asked is sent under this lock: nothing can follow once the room is gone from the map.
        let mut live = self.lock();
        asked.is_empty() && live.rooms.remove(room).is_some()
    }

    /// Ends all rooms for those who are there; none is made any more.
    pub(crate) fn end_all(&self, code: DoneCode, reason: &'static str) {
        let rooms = {
            let mut live = self.lock();
            live.over = Some((code, reason));
            std::mem::take(&mut live.rooms)
        };
        for handle in rooms.into_values() {
            // A room that is too busy ends when its last handle does.
            let _ = handle.asked.try_send(Asked::End(code, reason));
        }
    }

    fn ask(self: &Arc<Self>, room: &naming::Room, asked: Asked) -> Result<Handle, Box<(Closed, Asked)>> {
        let mut live = self.lock();
        if live.over.is_some() {
            return Err(Box::new((Closed::Stopping, asked)));
        }
        if !live.rooms.contains_key(room) {
            if live.rooms.len() >= MAX_ROOMS {
                return Err(Box::new((Closed::Rooms, asked)));
            }
            let (asked, inbox) = mpsc::channel(ASKED);
            let (uttered, sayings) = mpsc::channel(UTTERED);
            self.tasks.spawn(Task::new(room.clone(), self, inbox, sayings).run());
            live.rooms.insert(room.clone(), Handle { asked, uttered });
        }
        let Some(handle) = live.rooms.get(room) else { return Err(Box::new((Closed::Rooms, asked))) };
        match handle.asked.try_send(asked) {
            Ok(()) => Ok(handle.clone()),
            Err(mpsc::error::TrySendError::Full(asked)) => Err(Box::new((Closed::Busy, asked))),
            Err(mpsc::error::TrySendError::Closed(asked)) => {
                // Its task ended in disorder: the next who asks gets a new one.
                live.rooms.remove(room);
                Err(Box::new((Closed::Busy, asked)))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's voice in a room. Dropping it is leaving the room.
#[derive(Debug)]
pub(crate) struct Voice {
    rooms: Arc<Rooms>,
    session: SessionId,
    viewer: ViewerId,
    handle: Handle,
    _alive: Arc<()>,
}

impl Voice {
    /// Whose it is.
    pub(crate) fn viewer(&self) -> &ViewerId {
        &self.viewer
    }

    /// Whether the room is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.handle.asked.is_closed()
    }

    /// Says something; it is dropped and counted where too much waits for the room.
    pub(crate) fn say(&self, bytes: Bytes) {
        if self.handle.uttered.try_send((self.session, bytes)).is_err() {
            self.rooms.context.metrics.sayings_ignored.add(1);
        }
    }

    /// Has the session's answers go to a subscription of its own.
    pub(crate) fn listen(&self, request: SubscribeRequest) {
        let asked = self.handle.asked.try_send(Asked::Listens(self.session, request));
        if let Err(error) = asked
            && let Asked::Listens(_, request) = error.into_inner()
        {
            self.rooms.context.metrics.requests_refused.add(1);
            request.reject(RequestCode::ExcessiveLoad, &Closed::Busy.to_string());
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        // Where it is too busy the room notices by itself.
        let _ = self.handle.asked.try_send(Asked::Left(self.session));
    }
}

//! Who publishes what, and who is in which room: the relay's control plane. No object passes here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use shared::{
    event::{BroadcastId, Fact, Part, SessionId},
    moqt::{
        DoneCode, FetchRequest, Namespace, RequestCode, Session, SubscribeRequest, TrackName,
        TrackStatusRequest,
    },
    naming::Room,
};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::{
    analytics::recorder::Recorder,
    media::{self, Command},
    metrics::Metrics,
    tasks::Tasks,
};

mod source;
mod viewers;

use source::Source;
use viewers::Viewers;

/// Most namespaces on air at one time; further ones are refused.
const MAX_SOURCES: usize = 10_000;

/// The sources of a relay.
#[derive(Debug)]
pub(crate) struct Registry {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    context: media::Context,
    tasks: Tasks,
    recorder: Recorder,
}

#[derive(Debug, Default)]
struct State {
    sources: BTreeMap<Namespace, Arc<Source>>,
    viewers: Viewers,
    broadcasts: u64,
}

impl Registry {
    /// An empty one.
    pub(crate) fn new(
        limits: media::Limits,
        metrics: Arc<Metrics>,
        recorder: Recorder,
        tasks: Tasks,
    ) -> Arc<Self> {
        let context = media::Context { limits, metrics, recorder: recorder.clone() };
        Arc::new(Self { state: Mutex::default(), changes: watch::channel(0).0, context, tasks, recorder })
    }

    /// Puts a namespace on air for a session; whoever had it before is off air. Dropping the lease ends it.
    /// `None` where there are too many already.
    pub(crate) fn publish(
        self: &Arc<Self>,
        namespace: Namespace,
        owner: SessionId,
        session: Session,
    ) -> Option<Lease> {
        let room = Room::of(&namespace).filter(|room| room.stage() == namespace);
        let (source, earlier) = {
            let mut state = self.lock();
            if state.sources.len() >= MAX_SOURCES && !state.sources.contains_key(&namespace) {
                return None;
            }
            state.broadcasts += 1;
            let id = BroadcastId(state.broadcasts);
            let source = Arc::new(Source::new(id, owner, session, room.clone()));
            (Arc::clone(&source), state.sources.insert(namespace.clone(), source))
        };
        if let Some(earlier) = earlier {
            self.take_over(&namespace, &earlier);
        }
        self.context.metrics.broadcasts.add(1);
        if let Some(room) = &room {
            let (broadcast, room) = (source.id(), room.clone());
            self.recorder.record(Fact::BroadcastStarted { broadcast, room, session: owner });
        }
        if let Some(room) = &room {
            source.open(&room.catalog(), &self.context, &self.tasks);
        }
        self.announce();
        Some(Lease { registry: Arc::clone(self), namespace, source })
    }

    fn take_over(&self, namespace: &Namespace, earlier: &Source) {
        tracing::info!(%namespace, "a newer publisher takes over");
        earlier.end(DoneCode::InternalError, "a newer publisher took over");
        self.off_air(earlier, "a newer publisher took over");
    }

    fn off_air(&self, source: &Source, reason: &str) {
        self.context.metrics.broadcasts.subtract(1);
        if source.room().is_some() {
            let reason = reason.to_owned();
            self.recorder.record(Fact::BroadcastEnded { broadcast: source.id(), reason });
        }
    }

    /// Hands a viewer's SUBSCRIBE to the track that it asks for, or refuses it.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        request: SubscribeRequest,
        viewer: SessionId,
        permit: OwnedSemaphorePermit,
    ) {
        if let Some(source) = self.source_of(request.track()) {
            return self.seat(&source, request, viewer, permit);
        }
        let patience = request.options().rendezvous_timeout.unwrap_or_default();
        let patience = patience.min(self.context.limits.rendezvous);
        if patience.is_zero() {
            self.context.metrics.requests_refused.add(1);
            let reason = off_air(request.track());
            return request.reject(RequestCode::DoesNotExist, &reason);
        }
        self.tasks.spawn(Arc::clone(self).rendezvous(patience, request, viewer, permit));
    }

    /// Keeps a viewer's SUBSCRIBE until somebody publishes, for a while (draft-18 §10.2.6). How many wait
    /// is bounded by the permits of their sessions.
    async fn rendezvous(
        self: Arc<Self>,
        patience: Duration,
        request: SubscribeRequest,
        viewer: SessionId,
        permit: OwnedSemaphorePermit,
    ) {
        let mut changes = self.changes();
        let late = tokio::time::sleep(patience);
        tokio::pin!(late);
        loop {
            changes.mark_unchanged();
            if let Some(source) = self.source_of(request.track()) {
                return self.seat(&source, request, viewer, permit);
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = request.cancelled() => return,
                () = &mut late => {
                    self.context.metrics.requests_refused.add(1);
                    let reason = format!("{}, and nobody came in time", off_air(request.track()));
                    return request.reject(RequestCode::Timeout, &reason);
                }
            }
        }
    }

    /// Gives a viewer a seat at a track of a source.
    fn seat(
        self: &Arc<Self>,
        source: &Arc<Source>,
        request: SubscribeRequest,
        viewer: SessionId,
        permit: OwnedSemaphorePermit,
    ) {
        let track = request.track().clone();
        let room = source.room().filter(|room| room.stage() == track.namespace && source.owner() != viewer);
        let seat = Seat::take(self, room.cloned(), viewer, permit);
        self.open_summary(source, &track);
        source.send(&track, Command::Subscribe(request, seat), &self.context, &self.tasks);
    }

    /// Hands a FETCH to the cache of the track that it asks for, or refuses it.
    pub(crate) fn fetch(&self, request: FetchRequest, permit: OwnedSemaphorePermit) {
        let Some(source) = self.source_of(request.track()) else {
            self.context.metrics.requests_refused.add(1);
            let reason = off_air(request.track());
            return request.reject(RequestCode::DoesNotExist, &reason);
        };
        let track = request.track().clone();
        source.send(&track, Command::Fetch(request, permit), &self.context, &self.tasks);
    }

    /// Says how a track stands: by what is known here, or else by what its publisher says.
    pub(crate) fn status(&self, request: TrackStatusRequest, permit: OwnedSemaphorePermit) {
        let Some(source) = self.source_of(request.track()) else {
            self.context.metrics.requests_refused.add(1);
            let reason = off_air(request.track());
            return request.reject(RequestCode::DoesNotExist, &reason);
        };
        source.status(request, permit, &self.context, &self.tasks);
    }

    fn source_of(&self, track: &TrackName) -> Option<Arc<Source>> {
        let summary_of = Room::of(&track.namespace).filter(|room| room.summary() == *track);
        let namespace = summary_of.map_or_else(|| track.namespace.clone(), |room| room.stage());
        self.lock().sources.get(&namespace).cloned()
    }

    /// The audience's summary is made here; it runs as long as somebody wants it.
    fn open_summary(self: &Arc<Self>, source: &Arc<Source>, track: &TrackName) {
        let Some(room) = source.room().filter(|room| room.summary() == *track) else { return };
        let (registry, asked) = (Arc::downgrade(self), room.clone());
        let viewers = move || registry.upgrade().map(|registry| registry.viewers(&asked));
        source.open_local(track, viewers, &self.context, &self.tasks);
    }

    /// Sessions that watch a room.
    pub(crate) fn viewers(&self, room: &Room) -> usize {
        self.lock().viewers.of(room)
    }

    /// Namespaces on air below `prefix`, each with the number of its broadcast.
    pub(crate) fn below(&self, prefix: &Namespace) -> BTreeMap<Namespace, BroadcastId> {
        let state = self.lock();
        let below = state.sources.iter().filter(|(namespace, _)| namespace.starts_with(prefix));
        below.map(|(namespace, source)| (namespace.clone(), source.id())).collect()
    }

    /// Tells whenever [`below`](Self::below) may have another answer.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Rooms on air, by name.
    pub(crate) fn rooms_on_air(&self) -> Vec<Room> {
        self.lock().sources.values().filter_map(|source| source.room().cloned()).collect()
    }

    /// Ends every track for its viewers.
    pub(crate) fn end_all(&self, code: DoneCode, reason: &'static str) {
        let sources: Vec<_> = self.lock().sources.values().cloned().collect();
        sources.iter().for_each(|source| source.end(code, reason));
    }

    fn announce(&self) {
        self.changes.send_modify(|version| *version = version.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn off_air(track: &TrackName) -> String {
    match Room::of(&track.namespace) {
        Some(room) => format!("room {room} is not on air"),
        None => format!("nobody publishes {}", track.namespace),
    }
}

/// A namespace on air. Dropping it takes it off air; subscriptions go on until the publisher ends them.
#[derive(Debug)]
pub(crate) struct Lease {
    registry: Arc<Registry>,
    namespace: Namespace,
    source: Arc<Source>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let was_ours = {
            let mut state = self.registry.lock();
            let is_ours =
                state.sources.get(&self.namespace).is_some_and(|now| Arc::ptr_eq(now, &self.source));
            is_ours && state.sources.remove(&self.namespace).is_some()
        };
        if was_ours {
            let has_ended = self.source.has_ended();
            let reason = if has_ended { "ended by the publisher" } else { "publisher lost" };
            tracing::info!(namespace = %self.namespace, reason, "off air");
            self.registry.off_air(&self.source, reason);
            self.registry.announce();
        }
    }
}

/// One subscription of a viewer, as long as it lasts.
#[derive(Debug)]
pub(crate) struct Seat {
    registry: Weak<Registry>,
    room: Option<Room>,
    viewer: SessionId,
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Seat {
    fn take(
        registry: &Arc<Registry>,
        room: Option<Room>,
        viewer: SessionId,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let metrics = Arc::clone(&registry.context.metrics);
        metrics.subscriptions.add(1);
        if let Some(room) = &room
            && registry.lock().viewers.enter(room, viewer)
        {
            let fact = Fact::SessionJoined { session: viewer, room: room.clone(), part: Part::Viewer };
            registry.recorder.record(fact);
        }
        Self { registry: Arc::downgrade(registry), room, viewer, metrics, _permit: permit }
    }

    /// The session that watches; `None` where what it takes is no part of a broadcast to a room.
    pub(crate) fn viewer(&self) -> Option<SessionId> {
        self.room.as_ref().map(|_| self.viewer)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.metrics.subscriptions.subtract(1);
        if let (Some(registry), Some(room)) = (self.registry.upgrade(), &self.room) {
            registry.lock().viewers.leave(room, self.viewer);
        }
    }
}

//! Who publishes what, and who is in which room: the relay's control plane. No object passes here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
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
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    analytics::recorder::Recorder,
    media::{self, Command},
    metrics::Metrics,
    tasks::Tasks,
};

mod awaited;
mod changes;
mod offers;
mod source;
mod viewers;

use awaited::{Awaited, Wait};
use changes::{Changes, Watcher};
use offers::Offers;
pub(crate) use offers::TrackLease;
use source::Source;
use viewers::Viewers;

/// Most namespaces on air at one time; further ones are refused.
const MAX_SOURCES: usize = 10_000;
const TAKEN_OVER: &str = "a newer publisher took over";

/// The sources of a relay.
#[derive(Debug)]
pub(crate) struct Registry {
    state: Mutex<State>,
    changes: Changes,
    context: media::Context,
    tasks: Tasks,
    recorder: Recorder,
}

#[derive(Debug, Default)]
struct State {
    sources: BTreeMap<Namespace, Arc<Source>>,
    offers: Offers,
    awaited: Awaited,
    viewers: Viewers,
    broadcasts: u64,
}

impl State {
    /// The broadcast of a session in a namespace: all that it announces and publishes there is one.
    fn broadcast(&mut self, namespace: &Namespace, owner: SessionId, session: Session) -> Arc<Source> {
        let known = {
            let announced = self.sources.get(namespace).into_iter();
            let mut all = announced.chain(self.offers.sources_in(namespace));
            all.find(|source| source.owner() == owner).cloned()
        };
        if let Some(known) = known {
            return known;
        }
        let room = Room::of(namespace).filter(|room| room.stage() == *namespace);
        self.broadcasts += 1;
        Arc::new(Source::new(BroadcastId(self.broadcasts), namespace.clone(), owner, session, room))
    }

    /// Who announced a namespace or, where nobody did, the longest one above it: of several publishers the one
    /// that says most of it is asked (draft-18 §9.3, §9.5).
    fn announcer(&self, namespace: &Namespace) -> Option<&Arc<Source>> {
        namespace.upwards().find_map(|namespace| self.sources.get(&namespace))
    }

    /// What is announced below `prefix`.
    fn below(&self, prefix: &Namespace) -> impl Iterator<Item = (&Namespace, &Arc<Source>)> {
        self.sources.iter().filter(move |(namespace, _)| namespace.starts_with(prefix))
    }
}

impl Registry {
    /// An empty one.
    pub(crate) fn new(
        limits: media::Limits,
        metrics: Arc<Metrics>,
        recorder: Recorder,
        tasks: Tasks,
    ) -> Arc<Self> {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let context = media::Context { limits, metrics, recorder: recorder.clone(), is_stopping };
        Arc::new(Self { state: Mutex::default(), changes: Changes::default(), context, tasks, recorder })
    }

    /// Puts a namespace on air for a session; whoever had it before is off air. Dropping the lease ends it.
    /// `None` where there are too many already.
    pub(crate) fn publish(
        self: &Arc<Self>,
        namespace: Namespace,
        owner: SessionId,
        session: Session,
    ) -> Option<Lease> {
        let (source, earlier) = {
            let mut state = self.lock();
            if state.sources.len() >= MAX_SOURCES && !state.sources.contains_key(&namespace) {
                return None;
            }
            let source = state.broadcast(&namespace, owner, session);
            let earlier = state.sources.insert(namespace.clone(), Arc::clone(&source));
            let earlier = earlier.filter(|earlier| !Arc::ptr_eq(earlier, &source));
            earlier.iter().for_each(|earlier| state.offers.forget(earlier));
            (source, earlier)
        };
        if let Some(earlier) = earlier {
            tracing::info!(%namespace, "a newer publisher takes over");
            earlier.end(DoneCode::InternalError, TAKEN_OVER);
            self.release(&earlier, TAKEN_OVER);
        }
        self.on_air(&source);
        source.announce();
        if let Some(room) = source.room() {
            source.open(&room.catalog(), &self.context, &self.tasks);
        }
        self.announce();
        Some(Lease { registry: Arc::clone(self), namespace, source })
    }

    /// A broadcast begins, unless it did before.
    fn on_air(&self, source: &Source) {
        if !source.begin() {
            return;
        }
        self.context.metrics.broadcasts.add(1);
        if let Some(room) = source.room() {
            let (broadcast, session) = (source.id(), source.owner());
            self.recorder.record(Fact::BroadcastStarted { broadcast, room: room.clone(), session });
        }
    }

    /// A broadcast ends where neither its namespace nor any track of it is published any more.
    fn release(&self, source: &Arc<Source>, reason: &str) {
        let is_held = {
            let state = self.lock();
            let announced = state.sources.get(source.namespace());
            let mut holds = announced.into_iter().chain(state.offers.sources_in(source.namespace()));
            holds.any(|held| Arc::ptr_eq(held, source))
        };
        if is_held || !source.finish() {
            return;
        }
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
            return self.serve(&source, request, viewer, permit);
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
        let _wait = request.options().forward.then(|| self.wait_for(request.track()));
        let late = tokio::time::sleep(patience);
        tokio::pin!(late);
        loop {
            changes.mark_unchanged();
            if let Some(source) = self.source_of(request.track()) {
                return self.serve(&source, request, viewer, permit);
            }
            tokio::select! {
                biased;
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

    /// A publisher of the track is to send objects at once, for as long as this is held.
    fn wait_for(self: &Arc<Self>, track: &TrackName) -> Wait {
        self.lock().awaited.enter(track);
        Wait { registry: Arc::downgrade(self), track: track.clone() }
    }

    /// Hands a viewer's SUBSCRIBE to a track of a source.
    fn serve(
        self: &Arc<Self>,
        source: &Arc<Source>,
        request: SubscribeRequest,
        viewer: SessionId,
        permit: OwnedSemaphorePermit,
    ) {
        let track = request.track().clone();
        let seat = self.seat(source, &track, viewer, permit);
        self.open_summary(source, &track);
        source.send(&track, Command::Subscribe(request, seat), &self.context, &self.tasks);
    }

    fn seat(
        self: &Arc<Self>,
        source: &Source,
        track: &TrackName,
        viewer: SessionId,
        permit: OwnedSemaphorePermit,
    ) -> Seat {
        let room = source.room().filter(|room| room.stage() == track.namespace && source.owner() != viewer);
        Seat::take(self, room.cloned(), viewer, permit)
    }

    /// A viewer's place at a track that no broadcast is part of.
    pub(crate) fn seat_beside(self: &Arc<Self>, viewer: SessionId, permit: OwnedSemaphorePermit) -> Seat {
        Seat::take(self, None, viewer, permit)
    }

    /// Whether somebody is on a room's stage.
    pub(crate) fn is_on_air(&self, room: &Room) -> bool {
        self.source_of(&room.catalog()).is_some()
    }

    /// What tracks that are made here need.
    pub(crate) fn context(&self) -> &media::Context {
        &self.context
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
        let state = self.lock();
        let source = match summary_of.map(|room| room.stage()) {
            // Whoever is on the stage has an audience.
            Some(stage) => state.sources.get(&stage).or_else(|| state.offers.sources_in(&stage).next()),
            None => state.offers.get(track).or_else(|| state.announcer(&track.namespace)),
        };
        source.cloned()
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
        state.below(prefix).map(|(namespace, source)| (namespace.clone(), source.id())).collect()
    }

    /// How many namespaces are on air below `prefix`.
    pub(crate) fn count_below(&self, prefix: &Namespace) -> usize {
        self.lock().below(prefix).count()
    }

    /// Tells whenever [`below`](Self::below) may have another answer.
    pub(crate) fn changes(&self) -> Watcher {
        self.changes.watch()
    }

    /// Rooms on air, by name.
    pub(crate) fn rooms_on_air(&self) -> Vec<Room> {
        let state = self.lock();
        let sources = state.sources.values().chain(state.offers.sources());
        let rooms: BTreeSet<Room> = sources.filter_map(|source| source.room().cloned()).collect();
        rooms.into_iter().collect()
    }

    /// From now on tracks are given back to their publishers when their last viewer leaves, so that publishers
    /// may leave as well.
    pub(crate) fn drain(&self) {
        self.context.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Ends every track for its viewers.
    pub(crate) fn end_all(&self, code: DoneCode, reason: &'static str) {
        let sources: Vec<_> = {
            let state = self.lock();
            state.sources.values().chain(state.offers.sources()).cloned().collect()
        };
        sources.iter().for_each(|source| source.end(code, reason));
    }

    fn announce(&self) {
        self.changes.tell();
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
        if !self.source.withdraw() {
            return;
        }
        let was_ours = {
            let mut state = self.registry.lock();
            let is_ours =
                state.sources.get(&self.namespace).is_some_and(|now| Arc::ptr_eq(now, &self.source));
            is_ours && state.sources.remove(&self.namespace).is_some()
        };
        if was_ours {
            let reason = self.source.how_it_ended();
            tracing::info!(namespace = %self.namespace, reason, "off air");
            self.registry.release(&self.source, reason);
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

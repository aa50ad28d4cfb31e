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
    media::{self, Command, Heir},
    metrics::Metrics,
    tasks::Tasks,
};

mod announcers;
mod awaited;
mod changes;
mod offers;
mod source;
mod viewers;

use announcers::{Announcers, Left};
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
    /// Held while tracks go from one source to another.
    moves: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    announcers: Announcers,
    offers: Offers,
    awaited: Awaited,
    viewers: Viewers,
    broadcasts: u64,
}

impl State {
    /// The broadcast of a session in a namespace: all that it announces and publishes there is one.
    fn broadcast(
        &mut self,
        registry: &Arc<Registry>,
        namespace: &Namespace,
        owner: SessionId,
        session: Session,
    ) -> Arc<Source> {
        let known = {
            let announced = self.announcers.of(namespace).iter();
            let mut all = announced.chain(self.offers.sources_in(namespace));
            all.find(|source| source.owner() == owner).cloned()
        };
        if let Some(known) = known {
            return known;
        }
        let room = Room::of(namespace).filter(|room| room.stage() == *namespace);
        let publisher = Heir { session, owner, broadcast: self.next_broadcast() };
        Arc::new(Source::new(Arc::downgrade(registry), namespace.clone(), publisher, room))
    }

    fn next_broadcast(&mut self) -> BroadcastId {
        self.broadcasts += 1;
        BroadcastId(self.broadcasts)
    }

    /// Who announced a namespace or, where nobody did, the longest one above it: of several publishers the one
    /// that says most of it is asked (draft-18 §9.3, §9.5).
    fn announcer(&self, namespace: &Namespace) -> Option<&Arc<Source>> {
        namespace.upwards().find_map(|namespace| self.announcers.used(&namespace))
    }

    /// What is announced below `prefix`.
    fn below(&self, prefix: &Namespace) -> impl Iterator<Item = (&Namespace, &Arc<Source>)> {
        self.announcers.all_used().filter(move |(namespace, _)| namespace.starts_with(prefix))
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
        let pool = media::Pool::new(limits.cache_total);
        let context = media::Context { limits, metrics, pool, recorder: recorder.clone(), is_stopping };
        let (state, changes, moves) = (Mutex::default(), Changes::default(), Mutex::default());
        Arc::new(Self { state, changes, context, tasks, recorder, moves })
    }

    /// Puts a namespace on air for a session. Whoever had it before stands by, and what is taken from it is
    /// taken from this session now (draft-18 §9.5). Dropping the lease ends it. `None` where there are too many
    /// already.
    pub(crate) fn publish(
        self: &Arc<Self>,
        namespace: Namespace,
        owner: SessionId,
        session: Session,
    ) -> Option<Lease> {
        let (source, earlier) = {
            let mut state = self.lock();
            if state.announcers.len() >= MAX_SOURCES && state.announcers.of(&namespace).is_empty() {
                return None;
            }
            let source = state.broadcast(self, &namespace, owner, session);
            let earlier = state.announcers.prefer(&namespace, &source);
            earlier.iter().for_each(|earlier| state.offers.forget(earlier));
            (source, earlier)
        };
        source.announce();
        match earlier {
            Some(earlier) => {
                tracing::info!(%namespace, "a newer publisher takes over, the earlier one stands by");
                self.hand_over(&earlier, &source, TAKEN_OVER);
            }
            None => self.on_air(&source),
        }
        if let Some(room) = source.room() {
            source.open(&room.catalog(), &self.context, &self.tasks);
        }
        self.announce();
        Some(Lease { registry: Arc::clone(self), namespace, source })
    }

    /// One publisher goes on with what another published; the registry says so already.
    fn hand_over(&self, from: &Arc<Source>, to: &Arc<Source>, reason: &str) {
        self.on_air(to);
        {
            let _one_at_a_time = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
            to.inherit(from);
        }
        self.release(from, reason);
    }

    /// Who goes on with a track whose publisher ended it or is gone: whoever stands by is used from now on.
    fn heir(&self, failed: &Arc<Source>, track: &TrackName) -> Option<Heir> {
        let (demoted, used) = {
            let mut state = self.lock();
            let demoted = state.announcers.demote(failed.namespace(), failed);
            (demoted, state.announcers.used(failed.namespace()).cloned())
        };
        let heir = used.filter(|used| !Arc::ptr_eq(used, failed))?;
        if demoted.is_some() {
            tracing::info!(namespace = %failed.namespace(), "whoever stood by takes over");
            self.hand_over(failed, &heir, failed.how_it_ended());
            self.announce();
        } else {
            let _one_at_a_time = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
            heir.inherit_one(failed, track);
        }
        Some(heir.publisher())
    }

    /// A broadcast begins, unless it did before.
    fn on_air(&self, source: &Source) {
        if !source.begin(|| self.lock().next_broadcast()) {
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
            let announced = state.announcers.used(source.namespace());
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
        self.hand(source, &track, Command::Subscribe(request, seat));
    }

    /// Hands a command to a track of a source, or to whoever takes over from that just now.
    fn hand(&self, source: &Arc<Source>, track: &TrackName, command: Command) {
        let Err(command) = source.send(track, Box::new(command), &self.context, &self.tasks) else { return };
        let again = match self.source_of(track) {
            Some(source) => source.send(track, command, &self.context, &self.tasks),
            None => Err(command),
        };
        if let Err(command) = again {
            self.context.metrics.requests_refused.add(1);
            command.refuse(RequestCode::DoesNotExist, "its publisher left just now: try again");
        }
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
        self.hand(&source, &track, Command::Fetch(request, permit));
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
            Some(stage) => state.announcers.used(&stage).or_else(|| state.offers.sources_in(&stage).next()),
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
        let sources = state.announcers.all().chain(state.offers.sources());
        let rooms: BTreeSet<Room> = sources.filter_map(|source| source.room().cloned()).collect();
        rooms.into_iter().collect()
    }

    /// Rooms on air, each with the sessions that watch it.
    pub(crate) fn rooms_with_viewers(&self) -> BTreeMap<Room, usize> {
        let state = self.lock();
        let sources = state.announcers.all().chain(state.offers.sources());
        let rooms = sources.filter_map(|source| source.room());
        rooms.map(|room| (room.clone(), state.viewers.of(room))).collect()
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
            state.announcers.all().chain(state.offers.sources()).cloned().collect()
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
        let left = self.registry.lock().announcers.remove(&self.namespace, &self.source);
        let reason = self.source.how_it_ended();
        match left {
            Left::Unused => {}
            Left::Used(Some(heir)) => {
                tracing::info!(namespace = %self.namespace, reason, "whoever stood by takes over");
                self.registry.hand_over(&self.source, &heir, reason);
                self.registry.announce();
            }
            Left::Used(None) => {
                tracing::info!(namespace = %self.namespace, reason, "off air");
                self.registry.release(&self.source, reason);
                self.registry.announce();
            }
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

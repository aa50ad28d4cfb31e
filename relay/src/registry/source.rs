//! One broadcast: its publisher's session and the tracks that are taken from it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use shared::{
    event::{BroadcastId, SessionId},
    moqt::{
        DoneCode, Namespace, PublishRequest, Refused, RequestCode, Session, TrackName, TrackStatusRequest,
    },
    naming::Room,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

use super::{Registry, TAKEN_OVER, TrackLease};
use crate::{
    media::{Command, Context, Heir, Ingest, Keep, Shelf, Track, Upstream, summary},
    tasks::Tasks,
};

/// Tracks that are taken from one publisher at one time; further ones are refused.
const MAX_TRACKS: usize = 128;
/// Questions about tracks that one publisher is asked at one time; further ones are refused.
const MAX_QUESTIONS: usize = 64;
/// How long a publisher may take to say how a track stands.
const ANSWER: Duration = Duration::from_secs(5);

/// A broadcast.
#[derive(Debug)]
pub(super) struct Source {
    registry: Weak<Registry>,
    namespace: Namespace,
    owner: SessionId,
    session: Session,
    /// The number of its broadcast: another one each time that it is used.
    id: AtomicU64,
    room: Option<Room>,
    stage: Mutex<Stage>,
    tracks: Mutex<Tracks>,
    has_ended: AtomicBool,
    questions: Arc<Semaphore>,
}

/// Whether a broadcast is told of as begun or over.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Before,
    OnAir,
    Over,
}

/// A track's task: its place here, and the way to it.
type Running = (Arc<Place>, Track);

/// The tracks, until the broadcast is over.
#[derive(Debug)]
struct Tracks {
    all: BTreeMap<TrackName, Running>,
    /// How often its whole namespace is announced; where it is not, only what is published track by track
    /// is to be had.
    announcements: usize,
    /// Another publisher of the namespace is used instead.
    stands_by: bool,
    /// Why no further track is taken.
    over: Option<&'static str>,
}

impl Source {
    pub(super) fn new(
        registry: Weak<Registry>,
        namespace: Namespace,
        publisher: Heir,
        room: Option<Room>,
    ) -> Self {
        let tracks = Tracks { all: BTreeMap::new(), announcements: 0, stands_by: false, over: None };
        let Heir { session, owner, broadcast } = publisher;
        Self {
            registry,
            id: AtomicU64::new(broadcast.0),
            namespace,
            owner,
            session,
            room,
            stage: Mutex::new(Stage::Before),
            tracks: Mutex::new(tracks),
            has_ended: AtomicBool::new(false),
            questions: Arc::new(Semaphore::new(MAX_QUESTIONS)),
        }
    }

    pub(super) fn id(&self) -> BroadcastId {
        BroadcastId(self.id.load(Ordering::Relaxed))
    }

    pub(super) fn owner(&self) -> SessionId {
        self.owner
    }

    /// The room whose stage it is.
    pub(super) fn room(&self) -> Option<&Room> {
        self.room.as_ref()
    }

    /// Where its tracks are to be had.
    pub(super) fn publisher(&self) -> Heir {
        Heir { session: self.session.clone(), owner: self.owner, broadcast: self.id() }
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Why it is over, in words for a person.
    pub(super) fn how_it_ended(&self) -> &'static str {
        match self.has_ended.load(Ordering::Relaxed) {
            true => "ended by the publisher",
            false => "publisher lost",
        }
    }

    /// Whether it begins with this; where it was over before, as the `next` broadcast.
    pub(super) fn begin(&self, next: impl FnOnce() -> BroadcastId) -> bool {
        if self.step(&Stage::Over, Stage::Before) {
            self.id.store(next().0, Ordering::Relaxed);
        }
        self.step(&Stage::Before, Stage::OnAir)
    }

    /// Whether it ends with this.
    pub(super) fn finish(&self) -> bool {
        self.step(&Stage::OnAir, Stage::Over)
    }

    fn step(&self, from: &Stage, to: Stage) -> bool {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = *stage == *from;
        if is_there {
            *stage = to;
        }
        is_there
    }

    /// Goes on with all that is taken from another publisher of the same namespace, which stands by from now on.
    /// One at a time: both are locked.
    pub(super) fn inherit(self: &Arc<Self>, earlier: &Source) {
        let mut tracks = self.lock();
        let mut theirs = earlier.lock();
        theirs.stands_by = true;
        tracks.stands_by = false;
        for (name, running) in std::mem::take(&mut theirs.all) {
            self.follow(&mut tracks, name, running);
        }
    }

    /// Goes on with one track of another publisher. One at a time: both are locked.
    pub(super) fn inherit_one(self: &Arc<Self>, earlier: &Source, name: &TrackName) {
        let mut tracks = self.lock();
        if let Some(running) = earlier.lock().all.remove(name) {
            self.follow(&mut tracks, name.clone(), running);
        }
    }

    fn follow(self: &Arc<Self>, tracks: &mut Tracks, name: TrackName, (place, track): Running) {
        if tracks.over.is_some() || tracks.all.contains_key(&name) {
            return track.end(DoneCode::InternalError, TAKEN_OVER);
        }
        // One that has ended meanwhile is not moved. One that has too many commands waiting follows when its
        // flow ends.
        if place.move_to(self, (), |()| Ok(())).is_ok() {
            let _ = track.send(Command::Follow(self.publisher()));
            tracks.all.insert(name, (place, track));
        }
    }

    /// Its whole namespace is announced: tracks of it may be asked for.
    pub(super) fn announce(&self) {
        self.lock().announcements += 1;
    }

    /// An announcement of its namespace is taken back; whether it was the last one.
    pub(super) fn withdraw(&self) -> bool {
        let mut tracks = self.lock();
        tracks.announcements = tracks.announcements.saturating_sub(1);
        tracks.announcements == 0
    }

    /// Takes a track that the publisher began a subscription for. Where `earlier` or this has the track
    /// running, it goes on from there for its viewers.
    pub(super) fn adopt(
        self: &Arc<Self>,
        request: PublishRequest,
        lease: TrackLease,
        earlier: Option<Running>,
        context: &Context,
        tasks: &Tasks,
    ) {
        let name = request.track().clone();
        let mut tracks = self.lock();
        let refused = match tracks.over {
            Some(reason) => Some((RequestCode::DoesNotExist, reason)),
            None if tracks.all.len() >= MAX_TRACKS && tracks.lacks(&name) => {
                Some((RequestCode::ExcessiveLoad, "too many tracks are taken from this publisher"))
            }
            None => None,
        };
        if let Some((code, reason)) = refused {
            drop(tracks);
            if let Some((_, earlier)) = earlier {
                earlier.end(DoneCode::InternalError, reason);
            }
            context.metrics.requests_refused.add(1);
            return request.reject(code, reason);
        }
        // Its own is being asked for, or its earlier subscription is just ending.
        let own = tracks.all.remove(&name);
        if let (Some(_), Some((_, earlier))) = (&own, &earlier) {
            earlier.end(DoneCode::InternalError, TAKEN_OVER);
        }
        let mut offered = Box::new((request, lease));
        if let Some((place, track)) = own.or(earlier) {
            match place.move_to(self, offered, |offered| track.adopt(offered)) {
                Ok(()) => {
                    tracks.all.insert(name, (place, track));
                    return;
                }
                // It ended meanwhile.
                Err(again) => offered = again,
            }
        }
        let is_catalog = self.room.as_ref().is_some_and(|room| room.catalog() == name);
        let keep = if is_catalog { Keep::Always } else { Keep::WhileOffered };
        self.start(&mut tracks, &name, Upstream::Offered(offered), keep, context, tasks);
    }

    /// Gives a track up, with its viewers.
    pub(super) fn give(&self, name: &TrackName) -> Option<Running> {
        self.lock().all.remove(name)
    }

    /// Takes a track from the publisher for as long as the broadcast lasts.
    pub(super) fn open(self: &Arc<Self>, name: &TrackName, context: &Context, tasks: &Tasks) {
        let mut tracks = self.lock();
        if tracks.lacks(name) {
            let upstream = Upstream::Publisher;
            self.start(&mut tracks, name, upstream, Keep::Always, context, tasks);
        }
    }

    /// Starts the summary of the audience, unless it runs.
    pub(super) fn open_local(
        self: &Arc<Self>,
        name: &TrackName,
        viewers: impl Fn() -> Option<usize> + Send + 'static,
        context: &Context,
        tasks: &Tasks,
    ) {
        let mut tracks = self.lock();
        if tracks.lacks(name) {
            let (items, receiver) = mpsc::channel(summary::CAPACITY);
            self.start(&mut tracks, name, Upstream::Local(receiver), Keep::WhileWatched, context, tasks);
            tasks.spawn(summary::run(viewers, items));
        }
    }

    /// Hands a command to a track, which is taken from the publisher now where it was not. It comes back where
    /// another publisher is used instead.
    pub(super) fn send(
        self: &Arc<Self>,
        name: &TrackName,
        command: Box<Command>,
        context: &Context,
        tasks: &Tasks,
    ) -> Result<(), Box<Command>> {
        let mut tracks = self.lock();
        let refuse = |command: Box<Command>, code, reason| {
            context.metrics.requests_refused.add(1);
            command.refuse(code, reason);
            Ok(())
        };
        if let Some(reason) = tracks.over {
            return refuse(command, RequestCode::DoesNotExist, reason);
        }
        if tracks.lacks(name) {
            if tracks.stands_by {
                return Err(command);
            }
            if tracks.announcements == 0 {
                return refuse(command, RequestCode::DoesNotExist, "this track of it is not published");
            }
            if tracks.all.len() >= MAX_TRACKS {
                let reason = "too many tracks are taken from this publisher";
                return refuse(command, RequestCode::ExcessiveLoad, reason);
            }
            let upstream = Upstream::Publisher;
            self.start(&mut tracks, name, upstream, Keep::WhileWatched, context, tasks);
        }
        if let Some((_, track)) = tracks.all.get(name) {
            hand_over(track, *command, context);
        }
        Ok(())
    }

    /// Answers from a track that is taken already; about another the publisher is asked, and it is not taken.
    pub(super) fn status(
        &self,
        request: TrackStatusRequest,
        permit: OwnedSemaphorePermit,
        context: &Context,
        tasks: &Tasks,
    ) {
        let tracks = self.lock();
        if let Some(reason) = tracks.over {
            context.metrics.requests_refused.add(1);
            return request.reject(RequestCode::DoesNotExist, reason);
        }
        if let Some((_, track)) = tracks.all.get(request.track()) {
            return hand_over(track, Command::Status(request), context);
        }
        if tracks.announcements == 0 {
            context.metrics.requests_refused.add(1);
            return request.reject(RequestCode::DoesNotExist, "this track of it is not published");
        }
        let Ok(place) = Arc::clone(&self.questions).try_acquire_owned() else {
            context.metrics.requests_refused.add(1);
            return request.reject(RequestCode::ExcessiveLoad, "too many ask this publisher: try again");
        };
        let (session, metrics) = (self.session.clone(), Arc::clone(&context.metrics));
        tasks.spawn(async move {
            let answer = timeout(ANSWER, session.track_status(request.track().clone())).await;
            let answer = answer.unwrap_or_else(|_| {
                let (code, retry_after) = (RequestCode::Timeout, None);
                Err(Refused::Error { code, reason: "the publisher does not answer".to_owned(), retry_after })
            });
            match answer {
                Ok(ok) => request.answer(ok),
                Err(refused) => {
                    metrics.requests_refused.add(1);
                    Command::Status(request).refuse_as(&refused);
                }
            }
            drop((permit, place));
        });
    }

    fn start(
        self: &Arc<Self>,
        tracks: &mut Tracks,
        name: &TrackName,
        upstream: Upstream,
        keep: Keep,
        context: &Context,
        tasks: &Tasks,
    ) {
        let place = Arc::new(Place { source: Mutex::new(Arc::downgrade(self)), name: name.clone() });
        let publisher = self.publisher();
        let (track, ingest) = Ingest::new(name.clone(), publisher, keep, context.clone(), tasks.clone());
        tracks.all.insert(name.clone(), (Arc::clone(&place), track));
        tasks.spawn(ingest.run(upstream, place));
    }

    /// Ends every track for its viewers.
    pub(super) fn end(&self, code: DoneCode, reason: &'static str) {
        let mut tracks = self.lock();
        tracks.over = Some(reason);
        for (_, track) in std::mem::take(&mut tracks.all).into_values() {
            track.end(code, reason);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tracks> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hand_over(track: &Track, command: Command, context: &Context) {
    if let Err(command) = track.send(command) {
        context.metrics.requests_refused.add(1);
        command.refuse(RequestCode::ExcessiveLoad, "too many requests for this track at once: try again");
    }
}

impl Tracks {
    fn lacks(&self, name: &TrackName) -> bool {
        self.over.is_none() && !self.all.contains_key(name)
    }
}

/// A track's place among its source's.
#[derive(Debug)]
pub(super) struct Place {
    source: Mutex<Weak<Source>>,
    name: TrackName,
}

impl Place {
    /// Moves the track to `source` and hands it what it is to go on with, which comes back where the track
    /// has left already.
    fn move_to<T>(
        &self,
        source: &Arc<Source>,
        offered: T,
        hand: impl FnOnce(T) -> Result<(), T>,
    ) -> Result<(), T> {
        let mut place = self.lock();
        if place.strong_count() == 0 {
            return Err(offered);
        }
        *place = Arc::downgrade(source);
        hand(offered)
    }

    fn lock(&self) -> MutexGuard<'_, Weak<Source>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf for Arc<Place> {
    fn leave(&self, commands: &mpsc::Receiver<Command>) -> bool {
        loop {
            let Some(source) = self.lock().upgrade() else { return true };
            let mut tracks = source.lock();
            let mut place = self.lock();
            if !std::ptr::eq(place.as_ptr(), Arc::as_ptr(&source)) {
                // It was moved just now.
                continue;
            }
            // Commands are sent under these locks: none can follow once the track is gone from the map.
            if !commands.is_empty() {
                return false;
            }
            *place = Weak::new();
            if tracks.all.get(&self.name).is_some_and(|(place, _)| Arc::ptr_eq(place, self)) {
                tracks.all.remove(&self.name);
            }
            return true;
        }
    }

    fn heir(&self, owner: SessionId) -> Option<Heir> {
        let source = self.lock().upgrade()?;
        if source.owner != owner {
            // It was moved already.
            return Some(source.publisher());
        }
        source.registry.upgrade()?.heir(&source, &self.name)
    }

    fn ended_in_order(&self) {
        if let Some(source) = self.lock().upgrade() {
            source.has_ended.store(true, Ordering::Relaxed);
        }
    }
}

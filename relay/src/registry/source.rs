//! One broadcast: its publisher's session and the tracks that are taken from it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use shared::{
    event::{BroadcastId, SessionId},
    moqt::{DoneCode, Refused, RequestCode, Session, TrackName, TrackStatusRequest},
    naming::Room,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

use crate::{
    media::{Command, Context, Ingest, Keep, Shelf, Track, Upstream, summary},
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
    id: BroadcastId,
    owner: SessionId,
    session: Session,
    room: Option<Room>,
    tracks: Mutex<Tracks>,
    has_ended: AtomicBool,
    questions: Arc<Semaphore>,
}

/// The tracks, until the broadcast is over.
#[derive(Debug, Default)]
struct Tracks {
    all: HashMap<TrackName, Track>,
    /// Why no further track is taken.
    over: Option<&'static str>,
}

impl Source {
    pub(super) fn new(id: BroadcastId, owner: SessionId, session: Session, room: Option<Room>) -> Self {
        Self {
            id,
            owner,
            session,
            room,
            tracks: Mutex::default(),
            has_ended: AtomicBool::new(false),
            questions: Arc::new(Semaphore::new(MAX_QUESTIONS)),
        }
    }

    pub(super) fn id(&self) -> BroadcastId {
        self.id
    }

    pub(super) fn owner(&self) -> SessionId {
        self.owner
    }

    /// The room whose stage it is.
    pub(super) fn room(&self) -> Option<&Room> {
        self.room.as_ref()
    }

    /// Whether the publisher ended a track in order.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    /// Takes a track from the publisher for as long as the broadcast lasts.
    pub(super) fn open(self: &Arc<Self>, name: &TrackName, context: &Context, tasks: &Tasks) {
        let mut tracks = self.lock();
        if tracks.lacks(name) {
            let upstream = Upstream::Publisher(self.session.clone());
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

    /// Hands a command to a track, which is taken from the publisher now where it was not.
    pub(super) fn send(
        self: &Arc<Self>,
        name: &TrackName,
        command: Command,
        context: &Context,
        tasks: &Tasks,
    ) {
        let mut tracks = self.lock();
        if let Some(reason) = tracks.over {
            context.metrics.requests_refused.add(1);
            return command.refuse(RequestCode::DoesNotExist, reason);
        }
        if tracks.lacks(name) {
            if tracks.all.len() >= MAX_TRACKS {
                context.metrics.requests_refused.add(1);
                return command
                    .refuse(RequestCode::ExcessiveLoad, "too many tracks are taken from this publisher");
            }
            let upstream = Upstream::Publisher(self.session.clone());
            self.start(&mut tracks, name, upstream, Keep::WhileWatched, context, tasks);
        }
        if let Some(track) = tracks.all.get(name) {
            hand_over(track, command, context);
        }
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
        if let Some(track) = tracks.all.get(request.track()) {
            return hand_over(track, Command::Status(request), context);
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
        let shelf = Place { source: Arc::downgrade(self), name: name.clone() };
        let (track, ingest) = Ingest::new(name.clone(), self.id, keep, context.clone(), tasks.clone());
        tracks.all.insert(name.clone(), track);
        tasks.spawn(ingest.run(upstream, shelf));
    }

    /// Ends every track for its viewers.
    pub(super) fn end(&self, code: DoneCode, reason: &'static str) {
        let mut tracks = self.lock();
        tracks.over = Some(reason);
        for (_, track) in tracks.all.drain() {
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
struct Place {
    source: Weak<Source>,
    name: TrackName,
}

impl Shelf for Place {
    fn leave(&self, commands: &mpsc::Receiver<Command>) -> bool {
        let Some(source) = self.source.upgrade() else { return true };
        let mut tracks = source.lock();
        // Commands are sent under this lock: none can follow once the track is gone from the map.
        if !commands.is_empty() {
            return false;
        }
        tracks.all.remove(&self.name);
        true
    }

    fn ended_in_order(&self) {
        if let Some(source) = self.source.upgrade() {
            source.has_ended.store(true, Ordering::Relaxed);
        }
    }
}

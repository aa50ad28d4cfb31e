//! The data plane: ingest -> cache -> fanout. It never looks into a payload.
//!
//! One task a track owns all of the track's state: the one subscription to its publisher, the cache, and
//! every viewer's writer. An object takes no lock that viewers share, and its payload is never copied.
//!
//! | module | what it is |
//! |---|---|
//! | `ingest` | the track's task: takes items and commands, and follows from publisher to publisher |
//! | `cache` | what late joiners and fetches get (pure) |
//! | `fanout` | the viewers of the track |
//! | `fetches` | who wants the track's past |
//! | `fill` | what a fetch asks the publisher for |
//! | `local` | a track that is made here, with the same cache and the same fan-out |
//! | `past` | one fetch there for all who ask for the same range |
//! | `new_group` | merges and limits what viewers ask of the publisher (pure) |
//! | `pool` | what all caches may hold together |
//! | `stuck` | notices viewers that take nothing (pure) |
//! | `summary` | the one track that is made here |

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use shared::event::{BroadcastId, SessionId};
use shared::moqt::{
    DoneCode, FetchRequest, Item, PublishRequest, Redirect, Refused, RequestCode, Session, SubscribeOk,
    SubscribeRequest, TrackStatusRequest, TrackWriter,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::{
    Config,
    analytics::recorder::Recorder,
    metrics::Metrics,
    registry::{Seat, TrackLease},
};

mod cache;
mod fanout;
mod fetches;
mod fill;
mod ingest;
mod local;
mod new_group;
mod past;
mod pool;
mod stuck;
pub(crate) mod summary;

pub(crate) use ingest::Ingest;
pub(crate) use local::{Held, Local};
pub(crate) use pool::Pool;

/// Commands that may wait for a track. Past it requests are refused with EXCESSIVE_LOAD.
const COMMANDS: usize = 1024;

/// Bounds of every track.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes that the cache may hold.
    pub(crate) cache_bytes: usize,
    /// Bytes that all caches may hold together.
    pub(crate) cache_total: usize,
    /// For how long groups before the newest are kept.
    pub(crate) cache_age: Duration,
    /// For how long a track is taken from its publisher without viewers.
    pub(crate) linger: Duration,
    /// What becomes of an offered track that nobody watches.
    pub(crate) unwatched: Unwatched,
    /// How long a viewer may take nothing of what waits; `None` for ever.
    pub(crate) stuck: Option<Duration>,
    /// The longest that a fetch may wait for what only the publisher has.
    pub(crate) fill: Duration,
    /// The longest that a viewer may wait for a publisher.
    pub(crate) rendezvous: Duration,
}

impl Limits {
    /// Those that the operator set.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            cache_bytes: config.cache_bytes.0,
            cache_total: config.cache_total.0,
            cache_age: config.cache_age,
            stuck: Some(config.stuck).filter(|stuck| !stuck.is_zero()),
            linger: config.linger,
            unwatched: if config.pause_offers { Unwatched::Paused } else { Unwatched::Taken },
            rendezvous: config.rendezvous,
            fill: config.fill,
        }
    }
}

/// What becomes of a track that its publisher offers and nobody watches (draft-18 §9.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwatched {
    /// Its objects are taken, so that the subscription never has to change: not every publisher can do that.
    Taken,
    /// It is paused until somebody comes, and the linger time after the last one left.
    Paused,
}

/// What every track needs.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pool: Pool,
    pub(crate) recorder: Recorder,
    /// Whether the relay stops: what has no viewers is given back at once.
    pub(crate) is_stopping: Arc<AtomicBool>,
}

/// A publisher, for those that go on with what another published too.
#[derive(Debug, Clone)]
pub(crate) struct Heir {
    pub(crate) session: Session,
    pub(crate) owner: SessionId,
    pub(crate) broadcast: BroadcastId,
}

/// Where a track's items come from.
#[derive(Debug)]
pub(crate) enum Upstream {
    /// A subscription that is still to be made at its publisher.
    Publisher,
    /// A subscription that the publisher began, for as long as the lease is held.
    Offered(Offered),
    /// This program.
    Local(mpsc::Receiver<Item>),
}

/// Until when a track is taken from its publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// As long as the publisher has it.
    Always,
    /// While it has viewers and for the linger time after.
    WhileWatched,
    /// As long as the publisher has it; what becomes of its objects without viewers is a setting.
    WhileOffered,
}

/// A subscription that a publisher began, and its hold on the track.
pub(crate) type Offered = Box<(PublishRequest, TrackLease)>;

/// What a track is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve a viewer.
    Subscribe(SubscribeRequest, Seat),
    /// Answer from the cache. The permit is held until the answer is sent.
    Fetch(FetchRequest, OwnedSemaphorePermit),
    /// Take it from here on from the subscription that its publisher began.
    Adopt(Offered),
    /// Say what viewers are told of it.
    Describe(oneshot::Sender<SubscribeOk>),
    /// Serve a viewer that took it when it was offered.
    Join(TrackWriter, Seat),
    /// Say how it stands.
    Status(TrackStatusRequest),
    /// Take it from this publisher from now on.
    Follow(Heir),
    /// End the track for its viewers.
    End(DoneCode, &'static str),
}

impl Command {
    /// Answers a request with an error.
    pub(crate) fn refuse(self, code: RequestCode, reason: &str) {
        match self {
            Self::Subscribe(request, _) => request.reject(code, reason),
            Self::Fetch(request, _) => request.reject(code, reason),
            Self::Status(request) => request.reject(code, reason),
            Self::Adopt(offered) => offered.0.reject(code, reason),
            Self::Join(writer, _) => writer.done(DoneCode::InternalError, reason),
            Self::Describe(_) | Self::Follow(_) | Self::End(..) => {}
        }
    }

    /// Answers a request as the publisher answered.
    pub(crate) fn refuse_as(self, refused: &Refused) {
        match refused {
            Refused::Error { code, reason, retry_after: None } => self.refuse(*code, reason),
            Refused::Error { code, reason, retry_after: Some(later) } => {
                self.refuse_until(*code, reason, *later);
            }
            Refused::Redirected { to, reason, retry_after } => {
                self.redirect(to.clone(), reason, *retry_after)
            }
            _ => self.refuse(RequestCode::DoesNotExist, "the publisher is gone"),
        }
    }

    fn refuse_until(self, code: RequestCode, reason: &str, retry_after: Duration) {
        match self {
            Self::Subscribe(request, _) => request.reject_until(code, reason, retry_after),
            Self::Fetch(request, _) => request.reject_until(code, reason, retry_after),
            Self::Status(request) => request.reject_until(code, reason, retry_after),
            Self::Adopt(offered) => offered.0.reject_until(code, reason, retry_after),
            Self::Join(writer, _) => writer.done(DoneCode::InternalError, reason),
            Self::Describe(_) | Self::Follow(_) | Self::End(..) => {}
        }
    }

    fn redirect(self, to: Redirect, reason: &str, retry_after: Option<Duration>) {
        match self {
            Self::Subscribe(request, _) => request.redirect(to, reason, retry_after),
            Self::Fetch(request, _) => request.redirect(to, reason, retry_after),
            Self::Status(request) => request.redirect(to, reason, retry_after),
            // The draft redirects no PUBLISH.
            Self::Adopt(offered) => offered.0.reject(RequestCode::DoesNotExist, reason),
            Self::Join(writer, _) => writer.done(DoneCode::InternalError, reason),
            Self::Describe(_) | Self::Follow(_) | Self::End(..) => {}
        }
    }
}

/// The way to a track's task.
#[derive(Debug)]
pub(crate) struct Track(mpsc::Sender<Command>);

impl Track {
    /// Hands a command over, or gives it back where the track has too many already.
    pub(crate) fn send(&self, command: Command) -> Result<(), Box<Command>> {
        self.0.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(command) | mpsc::error::TrySendError::Closed(command) => {
                Box::new(command)
            }
        })
    }

    /// Has it go on with a subscription that a publisher began, or gives that back where it cannot.
    pub(crate) fn adopt(&self, offered: Offered) -> Result<(), Offered> {
        self.0.try_send(Command::Adopt(offered)).map_err(|error| match error.into_inner() {
            Command::Adopt(offered) => offered,
            Command::Subscribe(..)
            | Command::Fetch(..)
            | Command::Describe(_)
            | Command::Join(..)
            | Command::Status(_)
            | Command::Follow(_)
            | Command::End(..) => unreachable!("what was sent comes back"),
        })
    }

    /// Ends the track for its viewers.
    pub(crate) fn end(&self, code: DoneCode, reason: &'static str) {
        // A track that is too busy ends with its session.
        let _ = self.send(Command::End(code, reason));
    }
}

/// Where a track is found. Its task leaves it when it ends by itself.
pub(crate) trait Shelf: Send + 'static {
    /// Takes the track off, unless commands came meanwhile: then `false`.
    fn leave(&self, commands: &mpsc::Receiver<Command>) -> bool;
    /// Who is to go on with the track where this publisher ended it or is gone.
    fn heir(&self, owner: SessionId) -> Option<Heir>;
    /// The publisher said that the track is complete.
    fn ended_in_order(&self);
}

//! Binds a session to a connection: awaits, calls the core, writes. It decides nothing.
//!
//! | module | what it is |
//! |---|---|
//! | `aside` | what a request has beside its own state |
//! | `bell` | how all that can happen wakes the one task |
//! | `task` | that task |
//! | `clock` | the time |
//! | `calls` | what the application asks |
//! | `handles` | the task's end of each handle |
//! | `request_io` | request streams |
//! | `incoming` | the peer's data streams and datagrams, which `incoming::deliver` hands on |
//! | `outgoing` | our data streams and datagrams |
//! | `limits` | bounds of the data that a peer may make this side hold |
//! | `padding` | padding that we send |

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    AuthToken, Fetch, FetchOptions, FetchRange, GoingAway, Namespace, NamespaceSubscription, PublishOffer,
    PublishedNamespace, Refused, RequestCode, Requests, SessionCode, SubscribeOptions, Subscription,
    TrackName, TrackStatusOk, TrackWriter, TracksOptions, TracksSubscription,
    name::{MAX_FULL_NAME_BYTES, MAX_NAMESPACE_FIELDS},
    session::{Peer, Stream, inbox::Inbox},
    track::{IMPLEMENTATION, Inquiry},
    wire::WireFetchRange,
};
use crate::transport::{Connection, Kind, PathStats};

mod aside;
pub(crate) mod bell;
pub(crate) mod calls;
pub(crate) mod clock;
mod handles;
mod incoming;
mod limits;
mod outgoing;
mod padding;
mod request_io;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use aside::Refusal;
use bell::{Bell, Ring, Target, lock};
use calls::Ask;
pub use limits::DataLimits;

/// Calls that may wait for the session's task; callers wait for a place.
const MAX_CALLS: usize = 64;

/// Which side of the session this is (draft-18 §3): it decides the parity of request IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opened the connection.
    Client,
    /// Took it.
    Server,
}

/// Which of the draft's meaningless values a session sends, so that peers stay used to ignoring what they
/// do not know (draft-18 §14): the one of number `0x7f * N + 0x9d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grease(pub u32);

/// How much of its control plane a peer may have kept here. What is over a bound is answered, and the
/// session goes on (draft-18 §13.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Requests of the peer that are open at once; further ones are refused with EXCESSIVE_LOAD.
    pub requests: usize,
    /// Updates that wait, for each request, until it is answered or an update before; one more is refused
    /// with EXCESSIVE_LOAD, which ends the request.
    pub waiting_updates: usize,
    /// Joining fetches that wait for each subscription to be answered; further ones are refused with
    /// EXCESSIVE_LOAD.
    pub joining_fetches: usize,
    /// Fields that a namespace in a request of the peer may have; one with more is refused with NOT_SUPPORTED.
    /// The draft allows for 32.
    pub namespace_fields: usize,
    /// Bytes that all fields of such a namespace may have, with the same answer. The draft allows for 4,096.
    pub namespace_bytes: usize,
    /// Namespaces that the peer tells of for each of our namespace subscriptions; where it tells of more,
    /// that subscription is cancelled with EXCESSIVE_LOAD.
    pub namespaces: usize,
    /// Bytes of our messages that wait on each request stream for the peer to read; past it the request is
    /// cancelled with EXCESSIVE_LOAD.
    pub unread_bytes: usize,
}

impl Default for Limits {
    /// 4,096 requests, 16 updates and 16 joining fetches that wait, namespaces as large as the draft has them,
    /// 16,384 of them, 1 MiB unread.
    fn default() -> Self {
        Self {
            requests: 4096,
            waiting_updates: 16,
            joining_fetches: 16,
            namespace_fields: MAX_NAMESPACE_FIELDS,
            namespace_bytes: MAX_FULL_NAME_BYTES,
            namespaces: 16_384,
            unread_bytes: 1 << 20,
        }
    }
}

/// A session's set-up and bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Which side this is.
    pub role: Role,
    /// AUTHORITY setup option; for a client on raw QUIC only.
    pub authority: Option<String>,
    /// PATH setup option; for a client on raw QUIC only.
    pub path: Option<String>,
    /// MOQT_IMPLEMENTATION setup option: name and version, for those who look for the cause of trouble.
    /// `None` sends none.
    pub implementation: Option<String>,
    /// AUTHORIZATION_TOKEN setup options: what the peer may judge this session by (draft-18 §10.3.1.4).
    pub tokens: Vec<AuthToken>,
    /// MAX_AUTH_TOKEN_CACHE_SIZE setup option: bytes of tokens that the peer may have kept here, each
    /// counted as its value and 16. A peer that registers more is cut off; 0 takes no aliases.
    pub max_auth_token_cache_bytes: u64,
    /// A setup option without a meaning; `None` sends none.
    pub grease: Option<Grease>,
    /// Largest payload that an object may have, in bytes. A larger one ends its track's subscription.
    pub max_object_bytes: usize,
    /// Bytes that may wait for all subscribers of this session before the oldest groups are skipped.
    pub max_queue_bytes: usize,
    /// Requests of the peer that may wait for `Requests::next`.
    pub max_pending_requests: usize,
    /// How much of its data plane a peer may have kept here.
    pub data_limits: DataLimits,
    /// How long the peer may take for its SETUP.
    pub setup_timeout: Duration,
    /// How much of its control plane a peer may have kept here.
    pub limits: Limits,
}

impl Config {
    /// The defaults for a side: 8 MiB an object, 16 MiB of queue, 64 pending requests, 10 s for SETUP,
    /// 16 KiB of the peer's tokens, none of ours.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            authority: None,
            path: None,
            implementation: Some(IMPLEMENTATION.to_owned()),
            tokens: Vec::new(),
            max_auth_token_cache_bytes: 16 << 10,
            grease: Some(Grease(0)),
            max_object_bytes: 8 << 20,
            max_queue_bytes: 16 << 20,
            max_pending_requests: 64,
            data_limits: DataLimits::default(),
            setup_timeout: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The draft's code; `NoError` where the transport just ended.
    pub code: SessionCode,
    /// Why, in words for a person.
    pub reason: String,
}

/// The session is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the MoQT session ended ({code}): {reason}")]
pub struct SessionError {
    /// The draft's code.
    pub code: SessionCode,
    /// Why.
    pub reason: String,
}

/// A running session. Clones share it; when the last one and the [`Requests`] are dropped, it closes.
#[derive(Debug, Clone)]
pub struct Session {
    shared: Arc<Shared>,
    /// What requests carry.
    tokens: Arc<[AuthToken]>,
}

/// What [`Session`]s and [`Requests`] share. Dropping the last ends the session.
#[derive(Debug)]
pub(crate) struct Shared {
    connection: Connection,
    bell: Arc<Bell>,
    ring: Arc<Ring>,
    wishes: Arc<Mutex<Wishes>>,
    calls: mpsc::Sender<calls::Sent>,
    peer: OnceLock<Peer>,
    standing: watch::Receiver<Standing>,
}

/// How a session stands, once that changed.
#[derive(Debug, Default)]
struct Standing {
    /// The peer asked to leave.
    going: Option<GoingAway>,
    closed: Option<SessionError>,
}

/// What the application wants of the session as a whole.
#[derive(Debug, Default)]
struct Wishes {
    close: Option<(SessionCode, String)>,
    goaway: Option<(String, Duration)>,
    drained: Vec<oneshot::Sender<()>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut wishes = lock(&self.wishes);
        if wishes.close.is_none() {
            wishes.close = Some((SessionCode::NoError, "the session is no longer needed".to_owned()));
        }
        drop(wishes);
        self.ring.ring();
    }
}

/// Starts a session on a connection, and with it the one task that drives it; the task ends with the
/// session. Waits for the peer's SETUP.
///
/// # Errors
/// [`SessionError`] where the peer's SETUP does not come or cannot be used.
pub async fn start(connection: Connection, config: Config) -> Result<(Session, Requests), SessionError> {
    let bell = Arc::new(Bell::default());
    let wishes = Arc::new(Mutex::new(Wishes::default()));
    let (call_sender, calls) = mpsc::channel(MAX_CALLS);
    let mut requests = Inbox::default();
    requests.limit(usize::MAX, config.max_pending_requests);
    let requests = Arc::new(Mutex::new(requests));
    let (standing_sender, standing) = watch::channel(Standing::default());
    let (ready_sender, ready) = oneshot::channel();
    let shared = Arc::new(Shared {
        connection: connection.clone(),
        bell: Arc::clone(&bell),
        ring: bell.ring(Target::Session),
        wishes: Arc::clone(&wishes),
        calls: call_sender,
        peer: OnceLock::new(),
        standing,
    });
    let ends = task::Ends { wishes, calls, requests: Arc::clone(&requests), standing: standing_sender };
    let is_real = connection.kind() != Kind::Memory;
    let grease = config.grease.map(|given| if is_real { vary() } else { given });
    let config = Config { grease, ..config };
    tokio::spawn(task::Task::new(connection, &config, bell, ends, ready_sender));
    match ready.await {
        Ok(mut peer) => {
            peer.path.get_or_insert_with(|| shared.connection.path().to_owned());
            let _ = shared.peer.set(peer);
            let session = Session { shared: Arc::clone(&shared), tokens: Arc::new([]) };
            Ok((session, Requests::new(requests, shared)))
        }
        Err(_) => Err(shared.error()),
    }
}

/// A value that differs from one session to the next.
fn vary() -> Grease {
    let bits = RandomState::new().build_hasher().finish();
    Grease((bits & 0xffff) as u32)
}

impl Shared {
    /// Why the session is over, where it is.
    fn error(&self) -> SessionError {
        self.standing.borrow().closed.clone().unwrap_or_else(|| SessionError {
            code: SessionCode::InternalError,
            reason: "the session's task is gone".to_owned(),
        })
    }
}

impl Session {
    /// Subscribes to a track.
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end.
    pub async fn subscribe(
        &self,
        track: TrackName,
        options: SubscribeOptions,
    ) -> Result<Subscription, Refused> {
        let (mut subscription, ask) = Subscription::ask(&self.shared.bell, self.stream(), track, options);
        let ok = self.call(ask).await?;
        subscription.granted(ok);
        Ok(subscription)
    }

    /// Fetches objects of a track's past, with [`FetchOptions`] or only an urgency. `Standalone` only; the others need a subscription and go
    /// through [`join`](Self::join).
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end.
    pub async fn fetch(&self, range: FetchRange, options: impl Into<FetchOptions>) -> Result<Fetch, Refused> {
        let FetchRange::Standalone { track, start, end } = range else {
            return Err(Refused::Error {
                code: RequestCode::InvalidJoiningRequestId,
                reason: "a joining fetch is asked for together with its subscription".to_owned(),
                retry_after: None,
            });
        };
        let range = WireFetchRange::Standalone { track, start, end };
        let (fetch, ask) =
            Fetch::ask(&self.shared.bell, self.stream(), calls::Range::Plain(range), options.into());
        self.call(ask).await?;
        Ok(fetch)
    }

    /// Subscribes with a joining fetch: the fetch ends where the subscription begins. The fetch alone
    /// may be refused, as where nothing is published yet. A standalone range is fetched as it is.
    ///
    /// # Errors
    /// [`Refused`] where the subscription is.
    pub async fn join(
        &self,
        track: TrackName,
        options: SubscribeOptions,
        range: FetchRange,
    ) -> Result<(Subscription, Result<Fetch, Refused>), Refused> {
        let stream = self.stream();
        let range = joining(stream, range);
        let (mut subscription, ask) = Subscription::ask(&self.shared.bell, stream, track, options);
        let (fetch, fetch_ask) = Fetch::ask(&self.shared.bell, self.stream(), range, options.priority.into());
        // Both go out before the first answer is waited for.
        let (granted, fetched) = tokio::join!(biased; self.call(ask), self.call(fetch_ask));
        subscription.granted(granted?);
        Ok((subscription, fetched.map(|()| fetch)))
    }

    /// Announces a namespace.
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end.
    pub async fn publish_namespace(&self, namespace: Namespace) -> Result<PublishedNamespace, Refused> {
        let (published, ask) = PublishedNamespace::ask(&self.shared.bell, self.stream(), namespace);
        self.call(ask).await?;
        Ok(published)
    }

    /// Asks to be told of namespaces below a prefix.
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end.
    pub async fn subscribe_namespace(&self, prefix: Namespace) -> Result<NamespaceSubscription, Refused> {
        let (subscription, ask) = NamespaceSubscription::ask(&self.shared.bell, self.stream(), prefix);
        self.call(ask).await?;
        Ok(subscription)
    }

    /// Asks for every track below a prefix (SUBSCRIBE_TRACKS, draft-18 §10.19), now and later: each comes as
    /// [`Request::Publish`](super::Request::Publish).
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end.
    pub async fn subscribe_tracks(
        &self,
        prefix: Namespace,
        options: TracksOptions,
    ) -> Result<TracksSubscription, Refused> {
        let (subscription, ask) = TracksSubscription::ask(&self.shared.bell, self.stream(), prefix, options);
        self.call(ask).await?;
        Ok(subscription)
    }

    /// Offers a track (PUBLISH, draft-18 §10.10): a subscription that this side begins. Returns once the offer
    /// is on its way; objects may be pushed from then on, and [`TrackWriter::granted`] tells whether the
    /// subscriber takes it. Where the peer allows for no further stream, it waits for one; dropping the
    /// future before takes the offer back, and nothing of it leaves.
    ///
    /// # Errors
    /// [`Refused`] with `DUPLICATE_SUBSCRIPTION` where the peer is subscribed to the track already, and by
    /// the session's end.
    pub async fn publish(&self, track: TrackName, offer: PublishOffer) -> Result<TrackWriter, Refused> {
        let (writer, ask) = TrackWriter::ask(&self.shared.bell, self.stream(), track, offer);
        self.call(ask).await?;
        writer.made().await?;
        Ok(writer)
    }

    /// Fetches the past of a granted subscription, up to where it begins (a joining fetch, draft-18
    /// §10.12.2), as of one that was published to this side. A standalone range is fetched as it is.
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the end of the subscription or of the session.
    pub async fn fetch_joining(
        &self,
        subscription: &Subscription,
        range: FetchRange,
        options: impl Into<FetchOptions>,
    ) -> Result<Fetch, Refused> {
        let range = joining(subscription.stream(), range);
        let (fetch, ask) = Fetch::ask(&self.shared.bell, self.stream(), range, options.into());
        self.call(ask).await?;
        Ok(fetch)
    }

    /// Asks how a track stands, without subscribing to it (TRACK_STATUS, draft-18 §10.14). Dropping the
    /// future cancels the request.
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end, and where the track needs an extension that this
    /// side does not know.
    pub async fn track_status(&self, track: TrackName) -> Result<TrackStatusOk, Refused> {
        let (_inquiry, ask) = Inquiry::ask(&self.shared.bell, self.stream(), track);
        self.call(ask).await
    }

    /// The PATH that the peer gave: from SETUP on raw QUIC, from the URL on WebTransport.
    pub fn path(&self) -> &str {
        self.peer().and_then(|peer| peer.path.as_deref()).unwrap_or("")
    }

    /// The AUTHORITY that a client on raw QUIC gave (draft-18 §10.3.1.1). A server that does not serve it
    /// closes with INVALID_AUTHORITY.
    pub fn authority(&self) -> Option<&str> {
        self.peer()?.authority.as_deref()
    }

    /// Name and version of the peer's program, where it told them (draft-18 §10.3.1.5). To be logged, not
    /// to be judged by.
    pub fn peer_implementation(&self) -> Option<&str> {
        self.peer()?.implementation.as_deref()
    }

    /// The tokens in the peer's SETUP (draft-18 §10.3.1.4). Whether they are good is for the application.
    pub fn peer_tokens(&self) -> &[AuthToken] {
        self.peer().map_or(&[], |peer| &peer.tokens)
    }

    /// This session for requests that carry these tokens (draft-18 §10.2.2). A token is sent once and
    /// named by an alias after that, where the peer keeps it.
    #[must_use = "it is the session that is given which carries them"]
    pub fn with_tokens(&self, tokens: impl IntoIterator<Item = AuthToken>) -> Self {
        Self { shared: Arc::clone(&self.shared), tokens: tokens.into_iter().collect() }
    }

    fn peer(&self) -> Option<&Peer> {
        self.shared.peer.get()
    }

    /// Asks the peer to leave: GOAWAY with an empty or new URI; a client's URI is always empty. Once
    /// `timeout` is over, where it is not zero, the session closes. Only the first call counts.
    pub fn goaway(&self, uri: &str, timeout: Duration) {
        lock(&self.shared.wishes).goaway.get_or_insert((uri.to_owned(), timeout));
        self.shared.ring.ring();
    }

    /// Waits until the peer asks to leave (GOAWAY, draft-18 §10.4), and says where to. From then on new
    /// requests are refused here with GOING_AWAY, and so are those that the peer did not handle before.
    /// `None` where the session ended first.
    pub async fn going_away(&self) -> Option<GoingAway> {
        let mut standing = self.shared.standing.clone();
        let changed =
            standing.wait_for(|standing| standing.going.is_some() || standing.closed.is_some()).await;
        changed.ok().and_then(|standing| standing.going.clone())
    }

    /// Waits until all that writers ended with `done` has reached the peer, streams and PUBLISH_DONE,
    /// or the session is over. To be bounded by a timeout, since a peer may not read.
    pub async fn drained(&self) {
        let (sender, drained) = oneshot::channel();
        lock(&self.shared.wishes).drained.push(sender);
        self.shared.ring.ring();
        let _ = drained.await;
    }

    /// Closes the session for all handles. What has not left is lost; see [`drained`](Self::drained).
    pub fn close(&self, code: SessionCode, reason: &str) {
        lock(&self.shared.wishes).close.get_or_insert((code, reason.to_owned()));
        self.shared.ring.ring();
    }

    /// Waits until the session is over.
    pub async fn closed(&self) -> Closed {
        let mut standing = self.shared.standing.clone();
        let _ = standing.wait_for(|standing| standing.closed.is_some()).await;
        let SessionError { code, reason } = self.shared.error();
        Closed { code, reason }
    }

    /// Has the peer's transport acknowledge something: then [`stats`](Self::stats) tells of bytes received,
    /// where the peer is still there.
    pub fn ping(&self) {
        self.shared.connection.ping();
    }

    /// The path's round trip time, loss and bytes.
    pub fn stats(&self) -> PathStats {
        self.shared.connection.stats()
    }

    fn stream(&self) -> Stream {
        Stream(self.shared.bell.number())
    }

    async fn call<T>(&self, ask: Ask<T>) -> Result<T, Refused> {
        if self.shared.calls.send(Box::new((ask.call, Arc::clone(&self.tokens)))).await.is_err() {
            return Err(self.shared.error().into());
        }
        ask.answer.await.unwrap_or_else(|_| Err(self.shared.error().into()))
    }
}

/// A range that ends where the subscription of `stream` begins.
fn joining(stream: Stream, range: FetchRange) -> calls::Range {
    match range {
        FetchRange::Standalone { track, start, end } => {
            calls::Range::Plain(WireFetchRange::Standalone { track, start, end })
        }
        FetchRange::Relative { groups } => calls::Range::Relative { joining: stream, groups },
        FetchRange::Absolute { group } => calls::Range::Absolute { joining: stream, group },
    }
}

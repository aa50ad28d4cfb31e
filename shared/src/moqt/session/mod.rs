//! The control plane of a session as a state machine without IO (draft-18 §3, §5, §10): what the peer
//! sends goes into [`Core::handle`], what the application wants into its methods, and what is to be
//! done comes out of [`Core::poll`]. Time is an argument.
//!
//! | module | what it is |
//! |---|---|
//! | `setup` | what stands in SETUP |
//! | `ids` | request IDs and track aliases |
//! | `updates` | REQUEST_UPDATE on both sides |
//! | `tokens` | the token caches of both sides |
//! | `requests` | the peer's requests, and ends of request streams |
//! | `answers` | the peer's answers to our requests |
//! | `subscribe` | subscriptions on both sides |
//! | `publish` | subscriptions that their publisher begins |
//! | `fetch` | fetches on both sides |
//! | `tracks` | all tracks below a prefix, on both sides |
//! | `status` | how a track stands, on both sides |
//! | `namespaces` | announcements on both sides |
//! | `going` | GOAWAY |
//! | `window` | a subscription's filter |
//! | `outbox` | what waits to be sent for one subscription |
//! | `fetchbox` | what waits to be sent for one fetch |
//! | `inbox` | what waits for one reader |
//! | `record` | what a receiver remembers of a track, to notice that it is malformed |

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use super::{
    AuthToken, Config, DoneCode, GoingAway, GroupOrder, Limits, Location, Namespace, NamespaceEvent,
    Priority, PublishOffer, Refused, RequestCode, ResetCode, Role, SessionCode, SessionError, SubscribeOk,
    SubscribeOptions, TrackName, TracksOptions, Updated,
    driver::Refusal,
    wire::{Message, Parameters, RequestId, WireError},
};

mod answers;
mod fetch;
pub(crate) mod fetchbox;
mod going;
mod ids;
pub(crate) mod inbox;
mod namespaces;
pub(crate) mod outbox;
mod publish;
pub(crate) mod record;
mod requests;
mod setup;
mod status;
mod subscribe;
#[cfg(test)]
mod tests;
mod tokens;
mod tracks;
pub(crate) mod updates;
pub(crate) mod window;

pub(crate) use ids::Alias;
pub(crate) use setup::Peer;
pub(crate) use subscribe::new_group_to_wire;

/// A request stream, by a number that its session gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stream(pub(crate) u64);

/// What the peer or the clock did.
#[derive(Debug)]
pub(crate) enum Input {
    /// Bytes on its control stream, from the SETUP's type on.
    Control(Bytes),
    /// Its control stream ended.
    ControlEnded,
    /// It opened a request stream.
    Opened(Stream),
    /// Bytes on a request stream.
    Bytes(Stream, Bytes),
    /// No more bytes come on a request stream.
    Finished(Stream),
    /// A request stream was reset by the peer: the request is cancelled.
    Cancelled(Stream, u64),
    /// The peer takes no more on our half of a request stream.
    Stopped(Stream, u64),
    /// Time passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Write this on our control stream.
    Control(Bytes),
    /// Write this on a request stream; the first of ours opens it.
    Send(Stream, Bytes),
    /// Finish our half of a request stream; what the peer still sends is read and forgotten.
    Retire(Stream),
    /// Reset our half and stop the peer's.
    Abandon(Stream, ResetCode),
    /// SETUP is done. The path is the peer's, where it gave one.
    Ready(Option<String>),
    /// Ask the application.
    Asked(Stream, Asked),
    /// Tell a request's handle.
    Tell(Stream, Event),
    /// The peer wants us to leave.
    GoingAway(GoingAway),
    /// Close the connection; nothing follows.
    Close(SessionError),
}

/// A request of the peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// SUBSCRIBE.
    Subscribe(TrackName, SubscribeOptions),
    /// FETCH, with its range turned into locations.
    Fetch(FetchAsked),
    /// PUBLISH_NAMESPACE.
    Announce(Namespace),
    /// SUBSCRIBE_NAMESPACE.
    Learn(Namespace),
    /// SUBSCRIBE_TRACKS.
    Tracks(Namespace, TracksOptions),
    /// TRACK_STATUS.
    Status(TrackName),
    /// PUBLISH.
    Publish(TrackName, PublishOffer),
}

/// A FETCH that is ready for the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FetchAsked {
    /// The track.
    pub(crate) track: TrackName,
    /// First location.
    pub(crate) start: Location,
    /// Last location.
    pub(crate) end: Location,
    /// Urgency.
    pub(crate) priority: Priority,
    /// In which order groups go.
    pub(crate) order: GroupOrder,
    /// How long a relay may wait for what it lacks.
    pub(crate) fill_timeout: Option<Duration>,
}

/// What happened to a request that has a handle.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Ours was not granted; it is over.
    Refused(Refused),
    /// Our SUBSCRIBE was granted.
    Subscribed(SubscribeOk),
    /// Our PUBLISH was granted.
    Published(Box<Parameters>),
    /// Our TRACK_STATUS was answered.
    Status(SubscribeOk),
    /// Our FETCH was granted.
    Fetched,
    /// Our PUBLISH_NAMESPACE, SUBSCRIBE_NAMESPACE or SUBSCRIBE_TRACKS was granted.
    Granted,
    /// A track cannot be offered.
    Blocked(TrackName),
    /// A namespace came or went.
    Namespace(NamespaceEvent),
    /// Our subscription is over, all that belongs to it having arrived.
    Done(DoneCode, String),
    /// The peer changed its request: apply, then call [`Core::updated`] or [`Core::fail_update`].
    Update(Box<Parameters>),
    /// New tokens came for a request of the peer's.
    Tokens(Vec<AuthToken>),
    /// The peer wants to be told of namespaces below another prefix: ask the application.
    Prefix(Namespace),
    /// An update of the peer's failed: its subscription is to be ended with UPDATE_FAILED.
    UpdateFailed(String),
    /// The time of the peer's subscription is over: it is to be ended with EXPIRED.
    Expired,
    /// An update of ours was answered.
    Updated(Result<Updated, Refused>),
    /// The peer wants it elsewhere.
    GoingAway(GoingAway),
    /// The peer ended it.
    Ended,
}

/// A session's control plane.
#[derive(Debug)]
pub(crate) struct Core {
    role: Role,
    is_webtransport: bool,
    is_ready: bool,
    setup_by: Instant,
    limits: Limits,
    control: BytesMut,
    /// What its SETUP said.
    peer: Peer,
    ids: ids::RequestIds,
    tokens: tokens::Tokens,
    aliases: ids::Aliases,
    requests: BTreeMap<Stream, Request>,
    going: going::Going,
    timers: BTreeSet<(Instant, Stream)>,
    outputs: VecDeque<Output>,
    is_closed: bool,
}

/// One request stream.
#[derive(Debug)]
struct Request {
    id: RequestId,
    is_ours: bool,
    /// What came with it, until the application is asked.
    tokens: Vec<AuthToken>,
    input: BytesMut,
    updates: updates::Updates,
    /// Whether the peer answered it.
    is_answered: bool,
    going: going::RequestGoing,
    /// What goes with a refusal.
    refusal: Refusal,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The peer's, before its first message.
    Unread,
    /// The peer subscribes to a track of ours, whoever began it.
    Publishing(subscribe::Publishing),
    /// We subscribe, whoever began it.
    Subscribing(Box<subscribe::Subscribing>),
    /// The peer fetches.
    Serving(fetch::Serving),
    /// We fetch.
    Fetching(fetch::Fetching),
    /// The peer announces.
    Hearing { granted: bool },
    /// We announce.
    Announcing { granted: bool },
    /// The peer learns.
    Telling(namespaces::Telling),
    /// We learn.
    Learning(namespaces::Learning),
    /// The peer wants all tracks below a prefix.
    Offering(tracks::Offering),
    /// We want all tracks below a prefix.
    Collecting(tracks::Collecting),
    /// The peer asks how a track stands.
    Informing,
    /// We ask how a track stands.
    Inquiring,
}

impl Core {
    /// A session that begins now; our SETUP is the first output.
    pub(crate) fn new(now: Instant, config: &Config, is_webtransport: bool) -> Self {
        let mut core = Self {
            role: config.role,
            is_webtransport,
            is_ready: false,
            setup_by: now + config.setup_timeout,
            limits: config.limits,
            control: BytesMut::new(),
            peer: Peer::default(),
            ids: ids::RequestIds::new(config.role),
            tokens: tokens::Tokens::new(config.max_auth_token_cache_bytes),
            aliases: ids::Aliases::default(),
            requests: BTreeMap::new(),
            going: going::Going::default(),
            timers: BTreeSet::new(),
            outputs: VecDeque::new(),
            is_closed: false,
        };
        core.send_control(&Message::Setup(setup::ours(config, is_webtransport)));
        core
    }

    /// Takes what happened.
    pub(crate) fn handle(&mut self, now: Instant, input: Input) {
        if self.is_closed {
            return;
        }
        let done = match input {
            Input::Control(bytes) => {
                self.control.extend_from_slice(&bytes);
                let done = self.read_control();
                if self.control.is_empty() {
                    // Little is said there, so that its place is not kept.
                    self.control = BytesMut::new();
                }
                done
            }
            Input::ControlEnded => Err(violation("the peer ended its control stream")),
            Input::Opened(stream) => {
                self.requests.insert(stream, Request::new(RequestId(0), false, Kind::Unread));
                Ok(())
            }
            Input::Bytes(stream, bytes) => {
                if let Some(request) = self.requests.get_mut(&stream) {
                    request.input.extend_from_slice(&bytes);
                }
                self.read_request(now, stream)
            }
            Input::Finished(stream) => self.request_finished(stream),
            Input::Cancelled(stream, code) => {
                self.request_cancelled(stream, code);
                Ok(())
            }
            Input::Stopped(stream, code) => {
                self.request_stopped(stream, code);
                Ok(())
            }
            Input::Tick => {
                self.tick(now);
                Ok(())
            }
        };
        if let Err(error) = done {
            self.close(error.code, &error.reason);
        }
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle`](Self::handle) with [`Input::Tick`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.is_closed {
            return None;
        }
        let setup = (!self.is_ready).then_some(self.setup_by);
        let timer = self.timers.first().map(|&(at, _)| at);
        [setup, timer, self.going.deadline()].into_iter().flatten().min()
    }

    /// Ends the session.
    pub(crate) fn close(&mut self, code: SessionCode, reason: &str) {
        if !self.is_closed {
            self.is_closed = true;
            self.outputs.push_back(Output::Close(SessionError { code, reason: reason.to_owned() }));
        }
    }

    /// Ends a request from this side, whosever it is.
    pub(crate) fn cancel(&mut self, stream: Stream, code: ResetCode) {
        if self.forget(stream).is_some() {
            self.outputs.push_back(Output::Abandon(stream, code));
        }
    }

    /// What the peer's SETUP said, once it came.
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The number of a request.
    pub(crate) fn request_id(&self, stream: Stream) -> Option<RequestId> {
        self.requests.get(&stream).map(|request| request.id)
    }

    /// Opens a request of ours.
    fn ask(
        &mut self,
        stream: Stream,
        kind: Kind,
        message: impl FnOnce(RequestId) -> Message,
    ) -> Result<(), Refused> {
        if let Some(refused) = self.going.refuses_ours() {
            return Err(refused);
        }
        let id = self.ids.peek();
        let (mut message, tokens) = (message(id), std::mem::take(&mut self.tokens.carried));
        if message.namespace().is_some_and(Namespace::is_of_the_session) {
            let (code, reason) = (RequestCode::DoesNotExist, requests::SESSION_ONLY.to_owned());
            return Err(Refused::Error { code, reason, retry_after: None });
        }
        self.put_tokens(stream, &mut message, &tokens);
        let bytes = encode(&message).map_err(|error| Refused::Error {
            code: RequestCode::NamespaceTooLarge,
            reason: format!("the request cannot be written: {}", error.reason),
            retry_after: None,
        })?;
        self.ids.next();
        self.requests.insert(stream, Request::new(id, true, kind));
        self.outputs.push_back(Output::Send(stream, bytes));
        Ok(())
    }

    /// Writes an answer or an update. One that the draft's limits do not allow ends the request.
    fn send(&mut self, stream: Stream, message: &Message) {
        match encode(message) {
            Ok(bytes) => self.outputs.push_back(Output::Send(stream, bytes)),
            Err(error) => {
                tracing::warn!(stream = stream.0, %error, "a message cannot be written: its request is ended");
                self.tell_end(stream);
                self.cancel(stream, ResetCode::InternalError);
            }
        }
    }

    fn send_control(&mut self, message: &Message) {
        match encode(message) {
            Ok(bytes) => self.outputs.push_back(Output::Control(bytes)),
            Err(error) => self.close(SessionCode::InternalError, &error.reason),
        }
    }

    fn tell(&mut self, stream: Stream, event: Event) {
        self.outputs.push_back(Output::Tell(stream, event));
    }

    fn tell_end(&mut self, stream: Stream) {
        self.tell(stream, Event::Ended);
    }

    /// Lets go of a request's state.
    fn forget(&mut self, stream: Stream) -> Option<Request> {
        let request = self.requests.remove(&stream)?;
        self.tokens.given.gone(stream);
        if let Some(at) = request.going.leave_by {
            self.timers.remove(&(at, stream));
        }
        if let Kind::Subscribing(subscribing) = &request.kind {
            if let Some(alias) = subscribing.alias() {
                self.aliases.retire(alias);
            }
            if let Some(at) = subscribing.timer() {
                self.timers.remove(&(at, stream));
            }
        }
        if let Kind::Publishing(publishing) = &request.kind {
            if let Some(at) = publishing.expires_at() {
                self.timers.remove(&(at, stream));
            }
            for fetch in publishing.waiting() {
                self.refuse_now(fetch, RequestCode::InvalidJoiningRequestId, "the subscription is over");
            }
        }
        Some(request)
    }

    fn tick(&mut self, now: Instant) {
        if !self.is_ready && now >= self.setup_by {
            let reason = "the peer sent no SETUP in time: check that it speaks moqt-18";
            return self.close(SessionCode::ControlMessageTimeout, reason);
        }
        let open = self.requests.len();
        if let Some((code, reason)) = self.going.tick(now, open) {
            return self.close(code, reason);
        }
        while let Some(&(at, stream)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            self.leave_timer(now, stream);
            self.expire_timer(now, stream);
            self.done_timer(now, stream);
        }
    }

    fn read_control(&mut self) -> Result<(), WireError> {
        while !self.is_closed {
            let Some(message) = Message::decode(&mut self.control)? else { break };
            match message {
                Message::Setup(setup) if !self.is_ready => {
                    self.peer = setup::check(&setup, self.role, self.is_webtransport)?;
                    self.peer.tokens = self.tokens.known.take_setup(setup.tokens)?;
                    self.tokens.given.allow(setup.max_auth_token_cache_size);
                    self.is_ready = true;
                    self.outputs.push_back(Output::Ready(self.peer.path.clone()));
                }
                Message::Setup(_) => return Err(violation("the peer sent a second SETUP")),
                _ if !self.is_ready => {
                    return Err(violation("the peer's control stream does not begin with SETUP"));
                }
                Message::Goaway(goaway) => self.control_goaway(goaway)?,
                other => {
                    return Err(violation(&format!(
                        "{} does not belong on the control stream",
                        requests::name(&other)
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Request {
    /// Whether the peer may change it: a request of its own, or a subscription of its own that we began.
    fn takes_updates(&self) -> bool {
        match &self.kind {
            Kind::Publishing(publishing) => !self.is_ours || publishing.is_established(),
            _ => !self.is_ours,
        }
    }

    /// Whether what the peer says on it is an answer of some kind.
    fn takes_answers(&self) -> bool {
        self.is_ours || matches!(self.kind, Kind::Subscribing(_))
    }

    fn new(id: RequestId, is_ours: bool, kind: Kind) -> Self {
        Self {
            id,
            is_ours,
            tokens: Vec::new(),
            input: BytesMut::new(),
            updates: updates::Updates::default(),
            is_answered: false,
            going: going::RequestGoing::default(),
            refusal: Refusal::default(),
            kind,
        }
    }
}

impl Request {
    /// Whether it was granted, by either side.
    fn is_granted(&self) -> bool {
        match &self.kind {
            Kind::Unread | Kind::Informing | Kind::Inquiring => false,
            Kind::Publishing(publishing) => publishing.is_established(),
            Kind::Subscribing(subscribing) => subscribing.is_established(),
            Kind::Serving(serving) => serving.is_granted,
            Kind::Fetching(fetching) => fetching.is_granted,
            Kind::Hearing { granted } | Kind::Announcing { granted } => *granted,
            Kind::Telling(telling) => telling.is_granted,
            Kind::Learning(learning) => learning.is_granted,
            Kind::Offering(offering) => offering.is_granted,
            Kind::Collecting(collecting) => collecting.is_granted,
        }
    }

    /// Whether it is of a namespace, and not of a track.
    fn is_of_namespaces(&self) -> bool {
        matches!(
            self.kind,
            Kind::Hearing { .. }
                | Kind::Announcing { .. }
                | Kind::Telling(_)
                | Kind::Learning(_)
                | Kind::Offering(_)
                | Kind::Collecting(_)
        )
    }
}

fn encode(message: &Message) -> Result<Bytes, WireError> {
    let mut output = BytesMut::new();
    message.encode(&mut output)?;
    Ok(output.freeze())
}

fn violation(reason: &str) -> WireError {
    WireError { code: SessionCode::ProtocolViolation, reason: reason.to_owned() }
}

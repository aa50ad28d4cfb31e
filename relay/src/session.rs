//! Driver: one task per connection, which routes its peer's requests.

use std::{
    collections::BTreeMap,
    future::Future,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use shared::{
    event::{BroadcastId, Fact, Part, SessionId, Traffic, transport_name},
    moqt::{
        self, AuthToken, Closed, Namespace, NamespaceEvent, NamespaceRequest, NamespaceSubscriptionRequest,
        PublishRequest, Request, RequestCode, Requests, Role, Session, TrackName,
    },
    naming::Room,
    transport::{Connection, Incoming, Kind, Server},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tracing::Instrument;

use crate::{
    Config,
    analytics::recorder::Recorder,
    auth::{Auth, Denied, Rights},
    clock,
    config::Successor,
    metrics::{Counted, Metrics},
    registry::Registry,
    room::{Pass, Rooms, Voice},
};

mod silence;
mod tracks;
mod voices;

use silence::{Silence, Verdict};

/// Subscriptions of one session at one time; further ones are refused.
const MAX_SUBSCRIPTIONS: usize = 256;
/// Fetches and questions about tracks of one session at one time; further ones are refused.
const MAX_FETCHES: usize = 32;
/// Tracks that one session publishes one by one at one time; further ones are refused.
const MAX_OFFERS: usize = 256;
/// Namespaces that one session publishes, watches or takes all tracks of at one time; further ones are refused.
const MAX_NAMESPACES: usize = 64;
/// How often a session's totals are written down.
const TOTALS_EVERY: Duration = Duration::from_secs(1);
/// How much longer than what it is told a peer may in fact stay after GOAWAY: its tracks are ended first.
const GRACE: Duration = Duration::from_millis(400);

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Relay {
    registry: Arc<Registry>,
    room: Arc<Rooms>,
    metrics: Arc<Metrics>,
    recorder: Recorder,
    rooms: Vec<Room>,
    is_open: bool,
    auth: Arc<Auth>,
    max_enumerated: usize,
    successor: Option<Successor>,
    drain: Duration,
    publisher_silence: Duration,
    config: moqt::Config,
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
    sessions: AtomicU64,
}

impl Relay {
    pub(crate) fn new(
        config: &Config,
        registry: Arc<Registry>,
        room: Arc<Rooms>,
        metrics: Arc<Metrics>,
        recorder: Recorder,
        stop: watch::Receiver<bool>,
        auth: Arc<Auth>,
    ) -> Self {
        Self {
            registry,
            room,
            metrics,
            recorder,
            rooms: config.rooms.clone(),
            is_open: config.open,
            auth,
            max_enumerated: config.max_enumerated,
            successor: config.successor.clone(),
            drain: config.drain,
            publisher_silence: config.publisher_silence,
            config: session_config(config),
            places: Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS))),
            stop,
            sessions: AtomicU64::new(0),
        }
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The rooms in which viewers speak.
    pub(crate) fn room(&self) -> &Arc<Rooms> {
        &self.room
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How long at most peers may stay when the relay stops.
    pub(crate) fn drain(&self) -> Duration {
        self.drain
    }

    /// Whether a namespace is in a room of this relay's; otherwise how it is refused.
    fn knows(&self, namespace: &Namespace) -> Result<(), (RequestCode, String)> {
        match Room::of(namespace) {
            Some(room) if !self.is_open && !self.rooms.is_empty() && !self.rooms.contains(&room) => {
                let reason =
                    format!("room {room} is none of this relay's: ask its operator for one of --rooms");
                Err((RequestCode::Unauthorized, reason))
            }
            _ => Ok(()),
        }
    }

    /// Whether a peer may be told of all namespaces or tracks below a prefix, which `count` counts where it may
    /// be told of any; if not, how it is refused.
    fn may_enumerate(
        &self,
        rights: &Rights,
        prefix: &Namespace,
        count: impl FnOnce(&Registry) -> usize,
    ) -> Result<(), (RequestCode, String)> {
        self.knows(prefix)?;
        rights.may_list(prefix).map_err(refusal)?;
        let (count, most) = (count(&self.registry), self.max_enumerated);
        if count <= most {
            return Ok(());
        }
        let reason =
            format!("{count} are below this prefix, and at most {most} are told: ask for a longer one");
        Err((RequestCode::NamespaceTooLarge, reason))
    }
}

/// How sessions are set up, with the operator's bounds.
fn session_config(config: &Config) -> moqt::Config {
    let mut session = moqt::Config::new(Role::Server);
    session.data_limits.subscriber_bytes = config.queue_bytes.0;
    session.data_limits.subscriber_subgroups = config.queue_subgroups;
    session
}

fn refusal(denied: Denied) -> (RequestCode, String) {
    (denied.code, denied.reason)
}

/// Takes connections until the server is closed; once the relay stops, refuses new ones until the last that
/// it has is over. Owns the tasks of all of them.
pub(crate) async fn accept(server: Arc<Server>, relay: Arc<Relay>) {
    let mut connections = JoinSet::new();
    let mut stop = relay.stop.clone();
    let mut is_stopping = *stop.borrow_and_update();
    while !(is_stopping && connections.is_empty()) {
        let incoming = tokio::select! {
            incoming = server.accept() => incoming,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop), if !is_stopping => {
                is_stopping = true;
                continue;
            }
        };
        let Some(incoming) = incoming else { break };
        if is_stopping {
            // Dropping it refuses the connection.
            continue;
        }
        match Arc::clone(&relay.places).try_acquire_owned() {
            Ok(place) => {
                let span = tracing::info_span!("connection", remote = %incoming.remote_addr());
                connections.spawn(connection(incoming, Arc::clone(&relay), place).instrument(span));
            }
            // Dropping it refuses the connection.
            Err(_) => relay.metrics.connections_refused.add(1),
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(incoming: Incoming, relay: Arc<Relay>, _place: OwnedSemaphorePermit) {
    let _open = Counted::new(&relay.metrics, |metrics| &metrics.connections);
    relay.metrics.handshakes_started.add(1);
    if let Err(error) = set_up_and_run(incoming, &relay).await {
        relay.metrics.connections_failed.add(1);
        match &error {
            SetUpError::Connection(_) => relay.metrics.handshakes_failed_quic.add(1),
            SetUpError::Session(_) => relay.metrics.handshakes_failed_moqt.add(1),
        }
        tracing::debug!(%error, "set-up failed");
    }
}

/// What may go wrong before there is a session.
#[derive(Debug, thiserror::Error)]
enum SetUpError {
    #[error(transparent)]
    Connection(#[from] shared::transport::ConnectError),
    #[error(transparent)]
    Session(#[from] moqt::SessionError),
}

async fn set_up_and_run(incoming: Incoming, relay: &Arc<Relay>) -> Result<(), SetUpError> {
    let began = Instant::now();
    serve(incoming.connect().await?, Some(began), relay).await?;
    Ok(())
}

/// Serves a connection until its session is over.
pub(crate) async fn run(connection: Connection, relay: &Arc<Relay>) -> Result<(), moqt::SessionError> {
    serve(connection, None, relay).await
}

/// The same for one whose handshake began at a time.
async fn serve(
    connection: Connection,
    began: Option<Instant>,
    relay: &Arc<Relay>,
) -> Result<(), moqt::SessionError> {
    let kind = connection.kind();
    let address = connection.remote_addr().ip();
    let (session, requests) = moqt::start(connection, relay.config.clone()).await?;
    began.into_iter().for_each(|began| relay.metrics.handshake.observe(began.elapsed()));
    let _open = Counted::new(&relay.metrics, Metrics::sessions(kind));
    let id = SessionId(relay.sessions.fetch_add(1, Ordering::Relaxed) + 1);
    relay.recorder.record(Fact::SessionStarted { session: id, transport: kind });
    tracing::info!(session = id.0, transport = transport_name(kind), "session");
    let mut peer = Peer {
        id,
        kind,
        address,
        pass: relay.room.door().enter(id, session.clone(), address),
        voices: BTreeMap::new(),
        session,
        rights: relay.auth.enter(),
        relay: Arc::clone(relay),
        subscriptions: Arc::new(Semaphore::new(MAX_SUBSCRIPTIONS)),
        fetches: Arc::new(Semaphore::new(MAX_FETCHES)),
        offers: Arc::new(Semaphore::new(MAX_OFFERS)),
        namespaces: JoinSet::new(),
        is_publisher: false,
        silence: None,
    };
    let Closed { code, reason } = peer.run(requests).await;
    let reason = if reason.is_empty() { code.to_string() } else { reason };
    tracing::info!(session = id.0, %code, reason, "session over");
    let traffic = peer.traffic();
    relay.recorder.record(Fact::SessionEnded { session: id, reason, traffic });
    Ok(())
}

/// One session's state.
struct Peer {
    id: SessionId,
    kind: Kind,
    address: IpAddr,
    /// Its way in and out of rooms.
    pass: Pass,
    /// Where it speaks.
    voices: BTreeMap<Room, Arc<Voice>>,
    session: Session,
    rights: Arc<Rights>,
    relay: Arc<Relay>,
    subscriptions: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
    offers: Arc<Semaphore>,
    /// A task for each namespace that it publishes, watches or takes all tracks of.
    namespaces: JoinSet<()>,
    is_publisher: bool,
    /// What was heard of it, since it publishes.
    silence: Option<Silence>,
}

impl Peer {
    async fn run(&mut self, mut requests: Requests) -> Closed {
        let mut totals = tokio::time::interval(TOTALS_EVERY);
        totals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = tokio::time::interval(silence::EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = self.relay.stop.clone();
        let mut is_stopping = false;
        let session = self.session.clone();
        let closed = session.closed();
        tokio::pin!(closed);
        let mut written = Traffic::default();
        let stopping = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::pin!(stopping);
        if let Err(denied) = self.rights.present(session.peer_tokens()) {
            self.refused(&denied.reason);
            session.close(denied.session_code(), &denied.reason);
            return closed.await;
        }
        let rights = Arc::clone(&self.rights);
        let lost = rights.lost();
        tokio::pin!(lost);
        loop {
            tokio::select! {
                // What a peer can flood comes last.
                biased;
                closed = &mut closed => return closed,
                (code, reason) = &mut lost => {
                    session.close(code, &reason);
                    return closed.await;
                }
                () = &mut stopping, if !is_stopping => {
                    is_stopping = true;
                    let successor = self.relay.successor.as_ref();
                    let uri = successor.map(|successor| successor.uri(self.kind)).unwrap_or_default();
                    session.goaway(&uri, self.relay.drain + GRACE);
                }
                _ = looks.tick(), if self.silence.is_some() => self.look(),
                _ = totals.tick() => {
                    let traffic = self.traffic();
                    if std::mem::replace(&mut written, traffic) != traffic {
                        self.relay.recorder.record(Fact::SessionProgress { session: self.id, traffic });
                    }
                }
                Some(_) = self.namespaces.join_next() => {}
                request = requests.next() => match request {
                    Some(_) if is_stopping => {}
                    Some(request) => self.request(request),
                    None => return closed.await,
                },
            }
        }
    }

    /// Ends the session of a publisher that is unplugged.
    fn look(&mut self) {
        let Some(silence) = &mut self.silence else { return };
        let now = clock::now();
        match silence.look(now, self.session.stats().received_bytes) {
            Verdict::Heard => {}
            Verdict::Quiet => self.session.ping(),
            Verdict::Gone => {
                self.relay.metrics.publishers_silent.add(1);
                self.silence = None;
                let reason = "nothing was heard from the publisher for too long";
                self.session.close(moqt::SessionCode::ControlMessageTimeout, reason);
            }
        }
    }

    /// From now on it is to be heard of: others wait for what it publishes.
    fn listen(&mut self) {
        let longest = self.relay.publisher_silence;
        // A connection in memory is gone when it is gone.
        if self.silence.is_none() && self.kind != Kind::Memory && !longest.is_zero() {
            self.silence = Some(Silence::new(clock::now(), longest));
        }
    }

    fn traffic(&self) -> Traffic {
        let path = self.session.stats();
        Traffic { received_bytes: path.received_bytes, sent_bytes: path.sent_bytes }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Subscribe(request) => {
                let Some(request) = self.subscribe_in_room(request) else { return };
                match self.admit(request.track(), &request.tokens(), &self.subscriptions) {
                    Ok(permit) => self.relay.registry.subscribe(request, self.id, permit),
                    Err((code, reason)) => request.reject(code, &reason),
                }
            }
            Request::Fetch(request) => match self.admit(request.track(), &request.tokens(), &self.fetches) {
                Ok(permit) => self.fetch(request, permit),
                Err((code, reason)) => request.reject(code, &reason),
            },
            Request::TrackStatus(request) => {
                match self.admit(request.track(), &request.tokens(), &self.fetches) {
                    Ok(permit) => self.status(request, permit),
                    Err((code, reason)) => request.reject(code, &reason),
                }
            }
            Request::Publish(request) => match Room::viewer_of(&request.track().namespace) {
                Some(_) => self.speak(request),
                None => self.offer(request),
            },
            Request::PublishNamespace(request) => match Room::viewer_of(request.namespace()) {
                Some(_) => self.speak_in_namespace(request),
                None => self.publish(request),
            },
            Request::SubscribeNamespace(request) => self.watch(request),
            Request::SubscribeTracks(request) => self.collect(request),
            // Dropping it refuses it.
            _ => self.refused("a request of an unknown kind"),
        }
    }

    /// A place for a request to watch something in a namespace; otherwise what to answer.
    fn admit(
        &self,
        track: &TrackName,
        tokens: &[AuthToken],
        places: &Arc<Semaphore>,
    ) -> Result<OwnedSemaphorePermit, (RequestCode, String)> {
        let may = self.relay.knows(&track.namespace);
        let may = may.and_then(|()| self.rights.present(tokens).map_err(refusal));
        let may = may.and_then(|()| self.rights.may_watch(track).map_err(refusal));
        let may = may.and_then(|()| self.enter_for(track));
        let admitted = may.and_then(|()| {
            let full = "too many requests of this kind at once in one session";
            let place = Arc::clone(places).try_acquire_owned();
            place.map_err(|_| (RequestCode::ExcessiveLoad, full.to_owned()))
        });
        if let Err((_, reason)) = &admitted {
            self.refused(reason);
        }
        admitted
    }

    fn refused(&self, why: &str) {
        self.relay.metrics.requests_refused.add(1);
        tracing::debug!(why, "refused");
    }

    fn publish(&mut self, request: NamespaceRequest) {
        let namespace = request.namespace().clone();
        if let Err((code, reason)) = self.may_publish(&namespace, &request.tokens()) {
            return request.reject(code, &reason);
        }
        if self.namespaces.len() >= MAX_NAMESPACES {
            self.refused("too many namespaces");
            return request.reject(RequestCode::ExcessiveLoad, "too many namespaces in one session");
        }
        // Before the answer, after which others may count on it.
        let Some(lease) = self.relay.registry.publish(namespace.clone(), self.id, self.session.clone())
        else {
            self.refused("too many namespaces are on air");
            return request.reject(RequestCode::ExcessiveLoad, "too many namespaces are on air: try later");
        };
        let published = request.accept();
        self.listen();
        tracing::info!(%namespace, "on air");
        self.joined_as_publisher(&namespace);
        let rights = Arc::clone(&self.rights);
        self.spawn(async move {
            // `None` once it is withdrawn.
            while let Some(tokens) = published.new_tokens().await {
                if let Err(denied) = rights.present(&tokens) {
                    tracing::info!(reason = denied.reason, "the new token is no good");
                    break;
                }
            }
            drop(lease);
        });
    }

    /// Whether the peer may publish a namespace or in it, with tokens that came just now; if not, how it is refused.
    fn may_publish(&self, namespace: &Namespace, tokens: &[AuthToken]) -> Result<(), (RequestCode, String)> {
        let may = self.relay.knows(namespace);
        let may = may.and_then(|()| self.rights.present(tokens).map_err(refusal));
        let may = may.and_then(|()| self.rights.may_publish(namespace).map_err(refusal));
        may.inspect_err(|(_, reason)| self.refused(reason))
    }

    /// Takes a track that the peer publishes.
    fn offer(&mut self, request: PublishRequest) {
        let namespace = request.track().namespace.clone();
        if let Err((code, reason)) = self.may_publish(&namespace, &request.tokens()) {
            return request.reject(code, &reason);
        }
        let Ok(permit) = Arc::clone(&self.offers).try_acquire_owned() else {
            self.refused("too many tracks");
            return request.reject(RequestCode::ExcessiveLoad, "too many tracks published in one session");
        };
        self.joined_as_publisher(&namespace);
        self.listen();
        self.relay.registry.offer(request, self.id, self.session.clone(), permit);
    }

    fn joined_as_publisher(&mut self, namespace: &Namespace) {
        if let Some(room) = Room::of(namespace)
            && !std::mem::replace(&mut self.is_publisher, true)
        {
            let fact = Fact::SessionJoined { session: self.id, room, part: Part::Publisher };
            self.relay.recorder.record(fact);
        }
    }

    /// Whether this peer may be told of what is below a prefix, which `count` counts; if not, how it is refused.
    fn admit_watching(
        &self,
        prefix: &Namespace,
        tokens: &[AuthToken],
        count: impl FnOnce(&Registry) -> usize,
    ) -> Result<(), (RequestCode, String)> {
        let presented = self.rights.present(tokens).map_err(refusal);
        let refusal = match presented.and_then(|()| self.relay.may_enumerate(&self.rights, prefix, count)) {
            Err(refusal) => refusal,
            Ok(()) if self.namespaces.len() >= MAX_NAMESPACES => {
                (RequestCode::ExcessiveLoad, "too many namespaces in one session".to_owned())
            }
            Ok(()) => return Ok(()),
        };
        self.refused(&refusal.1);
        Err(refusal)
    }

    fn watch(&mut self, request: NamespaceSubscriptionRequest) {
        let prefix = request.prefix();
        if let Err((code, reason)) =
            self.admit_watching(prefix, &request.tokens(), |registry| registry.count_below(prefix))
        {
            return request.reject(code, &reason);
        }
        self.spawn(tell_namespaces(Arc::clone(&self.relay), Arc::clone(&self.rights), request));
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.namespaces.spawn(task.in_current_span());
    }
}

/// Tells a peer of the namespaces below its prefix, until it has enough. It may take another prefix.
async fn tell_namespaces(relay: Arc<Relay>, rights: Arc<Rights>, request: NamespaceSubscriptionRequest) {
    let mut changes = relay.registry.changes();
    let mut prefix = request.prefix().clone();
    let mut writer = request.accept();
    let mut told = BTreeMap::new();
    loop {
        changes.mark_unchanged();
        let mut now = relay.registry.below(&prefix);
        now.retain(|namespace, _| rights.may_list(namespace).is_ok());
        for event in difference(&told, &now) {
            if !writer.tell(event) {
                return;
            }
        }
        told = now;
        tokio::select! {
            biased;
            changed = changes.changed() => if changed.is_err() { return },
            asked = writer.prefix_asked() => {
                let Some(asked) = asked else { return };
                let count = |registry: &Registry| registry.count_below(asked.prefix());
                if let Err((code, reason)) = relay.may_enumerate(&rights, asked.prefix(), count) {
                    relay.metrics.requests_refused.add(1);
                    return asked.reject(code, &reason);
                }
                prefix = asked.prefix().clone();
                // The peer forgets the others by itself.
                told.retain(|namespace: &Namespace, _| namespace.starts_with(&prefix));
                asked.accept();
            }
        }
    }
}

/// What to tell a peer that knows of `told`. A namespace with another broadcast was withdrawn in between.
fn difference(
    told: &BTreeMap<Namespace, BroadcastId>,
    now: &BTreeMap<Namespace, BroadcastId>,
) -> Vec<NamespaceEvent> {
    let gone = told.iter().filter(|(namespace, id)| now.get(namespace) != Some(id));
    let new = now.iter().filter(|(namespace, id)| told.get(namespace) != Some(id));
    let withdrawn = gone.map(|(namespace, _)| NamespaceEvent::Withdrawn(namespace.clone()));
    withdrawn.chain(new.map(|(namespace, _)| NamespaceEvent::Published(namespace.clone()))).collect()
}

#[cfg(test)]
mod tests;

//! The one task of a session: looks at what was rung, lets the core decide, and does what it says.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Instant,
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Config, DataLimits, SessionError, Standing, Wishes,
    bell::{Bell, Ring, Target, lock},
    calls::Sent,
    clock::now,
    handles::Handle,
    incoming::In,
    outgoing::{self, Out},
    request_io::RequestIo,
};
use crate::{
    moqt::{
        NamespaceEvent, Request, SessionCode,
        session::{
            Core, Input, Output, Peer, Stream,
            inbox::Inbox,
            outbox::{Budget, Moves},
        },
    },
    transport::{Connection, ConnectionError, Kind, RecvStream, SendStream},
};

/// Things looked at before other tasks get their turn.
const TURN: usize = 256;

/// Things looked at once more when the peer leaves; what is beyond is lost, as with a connection that broke.
const LAST_WORDS: usize = 4096;

type Waiting<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;
type Bidi = Result<(SendStream, RecvStream), ConnectionError>;

/// The task's ends of the session's channels.
pub(super) struct Ends {
    pub(super) wishes: Arc<Mutex<Wishes>>,
    pub(super) calls: mpsc::Receiver<Sent>,
    /// The peer's requests that the application has not looked at.
    pub(super) requests: Arc<Mutex<Inbox<Box<Request>>>>,
    pub(super) standing: watch::Sender<Standing>,
}

/// Drives a session until it is over.
pub(super) struct Task {
    pub(super) core: Core,
    pub(super) connection: Connection,
    pub(super) bell: Arc<Bell>,
    pub(super) ends: Ends,
    pub(super) budget: Budget,
    pub(super) max_object_bytes: usize,
    /// What may wait on a request stream for the peer to read.
    pub(super) unread_bytes: usize,
    pub(super) limits: DataLimits,
    pub(super) ready: Option<oneshot::Sender<Peer>>,
    pub(super) is_ready: bool,
    pub(super) control: Option<SendStream>,
    pub(super) control_out: VecDeque<bytes::Bytes>,
    control_ring: Arc<Ring>,
    pub(super) peer_control: Option<u64>,
    // Ordered, so that the same input makes the same output in tests.
    pub(super) requests: BTreeMap<Stream, RequestIo>,
    pub(super) opening: VecDeque<Stream>,
    pub(super) draining: VecDeque<Stream>,
    pub(super) handles: BTreeMap<Stream, Handle>,
    /// Boxed, as the next: a map of so large values has much room to spare.
    pub(super) ins: BTreeMap<u64, Box<In>>,
    pub(super) parked: VecDeque<u64>,
    pub(super) outs: BTreeMap<u64, Box<Out>>,
    /// Our data streams that can go on, most urgent first.
    pub(super) urgent: BTreeSet<(i32, u64)>,
    /// Requests with datagrams that can go, most urgent first.
    pub(super) urgent_datagrams: BTreeSet<(i32, Stream)>,
    /// Requests with data that waits for a stream.
    pub(super) wants_stream: BTreeSet<Stream>,
    pub(super) spare: Option<SendStream>,
    /// Kept for the next handle that is looked at.
    pub(super) moves: Moves,
    drained: Vec<oneshot::Sender<()>>,
    accept_bi: Waiting<Bidi>,
    accept_uni: Waiting<Result<RecvStream, ConnectionError>>,
    open_bi: Waiting<Bidi>,
    open_uni: Waiting<Result<SendStream, ConnectionError>>,
    datagram: Waiting<Result<bytes::Bytes, ConnectionError>>,
    gone: Waiting<ConnectionError>,
    timer: Pin<Box<tokio::time::Sleep>>,
    wake_at: Option<Instant>,
    rings: Rings,
    over: Option<SessionError>,
}

struct Rings {
    session: Arc<Ring>,
    calls: Arc<Ring>,
    accept_bi: Arc<Ring>,
    accept_uni: Arc<Ring>,
    open_bi: Arc<Ring>,
    open_uni: Arc<Ring>,
    datagrams: Arc<Ring>,
    closed: Arc<Ring>,
    timer: Arc<Ring>,
}

impl Task {
    pub(super) fn new(
        connection: Connection,
        config: &Config,
        bell: Arc<Bell>,
        ends: Ends,
        ready: oneshot::Sender<Peer>,
    ) -> Self {
        let now = now();
        let rings = Rings {
            session: bell.ring(Target::Session),
            calls: bell.ring(Target::Calls),
            accept_bi: bell.ring(Target::AcceptBi),
            accept_uni: bell.ring(Target::AcceptUni),
            open_bi: bell.ring(Target::OpenBi),
            open_uni: bell.ring(Target::OpenUni),
            datagrams: bell.ring(Target::Datagrams),
            closed: bell.ring(Target::Closed),
            timer: bell.ring(Target::Timer),
        };
        for ring in [&rings.session, &rings.accept_uni, &rings.open_uni, &rings.closed, &rings.timer] {
            ring.ring();
        }
        Self {
            core: Core::new(now, config, connection.kind() == Kind::WebTransport),
            budget: Budget::new(config.max_queue_bytes),
            max_object_bytes: config.max_object_bytes,
            unread_bytes: config.limits.unread_bytes,
            limits: config.data_limits,
            ends,
            ready: Some(ready),
            is_ready: false,
            control: None,
            control_out: VecDeque::new(),
            control_ring: bell.ring(Target::Control),
            peer_control: None,
            requests: BTreeMap::new(),
            opening: VecDeque::new(),
            draining: VecDeque::new(),
            handles: BTreeMap::new(),
            ins: BTreeMap::new(),
            parked: VecDeque::new(),
            outs: BTreeMap::new(),
            urgent: BTreeSet::new(),
            urgent_datagrams: BTreeSet::new(),
            wants_stream: BTreeSet::new(),
            spare: None,
            moves: Moves::default(),
            drained: Vec::new(),
            accept_bi: None,
            accept_uni: None,
            open_bi: None,
            open_uni: None,
            datagram: None,
            gone: None,
            timer: Box::pin(tokio::time::sleep_until(now.into())),
            wake_at: None,
            rings,
            over: None,
            bell,
            connection,
        }
    }

    fn look(&mut self, target: Target) {
        match target {
            Target::Session => self.look_at_wishes(),
            Target::Calls => self.look_at_calls(),
            Target::AcceptBi => self.accept_bi(),
            Target::AcceptUni => self.accept_uni(),
            Target::OpenBi => self.open_bi(),
            Target::OpenUni => self.open_uni(),
            Target::Datagrams => self.datagrams(),
            Target::Closed => self.look_at_connection(),
            Target::Timer => self.look_at_time(),
            Target::Control => self.write_control(),
            Target::Request(stream) => self.look_at_request(stream),
            Target::Handle(stream) => self.look_at_handle(stream),
            Target::In(id) => self.look_at_in(id),
            Target::Out(id) => {
                if let Some(out) = self.outs.get(&id) {
                    self.urgent.insert((out.order, id));
                }
            }
            Target::OutEnd(id) => self.look_at_out_end(id),
        }
    }

    /// Does what the core says.
    pub(super) fn settle(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Control(bytes) => {
                    self.control_out.push_back(bytes);
                    self.control_ring.ring();
                }
                Output::Send(stream, bytes) => self.send_request(stream, bytes),
                Output::Retire(stream) => self.retire_request(stream),
                Output::Abandon(stream, code) => self.abandon_request(stream, code),
                Output::Ready(_) => {
                    self.is_ready = true;
                    if let Some(ready) = self.ready.take() {
                        let _ = ready.send(self.core.peer().clone());
                    }
                    for ring in [&self.rings.calls, &self.rings.accept_bi, &self.rings.datagrams] {
                        ring.ring();
                    }
                }
                Output::Asked(stream, asked) => self.asked(stream, asked),
                Output::Tell(stream, event) => self.tell(stream, event),
                Output::GoingAway(going) => {
                    self.ends.standing.send_modify(|standing| standing.going = Some(going));
                }
                Output::Close(error) => self.over = self.over.take().or(Some(error)),
            }
        }
    }

    fn look_at_wishes(&mut self) {
        let (goaway, close, mut drained) = {
            let mut wishes = lock(&self.ends.wishes);
            (wishes.goaway.clone(), wishes.close.clone(), std::mem::take(&mut wishes.drained))
        };
        self.drained.append(&mut drained);
        if let Some((uri, timeout)) = goaway {
            self.core.goaway(now(), &uri, timeout);
        }
        if let Some((code, reason)) = close {
            self.core.close(code, &reason);
        }
    }

    fn look_at_calls(&mut self) {
        if !self.is_ready {
            return;
        }
        let waker = self.rings.calls.waker();
        let mut cx = Context::from_waker(&waker);
        while let Poll::Ready(Some(sent)) = self.ends.calls.poll_recv(&mut cx) {
            let (call, tokens) = *sent;
            self.core.carry(tokens.to_vec());
            self.call(call);
            self.settle();
        }
    }

    fn accept_bi(&mut self) {
        let connection = &self.connection;
        while self.is_ready
            && let Some(Ok((send, recv))) = poll(&mut self.accept_bi, &self.rings.accept_bi, || {
                let connection = connection.clone();
                Box::pin(async move { connection.accept_bi().await })
            })
        {
            let stream = Stream(self.bell.number());
            self.requests.insert(stream, RequestIo::theirs(&self.bell, stream, send, recv));
            self.connection.has_open(self.requests.len(), self.ins.len());
            self.core.handle(now(), Input::Opened(stream));
        }
    }

    fn accept_uni(&mut self) {
        let connection = &self.connection;
        while let Some(Ok(recv)) = poll(&mut self.accept_uni, &self.rings.accept_uni, || {
            let connection = connection.clone();
            Box::pin(async move { connection.accept_uni().await })
        }) {
            let id = self.bell.number();
            self.ins.insert(id, Box::new(In::new(&self.bell, id, recv)));
            self.connection.has_open(self.requests.len(), self.ins.len());
        }
    }

    /// Opens request streams in the order of their requests.
    pub(super) fn open_bi(&mut self) {
        let connection = &self.connection;
        while !self.opening.is_empty()
            && let Some(Ok((send, recv))) = poll(&mut self.open_bi, &self.rings.open_bi, || {
                let connection = connection.clone();
                Box::pin(async move { connection.open_bi().await })
            })
        {
            let Some(stream) = self.opening.pop_front() else { continue };
            let Some(io) = self.requests.get_mut(&stream) else { continue };
            io.opened(send, recv);
            if let Some(Handle::Publish(port)) = self.handles.get(&stream) {
                port.lock().offer_made();
            }
        }
    }

    /// Has a data stream opened for a request, once all that was rung before is looked at: then the most
    /// urgent is known.
    pub(super) fn want_uni(&mut self, stream: Stream) {
        self.wants_stream.insert(stream);
        self.rings.open_uni.ring();
    }

    /// Opens data streams for whoever is most urgent when the peer allows for one.
    fn open_uni(&mut self) {
        while self.control.is_none() || !self.wants_stream.is_empty() {
            let connection = &self.connection;
            let stream = self.spare.take().or_else(|| {
                poll(&mut self.open_uni, &self.rings.open_uni, || {
                    let connection = connection.clone();
                    Box::pin(async move { connection.open_uni().await })
                })?
                .ok()
            });
            let Some(mut stream) = stream else { return };
            if self.control.is_none() {
                stream.set_order(crate::moqt::priority::CONTROL);
                self.control = Some(stream);
                self.control_ring.ring();
            } else {
                self.spare = outgoing::give(self, stream);
            }
        }
    }

    fn datagrams(&mut self) {
        let connection = self.connection.clone();
        for _ in 0..TURN {
            if !self.is_ready {
                return;
            }
            let got = poll(&mut self.datagram, &self.rings.datagrams, || {
                let connection = connection.clone();
                Box::pin(async move { connection.recv_datagram().await })
            });
            let Some(Ok(datagram)) = got else { return };
            self.take_datagram(datagram);
        }
        self.rings.datagrams.ring();
    }

    fn look_at_connection(&mut self) {
        let connection = &self.connection;
        let gone = poll(&mut self.gone, &self.rings.closed, || {
            let connection = connection.clone();
            Box::pin(async move { connection.closed().await })
        });
        let Some(error) = gone else { return };
        self.hear_out();
        let reason = error.to_string();
        let code = match error {
            ConnectionError::Peer { code, .. } => SessionCode(code),
            ConnectionError::Local | ConnectionError::TimedOut | ConnectionError::Transport(_) => {
                SessionCode::NoError
            }
        };
        self.over = self.over.take().or(Some(SessionError { code, reason }));
    }

    fn write_control(&mut self) {
        let Some(control) = &mut self.control else { return };
        let waker = self.control_ring.waker();
        let mut cx = Context::from_waker(&waker);
        while !self.control_out.is_empty() {
            match control.poll_write(&mut cx, self.control_out.make_contiguous()) {
                Poll::Ready(Ok(_)) => self.control_out.retain(|chunk| !chunk.is_empty()),
                Poll::Ready(Err(crate::transport::StreamError::Peer(_))) => {
                    return self.control_stopped();
                }
                Poll::Ready(Err(_)) | Poll::Pending => return,
            }
        }
        // Little is said there, so that its place is not kept.
        self.control_out = VecDeque::new();
        let stopped = control.poll_stopped(&mut cx);
        if let Poll::Ready(Some(_)) = stopped {
            self.control_stopped();
        }
    }

    fn control_stopped(&mut self) {
        self.hear_out();
        self.core.close(SessionCode::ProtocolViolation, "the peer stopped the control stream");
    }

    /// The peer leaves: takes what of its data and last words came before, as the end of a track. Programs leave
    /// by dropping all streams at once, in an order of their own.
    pub(super) fn hear_out(&mut self) {
        for _ in 0..LAST_WORDS {
            match self.bell.next() {
                Some(
                    target @ (Target::AcceptUni | Target::Datagrams | Target::Request(_) | Target::In(_)),
                ) => self.look(target),
                // The application is told of the end soon enough.
                Some(
                    Target::Session
                    | Target::Calls
                    | Target::AcceptBi
                    | Target::OpenBi
                    | Target::OpenUni
                    | Target::Closed
                    | Target::Timer
                    | Target::Control
                    | Target::Handle(_)
                    | Target::Out(_)
                    | Target::OutEnd(_),
                ) => {}
                None => return,
            }
            self.settle();
        }
    }

    /// Asks for [`look_at_time`](Self::look_at_time) at `at` at the latest.
    pub(super) fn wake_by(&mut self, at: Option<Instant>) {
        let Some(at) = at else { return };
        if self.wake_at.is_none_or(|known| at < known) {
            self.wake_at = Some(at);
            self.timer.as_mut().reset(at.into());
            self.rings.timer.ring();
        }
    }

    fn look_at_time(&mut self) {
        let now = now();
        if self.wake_at.is_none_or(|at| at <= now) {
            self.wake_at = None;
            self.core.handle(now, Input::Tick);
            self.settle();
            let outboxes = self.expire_outboxes(now);
            let outs = self.expire_outs(now);
            let parked = self.expire_parked(now);
            let next = [self.core.deadline(), outboxes, outs, parked].into_iter().flatten().min();
            if let Some(next) = next {
                self.wake_at = Some(next);
                self.timer.as_mut().reset(next.into());
            }
        }
        if self.wake_at.is_some() {
            let waker = self.rings.timer.waker();
            if self.timer.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                self.rings.timer.ring();
            }
        }
    }

    fn check_drained(&mut self) {
        if !self.drained.is_empty() && self.is_drained() {
            for drained in self.drained.drain(..) {
                let _ = drained.send(());
            }
        }
    }

    fn finish(&mut self, error: &SessionError) {
        if self.ends.standing.borrow().closed.is_some() {
            return;
        }
        self.ends.standing.send_modify(|standing| standing.closed = Some(error.clone()));
        self.bell.silence();
        self.ready = None;
        self.ends.calls.close();
        lock(&self.ends.requests).end();
        for (stream, handle) in std::mem::take(&mut self.handles) {
            if let Handle::Learn { port, .. } = &handle {
                let mut events = port.lock();
                for namespace in self.core.take_known(stream) {
                    events.push(NamespaceEvent::Withdrawn(namespace), 64);
                }
            }
            handle.fail(error.clone().into());
        }
        self.connection.close(error.code.0, &error.reason);
        tracing::debug!(code = %error.code, reason = %error.reason, "session over");
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.get_mut();
        for _ in 0..TURN {
            match task.bell.next() {
                Some(target) => task.look(target),
                None if task.send_most_urgent() => {}
                None => match task.bell.next_or_wake(cx.waker()) {
                    Some(target) => task.look(target),
                    None => {
                        task.check_drained();
                        return Poll::Pending;
                    }
                },
            }
            task.settle();
            task.wake_by(task.core.deadline());
            if let Some(error) = task.over.clone() {
                task.finish(&error);
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let reason = "the session's task was dropped".to_owned();
        self.finish(&SessionError { code: SessionCode::InternalError, reason });
    }
}

/// Polls what is waited for, beginning anew where the last one is done.
fn poll<T>(
    waiting: &mut Waiting<T>,
    ring: &Arc<Ring>,
    begin: impl FnOnce() -> Pin<Box<dyn Future<Output = T> + Send>>,
) -> Option<T> {
    let future = waiting.get_or_insert_with(begin);
    match future.as_mut().poll(&mut Context::from_waker(&ring.waker())) {
        Poll::Ready(value) => {
            *waiting = None;
            Some(value)
        }
        Poll::Pending => None,
    }
}

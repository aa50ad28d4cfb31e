//! The task's end of each handle that the application holds.

use std::sync::Arc;

use super::{
    aside::Aside,
    bell::{Port, lock},
    calls::Reply,
    clock::now,
    task::Task,
};
use crate::moqt::{
    DoneCode, FetchItem, FetchRequest, NamespaceEvent, NamespaceRequest, NamespaceSubscriptionRequest,
    Priority, PublishRequest, Received, Refused, Request, RequestCode, ResetCode, SubscribeOk,
    SubscribeRequest, TrackName, TrackStatusOk, TrackStatusRequest, TracksRequest,
    session::{
        Asked, Core, Event, Stream,
        fetchbox::{self, Fetchbox},
        inbox::Inbox,
        outbox::{self, Outbox},
        record::{FetchRecord, Record},
    },
    track::{Life, Reading, Telling, Told},
    wire::TrackProperties,
};

pub(super) type FetchPort = Arc<Port<Inbox<Result<FetchItem, Refused>>>>;

/// What a request's stream is bound to.
pub(super) enum Handle {
    /// The peer subscribes.
    Publish(Arc<Port<Outbox>>),
    /// We subscribe.
    Subscription {
        port: Arc<Port<Reading>>,
        reply: Option<Reply<SubscribeOk>>,
        /// Streams that wait for the reader.
        blocked: Vec<u64>,
        /// The track's default priority.
        priority: Priority,
        record: Box<Record>,
    },
    /// The peer fetches.
    Serve { port: Arc<Port<Fetchbox>>, out: Option<u64> },
    /// We fetch.
    Fetch {
        port: FetchPort,
        reply: Option<Reply<()>>,
        /// Its stream, where that waits for the reader.
        held: Option<u64>,
        record: Box<FetchRecord>,
    },
    /// The peer announces.
    Hear(Arc<Port<Life>>),
    /// We announce.
    Announce { port: Arc<Port<Life>>, reply: Option<Reply<()>> },
    /// The peer learns of namespaces.
    Tell(Arc<Port<Telling>>),
    /// We learn of namespaces.
    Learn { port: Arc<Port<Inbox<NamespaceEvent>>>, reply: Option<Reply<()>> },
    /// The peer wants all tracks below a prefix.
    Offer(Arc<Port<Telling<TrackName>>>),
    /// We want all tracks below a prefix.
    Collect { port: Arc<Port<Inbox<TrackName>>>, reply: Option<Reply<()>> },
    /// The peer asks how a track stands.
    Inform(Arc<Port<Life<TrackStatusOk>>>),
    /// We ask how a track stands.
    Inquire { port: Arc<Port<Life>>, reply: Option<Reply<TrackStatusOk>> },
}

impl Handle {
    pub(super) fn subscription(port: Arc<Port<Reading>>, reply: Reply<SubscribeOk>) -> Self {
        Self::Subscription {
            port,
            reply: Some(reply),
            blocked: Vec::new(),
            priority: Priority::default(),
            record: Box::default(),
        }
    }

    /// The peer, or the session's end, refuses what it asked for.
    pub(super) fn refuse(self, refused: Refused) {
        match self {
            Self::Subscription { reply: Some(reply), .. } | Self::Inquire { reply: Some(reply), .. } => {
                let _ = reply.send(Err(refused));
            }
            Self::Fetch { reply: Some(reply), .. }
            | Self::Announce { reply: Some(reply), .. }
            | Self::Learn { reply: Some(reply), .. }
            | Self::Collect { reply: Some(reply), .. } => {
                let _ = reply.send(Err(refused));
            }
            Self::Publish(port) => port.lock().offer_refused(refused),
            Self::Subscription { .. }
            | Self::Serve { .. }
            | Self::Fetch { .. }
            | Self::Hear(_)
            | Self::Announce { .. }
            | Self::Tell(_)
            | Self::Learn { .. }
            | Self::Offer(_)
            | Self::Collect { .. }
            | Self::Inform(_)
            | Self::Inquire { .. } => {}
        }
    }

    /// The request is over: whoever holds the handle is told.
    fn end(&self) {
        self.aside().end();
        match self {
            Self::Publish(port) => port.lock().close(),
            Self::Subscription { port, .. } => port.lock().inbox.end(),
            Self::Serve { port, .. } => port.lock().close(),
            Self::Fetch { port, .. } => port.lock().end(),
            Self::Hear(port) | Self::Announce { port, .. } | Self::Inquire { port, .. } => port.lock().end(),
            Self::Inform(port) => port.lock().end(),
            Self::Tell(port) => port.lock().end(),
            Self::Offer(port) => port.lock().end(),
            Self::Learn { port, .. } => port.lock().end(),
            Self::Collect { port, .. } => port.lock().end(),
        }
    }

    /// The peer or the session's end broke it off. A fetch that was granted tells its reader: what came
    /// of it is not all.
    pub(super) fn fail(self, refused: Refused) {
        if let Self::Fetch { port, reply: None, .. } = &self {
            port.lock().push(Err(refused.clone()), 0);
        }
        self.end();
        self.refuse(refused);
    }

    /// What is the same for every kind.
    pub(super) fn aside(&self) -> &Aside {
        match self {
            Self::Publish(port) => &port.aside,
            Self::Subscription { port, .. } => &port.aside,
            Self::Serve { port, .. } => &port.aside,
            Self::Fetch { port, .. } => &port.aside,
            Self::Hear(port) | Self::Announce { port, .. } | Self::Inquire { port, .. } => &port.aside,
            Self::Inform(port) => &port.aside,
            Self::Tell(port) => &port.aside,
            Self::Offer(port) => &port.aside,
            Self::Learn { port, .. } => &port.aside,
            Self::Collect { port, .. } => &port.aside,
        }
    }

    /// Looks at it again.
    pub(super) fn ring(&self) {
        match self {
            Self::Publish(port) => port.ring(),
            Self::Subscription { port, .. } => port.ring(),
            Self::Serve { port, .. } => port.ring(),
            Self::Fetch { port, .. } => port.ring(),
            Self::Hear(port) | Self::Announce { port, .. } | Self::Inquire { port, .. } => port.ring(),
            Self::Inform(port) => port.ring(),
            Self::Tell(port) => port.ring(),
            Self::Offer(port) => port.ring(),
            Self::Learn { port, .. } => port.ring(),
            Self::Collect { port, .. } => port.ring(),
        }
    }
}

impl Task {
    /// The application did something with a handle.
    pub(super) fn look_at_handle(&mut self, stream: Stream) {
        let Some(handle) = self.handles.get(&stream) else { return };
        handle.aside().look();
        if !handle.aside().take_news() {
            return self.look_inside(stream);
        }
        if let Some(refusal) = handle.aside().take_refusal() {
            self.core.set_refusal(stream, refusal);
        }
        self.look_inside(stream);
        if let Some(handle) = self.handles.get(&stream)
            && let Some((change, tokens)) = handle.aside().take_change()
        {
            self.core.carry(tokens);
            if !self.core.update(stream, change) {
                handle.aside().drop_change();
            }
        }
        // GOAWAY never comes before the answer.
        if let Some(leaving) = self.handles.get(&stream).and_then(|handle| handle.aside().take_leaving()) {
            self.core.request_goaway(now(), stream, leaving);
        }
    }

    fn look_inside(&mut self, stream: Stream) {
        let Some(handle) = self.handles.get_mut(&stream) else { return };
        match handle {
            Handle::Publish(port) => {
                let port = Arc::clone(port);
                self.look_at_publish(stream, &port);
            }
            Handle::Subscription { port, blocked, .. } => {
                let (answer, is_left, stops) = {
                    let mut reading = port.lock();
                    let stops = std::mem::take(&mut reading.stops);
                    (reading.take_answer(), reading.inbox.is_left(), stops)
                };
                match answer {
                    Some(Ok(options)) => self.core.grant_publish(stream, &options),
                    Some(Err((code, reason))) => return self.core.refuse(stream, code, &reason),
                    None => {}
                }
                if is_left {
                    return self.core.cancel(stream, ResetCode::Cancelled);
                }
                for id in std::mem::take(blocked) {
                    self.ins.get(&id).into_iter().for_each(|input| input.ring());
                }
                if !stops.is_empty() {
                    self.stop_groups(stream, &stops);
                }
            }
            Handle::Serve { port, .. } => {
                let port = Arc::clone(port);
                self.look_at_serve(stream, &port);
            }
            Handle::Fetch { port, held, .. } => {
                if port.lock().is_left() {
                    self.core.cancel(stream, ResetCode::Cancelled);
                } else if let Some(id) = held.take() {
                    self.ins.get(&id).into_iter().for_each(|input| input.ring());
                }
            }
            Handle::Hear(port) | Handle::Announce { port, .. } => {
                let (answer, is_left) = {
                    let mut life = port.lock();
                    (life.take_answer(), life.is_left())
                };
                self.look_at_life(stream, answer, is_left);
            }
            Handle::Tell(port) => {
                let port = Arc::clone(port);
                self.look_at_telling(stream, &port, Core::tell_namespace);
            }
            Handle::Inform(port) => {
                let answer = port.lock().take_answer();
                match answer {
                    Some(Ok(ok)) => self.core.grant_status(stream, &ok),
                    Some(Err((code, reason))) => self.core.refuse(stream, code, &reason),
                    None => {}
                }
            }
            Handle::Inquire { port, .. } => {
                if port.lock().is_left() {
                    self.core.cancel(stream, ResetCode::Cancelled);
                }
            }
            Handle::Offer(port) => {
                let port = Arc::clone(port);
                self.look_at_telling(stream, &port, Core::tell_blocked);
            }
            Handle::Learn { port, .. } => {
                let is_left = port.lock().is_left();
                self.look_at_reader(stream, is_left);
            }
            Handle::Collect { port, .. } => {
                let is_left = port.lock().is_left();
                self.look_at_reader(stream, is_left);
            }
        }
    }

    /// The answer comes before what is told, and what is told before the end.
    fn look_at_telling<E>(
        &mut self,
        stream: Stream,
        port: &Port<Telling<E>>,
        tell: impl Fn(&mut Core, Stream, E),
    ) {
        let (answer, is_left, told) = {
            let mut telling = port.lock();
            (telling.life.take_answer(), telling.life.is_left(), telling.take_told())
        };
        self.look_at_life(stream, answer, false);
        for told in told {
            match told {
                Told::Event(event) => tell(&mut self.core, stream, event),
                Told::Prefix(Ok(())) => self.core.grant_prefix(stream),
                Told::Prefix(Err((code, reason))) => self.core.fail_update(stream, code, &reason),
            }
        }
        self.look_at_life(stream, None, is_left);
    }

    /// Whoever reads a request's answers left, or has room again.
    fn look_at_reader(&mut self, stream: Stream, is_left: bool) {
        if is_left {
            self.core.cancel(stream, ResetCode::Cancelled);
        } else {
            self.requests.get(&stream).into_iter().for_each(super::request_io::RequestIo::ring);
        }
    }

    fn look_at_life(
        &mut self,
        stream: Stream,
        answer: Option<Result<(), (RequestCode, String)>>,
        is_left: bool,
    ) {
        match answer {
            Some(Ok(())) => self.core.grant(stream),
            Some(Err((code, reason))) => return self.core.refuse(stream, code, &reason),
            None => {}
        }
        if is_left {
            self.core.cancel(stream, ResetCode::Cancelled);
        }
    }

    fn look_at_publish(&mut self, stream: Stream, port: &Port<Outbox>) {
        let mut outbox = port.lock();
        if outbox.is_withdrawn() {
            drop(outbox);
            return self.core.cancel(stream, ResetCode::Cancelled);
        }
        if let Some(answer) = outbox.take_answer() {
            drop(outbox);
            match answer {
                outbox::Answer::Accept(ok) => {
                    if let Some(alias) = self.core.grant_subscribe(stream, &ok) {
                        self.core.lease(now(), stream);
                        port.lock().open(alias);
                        self.settle();
                    }
                }
                outbox::Answer::Reject(code, reason) => return self.core.refuse(stream, code, &reason),
            }
            outbox = port.lock();
        }
        let mut moves = std::mem::take(&mut self.moves);
        outbox.take_moves(&mut moves);
        drop(outbox);
        self.carry_out(stream, &mut moves);
        self.moves = moves;
    }

    fn look_at_serve(&mut self, stream: Stream, port: &Port<Fetchbox>) {
        let (answer, left) = {
            let mut fetchbox = port.lock();
            (fetchbox.take_answer(), fetchbox.left())
        };
        let Some(Handle::Serve { out, .. }) = self.handles.get(&stream) else { return };
        let out = *out;
        match answer {
            Some(fetchbox::Answer::Accept(end, end_of_track, properties)) => {
                self.core.grant_fetch(stream, end, end_of_track, properties);
                self.want_uni(stream);
            }
            Some(fetchbox::Answer::Reject(code, reason)) => return self.core.refuse(stream, code, &reason),
            None => {}
        }
        if let Some(code) = left {
            if let Some(id) = out {
                self.reset_out(id, code);
            }
            self.core.cancel(stream, code);
        } else if let Some(id) = out {
            let order = port.lock().place();
            self.set_order(id, order);
            if let Some(out) = self.outs.get(&id) {
                self.urgent.insert((out.order, id));
            }
        }
    }

    /// The core tells of a request.
    pub(super) fn tell(&mut self, stream: Stream, event: Event) {
        let Some(handle) = self.handles.get_mut(&stream) else { return };
        match (event, handle) {
            (Event::Refused(refused), _) => {
                if let Some(handle) = self.handles.remove(&stream) {
                    handle.fail(refused);
                    self.stop_ins(stream);
                    self.reset_outs(stream, ResetCode::Cancelled);
                }
            }
            (Event::Subscribed(ok), Handle::Subscription { reply, priority, .. }) => {
                *priority = default_priority(&ok);
                if let Some(reply) = reply.take() {
                    // Where the caller is gone, its handle is too, and rings.
                    let _ = reply.send(Ok(ok));
                }
                self.ring_parked();
            }
            (
                Event::Fetched | Event::Granted,
                Handle::Fetch { reply, .. }
                | Handle::Announce { reply, .. }
                | Handle::Learn { reply, .. }
                | Handle::Collect { reply, .. },
            ) => {
                if let Some(reply) = reply.take() {
                    let _ = reply.send(Ok(()));
                }
            }
            (Event::Status(ok), Handle::Inquire { reply, .. }) => {
                if let Some(reply) = reply.take() {
                    let _ = reply.send(Ok(ok));
                }
            }
            (Event::Namespace(event), Handle::Learn { port, .. }) => port.lock().push(event, 64),
            (Event::Blocked(track), Handle::Collect { port, .. }) => port.lock().push(track, 64),
            (Event::Done(code, reason), Handle::Subscription { port, .. }) => {
                let mut reading = port.lock();
                reading.inbox.push((Received::Done { code, reason }, now()), 0);
                reading.inbox.end();
            }
            (Event::Published(parameters), Handle::Publish(port)) => {
                port.lock().offer_taken(now(), *parameters);
                port.ring();
                self.core.lease(now(), stream);
            }
            (Event::Update(parameters), Handle::Publish(port)) => {
                let refusal = port.lock().refuses(&parameters);
                if let Some(reason) = refusal {
                    return self.core.fail_update(stream, RequestCode::InvalidRange, &reason);
                }
                let largest = port.lock().update(now(), &parameters);
                port.ring();
                self.core.lease(now(), stream);
                self.core.updated(stream, largest);
            }
            (Event::UpdateFailed(reason), Handle::Publish(port)) => {
                port.lock().end(now(), DoneCode::UpdateFailed, reason);
                port.ring();
            }
            (Event::Expired, Handle::Publish(port)) => {
                let reason = "the subscription's time is over".to_owned();
                port.lock().end(now(), DoneCode::Expired, reason);
                port.ring();
            }
            (Event::Updated(answer), handle) => {
                handle.aside().answered(&answer);
                // What was held back can go now.
                handle.ring();
            }
            (Event::Tokens(tokens), handle) => handle.aside().renew(tokens),
            (Event::Prefix(prefix), Handle::Tell(port)) => port.lock().ask_prefix(prefix),
            (Event::Prefix(prefix), Handle::Offer(port)) => port.lock().ask_prefix(prefix),
            (Event::Update(parameters), Handle::Serve { port, .. }) => {
                if let Some(priority) = parameters.priority {
                    port.lock().set_priority(priority);
                    port.ring();
                }
                self.core.updated(stream, None);
            }
            (Event::GoingAway(going), handle) => handle.aside().going(going),
            (Event::Ended, _) => self.drop_handle(stream),
            (
                Event::Subscribed(_)
                | Event::Published(_)
                | Event::Status(_)
                | Event::Fetched
                | Event::Granted
                | Event::Blocked(_)
                | Event::Namespace(_)
                | Event::Done(..)
                | Event::Update(_)
                | Event::UpdateFailed(_)
                | Event::Expired
                | Event::Prefix(_),
                _,
            ) => {}
        }
    }

    /// The request is over.
    pub(super) fn drop_handle(&mut self, stream: Stream) {
        let Some(handle) = self.handles.remove(&stream) else { return };
        handle.end();
        self.wants_stream.remove(&stream);
        match &handle {
            Handle::Publish(port) => {
                let (resets, is_done) = {
                    let mut outbox = port.lock();
                    (outbox.take_resets(), outbox.is_done())
                };
                for (id, code) in resets {
                    self.reset_out(id, code);
                }
                if !is_done {
                    // Draft-18 §5.1.1: the subscriber wants none of it any more.
                    self.reset_outs(stream, ResetCode::Cancelled);
                }
            }
            // A stream that was handed over whole goes on by itself.
            Handle::Serve { out: Some(id), .. } => self.reset_unfinished(*id, ResetCode::Cancelled),
            Handle::Subscription { .. } | Handle::Fetch { .. } => self.stop_ins(stream),
            Handle::Serve { .. }
            | Handle::Hear(_)
            | Handle::Announce { .. }
            | Handle::Tell(_)
            | Handle::Learn { .. }
            | Handle::Offer(_)
            | Handle::Collect { .. }
            | Handle::Inform(_)
            | Handle::Inquire { .. } => {}
        }
    }

    /// Whether a request's answers wait for their reader.
    pub(super) fn holds_back(&mut self, stream: Stream) -> bool {
        match self.handles.get(&stream) {
            Some(Handle::Learn { port, .. }) => port.lock().hold_back(),
            Some(Handle::Collect { port, .. }) => port.lock().hold_back(),
            _ => false,
        }
    }

    /// Puts a request of the peer's before the application.
    pub(super) fn asked(&mut self, stream: Stream, asked: Asked) {
        let (handle, request) = match asked {
            Asked::Subscribe(track, options) => {
                let port = Port::new(
                    &self.bell,
                    stream,
                    Outbox::new(options, self.budget.clone()).within(self.limits),
                );
                let request = SubscribeRequest::new(track, options, Arc::clone(&port));
                (Handle::Publish(port), Request::Subscribe(request))
            }
            Asked::Fetch(asked) => {
                let port = Port::new(&self.bell, stream, Fetchbox::new(asked.priority));
                let request = FetchRequest::new(asked, Arc::clone(&port));
                (Handle::Serve { port, out: None }, Request::Fetch(request))
            }
            Asked::Announce(namespace) => {
                let port = Port::new(&self.bell, stream, Life::default());
                let request = NamespaceRequest::new(namespace, Arc::clone(&port));
                (Handle::Hear(port), Request::PublishNamespace(request))
            }
            Asked::Learn(prefix) => {
                let port = Port::new(&self.bell, stream, Telling::default());
                let request = NamespaceSubscriptionRequest::new(prefix, Arc::clone(&port));
                (Handle::Tell(port), Request::SubscribeNamespace(request))
            }
            Asked::Publish(track, offer) => {
                let mut reading = Reading::offered(self.limits.offered_bytes);
                reading.inbox.limit(self.limits.reader_bytes, self.limits.reader_items);
                let port = Port::new(&self.bell, stream, reading);
                let priority = default_priority(&offer.ok);
                let request = PublishRequest::new(track, offer, stream, Arc::clone(&port));
                self.ring_parked();
                let record = Box::default();
                let handle =
                    Handle::Subscription { port, reply: None, blocked: Vec::new(), priority, record };
                (handle, Request::Publish(request))
            }
            Asked::Tracks(prefix, options) => {
                let port = Port::new(&self.bell, stream, Telling::default());
                let request = TracksRequest::new(prefix, options, Arc::clone(&port));
                (Handle::Offer(port), Request::SubscribeTracks(request))
            }
            Asked::Status(track) => {
                let port = Port::new(&self.bell, stream, Life::default());
                let request = TrackStatusRequest::new(track, Arc::clone(&port));
                (Handle::Inform(port), Request::TrackStatus(request))
            }
        };
        handle.aside().set_tokens(self.core.take_tokens(stream));
        self.handles.insert(stream, handle);
        let mut waiting = lock(&self.ends.requests);
        if waiting.is_left() {
            self.core.refuse(stream, RequestCode::NotSupported, "this side takes no requests");
        } else if waiting.is_full() {
            let reason = "too many requests wait to be answered: try again later";
            self.core.refuse(stream, RequestCode::ExcessiveLoad, reason);
        } else {
            waiting.push(Box::new(request), 0);
        }
    }
}

/// The priority of a track's objects that name none.
fn default_priority(ok: &SubscribeOk) -> Priority {
    TrackProperties::decode(&ok.properties).ok().and_then(|known| known.priority).unwrap_or_default()
}

//! A whole session, fed by a peer and an application that do anything at all, on a clock that nobody waits
//! for. The real driver, core and parsers run; only the transport is in memory.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use shared::{
    moqt::{
        Config, DoneCode, EndOfTrack, FetchRange, Filter, GroupId, Item, Location, Namespace, NamespaceEvent,
        Object, ObjectId, Priority, Properties, Request, Requests, Role, Session, SessionCode, Status,
        Subgroup, SubgroupEnd, SubgroupId, SubscribeOk, SubscribeOptions, TrackName, TrackWriter,
        wire::{Message, Setup},
    },
    transport::{
        Connection, Kind, RecvStream, SendStream,
        memory::{self, Weather},
    },
};
use tokio::{
    runtime::{Builder, Handle},
    task::JoinSet,
};

/// Steps of one run.
const MAX_STEPS: usize = 400;
/// Streams that the peer has open at once; further ones take the place of the oldest.
const MAX_STREAMS: usize = 64;
/// Tasks that a session and its application may have at once here.
const MAX_TASKS: usize = 1 + 2 * MAX_STEPS;

/// Plays `data`: the first byte says which side the session is and over what it runs, the others what its
/// peer, its application and the clock do. Nothing panics, and in the end nothing is left.
pub fn session(data: &[u8]) {
    let Some((&how, program)) = data.split_first() else { return };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        play(how, program).await;
        // What waits for a peer that is gone gives up by itself.
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "a task outlives its session");
    });
}

async fn play(how: u8, program: &[u8]) {
    let role = if how & 1 == 0 { Role::Server } else { Role::Client };
    let kind = if how & 2 == 0 { Kind::Quic } else { Kind::WebTransport };
    let weather = Weather { window: if how & 4 == 0 { 4_096 } else { 64 }, ..Weather::default() };
    let (peer, own, _link) = memory::pair_as(kind, weather, u64::from(how));
    let config =
        Config { max_object_bytes: 4_096, max_queue_bytes: 65_536, grease: None, ..Config::new(role) };
    let started = tokio::spawn(shared::moqt::start(own, config));
    let mut input = Input(program);
    let mut world = Peer { connection: peer, sends: Vec::new(), recvs: Vec::new() };
    if how & 8 == 0 {
        world.set_up(role, kind).await;
    }
    let mut app = App { session: None, started: Some(started), tasks: JoinSet::new(), writers: Vec::new() };
    for _ in 0..MAX_STEPS {
        let Some(step) = input.byte() else { break };
        app.begin().await;
        match step % 16 {
            0..=9 => world.step(step % 16, &mut input).await,
            10 => tokio::time::sleep(Duration::from_millis(1 << (input.byte().unwrap_or(0) % 16))).await,
            _ => app.step(step % 16, &mut input).await,
        }
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        assert!(Handle::current().metrics().num_alive_tasks() <= MAX_TASKS);
    }
    drop(app);
    drop(world);
}

/// The bytes that say what happens.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> u64 {
        u64::from(self.byte().unwrap_or(0))
    }

    /// A byte says how many follow.
    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte().unwrap_or(0)).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }
}

/// The peer: streams and datagrams, and no idea of what they mean.
struct Peer {
    connection: Connection,
    sends: Vec<SendStream>,
    recvs: Vec<RecvStream>,
}

impl Peer {
    /// A control stream that begins as it should.
    async fn set_up(&mut self, role: Role, kind: Kind) {
        let path = (role == Role::Server && kind == Kind::Quic).then(|| Bytes::from_static(b"/room"));
        let mut bytes = BytesMut::new();
        Message::Setup(Setup { path, ..Setup::default() }).encode(&mut bytes).expect("valid");
        if let Ok(mut control) = self.connection.open_uni().await {
            write(&mut control, &bytes);
            self.sends.push(control);
        }
    }

    async fn step(&mut self, step: u8, input: &mut Input<'_>) {
        match step {
            0 => {
                if let Some(Ok(mut send)) = now(self.connection.open_uni()) {
                    write(&mut send, input.bytes());
                    self.keep(send);
                }
            }
            1 | 2 => {
                if let Some(Ok((mut send, recv))) = now(self.connection.open_bi()) {
                    write(&mut send, input.bytes());
                    self.keep(send);
                    self.recvs.push(recv);
                }
            }
            3 | 4 => {
                let at = input.number() as usize;
                let bytes = input.bytes();
                if let Some(send) = pick(&mut self.sends, at) {
                    write(send, bytes);
                }
            }
            5 => {
                let at = input.number() as usize;
                pick(&mut self.sends, at).into_iter().for_each(SendStream::finish);
            }
            6 => {
                let (at, code) = (input.number() as usize, input.number());
                pick(&mut self.sends, at).into_iter().for_each(|send| send.reset(code));
            }
            7 => {
                let (at, code) = (input.number() as usize, input.number());
                pick(&mut self.recvs, at).into_iter().for_each(|recv| recv.stop(code));
            }
            8 => {
                self.connection.send_datagram(Bytes::copy_from_slice(input.bytes()));
            }
            _ => self.listen(),
        }
    }

    /// Takes what the session opened, and reads what it wrote.
    fn listen(&mut self) {
        while let Some(Ok((send, recv))) = now(self.connection.accept_bi()) {
            self.keep(send);
            self.recvs.push(recv);
        }
        while let Some(Ok(recv)) = now(self.connection.accept_uni()) {
            self.recvs.push(recv);
        }
        let excess = self.recvs.len().saturating_sub(MAX_STREAMS);
        self.recvs.drain(..excess);
        for recv in &mut self.recvs {
            while let Some(Ok(Some(_))) = now(poll_fn(|cx| recv.poll_read(cx, usize::MAX))) {}
        }
        while let Some(Ok(_)) = now(self.connection.recv_datagram()) {}
    }

    fn keep(&mut self, send: SendStream) {
        if self.sends.len() >= MAX_STREAMS {
            // The first is the control stream, most likely.
            self.sends.remove(1);
        }
        self.sends.push(send);
    }
}

type Started = tokio::task::JoinHandle<Result<(Session, Requests), shared::moqt::SessionError>>;

/// The application: asks, answers and publishes whatever comes.
struct App {
    started: Option<Started>,
    session: Option<(Session, Requests)>,
    tasks: JoinSet<()>,
    writers: Vec<TrackWriter>,
}

impl App {
    /// Takes the session once it is set up.
    async fn begin(&mut self) {
        if self.started.as_ref().is_some_and(Started::is_finished)
            && let Some(started) = self.started.take()
        {
            self.session = started.await.expect("it does not panic").ok();
        }
    }

    async fn step(&mut self, step: u8, input: &mut Input<'_>) {
        let number = input.number();
        if let (14, Some(writer)) = (step, pick(&mut self.writers, number as usize)) {
            push(writer, input.number());
            return;
        }
        let Some((session, requests)) = &mut self.session else { return };
        match step {
            11 => ask(session.clone(), number, &mut self.tasks),
            12 | 13 => {
                if let Some(Some(request)) = now(requests.next()) {
                    answer(request, number, &mut self.tasks, &mut self.writers);
                }
            }
            14 => session.goaway("moqt://elsewhere", Duration::from_millis(number << 4)),
            _ if number == 255 => session.close(SessionCode::NoError, "enough"),
            _ => {
                if !self.writers.is_empty() {
                    let writer = self.writers.remove(number as usize % self.writers.len());
                    writer.done(if number & 1 == 0 { DoneCode::TrackEnded } else { DoneCode::Expired }, "");
                }
            }
        }
        if self.writers.len() > MAX_STREAMS {
            self.writers.remove(0);
        }
    }
}

fn track(number: u64) -> TrackName {
    TrackName { namespace: Namespace::new(["a", "b"]), name: Bytes::copy_from_slice(&[number as u8 & 3]) }
}

fn ask(session: Session, number: u64, tasks: &mut JoinSet<()>) {
    let at = Location::new(number & 7, number >> 6);
    let options = SubscribeOptions {
        filter: if number & 64 == 0 { Filter::Unfiltered } else { Filter::AbsoluteStart(at) },
        ..SubscribeOptions::default()
    };
    tasks.spawn(async move {
        match number % 5 {
            0 => {
                let Ok(mut subscription) = session.subscribe(track(number), options).await else { return };
                drop(session);
                if number & 16 != 0 {
                    subscription.set_forward(number & 32 == 0);
                    subscription.stop(at.group);
                    subscription.request_new_group(at.group);
                }
                while subscription.recv().await.is_some() {}
            }
            1 => {
                let end = Location::new(at.group.0 + 2, u64::MAX);
                let range = FetchRange::Standalone { track: track(number), start: at, end };
                let Ok(mut fetch) = session.fetch(range, Priority(number as u8)).await else { return };
                drop(session);
                while let Ok(Some(_)) = fetch.next().await {}
            }
            2 => {
                let range = FetchRange::Relative { groups: number & 3 };
                let Ok((mut subscription, fetch)) = session.join(track(number), options, range).await else {
                    return;
                };
                drop(session);
                if let Ok(mut fetch) = fetch {
                    while let Ok(Some(_)) = fetch.next().await {}
                }
                while subscription.recv().await.is_some() {}
            }
            3 => {
                let Ok(mut published) = session.publish_namespace(Namespace::new(["a"])).await else {
                    return;
                };
                drop(session);
                published.ended().await;
            }
            _ => {
                let Ok(mut learned) = session.subscribe_namespace(Namespace::new(["a"])).await else {
                    return;
                };
                drop(session);
                while learned.next().await.is_some() {}
            }
        }
    });
}

fn answer(request: Request, number: u64, tasks: &mut JoinSet<()>, writers: &mut Vec<TrackWriter>) {
    if number & 7 == 7 {
        // Refused by being dropped.
        return;
    }
    let at = Location::new(number & 7, number >> 5);
    match request {
        Request::Subscribe(request) => {
            let largest = (number & 8 == 0).then_some(at);
            writers.push(request.accept(SubscribeOk { largest, ..SubscribeOk::default() }));
        }
        Request::Fetch(request) => {
            let (start, end) = request.range();
            let mut writer = request.accept(end.max(at), EndOfTrack::No, Properties::default());
            tasks.spawn(async move {
                for id in 0..number & 15 {
                    if !writer.send(object(start.group.0, id, 100)).await {
                        return;
                    }
                }
                if number & 16 == 0 {
                    writer.finish();
                }
            });
        }
        Request::PublishNamespace(request) => {
            let mut published = request.accept();
            if number & 8 == 0 {
                tasks.spawn(async move { published.ended().await });
            }
        }
        Request::SubscribeNamespace(request) => {
            let namespace = request.prefix().join(&Namespace::new(["n"]));
            let mut writer = request.accept();
            writer.tell(NamespaceEvent::Published(namespace.clone()));
            if number & 8 == 0 {
                writer.tell(NamespaceEvent::Withdrawn(namespace));
            }
            tasks.spawn(async move { writer.ended().await });
        }
        // A kind of request that this does not know yet: dropping it refuses it.
        _ => {}
    }
}

fn push(writer: &TrackWriter, number: u64) {
    let (group, id) = (number >> 5, number & 3);
    let item = match number >> 2 & 7 {
        0..=3 => Item::Object(object(group, id, 600)),
        4 => Item::Datagram(object(group, id, 60)),
        _ => Item::End { group: GroupId(group), subgroup: SubgroupId(0), end: SubgroupEnd::Finished },
    };
    writer.push(item);
}

fn object(group: u64, id: u64, bytes: usize) -> Object {
    let subgroup = Subgroup {
        group: GroupId(group),
        id: SubgroupId(0),
        priority: Priority(group as u8),
        ends_group: false,
        from_first: true,
    };
    let payload = Bytes::from(vec![id as u8; bytes]);
    Object { subgroup, id: ObjectId(id), status: Status::Normal, properties: Properties::default(), payload }
}

/// What is ready at once.
fn now<T>(work: impl Future<Output = T>) -> Option<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn pick<T>(all: &mut [T], at: usize) -> Option<&mut T> {
    let count = all.len().max(1);
    all.get_mut(at % count)
}

/// What does not fit is let go.
fn write(send: &mut SendStream, bytes: &[u8]) {
    let mut chunks = [Bytes::copy_from_slice(bytes)];
    let _ = send.poll_write(&mut Context::from_waker(Waker::noop()), &mut chunks);
}

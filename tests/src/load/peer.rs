//! One connection of the load: a publisher or a subscriber that speaks as much of MoQT as that takes.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use bytes::{Buf, Bytes, BytesMut};
use quinn_proto::{
    Connection, Dir, Event, ReadError, ReadableError, StreamEvent, StreamId, VarInt, WriteError,
};
use shared::{
    moqt::{
        GroupId, Namespace, Object, ObjectId, Priority, Properties, Status, Subgroup, SubgroupId, TrackName,
        wire::{
            Datagram, Message, ObjectReader, Parameters, PublishNamespace, RequestId, RequestOk, Setup,
            StreamHeader, SubgroupHeader, Subscribe, SubscribeOk, TrackAlias, encode_datagram,
            encode_object_header,
        },
    },
    transport::MOQT,
};

use super::{
    clock,
    record::{Listener, Record},
    shape::{Due, Shape, Way},
    stamp::Stamp,
    web,
};

/// Largest object that is read.
const LARGEST_OBJECT: usize = 4 << 20;
/// Of a header without a priority.
const NONE: Priority = Priority(128);

/// What all connections of a run share.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) shape: Shape,
    pub(super) over: Over,
    /// `host:port`, as the URL has it.
    pub(super) authority: String,
    pub(super) path: String,
    /// Tracks that every subscriber takes besides, of which only the bytes are counted.
    pub(super) feeds: Vec<TrackName>,
}

/// How urgent a room's tracks are.
const FEED_PRIORITY: u8 = 24;

/// What carries the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// MoQT on raw QUIC.
    Quic,
    /// MoQT on WebTransport.
    WebTransport,
    /// Objects and nothing else: the floor.
    Nothing,
}

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Publishes these tracks.
    Publisher(Vec<usize>),
    /// Subscribes to these.
    Subscriber(Listener, Vec<usize>),
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Some answer is still to come.
    Connecting,
    /// Announced or subscribed.
    Ready,
    /// The end, and why.
    Over(String),
}

/// A connection's state.
pub(super) struct Peer {
    plan: Rc<Plan>,
    part: Part,
    pub(super) phase: Phase,
    /// Answers that are to come.
    answers: usize,
    session: Option<StreamId>,
    greeted: Greeted,
    incoming: HashMap<StreamId, Incoming>,
    /// What found no room yet.
    waiting: HashMap<StreamId, (VecDeque<Bytes>, Rest)>,
    /// Tracks that the relay asked for.
    wanted: Vec<usize>,
    /// Streams of subgroups under way.
    current: HashMap<(usize, u64), Sending>,
    /// Objects that found no stream or no room.
    pub(super) unsent: u64,
}

/// Whether the relay's SETUP came before there was a session to answer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greeted {
    InTurn,
    Early,
}

/// What comes after the bytes that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    More,
    Nothing,
}

struct Sending {
    stream: StreamId,
    header: SubgroupHeader,
    previous: Option<ObjectId>,
}

/// What a stream that is read is.
enum Incoming {
    /// Of WebTransport, or of HTTP/3 itself.
    WebUni(BytesMut),
    WebBi(BytesMut),
    /// The answer to CONNECT.
    Granted(BytesMut),
    /// Of a type that is still to be read.
    Uni(BytesMut),
    Control(BytesMut),
    Objects(Box<ObjectReader>),
    /// The relay's.
    Request(BytesMut),
    /// To a request of ours.
    Answer(BytesMut),
    Ignored,
}

/// The track's full name.
fn name_of(shape: &Shape, track: usize) -> TrackName {
    TrackName { namespace: namespace_of(track % shape.publishers), name: format!("t{track}").into() }
}

fn namespace_of(publisher: usize) -> Namespace {
    Namespace::new(["bench".to_owned(), format!("p{publisher}")])
}

impl Peer {
    pub(super) fn new(plan: Rc<Plan>, part: Part) -> Self {
        Self {
            plan,
            part,
            phase: Phase::Connecting,
            answers: 0,
            session: None,
            greeted: Greeted::InTurn,
            incoming: HashMap::new(),
            waiting: HashMap::new(),
            wanted: Vec::new(),
            current: HashMap::new(),
            unsent: 0,
        }
    }

    /// Something happened on its connection.
    pub(super) fn event(&mut self, quic: &mut Connection, event: Event, record: &mut Record) {
        match event {
            Event::Connected => self.connected(quic),
            Event::ConnectionLost { reason } => self.over(reason.to_string()),
            Event::Stream(StreamEvent::Opened { dir }) => self.accept(quic, dir, record),
            Event::Stream(StreamEvent::Readable { id }) => self.read(quic, id, record),
            Event::Stream(StreamEvent::Writable { id }) => self.push(quic, id),
            Event::Stream(StreamEvent::Stopped { id, .. }) => {
                self.waiting.remove(&id);
                self.current.retain(|_, sending| sending.stream != id);
                let _ = quic.send_stream(id).reset(VarInt::from_u32(0));
            }
            Event::DatagramReceived => self.datagrams(quic, record),
            Event::Stream(StreamEvent::Finished { .. } | StreamEvent::Available { .. })
            | Event::HandshakeDataReady
            | Event::DatagramsUnblocked => {}
        }
    }

    /// Sends an object that is due, where the relay asked for its track; it says that it was sent at `sent`.
    pub(super) fn publish(&mut self, quic: &mut Connection, due: &Due, sent: u64) {
        if self.plan.over != Over::Nothing && !self.wanted.contains(&due.track) {
            return;
        }
        let track = self.plan.shape.tracks[due.track];
        let payload = Stamp { track: due.track as u32, number: due.number, sent }.payload(due.bytes);
        let object = Object {
            subgroup: Subgroup {
                group: GroupId(due.group),
                id: SubgroupId(due.subgroup),
                priority: Priority(track.priority),
                ends_group: due.object + 1 == track.group || due.object + track.layers >= track.group,
                from_first: due.opens,
            },
            id: ObjectId(due.object),
            status: Status::Normal,
            properties: Properties::default(),
            payload,
        };
        let alias = TrackAlias(due.track as u64);
        match track.way {
            Way::Datagrams => self.send_datagram(quic, encode_datagram(alias, &object)),
            Way::Streams => self.send_on_stream(quic, due, alias, &object),
        }
    }

    fn send_datagram(&mut self, quic: &mut Connection, datagram: Bytes) {
        let datagram = match self.session {
            Some(session) => {
                let mut framed = BytesMut::with_capacity(datagram.len() + 8);
                web::put_integer(VarInt::from(session).into_inner() / 4, &mut framed);
                framed.extend_from_slice(&datagram);
                framed.freeze()
            }
            None => datagram,
        };
        if quic.datagrams().send(datagram, true).is_err() {
            self.unsent += 1;
        }
    }

    fn send_on_stream(&mut self, quic: &mut Connection, due: &Due, alias: TrackAlias, object: &Object) {
        let key = (due.track, due.subgroup);
        let mut head = BytesMut::new();
        if due.opens {
            self.current.remove(&key);
            let Some(stream) = quic.streams().open(Dir::Uni) else {
                self.unsent += 1;
                return;
            };
            // What is urgent leaves first, as from any publisher.
            let _ = quic.send_stream(stream).set_priority(-i32::from(object.subgroup.priority.0));
            let header = SubgroupHeader {
                alias,
                group: object.subgroup.group,
                subgroup: Some(object.subgroup.id),
                priority: Some(object.subgroup.priority),
                ends_group: object.subgroup.ends_group
                    || due.subgroup == 0 && self.plan.shape.tracks[due.track].layers == 1,
                from_first: true,
                has_properties: false,
            };
            if let Some(session) = self.session {
                head.extend_from_slice(&web::head(web::UNI, VarInt::from(session).into_inner()));
            }
            header.encode(&mut head);
            self.current.insert(key, Sending { stream, header, previous: None });
        }
        let Some(sending) = self.current.get_mut(&key) else {
            self.unsent += 1;
            return;
        };
        encode_object_header(sending.previous, &sending.header, object, &mut head);
        sending.previous = Some(object.id);
        let stream = sending.stream;
        let rest = if due.ends { Rest::Nothing } else { Rest::More };
        if due.ends {
            self.current.remove(&key);
        }
        self.write(quic, stream, [head.freeze(), object.payload.clone()], rest);
    }

    fn connected(&mut self, quic: &mut Connection) {
        match self.plan.over {
            Over::Nothing => self.phase = Phase::Ready,
            Over::Quic => self.set_up(quic),
            Over::WebTransport => {
                if let Some(control) = quic.streams().open(Dir::Uni) {
                    self.write(quic, control, [web::control()], Rest::More);
                }
                if let Some(session) = quic.streams().open(Dir::Bi) {
                    let request = web::request(&self.plan.authority, &self.plan.path, MOQT);
                    self.write(quic, session, [request], Rest::More);
                    self.incoming.insert(session, Incoming::Granted(BytesMut::new()));
                }
            }
        }
    }

    fn set_up(&mut self, quic: &mut Connection) {
        let is_raw = self.session.is_none();
        let option = |text: &str| is_raw.then(|| Bytes::copy_from_slice(text.as_bytes()));
        let setup = Setup {
            authority: option(&self.plan.authority),
            path: option(&self.plan.path).filter(|path| path.len() > 1),
            ..Setup::default()
        };
        let Some(control) = quic.streams().open(Dir::Uni) else { return };
        self.say(quic, control, web::UNI, &Message::Setup(setup), Rest::More);
    }

    /// The peer's SETUP is here.
    fn begin(&mut self, quic: &mut Connection) {
        let requests: Vec<Message> = match &self.part {
            Part::Publisher(tracks) => {
                let mut publishers: Vec<usize> =
                    tracks.iter().map(|track| track % self.plan.shape.publishers).collect();
                publishers.dedup();
                let announce = |(number, publisher): (usize, usize)| {
                    Message::PublishNamespace(PublishNamespace {
                        request: RequestId(2 * number as u64),
                        namespace: namespace_of(publisher),
                        parameters: Parameters::default(),
                    })
                };
                publishers.into_iter().take(1).enumerate().map(announce).collect()
            }
            Part::Subscriber(_, tracks) => {
                let shape = &self.plan.shape;
                let of_shape =
                    tracks.iter().map(|track| (name_of(shape, *track), shape.tracks[*track].priority));
                let of_room = self.plan.feeds.iter().map(|feed| (feed.clone(), FEED_PRIORITY));
                let subscribe = |(number, (track, priority)): (usize, (TrackName, u8))| {
                    Message::Subscribe(Subscribe {
                        request: RequestId(2 * number as u64),
                        track,
                        parameters: Parameters {
                            priority: Some(Priority(priority)),
                            ..Parameters::default()
                        },
                    })
                };
                of_shape.chain(of_room).enumerate().map(subscribe).collect()
            }
        };
        self.answers = requests.len();
        if requests.is_empty() {
            self.phase = Phase::Ready;
        }
        for request in requests {
            let Some(stream) = quic.streams().open(Dir::Bi) else {
                return self.over("the relay allows too few requests".into());
            };
            self.incoming.insert(stream, Incoming::Answer(BytesMut::new()));
            self.say(quic, stream, web::BI, &request, Rest::More);
        }
    }

    /// Writes a message; `kind` is what the stream begins with on WebTransport, 0 for one under way.
    fn say(&mut self, quic: &mut Connection, stream: StreamId, kind: u64, message: &Message, rest: Rest) {
        let mut bytes = BytesMut::new();
        if let (Some(session), 1..) = (self.session, kind) {
            bytes.extend_from_slice(&web::head(kind, VarInt::from(session).into_inner()));
        }
        if let Err(error) = message.encode(&mut bytes) {
            return self.over(error.to_string());
        }
        self.write(quic, stream, [bytes.freeze()], rest);
    }

    fn write<const N: usize>(&mut self, quic: &mut Connection, id: StreamId, bytes: [Bytes; N], rest: Rest) {
        let (waiting, at_end) = self.waiting.entry(id).or_insert((VecDeque::new(), rest));
        waiting.extend(bytes);
        *at_end = rest;
        self.push(quic, id);
    }

    /// Writes what waits for a stream.
    fn push(&mut self, quic: &mut Connection, id: StreamId) {
        let Some((waiting, rest)) = self.waiting.get_mut(&id) else { return };
        let mut stream = quic.send_stream(id);
        // Until it is blocked: only then Writable tells of more room.
        while !waiting.is_empty() {
            match stream.write_chunks(waiting.make_contiguous()) {
                Ok(_) => waiting.retain(|bytes| !bytes.is_empty()),
                Err(WriteError::Blocked) => return,
                Err(WriteError::Stopped(_) | WriteError::ClosedStream) => {
                    self.waiting.remove(&id);
                    return;
                }
            }
        }
        if *rest == Rest::Nothing {
            let _ = stream.finish();
        }
        self.waiting.remove(&id);
    }

    fn accept(&mut self, quic: &mut Connection, dir: Dir, record: &mut Record) {
        while let Some(id) = quic.streams().accept(dir) {
            let buffer = BytesMut::new();
            let incoming = match (dir, self.plan.over) {
                (Dir::Uni, Over::WebTransport) => Incoming::WebUni(buffer),
                (Dir::Bi, Over::WebTransport) => Incoming::WebBi(buffer),
                (Dir::Uni, Over::Quic | Over::Nothing) => Incoming::Uni(buffer),
                (Dir::Bi, Over::Quic | Over::Nothing) => Incoming::Request(buffer),
            };
            self.incoming.insert(id, incoming);
            self.read(quic, id, record);
        }
    }

    fn read(&mut self, quic: &mut Connection, id: StreamId, record: &mut Record) {
        loop {
            let mut stream = quic.recv_stream(id);
            let mut chunks = match stream.read(true) {
                Ok(chunks) => chunks,
                Err(ReadableError::ClosedStream | ReadableError::IllegalOrderedRead) => return,
            };
            let next = chunks.next(usize::MAX);
            let _ = chunks.finalize();
            match next {
                Ok(Some(chunk)) => self.take(quic, id, chunk.bytes, record),
                Ok(None) | Err(ReadError::Reset(_)) => {
                    self.ended(id);
                    return;
                }
                Err(ReadError::Blocked) => return,
            }
        }
    }

    fn ended(&mut self, id: StreamId) {
        match self.incoming.remove(&id) {
            Some(Incoming::Answer(_)) if self.phase == Phase::Connecting => {
                self.over("the relay ended a request without an answer".into());
            }
            Some(Incoming::Granted(_)) => self.over("the relay ended the WebTransport session".into()),
            _ => {}
        }
    }

    fn take(&mut self, quic: &mut Connection, id: StreamId, bytes: Bytes, record: &mut Record) {
        let Some(incoming) = self.incoming.remove(&id) else { return };
        let mut objects = match incoming {
            Incoming::Objects(reader) => reader,
            other => {
                let next = self.parse(quic, id, other, &bytes);
                match next {
                    // What came behind the header is left in `parse`'s reader.
                    Incoming::Objects(reader) => {
                        self.objects(id, reader, record);
                    }
                    next => {
                        self.incoming.insert(id, next);
                    }
                }
                return;
            }
        };
        objects.push(bytes);
        self.objects(id, objects, record);
    }

    fn objects(&mut self, id: StreamId, mut reader: Box<ObjectReader>, record: &mut Record) {
        loop {
            match reader.next() {
                Ok(Some(object)) if object.status == Status::Normal => self.arrived(&object.payload, record),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return self.over(error.to_string()),
            }
        }
        self.incoming.insert(id, Incoming::Objects(reader));
    }

    fn arrived(&mut self, payload: &[u8], record: &mut Record) {
        let Part::Subscriber(listener, _) = &mut self.part else { return };
        record.object(*listener, payload, clock::now());
        if let Listener::Visitor(asked) = listener {
            *asked = None;
        }
    }

    /// Reads bytes of anything but objects; says what the stream is now.
    fn parse(&mut self, quic: &mut Connection, id: StreamId, incoming: Incoming, bytes: &[u8]) -> Incoming {
        let add = |mut buffer: BytesMut| {
            buffer.extend_from_slice(bytes);
            buffer
        };
        match incoming {
            Incoming::WebUni(buffer) => match web_head(add(buffer)) {
                Ok((web::UNI, rest)) => self.parse(quic, id, Incoming::Uni(rest), &[]),
                Ok(_) => Incoming::Ignored,
                Err(buffer) => Incoming::WebUni(buffer),
            },
            Incoming::WebBi(buffer) => match web_head(add(buffer)) {
                Ok((web::BI, rest)) => self.parse(quic, id, Incoming::Request(rest), &[]),
                Ok(_) => Incoming::Ignored,
                Err(buffer) => Incoming::WebBi(buffer),
            },
            Incoming::Granted(buffer) if self.session.is_some() => Incoming::Granted(buffer),
            Incoming::Granted(buffer) => {
                let buffer = add(buffer);
                match web::is_granted(&buffer) {
                    Some(true) => {
                        self.session = Some(id);
                        self.set_up(quic);
                        if self.greeted == Greeted::Early {
                            self.begin(quic);
                        }
                    }
                    Some(false) => self.over("the relay refused the WebTransport session".into()),
                    None => {}
                }
                Incoming::Granted(buffer)
            }
            Incoming::Uni(buffer) => self.uni(quic, id, add(buffer)),
            Incoming::Control(buffer) => self.control(quic, add(buffer)),
            Incoming::Request(buffer) => self.request(quic, id, add(buffer)),
            Incoming::Answer(buffer) => self.answer(add(buffer)),
            Incoming::Objects(_) | Incoming::Ignored => Incoming::Ignored,
        }
    }

    fn uni(&mut self, quic: &mut Connection, _id: StreamId, mut buffer: BytesMut) -> Incoming {
        match StreamHeader::decode(&mut buffer) {
            Ok(Some(StreamHeader::Control)) => self.control(quic, buffer),
            Ok(Some(StreamHeader::Subgroup(header))) => {
                let mut reader = Box::new(ObjectReader::subgroup(header, NONE, LARGEST_OBJECT));
                reader.push(buffer.freeze());
                Incoming::Objects(reader)
            }
            Ok(Some(StreamHeader::Fetch(_) | StreamHeader::Padding)) => Incoming::Ignored,
            Ok(None) => Incoming::Uni(buffer),
            Err(error) => {
                self.over(error.to_string());
                Incoming::Ignored
            }
        }
    }

    fn control(&mut self, quic: &mut Connection, mut buffer: BytesMut) -> Incoming {
        loop {
            match Message::decode(&mut buffer) {
                // It may overtake the answer to CONNECT.
                Ok(Some(Message::Setup(_)))
                    if self.plan.over == Over::WebTransport && self.session.is_none() =>
                {
                    self.greeted = Greeted::Early;
                }
                Ok(Some(Message::Setup(_))) => self.begin(quic),
                Ok(Some(_)) => {}
                Ok(None) => return Incoming::Control(buffer),
                Err(error) => {
                    self.over(error.to_string());
                    return Incoming::Ignored;
                }
            }
        }
    }

    /// The relay asks for a track, or for what else is there.
    fn request(&mut self, quic: &mut Connection, id: StreamId, mut buffer: BytesMut) -> Incoming {
        loop {
            let message = match Message::decode(&mut buffer) {
                Ok(Some(message)) => message,
                Ok(None) => return Incoming::Request(buffer),
                Err(error) => {
                    self.over(error.to_string());
                    return Incoming::Ignored;
                }
            };
            let answer = match message {
                Message::Subscribe(subscribe) => {
                    let tracks = 0..self.plan.shape.tracks.len();
                    let mut named =
                        tracks.filter(|track| name_of(&self.plan.shape, *track) == subscribe.track);
                    let Some(track) = named.next() else { return Incoming::Ignored };
                    self.wanted.push(track);
                    Message::SubscribeOk(SubscribeOk {
                        alias: TrackAlias(track as u64),
                        parameters: Parameters::default(),
                        properties: Properties::default(),
                    })
                }
                // PUBLISH_NAMESPACE has told all there is.
                _ => Message::RequestOk(RequestOk::default()),
            };
            self.say(quic, id, 0, &answer, Rest::More);
        }
    }

    fn answer(&mut self, mut buffer: BytesMut) -> Incoming {
        loop {
            match Message::decode(&mut buffer) {
                Ok(Some(Message::SubscribeOk(_) | Message::RequestOk(_))) => {
                    self.answers = self.answers.saturating_sub(1);
                    if self.answers == 0 && self.phase == Phase::Connecting {
                        self.phase = Phase::Ready;
                    }
                }
                Ok(Some(Message::RequestError(error))) => {
                    self.over(format!("the relay refuses: {}", error.reason));
                }
                Ok(Some(Message::PublishDone(done))) => {
                    self.over(format!("the track ended: {}", done.reason))
                }
                Ok(Some(_)) => {}
                Ok(None) => return Incoming::Answer(buffer),
                Err(error) => {
                    self.over(error.to_string());
                    return Incoming::Ignored;
                }
            }
        }
    }

    fn datagrams(&mut self, quic: &mut Connection, record: &mut Record) {
        while let Some(mut datagram) = quic.datagrams().recv() {
            if self.session.is_some() {
                let mut rest = &datagram[..];
                let _ = web::take_integer(&mut rest);
                let taken = datagram.len() - rest.len();
                datagram.advance(taken);
            }
            if let Ok(Datagram::Object { object, .. }) = Datagram::decode(datagram) {
                self.arrived(&object.payload, record);
            }
        }
    }

    fn over(&mut self, why: String) {
        if !matches!(self.phase, Phase::Over(_)) {
            self.phase = Phase::Over(why);
        }
    }
}

/// The kind of a WebTransport stream and what follows its header, or all of it where that is not whole yet.
fn web_head(mut buffer: BytesMut) -> Result<(u64, BytesMut), BytesMut> {
    let mut rest = &buffer[..];
    let kind = web::take_integer(&mut rest);
    let is_ours = matches!(kind, Some(web::UNI | web::BI));
    match (kind, is_ours, web::take_integer(&mut rest)) {
        (Some(kind), false, _) => Ok((kind, BytesMut::new())),
        (Some(kind), true, Some(_)) => {
            let taken = buffer.len() - rest.len();
            buffer.advance(taken);
            Ok((kind, buffer))
        }
        _ => Err(buffer),
    }
}

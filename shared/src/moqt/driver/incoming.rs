//! The peer's data streams and datagrams: bytes to objects, objects to their reader.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use super::{
    bell::{Bell, Ring, Target},
    clock::now,
    handles::Handle,
    task::Task,
};
use crate::{
    moqt::{
        DoneCode, FetchItem, GroupId, Item, Received, Refused, RequestCode, ResetCode, SessionCode,
        SubgroupEnd, SubgroupId,
        session::{Alias, Input, Stream},
        wire::{Datagram, FetchReader, ObjectError, ObjectReader, StreamHeader, SubgroupHeader, WireError},
    },
    transport::{RecvStream, StreamError},
};

/// Bytes taken off a stream at once.
const READ: usize = 64 << 10;
/// Reads before other things get their turn.
const TURN: usize = 32;
/// Streams of subscriptions that are not answered yet; past it the oldest is stopped.
const MAX_PARKED: usize = 64;
/// How long such a stream waits for SUBSCRIBE_OK.
const PARKED: Duration = Duration::from_secs(5);

/// A unidirectional stream of the peer.
pub(super) struct In {
    recv: RecvStream,
    ring: Arc<Ring>,
    state: State,
}

enum State {
    /// Its header is not whole.
    Header(BytesMut),
    /// Its alias is not known yet.
    Parked {
        header: SubgroupHeader,
        rest: Bytes,
        until: Instant,
    },
    Subgroup {
        stream: Stream,
        header: SubgroupHeader,
        subgroup: Option<SubgroupId>,
        reader: ObjectReader,
    },
    Fetch {
        stream: Stream,
        reader: FetchReader,
    },
    Control,
    Padding,
}

/// What to do with a stream after a step.
enum Step {
    /// Go on.
    More,
    /// Wait for what rings.
    Wait,
    /// It is over.
    Over,
}

impl In {
    pub(super) fn new(bell: &Arc<Bell>, id: u64, recv: RecvStream) -> Self {
        let ring = bell.ring(Target::In(id));
        ring.ring();
        Self { recv, ring, state: State::Header(BytesMut::new()) }
    }

    /// Which request's data it carries.
    pub(super) fn stream(&self) -> Option<Stream> {
        match &self.state {
            State::Subgroup { stream, .. } | State::Fetch { stream, .. } => Some(*stream),
            State::Header(_) | State::Parked { .. } | State::Control | State::Padding => None,
        }
    }

    /// Asks the peer to stop.
    pub(super) fn stop(&mut self, code: ResetCode) {
        self.recv.stop(code.0);
    }

    pub(super) fn ring(&self) {
        self.ring.ring();
    }
}

impl Task {
    pub(super) fn look_at_in(&mut self, id: u64) {
        // Taken out for the time, so that the rest of the task is free.
        let Some(mut input) = self.ins.remove(&id) else { return };
        for turn in 0.. {
            if turn >= TURN {
                input.ring.ring();
                break;
            }
            match self.step(id, &mut input) {
                Ok(Step::More) => {}
                Ok(Step::Wait) => break,
                Ok(Step::Over) => return,
                Err(error) => return self.core.close(error.code, &error.reason),
            }
        }
        self.ins.insert(id, input);
    }

    fn step(&mut self, id: u64, input: &mut In) -> Result<Step, WireError> {
        match &mut input.state {
            State::Header(bytes) => {
                if let Some(header) = StreamHeader::decode(bytes)? {
                    let rest = std::mem::take(bytes).freeze();
                    return self.begin(id, input, header, rest);
                }
            }
            State::Parked { header, rest, .. } => {
                let (header, rest) = (*header, rest.clone());
                return Ok(self.route(id, input, header, rest));
            }
            State::Subgroup { stream, reader, subgroup, .. } => {
                if let Some(step) = self.deliver(*stream, reader, subgroup, id)? {
                    if let Step::Over = step {
                        input.stop(ResetCode::Cancelled);
                    }
                    return Ok(step);
                }
            }
            State::Fetch { stream, reader } => {
                if let Some(step) = self.deliver_fetch(*stream, reader, id)? {
                    if let Step::Over = step {
                        input.stop(ResetCode::Cancelled);
                    }
                    return Ok(step);
                }
            }
            State::Control | State::Padding => {}
        }
        let waker = input.ring.waker();
        match input.recv.poll_read(&mut Context::from_waker(&waker), READ) {
            Poll::Pending | Poll::Ready(Err(StreamError::Connection | StreamError::Ended)) => Ok(Step::Wait),
            Poll::Ready(Ok(Some(bytes))) => {
                match &mut input.state {
                    State::Header(known) => known.extend_from_slice(&bytes),
                    State::Subgroup { reader, .. } => reader.push(bytes),
                    State::Fetch { reader, .. } => reader.push(bytes),
                    State::Control => {
                        self.core.handle(now(), Input::Control(bytes));
                        self.settle();
                    }
                    State::Parked { .. } | State::Padding => {}
                }
                Ok(Step::More)
            }
            Poll::Ready(Ok(None)) => self.ended(&input.state, None).map(|()| Step::Over),
            Poll::Ready(Err(StreamError::Peer(code))) => {
                self.ended(&input.state, Some(ResetCode(code))).map(|()| Step::Over)
            }
        }
    }

    /// The header is there.
    fn begin(
        &mut self,
        id: u64,
        input: &mut In,
        header: StreamHeader,
        rest: Bytes,
    ) -> Result<Step, WireError> {
        match header {
            StreamHeader::Control if self.peer_control.is_some() => {
                Err(violation("a second control stream came"))
            }
            StreamHeader::Control => {
                self.peer_control = Some(id);
                input.state = State::Control;
                self.core.handle(now(), Input::Control(rest));
                self.settle();
                Ok(Step::More)
            }
            StreamHeader::Subgroup(header) => Ok(self.route(id, input, header, rest)),
            StreamHeader::Fetch(request) => {
                let Some(stream) = self.core.fetch_of(request) else {
                    // Cancelled meanwhile, most likely.
                    input.stop(ResetCode::Cancelled);
                    return Ok(Step::Over);
                };
                let mut reader = FetchReader::new(self.max_object_bytes);
                reader.push(rest);
                input.state = State::Fetch { stream, reader };
                Ok(Step::More)
            }
            StreamHeader::Padding => {
                input.state = State::Padding;
                Ok(Step::More)
            }
        }
    }

    fn route(&mut self, id: u64, input: &mut In, header: SubgroupHeader, rest: Bytes) -> Step {
        match self.core.alias(header.alias) {
            Alias::Known(stream) => {
                self.parked.retain(|&p| p != id);
                let priority = match self.handles.get(&stream) {
                    Some(Handle::Subscription { priority, .. }) => *priority,
                    _ => crate::moqt::Priority::default(),
                };
                let mut reader = ObjectReader::subgroup(header, priority, self.max_object_bytes);
                reader.push(rest);
                self.core.data_began(stream);
                input.state = State::Subgroup { stream, header, subgroup: header.subgroup, reader };
                Step::More
            }
            Alias::Retired => {
                self.parked.retain(|&p| p != id);
                input.stop(ResetCode::Cancelled);
                Step::Over
            }
            Alias::Unknown => {
                if !matches!(input.state, State::Parked { .. }) {
                    let until = now() + PARKED;
                    input.state = State::Parked { header, rest, until };
                    self.parked.push_back(id);
                    self.wake_by(Some(until));
                    if self.parked.len() > MAX_PARKED
                        && let Some(oldest) = self.parked.pop_front()
                        && let Some(mut oldest) = self.ins.remove(&oldest)
                    {
                        oldest.stop(ResetCode::ExcessiveLoad);
                    }
                }
                Step::Wait
            }
        }
    }

    /// Hands whole objects on. `None`: more bytes are needed.
    fn deliver(
        &mut self,
        stream: Stream,
        reader: &mut ObjectReader,
        subgroup: &mut Option<SubgroupId>,
        id: u64,
    ) -> Result<Option<Step>, WireError> {
        let Some(Handle::Subscription { port, blocked, .. }) = self.handles.get_mut(&stream) else {
            return Ok(Some(Step::Over));
        };
        loop {
            if port.lock().inbox.hold_back() {
                blocked.push(id);
                return Ok(Some(Step::Wait));
            }
            match reader.next() {
                Ok(Some(object)) => {
                    *subgroup = Some(object.subgroup.id);
                    let bytes = object.payload.len() + object.properties.0.len();
                    port.lock().inbox.push(Received::Item(Item::Object(object)), bytes);
                }
                Ok(None) => return Ok(None),
                Err(ObjectError::Wire(error)) => return Err(error),
                Err(error @ ObjectError::TooLarge { .. }) => {
                    let done = Received::Done { code: DoneCode::ExcessiveLoad, reason: error.to_string() };
                    let mut reading = port.lock();
                    reading.inbox.push(done, 0);
                    reading.inbox.end();
                    drop(reading);
                    self.core.cancel(stream, ResetCode::ExcessiveLoad);
                    return Ok(Some(Step::Over));
                }
            }
        }
    }

    fn deliver_fetch(
        &mut self,
        stream: Stream,
        reader: &mut FetchReader,
        id: u64,
    ) -> Result<Option<Step>, WireError> {
        let Some(Handle::Fetch { port, held, .. }) = self.handles.get_mut(&stream) else {
            return Ok(Some(Step::Over));
        };
        loop {
            if port.lock().hold_back() {
                *held = Some(id);
                return Ok(Some(Step::Wait));
            }
            match reader.next() {
                Ok(Some(item)) => {
                    let bytes = match &item {
                        FetchItem::Object(object) => object.payload.len() + object.properties.0.len(),
                        FetchItem::Gap { .. } => 0,
                    };
                    port.lock().push(Ok(item), bytes);
                }
                Ok(None) => return Ok(None),
                Err(ObjectError::Wire(error)) => return Err(error),
                Err(error @ ObjectError::TooLarge { .. }) => {
                    fail_fetch(port, &error.to_string());
                    self.core.cancel(stream, ResetCode::ExcessiveLoad);
                    return Ok(Some(Step::Over));
                }
            }
        }
    }

    /// The stream ended: in order, or reset with a code.
    fn ended(&mut self, state: &State, reset: Option<ResetCode>) -> Result<(), WireError> {
        match state {
            State::Header(bytes) if reset.is_none() && !bytes.is_empty() => {
                Err(violation("a stream ended in the middle of its header"))
            }
            State::Header(_) | State::Parked { .. } | State::Padding => Ok(()),
            State::Control => {
                self.core.handle(now(), Input::ControlEnded);
                Ok(())
            }
            State::Subgroup { stream, header, subgroup, reader } => {
                if reset.is_none() && !reader.is_between_objects() {
                    return Err(violation("a subgroup stream ended in the middle of an object"));
                }
                let end = reset.map_or(SubgroupEnd::Finished, SubgroupEnd::Reset);
                self.end_subgroup(*stream, header.group, *subgroup, end);
                Ok(())
            }
            State::Fetch { stream, reader } => {
                if reset.is_none() && !reader.is_between_objects() {
                    return Err(violation("a fetch stream ended in the middle of an object"));
                }
                if let Some(Handle::Fetch { port, .. }) = self.handles.get(stream) {
                    match reset {
                        None => port.lock().end(),
                        Some(code) => fail_fetch(port, &format!("the publisher gave it up with {code}")),
                    }
                }
                self.core.fetch_over(*stream);
                Ok(())
            }
        }
    }

    fn end_subgroup(
        &mut self,
        stream: Stream,
        group: GroupId,
        subgroup: Option<SubgroupId>,
        end: SubgroupEnd,
    ) {
        if let Some(subgroup) = subgroup
            && let Some(Handle::Subscription { port, .. }) = self.handles.get(&stream)
        {
            port.lock().inbox.push(Received::Item(Item::End { group, subgroup, end }), 0);
        }
        self.core.data_ended(stream);
    }

    /// The reader gave up some groups.
    pub(super) fn stop_groups(&mut self, stream: Stream, groups: &[GroupId]) {
        let ids: Vec<u64> = self
            .ins
            .iter()
            .filter(|(_, input)| match &input.state {
                State::Subgroup { stream: s, header, .. } => *s == stream && groups.contains(&header.group),
                _ => false,
            })
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            let Some(mut input) = self.ins.remove(&id) else { continue };
            input.stop(ResetCode::Cancelled);
            if let State::Subgroup { stream, header, subgroup, .. } = &input.state {
                self.end_subgroup(*stream, header.group, *subgroup, SubgroupEnd::Reset(ResetCode::Cancelled));
            }
        }
    }

    /// The request is over: nobody reads its streams.
    pub(super) fn stop_ins(&mut self, stream: Stream) {
        let ids: Vec<u64> =
            self.ins.iter().filter(|(_, input)| input.stream() == Some(stream)).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(mut input) = self.ins.remove(&id) {
                input.stop(ResetCode::Cancelled);
            }
        }
    }

    /// An alias became known.
    pub(super) fn ring_parked(&self) {
        for id in &self.parked {
            self.ins.get(id).into_iter().for_each(In::ring);
        }
    }

    /// Stops what waited too long for its alias; gives the next time.
    pub(super) fn expire_parked(&mut self, now: Instant) -> Option<Instant> {
        while let Some(&id) = self.parked.front() {
            match self.ins.get_mut(&id).map(|input| (&input.state, &mut input.recv)) {
                Some((State::Parked { until, .. }, _)) if *until > now => return Some(*until),
                Some((State::Parked { .. }, recv)) => {
                    recv.stop(ResetCode::Cancelled.0);
                    self.ins.remove(&id);
                }
                _ => {}
            }
            self.parked.pop_front();
        }
        None
    }

    pub(super) fn take_datagram(&mut self, datagram: Bytes) {
        let (alias, priority, mut object) = match Datagram::decode(datagram) {
            Ok(Datagram::Object { alias, priority, object }) => (alias, priority, object),
            Ok(Datagram::Padding) => return,
            Err(error) => return self.core.close(error.code, &error.reason),
        };
        let Alias::Known(stream) = self.core.alias(alias) else { return };
        let Some(Handle::Subscription { port, priority: default, .. }) = self.handles.get(&stream) else {
            return;
        };
        object.subgroup.priority = priority.unwrap_or(*default);
        let bytes = object.payload.len() + object.properties.0.len();
        port.lock().inbox.push_or_drop(Received::Item(Item::Datagram(object)), bytes);
    }
}

fn fail_fetch(port: &super::handles::FetchPort, reason: &str) {
    let mut inbox = port.lock();
    let refused =
        Refused::Error { code: RequestCode::InternalError, reason: reason.to_owned(), retry_after: None };
    inbox.push(Err(refused), 0);
    inbox.end();
}

fn violation(reason: &str) -> WireError {
    WireError { code: SessionCode::ProtocolViolation, reason: reason.to_owned() }
}

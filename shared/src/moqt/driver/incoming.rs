//! The peer's data streams: which request each belongs to, and how it ends. What comes on them goes to
//! its reader in `deliver`.

use std::{
    cmp::Reverse,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
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
        GroupId, GroupOrder, Priority, ResetCode, SessionCode, SubgroupEnd, SubgroupId,
        session::{Alias, Input, Stream},
        wire::{FetchReader, ObjectReader, StreamHeader, SubgroupHeader, WireError},
    },
    transport::{RecvStream, StreamError},
};

mod deliver;

/// Bytes taken off a stream at once.
const READ: usize = 64 << 10;
/// Reads before other things get their turn.
const TURN: usize = 32;

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
        urgency: Urgency,
        reader: ObjectReader,
        times: Times,
    },
    Fetch {
        stream: Stream,
        reader: FetchReader,
    },
    Control,
    Padding,
}

/// When what a stream brings came.
struct Times {
    /// The last bytes.
    read: Instant,
    /// The first byte of the payload of the object that is not whole yet.
    began: Option<Instant>,
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

/// How urgent a stream is to its reader, the lesser the more: by its publisher's priority, then the newer
/// group, then the lower subgroup.
type Urgency = (Priority, Reverse<GroupId>, Option<SubgroupId>);

fn urgency(header: &SubgroupHeader, default: Priority) -> Urgency {
    (header.priority.unwrap_or(default), Reverse(header.group), header.subgroup)
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
            State::Subgroup { stream, reader, subgroup, times, .. } => {
                if let Some(step) = self.deliver(*stream, reader, subgroup, times, id)? {
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
                    State::Subgroup { reader, times, .. } => {
                        times.read = now();
                        reader.push(bytes);
                    }
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
                let order = match self.handles.get(&stream) {
                    Some(Handle::Fetch { record, .. }) => record.order(),
                    _ => GroupOrder::default(),
                };
                let mut reader = FetchReader::new(self.max_object_bytes).with_order(order);
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
                    _ => Priority::default(),
                };
                self.core.data_began(stream);
                let urgency = urgency(&header, priority);
                if self.core.open_streams(stream) > self.limits.streams as u64
                    && !self.make_room(stream, urgency)
                {
                    input.stop(ResetCode::ExcessiveLoad);
                    self.core.data_ended(stream);
                    return Step::Over;
                }
                let mut reader = ObjectReader::subgroup(header, priority, self.max_object_bytes);
                reader.push(rest);
                let subgroup = header.subgroup;
                // What waited for its alias came before.
                let read = match &input.state {
                    State::Parked { until, .. } => until.checked_sub(self.limits.unknown_for),
                    _ => None,
                };
                let times = Times { read: read.unwrap_or_else(now), began: None };
                input.state = State::Subgroup { stream, header, subgroup, urgency, reader, times };
                Step::More
            }
            Alias::Retired => {
                self.parked.retain(|&p| p != id);
                input.stop(ResetCode::Cancelled);
                Step::Over
            }
            Alias::Unknown => {
                if !matches!(input.state, State::Parked { .. }) {
                    let until = now() + self.limits.unknown_for;
                    input.state = State::Parked { header, rest, until };
                    self.parked.push_back(id);
                    self.wake_by(Some(until));
                    if self.parked.len() > self.limits.unknown_streams
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
            self.stop_subgroup(id, ResetCode::Cancelled);
        }
    }

    fn stop_subgroup(&mut self, id: u64, code: ResetCode) {
        let Some(mut input) = self.ins.remove(&id) else { return };
        input.stop(code);
        if let State::Subgroup { stream, header, subgroup, .. } = &input.state {
            self.end_subgroup(*stream, header.group, *subgroup, SubgroupEnd::Reset(code));
        }
    }

    /// Stops the least urgent stream of a subscription; `false` where none is less urgent than this.
    fn make_room(&mut self, stream: Stream, than: Urgency) -> bool {
        let of_it = self.ins.iter().filter_map(|(id, input)| match &input.state {
            State::Subgroup { stream: s, urgency, .. } if *s == stream => Some((*urgency, *id)),
            _ => None,
        });
        match of_it.max().filter(|(urgency, _)| *urgency > than) {
            Some((_, id)) => {
                self.stop_subgroup(id, ResetCode::ExcessiveLoad);
                true
            }
            None => false,
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
            self.ins.get(id).into_iter().for_each(|input| input.ring());
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
}

fn violation(reason: &str) -> WireError {
    WireError { code: SessionCode::ProtocolViolation, reason: reason.to_owned() }
}

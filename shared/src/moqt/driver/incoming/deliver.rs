//! Objects, from streams and datagrams, to their reader.

use bytes::Bytes;

use super::{State, Step, Times, violation};
use crate::moqt::{
    DoneCode, FetchItem, GroupId, Item, Object, Received, Refused, RequestCode, ResetCode, SubgroupEnd,
    SubgroupId,
    driver::{
        clock::now,
        handles::{FetchPort, Handle},
        task::Task,
    },
    session::{
        Alias, Input, Stream,
        record::{Forwarding, Last, Verdict},
    },
    wire::{Datagram, FetchReader, ObjectError, ObjectReader, SubgroupHeader, WireError},
};

impl Task {
    /// Hands whole objects on. `None`: more bytes are needed.
    pub(super) fn deliver(
        &mut self,
        stream: Stream,
        reader: &mut ObjectReader,
        subgroup: &mut Option<SubgroupId>,
        times: &mut Times,
        id: u64,
    ) -> Result<Option<Step>, WireError> {
        let Some(Handle::Subscription { port, blocked, record, .. }) = self.handles.get_mut(&stream) else {
            return Ok(Some(Step::Over));
        };
        loop {
            if port.lock().inbox.hold_back() {
                blocked.push(id);
                return Ok(Some(Step::Wait));
            }
            let next = reader.next().and_then(|object| match object {
                Some(object) => {
                    record.object(&object, Forwarding::Subgroup(id)).map(|new| Some((object, new)))
                }
                None => Ok(None),
            });
            match next {
                Ok(Some((object, verdict))) => {
                    *subgroup = Some(object.subgroup.id);
                    let began = times.began.take().unwrap_or(times.read);
                    if verdict == Verdict::Repeated {
                        continue;
                    }
                    let bytes = size(&object);
                    let mut reading = port.lock();
                    if verdict == Verdict::Apart {
                        let (group, subgroup) = (object.subgroup.group, object.subgroup.id);
                        let end = SubgroupEnd::Reset(ResetCode::Cancelled);
                        reading.inbox.push((Received::Item(Item::End { group, subgroup, end }), began), 0);
                    }
                    reading.inbox.push((Received::Item(Item::Object(object)), began), bytes);
                }
                Ok(None) => {
                    if reader.is_in_payload() {
                        times.began.get_or_insert(times.read);
                    }
                    return Ok(None);
                }
                Err(error) => return self.break_off(stream, error).map(|()| Some(Step::Over)),
            }
        }
    }

    /// The same for a fetch.
    pub(super) fn deliver_fetch(
        &mut self,
        stream: Stream,
        reader: &mut FetchReader,
        id: u64,
    ) -> Result<Option<Step>, WireError> {
        let Some(Handle::Fetch { port, held, record, .. }) = self.handles.get_mut(&stream) else {
            return Ok(Some(Step::Over));
        };
        loop {
            if port.lock().hold_back() {
                *held = Some(id);
                return Ok(Some(Step::Wait));
            }
            let next = reader.next().and_then(|item| {
                match &item {
                    Some(FetchItem::Object(object)) => record.object(object, Forwarding::Subgroup(id))?,
                    Some(FetchItem::Datagram(object)) => record.object(object, Forwarding::Datagram)?,
                    Some(FetchItem::Gap { end, .. }) => record.gap(*end)?,
                    None => {}
                }
                Ok(item)
            });
            match next {
                Ok(Some(item)) => {
                    let bytes = match &item {
                        FetchItem::Object(object) | FetchItem::Datagram(object) => size(object),
                        FetchItem::Gap { .. } => 0,
                    };
                    port.lock().push(Ok(item), bytes);
                }
                Ok(None) => return Ok(None),
                Err(error) => return self.break_off(stream, error).map(|()| Some(Step::Over)),
            }
        }
    }

    pub(in crate::moqt::driver) fn take_datagram(&mut self, datagram: Bytes) {
        let (alias, priority, mut object) = match Datagram::decode(datagram) {
            Ok(Datagram::Object { alias, priority, object }) => (alias, priority, object),
            Ok(Datagram::Padding) => return,
            Err(error) => return self.core.close(error.code, &error.reason),
        };
        let Alias::Known(stream) = self.core.alias(alias) else { return };
        let Some(Handle::Subscription { port, priority: default, record, .. }) =
            self.handles.get_mut(&stream)
        else {
            return;
        };
        object.subgroup.priority = priority.unwrap_or(*default);
        match record.object(&object, Forwarding::Datagram) {
            Ok(Verdict::New | Verdict::Apart) => {
                let bytes = size(&object);
                let datagram = Received::Item(Item::Datagram(object));
                port.lock().inbox.push_or_drop((datagram, now()), bytes);
            }
            Ok(Verdict::Repeated) => {}
            Err(error) => {
                if let Err(error) = self.break_off(stream, error) {
                    self.core.close(error.code, &error.reason);
                }
            }
        }
    }

    /// The stream ended: in order, or reset with a code.
    pub(super) fn ended(&mut self, state: &State, reset: Option<ResetCode>) -> Result<(), WireError> {
        match state {
            State::Header(bytes) if reset.is_none() && !bytes.is_empty() => {
                Err(violation("a stream ended in the middle of its header"))
            }
            State::Header(_) | State::Parked { .. } | State::Padding => Ok(()),
            State::Control => {
                self.hear_out();
                self.core.handle(now(), Input::ControlEnded);
                Ok(())
            }
            State::Subgroup { stream, header, subgroup, reader, .. } => {
                if reset.is_none() && !reader.is_between_objects() {
                    return Err(violation("a subgroup stream ended in the middle of an object"));
                }
                if reset.is_none() {
                    self.finished(*stream, header, *subgroup, reader)?;
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
                        Some(code) => {
                            fail_fetch(port, refusal(code), &format!("the publisher gave it up with {code}"));
                        }
                    }
                }
                self.core.fetch_over(*stream);
                Ok(())
            }
        }
    }

    /// A subgroup's stream ended in order.
    fn finished(
        &mut self,
        stream: Stream,
        header: &SubgroupHeader,
        subgroup: Option<SubgroupId>,
        reader: &ObjectReader,
    ) -> Result<(), WireError> {
        let (Some(subgroup), Some((id, status))) = (subgroup, reader.last()) else { return Ok(()) };
        let Some(Handle::Subscription { record, .. }) = self.handles.get_mut(&stream) else {
            return Ok(());
        };
        match record.finished(header.group, subgroup, Last { id, status }, header.ends_group) {
            Ok(()) => Ok(()),
            Err(error) => self.break_off(stream, error),
        }
    }

    pub(super) fn end_subgroup(
        &mut self,
        stream: Stream,
        group: GroupId,
        subgroup: Option<SubgroupId>,
        end: SubgroupEnd,
    ) {
        if let Some(subgroup) = subgroup
            && let Some(Handle::Subscription { port, .. }) = self.handles.get(&stream)
        {
            port.lock().inbox.push((Received::Item(Item::End { group, subgroup, end }), now()), 0);
        }
        self.core.data_ended(stream);
    }

    /// What came ends its subscription or fetch, and the reader is told; or else it ends the session.
    fn break_off(&mut self, stream: Stream, error: ObjectError) -> Result<(), WireError> {
        let reason = error.to_string();
        let (done, refused, reset) = match error {
            ObjectError::Wire(error) => return Err(error),
            ObjectError::TooLarge { .. } => {
                (DoneCode::ExcessiveLoad, RequestCode::ExcessiveLoad, ResetCode::ExcessiveLoad)
            }
            ObjectError::Malformed(_) => {
                (DoneCode::MalformedTrack, RequestCode::MalformedTrack, ResetCode::MalformedTrack)
            }
        };
        match self.handles.get(&stream) {
            Some(Handle::Subscription { port, .. }) => {
                let mut reading = port.lock();
                reading.inbox.push((Received::Done { code: done, reason }, now()), 0);
                reading.inbox.end();
            }
            Some(Handle::Fetch { port, .. }) => fail_fetch(port, refused, &reason),
            _ => {}
        }
        self.core.cancel(stream, reset);
        Ok(())
    }
}

fn size(object: &Object) -> usize {
    object.payload.len() + object.properties.0.len()
}

/// What the reader of a fetch is told of a stream that was reset.
fn refusal(code: ResetCode) -> RequestCode {
    match code {
        ResetCode::MalformedTrack => RequestCode::MalformedTrack,
        ResetCode::GoingAway => RequestCode::GoingAway,
        ResetCode::ExcessiveLoad => RequestCode::ExcessiveLoad,
        ResetCode::DeliveryTimeout => RequestCode::Timeout,
        _ => RequestCode::InternalError,
    }
}

fn fail_fetch(port: &FetchPort, code: RequestCode, reason: &str) {
    let mut inbox = port.lock();
    let refused = Refused::Error { code, reason: reason.to_owned(), retry_after: None };
    inbox.push(Err(refused), 0);
    inbox.end();
}

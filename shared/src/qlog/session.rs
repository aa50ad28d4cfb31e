//! What passes over one connection: the bytes of each stream, read once more for the log.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use serde_json::json;

use super::{Log, message, object};
use crate::{
    moqt::{
        GroupOrder, Priority,
        wire::{
            Datagram, FetchReader, Message, ObjectReader, RequestId, StreamHeader, SubgroupHeader, TrackAlias,
        },
    },
    transport::{Direction, Half, Watch, WatchStream},
};

/// Fetches whose order is remembered; past it the oldest is forgotten, and is taken to ascend.
const MOST_FETCHES: usize = 1024;
/// Larger objects are not followed: a session's own bound is lower.
const MOST_OBJECT_BYTES: usize = 1 << 30;

/// One connection's log.
#[derive(Debug, Clone)]
pub(super) struct Session {
    log: Log,
    fetches: Arc<Mutex<BTreeMap<RequestId, GroupOrder>>>,
}

impl Session {
    pub(super) fn new(log: Log) -> Self {
        Self { log, fetches: Arc::default() }
    }

    fn remember(&self, message: &Message) {
        if let Message::Fetch(fetch) = message
            && let Some(order) = fetch.parameters.order
        {
            let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
            fetches.insert(fetch.request, order);
            if fetches.len() > MOST_FETCHES {
                fetches.pop_first();
            }
        }
    }

    fn order(&self, request: RequestId) -> GroupOrder {
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        fetches.remove(&request).unwrap_or(GroupOrder::Ascending)
    }
}

impl Watch for Session {
    fn stream(&self, half: Half) -> Box<dyn WatchStream> {
        let part = if half.is_bidirectional { Part::Messages } else { Part::Header };
        Box::new(Stream { session: self.clone(), half, part, input: BytesMut::new() })
    }

    fn datagram(&self, direction: Direction, datagram: &Bytes) {
        if let Ok(Datagram::Object { alias: TrackAlias(alias), priority, object }) =
            Datagram::decode(datagram.clone())
        {
            let event = format!("moqt:object_datagram_{}", did(direction));
            self.log.event(&event, &object::datagram(alias, priority, &object));
        }
    }
}

/// The draft's word for what this side did.
fn did(direction: Direction) -> &'static str {
    match direction {
        Direction::Sent => "created",
        Direction::Received => "parsed",
    }
}

/// One half of a stream. What cannot be read ends its log; the session itself judges it.
#[derive(Debug)]
struct Stream {
    session: Session,
    half: Half,
    part: Part,
    /// What is not read yet, of a header or of messages.
    input: BytesMut,
}

/// What comes next on it.
#[derive(Debug)]
enum Part {
    Header,
    Messages,
    Subgroup { header: SubgroupHeader, objects: Box<ObjectReader> },
    Fetch(Box<FetchReader>),
    Nothing,
}

impl WatchStream for Stream {
    fn bytes(&mut self, bytes: &Bytes) {
        match &mut self.part {
            Part::Header | Part::Messages => self.input.extend_from_slice(bytes),
            Part::Subgroup { objects, .. } => objects.push(bytes.clone()),
            Part::Fetch(items) => items.push(bytes.clone()),
            Part::Nothing => return,
        }
        if self.read().is_none() {
            self.part = Part::Nothing;
        }
    }
}

impl Stream {
    /// Reads what is whole. `None` where the rest is of no use.
    fn read(&mut self) -> Option<()> {
        if let Part::Header = self.part {
            let Some(header) = StreamHeader::decode(&mut self.input).ok()? else { return Some(()) };
            self.begin(header)?;
        }
        let stream = self.half.stream;
        match &mut self.part {
            Part::Header | Part::Nothing => {}
            Part::Messages => {
                while let Some(message) = Message::decode(&mut self.input).ok()? {
                    self.session.remember(&message);
                    let data = json!({ "stream_id": stream, "message": message::json(&message) });
                    self.event("moqt:control_message", &data);
                }
            }
            Part::Subgroup { header, objects } => {
                let header = *header;
                let mut all = Vec::new();
                let mut previous = objects.last().map(|(id, _)| id);
                while let Some(next) = objects.next().ok()? {
                    all.push(object::subgroup_object(stream, previous, &header, &next));
                    previous = Some(next.id);
                }
                all.iter().for_each(|data| self.event("moqt:subgroup_object", data));
            }
            Part::Fetch(items) => {
                let mut all = Vec::new();
                while let Some(item) = items.next().ok()? {
                    all.push(object::fetch_object(stream, &item));
                }
                all.iter().for_each(|data| self.event("moqt:fetch_object", data));
            }
        }
        Some(())
    }

    fn begin(&mut self, header: StreamHeader) -> Option<()> {
        match header {
            StreamHeader::Control => {
                self.is_of("control");
                self.part = Part::Messages;
            }
            StreamHeader::Subgroup(header) => {
                self.is_of("subgroup_header");
                self.event("moqt:subgroup_header", &object::subgroup_header(self.half.stream, &header));
                // The priority of a header without one is not told by the log.
                let mut objects = ObjectReader::subgroup(header, Priority::default(), MOST_OBJECT_BYTES);
                objects.push(std::mem::take(&mut self.input).freeze());
                self.part = Part::Subgroup { header, objects: Box::new(objects) };
            }
            StreamHeader::Fetch(request) => {
                self.is_of("fetch_header");
                let data = json!({ "stream_id": self.half.stream, "request_id": request.0 });
                self.event("moqt:fetch_header", &data);
                let mut items = FetchReader::new(MOST_OBJECT_BYTES).with_order(self.session.order(request));
                items.push(std::mem::take(&mut self.input).freeze());
                self.part = Part::Fetch(Box::new(items));
            }
            StreamHeader::Padding => return None,
        }
        Some(())
    }

    /// Logs what the stream is for.
    fn is_of(&self, kind: &str) {
        let owner = match self.half.direction {
            Direction::Sent => "local",
            Direction::Received => "remote",
        };
        let data = json!({ "owner": owner, "stream_id": self.half.stream, "stream_type": kind });
        self.session.log.event("moqt:stream_type_set", &data);
    }

    fn event(&self, what: &str, data: &serde_json::Value) {
        self.session.log.event(&format!("{what}_{}", did(self.half.direction)), data);
    }
}

//! Feeds bytes to each parser of `shared` and checks what must hold whatever they are: nothing
//! panics, what was read can be written and reads the same again, and streams read the same in any
//! pieces.
//!
//! A whole session is fed too: see [`session`].
//!
//! The fuzz targets call these with a fuzzer's bytes, `shared/tests/parsers.rs` with seeded ones.

use bytes::{Bytes, BytesMut};
use shared::{
    catalog::Catalog,
    loc,
    media::{h264, timecode},
    moqt::{
        FetchItem, GroupOrder, Object, Priority, Properties,
        wire::{
            Datagram, FetchReader, Message, ObjectError, ObjectReader, StreamHeader, TrackProperties,
            encode_datagram,
        },
    },
    room::{Say, Saying, chat, text},
};

mod session;

pub use session::session;

/// Small, so that a fuzzer gets past it.
const MAX_OBJECT_BYTES: usize = 64;

/// Control messages one after another, as on a control or request stream.
pub fn control_message(data: &[u8]) {
    let mut input = BytesMut::from(data);
    while let Ok(Some(message)) = Message::decode(&mut input) {
        let written = written(&message);
        let again = Message::decode(&mut written.clone()).expect("what was written is valid");
        let again = again.expect("what was written is whole");
        assert_eq!(self::written(&again), written, "{message:?}");
    }
}

fn written(message: &Message) -> BytesMut {
    let mut output = BytesMut::new();
    message.encode(&mut output).expect("what was read can be written");
    output
}

/// A unidirectional stream: its header, then objects, whole and in pieces.
pub fn stream(data: &[u8]) {
    let mut input = BytesMut::from(data);
    match StreamHeader::decode(&mut input) {
        Ok(Some(StreamHeader::Subgroup(header))) => {
            let read = |piece: usize| {
                let mut reader = ObjectReader::subgroup(header, Priority::default(), MAX_OBJECT_BYTES);
                let mut objects: Vec<Object> = Vec::new();
                let mut end = Ok(());
                for piece in input.chunks(piece) {
                    reader.push(Bytes::copy_from_slice(piece));
                    end = drain(|| reader.next(), &mut objects);
                }
                assert!(objects.iter().all(|object| object.payload.len() <= MAX_OBJECT_BYTES));
                (objects, end, reader.is_between_objects())
            };
            assert_eq!(read(1), read(usize::MAX));
        }
        Ok(Some(StreamHeader::Fetch(_))) => fetch(&input),
        Ok(Some(StreamHeader::Control)) => control_message(&input),
        Ok(Some(StreamHeader::Padding) | None) | Err(_) => {}
    }
}

/// What follows FETCH_HEADER, whole and in pieces, in both group orders.
pub fn fetch(data: &[u8]) {
    for order in [GroupOrder::Ascending, GroupOrder::Descending] {
        let read = |piece: usize| {
            let mut reader = FetchReader::new(MAX_OBJECT_BYTES).with_order(order);
            let mut items: Vec<FetchItem> = Vec::new();
            let mut end = Ok(());
            for piece in data.chunks(piece) {
                reader.push(Bytes::copy_from_slice(piece));
                end = drain(|| reader.next(), &mut items);
            }
            (items, end, reader.is_between_objects())
        };
        assert_eq!(read(1), read(usize::MAX));
    }
}

/// All that is there now.
fn drain<T>(
    mut next: impl FnMut() -> Result<Option<T>, ObjectError>,
    all: &mut Vec<T>,
) -> Result<(), ObjectError> {
    while let Some(item) = next()? {
        all.push(item);
    }
    Ok(())
}

/// One datagram.
pub fn datagram(data: &[u8]) {
    let Ok(Datagram::Object { alias, object, .. }) = Datagram::decode(Bytes::copy_from_slice(data)) else {
        return;
    };
    let priority = Some(object.subgroup.priority);
    let again = Datagram::decode(encode_datagram(alias, &object));
    assert_eq!(again, Ok(Datagram::Object { alias, priority, object }));
}

/// Properties of an object or a track.
pub fn properties(data: &[u8]) {
    let properties = Properties(Bytes::copy_from_slice(data));
    if let Ok(pairs) = properties.pairs() {
        assert_eq!(Properties::from_pairs(&pairs).pairs(), Ok(pairs));
    }
    let _ = properties.unsupported();
    if let Ok(track) = TrackProperties::decode(&properties) {
        assert_eq!(TrackProperties::decode(&track.encode()), Ok(track));
    }
}

/// A LOC object's properties.
pub fn loc(data: &[u8]) {
    if let Ok(header) = loc::Header::decode(&Properties(Bytes::copy_from_slice(data))) {
        assert_eq!(loc::Header::decode(&header.encode()), Ok(header));
    }
}

/// A catalog and an update of it.
pub fn catalog(data: &[u8]) {
    let mut before = Catalog::default();
    let _ = before.apply(data);
    let Ok(mut catalog) = Catalog::parse(data) else { return };
    let json = catalog.to_json();
    let again = Catalog::parse(&json).expect("what was written is a catalog");
    assert_eq!(again.to_json(), json);
    assert!(catalog.apply(data).is_err(), "a catalog is no update");
}

/// What a viewer says.
pub fn saying(data: &[u8]) {
    let Ok(saying) = serde_json::from_slice::<Saying>(data) else { return };
    let json = serde_json::to_vec(&saying).expect("what was read can be written");
    let again: Saying = serde_json::from_slice(&json).expect("what was written is a saying");
    assert_eq!(again, saying);
    if let Say::Chat(draft) = &saying.say
        && let Ok(shown) = text::clean(&draft.text, chat::MAX_CHARS)
    {
        assert!(!shown.is_empty() && shown.chars().count() <= chat::MAX_CHARS);
        assert!(!shown.chars().any(char::is_control));
        assert_eq!(text::clean(&shown, chat::MAX_CHARS), Ok(shown), "what is shown stays as it is");
    }
}

/// H.264: an access unit, a sequence parameter set and a file's configuration.
pub fn sps(data: &[u8]) {
    let _ = h264::parse_sps(data);
    let _ = h264::AvcConfig::parse(data);
    let _ = h264::is_keyframe(data);
    for unit in h264::units(data) {
        let _ = h264::kind(unit);
        let _ = h264::parse_sps(unit);
    }
}

/// The timecode in a picture of a width and a stride that the first bytes say.
pub fn timecode(data: &[u8]) {
    let [width, stride, luma @ ..] = data else { return };
    let (width, stride) = (usize::from(*width), usize::from(*stride));
    let _ = timecode::read(luma, stride, width);
    let _ = timecode::read(luma, 4 * stride, 4 * width);
}

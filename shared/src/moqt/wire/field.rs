//! Integers, names and texts inside a message (draft-18 §1.4, §2.4.1).

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use moq_transport::coding::{self, Decode, DecodeError, Encode, TupleField};

use super::{RequestId, Token, WireError};
use crate::moqt::{
    Location, Namespace, SessionCode, TrackName,
    name::{MAX_FULL_NAME_BYTES, MAX_NAMESPACE_FIELDS},
};

/// Most bytes of a reason phrase (draft-18 §1.4.4).
pub(super) const MAX_REASON_BYTES: usize = 1024;
/// Most bytes of a URI in GOAWAY (draft-18 §10.4).
pub(super) const MAX_URI_BYTES: usize = 8192;

/// The integer at the front of `input` and its length; `None` where it is not whole yet.
#[inline]
pub(super) fn peek_integer(input: &[u8]) -> Option<(u64, usize)> {
    let (&first, after) = input.split_first()?;
    let length = integer_length(first);
    if length == 1 {
        return Some((first.into(), 1));
    }
    let tail = match after.first_chunk() {
        // One load, where there is enough to load.
        Some(&wide) => u64::from_be_bytes(wide) >> (8 * (9 - length)),
        None => after.get(..length - 1)?.iter().fold(0, |value, &byte| (value << 8) | u64::from(byte)),
    };
    // Past 7 bytes the first one has no bit of the value.
    let head = if length < 8 { u64::from(first) & (0xff >> length) } else { 0 };
    Some((head.wrapping_shl(8 * (length as u32 - 1)) | tail, length))
}

/// Length of the integer that begins with `first`, from 1 to 9 bytes.
#[inline]
pub(super) fn integer_length(first: u8) -> usize {
    first.leading_ones() as usize + 1
}

/// Appends an integer in its shortest form.
pub(super) fn put_integer(value: u64, output: &mut BytesMut) {
    match value {
        0..0x80 => output.put_u8(value as u8),
        0x80..0x4000 => output.put_u16(0x8000 | value as u16),
        0x4000..0x20_0000 => output.put_uint(0xc0_0000 | value, 3),
        0x20_0000..0x1000_0000 => output.put_u32(0xe000_0000 | value as u32),
        0x1000_0000..0x8_0000_0000 => output.put_uint(0xf0 << 32 | value, 5),
        0x8_0000_0000..0x400_0000_0000 => output.put_uint(0xf8 << 40 | value, 6),
        0x400_0000_0000..0x2_0000_0000_0000 => output.put_uint(0xfc << 48 | value, 7),
        0x2_0000_0000_0000..0x100_0000_0000_0000 => output.put_u64(0xfe << 56 | value),
        0x100_0000_0000_0000.. => {
            output.put_u8(0xff);
            output.put_u64(value);
        }
    }
}

/// Appends bytes after their length.
pub(super) fn put_bytes(bytes: &[u8], output: &mut BytesMut) {
    put_integer(bytes.len() as u64, output);
    output.extend_from_slice(bytes);
}

pub(super) fn put_location(location: Location, output: &mut BytesMut) {
    put_integer(location.group.0, output);
    put_integer(location.object.0, output);
}

/// Appends a duration in milliseconds.
pub(super) fn put_millis(duration: Duration, output: &mut BytesMut) {
    put_integer(millis(duration), output);
}

/// Milliseconds, rounded up: a short timeout must not read as none, which is what zero says.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Appends a reason phrase, cut to what the draft allows.
pub(super) fn put_reason(reason: &str, output: &mut BytesMut) {
    put_bytes(&reason.as_bytes()[..reason.floor_char_boundary(MAX_REASON_BYTES)], output);
}

/// Appends a namespace.
///
/// # Errors
/// [`WireError`] where it breaks the draft's limits.
pub(super) fn put_namespace(namespace: &Namespace, output: &mut BytesMut) -> Result<(), WireError> {
    let fields = namespace.fields().iter().map(|field| TupleField { value: field.to_vec() }).collect();
    coding::TrackNamespacePrefix { fields }
        .encode(output)
        .map_err(|error| WireError::ours(format!("the namespace {namespace} cannot be sent: {error}")))
}

/// Appends a namespace, then a name in it.
///
/// # Errors
/// [`WireError`] where they break the draft's limits.
pub(super) fn put_track(track: &TrackName, output: &mut BytesMut) -> Result<(), WireError> {
    if full_name_bytes(track) > MAX_FULL_NAME_BYTES {
        return Err(WireError::ours(format!("the track name {track} is over {MAX_FULL_NAME_BYTES} bytes")));
    }
    put_namespace(&track.namespace, output)?;
    put_bytes(&track.name, output);
    Ok(())
}

fn full_name_bytes(track: &TrackName) -> usize {
    track.namespace.fields().iter().map(Bytes::len).sum::<usize>() + track.name.len()
}

/// The fields of one whole message or datagram, taken from its front.
/// What ends too early breaks the draft.
#[derive(Debug)]
pub(super) struct Fields {
    bytes: Bytes,
    /// What is being read, for errors.
    what: &'static str,
}

impl Fields {
    pub(super) fn new(what: &'static str, bytes: Bytes) -> Self {
        Self { bytes, what }
    }

    /// The draft's PROTOCOL_VIOLATION, said of what is being read.
    pub(super) fn violation(&self, reason: impl std::fmt::Display) -> WireError {
        WireError::violation(format!("{}: {reason}", self.what))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), WireError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(self.violation(format_args!("{left} bytes follow its last field"))),
        }
    }

    fn decode<T: Decode>(&mut self, field: &str) -> Result<T, WireError> {
        T::decode(&mut self.bytes).map_err(|error| match error {
            DecodeError::More(missing) => {
                self.violation(format_args!("it ends {missing} bytes too early, in its {field}"))
            }
            DecodeError::EmptyNamespaceField => self.violation("a namespace field is empty"),
            DecodeError::TrackNameTooLong => {
                self.violation(format_args!("its {field} is over {MAX_FULL_NAME_BYTES} bytes"))
            }
            DecodeError::FieldBoundsExceeded(_) => self.violation(format_args!(
                "its {field} is over {MAX_FULL_NAME_BYTES} bytes or {MAX_NAMESPACE_FIELDS} fields"
            )),
            other => self.violation(format_args!("its {field} cannot be read: {other}")),
        })
    }

    pub(super) fn integer(&mut self, field: &str) -> Result<u64, WireError> {
        match peek_integer(&self.bytes) {
            Some((value, length)) => {
                self.bytes.advance(length);
                Ok(value)
            }
            None => Err(self.violation(format_args!("it ends within its {field}"))),
        }
    }

    pub(super) fn request(&mut self) -> Result<RequestId, WireError> {
        self.integer("request ID").map(RequestId)
    }

    pub(super) fn byte(&mut self, field: &str) -> Result<u8, WireError> {
        self.bytes.try_get_u8().map_err(|_| self.violation(format_args!("it ends before its {field}")))
    }

    pub(super) fn location(&mut self, field: &str) -> Result<Location, WireError> {
        let location: coding::Location = self.decode(field)?;
        Ok(Location::new(location.group_id, location.object_id))
    }

    pub(super) fn millis(&mut self, field: &str) -> Result<Duration, WireError> {
        self.integer(field).map(Duration::from_millis)
    }

    /// Bytes after their length, at most `limit`.
    pub(super) fn bytes(&mut self, field: &str, limit: usize) -> Result<Bytes, WireError> {
        let length = self.integer(field)?;
        match usize::try_from(length) {
            Ok(length) if length <= limit => {
                if length > self.bytes.remaining() {
                    return Err(self.violation(format_args!("it ends within its {field}")));
                }
                Ok(self.bytes.split_to(length))
            }
            _ => Err(self.violation(format_args!("its {field} has {length} bytes, over {limit}"))),
        }
    }

    /// A token's structure (draft-18 §10.2.2).
    pub(super) fn token(&mut self) -> Result<Token, WireError> {
        Token::decode(self.bytes("authorization token", usize::from(u16::MAX))?)
    }

    /// A reason phrase. What is not UTF-8 in it is replaced: it is words for a person.
    pub(super) fn reason(&mut self) -> Result<String, WireError> {
        let bytes = self.bytes("reason", MAX_REASON_BYTES)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn uri(&mut self) -> Result<String, WireError> {
        let bytes = self.bytes("URI", MAX_URI_BYTES)?;
        String::from_utf8(bytes.into()).map_err(|_| self.violation("its URI is not UTF-8"))
    }

    pub(super) fn namespace(&mut self) -> Result<Namespace, WireError> {
        let prefix: coding::TrackNamespacePrefix = self.decode("namespace")?;
        Ok(Namespace::new(prefix.fields.into_iter().map(|field| field.value)))
    }

    pub(super) fn track(&mut self) -> Result<TrackName, WireError> {
        let namespace = self.namespace()?;
        let name: coding::TrackName = self.decode("track name")?;
        let track = TrackName { namespace, name: Bytes::copy_from_slice(name.as_bytes()) };
        if full_name_bytes(&track) > MAX_FULL_NAME_BYTES {
            return Err(
                self.violation(format_args!("its full track name is over {MAX_FULL_NAME_BYTES} bytes"))
            );
        }
        Ok(track)
    }

    /// Key-value pairs up to the end.
    pub(super) fn pairs(&mut self) -> Result<Vec<coding::KeyValuePair>, WireError> {
        let length = self.bytes.len();
        let pairs = coding::KeyValuePairs::decode_bounded(&mut self.bytes, length).map_err(|error| {
            let reason = format!("{}: its key-value pairs cannot be read: {error}", self.what);
            match error {
                DecodeError::KvpTypeOverflow | DecodeError::KeyValuePairLengthExceeded() => {
                    WireError::violation(reason)
                }
                _ => WireError::new(SessionCode::KeyValueFormattingError, reason),
            }
        })?;
        Ok(pairs.0)
    }
}

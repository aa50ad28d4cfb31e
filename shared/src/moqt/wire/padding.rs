//! Padding streams and datagrams (draft-18 §11.5): bytes that are sent for the path alone.

use bytes::{Bytes, BytesMut};

use super::field::put_integer;

/// Type of a padding stream (draft-18 §11.5.1).
pub(super) const STREAM: u64 = 0x132b_3e28;
/// Type of a padding datagram (draft-18 §11.5.2).
pub(super) const DATAGRAM: u64 = 0x132b_3e29;

/// What a padding stream begins with; zeros follow.
pub(crate) fn stream_header() -> Bytes {
    let mut output = BytesMut::new();
    put_integer(STREAM, &mut output);
    output.freeze()
}

/// A padding datagram of so many bytes, its type included; one too short for its type is its type alone.
pub(crate) fn datagram(bytes: usize) -> Bytes {
    let mut output = BytesMut::with_capacity(bytes);
    put_integer(DATAGRAM, &mut output);
    output.resize(bytes.max(output.len()), 0);
    output.freeze()
}

//! As much of HTTP/3 and WebTransport as a client needs to open one session (RFC 9114, RFC 9204, RFC 9220,
//! draft-ietf-webtrans-http3). Pure.

use bytes::{BufMut, Bytes, BytesMut};

/// Types of streams and frames.
const CONTROL: u64 = 0x00;
const SETTINGS: u64 = 0x04;
const HEADERS: u64 = 0x01;
/// A unidirectional WebTransport stream.
pub(super) const UNI: u64 = 0x54;
/// A bidirectional WebTransport stream.
pub(super) const BI: u64 = 0x41;
/// Setting, value: CONNECT with a protocol, datagrams, WebTransport as drafts 2 and 7 name it.
const OFFERED: [(u64, u64); 4] = [(0x08, 1), (0x33, 1), (0x2b60_3742, 1), (0xc671_706a, 1)];
/// `:status 200` in QPACK's static table (RFC 9204 appendix A).
const STATUS_200: usize = 25;
/// Where `:status` is in it.
const STATUS: [std::ops::RangeInclusive<usize>; 2] = [24..=28, 63..=71];
/// `200` in Huffman coding (RFC 7541 appendix B).
const HUFFMAN_200: [u8; 2] = [0x10, 0x01];

/// The first bytes of our control stream.
pub(super) fn control() -> Bytes {
    let mut settings = BytesMut::new();
    for (name, value) in OFFERED {
        put_integer(name, &mut settings);
        put_integer(value, &mut settings);
    }
    let mut output = BytesMut::new();
    put_integer(CONTROL, &mut output);
    put_frame(SETTINGS, &settings, &mut output);
    output.freeze()
}

/// The request of a session for `protocol`, on a stream of its own.
pub(super) fn request(authority: &str, path: &str, protocol: &str) -> Bytes {
    let offered = format!("\"{protocol}\"");
    let fields = [
        (":method", "CONNECT"),
        (":scheme", "https"),
        (":authority", authority),
        (":path", path),
        (":protocol", "webtransport"),
        ("sec-webtransport-http3-draft02", "1"),
        ("wt-available-protocols", &offered),
    ];
    // No dynamic table: required insert count and base are 0.
    let mut section = BytesMut::from(&[0, 0][..]);
    for (name, value) in fields {
        // A literal field line with a literal name (RFC 9204 §4.5.6).
        put_text(0x20, 3, name, &mut section);
        put_text(0x00, 7, value, &mut section);
    }
    let mut output = BytesMut::new();
    put_frame(HEADERS, &section, &mut output);
    output.freeze()
}

/// Whether the answer grants the session; `None` where it is not whole yet.
pub(super) fn is_granted(input: &[u8]) -> Option<bool> {
    let mut rest = input;
    loop {
        let kind = take_integer(&mut rest)?;
        let length = usize::try_from(take_integer(&mut rest)?).ok()?;
        let payload = rest.get(..length)?;
        rest = &rest[length..];
        if kind == HEADERS {
            return Some(says_200(payload).unwrap_or(false));
        }
    }
}

/// Whether a field section says `:status 200`; `None` where it cannot be read.
fn says_200(section: &[u8]) -> Option<bool> {
    // Required insert count and base: there is no dynamic table.
    let mut rest = section.get(2..)?;
    while let Some(&first) = rest.first() {
        if first & 0x80 != 0 {
            if take_prefixed(6, &mut rest)? == STATUS_200 && first & 0x40 != 0 {
                return Some(true);
            }
        } else if first & 0x40 != 0 {
            let name = take_prefixed(4, &mut rest)?;
            let value = take_text(7, &mut rest)?;
            if first & 0x10 != 0 && STATUS.iter().any(|places| places.contains(&name)) {
                return Some(value == b"200" || value == HUFFMAN_200);
            }
        } else {
            let name = take_text(3, &mut rest)?;
            let value = take_text(7, &mut rest)?;
            if name == b":status" {
                return Some(value == b"200" || value == HUFFMAN_200);
            }
        }
    }
    Some(false)
}

/// A text as its bytes are, after its length with a prefix of `bits`.
fn take_text<'a>(bits: u32, input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_prefixed(bits, input)?;
    let text = input.get(..length)?;
    *input = &input[length..];
    Some(text)
}

/// An integer with a prefix of `bits` (RFC 9204 §4.1.1).
fn take_prefixed(bits: u32, input: &mut &[u8]) -> Option<usize> {
    let most = (1usize << bits) - 1;
    let (first, mut rest) = input.split_first()?;
    let mut value = usize::from(*first) & most;
    let mut shift = 0;
    while value >= most && shift <= 28 {
        let (next, after) = rest.split_first()?;
        value += usize::from(next & 0x7f) << shift;
        (rest, shift) = (after, shift + 7);
        if next & 0x80 == 0 {
            break;
        }
    }
    *input = rest;
    Some(value)
}

/// What goes before the first byte of a stream of session `session`.
pub(super) fn head(kind: u64, session: u64) -> Bytes {
    let mut output = BytesMut::new();
    put_integer(kind, &mut output);
    put_integer(session, &mut output);
    output.freeze()
}

/// Takes a QUIC variable-length integer (RFC 9000 §16) off the front; `None` where it is not whole yet.
pub(super) fn take_integer(input: &mut &[u8]) -> Option<u64> {
    let first = *input.first()?;
    let length = 1 << (first >> 6);
    let bytes = input.get(..length)?;
    *input = &input[length..];
    let rest = bytes[1..].iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some(rest)
}

/// Appends a QUIC variable-length integer.
pub(super) fn put_integer(value: u64, output: &mut BytesMut) {
    match value {
        0..0x40 => output.put_u8(value as u8),
        0x40..0x4000 => output.put_u16(value as u16 | 0x4000),
        0x4000..0x4000_0000 => output.put_u32(value as u32 | 0x8000_0000),
        _ => output.put_u64(value | 0xc000_0000_0000_0000),
    }
}

fn put_frame(kind: u64, payload: &[u8], output: &mut BytesMut) {
    put_integer(kind, output);
    put_integer(payload.len() as u64, output);
    output.put_slice(payload);
}

/// A text without Huffman coding, after an integer with a prefix of `bits` (RFC 9204 §4.1.1).
fn put_text(flags: u8, bits: u32, text: &str, output: &mut BytesMut) {
    let most = (1usize << bits) - 1;
    if text.len() < most {
        output.put_u8(flags | text.len() as u8);
    } else {
        output.put_u8(flags | most as u8);
        let mut rest = text.len() - most;
        while rest >= 0x80 {
            output.put_u8(rest as u8 | 0x80);
            rest >>= 7;
        }
        output.put_u8(rest as u8);
    }
    output.put_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_back() {
        for value in [0, 63, 64, 16_383, 16_384, (1 << 30) - 1, 1 << 30, (1 << 62) - 1] {
            let mut bytes = BytesMut::new();
            put_integer(value, &mut bytes);
            let mut rest = &bytes[..];
            assert_eq!(take_integer(&mut rest), Some(value));
            assert!(rest.is_empty());
            assert_eq!(take_integer(&mut &bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn only_status_200_grants_a_session() {
        // An unknown frame, then HEADERS.
        let granted = [0x21, 0x01, 0xff, 0x01, 0x03, 0x00, 0x00, 0xd9];
        assert_eq!(is_granted(&granted), Some(true));
        assert_eq!(is_granted(&granted[..7]), None);
        assert_eq!(is_granted(&[0x01, 0x03, 0x00, 0x00, 0xdb]), Some(false));
        // By its name's place in the table, and by its letters.
        let by_place = [&[0x01, 0x08, 0, 0, 0x5f, 0x09, 0x03][..], b"200"].concat();
        assert_eq!(is_granted(&by_place), Some(true));
        let by_letters = [&[0x01, 0x0f, 0, 0, 0x27, 0x00][..], b":status", &[0x03], b"404"].concat();
        assert_eq!(is_granted(&by_letters), Some(false));
    }

    #[test]
    fn long_texts_have_their_length_in_several_bytes() {
        let mut output = BytesMut::new();
        put_text(0x20, 3, "sec-webtransport-http3-draft02", &mut output);
        assert_eq!(output[..3], [0x27, 23, b's']);
    }
}

//! The boxes of an MP4 file (ISO/IEC 14496-12 §4.2): where each begins and ends.
//!
//! The fields of those that matter are read by re_mp4, which trusts the sizes of boxes; so they are checked
//! here first.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use re_mp4::ReadBox;
use shared::media::h264::AvcConfig;

/// A box's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) kind: [u8; 4],
    /// Of its head.
    pub(super) begin: u64,
    /// Of its body.
    pub(super) body: u64,
    pub(super) end: u64,
}

/// Reads the head of the box at `begin`; `None` at the file's end, or where no box can be.
pub(super) fn at(input: &mut (impl Read + Seek), begin: u64, end: u64) -> io::Result<Option<Span>> {
    if begin.checked_add(8).is_none_or(|body| body > end) {
        return Ok(None);
    }
    input.seek(SeekFrom::Start(begin))?;
    let mut head = [0; 8];
    input.read_exact(&mut head)?;
    let [a, b, c, d, kind @ ..] = head;
    let (size, body) = match u32::from_be_bytes([a, b, c, d]) {
        0 => (end - begin, begin + 8),
        1 => {
            let mut size = [0; 8];
            if let Err(error) = input.read_exact(&mut size) {
                return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
            }
            (u64::from_be_bytes(size), begin + 16)
        }
        size => (u64::from(size), begin + 8),
    };
    let span = begin.checked_add(size).map(|end| Span { kind, begin, body, end });
    Ok(span.filter(|span| span.end >= span.body))
}

/// The boxes inside of `bytes[from..end]`; stops at the first that does not fit.
pub(super) fn inside(bytes: &[u8], from: usize, end: usize) -> impl Iterator<Item = Span> + '_ {
    let (mut next, end) = (from as u64, end.min(bytes.len()) as u64);
    std::iter::from_fn(move || {
        let span = at(&mut Cursor::new(bytes), next, end).ok().flatten().filter(|span| span.end <= end)?;
        // Only the last box of a file may leave its size open.
        let is_open = bytes.get(span.begin as usize..)?.starts_with(&[0; 4]);
        if is_open {
            return None;
        }
        next = span.end;
        Some(span)
    })
}

/// Reads a box whose bytes, head included, are `bytes`; `None` where it is damaged.
pub(super) fn parse<T>(bytes: &[u8]) -> Option<T>
where
    T: for<'a> ReadBox<&'a mut Cursor<Vec<u8>>>,
{
    if !is_whole(bytes, 0) {
        return None;
    }
    let [_, _, _, _, kind @ ..] = *bytes.first_chunk::<8>()?;
    // With a head of eight bytes, as re_mp4 takes for granted.
    let span = inside(bytes, 0, bytes.len()).next()?;
    let body = bytes.get(usize::try_from(span.body).ok()?..usize::try_from(span.end).ok()?)?;
    let size = u32::try_from(body.len() + 8).ok()?;
    let mut whole = Vec::with_capacity(body.len() + 8);
    whole.extend_from_slice(&size.to_be_bytes());
    whole.extend_from_slice(&kind);
    whole.extend_from_slice(body);
    let mut input = Cursor::new(whole);
    input.set_position(8);
    T::read_box(&mut input, u64::from(size)).ok()
}

/// Boxes that hold nothing but boxes.
const CONTAINERS: [&[u8; 4]; 9] =
    [b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf"];
const DEEPEST: usize = 8;

/// Whether the boxes in `bytes`, and those in them, fill it without a gap.
fn is_whole(bytes: &[u8], depth: usize) -> bool {
    let mut end = 0;
    for span in inside(bytes, 0, bytes.len()) {
        end = span.end;
        if CONTAINERS.contains(&&span.kind) {
            let body = bytes.get(span.body as usize..span.end as usize).unwrap_or_default();
            if depth == DEEPEST || !is_whole(body, depth + 1) {
                return false;
            }
        }
        if span.kind == *b"stsd" {
            let body = bytes.get(span.body as usize..span.end as usize).unwrap_or_default();
            if !has_configurations(body) {
                return false;
            }
        }
    }
    end == bytes.len() as u64
}

/// Whether the sample entries in the body of an `stsd` box have whole boxes with their configurations.
fn has_configurations(body: &[u8]) -> bool {
    let has = |bytes: &[u8], from, wanted: &[&[u8; 4]]| {
        inside(bytes, from, bytes.len()).find(|span| wanted.contains(&&span.kind))
    };
    inside(body, 8, body.len()).all(|span| {
        let entry = body.get(span.body as usize..span.end as usize).unwrap_or_default();
        match &span.kind {
            b"avc1" => has(entry, 78, &[b"avcC"]).is_some_and(|found| {
                let config = entry.get(found.body as usize..found.end as usize).unwrap_or_default();
                AvcConfig::parse(config).is_ok()
            }),
            b"hev1" | b"hvc1" | b"av01" | b"vp08" | b"vp09" => {
                has(entry, 78, &[b"hvcC", b"av1C", b"vpcC"]).is_some()
            }
            b"mp4a" => {
                // QuickTime's version 1 is longer, and may wrap the configuration.
                let from = if entry.get(8..10) == Some(&[0, 1]) { 44 } else { 28 };
                has(entry, from, &[b"esds", b"wave"]).is_some_and(|found| {
                    let wrapped = entry.get(found.body as usize..found.end as usize).unwrap_or_default();
                    found.kind == *b"esds" || has(wrapped, 0, &[b"esds"]).is_some()
                })
            }
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = (body.len() as u32 + 8).to_be_bytes();
        [&size[..], kind, body].concat()
    }

    #[test]
    fn spans_follow_each_other_and_long_sizes_count() {
        let mut bytes = boxed(b"ftyp", b"isom");
        bytes.extend([0, 0, 0, 1]);
        bytes.extend(b"mdat");
        bytes.extend(20_u64.to_be_bytes());
        bytes.extend([7; 4]);
        bytes.extend(boxed(b"free", b""));
        let spans: Vec<Span> = inside(&bytes, 0, bytes.len()).collect();
        let shape: Vec<(u64, u64, u64)> = spans.iter().map(|s| (s.begin, s.body, s.end)).collect();
        assert_eq!(shape, [(0, 8, 12), (12, 28, 32), (32, 40, 40)]);
        assert_eq!(inside(&bytes[..30], 0, 30).count(), 1, "one that is cut off does not count");
    }

    #[test]
    fn boxes_that_do_not_fit_into_each_other_are_refused() {
        let good = boxed(b"trak", &boxed(b"mdia", &boxed(b"free", b"")));
        assert!(is_whole(&good, 0));
        for (at, byte) in [(3, 200), (11, 200), (19, 0), (19, 4), (19, 12)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(!is_whole(&bad, 0), "byte {at} is {byte}");
        }
        assert!(parse::<re_mp4::TrakBox>(&good).is_none(), "lacks what a track needs");
    }
}

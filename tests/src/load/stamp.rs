//! What each payload begins with: which object it is and when it was sent.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of a stamp, and so the smallest payload.
pub(super) const BYTES: usize = 24;
/// Tells our payloads from anything else.
const MAGIC: u32 = 0x6c6f_6164;

/// An object of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Its track's place in the shape.
    pub(super) track: u32,
    /// Its number in the track, from 0.
    pub(super) number: u64,
    /// When it was sent, in nanoseconds of [`clock::now`](super::clock::now).
    pub(super) sent: u64,
}

impl Stamp {
    /// A payload of `bytes` that begins with this stamp.
    pub(super) fn payload(self, bytes: usize) -> Bytes {
        let bytes = bytes.max(BYTES);
        let mut payload = BytesMut::with_capacity(bytes);
        payload.put_u32(MAGIC);
        payload.put_u32(self.track);
        payload.put_u64(self.number);
        payload.put_u64(self.sent);
        payload.put_bytes(0x5a, bytes - BYTES);
        payload.freeze()
    }

    /// Reads the stamp of a payload; `None` where it is not of this load.
    pub(super) fn of(payload: &[u8]) -> Option<Self> {
        let (magic, rest) = payload.split_first_chunk()?;
        let (track, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (sent, _) = rest.split_first_chunk()?;
        let stamp = Self {
            track: u32::from_be_bytes(*track),
            number: u64::from_be_bytes(*number),
            sent: u64::from_be_bytes(*sent),
        };
        (u32::from_be_bytes(*magic) == MAGIC).then_some(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_and_nothing_else_is_taken_for_one() {
        let stamp = Stamp { track: 7, number: 1 << 40, sent: 12_345 };
        let payload = stamp.payload(100);
        assert_eq!(payload.len(), 100);
        assert_eq!(Stamp::of(&payload), Some(stamp));
        assert_eq!(Stamp::of(&payload[..BYTES - 1]), None);
        assert_eq!(Stamp::of(&[0; 100]), None);
        assert_eq!(stamp.payload(3).len(), BYTES);
    }
}

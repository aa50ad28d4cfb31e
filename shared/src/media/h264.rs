//! H.264 bitstreams: Annex B and length-prefixed units, parameter sets.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Resolution, VideoCodec};

mod sps;

pub use sps::{Sps, parse_sps};

/// Kind of a NAL unit (H.264 table 7-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnitKind(pub u8);

impl UnitKind {
    /// A slice of a picture that is no IDR.
    pub const SLICE: Self = Self(1);
    /// A slice of an IDR picture.
    pub const IDR: Self = Self(5);
    /// Sequence parameter set.
    pub const SPS: Self = Self(7);
    /// Picture parameter set.
    pub const PPS: Self = Self(8);
}

/// What an MP4's `avcC` box says (ISO/IEC 14496-15 §5.3.3): how units are cut, and the parameter sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvcConfig {
    /// Bytes of the length before each unit: 1 to 4.
    pub length_bytes: usize,
    /// Sequence parameter sets, at least one.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets.
    pub pps: Vec<Bytes>,
}

/// Bytes that are no H.264 of the kind expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum H264Error {
    /// The `avcC` box cannot be read.
    #[error("its decoder configuration (avcC) is damaged")]
    Config,
    /// A unit is longer than what holds it.
    #[error("a coded picture is damaged: a unit is longer than the picture")]
    Unit,
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The units of an Annex B stream without their start codes.
pub fn units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(annex_b);
    std::iter::from_fn(move || {
        let unit = rest?;
        let (unit, next) = match find_start_code(unit) {
            Some(at) => (&unit[..at], after_start_code(&unit[at..])),
            None => (unit, None),
        };
        rest = next;
        // A four-byte start code's first zero, and trailing zeros, belong to no unit.
        let end = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        Some(&unit[..end])
    })
    .filter(|unit| !unit.is_empty())
}

/// Kind of a unit.
pub fn kind(unit: &[u8]) -> Option<UnitKind> {
    unit.first().map(|byte| UnitKind(byte & 0x1f))
}

/// Whether an Annex B access unit is an IDR picture with its parameter sets before it.
pub fn is_keyframe(annex_b: &[u8]) -> bool {
    let (mut sps, mut pps) = (false, false);
    for unit in units(annex_b) {
        match kind(unit) {
            Some(UnitKind::SPS) => sps = true,
            Some(UnitKind::PPS) => pps = true,
            Some(UnitKind::IDR) => return sps && pps,
            Some(UnitKind::SLICE) => return false,
            _ => {}
        }
    }
    false
}

/// Whether no other picture refers to this access unit (`nal_ref_idc` of its slices is 0).
pub fn is_discardable(annex_b: &[u8]) -> bool {
    let is_slice = |unit: &&[u8]| matches!(kind(unit), Some(UnitKind::SLICE | UnitKind::IDR));
    units(annex_b).find(is_slice).and_then(|unit| unit.first()).is_some_and(|byte| byte & 0x60 == 0)
}

impl AvcConfig {
    /// Reads the body of an `avcC` box.
    ///
    /// # Errors
    /// [`H264Error::Config`] where it is damaged or names no parameter set.
    pub fn parse(body: &[u8]) -> Result<Self, H264Error> {
        let [1, _, _, _, lengths, count, rest @ ..] = body else { return Err(H264Error::Config) };
        let mut rest = rest;
        let sps = sets(&mut rest, count & 0x1f).ok_or(H264Error::Config)?;
        let (&count, mut rest) = rest.split_first().ok_or(H264Error::Config)?;
        let pps = sets(&mut rest, count).ok_or(H264Error::Config)?;
        if sps.is_empty() || pps.is_empty() {
            return Err(H264Error::Config);
        }
        Ok(Self { length_bytes: usize::from(lengths & 3) + 1, sps, pps })
    }

    /// Turns a sample of length-prefixed units into an Annex B access unit. An IDR picture gets the
    /// parameter sets before it where the sample has none of its own.
    ///
    /// # Errors
    /// [`H264Error::Unit`] where a length reaches past the sample's end.
    pub fn annex_b(&self, sample: &[u8]) -> Result<Bytes, H264Error> {
        let mut units = Vec::new();
        let mut rest = sample;
        while !rest.is_empty() {
            let (length, after) = rest.split_at_checked(self.length_bytes).ok_or(H264Error::Unit)?;
            let length = length.iter().fold(0_usize, |sum, &byte| sum << 8 | usize::from(byte));
            let (unit, after) = after.split_at_checked(length).ok_or(H264Error::Unit)?;
            units.push(unit);
            rest = after;
        }
        let has = |wanted| units.iter().any(|unit| kind(unit) == Some(wanted));
        let own_sets: &[Bytes] = &[];
        let (sps, pps) = match has(UnitKind::IDR) && !has(UnitKind::SPS) {
            true => (self.sps.as_slice(), self.pps.as_slice()),
            false => (own_sets, own_sets),
        };
        let sets = sps.iter().chain(pps).map(|set| &set[..]);
        let mut output = BytesMut::with_capacity(sample.len() + 256);
        for unit in sets.chain(units.iter().copied()) {
            output.put_slice(&START_CODE);
            output.put_slice(unit);
        }
        Ok(output.freeze())
    }
}

/// So many parameter sets, each after its length in two bytes.
fn sets(rest: &mut &[u8], count: u8) -> Option<Vec<Bytes>> {
    (0..count)
        .map(|_| {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (set, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            *rest = after;
            Some(Bytes::copy_from_slice(set))
        })
        .collect()
}

/// Where the next start code of three bytes begins.
fn find_start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

/// What follows the next start code.
fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    find_start_code(bytes).map(|at| &bytes[at + 3..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_stand_between_start_codes_of_either_length() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4, 0, 3, 0];
        let found: Vec<&[u8]> = units(&stream).collect();
        assert_eq!(found, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 4, 0, 3]]);
        assert!(is_keyframe(&stream));
        assert!(!is_keyframe(&stream[7..]), "without its parameter sets it cannot be decoded alone");
        assert_eq!(units(&[1, 2, 3]).count(), 0);
        assert_eq!(units(&[0, 0, 1]).count(), 0);
    }

    #[test]
    fn reference_pictures_are_told_from_others() {
        assert!(is_discardable(&[0, 0, 1, 0x01, 9]));
        assert!(!is_discardable(&[0, 0, 1, 0x41, 9]));
    }

    #[test]
    fn samples_become_access_units_with_parameter_sets_where_they_are_needed() {
        let body = [1, 66, 192, 30, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 2];
        let config = AvcConfig::parse(&body).expect("a configuration");
        assert_eq!(config.length_bytes, 4);
        let key = config.annex_b(&[0, 0, 0, 2, 0x65, 7]).expect("a sample");
        assert_eq!(&key[..], [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 7]);
        let delta = config.annex_b(&[0, 0, 0, 2, 0x41, 7]).expect("a sample");
        assert_eq!(&delta[..], [0, 0, 0, 1, 0x41, 7]);
        assert_eq!(config.annex_b(&[0, 0, 0, 9, 0x41, 7]), Err(H264Error::Unit));
        assert_eq!(config.annex_b(&[0, 0]), Err(H264Error::Unit));
        for end in 0..body.len() {
            assert_eq!(AvcConfig::parse(&body[..end]), Err(H264Error::Config), "cut at {end}");
        }
    }
}

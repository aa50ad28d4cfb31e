//! H.264 bitstreams: Annex B and length-prefixed units, parameter sets.

use super::{Resolution, VideoCodec};

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

/// What a sequence parameter set says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sps {
    /// For the catalog.
    pub codec: VideoCodec,
    /// Size after cropping.
    pub resolution: Resolution,
    /// Most pictures that wait to be put in order; 0 without B-frames. `None` where it is not said.
    pub reorder: Option<u8>,
}

/// The units of an Annex B stream without their start codes.
pub fn units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let _ = annex_b;
    std::iter::empty()
}

/// Kind of a unit.
pub fn kind(unit: &[u8]) -> Option<UnitKind> {
    unit.first().map(|byte| UnitKind(byte & 0x1f))
}

/// Reads a sequence parameter set, the unit's header byte included.
pub fn parse_sps(unit: &[u8]) -> Option<Sps> {
    let _ = unit;
    unimplemented!()
}

/// Whether an Annex B access unit is an IDR picture with its parameter sets before it.
pub fn is_keyframe(annex_b: &[u8]) -> bool {
    let _ = annex_b;
    unimplemented!()
}

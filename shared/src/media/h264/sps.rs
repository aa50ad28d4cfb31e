//! The sequence parameter set (H.264 §7.3.2.1.1, Annex E.1.1).

use super::{Resolution, VideoCodec};

/// What a sequence parameter set says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sps {
    /// For the catalog.
    pub codec: VideoCodec,
    /// Size after cropping.
    pub resolution: Resolution,
    /// Most pictures that wait to be put in order; 0 without B-frames. `None` where it is not said.
    pub reorder: Option<u8>,
    /// Whether it is 8-bit 4:2:0 in progressive frames, which is all that is decoded here.
    pub is_common: bool,
}

/// Profiles whose sets tell chroma format, bit depth and scaling lists.
const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// Widest and highest picture of any level, in macroblocks.
const MOST_BLOCKS: u32 = 1055;

/// Reads a sequence parameter set, the unit's header byte included.
pub fn parse_sps(unit: &[u8]) -> Option<Sps> {
    let &[header, profile, constraints, level, ..] = unit else { return None };
    if header & 0x1f != 7 {
        return None;
    }
    let payload = without_emulation_prevention(&unit[4..]);
    let mut bits = Bits { bytes: &payload, at: 0 };
    bits.ue()?; // seq_parameter_set_id
    let (mut chroma, mut eight_bits) = (1, true);
    if HIGH_PROFILES.contains(&profile) {
        chroma = bits.ue()?;
        if chroma == 3 {
            bits.bit()?; // separate_colour_plane_flag
        }
        eight_bits = bits.ue()? == 0;
        eight_bits &= bits.ue()? == 0;
        bits.bit()?; // qpprime_y_zero_transform_bypass_flag
        if bits.bit()? {
            skip_scaling_lists(&mut bits, if chroma == 3 { 12 } else { 8 })?;
        }
    }
    bits.ue()?; // log2_max_frame_num_minus4
    match bits.ue()? {
        0 => {
            bits.ue()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.bit()?;
            bits.ue()?; // offset_for_non_ref_pic, signed: as long as an unsigned one
            bits.ue()?;
            let cycle = bits.ue()?;
            if cycle > 255 {
                return None;
            }
            for _ in 0..cycle {
                bits.ue()?;
            }
        }
        _ => {}
    }
    bits.ue()?; // max_num_ref_frames
    bits.bit()?; // gaps_in_frame_num_value_allowed_flag
    let (columns, rows) = (bits.ue()?, bits.ue()?);
    let progressive = bits.bit()?;
    if columns >= MOST_BLOCKS || rows >= MOST_BLOCKS {
        return None;
    }
    if !progressive {
        bits.bit()?; // mb_adaptive_frame_field_flag
    }
    bits.bit()?; // direct_8x8_inference_flag
    let fields = if progressive { 1 } else { 2 };
    let mut resolution = Resolution { width: (columns + 1) * 16, height: (rows + 1) * 16 * fields };
    if bits.bit()? {
        let [left, right, top, bottom] = [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?];
        let across = if chroma == 1 || chroma == 2 { 2 } else { 1 };
        let down = if chroma == 1 { 2 } else { 1 } * fields;
        let cut = |side: u32, a: u32, b: u32, unit: u32| {
            side.checked_sub(a.checked_add(b)?.checked_mul(unit)?).filter(|&rest| rest > 0)
        };
        resolution.width = cut(resolution.width, left, right, across)?;
        resolution.height = cut(resolution.height, top, bottom, down)?;
    }
    // What follows is optional: a set that ends early says nothing of it.
    let reorder = vui_reorder(&mut bits);
    let codec = VideoCodec::H264 { profile, constraints, level };
    Some(Sps { codec, resolution, reorder, is_common: chroma == 1 && eight_bits && progressive })
}

/// `max_num_reorder_frames` of the VUI; `None` where it is not said.
fn vui_reorder(bits: &mut Bits<'_>) -> Option<u8> {
    const EXTENDED_SAR: u32 = 255;
    if !bits.bit()? {
        return None;
    }
    if bits.bit()? && bits.bits(8)? == EXTENDED_SAR {
        bits.bits(32)?;
    }
    if bits.bit()? {
        bits.bit()?; // overscan_appropriate_flag
    }
    if bits.bit()? {
        bits.bits(4)?; // video_format, video_full_range_flag
        if bits.bit()? {
            bits.bits(24)?; // colour description
        }
    }
    if bits.bit()? {
        bits.ue()?;
        bits.ue()?; // chroma sample locations
    }
    if bits.bit()? {
        bits.bits(32)?;
        bits.bits(32)?;
        bits.bit()?; // timing
    }
    let (nal, vcl) = (bits.bit()?.then(|| skip_hrd(bits)), bits.bit()?.then(|| skip_hrd(bits)));
    if let Some(None) = nal {
        return None;
    }
    if let Some(None) = vcl {
        return None;
    }
    if nal.is_some() || vcl.is_some() {
        bits.bit()?; // low_delay_hrd_flag
    }
    bits.bit()?; // pic_struct_present_flag
    if !bits.bit()? {
        return None;
    }
    bits.bit()?;
    for _ in 0..4 {
        bits.ue()?;
    }
    u8::try_from(bits.ue()?).ok().filter(|&frames| frames <= 16)
}

fn skip_hrd(bits: &mut Bits<'_>) -> Option<()> {
    let count = bits.ue()?;
    if count > 31 {
        return None;
    }
    bits.bits(8)?;
    for _ in 0..=count {
        bits.ue()?;
        bits.ue()?;
        bits.bit()?;
    }
    bits.bits(20).map(|_| ())
}

fn skip_scaling_lists(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    for list in 0..count {
        if !bits.bit()? {
            continue;
        }
        let size = if list < 6 { 16 } else { 64 };
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..size {
            if next != 0 {
                next = (last + bits.se()?).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

/// Takes out the bytes that keep start codes from arising in a unit (H.264 §7.4.1).
fn without_emulation_prevention(unit: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let keep = |&&byte: &&u8| {
        let is_guard = zeros >= 2 && byte == 3;
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        !is_guard
    };
    unit.iter().filter(keep).copied().collect()
}

/// Reads bits, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1 == 1;
        self.at += 1;
        Some(bit)
    }

    /// At most 32 bits.
    fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |sum, _| Some(sum << 1 | u32::from(self.bit()?)))
    }

    /// An unsigned Exp-Golomb number (H.264 §9.1).
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// A signed Exp-Golomb number (H.264 §9.1.1).
    fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 0 { -(code / 2) } else { code / 2 + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by x264: baseline, without B-frames.
    const BASELINE_320X240: [u8; 23] = [
        0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x41, 0xfb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
        0x03, 0x03, 0x20, 0xf1, 0x42, 0xa4,
    ];
    /// Written by x264: high, with B-frames, of a size that is no multiple of 16.
    const HIGH_322X242: [u8; 27] = [
        0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x50, 0x87, 0x88, 0x88, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00,
        0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x50, 0xa6, 0x58,
    ];

    #[test]
    fn a_set_tells_codec_size_and_reordering() {
        let baseline = parse_sps(&BASELINE_320X240).expect("a set");
        assert_eq!(baseline.codec.to_string(), "avc1.42C00D");
        assert_eq!(baseline.resolution.to_string(), "320x240");
        assert_eq!((baseline.is_common, baseline.reorder), (true, Some(0)));
        let high = parse_sps(&HIGH_322X242).expect("a set");
        assert_eq!(high.codec.to_string(), "avc1.64000D");
        assert_eq!(high.resolution.to_string(), "322x242");
        assert_eq!((high.is_common, high.reorder), (true, Some(2)));
    }

    #[test]
    fn no_cut_and_no_flipped_bit_panics() {
        for end in 0..BASELINE_320X240.len() {
            let _may_be_none = parse_sps(&BASELINE_320X240[..end]);
        }
        for bit in 0..BASELINE_320X240.len() * 8 {
            let mut flipped = BASELINE_320X240;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _may_be_none = parse_sps(&flipped);
        }
        assert_eq!(parse_sps(&[0x68, 1, 2, 3, 4]), None, "another kind of unit");
    }

    #[test]
    fn numbers_of_every_length_are_read() {
        let mut bits = Bits { bytes: &[0b1010_0110, 0b0100_0010, 0b1000_0000], at: 0 };
        assert_eq!(
            [bits.ue(), bits.ue(), bits.ue(), bits.ue(), bits.ue()].map(Option::unwrap_or_default),
            [0, 1, 2, 3, 4]
        );
        assert_eq!(Bits { bytes: &[0; 8], at: 0 }.ue(), None);
    }
}

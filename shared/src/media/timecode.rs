//! A time burned into a picture such that a program reads it back from a decoded frame.
//!
//! It is a row of 80 cells along the picture's top, black (0) or white (1). Cell `i` spans the columns from
//! `i * width / 80` to `(i + 1) * width / 80`, so that a picture that was scaled is read as well; its height
//! is `max(width / 80, 2)` rounded down to even. The bits, most significant first: 8 of a mark
//! (`10110010`), 56 of the timestamp in microseconds modulo 2^56, 16 of a CRC-16/CCITT-FALSE over the 7
//! bytes of the timestamp. A cell's value is the mean luma of its middle half against 128.

use super::{Picture, Timestamp};

const CELLS: usize = 80;
const MARK: u8 = 0b1011_0010;
const BLACK: u8 = 16;
const WHITE: u8 = 235;

/// Burns the picture's own timestamp into it. A picture that is narrower than 80 pixels stays as it is.
pub fn draw(picture: &mut Picture) {
    let bits = encode(picture.timestamp);
    let (width, height) = (picture.resolution.width as usize, picture.resolution.height as usize);
    let rows = cell_height(width).min(height);
    let [luma, u, v] = picture.planes_mut();
    let Some(first) = luma.get_mut(..width) else { return };
    for (cell, columns) in cells(width).enumerate() {
        let white = bits >> (CELLS - 1 - cell) & 1 == 1;
        if let Some(columns) = first.get_mut(columns) {
            columns.fill(if white { WHITE } else { BLACK });
        }
    }
    let (first, rest) = luma.split_at_mut(width);
    for row in rest.chunks_exact_mut(width).take(rows.saturating_sub(1)) {
        row.copy_from_slice(first);
    }
    let grey = width / 2 * (rows / 2);
    for plane in [u, v] {
        let end = grey.min(plane.len());
        plane[..end].fill(128);
    }
}

/// Reads the timecode of a decoded picture's luma plane, of which rows are `stride` bytes apart; `None`
/// where there is none, or a damaged one.
pub fn read(luma: &[u8], stride: usize, width: usize) -> Option<Timestamp> {
    if width < CELLS || stride < width {
        return None;
    }
    let height = cell_height(width);
    let rows = height / 4..height - height / 4;
    let mut bits = 0_u128;
    for columns in cells(width) {
        let margin = columns.len() / 4;
        let middle = columns.start + margin..columns.end - margin;
        let (mut sum, mut count) = (0_usize, 0_usize);
        for row in rows.clone() {
            let cell = luma.get(row * stride + middle.start..row * stride + middle.end)?;
            sum += cell.iter().map(|&luma| usize::from(luma)).sum::<usize>();
            count += cell.len();
        }
        bits = bits << 1 | u128::from(sum >= 128 * count);
    }
    decode(bits)
}

/// The columns of each cell.
fn cells(width: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..CELLS).map(move |cell| cell * width / CELLS..(cell + 1) * width / CELLS)
}

fn cell_height(width: usize) -> usize {
    (width / CELLS).max(2) & !1
}

fn encode(time: Timestamp) -> u128 {
    let micros = time.0 & ((1 << 56) - 1);
    u128::from(MARK) << 72 | u128::from(micros) << 16 | u128::from(checksum(micros))
}

fn decode(bits: u128) -> Option<Timestamp> {
    // 80 bits: the casts take what stands there.
    let (mark, micros, sum) = ((bits >> 72) as u8, (bits >> 16) as u64 & ((1 << 56) - 1), bits as u16);
    (mark == MARK && sum == checksum(micros)).then_some(Timestamp(micros))
}

/// CRC-16/CCITT-FALSE over the lower 7 bytes.
fn checksum(micros: u64) -> u16 {
    let step =
        |sum: u16, byte: &u8| {
            (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
                if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 }
            })
        };
    micros.to_be_bytes()[1..].iter().fold(0xffff, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Resolution;

    const TIME: Timestamp = Timestamp(1_795_000_123_456_789);

    fn drawn(width: u32, height: u32) -> Picture {
        let mut picture = Picture::black(Resolution { width, height }, TIME);
        picture.planes_mut()[0].fill(90);
        draw(&mut picture);
        picture
    }

    #[test]
    fn the_checksum_is_the_standard_one() {
        // "1234567" by the catalogue's parameters: polynomial 0x1021, initial 0xffff, not reflected.
        let digits = u64::from_be_bytes(*b"\x001234567");
        let bitwise = b"1234567".iter().fold(0xffff_u32, |mut sum, byte| {
            for bit in (0..8).rev() {
                let top = (sum >> 15 ^ u32::from(byte >> bit)) & 1;
                sum = (sum << 1 & 0xffff) ^ (top * 0x1021);
            }
            sum
        });
        assert_eq!(u32::from(checksum(digits)), bitwise);
    }

    #[test]
    fn a_time_is_read_back_at_any_size() {
        for (width, height) in
            [(80, 16), (160, 90), (320, 180), (426, 240), (640, 360), (1280, 720), (1920, 1080)]
        {
            let picture = drawn(width, height);
            let width = width as usize;
            assert_eq!(read(picture.planes()[0], width, width), Some(TIME), "{width}x{height}");
        }
    }

    #[test]
    fn a_scaled_picture_is_read_too() {
        let picture = drawn(1280, 720);
        for width in [320_usize, 426, 640, 960] {
            let height = width * 9 / 16;
            let luma: Vec<u8> = (0..width * height)
                .map(|at| {
                    let (x, y) = (at % width * 1280 / width, at / width * 720 / height);
                    picture.planes()[0][y * 1280 + x]
                })
                .collect();
            assert_eq!(read(&luma, width, width), Some(TIME), "{width}");
        }
    }

    #[test]
    fn a_damaged_or_absent_code_is_none() {
        let picture = drawn(640, 360);
        let mut luma = picture.planes()[0].to_vec();
        for row in luma.chunks_exact_mut(640).take(8) {
            for pixel in &mut row[320..328] {
                *pixel = 255 - *pixel;
            }
        }
        assert_eq!(read(&luma, 640, 640), None);
        assert_eq!(read(&[16; 640 * 360], 640, 640), None);
        assert_eq!(read(&[], 640, 640), None);
        assert_eq!(read(&[0; 64], 8, 8), None);
    }
}

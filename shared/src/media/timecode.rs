//! A time burned into a picture such that a program reads it back from a decoded frame.
//!
//! It is a row of 80 square cells along the picture's top, black (0) or white (1). Cell size is
//! `max(width / 80, 1)` pixels rounded down to even (at least 2 from 160 pixels of width on). The bits,
//! most significant first: 8 of a mark (`10110010`), 56 of the timestamp in microseconds modulo 2^56,
//! 16 of a CRC-16/CCITT-FALSE over the 7 bytes of the timestamp. A cell's value is the mean luma of its
//! middle half against 128.

use super::{Picture, Timestamp};

/// Burns the picture's own timestamp into it.
pub fn draw(picture: &mut Picture) {
    let _ = picture;
    unimplemented!()
}

/// Reads the timecode of a decoded picture's luma plane; `None` where there is none, or a damaged one.
pub fn read(luma: &[u8], stride: usize, width: usize) -> Option<Timestamp> {
    let _ = (luma, stride, width);
    unimplemented!()
}

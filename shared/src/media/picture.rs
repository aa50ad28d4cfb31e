//! A raw picture: planar YUV 4:2:0, BT.709 limited range.

use super::{Resolution, Timestamp};

/// One raw picture. Rows have no padding: the luma stride is the width, the chroma stride half of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// When it was captured.
    pub timestamp: Timestamp,
    /// Its size.
    pub resolution: Resolution,
    /// Luma, then both chroma planes: `width * height * 3 / 2` bytes.
    data: Vec<u8>,
}

impl Picture {
    /// A black picture.
    pub fn black(resolution: Resolution, timestamp: Timestamp) -> Self {
        let luma = luma_bytes(resolution);
        let mut data = vec![16; luma];
        data.resize(luma + luma / 2, 128);
        Self { timestamp, resolution, data }
    }

    /// A picture of planes that stand one after the other; `None` where the length does not fit.
    pub fn from_planes(resolution: Resolution, timestamp: Timestamp, data: Vec<u8>) -> Option<Self> {
        (data.len() == luma_bytes(resolution) * 3 / 2).then_some(Self { timestamp, resolution, data })
    }

    /// A picture of planes whose rows are so many bytes apart, of which the upper left part of `resolution`
    /// (even sides) is copied; `None` where a row lacks part of it.
    pub fn from_padded(
        resolution: Resolution,
        timestamp: Timestamp,
        planes: [(&[u8], usize); 3],
    ) -> Option<Self> {
        let (width, height) = (resolution.width as usize, resolution.height as usize);
        let mut data = Vec::with_capacity(width * height * 3 / 2);
        for ((plane, stride), part) in planes.into_iter().zip([1, 2, 2]) {
            for row in plane.chunks(stride.max(1)).take(height / part) {
                data.extend_from_slice(row.get(..width / part)?);
            }
        }
        Self::from_planes(resolution, timestamp, data)
    }

    /// The planes Y, U and V.
    pub fn planes(&self) -> [&[u8]; 3] {
        let luma = luma_bytes(self.resolution);
        let (y, chroma) = self.data.split_at(luma);
        let (u, v) = chroma.split_at(luma / 4);
        [y, u, v]
    }

    /// The planes Y, U and V, to be changed.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        let luma = luma_bytes(self.resolution);
        let (y, chroma) = self.data.split_at_mut(luma);
        let (u, v) = chroma.split_at_mut(luma / 4);
        [y, u, v]
    }

    /// All planes, one after the other.
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

fn luma_bytes(resolution: Resolution) -> usize {
    resolution.width as usize * resolution.height as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_and_a_plane_that_is_too_small_gives_nothing() {
        let resolution = Resolution { width: 16, height: 16 };
        let plane = |value: u8, stride: usize, width: usize, rows: usize| {
            (0..rows * stride).map(|at| if at % stride < width { value } else { 255 }).collect::<Vec<u8>>()
        };
        let [y, u, v] = [plane(1, 20, 16, 17), plane(2, 8, 8, 8), plane(3, 10, 8, 9)];
        let picture = |v| Picture::from_padded(resolution, Timestamp(7), [(&y, 20), (&u, 8), (v, 10)]);
        let whole = picture(&v).expect("a picture");
        assert_eq!(whole.timestamp, Timestamp(7));
        for (plane, value) in whole.planes().into_iter().zip([1, 2, 3]) {
            assert!(plane.iter().all(|&pixel| pixel == value), "{value}");
        }
        assert_eq!(picture(&v[..70]), None, "rows are missing");
        assert_eq!(picture(&v[..75]), None, "a row is cut");
        assert_eq!(Picture::from_padded(resolution, Timestamp(7), [(&[], 0); 3]), None);
    }
}

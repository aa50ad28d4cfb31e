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

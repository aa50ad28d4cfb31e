//! A camera's pixels as a picture: planar, BT.709, limited range. Pure.

use shared::media::{Picture, Resolution, Timestamp};
use yuv::{BufferStoreMut, YuvPackedImage, YuvPlanarImageMut};

/// How pixels stand in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Luma and chroma in turns; chroma for each row.
    Yuyv,
    /// Luma, then both chroma values in turns.
    Nv12,
    /// Luma, then one chroma plane after the other.
    I420,
}

/// What luma and chroma mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) matrix: Matrix,
    pub(super) range: Range,
}

/// How red, green and blue are mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matrix {
    /// Standard definition, and webcams.
    Bt601,
    /// High definition.
    Bt709,
}

/// Which values stand for black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// 16 and 235.
    Limited,
    /// 0 and 255.
    Full,
}

/// What a camera's buffers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) layout: Layout,
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
    /// Bytes from one row of the first plane to the next; 0 where the driver does not say.
    pub(super) stride: u32,
    pub(super) colours: Colours,
}

impl Layout {
    /// The layout of this name in V4L2.
    pub(super) fn of(fourcc: [u8; 4]) -> Option<Self> {
        [Self::Yuyv, Self::Nv12, Self::I420].into_iter().find(|layout| layout.fourcc() == fourcc)
    }

    /// Its name in V4L2.
    pub(super) fn fourcc(self) -> [u8; 4] {
        match self {
            Self::Yuyv => *b"YUYV",
            Self::Nv12 => *b"NV12",
            Self::I420 => *b"YU12",
        }
    }

    /// How little work it makes.
    pub(super) fn ease(self) -> u8 {
        match self {
            Self::Yuyv => 0,
            Self::Nv12 => 1,
            Self::I420 => 2,
        }
    }
}

impl Frame {
    /// Size of its pictures: even, so that an odd last column or row is cut off.
    pub(super) fn resolution(&self) -> Resolution {
        Resolution { width: self.size.0 & !1, height: self.size.1 & !1 }
    }

    /// The picture in a buffer; `None` where the buffer holds less than one.
    pub(super) fn picture(&self, bytes: &[u8], timestamp: Timestamp) -> Option<Picture> {
        let mut picture = Picture::black(self.resolution(), timestamp);
        match self.layout {
            Layout::Yuyv => self.yuyv(bytes, &mut picture)?,
            Layout::Nv12 => self.nv12(bytes, &mut picture)?,
            Layout::I420 => self.i420(bytes, &mut picture)?,
        }
        if let Some(correction) = Correction::new(self.colours) {
            correction.apply(&mut picture);
        }
        Some(picture)
    }

    fn stride(&self, least: u32) -> usize {
        self.stride.max(least) as usize
    }

    fn yuyv(&self, bytes: &[u8], picture: &mut Picture) -> Option<()> {
        let Resolution { width, height } = picture.resolution;
        let stride = self.stride(self.size.0 * 2);
        // A last row may lack its padding.
        let length = stride * (height as usize - 1) + width as usize * 2;
        let bytes = bytes.get(..length)?;
        let mut padded;
        let bytes = if bytes.len() < stride * height as usize {
            padded = bytes.to_vec();
            padded.resize(stride * height as usize, 0);
            &padded[..]
        } else {
            bytes
        };
        let packed = YuvPackedImage { yuy: bytes, yuy_stride: stride as u32, width, height };
        let [y, u, v] = picture.planes_mut().map(BufferStoreMut::Borrowed);
        let mut planes = YuvPlanarImageMut {
            y_plane: y,
            y_stride: width,
            u_plane: u,
            u_stride: width / 2,
            v_plane: v,
            v_stride: width / 2,
            width,
            height,
        };
        yuv::yuyv422_to_yuv420(&mut planes, &packed).ok()
    }

    fn nv12(&self, bytes: &[u8], picture: &mut Picture) -> Option<()> {
        let (width, stride) = (picture.resolution.width as usize, self.stride(self.size.0));
        let (luma, chroma) = bytes.split_at_checked(stride * self.size.1 as usize)?;
        let [y, u, v] = picture.planes_mut();
        copy_rows(luma, stride, y, width)?;
        let rows = u.chunks_exact_mut(width / 2).zip(v.chunks_exact_mut(width / 2));
        for (row, (u, v)) in rows.enumerate() {
            let from = chroma.get(row * stride..)?.get(..width)?;
            for ((u, v), pair) in u.iter_mut().zip(v).zip(from.chunks_exact(2)) {
                (*u, *v) = (pair[0], pair[1]);
            }
        }
        Some(())
    }

    fn i420(&self, bytes: &[u8], picture: &mut Picture) -> Option<()> {
        let (width, stride) = (picture.resolution.width as usize, self.stride(self.size.0));
        let (luma, chroma) = bytes.split_at_checked(stride * self.size.1 as usize)?;
        let second = stride.div_ceil(2) * self.size.1.div_ceil(2) as usize;
        let [y, u, v] = picture.planes_mut();
        copy_rows(luma, stride, y, width)?;
        copy_rows(chroma, stride.div_ceil(2), u, width / 2)?;
        copy_rows(chroma.get(second..)?, stride.div_ceil(2), v, width / 2)
    }
}

fn copy_rows(from: &[u8], stride: usize, into: &mut [u8], width: usize) -> Option<()> {
    for (row, into) in into.chunks_exact_mut(width).enumerate() {
        into.copy_from_slice(from.get(row * stride..)?.get(..width)?);
    }
    Some(())
}

/// What makes BT.709 in limited range of other colours, in 1/65536.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Correction {
    /// What stands for black.
    black: i32,
    luma: i32,
    /// What the chroma values U and V add to luma, and to themselves.
    to_luma: [i32; 2],
    to_u: [i32; 2],
    to_v: [i32; 2],
}

impl Correction {
    fn new(colours: Colours) -> Option<Self> {
        let (black, luma, chroma) = match colours.range {
            Range::Limited => (16, 1.0, 1.0),
            Range::Full => (0, 219.0 / 255.0, 224.0 / 255.0),
        };
        // BT.601 to RGB to BT.709, for luma from 0 to 1 and chroma from -1/2 to 1/2.
        let (to_luma, to_u, to_v) = match (colours.matrix, colours.range) {
            (Matrix::Bt709, Range::Limited) => return None,
            (Matrix::Bt709, Range::Full) => ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0]),
            (Matrix::Bt601, Range::Limited | Range::Full) => {
                ([-0.115_550, -0.207_938], [1.018_640, 0.114_618], [0.075_049, 1.025_327])
            }
        };
        let fixed = |value: f64| (value * 65_536.0).round() as i32;
        Some(Self {
            black,
            luma: fixed(luma),
            // A step of luma is 1/219, one of chroma 1/224.
            to_luma: to_luma.map(|value: f64| fixed(value * chroma * 219.0 / 224.0)),
            to_u: to_u.map(|value: f64| fixed(value * chroma)),
            to_v: to_v.map(|value: f64| fixed(value * chroma)),
        })
    }

    fn apply(&self, picture: &mut Picture) {
        let width = picture.resolution.width as usize;
        let rounded = |value: i32, offset: i32| (((value + 32_768) >> 16) + offset).clamp(0, 255) as u8;
        let [luma, u, v] = picture.planes_mut();
        let chroma = u.chunks_exact_mut(width / 2).zip(v.chunks_exact_mut(width / 2));
        for (rows, (u, v)) in luma.chunks_exact_mut(width * 2).zip(chroma) {
            let (upper, lower) = rows.split_at_mut(width);
            let blocks = upper.chunks_exact_mut(2).zip(lower.chunks_exact_mut(2));
            for ((upper, lower), (u, v)) in blocks.zip(u.iter_mut().zip(v)) {
                let [cu, cv] = [*u, *v].map(|value| i32::from(value) - 128);
                let mix = |by: [i32; 2]| by[0] * cu + by[1] * cv;
                let add = mix(self.to_luma);
                for y in upper.iter_mut().chain(lower) {
                    *y = rounded((i32::from(*y) - self.black) * self.luma + add, 16);
                }
                (*u, *v) = (rounded(mix(self.to_u), 128), rounded(mix(self.to_v), 128));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Colours = Colours { matrix: Matrix::Bt709, range: Range::Limited };

    /// A buffer whose luma at x, y is `x + 10 y`, U `50 + x/2`, V `200 - y/2`; padding is 255.
    fn buffer(layout: Layout, (width, height): (usize, usize), stride: usize) -> Vec<u8> {
        let luma = |x: usize, y: usize| (x + 10 * y) as u8;
        let (u, v) = (|x: usize| (50 + x / 2) as u8, |y: usize| (200 - y / 2) as u8);
        let mut bytes = Vec::new();
        for y in 0..height {
            let row: Vec<u8> = match layout {
                Layout::Yuyv => (0..width)
                    .flat_map(|x| [luma(x, y), if x % 2 == 0 { u(x) } else { v(y / 2 * 2) }])
                    .collect(),
                Layout::Nv12 | Layout::I420 => (0..width).map(|x| luma(x, y)).collect(),
            };
            bytes.extend(row);
            bytes.resize((y + 1) * stride, 255);
        }
        let begin = bytes.len();
        for y in 0..height / 2 {
            match layout {
                Layout::Yuyv => return bytes,
                Layout::Nv12 => {
                    bytes.extend((0..width / 2).flat_map(|x| [u(2 * x), v(2 * y)]));
                    bytes.resize(begin + (y + 1) * stride, 255);
                }
                Layout::I420 => {
                    bytes.extend((0..width / 2).map(|x| u(2 * x)));
                    bytes.resize(begin + (y + 1) * stride / 2, 255);
                }
            }
        }
        let begin = bytes.len();
        if layout == Layout::I420 {
            for y in 0..height / 2 {
                bytes.extend(std::iter::repeat_n(v(2 * y), width / 2));
                bytes.resize(begin + (y + 1) * stride / 2, 255);
            }
        }
        bytes
    }

    #[test]
    fn all_layouts_give_the_same_picture_with_and_without_padding() {
        let mut expected = Picture::black(Resolution { width: 16, height: 8 }, Timestamp(7));
        let [luma, u, v] = expected.planes_mut();
        for (y, row) in luma.chunks_exact_mut(16).enumerate() {
            row.iter_mut().enumerate().for_each(|(x, value)| *value = (x + 10 * y) as u8);
        }
        for (y, (u, v)) in u.chunks_exact_mut(8).zip(v.chunks_exact_mut(8)).enumerate() {
            u.iter_mut().enumerate().for_each(|(x, value)| *value = (50 + x) as u8);
            v.fill((200 - y) as u8);
        }
        for layout in [Layout::Yuyv, Layout::Nv12, Layout::I420] {
            let bytes = if layout == Layout::Yuyv { 2 } else { 1 };
            for padding in [0, 32] {
                let stride = 16 * bytes + padding;
                let frame = Frame { layout, size: (16, 8), stride: stride as u32, colours: PLAIN };
                let whole = buffer(layout, (16, 8), stride);
                assert_eq!(frame.picture(&whole, Timestamp(7)).as_ref(), Some(&expected), "{layout:?}");
                let cut = &whole[..whole.len() - padding - 1];
                assert_eq!(frame.picture(cut, Timestamp(7)), None, "{layout:?} cut short");
                assert_eq!(frame.picture(&[], Timestamp(7)), None);
            }
            assert_eq!(Layout::of(layout.fourcc()), Some(layout));
        }
        assert_eq!(Layout::of(*b"MJPG"), None);
    }

    #[test]
    fn webcam_colours_become_those_of_high_definition() {
        // Red, green, blue and white as their standards have them.
        let limited = [[81, 90, 240], [145, 54, 34], [41, 240, 110], [235, 128, 128]];
        let full = [[76, 85, 255], [150, 44, 21], [29, 255, 107], [255, 128, 128]];
        let wanted = [[63, 102, 240], [173, 42, 26], [32, 240, 118], [235, 128, 128]];
        for (range, given) in [(Range::Limited, limited), (Range::Full, full)] {
            for (given, wanted) in given.into_iter().zip(wanted) {
                let mut bytes = vec![given[0]; 16 * 16];
                bytes.extend([given[1], given[2]].repeat(64));
                let colours = Colours { matrix: Matrix::Bt601, range };
                let frame = Frame { layout: Layout::Nv12, size: (16, 16), stride: 16, colours };
                let picture = frame.picture(&bytes, Timestamp(0)).expect("a picture");
                for (plane, wanted) in picture.planes().into_iter().zip(wanted) {
                    assert!(
                        plane.iter().all(|got| got.abs_diff(wanted) <= 1),
                        "{range:?} {wanted:?} {plane:?}"
                    );
                }
            }
        }
    }
}

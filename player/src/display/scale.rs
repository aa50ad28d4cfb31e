//! Fitting a picture into a frame of another size.

use shared::media::{Picture, Resolution};

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// The largest area of the picture's shape in the middle of a frame.
pub(crate) fn fit(picture: Resolution, width: usize, height: usize) -> Area {
    let (w, h) = (picture.width.max(1) as usize, picture.height.max(1) as usize);
    let (width_used, height_used) =
        if width * h <= height * w { (width, width * h / w) } else { (height * w / h, height) };
    Area {
        left: (width - width_used) / 2,
        top: (height - height_used) / 2,
        width: width_used,
        height: height_used,
    }
}

/// The picture in another size, by nearest neighbours.
pub(crate) fn nearest(picture: &Picture, to: Resolution) -> Picture {
    let mut scaled = Picture::black(to, picture.timestamp);
    let from = picture.resolution;
    for (index, (target, source)) in scaled.planes_mut().into_iter().zip(picture.planes()).enumerate() {
        let part = if index == 0 { 1 } else { 2 };
        let size = |resolution: Resolution| {
            ((resolution.width / part) as usize, (resolution.height / part) as usize)
        };
        let ((from_width, from_height), (to_width, to_height)) = (size(from), size(to));
        if from_width == 0 || from_height == 0 || to_width == 0 {
            continue;
        }
        for (y, row) in target.chunks_mut(to_width).enumerate() {
            let start = y * from_height / to_height.max(1) * from_width;
            let Some(line) = source.get(start..start + from_width) else { continue };
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = line.get(x * from_width / to_width).copied().unwrap_or_default();
            }
        }
    }
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Resolution = Resolution { width: 1280, height: 720 };

    #[test]
    fn pictures_keep_their_shape() {
        assert_eq!(fit(WIDE, 640, 480), Area { left: 0, top: 60, width: 640, height: 360 });
        assert_eq!(fit(WIDE, 1000, 90), Area { left: 420, top: 0, width: 160, height: 90 });
        assert_eq!(fit(WIDE, 0, 0), Area { left: 0, top: 0, width: 0, height: 0 });
    }

    #[test]
    fn a_scaled_picture_shows_the_same() {
        let mut picture = Picture::black(WIDE, shared::media::Timestamp(1));
        let [luma, ..] = picture.planes_mut();
        luma.chunks_mut(1280).for_each(|row| row[640..].fill(200));
        let small = nearest(&picture, Resolution { width: 64, height: 36 });
        let [luma, chroma, _] = small.planes();
        assert_eq!((luma[31], luma[32], luma[35 * 64 + 63]), (16, 200, 200));
        assert_eq!(chroma.len(), 32 * 18);
    }
}

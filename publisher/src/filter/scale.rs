//! Scales pictures to a rendition's size.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use shared::media::{Picture, Resolution};

use crate::encode;

/// Scales pictures of any size to one size. Keeps its tables, so one is made for each rendition.
#[derive(Debug)]
pub(crate) struct Scaler {
    to: Resolution,
    resizer: Resizer,
}

impl Scaler {
    /// One that scales to `to`; the shape is not kept where that has another.
    pub(crate) fn new(to: Resolution) -> Self {
        Self { to, resizer: Resizer::new() }
    }

    /// The picture in the size that is wanted, with its timestamp.
    ///
    /// # Errors
    /// [`encode::Error`] where the picture has no pixels.
    pub(crate) fn scale(&mut self, picture: &Picture) -> Result<Picture, encode::Error> {
        let mut scaled = Picture::black(self.to, picture.timestamp);
        // Averages where it shrinks, so that a fine pattern does not flicker; bilinear where it grows.
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let sizes = [1, 2, 2].map(|part| (picture.resolution, self.to, part));
        for ((from, into), (old, new, part)) in
            picture.planes().into_iter().zip(scaled.planes_mut()).zip(sizes)
        {
            let failed = |reason: String| encode::Error::Codec {
                codec: "the scaler",
                action: format!("scale a picture from {old} to {new}"),
                reason,
            };
            let from = ImageRef::new(old.width / part, old.height / part, from, PixelType::U8)
                .map_err(|error| failed(error.to_string()))?;
            let mut into = Image::from_slice_u8(new.width / part, new.height / part, into, PixelType::U8)
                .map_err(|error| failed(error.to_string()))?;
            self.resizer.resize(&from, &mut into, &options).map_err(|error| failed(error.to_string()))?;
        }
        Ok(scaled)
    }
}

#[cfg(test)]
mod tests {
    use shared::media::{Timestamp, timecode};

    use super::*;

    #[test]
    fn sizes_colours_and_the_timecode_survive() {
        let time = Timestamp(1_795_000_123_456_789);
        let mut picture = Picture::black(Resolution { width: 1280, height: 720 }, time);
        for (plane, value) in picture.planes_mut().into_iter().zip([90, 60, 200]) {
            plane.fill(value);
        }
        timecode::draw(&mut picture);
        for (width, height) in [(640, 360), (426, 240), (320, 180), (1920, 1080)] {
            let scaled = Scaler::new(Resolution { width, height }).scale(&picture).expect("scaled");
            assert_eq!(scaled.timestamp, time);
            let [luma, u, v] = scaled.planes();
            assert_eq!(timecode::read(luma, width as usize, width as usize), Some(time), "{width}x{height}");
            assert_eq!([luma.last(), u.last(), v.last()], [Some(&90), Some(&60), Some(&200)]);
        }
    }
}

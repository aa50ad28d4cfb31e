//! H.264 by openh264.

use openh264::{decoder, formats::YUVSource as _};
use shared::media::{FrameKind, Picture, Resolution, VideoFrame};

use super::{DecodeError, Decoder};

/// A decoder that starts at a keyframe, and after damage starts again at the next.
#[derive(Default)]
pub(crate) struct OpenH264 {
    /// `None` until a keyframe comes.
    decoder: Option<decoder::Decoder>,
}

impl Decoder for OpenH264 {
    fn decode(&mut self, frame: &VideoFrame) -> Result<Option<Picture>, DecodeError> {
        if self.decoder.is_none() {
            if frame.kind != FrameKind::Key {
                return Ok(None);
            }
            let decoder = decoder::Decoder::new()
                .map_err(|error| DecodeError(format!("the H.264 decoder does not start: {error}")))?;
            self.decoder = Some(decoder);
        }
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let decoded = match decoder.decode(&frame.payload) {
            Ok(decoded) => decoded.map(|yuv| picture(&yuv, frame)),
            Err(error) => {
                let bytes = frame.payload.len();
                self.decoder = None;
                return Err(DecodeError(format!("an H.264 frame of {bytes} bytes is damaged: {error}")));
            }
        };
        match decoded {
            Some(None) => {
                self.decoder = None;
                Err(DecodeError("the picture's size is odd or out of range".into()))
            }
            Some(picture) => Ok(picture),
            None => Ok(None),
        }
    }
}

/// Copies the planes without the decoder's padding.
fn picture(yuv: &decoder::DecodedYUV<'_>, frame: &VideoFrame) -> Option<Picture> {
    let (width, height) = yuv.dimensions();
    if width % 2 != 0 || height % 2 != 0 || width == 0 || height == 0 {
        return None;
    }
    let resolution = Resolution { width: u32::try_from(width).ok()?, height: u32::try_from(height).ok()? };
    let (y, u, v) = yuv.strides();
    Picture::from_padded(resolution, frame.timestamp, [(yuv.y(), y), (yuv.u(), u), (yuv.v(), v)])
}

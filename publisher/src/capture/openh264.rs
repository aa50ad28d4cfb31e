//! H.264 decoded by openh264: baseline to high, progressive 4:2:0, pictures in the order of presentation.

use std::{cmp::Reverse, collections::BinaryHeap};

use openh264::{
    OpenH264API,
    decoder::{self, DecoderConfig, Flush},
    formats::YUVSource as _,
};
use shared::media::{Picture, Resolution, Timestamp};

/// A decoder that starts at a key frame. Dropping it frees all it holds.
pub(super) struct Decoder<T> {
    codec: decoder::Decoder,
    /// When the pictures that are not out yet are to be shown. They come out in this order.
    waiting: BinaryHeap<Reverse<T>>,
}

/// What openh264 says of a stream that it cannot decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damaged(pub(super) String);

impl<T: Ord + Copy> Decoder<T> {
    pub(super) fn new() -> Result<Self, Damaged> {
        // Flushed before its end, a stream with B-frames comes out of order.
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let codec = decoder::Decoder::with_api_config(OpenH264API::from_source(), config);
        Ok(Self { codec: codec.map_err(|error| damaged(&error))?, waiting: BinaryHeap::new() })
    }

    /// Pictures that went in and have not come out.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes an Annex B access unit whose picture is shown at `at`, and gives out the picture that is next
    /// in the order of presentation, if it is known already, with its own time.
    ///
    /// # Errors
    /// [`Damaged`]; the decoder is of no more use then.
    pub(super) fn decode(&mut self, unit: &[u8], at: T) -> Result<Option<(T, Picture)>, Damaged> {
        self.waiting.push(Reverse(at));
        let Some(yuv) = self.codec.decode(unit).map_err(|error| damaged(&error))? else { return Ok(None) };
        let picture = copy(&yuv)?;
        Ok(self.waiting.pop().map(|Reverse(at)| (at, picture)))
    }

    /// The pictures that are still inside when the stream ends.
    ///
    /// # Errors
    /// [`Damaged`].
    pub(super) fn finish(mut self) -> Result<Vec<(T, Picture)>, Damaged> {
        let mut pictures = Vec::new();
        for yuv in self.codec.flush_remaining().map_err(|error| damaged(&error))? {
            let Some(Reverse(at)) = self.waiting.pop() else { break };
            pictures.push((at, copy(&yuv)?));
        }
        Ok(pictures)
    }
}

fn damaged(error: &openh264::Error) -> Damaged {
    Damaged(format!("openh264: {error}"))
}

/// Copies the planes without the decoder's padding; an odd last row or column is left out.
fn copy(yuv: &decoder::DecodedYUV<'_>) -> Result<Picture, Damaged> {
    let (width, height) = yuv.dimensions();
    let (y, u, v) = yuv.strides();
    let side = |pixels: usize| u32::try_from(pixels & !1).unwrap_or(0);
    let resolution = Resolution { width: side(width), height: side(height) };
    Picture::from_padded(resolution, Timestamp::default(), [(yuv.y(), y), (yuv.u(), u), (yuv.v(), v)])
        .ok_or_else(|| Damaged(format!("openh264: a picture of {resolution} lacks a part")))
}

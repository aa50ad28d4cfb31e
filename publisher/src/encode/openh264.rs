//! H.264 by openh264: constrained baseline, one slice, one thread, temporal layers.

use std::{ffi::c_void, ptr, time::Duration};

use bytes::Bytes;
use openh264::{
    OpenH264API,
    encoder::{
        Complexity, Encoder as Codec, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile,
        RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
    },
    formats::YUVSlices,
};
use openh264_sys2::{ENCODER_OPTION, ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, SEncParamExt};
use shared::media::{
    Bitrate, FrameKind, Picture, Resolution, TemporalLayer, Timestamp, VideoCodec, VideoFrame, h264,
};

use super::{
    Error, VideoEncoder, VideoSettings,
    look::Watcher,
    quantiser::{Kind, Qp, Quantiser},
};

/// An encoder. Not moved between threads while it encodes; dropping it frees all it holds.
pub struct Encoder {
    codec: Codec,
    settings: VideoSettings,
    produces: VideoCodec,
    /// Pictures until the next key frame.
    until_key: u32,
    /// Place of the next picture in the pattern of temporal layers, unless it is a key frame.
    phase: u8,
    watcher: Watcher,
    /// What was new in pictures since the last in the base layer.
    fresh: f64,
    quantiser: Quantiser,
    qp: Option<i32>,
}

impl Encoder {
    /// An encoder with these settings, ready for its first picture, which becomes a key frame.
    ///
    /// # Errors
    /// [`Error`] where openh264 refuses the settings, as for pictures of more than 3840x2160.
    pub fn new(settings: VideoSettings) -> Result<Self, Error> {
        let mut codec = Codec::with_api_config(OpenH264API::from_source(), config(&settings))
            .map_err(|error| failed("start", &error))?;
        // The crate initialises at the first picture and knows nothing of temporal layers: so a first
        // picture is encoded and let go, the layers are set, and a second one tells what comes out.
        let black = Picture::black(settings.resolution, Timestamp::default());
        let start = |error| failed(&format!("encode pictures of {}", settings.resolution), &error);
        codec.encode(&planes(&black)).map_err(start)?;
        set_layers(&mut codec, &settings)?;
        codec.force_intra_frame();
        let first = codec.encode(&planes(&black)).map_err(start)?.to_vec();
        let produces = h264::units(&first)
            .filter(|unit| h264::kind(unit) == Some(h264::UnitKind::SPS))
            .find_map(h264::parse_sps)
            .map(|sps| sps.codec)
            .ok_or_else(|| Error::Codec {
                codec: CODEC,
                action: format!("encode pictures of {}", settings.resolution),
                reason: "its key frame has no parameter set that can be read".to_owned(),
            })?;
        let watcher = Watcher::new(settings.resolution);
        let quantiser = Quantiser::new(&settings);
        Ok(Self {
            codec,
            settings,
            produces,
            until_key: 0,
            phase: 0,
            watcher,
            fresh: 0.0,
            quantiser,
            qp: None,
        })
    }

    /// Whether the last key frame is so long ago that a scene cut becomes one: its pictures share nothing
    /// with those before, so it costs little more.
    fn may_begin_anew(&self) -> bool {
        let since = self.settings.keyframe_pictures() - self.until_key;
        self.settings.frame_rate.time_of(u64::from(since)) >= BETWEEN_CUTS
    }

    /// Has the next picture coded with this quantiser.
    fn quantise(&mut self, qp: Qp, layer: u8) -> Result<(), Error> {
        // openh264 makes the lower layers finer by itself.
        let highest = self.settings.layers.count() - 1;
        let finer = match layer {
            _ if highest == 0 => 0,
            0 => 2 + highest,
            layer => highest.saturating_sub(layer),
        };
        let qp = i32::from(qp.0) + i32::from(finer);
        if self.qp != Some(qp) {
            // As nothing else changes, this makes no key frame.
            let mut parameters = SEncParamExt::default();
            get_option(&mut self.codec, &mut parameters, "tell its settings")?;
            parameters.sSpatialLayers[0].iDLayerQp = qp;
            set_option(&mut self.codec, &mut parameters, "change the quantiser")?;
            self.qp = Some(qp);
        }
        Ok(())
    }
}

impl VideoEncoder for Encoder {
    fn encode(&mut self, picture: &Picture) -> Result<Option<VideoFrame>, Error> {
        let (expected, got) = (self.settings.resolution, picture.resolution);
        if expected != got {
            return Err(Error::Size { expected, got });
        }
        let mut look = self.watcher.look(picture);
        let key = self.until_key == 0 || (look.fresh > CUT && self.may_begin_anew());
        let layer = if key { 0 } else { self.settings.layers.of(self.phase) };
        // What was new in a picture that nothing refers to is still new to the next.
        look.fresh = look.fresh.max(self.fresh);
        self.fresh = if layer == 0 { 0.0 } else { look.fresh };
        let Some(qp) = self.quantiser.choose(if key { Kind::Key } else { Kind::Delta(layer) }, look) else {
            self.until_key = self.until_key.saturating_sub(1);
            return Ok(None);
        };
        self.quantise(qp, layer)?;
        if key {
            self.codec.force_intra_frame();
        }
        let time = openh264::Timestamp::from_millis(picture.timestamp.0 / 1000);
        let stream = self
            .codec
            .encode_at(&planes(picture), time)
            .map_err(|error| failed("encode a picture", &error))?;
        let kind = match stream.frame_type() {
            FrameType::IDR => FrameKind::Key,
            FrameType::I | FrameType::P | FrameType::IPMixed => FrameKind::Delta,
            FrameType::Invalid | FrameType::Skip => return Ok(None),
        };
        let video_layers = (0..stream.num_layers()).filter_map(|index| stream.layer(index));
        let layer =
            video_layers.filter(|layer| layer.is_video()).map(|layer| layer.raw_info().uiTemporalId).max();
        let payload = Bytes::from(stream.to_vec());
        if payload.is_empty() {
            return Ok(None);
        }
        if kind == FrameKind::Key {
            self.until_key = self.settings.keyframe_pictures();
            self.phase = 0;
        }
        self.until_key = self.until_key.saturating_sub(1);
        self.phase = (self.phase + 1) % self.settings.layers.pattern();
        self.quantiser.book(kind, payload.len());
        let layer = TemporalLayer(layer.unwrap_or(0));
        Ok(Some(VideoFrame { timestamp: picture.timestamp, kind, layer, payload }))
    }

    fn force_keyframe(&mut self) {
        self.until_key = 0;
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), Error> {
        self.quantiser.set_bitrate(bitrate);
        self.settings.bitrate = bitrate;
        Ok(())
    }

    fn codec(&self) -> VideoCodec {
        self.produces
    }
}

/// How much of a picture is new after a scene cut.
const CUT: f64 = 0.6;
/// Scene cuts that come faster make no key frames.
const BETWEEN_CUTS: Duration = Duration::from_millis(500);

const CODEC: &str = "openh264";

fn config(settings: &VideoSettings) -> EncoderConfig {
    let screen = settings.codes_as_screen();
    EncoderConfig::new()
        .max_frame_rate(FrameRate::from_hz(settings.frame_rate.per_second() as f32))
        // The quantiser is ours: see `quantiser`.
        .rate_control_mode(RateControlMode::Off)
        .adaptive_quantization(false)
        .usage_type(if screen { UsageType::ScreenContentRealTime } else { UsageType::CameraVideoRealTime })
        // For screen content openh264 insists, and makes key frames of its own accord.
        .scene_change_detect(screen)
        .background_detection(!screen)
        .profile(Profile::Baseline)
        .complexity(Complexity::Low)
        .num_threads(1)
        // Key frames come by `until_key`, so that one on demand starts a new interval.
        .intra_frame_period(IntraFramePeriod::from_num_frames(0))
        .sps_pps_strategy(SpsPpsStrategy::ConstantId)
        .vui(VuiConfig::bt709())
}

/// Sets what the crate's configuration lacks. The next picture is an IDR.
fn set_layers(codec: &mut Codec, settings: &VideoSettings) -> Result<(), Error> {
    let mut parameters = SEncParamExt::default();
    get_option(codec, &mut parameters, "tell its settings")?;
    parameters.iTemporalLayerNum = i32::from(settings.layers.count());
    set_option(codec, &mut parameters, &format!("encode {} temporal layers", settings.layers.count()))
}

fn failed(action: &str, error: &openh264::Error) -> Error {
    Error::Codec { codec: CODEC, action: action.to_owned(), reason: error.to_string() }
}

fn get_option(codec: &mut Codec, value: &mut SEncParamExt, action: &str) -> Result<(), Error> {
    #[expect(unsafe_code, reason = "openh264's options have no safe interface")]
    // SAFETY: the encoder is initialised (its first picture is encoded before any option is used), and
    // `value` is of the type that openh264 writes for this option.
    let code = unsafe { codec.raw_api().get_option(PARAMETERS, ptr::from_mut(value).cast::<c_void>()) };
    checked(code, action)
}

fn set_option(codec: &mut Codec, value: &mut SEncParamExt, action: &str) -> Result<(), Error> {
    #[expect(unsafe_code, reason = "openh264's options have no safe interface")]
    // SAFETY: the encoder is initialised (its first picture is encoded before any option is used), and
    // `value` is of the type that openh264 reads for this option; it keeps no pointer to it.
    let code = unsafe { codec.raw_api().set_option(PARAMETERS, ptr::from_mut(value).cast::<c_void>()) };
    checked(code, action)
}

const PARAMETERS: ENCODER_OPTION = ENCODER_OPTION_SVC_ENCODE_PARAM_EXT;

fn checked(code: i32, action: &str) -> Result<(), Error> {
    if code == 0 {
        return Ok(());
    }
    let reason = format!("it answers with code {code}; try another bitrate, size or number of layers");
    Err(Error::Codec { codec: CODEC, action: action.to_owned(), reason })
}

/// A picture as openh264 reads it: its planes, with nothing between their rows. Nothing is copied.
pub fn planes(picture: &Picture) -> YUVSlices<'_> {
    let Resolution { width, height } = picture.resolution;
    let (width, height) = (width as usize, height as usize);
    YUVSlices::new(picture.planes().into(), (width, height), (width, width / 2, width / 2))
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! H.264 by openh264: constrained baseline, one slice, one thread, temporal layers.

use std::{ffi::c_void, ptr};

use bytes::Bytes;
use openh264::{
    OpenH264API,
    encoder::{
        BitRate, Complexity, Encoder as Codec, EncoderConfig, FrameRate, FrameType, IntraFramePeriod,
        Profile, QpRange, RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
    },
    formats::YUVSource,
};
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_RC_FRAME_SKIP,
    ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, SBitrateInfo, SEncParamExt, SPATIAL_LAYER_ALL,
};
use shared::media::{Bitrate, FrameKind, Picture, TemporalLayer, Timestamp, VideoCodec, VideoFrame, h264};

use super::{
    Content, Error, VideoEncoder, VideoSettings,
    budget::{self, Budget},
};

/// An encoder. Not moved between threads while it encodes; dropping it frees all it holds.
pub struct Encoder {
    codec: Codec,
    settings: VideoSettings,
    produces: VideoCodec,
    /// Pictures until the next key frame.
    until_key: u32,
    budget: Budget,
    asked: Bitrate,
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
        codec.encode(&Planes(&black)).map_err(start)?;
        set_layers(&mut codec, &settings)?;
        codec.force_intra_frame();
        let first = codec.encode(&Planes(&black)).map_err(start)?.to_vec();
        let produces = h264::units(&first)
            .filter(|unit| h264::kind(unit) == Some(h264::UnitKind::SPS))
            .find_map(h264::parse_sps)
            .map(|sps| sps.codec)
            .ok_or_else(|| Error::Codec {
                codec: CODEC,
                action: format!("encode pictures of {}", settings.resolution),
                reason: "its key frame has no parameter set that can be read".to_owned(),
            })?;
        let budget = Budget::new(settings.bitrate, settings.frame_rate);
        let asked = settings.bitrate;
        Ok(Self { codec, settings, produces, until_key: 0, budget, asked })
    }

    fn ask(&mut self, bitrate: Bitrate) -> Result<(), Error> {
        set_bitrate(&mut self.codec, ENCODER_OPTION_BITRATE, bitrate)?;
        self.asked = bitrate;
        Ok(())
    }
}

impl VideoEncoder for Encoder {
    fn encode(&mut self, picture: &Picture) -> Result<Option<VideoFrame>, Error> {
        let (expected, got) = (self.settings.resolution, picture.resolution);
        if expected != got {
            return Err(Error::Size { expected, got });
        }
        if self.until_key == 0 {
            self.codec.force_intra_frame();
        }
        let time = openh264::Timestamp::from_millis(picture.timestamp.0 / 1000);
        let stream = self
            .codec
            .encode_at(&Planes(picture), time)
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
        }
        self.until_key = self.until_key.saturating_sub(1);
        let ask = self.budget.spend(payload.len());
        if ask.0.abs_diff(self.asked.0) > self.settings.bitrate.0 / 50 {
            self.ask(ask)?;
        }
        let layer = TemporalLayer(layer.unwrap_or(0));
        Ok(Some(VideoFrame { timestamp: picture.timestamp, kind, layer, payload }))
    }

    fn force_keyframe(&mut self) {
        self.until_key = 0;
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), Error> {
        if bitrate > self.settings.bitrate {
            set_bitrate(&mut self.codec, ENCODER_OPTION_MAX_BITRATE, most(bitrate))?;
        }
        self.ask(bitrate)?;
        self.budget.set_bitrate(bitrate);
        self.settings.bitrate = bitrate;
        Ok(())
    }

    fn codec(&self) -> VideoCodec {
        self.produces
    }
}

const CODEC: &str = "openh264";

fn config(settings: &VideoSettings) -> EncoderConfig {
    EncoderConfig::new()
        .bitrate(BitRate::from_bps(settings.bitrate.0))
        .max_frame_rate(FrameRate::from_hz(settings.frame_rate.per_second() as f32))
        .rate_control_mode(RateControlMode::Bitrate)
        // Off as soon as openh264 is quiet: at the start it would warn on standard error.
        .skip_frames(true)
        .usage_type(match settings.content {
            Content::Camera => UsageType::CameraVideoRealTime,
            Content::Screen => UsageType::ScreenContentRealTime,
        })
        .profile(Profile::Baseline)
        .complexity(Complexity::Low)
        .num_threads(1)
        .qp(QpRange::new(10, 51))
        // Key frames come by `until_key`, so that one on demand starts a new interval.
        .intra_frame_period(IntraFramePeriod::from_num_frames(0))
        .scene_change_detect(false)
        .sps_pps_strategy(SpsPpsStrategy::ConstantId)
        .vui(VuiConfig::bt709())
}

/// Sets what the crate's configuration lacks. The next picture is an IDR.
fn set_layers(codec: &mut Codec, settings: &VideoSettings) -> Result<(), Error> {
    let mut parameters = SEncParamExt::default();
    get_option(codec, ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, &mut parameters, "tell its settings")?;
    let most = native(most(settings.bitrate));
    parameters.iTemporalLayerNum = i32::from(settings.layers.count());
    parameters.iMaxBitrate = most;
    parameters.sSpatialLayers[0].iMaxSpatialBitrate = most;
    let action = format!("encode {} temporal layers", settings.layers.count());
    set_option(codec, ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, &mut parameters, &action)?;
    set_option(codec, ENCODER_OPTION_RC_FRAME_SKIP, &mut false, "encode every picture")
}

/// The most that the budget asks for.
fn most(bitrate: Bitrate) -> Bitrate {
    Bitrate((f64::from(bitrate.0) * budget::MOST) as u32)
}

fn native(bitrate: Bitrate) -> i32 {
    i32::try_from(bitrate.0).unwrap_or(i32::MAX)
}

fn set_bitrate(codec: &mut Codec, option: ENCODER_OPTION, bitrate: Bitrate) -> Result<(), Error> {
    let mut info = SBitrateInfo { iLayer: SPATIAL_LAYER_ALL, iBitrate: native(bitrate) };
    set_option(codec, option, &mut info, "change the bitrate")
}

fn failed(action: &str, error: &openh264::Error) -> Error {
    Error::Codec { codec: CODEC, action: action.to_owned(), reason: error.to_string() }
}

/// An option's value, of the type that openh264 has for the option.
trait OptionValue {
    fn fits(option: ENCODER_OPTION) -> bool;
}

impl OptionValue for SEncParamExt {
    fn fits(option: ENCODER_OPTION) -> bool {
        option == ENCODER_OPTION_SVC_ENCODE_PARAM_EXT
    }
}

impl OptionValue for bool {
    fn fits(option: ENCODER_OPTION) -> bool {
        option == ENCODER_OPTION_RC_FRAME_SKIP
    }
}

impl OptionValue for SBitrateInfo {
    fn fits(option: ENCODER_OPTION) -> bool {
        option == ENCODER_OPTION_BITRATE || option == ENCODER_OPTION_MAX_BITRATE
    }
}

fn get_option<T: OptionValue>(
    codec: &mut Codec,
    option: ENCODER_OPTION,
    value: &mut T,
    action: &str,
) -> Result<(), Error> {
    assert!(T::fits(option), "an option is read into its own type");
    #[expect(unsafe_code, reason = "openh264's options have no safe interface")]
    // SAFETY: the encoder is initialised (its first picture is encoded before any option is used), and
    // `value` is of the type that openh264 writes for this option, as asserted above.
    let code = unsafe { codec.raw_api().get_option(option, ptr::from_mut(value).cast::<c_void>()) };
    checked(code, action)
}

fn set_option<T: OptionValue>(
    codec: &mut Codec,
    option: ENCODER_OPTION,
    value: &mut T,
    action: &str,
) -> Result<(), Error> {
    assert!(T::fits(option), "an option is set from its own type");
    #[expect(unsafe_code, reason = "openh264's options have no safe interface")]
    // SAFETY: the encoder is initialised (its first picture is encoded before any option is used), and
    // `value` is of the type that openh264 reads for this option, as asserted above; it keeps no pointer.
    let code = unsafe { codec.raw_api().set_option(option, ptr::from_mut(value).cast::<c_void>()) };
    checked(code, action)
}

fn checked(code: i32, action: &str) -> Result<(), Error> {
    if code == 0 {
        return Ok(());
    }
    let reason = format!("it answers with code {code}; try another bitrate, size or number of layers");
    Err(Error::Codec { codec: CODEC, action: action.to_owned(), reason })
}

/// A picture as openh264 reads it.
struct Planes<'a>(&'a Picture);

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.resolution.width as usize, self.0.resolution.height as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let width = self.0.resolution.width as usize;
        (width, width / 2, width / 2)
    }

    fn y(&self) -> &[u8] {
        self.0.planes()[0]
    }

    fn u(&self) -> &[u8] {
        self.0.planes()[1]
    }

    fn v(&self) -> &[u8] {
        self.0.planes()[2]
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! openh264 with its own rate control, which ours is measured against, and its decoder, which tells what
//! pictures became.

use openh264::{
    OpenH264API,
    decoder::Decoder,
    encoder::{
        BitRate, Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, Profile, RateControlMode,
        UsageType,
    },
    formats::YUVSource as _,
};
use publisher::encode::{Content, VideoSettings, openh264::planes};
use shared::media::Picture;

/// openh264 as it is: one temporal layer, no skipping of pictures.
pub(crate) struct Bare {
    codec: Encoder,
    settings: VideoSettings,
    index: u32,
}

impl Bare {
    pub(crate) fn new(settings: VideoSettings) -> Self {
        let config = EncoderConfig::new()
            .bitrate(BitRate::from_bps(settings.bitrate.0))
            .max_frame_rate(FrameRate::from_hz(settings.frame_rate.per_second() as f32))
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(false)
            .usage_type(match settings.content {
                Content::Camera => UsageType::CameraVideoRealTime,
                Content::Screen => UsageType::ScreenContentRealTime,
            })
            .profile(Profile::Baseline)
            .complexity(Complexity::Low)
            .num_threads(1)
            .intra_frame_period(IntraFramePeriod::from_num_frames(0))
            .scene_change_detect(false);
        let codec = Encoder::with_api_config(OpenH264API::from_source(), config).expect("an encoder");
        Self { codec, settings, index: 0 }
    }

    pub(crate) fn encode(&mut self, picture: &Picture) -> Vec<u8> {
        if self.index.is_multiple_of(self.settings.keyframe_pictures()) {
            self.codec.force_intra_frame();
        }
        self.index += 1;
        let time = openh264::Timestamp::from_millis(picture.timestamp.0 / 1000);
        self.codec.encode_at(&planes(picture), time).expect("encodes").to_vec()
    }
}

/// Compares what is seen with what it was made of.
pub(crate) struct Judge {
    decoder: Decoder,
    /// The luma that is shown.
    shown: Vec<u8>,
}

impl Judge {
    pub(crate) fn new() -> Self {
        Self { decoder: Decoder::new().expect("a decoder"), shown: Vec::new() }
    }

    /// Mean squared error of the luma; where nothing was coded, of what is still shown.
    pub(crate) fn error(&mut self, coded: &[u8], picture: &Picture) -> f64 {
        if !coded.is_empty() {
            let decoded = self.decoder.decode(coded).expect("decodes").expect("a picture for each");
            let width = picture.resolution.width as usize;
            self.shown.clear();
            for row in decoded.y().chunks(decoded.strides().0) {
                self.shown.extend_from_slice(&row[..width]);
            }
        }
        let sum: u64 =
            (self.shown.iter().zip(picture.planes()[0])).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
        sum as f64 / picture.planes()[0].len() as f64
    }
}

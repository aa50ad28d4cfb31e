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

/// Compares what was coded with what it was made of.
pub(crate) struct Judge(Decoder);

impl Judge {
    pub(crate) fn new() -> Self {
        Self(Decoder::new().expect("a decoder"))
    }

    /// Mean squared error of the luma.
    pub(crate) fn error(&mut self, coded: &[u8], picture: &Picture) -> f64 {
        let decoded = self.0.decode(coded).expect("decodes").expect("a picture for each");
        let width = picture.resolution.width as usize;
        let stride = decoded.strides().0;
        let rows = decoded.y().chunks(stride).zip(picture.planes()[0].chunks(width));
        let sum: u64 = rows
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum::<u64>())
            .sum();
        sum as f64 / picture.planes()[0].len() as f64
    }
}

//! Sources that are devices, as far as this build has them.

use std::sync::Arc;

use shared::media::{FrameRate, Resolution};

use super::{AudioSource, Clock, Error, VideoSource};

type Video = Result<Box<dyn VideoSource>, Error>;
type Audio = Result<Box<dyn AudioSource>, Error>;

/// The screen that `DISPLAY` names.
#[cfg(feature = "screen")]
pub(super) fn screen(frame_rate: FrameRate, clock: Arc<Clock>) -> Video {
    Ok(Box::new(super::screen::Screen::open(None, frame_rate, clock)?))
}

#[cfg(not(feature = "screen"))]
pub(super) fn screen(_: FrameRate, _: Arc<Clock>) -> Video {
    Err(not_built("screen", "screen"))
}

/// A camera, by its device or the first one.
#[cfg(feature = "camera")]
pub(super) fn camera(device: Option<&str>, size: Resolution, rate: FrameRate, clock: Arc<Clock>) -> Video {
    Ok(Box::new(super::camera::Camera::open(device, size, rate, clock)?))
}

#[cfg(not(feature = "camera"))]
pub(super) fn camera(_: Option<&str>, _: Resolution, _: FrameRate, _: Arc<Clock>) -> Video {
    Err(not_built("camera", "camera"))
}

/// The default microphone.
#[cfg(feature = "mic")]
pub(super) fn microphone(clock: Arc<Clock>) -> Audio {
    Ok(Box::new(super::microphone::Microphone::open(clock)?))
}

#[cfg(not(feature = "mic"))]
pub(super) fn microphone(_: Arc<Clock>) -> Audio {
    Err(not_built("microphone", "mic"))
}

#[cfg(not(all(feature = "screen", feature = "camera", feature = "mic")))]
fn not_built(device: &str, feature: &str) -> Error {
    Error(format!("this build has no {device}: build it with --features {feature}"))
}

#[cfg(all(test, not(feature = "camera")))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_in_is_named_with_its_feature() {
        let rate = FrameRate::new(30, 1).expect("a rate");
        let size = Resolution { width: 640, height: 360 };
        let error = camera(None, size, rate, Arc::default()).err().expect("no camera here").to_string();
        assert_eq!(error, "this build has no camera: build it with --features camera");
    }
}

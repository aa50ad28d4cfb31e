//! Which of a camera's modes comes closest to what is wanted. Pure.

use shared::media::Resolution;

use super::pixels::Layout;

/// A way in which a camera gives pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mode {
    pub(super) layout: Layout,
    /// Width and height; the largest, where there are several.
    pub(super) size: (u32, u32),
    /// The smallest size.
    pub(super) least: (u32, u32),
    /// From one size to the next; 0 where there is one only.
    pub(super) step: (u32, u32),
    /// Pictures a second, at most; `None` where that is not known.
    pub(super) per_second: Option<f64>,
}

/// The mode of the largest size that is not above `wanted`, among those that are fast enough; the one that
/// is nearest to fast enough where none is. A camera whose sizes are all larger gives its smallest.
pub(super) fn best(modes: &[Mode], wanted: Resolution, per_second: f64) -> Option<Mode> {
    let fitted = modes.iter().map(|mode| Mode {
        size: (
            fit(mode.size.0, mode.least.0, mode.step.0, wanted.width),
            fit(mode.size.1, mode.least.1, mode.step.1, wanted.height),
        ),
        ..*mode
    });
    let rank = |mode: &Mode| {
        // In hundredths: 29.97 is as good as 30.
        let speed = mode.per_second.map_or(1.0, |rate| (rate / per_second).min(1.0));
        let within = mode.size.0 <= wanted.width && mode.size.1 <= wanted.height;
        let pixels = i64::from(mode.size.0) * i64::from(mode.size.1);
        (within, (speed * 100.0).round() as u32, if within { pixels } else { -pixels }, mode.layout.ease())
    };
    fitted.max_by_key(rank)
}

/// The largest side that is not above `wanted`.
fn fit(most: u32, least: u32, step: u32, wanted: u32) -> u32 {
    if step == 0 || most <= wanted {
        return most;
    }
    least + wanted.saturating_sub(least) / step * step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(layout: Layout, size: (u32, u32), per_second: f64) -> Mode {
        Mode { layout, size, least: size, step: (0, 0), per_second: Some(per_second) }
    }

    fn wanted(width: u32, height: u32) -> Resolution {
        Resolution { width, height }
    }

    #[test]
    fn the_largest_that_is_fast_enough_is_chosen() {
        let modes = [
            mode(Layout::Yuyv, (640, 480), 30.0),
            mode(Layout::Yuyv, (1280, 720), 10.0),
            mode(Layout::Yuyv, (848, 480), 29.97),
            mode(Layout::Yuyv, (1920, 1080), 5.0),
        ];
        let size = |width, height, rate| best(&modes, wanted(width, height), rate).map(|mode| mode.size);
        assert_eq!(size(1280, 720, 30.0), Some((848, 480)));
        assert_eq!(size(1280, 720, 10.0), Some((1280, 720)));
        assert_eq!(size(640, 480, 30.0), Some((640, 480)));
        assert_eq!(size(320, 240, 30.0), Some((640, 480)), "the smallest that there is");
        assert_eq!(best(&[], wanted(640, 480), 30.0), None);
    }

    #[test]
    fn sizes_in_steps_are_fitted_and_easy_layouts_are_preferred() {
        let steps = Mode {
            least: (32, 32),
            step: (16, 8),
            per_second: None,
            ..mode(Layout::Nv12, (4096, 2160), 0.0)
        };
        let found = best(&[steps], wanted(1280, 724), 30.0).expect("a mode");
        assert_eq!(found.size, (1280, 720));
        let same = [Layout::Yuyv, Layout::I420, Layout::Nv12].map(|layout| mode(layout, (640, 480), 30.0));
        assert_eq!(best(&same, wanted(640, 480), 30.0).map(|mode| mode.layout), Some(Layout::I420));
    }
}

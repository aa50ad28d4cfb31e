//! The simulcast ladder: in which sizes, rates and bitrates one capture goes on air.

use std::{fmt, str::FromStr};

use shared::media::{Bitrate, FrameRate, Resolution, Timestamp, UnitError};

/// A rendition as the streamer asks for it: `1280x720@30:2M`, where `@30` and `:2M` may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Size of its pictures.
    pub resolution: Resolution,
    /// Pictures a second; `None` for the source's.
    pub frame_rate: Option<FrameRate>,
    /// Bits a second; `None` for what suits the size.
    pub bitrate: Option<Bitrate>,
}

/// A rendition as it goes on air.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendition {
    /// Name of its track.
    pub track: String,
    /// For people: `720p`.
    pub label: String,
    /// Size of its pictures.
    pub resolution: Resolution,
    /// Pictures a second, at most the source's.
    pub frame_rate: FrameRate,
    /// Bits a second.
    pub bitrate: Bitrate,
}

/// A rendition that cannot be understood, with what could be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; a rendition is WIDTHxHEIGHT[@FPS][:BITRATE], as in 1280x720@30:2M")]
pub struct SpecError {
    reason: UnitError,
}

impl From<UnitError> for SpecError {
    fn from(reason: UnitError) -> Self {
        Self { reason }
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (text, bitrate) = match text.split_once(':') {
            Some((text, bitrate)) => (text, Some(bitrate.parse()?)),
            None => (text, None),
        };
        let (text, frame_rate) = match text.split_once('@') {
            Some((text, frame_rate)) => (text, Some(frame_rate.parse()?)),
            None => (text, None),
        };
        Ok(Self { resolution: text.parse()?, frame_rate, bitrate })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resolution.fmt(f)?;
        if let Some(frame_rate) = self.frame_rate {
            write!(f, "@{frame_rate}")?;
        }
        if let Some(bitrate) = self.bitrate {
            write!(f, ":{}k", bitrate.0 / 1000)?;
        }
        Ok(())
    }
}

/// The ladder that these specifications make of a source: one rendition of the source's size, at most
/// 1280x720, where none is asked for.
pub fn ladder(specs: &[Spec], source: Resolution, source_rate: FrameRate) -> Vec<Rendition> {
    let default = [Spec { resolution: within(source, DEFAULT_LIMIT), frame_rate: None, bitrate: None }];
    let specs = if specs.is_empty() { &default } else { specs };
    let mut ladder: Vec<Rendition> = Vec::with_capacity(specs.len());
    for spec in specs {
        let frame_rate = match spec.frame_rate {
            Some(rate) if rate.per_second() < source_rate.per_second() => rate,
            Some(_) | None => source_rate,
        };
        let height = format!("{}p", spec.resolution.height);
        let same = ladder.iter().filter(|other| other.resolution.height == spec.resolution.height).count();
        let label = if same == 0 { height } else { format!("{height}-{}", same + 1) };
        ladder.push(Rendition {
            track: shared::naming::video(&label),
            label,
            resolution: spec.resolution,
            frame_rate,
            bitrate: spec.bitrate.unwrap_or_else(|| suitable(spec.resolution, frame_rate)),
        });
    }
    ladder
}

const DEFAULT_LIMIT: Resolution = Resolution { width: 1280, height: 720 };

/// The largest even size of the same shape within a limit; never larger than it is.
fn within(size: Resolution, limit: Resolution) -> Resolution {
    let scale = (f64::from(limit.width) / f64::from(size.width))
        .min(f64::from(limit.height) / f64::from(size.height))
        .min(1.0);
    let side = |pixels: u32| (((f64::from(pixels) * scale / 2.0).round() as u32) * 2).max(16);
    Resolution { width: side(size.width), height: side(size.height) }
}

/// 2 Mbit/s for 1280x720 at 30 frames a second; half as much again for twice the pixels or frames.
fn suitable(resolution: Resolution, frame_rate: FrameRate) -> Bitrate {
    let pixels = f64::from(resolution.width) * f64::from(resolution.height) * frame_rate.per_second();
    let bits = 2e6 * (pixels / (1280.0 * 720.0 * 30.0)).powf(0.6);
    Bitrate((bits / 50_000.0).round().max(2.0) as u32 * 50_000)
}

/// Passes as many pictures of a source as a lower frame rate needs. Pure.
#[derive(Debug)]
pub struct Decimator {
    frame_rate: FrameRate,
    first: Option<Timestamp>,
    passed: u64,
}

impl Decimator {
    /// Passes at most `frame_rate` pictures a second.
    pub fn new(frame_rate: FrameRate) -> Self {
        Self { frame_rate, first: None, passed: 0 }
    }

    /// Whether the picture captured then is to be passed.
    pub fn pass(&mut self, timestamp: Timestamp) -> bool {
        let first = *self.first.get_or_insert(timestamp);
        let since = timestamp.since(first);
        // A quarter of a period early counts as in time: capture jitters.
        let period = self.frame_rate.time_of(1);
        if since + period / 4 < self.frame_rate.time_of(self.passed) {
            return false;
        }
        self.passed += 1;
        // After a gap the count goes on from here instead of passing a burst.
        if since > self.frame_rate.time_of(self.passed) {
            self.first = Some(timestamp);
            self.passed = 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> FrameRate {
        text.parse().expect("a frame rate")
    }

    fn size(text: &str) -> Resolution {
        text.parse().expect("a size")
    }

    #[test]
    fn a_rendition_is_read_in_all_its_lengths_and_refused_with_a_hint() {
        for text in ["1280x720@30:2000k", "640x360:800k", "640x360@29.97", "320x180"] {
            let spec: Spec = text.parse().expect(text);
            let again: Spec = spec.to_string().parse().expect("its own words");
            assert_eq!(again, spec, "{text}");
        }
        for (text, hint) in [("720p", "1280x720"), ("1280x720@x", "30"), ("1280x720@30:fast", "800k")] {
            let error = text.parse::<Spec>().expect_err(text).to_string();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn the_default_is_the_source_within_720p() {
        for (source, expected) in [
            ("1280x720", "1280x720"),
            ("640x480", "640x480"),
            ("1920x800", "1280x534"),
            ("1080x1920", "406x720"),
        ] {
            let ladder = ladder(&[], size(source), rate("24"));
            assert_eq!(ladder[0].resolution, size(expected), "{source}");
            assert_eq!(ladder[0].frame_rate, rate("24"));
        }
        assert_eq!(ladder(&[], size("1280x720"), rate("30"))[0].bitrate, Bitrate(2_000_000));
    }

    #[test]
    fn names_are_unique_and_rates_at_most_the_sources() {
        let specs: Vec<Spec> = ["1280x720@60:2M", "1280x720@15:1M", "640x360"]
            .map(|text| text.parse().expect("a rendition"))
            .to_vec();
        let ladder = ladder(&specs, size("1280x720"), rate("30"));
        let names: Vec<&str> = ladder.iter().map(|rendition| rendition.track.as_str()).collect();
        assert_eq!(names, ["video-720p", "video-720p-2", "video-360p"]);
        let rates: Vec<f64> = ladder.iter().map(|rendition| rendition.frame_rate.per_second()).collect();
        assert_eq!(rates, [30.0, 15.0, 30.0]);
    }

    #[test]
    fn a_lower_rate_passes_evenly_and_a_gap_makes_no_burst() {
        let passed = |rate_text: &str, times: &[u64]| {
            let mut decimator = Decimator::new(rate(rate_text));
            times.iter().filter(|&&at| decimator.pass(Timestamp(at))).count()
        };
        let thirty: Vec<u64> = (0..300).map(|index| index * 1_000_000 / 30 + (index * 7919) % 4000).collect();
        assert_eq!(passed("30", &thirty), 300);
        assert_eq!(passed("15", &thirty), 150);
        assert!((199..=201).contains(&passed("20", &thirty)));
        let gap: Vec<u64> = (0..30).chain(300..330).map(|index| index * 1_000_000 / 30).collect();
        assert!((29..=31).contains(&passed("15", &gap)));
    }
}

//! Newtypes for time, bitrate and size: what is added up is what fits together.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub(super) use std::time::Duration;

/// A point in time in microseconds since the Unix epoch, LOC's default (LOC-04 Timestamp).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Time from `earlier` to `self`; zero where `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// Bits a second. Parses `800k`, `2M`, `2.5M` or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bitrate(pub u32);

/// Width and height in pixels. Parses `1280x720`; both are even and at least 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resolution {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Frames a second as a fraction, as in 30000/1001. Parses `30`, `29.97` or `30000/1001`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

/// A size, rate or bitrate that cannot be used, with what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// Not a bitrate.
    #[error("{0:?} is no bitrate: write 800k, 2M or a number of bits a second, at least 1000")]
    Bitrate(String),
    /// Not a size.
    #[error("{0:?} is no size: write WIDTHxHEIGHT with even numbers from 16 to 8192, as in 1280x720")]
    Resolution(String),
    /// Not a frame rate.
    #[error("{0:?} is no frame rate: write 30, 29.97 or 30000/1001, from 1 to 240 frames a second")]
    FrameRate(String),
}

impl FrameRate {
    /// A rate of `numerator / denominator` frames a second.
    ///
    /// # Errors
    /// [`UnitError::FrameRate`] where that is not from 1 to 240.
    pub fn new(numerator: u32, denominator: u32) -> Result<Self, UnitError> {
        let whole = u64::from(numerator).checked_div(u64::from(denominator));
        let below_limit = u64::from(numerator) <= 240 * u64::from(denominator);
        match whole {
            Some(1..) if below_limit => Ok(Self { numerator, denominator }),
            _ => Err(UnitError::FrameRate(format!("{numerator}/{denominator}"))),
        }
    }

    /// Frames a second.
    pub fn per_second(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// When frame `index` is due, counted from frame 0: exact, so that nothing drifts.
    pub fn time_of(self, index: u64) -> Duration {
        let nanos =
            u128::from(index) * 1_000_000_000 * u128::from(self.denominator) / u128::from(self.numerator);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

impl FromStr for FrameRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::FrameRate(text.to_owned());
        if let Some((numerator, denominator)) = text.split_once('/') {
            let numerator = numerator.parse().map_err(|_| wrong())?;
            let denominator = denominator.parse().map_err(|_| wrong())?;
            return Self::new(numerator, denominator).map_err(|_| wrong());
        }
        if let Ok(whole) = text.parse() {
            return Self::new(whole, 1).map_err(|_| wrong());
        }
        let rate: f64 = text.parse().map_err(|_| wrong())?;
        let scaled = (rate * 1000.0).round();
        if !(1000.0..=240_000.0).contains(&scaled) {
            return Err(wrong());
        }
        // In range by the check above.
        let numerator = scaled as u32;
        Self::new(numerator, 1000).map_err(|_| wrong())
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bits if bits >= 1_000_000 => write!(f, "{:.1} Mbit/s", f64::from(bits) / 1e6),
            bits => write!(f, "{} kbit/s", bits / 1000),
        }
    }
}

impl FromStr for Bitrate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::Bitrate(text.to_owned());
        let (number, unit) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 1e3),
            Some(b'm' | b'M') => (&text[..text.len() - 1], 1e6),
            _ => (text, 1.0),
        };
        let bits = number.parse::<f64>().map_err(|_| wrong())? * unit;
        if (1000.0..=1e9).contains(&bits) { Ok(Self(bits as u32)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Resolution {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::Resolution(text.to_owned());
        let (width, height) = text.split_once('x').ok_or_else(wrong)?;
        let side = |side: &str| {
            side.parse::<u32>()
                .ok()
                .filter(|pixels| (16..=8192).contains(pixels) && pixels % 2 == 0)
                .ok_or_else(wrong)
        };
        Ok(Self { width: side(width)?, height: side(height)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitrates_parse_with_and_without_units() {
        for (text, bits) in [("800k", 800_000), ("2M", 2_000_000), ("2.5M", 2_500_000), ("64000", 64_000)] {
            assert_eq!(text.parse(), Ok(Bitrate(bits)));
        }
        for text in ["", "k", "0", "-2M", "fast", "NaN", "2G", "é"] {
            assert!(text.parse::<Bitrate>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_even_and_bounded() {
        assert_eq!("1280x720".parse(), Ok(Resolution { width: 1280, height: 720 }));
        for text in ["1280", "1280x", "1281x720", "0x0", "99999x720", "x"] {
            assert!(text.parse::<Resolution>().is_err(), "{text}");
        }
    }

    #[test]
    fn ntsc_frames_do_not_drift_over_a_day() {
        let rate: FrameRate = "30000/1001".parse().expect("a rate");
        let frames_in_24_hours = 2_589_410;
        assert_eq!(rate.time_of(frames_in_24_hours).as_millis(), 86_399_980);
        assert_eq!("29.97".parse::<FrameRate>().map(|r| r.to_string()), Ok("29970/1000".into()));
    }

    #[test]
    fn frame_rates_out_of_range_are_refused() {
        for text in ["0", "0/1", "30/0", "241", "1/2", "inf", ""] {
            assert!(text.parse::<FrameRate>().is_err(), "{text}");
        }
    }

    #[test]
    fn time_never_goes_below_zero() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
        assert_eq!(Timestamp(5) + Duration::from_micros(4), Timestamp(9));
    }
}

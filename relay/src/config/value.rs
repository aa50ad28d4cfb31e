//! Values as people write them: `10s`, `16M`, `bbr`.

use std::{fmt, net::SocketAddr, str::FromStr, time::Duration};

use shared::transport::Congestion;

/// A value that cannot be read, with what can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }
}

/// A number of bytes, written as `1048576`, `512K`, `16M` or `1G` (powers of 1,024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub usize);

impl FromStr for ByteCount {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (digits, unit) = split(text);
        let factor: usize = match unit.trim_end_matches('B').trim_end_matches('i') {
            "" => 1,
            "K" | "k" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            _ => return Err(ValueError(format!("{text:?} is no number of bytes: write 512K, 16M or 1G"))),
        };
        let number = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(factor));
        number.map(Self).ok_or_else(|| ValueError(format!("{text:?} is no number of bytes that fits")))
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where operators are told how the relay does: an address, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusAddr {
    /// Nowhere.
    Off,
    /// At this TCP address.
    At(SocketAddr),
}

impl FromStr for StatusAddr {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let wrong =
            |_| ValueError(format!("{text:?} is no address: write 127.0.0.1:8081, [::1]:8081 or off"));
        text.parse().map(Self::At).map_err(wrong)
    }
}

/// `500ms`, `10s`, `2m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, ValueError> {
    let (digits, unit) = split(text);
    let wrong = || ValueError(format!("{text:?} is no time: write 500ms, 10s, 2m or 1h"));
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

/// `bbr` or `cubic`.
pub(super) fn congestion(text: &str) -> Result<Congestion, ValueError> {
    match text {
        "bbr" => Ok(Congestion::Bbr),
        "cubic" => Ok(Congestion::Cubic),
        _ => Err(ValueError("known are bbr and cubic".to_owned())),
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

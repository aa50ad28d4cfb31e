//! Keeps what an encoder spends on its bitrate. Pure.
//!
//! openh264's own rate control forgets what a key frame cost more than others. Here the difference between
//! what was spent and what was granted is kept, and paid back within a second.

use shared::media::{Bitrate, FrameRate};

/// The account of one encoder.
#[derive(Debug)]
pub(crate) struct Budget {
    bitrate: f64,
    frame_rate: f64,
    /// Bits spent beyond what was granted; negative where some are left.
    debt: f64,
}

impl Budget {
    pub(crate) fn new(bitrate: Bitrate, frame_rate: FrameRate) -> Self {
        Self { bitrate: f64::from(bitrate.0), frame_rate: frame_rate.per_second(), debt: 0.0 }
    }

    /// Grants another bitrate from here on; an old debt is not carried over.
    pub(crate) fn set_bitrate(&mut self, bitrate: Bitrate) {
        self.bitrate = f64::from(bitrate.0);
        self.debt = 0.0;
    }

    /// Books a picture of so many bytes; answers with the bitrate to ask of the encoder for the next.
    pub(crate) fn spend(&mut self, bytes: usize) -> Bitrate {
        self.debt += bytes as f64 * 8.0 - self.bitrate / self.frame_rate;
        // Savings are kept for a moment only: after a still scene no burst follows.
        self.debt = self.debt.clamp(-SAVED_SECONDS * self.bitrate, OWED_SECONDS * self.bitrate);
        let factor = (1.0 - self.debt / (self.bitrate * PAY_BACK_SECONDS)).clamp(LEAST, MOST);
        Bitrate((self.bitrate * factor) as u32)
    }
}

const SAVED_SECONDS: f64 = 0.05;
const OWED_SECONDS: f64 = 0.5;
const PAY_BACK_SECONDS: f64 = 0.3;
const LEAST: f64 = 0.4;
/// The encoder is never asked for more than this part of its bitrate.
pub(crate) const MOST: f64 = 1.25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dear_key_frame_is_paid_back_within_the_second_and_savings_make_no_burst() {
        let rate = FrameRate::new(30, 1).expect("a rate");
        let granted = Bitrate(1_200_000);
        let mut budget = Budget::new(granted, rate);
        // An encoder that does as it is told, but for a key frame of six times the mean.
        let mut spent = 30_000;
        let mut ask = budget.spend(spent);
        for _ in 1..30 {
            let bytes = ask.0 as usize / 8 / 30;
            spent += bytes;
            ask = budget.spend(bytes);
        }
        assert!((145_000..=155_000).contains(&spent), "{spent} bytes of 150000");
        for _ in 0..300 {
            ask = budget.spend(10);
        }
        assert!(ask.0 <= (f64::from(granted.0) * MOST) as u32, "{ask}");
        let burst: usize = (0..10)
            .map(|_| {
                let bytes = ask.0 as usize / 8 / 30;
                ask = budget.spend(bytes);
                bytes
            })
            .sum();
        assert!(burst < 60_000, "{burst} bytes in a third of a second that grants 50000");
    }
}

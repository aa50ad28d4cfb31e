//! A tone that marks each second, so that a program or a person hears whether sound and picture fit.

use std::{f32::consts::TAU, sync::Arc, time::Duration};

use shared::media::Timestamp;

use super::{AudioSource, Clock, Error, PACKET_FRAMES, Samples};
use crate::encode::opus::{CHANNELS, PACKET, SAMPLE_RATE};

/// Whether the tone sounds at this time: the first tenth of each second of the wall clock.
pub(super) fn sounds(time: Timestamp) -> bool {
    time.0 % SECOND < SECOND / 10
}

/// The tone, 1 kHz on both channels.
#[derive(Debug)]
pub(super) struct Tone {
    clock: Arc<Clock>,
    packets: u32,
}

impl Tone {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, packets: 0 }
    }
}

impl AudioSource for Tone {
    fn next(&mut self) -> Result<Option<Samples>, Error> {
        let begin = PACKET * self.packets;
        self.packets += 1;
        self.clock.wait_until(begin + PACKET);
        let timestamp = self.clock.at(begin);
        let samples = (0..PACKET_FRAMES as u64).flat_map(|index| [sample(timestamp, index); CHANNELS]);
        Ok(Some(Samples { timestamp, samples: samples.collect() }))
    }
}

const SECOND: u64 = 1_000_000;
const PITCH: f32 = 1000.0;
const LOUDNESS: f32 = 0.4;
/// The tone swells and fades in this time, so that it does not click.
const EDGE: Duration = Duration::from_millis(4);

/// The sample that is `index` after the one at `first`.
fn sample(first: Timestamp, index: u64) -> f32 {
    let time = Timestamp(first.0 + index * SECOND / u64::from(SAMPLE_RATE));
    if !sounds(time) {
        return 0.0;
    }
    let into = (time.0 % SECOND) as f32;
    let edge = EDGE.as_micros() as f32;
    let swell = (into / edge).min((SECOND as f32 / 10.0 - into) / edge).clamp(0.0, 1.0);
    (TAU * PITCH * into / SECOND as f32).sin() * LOUDNESS * swell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_each_second_sounds() {
        let second: Vec<f32> = (0..48_000).map(|index| sample(Timestamp(7 * SECOND), index)).collect();
        let loud = |range: std::ops::Range<usize>| {
            (second[range.clone()].iter().map(|s| s * s).sum::<f32>() / range.len() as f32).sqrt()
        };
        assert!(loud(480..4320) > 0.25, "{}", loud(480..4320));
        assert!(second[4800..].iter().all(|&sample| sample == 0.0));
        assert!(second.iter().all(|sample| sample.abs() <= LOUDNESS));
    }

    #[test]
    fn packets_follow_each_other_without_a_gap() {
        let mut tone = Tone::new(Arc::new(Clock::default()));
        let [first, second] = [(); 2].map(|()| tone.next().expect("sound").expect("a packet"));
        assert_eq!(second.timestamp.since(first.timestamp), PACKET);
        assert_eq!(first.samples.len(), PACKET_FRAMES * CHANNELS);
    }
}

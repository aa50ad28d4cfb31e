//! Sound of any rate and number of channels as packets for the encoder. Pure.

use std::time::Duration;

use rubato::{FftFixedOut, Resampler as _};

use super::{super::PACKET_FRAMES, queue::Chunk};
use crate::encode::opus::{CHANNELS, SAMPLE_RATE};

/// Makes packets of chunks. One channel is heard left and right; of several the first two are taken.
pub(super) struct Packets {
    rate: u32,
    channels: usize,
    resampler: Option<Resampler>,
    /// Left and right that wait, in the device's rate.
    pending: [Vec<f32>; CHANNELS],
    /// When the first of them was heard, on the broadcast's clock.
    begin: Option<Duration>,
    /// Time of the last packet.
    last: Duration,
}

/// From the device's rate to the encoder's.
struct Resampler {
    codec: FftFixedOut<f32>,
    output: Vec<Vec<f32>>,
    /// Output that a former packet left over.
    saved: usize,
}

impl Packets {
    /// Packets of a device with this rate and so many channels.
    ///
    /// # Errors
    /// Why that cannot be.
    pub(super) fn new(rate: u32, channels: usize) -> Result<Self, String> {
        if rate == 0 || channels == 0 {
            return Err(format!("{channels} channels at {rate} Hz are no sound"));
        }
        let resampler = match rate {
            SAMPLE_RATE => None,
            rate => Some(Resampler::new(rate)?),
        };
        Ok(Self { rate, channels, resampler, pending: Default::default(), begin: None, last: Duration::ZERO })
    }

    /// Takes in what the device heard next.
    pub(super) fn push(&mut self, chunk: &Chunk) {
        let [left, right] = &mut self.pending;
        for frame in chunk.samples.chunks_exact(self.channels) {
            left.push(sane(frame[0]));
            right.push(sane(*frame.get(1).unwrap_or(&frame[0])));
        }
        let measured = chunk.end.saturating_sub(length(left.len(), self.rate));
        self.begin = Some(match self.begin {
            // What comes in late by chance is smoothed; a device's clock that runs off is followed.
            Some(begin) if begin.abs_diff(measured) < GAP => match measured.checked_sub(begin) {
                Some(late) => begin + late / FOLLOW,
                None => begin - (begin - measured) / FOLLOW,
            },
            // The first, or some is missing.
            Some(_) | None => measured,
        });
    }

    /// The next packet with the time of its first sample, as soon as there is enough.
    pub(super) fn pop(&mut self) -> Option<(Duration, Vec<f32>)> {
        let begin = self.begin?;
        let needed = self.resampler.as_ref().map_or(PACKET_FRAMES, |work| work.codec.input_frames_next());
        let [left, right] = &mut self.pending;
        if left.len() < needed {
            return None;
        }
        let (samples, delay) = match &mut self.resampler {
            None => (interleave(&left[..needed], &right[..needed]), Duration::ZERO),
            Some(resampler) => resampler.packet(&left[..needed], &right[..needed], self.rate)?,
        };
        left.drain(..needed);
        right.drain(..needed);
        self.begin = Some(begin + length(needed, self.rate));
        self.last = begin.saturating_sub(delay).max(self.last);
        Some((self.last, samples))
    }
}

impl Resampler {
    fn new(rate: u32) -> Result<Self, String> {
        let codec = FftFixedOut::new(rate as usize, SAMPLE_RATE as usize, PACKET_FRAMES, 1, CHANNELS)
            .map_err(|error| format!("its rate of {rate} Hz cannot be converted: {error}"))?;
        let output = codec.output_buffer_allocate(true);
        Ok(Self { codec, output, saved: 0 })
    }

    /// A packet, and by how much it is older than the first sample that went in.
    fn packet(&mut self, left: &[f32], right: &[f32], rate: u32) -> Option<(Vec<f32>, Duration)> {
        let delay = length(self.saved + self.codec.output_delay(), SAMPLE_RATE);
        // Both channels are told to be in use: where nothing goes in, what is left over still comes out.
        self.codec.process_into_buffer(&[left, right], &mut self.output, Some(&[true; CHANNELS])).ok()?;
        let made = left.len() as u64 * u64::from(SAMPLE_RATE) / u64::from(rate);
        self.saved = (self.saved + made as usize).saturating_sub(PACKET_FRAMES);
        Some((interleave(&self.output[0], &self.output[1]), delay))
    }
}

/// Sound that comes in this much off its time is not late: something is missing before it.
const GAP: Duration = Duration::from_millis(100);
/// The part of a difference that is made up for with each chunk.
const FOLLOW: u32 = 64;

/// A device's driver may give what is no number, on which the resampler would break.
fn sane(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

/// How long so many samples sound.
fn length(frames: usize, rate: u32) -> Duration {
    Duration::from_nanos(frames as u64 * 1_000_000_000 / u64::from(rate))
}

fn interleave(left: &[f32], right: &[f32]) -> Vec<f32> {
    left.iter().zip(right).flat_map(|(&left, &right)| [left, right]).collect()
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    const CHUNK: Duration = Duration::from_millis(10);

    /// A second of a tone of 440 Hz that goes in by chunks, starting at `start`; the packets with their times.
    fn second(rate: u32, channels: usize, start: Duration) -> Vec<(Duration, Vec<f32>)> {
        let mut packets = Packets::new(rate, channels).expect("packets");
        let per_chunk = rate as usize / 100;
        let mut made = Vec::new();
        for index in 0..100 {
            let samples = (index * per_chunk..(index + 1) * per_chunk).flat_map(|at| {
                let sample = (at as f32 / rate as f32 * 440.0 * TAU).sin() * 0.5;
                (0..channels).map(move |channel| if channel == 2 { 1.0 } else { sample })
            });
            let end = start + CHUNK * (index as u32 + 1);
            packets.push(&Chunk { end, samples: samples.collect() });
            made.extend(std::iter::from_fn(|| packets.pop()));
        }
        made
    }

    #[test]
    fn any_rate_and_channels_give_the_same_tone_at_the_same_time() {
        let start = Duration::from_millis(300);
        for rate in [8000, 16_000, 44_100, 48_000, 96_000] {
            for channels in [1, 2, 6] {
                let packets = second(rate, channels, start);
                assert!(packets.len() >= 48, "{} packets of a second at {rate} Hz", packets.len());
                for (at, samples) in &packets[5..] {
                    assert_eq!(samples.len(), PACKET_FRAMES * CHANNELS);
                    // Each sample is what the tone is at its time.
                    for (index, pair) in samples.chunks_exact(2).enumerate().step_by(37) {
                        let time = (*at - start).as_secs_f32() + index as f32 / 48_000.0;
                        let wanted = (time * 440.0 * TAU).sin() * 0.5;
                        assert!((pair[0] - wanted).abs() < 0.04, "{rate} Hz, {time} s: {} {wanted}", pair[0]);
                        assert_eq!(pair[0].to_bits(), pair[1].to_bits());
                    }
                }
            }
        }
        for (rate, channels) in [(0, 2), (48_000, 0)] {
            assert!(Packets::new(rate, channels).is_err());
        }
    }

    #[test]
    fn an_odd_rate_keeps_its_time() {
        let packets = second(44_056, 2, Duration::from_secs(1));
        for pair in packets.windows(2) {
            let step = pair[1].0 - pair[0].0;
            assert!(step.abs_diff(Duration::from_millis(20)) < Duration::from_millis(1), "{step:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_silence() {
        for rate in [44_100, 48_000] {
            let mut packets = Packets::new(rate, 1).expect("packets");
            let samples = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX].repeat(1200);
            packets.push(&Chunk { end: Duration::from_millis(100), samples });
            let made: Vec<_> = std::iter::from_fn(|| packets.pop()).collect();
            assert!(made.len() >= 4 && made.iter().flat_map(|(_, samples)| samples).all(|s| s.is_finite()));
        }
    }

    #[test]
    fn chance_is_smoothed_and_a_gap_is_kept() {
        let mut packets = Packets::new(48_000, 1).expect("packets");
        let mut at = |end: Duration| {
            packets.push(&Chunk { end, samples: vec![0.0; 960] });
            packets.pop().expect("a packet").0
        };
        let ms = Duration::from_millis;
        assert_eq!(at(ms(20)), ms(0));
        assert!(at(ms(52)).abs_diff(ms(20)) < ms(1), "12 ms late by chance");
        assert!(at(ms(60)).abs_diff(ms(40)) < ms(1));
        assert_eq!(at(ms(580)), ms(560), "half a second is missing");
    }
}

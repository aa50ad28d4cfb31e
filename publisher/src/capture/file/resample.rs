//! Sound of any rate at 48 kHz, every sample at its place in time.

use rubato::{FftFixedIn, Resampler as _};

use crate::encode::opus::{CHANNELS, SAMPLE_RATE};

/// Turns stereo of one rate into stereo at [`SAMPLE_RATE`]. As many samples come out as went in, counted in
/// time, and none later: what the filter delays is cut off at the begin and asked for at the end.
pub(super) struct Resampler {
    rate: u32,
    /// `None` where nothing is to be done.
    filter: Option<Filter>,
}

struct Filter {
    codec: FftFixedIn<f32>,
    /// What does not fill a chunk yet, left and right.
    input: [Vec<f32>; CHANNELS],
    /// Samples that it takes at a time.
    chunk: usize,
    /// Samples that are the filter's own delay and still to be cut off.
    delay: usize,
    taken: u64,
    given: u64,
}

/// About so many samples are filtered at a time.
const CHUNK: usize = 1024;

impl Resampler {
    /// For sound of `rate`; `None` where there is no such rate.
    pub(super) fn new(rate: u32) -> Option<Self> {
        let filter = if rate == SAMPLE_RATE { None } else { Some(Filter::new(rate)?) };
        Some(Self { rate, filter })
    }

    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// Takes interleaved samples and appends what comes out to `output`.
    pub(super) fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) {
        let Some(filter) = &mut self.filter else {
            output.extend_from_slice(samples);
            return;
        };
        for pair in samples.chunks_exact(CHANNELS) {
            for (channel, &sample) in filter.input.iter_mut().zip(pair) {
                channel.push(sample);
            }
        }
        filter.taken += (samples.len() / CHANNELS) as u64;
        filter.run(u64::MAX, output);
    }

    /// Appends what is still inside; the next sample begins anew.
    pub(super) fn finish(&mut self, output: &mut Vec<f32>) {
        let Some(filter) = &mut self.filter else { return };
        let whole = (filter.taken * u64::from(SAMPLE_RATE)).div_ceil(self.rate.into());
        while filter.given < whole {
            let given = filter.given;
            let fill = filter.chunk - filter.input.iter().map(Vec::len).max().unwrap_or(0);
            for channel in &mut filter.input {
                channel.extend(std::iter::repeat_n(0.0, fill));
            }
            filter.run(whole, output);
            // The filter gives nothing only until its first chunk is full.
            if filter.given == given && filter.delay == 0 && filter.taken == 0 {
                break;
            }
        }
        filter.reset();
    }
}

impl Filter {
    fn new(rate: u32) -> Option<Self> {
        // A whole number of periods of both rates, and even: else the filter's middle lies between two samples.
        let period = 2 * (rate / common(rate, SAMPLE_RATE)) as usize;
        let chunk = CHUNK.div_ceil(period.max(1)) * period;
        let codec = FftFixedIn::new(rate as usize, SAMPLE_RATE as usize, chunk, 1, CHANNELS).ok()?;
        let delay = codec.output_delay();
        Some(Self { codec, chunk, input: Default::default(), delay, taken: 0, given: 0 })
    }

    /// Filters all whole chunks, and gives out no more than `most` samples in all.
    fn run(&mut self, most: u64, output: &mut Vec<f32>) {
        while let [Some(left), Some(right)] = self.input.each_ref().map(|channel| channel.get(..self.chunk)) {
            // Its own kind of chunk in its own number of channels: it has nothing to refuse.
            let Ok(made) = self.codec.process(&[left, right], None) else { return };
            self.input.iter_mut().for_each(|channel| drop(channel.drain(..self.chunk)));
            let [left, right] = made.as_slice() else { return };
            let cut = self.delay.min(left.len());
            self.delay -= cut;
            let room = usize::try_from(most.saturating_sub(self.given)).unwrap_or(usize::MAX);
            for (&left, &right) in left.iter().zip(right).skip(cut).take(room) {
                output.extend([left, right]);
                self.given += 1;
            }
        }
    }

    fn reset(&mut self) {
        self.codec.reset();
        self.input.iter_mut().for_each(Vec::clear);
        self.delay = self.codec.output_delay();
        (self.taken, self.given) = (0, 0);
    }
}

/// The greatest common divisor.
fn common(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { common(other, one % other) }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    #[test]
    fn sound_keeps_its_pitch_its_place_and_its_length() {
        for rate in [44_100, 22_050, 48_000, 96_000] {
            let mut resampler = Resampler::new(rate).expect("a rate");
            for _ in 0..2 {
                let tone: Vec<f32> = (0..rate)
                    .flat_map(|at| [(at as f32 / rate as f32 * 440.0 * TAU).sin() * 0.5; 2])
                    .collect();
                let mut output = Vec::new();
                tone.chunks(1500).for_each(|part| resampler.push(part, &mut output));
                resampler.finish(&mut output);
                assert_eq!(output.len(), 96_000, "a second of {rate} Hz is a second");
                let worst = (2000..46_000_usize)
                    .map(|at| (output[at * 2] - (at as f32 / 48_000.0 * 440.0 * TAU).sin() * 0.5).abs())
                    .fold(0.0, f32::max);
                assert!(worst < 0.01, "off by {worst} at {rate} Hz");
            }
        }
    }
}

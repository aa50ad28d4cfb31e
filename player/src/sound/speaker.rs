//! The sound device.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use shared::media::Timestamp;

use super::{Track, Volume};
use crate::decode::{CHANNELS, SAMPLE_RATE, Samples};

/// A device that plays. Dropping it ends the sound.
pub(crate) struct Speaker {
    ring: Arc<Ring>,
    /// Where the sound ends that was handed to the device.
    end: Option<Timestamp>,
    rate: f64,
    _stream: cpal::Stream,
}

/// The device is kept this far ahead of what sounds.
pub(super) const LEAD: Duration = Duration::from_millis(40);
const LEAD_FRAMES: u64 = 48_000 * 40 / 1000;
/// Half a second: more than [`LEAD`] and the longest packet together.
const RING_FRAMES: u64 = 24_000;

impl Speaker {
    /// Opens the default device.
    ///
    /// # Errors
    /// Where there is none, or it does not play stereo at 48 kHz.
    pub(super) fn open(volume: Volume) -> anyhow::Result<Self> {
        let device = cpal::default_host()
            .default_output_device()
            .ok_or_else(|| anyhow::anyhow!("this computer has no sound device"))?;
        let config = cpal::StreamConfig {
            channels: CHANNELS as u16,
            sample_rate: SAMPLE_RATE,
            buffer_size: cpal::BufferSize::Default,
        };
        let ring = Arc::new(Ring::new());
        let source = Arc::clone(&ring);
        let stream = device.build_output_stream(
            &config,
            move |out: &mut [f32], _: &cpal::OutputCallbackInfo| source.read(out, volume.now()),
            |error| tracing::warn!(%error, "the sound device stumbles"),
            None,
        )?;
        stream.play()?;
        Ok(Self { ring, end: None, rate: 1.0, _stream: stream })
    }

    /// Hands over what sounds next, when `media` plays at `rate`. The moment that sounds now.
    pub(super) fn pump(&mut self, track: &mut Track, media: Timestamp, rate: f64) -> Option<Timestamp> {
        self.rate = rate;
        while self.ring.waiting() < LEAD_FRAMES {
            if self.ring.waiting() == 0 {
                // It starts, or starts again: with what is due, not with what is late.
                track.pass(media);
                if track.begin().is_none_or(|begin| begin > media + LEAD) {
                    self.end = None;
                    return None;
                }
            }
            let Some((at, samples)) = track.take() else { break };
            self.end = Some(at + super::length(&samples));
            self.ring.write(&stretched(&samples, rate));
        }
        self.heard()
    }

    /// The moment that sounds now.
    fn heard(&self) -> Option<Timestamp> {
        let waiting = self.ring.waiting();
        let behind = Duration::from_secs_f64(waiting as f64 / f64::from(SAMPLE_RATE) * self.rate);
        let behind = u64::try_from(behind.as_micros()).unwrap_or(u64::MAX);
        self.end.filter(|_| waiting > 0).map(|end| Timestamp(end.0.saturating_sub(behind)))
    }
}

/// Samples that sound `rate` times as fast.
fn stretched(samples: &Samples, rate: f64) -> Vec<[i16; 2]> {
    let (frames, _) = samples.as_chunks::<CHANNELS>();
    if (rate - 1.0).abs() < 1e-3 {
        return frames.to_vec();
    }
    let count = (frames.len() as f64 / rate) as usize;
    (0..count)
        .map(|index| {
            let place = index as f64 * rate;
            let share = place.fract();
            let at = |index: usize| frames.get(index).or(frames.last()).copied().unwrap_or_default();
            let ([left, right], [left2, right2]) = (at(place as usize), at(place as usize + 1));
            let between = |a: i16, b: i16| (f64::from(a) * (1.0 - share) + f64::from(b) * share) as i16;
            [between(left, left2), between(right, right2)]
        })
        .collect()
}

/// Sound on its way to the device's thread, which never waits: one writes, one reads, no lock. Bounded:
/// what does not fit is left out; what is missing is silence.
struct Ring {
    /// Left and right of a frame in one word.
    frames: Vec<AtomicU32>,
    written: AtomicU64,
    read: AtomicU64,
}

impl Ring {
    fn new() -> Self {
        let frames = (0..RING_FRAMES).map(|_| AtomicU32::new(0)).collect();
        Self { frames, written: AtomicU64::new(0), read: AtomicU64::new(0) }
    }

    fn waiting(&self) -> u64 {
        self.written.load(Ordering::Acquire).saturating_sub(self.read.load(Ordering::Acquire))
    }

    fn write(&self, frames: &[[i16; 2]]) {
        let mut at = self.written.load(Ordering::Relaxed);
        let end = self.read.load(Ordering::Acquire) + RING_FRAMES;
        for [left, right] in frames {
            let Some(slot) = self.frames.get((at % RING_FRAMES) as usize).filter(|_| at < end) else { break };
            let [a, b] = left.to_le_bytes();
            let [c, d] = right.to_le_bytes();
            slot.store(u32::from_le_bytes([a, b, c, d]), Ordering::Relaxed);
            at += 1;
        }
        self.written.store(at, Ordering::Release);
    }

    fn read(&self, out: &mut [f32], volume: f32) {
        let end = self.written.load(Ordering::Acquire);
        let mut at = self.read.load(Ordering::Relaxed);
        for frame in out.chunks_mut(CHANNELS) {
            let stored = self.frames.get((at % RING_FRAMES) as usize).filter(|_| at < end);
            let [a, b, c, d] = stored.map_or(0, |slot| slot.load(Ordering::Relaxed)).to_le_bytes();
            for (sample, value) in frame.iter_mut().zip([[a, b], [c, d]]) {
                *sample = f32::from(i16::from_le_bytes(value)) / 32_768.0 * volume;
            }
            at += u64::from(stored.is_some());
        }
        self.read.store(at, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_passes_in_order_and_silence_fills_the_rest() {
        let ring = Ring::new();
        for round in 0..100i16 {
            let frames: Vec<[i16; 2]> = (0..960).map(|_| [round * 100, -round * 100]).collect();
            ring.write(&frames);
            let mut out = vec![9.0; 1000 * CHANNELS];
            ring.read(&mut out, 0.5);
            let expected = f32::from(round) * 100.0 / 65_536.0;
            assert_eq!(out[..2], [expected, -expected]);
            assert_eq!(out[1918..1920], [expected, -expected]);
            assert_eq!(out[1920..], [0.0; 80]);
        }
        ring.write(&vec![[1, 1]; 30_000]);
        assert_eq!(ring.waiting(), RING_FRAMES);
    }

    #[test]
    fn faster_sound_is_shorter_and_goes_as_high() {
        let samples: Samples = (0..960i16).flat_map(|value| [value, -value]).collect();
        let fast = stretched(&samples, 1.05);
        assert_eq!(fast.len(), 914);
        assert_eq!(fast[100], [105, -105]);
        assert_eq!(stretched(&samples, 1.0).len(), 960);
    }
}

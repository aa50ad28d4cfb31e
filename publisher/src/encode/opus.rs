//! Opus: 48 kHz stereo, 20 ms a packet, low delay.

use std::time::Duration;

use bytes::Bytes;
use shared::media::{AudioFrame, Bitrate, Timestamp};

use super::{AudioEncoder, Error};

/// Samples a second of each channel.
pub const SAMPLE_RATE: u32 = 48_000;
/// Left and right.
pub const CHANNELS: usize = 2;
/// What a packet sounds.
pub const PACKET: Duration = Duration::from_millis(20);

/// An encoder. Dropping it frees all it holds.
#[derive(Debug)]
pub struct Encoder {
    codec: opus::Encoder,
    packet: Vec<u8>,
}

impl Encoder {
    /// An encoder at `bitrate`, from 6 to 510 kbit/s.
    ///
    /// # Errors
    /// [`Error`] where libopus refuses the bitrate.
    pub fn new(bitrate: Bitrate) -> Result<Self, Error> {
        let mut codec = opus::Encoder::new(SAMPLE_RATE, opus::Channels::Stereo, opus::Application::LowDelay)
            .map_err(|error| failed("start", &error))?;
        let bits = i32::try_from(bitrate.0).unwrap_or(i32::MAX);
        codec
            .set_bitrate(opus::Bitrate::Bits(bits))
            .map_err(|error| failed(&format!("encode at {bitrate}"), &error))?;
        Ok(Self { codec, packet: vec![0; MAX_PACKET_BYTES] })
    }
}

impl AudioEncoder for Encoder {
    fn packet_samples(&self) -> usize {
        PACKET_SAMPLES
    }

    fn encode(&mut self, samples: &[f32], timestamp: Timestamp) -> Result<AudioFrame, Error> {
        if samples.len() != PACKET_SAMPLES {
            return Err(Error::Samples { expected: PACKET_SAMPLES, got: samples.len() });
        }
        let length = self
            .codec
            .encode_float(samples, &mut self.packet)
            .map_err(|error| failed("encode a packet", &error))?;
        let payload = Bytes::copy_from_slice(self.packet.get(..length).unwrap_or(&self.packet));
        Ok(AudioFrame { timestamp, duration: PACKET, payload })
    }
}

/// Of both channels.
const PACKET_SAMPLES: usize = SAMPLE_RATE as usize / 50 * CHANNELS;
/// The most that one packet's frame can have (RFC 6716 §3.4), and its head.
const MAX_PACKET_BYTES: usize = 1277;

fn failed(action: &str, error: &opus::Error) -> Error {
    Error::Codec { codec: "opus", action: action.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(packet: usize) -> Vec<f32> {
        let sample = |at: usize| (at as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.5;
        (0..960).flat_map(|at| [sample(packet * 960 + at); 2]).collect()
    }

    #[test]
    fn a_tone_survives_at_about_its_bitrate() {
        let mut encoder = Encoder::new(Bitrate(96_000)).expect("an encoder");
        let mut decoder = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Stereo).expect("a decoder");
        let (mut bytes, mut energy) = (0, 0.0);
        let mut decoded = vec![0.0; PACKET_SAMPLES];
        for packet in 0..50 {
            let frame = encoder.encode(&tone(packet), Timestamp(20_000 * packet as u64)).expect("a packet");
            bytes += frame.payload.len();
            let samples = decoder.decode_float(&frame.payload, &mut decoded, false).expect("decodes");
            assert_eq!((samples, frame.duration), (960, PACKET));
            energy = decoded.iter().map(|sample| sample * sample).sum::<f32>() / decoded.len() as f32;
        }
        assert!((6_000..=18_000).contains(&bytes), "{bytes} bytes a second");
        assert!((energy - 0.125).abs() < 0.02, "mean square {energy} of 0.125");
    }

    #[test]
    fn part_of_a_packet_and_a_mad_bitrate_are_refused() {
        let mut encoder = Encoder::new(Bitrate(96_000)).expect("an encoder");
        assert!(encoder.encode(&[0.0; 100], Timestamp(0)).is_err());
        assert!(Encoder::new(Bitrate(0)).is_err());
    }
}

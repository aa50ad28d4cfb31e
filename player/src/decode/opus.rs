//! Opus, with concealment of what is missing.

use std::time::Duration;

use bytes::Bytes;

use super::{CHANNELS, DecodeError, SAMPLE_RATE, Samples};

/// A decoder of stereo at 48 kHz, whatever the packets hold.
pub(crate) struct Opus {
    decoder: opus::Decoder,
    buffer: Vec<i16>,
}

/// The longest packet sounds for 120 ms.
const MOST_FRAMES: usize = 5760;

impl Opus {
    /// A fresh decoder.
    ///
    /// # Errors
    /// [`DecodeError`] where there is no memory for one.
    pub(crate) fn new() -> Result<Self, DecodeError> {
        let decoder = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Stereo)
            .map_err(|error| DecodeError(format!("the Opus decoder does not start: {error}")))?;
        Ok(Self { decoder, buffer: vec![0; MOST_FRAMES * CHANNELS] })
    }

    /// Decodes one packet.
    ///
    /// # Errors
    /// [`DecodeError`] for a damaged one.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> Result<Samples, DecodeError> {
        let frames = self.decoder.decode(packet, &mut self.buffer, false).map_err(|error| {
            DecodeError(format!("an Opus packet of {} bytes is damaged: {error}", packet.len()))
        })?;
        Ok(self.buffer.get(..frames * CHANNELS).unwrap_or_default().to_vec())
    }

    /// Sound in place of a packet that is missing.
    ///
    /// # Errors
    /// [`DecodeError`] where the decoder cannot: silence serves then.
    pub(crate) fn conceal(&mut self, duration: Duration) -> Result<Samples, DecodeError> {
        // Concealment works in steps of 2.5 ms.
        let frames = (frames_in(duration) / 120 * 120).clamp(120, MOST_FRAMES);
        let buffer = self.buffer.get_mut(..frames * CHANNELS).unwrap_or_default();
        let frames = self
            .decoder
            .decode(&[], buffer, false)
            .map_err(|error| DecodeError(format!("a missing Opus packet cannot be concealed: {error}")))?;
        Ok(self.buffer.get(..frames * CHANNELS).unwrap_or_default().to_vec())
    }
}

/// How long a packet sounds; `None` for bytes that are no Opus packet.
pub(crate) fn duration(packet: &Bytes) -> Option<Duration> {
    let frames = opus::packet::get_nb_samples(packet, SAMPLE_RATE).ok()?;
    (1..=MOST_FRAMES).contains(&frames).then(|| Duration::from_micros(frames as u64 * 1_000_000 / 48_000))
}

/// Sample frames in a time.
pub(crate) fn frames_in(duration: Duration) -> usize {
    usize::try_from(duration.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_tell_how_long_they_sound() {
        // CELT, 20 ms, mono, one frame (RFC 6716 §3.1: configuration 31).
        assert_eq!(duration(&Bytes::from_static(&[31 << 3, 0, 0])), Some(Duration::from_millis(20)));
        assert_eq!(duration(&Bytes::new()), None);
    }

    #[test]
    fn a_missing_packet_sounds_as_long_as_it_would_have() {
        let mut opus = Opus::new().expect("a decoder");
        let samples = opus.conceal(Duration::from_millis(20)).expect("concealed");
        assert_eq!(samples.len(), 960 * CHANNELS);
        assert!(opus.decode(&[0xff; 3]).is_err() || opus.decode(&[]).is_ok());
    }
}

//! A film's sound, decoded, at 48 kHz.

use std::{collections::VecDeque, path::Path, sync::Arc};

use symphonia::{
    core::{
        audio::{AudioBufferRef, Signal as _},
        codecs::{CODEC_TYPE_AAC, CodecParameters, Decoder as _, DecoderOptions},
        formats::Packet,
    },
    default::codecs::AacDecoder,
};

use super::{
    super::{AudioSource, Clock, Error, PACKET_FRAMES, Samples},
    film::{AudioCodec, Film},
    reel::{Reel, Repeat, Step},
    resample::Resampler,
};
use crate::encode::opus::{CHANNELS, PACKET, SAMPLE_RATE};

/// What the sound does where its file breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Cut {
    /// Ends: the pictures of the same film say so.
    Ends,
    /// Fails.
    Fails,
}

/// A film's sound in real time.
pub(in super::super) struct Sound {
    reel: Reel,
    decoder: Codec,
    resampler: Option<Resampler>,
    line: Line,
    cut: Cut,
    is_over: bool,
    packets: u32,
    buffer: Vec<u8>,
    clock: Arc<Clock>,
}

impl Sound {
    /// Opens a film's sound; `None` where it has none.
    pub(in super::super) fn open(
        path: &Path,
        repeat: Repeat,
        cut: Cut,
        clock: Arc<Clock>,
    ) -> Result<Option<Self>, Error> {
        let mut film = Film::open(path)?;
        let Some(track) = film.sound() else { return Ok(None) };
        let decoder = Codec::new(&track.codec).map_err(|reason| {
            let name = path.display();
            Error(format!(
                "{name}: its sound is {reason}, which is not decoded here: convert it with ffmpeg -i {name} \
                 -c:v copy -c:a aac -ac 2 film.mp4, or leave it out with --audio none"
            ))
        })?;
        let reel = Reel::new(film, track.with(()), repeat);
        Ok(Some(Self {
            reel,
            decoder,
            resampler: None,
            line: Line::default(),
            cut,
            is_over: false,
            packets: 0,
            buffer: Vec::new(),
            clock,
        }))
    }

    /// The samples of the next packet as soon as they are decoded; `None` at the film's end.
    pub(super) fn take(&mut self) -> Result<Option<Vec<f32>>, Error> {
        let wanted = PACKET_FRAMES * CHANNELS;
        while self.line.samples.len() < wanted && !self.is_over {
            self.advance()?;
        }
        if self.line.samples.is_empty() {
            return Ok(None);
        }
        let length = self.line.samples.len().min(wanted);
        let mut samples: Vec<f32> = self.line.samples.drain(..length).collect();
        samples.resize(wanted, 0.0);
        Ok(Some(samples))
    }

    /// Decodes one more packet, or what remains at an end.
    fn advance(&mut self) -> Result<(), Error> {
        let step = match self.reel.step(&mut self.buffer) {
            Err(error) if self.cut == Cut::Fails => return Err(error),
            Err(_) => Step::End,
            Ok(step) => step,
        };
        match step {
            Step::Sample { due, .. } => {
                let packet = self.decoder.decode(&self.buffer);
                self.place(due, &packet);
            }
            Step::Again => {
                self.finish();
                self.decoder.reset();
            }
            Step::End => {
                self.finish();
                self.is_over = true;
            }
        }
        Ok(())
    }

    /// Puts a packet to the others, or after a gap where it does not follow them.
    fn place(&mut self, due: i64, packet: &Decoded) {
        let follows = self.resampler.as_ref().is_some_and(|resampler| {
            resampler.rate() == packet.rate && self.line.expected(packet.rate).abs_diff(due) <= LOOSE
        });
        if !follows {
            self.finish();
            self.resampler = match self.resampler.take() {
                Some(same) if same.rate() == packet.rate => Some(same),
                _ => Resampler::new(packet.rate),
            };
            let presented = (self.reel.track.begin, self.reel.track.end);
            let round = self.reel.begin();
            let limits = (presented.0.saturating_add(round), presented.1.saturating_add(round));
            self.line.begin(due, limits);
        }
        let Some(resampler) = &mut self.resampler else { return };
        let mut output = Vec::new();
        resampler.push(&packet.samples, &mut output);
        self.line.taken += (packet.samples.len() / CHANNELS) as i64;
        self.line.put(&output);
    }

    fn finish(&mut self) {
        let Some(resampler) = &mut self.resampler else { return };
        let mut output = Vec::new();
        resampler.finish(&mut output);
        self.line.put(&output);
        // Nothing follows what has ended.
        self.line.taken = 0;
        self.line.first = i64::MIN;
    }
}

impl AudioSource for Sound {
    fn next(&mut self) -> Result<Option<Samples>, Error> {
        let Some(samples) = self.take()? else { return Ok(None) };
        let begin = PACKET * self.packets;
        self.packets += 1;
        self.clock.wait_until(begin + PACKET);
        Ok(Some(Samples { timestamp: self.clock.at(begin), samples }))
    }
}

/// Nanoseconds that a packet may be off its place: a film's clock may be coarse.
const LOOSE: u64 = 30_000_000;

/// All sound from the broadcast's begin on, at its place.
#[derive(Debug, Default)]
struct Line {
    /// What is not handed out yet.
    samples: VecDeque<f32>,
    /// Samples a channel put so far, handed out or not: where `samples` ends.
    end: i64,
    /// When the packets that follow each other began, and what they took since, in their own samples.
    first: i64,
    taken: i64,
    /// Where their next sample goes, and from where to where any may go.
    next: i64,
    limits: (i64, i64),
}

impl Line {
    /// When the packet after the last would be due.
    fn expected(&self, rate: u32) -> i64 {
        self.first.saturating_add(super::samples::nanos(self.taken, rate))
    }

    /// Packets that follow each other begin, the first due then.
    fn begin(&mut self, due: i64, limits: (i64, i64)) {
        (self.first, self.taken) = (due, 0);
        (self.next, self.limits) = (place(due), (place(limits.0), place(limits.1)));
    }

    /// Puts interleaved samples where they belong: silence fills a gap, and what comes too early is left out.
    fn put(&mut self, samples: &[f32]) {
        for pair in samples.chunks_exact(CHANNELS) {
            let at = self.next;
            self.next += 1;
            if at < self.end.max(self.limits.0) || at >= self.limits.1 {
                continue;
            }
            let gap = usize::try_from(at - self.end).unwrap_or(0).min(LONGEST_GAP);
            self.samples.extend(std::iter::repeat_n(0.0, gap * CHANNELS));
            self.samples.extend(pair);
            self.end = at + 1;
        }
    }
}

/// An hour: a film that is silent for longer is damaged.
const LONGEST_GAP: usize = 3600 * SAMPLE_RATE as usize;

/// Nanoseconds as a number of samples.
fn place(nanos: i64) -> i64 {
    let samples = (i128::from(nanos) * i128::from(SAMPLE_RATE) + 500_000_000).div_euclid(1_000_000_000);
    // Fewer samples than nanoseconds.
    samples as i64
}

/// What a packet sounds: stereo.
struct Decoded {
    rate: u32,
    samples: Vec<f32>,
}

enum Kind {
    Aac(Box<AacDecoder>),
    Opus(opus::Decoder),
}

struct Codec {
    kind: Kind,
    /// The shape of the packet before: its rate and its samples of both channels.
    last: (u32, usize),
    damaged: u64,
}

/// The longest packet of Opus, 120 ms.
const LONGEST_OPUS: usize = 5760;

impl Codec {
    /// A decoder; the error says what the sound is.
    fn new(codec: &AudioCodec) -> Result<Self, String> {
        let kind = match codec {
            AudioCodec::Aac(config) => {
                let mut parameters = CodecParameters::new();
                parameters.for_codec(CODEC_TYPE_AAC).with_extra_data(Box::new(*config));
                let decoder = AacDecoder::try_new(&parameters, &DecoderOptions::default());
                Kind::Aac(Box::new(decoder.map_err(|error| format!("AAC ({error})"))?))
            }
            AudioCodec::Opus => {
                let decoder = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Stereo);
                Kind::Opus(decoder.map_err(|error| format!("Opus ({error})"))?)
            }
            AudioCodec::Other(name) => return Err(name.clone()),
        };
        Ok(Self { kind, last: (SAMPLE_RATE, PACKET_FRAMES * CHANNELS), damaged: 0 })
    }

    fn reset(&mut self) {
        match &mut self.kind {
            Kind::Aac(decoder) => decoder.reset(),
            // It goes on as after a loss.
            Kind::Opus(decoder) => drop(decoder.reset_state()),
        }
    }

    /// Decodes a packet. One that is damaged is as silent as the one before was long.
    fn decode(&mut self, packet: &[u8]) -> Decoded {
        match self.kind.decode(packet) {
            Ok(decoded) => {
                self.last = (decoded.rate, decoded.samples.len());
                decoded
            }
            Err(damage) => {
                if self.damaged == 0 {
                    tracing::warn!(damage, "sound of the film is damaged and silent there");
                }
                self.damaged += 1;
                Decoded { rate: self.last.0, samples: vec![0.0; self.last.1] }
            }
        }
    }
}

impl Kind {
    fn decode(&mut self, packet: &[u8]) -> Result<Decoded, String> {
        match self {
            Self::Aac(decoder) => match decoder.decode(&Packet::new_from_slice(0, 0, 0, packet)) {
                Ok(AudioBufferRef::F32(sound)) => {
                    let left = sound.chan(0);
                    let right = if sound.spec().channels.count() > 1 { sound.chan(1) } else { left };
                    let samples = left.iter().zip(right).flat_map(|(&left, &right)| [left, right]).collect();
                    Ok(Decoded { rate: sound.spec().rate, samples })
                }
                Ok(_) => Err("samples of a strange kind".to_owned()),
                Err(error) => Err(error.to_string()),
            },
            Self::Opus(decoder) => {
                let mut samples = vec![0.0; LONGEST_OPUS * CHANNELS];
                let length =
                    decoder.decode_float(packet, &mut samples, false).map_err(|error| error.to_string())?;
                samples.truncate(length * CHANNELS);
                Ok(Decoded { rate: SAMPLE_RATE, samples })
            }
        }
    }
}

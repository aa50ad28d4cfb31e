//! A film's pictures as they are, for who sends them without encoding them again.

use std::{path::Path, sync::Arc};

use shared::media::{
    Bitrate, FrameKind, FrameRate, Resolution, TemporalLayer, VideoCodec, VideoFrame,
    h264::{self, AvcConfig, Sps, UnitKind},
};

use super::{
    super::{Clock, CodedSource, Error},
    film::{Film, Track},
    reel::{Reel, Repeat, Step, since},
    samples::Sample,
};

/// A film's coded pictures in real time.
pub(in super::super) struct Coded {
    reel: Reel,
    config: AvcConfig,
    sps: Sps,
    frame_rate: FrameRate,
    bitrate: Bitrate,
    skipped: u64,
    buffer: Vec<u8>,
    clock: Arc<Clock>,
}

impl Coded {
    /// Opens a film whose H.264 is fit to be sent as it is.
    pub(in super::super) fn open(path: &Path, repeat: Repeat, clock: Arc<Clock>) -> Result<Self, Error> {
        let mut film = Film::open(path)?;
        let (track, config, sps) = film.h264()?;
        if let Some(reason) = unfit(&mut film, &track, &config, &sps)? {
            let name = path.display();
            return Err(Error(format!(
                "{name} cannot be sent as it is: {reason}; leave out --passthrough to encode it again"
            )));
        }
        let frame_rate = track.frame_rate();
        let bitrate = bitrate(&track);
        let reel = Reel::new(film, track, repeat);
        Ok(Self { reel, config, sps, frame_rate, bitrate, skipped: 0, buffer: Vec::new(), clock })
    }
}

impl CodedSource for Coded {
    fn resolution(&self) -> Resolution {
        self.sps.resolution
    }

    fn frame_rate(&self) -> FrameRate {
        self.frame_rate
    }

    fn bitrate(&self) -> Bitrate {
        self.bitrate
    }

    fn codec(&self) -> VideoCodec {
        self.sps.codec
    }

    fn next(&mut self) -> Result<Option<VideoFrame>, Error> {
        self.skipped += self.reel.catch_up(self.clock.elapsed(), |_, _| true);
        loop {
            match self.reel.step(&mut self.buffer)? {
                // What comes before the first presented picture is needed to decode it.
                Step::Sample { due, is_sync, .. } => {
                    let due = since(due);
                    let payload = self.config.annex_b(&self.buffer).map_err(|error| {
                        Error(format!("film {}: {error}", self.reel.film.path().display()))
                    })?;
                    self.clock.wait_until(due);
                    return Ok(Some(VideoFrame {
                        timestamp: self.clock.at(due),
                        kind: if is_sync { FrameKind::Key } else { FrameKind::Delta },
                        layer: TemporalLayer(0),
                        payload,
                    }));
                }
                Step::Again => {}
                Step::End if self.reel.film.is_cut => return Err(self.reel.film.breaks_off()),
                Step::End => {
                    self.clock.wait_until(self.reel.end());
                    return Ok(None);
                }
            }
        }
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// Longest time from one key frame to the next, in nanoseconds: who tunes in waits for one.
const LONGEST_GROUP: i64 = 10_500_000_000;

/// Bits a second over the whole film.
fn bitrate(track: &Track<()>) -> Bitrate {
    let bytes: u64 = track.samples.iter().map(|sample| u64::from(sample.size)).sum();
    let first = track.samples.first().map_or(0, |sample| sample.at);
    let seconds = since(track.end.saturating_sub(first)).as_secs_f64().max(0.001);
    // Saturates; a film of nothing has the least that there is.
    Bitrate(((bytes as f64 * 8.0 / seconds) as u32).max(1000))
}

/// Why a film cannot be sent as it is; `None` where it can.
fn unfit(film: &mut Film, track: &Track<()>, config: &AvcConfig, sps: &Sps) -> Result<Option<String>, Error> {
    if !sps.is_common {
        return Ok(Some("its H.264 is interlaced, or not 4:2:0 of 8 bits".to_owned()));
    }
    let reordered = track.samples.windows(2).any(|pair| pair[0].at >= pair[1].at);
    if reordered || sps.reorder.is_some_and(|pictures| pictures > 0) {
        return Ok(Some("it has B-frames (ffmpeg -bf 0 makes a film without)".to_owned()));
    }
    if config.sps.len() != 1 || config.pps.len() != 1 {
        return Ok(Some("it has several sets of parameters".to_owned()));
    }
    if track.samples.first().is_none_or(|first| !first.is_sync) {
        return Ok(Some("it does not begin with a key frame".to_owned()));
    }
    let keys: Vec<Sample> = track.samples.iter().filter(|sample| sample.is_sync).copied().collect();
    let ends = keys.iter().map(|key| key.at).skip(1).chain([track.end]);
    let longest = keys.iter().zip(ends).map(|(key, end)| end.saturating_sub(key.at)).max().unwrap_or(0);
    if longest > LONGEST_GROUP {
        return Ok(Some(format!(
            "its key frames are up to {} s apart, and at most 10 s are fit (ffmpeg -g 60 sets pictures)",
            longest / 1_000_000_000
        )));
    }
    for key in &keys {
        // Where the film breaks off is told when it is reached.
        if film.is_cut && film.read(key, &mut Vec::new()).is_err() {
            break;
        }
        if let Some(reason) = unfit_key(film, key, config)? {
            return Ok(Some(reason));
        }
    }
    Ok(None)
}

/// Why a key frame is none that decoding can start at with the film's own parameters. Only the heads of its
/// units are read.
fn unfit_key(film: &mut Film, key: &Sample, config: &AvcConfig) -> Result<Option<String>, Error> {
    let damaged = || Ok(Some("a key frame is damaged".to_owned()));
    let (mut at, end) = (key.offset, key.offset.saturating_add(key.size.into()));
    loop {
        let mut head = vec![0; config.length_bytes + 1];
        if at.saturating_add(head.len() as u64) > end {
            return damaged();
        }
        film.read_at(at, &mut head)?;
        let Some((&first, length)) = head.split_last() else { return damaged() };
        let length = length.iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        let unit = at + config.length_bytes as u64;
        if length == 0 || unit + length > end {
            return damaged();
        }
        match h264::kind(&[first]) {
            Some(UnitKind::IDR) => return Ok(None),
            Some(UnitKind::SLICE) => {
                return Ok(Some("decoding cannot start at some of its key frames (open groups)".to_owned()));
            }
            Some(UnitKind::SPS | UnitKind::PPS) => {
                let mut set = vec![0; length as usize];
                film.read_at(unit, &mut set)?;
                if !config.sps.iter().chain(&config.pps).any(|own| own[..] == set[..]) {
                    return Ok(Some("its parameters change on the way".to_owned()));
                }
            }
            _ => {}
        }
        at = unit + length;
    }
}

//! A film's pictures, decoded.

use std::{collections::VecDeque, mem, path::Path, sync::Arc, time::Duration};

use shared::media::{
    FrameRate, Picture, Resolution,
    h264::{self, AvcConfig},
};

use super::super::openh264::{Damaged, Decoder};
use super::{
    super::{Clock, Error, VideoSource},
    film::{Film, hint},
    reel::{Reel, Repeat, Step, since},
    samples::Sample,
};

/// A film's pictures in real time.
pub(in super::super) struct Video {
    reel: Reel,
    config: AvcConfig,
    resolution: Resolution,
    frame_rate: FrameRate,
    decoder: Decoder<i64>,
    /// Decoded, in the order of presentation.
    ready: VecDeque<(i64, Picture)>,
    /// The times of pictures that are decoded and not presented.
    hidden: Vec<i64>,
    rest: Rest,
    /// Times in a row that the decoder had to start again without giving a picture; `None` before it gave any.
    failures: Option<u32>,
    skipped: u64,
    /// When a picture was last handed out.
    last: Duration,
    buffer: Vec<u8>,
    clock: Arc<Clock>,
}

/// What comes once no picture is ready.
enum Rest {
    More,
    End,
    Broken(Error),
}

impl Video {
    /// Opens a film and decodes its first pictures.
    pub(in super::super) fn open(path: &Path, repeat: Repeat, clock: Arc<Clock>) -> Result<Self, Error> {
        let mut film = Film::open(path)?;
        let (track, config, sps) = film.h264()?;
        let frame_rate = track.frame_rate();
        let refuse = |reason: &str| Error(format!("{}: {reason}: {}", path.display(), hint(path)));
        if !sps.is_common {
            return Err(refuse("its H.264 is interlaced, or not 4:2:0 of 8 bits, which is not decoded here"));
        }
        let mut video = Self {
            reel: Reel::new(film, track, repeat),
            config,
            resolution: sps.resolution,
            frame_rate,
            decoder: Decoder::new().map_err(|Damaged(reason)| refuse(&reason))?,
            ready: VecDeque::new(),
            hidden: Vec::new(),
            rest: Rest::More,
            failures: None,
            skipped: 0,
            last: Duration::ZERO,
            buffer: Vec::new(),
            clock,
        };
        // So that what cannot be decoded is told before the broadcast begins.
        while video.ready.is_empty() && matches!(video.rest, Rest::More) {
            video.advance()?;
        }
        match mem::replace(&mut video.rest, Rest::More) {
            Rest::Broken(error) if video.ready.is_empty() => return Err(error),
            rest => video.rest = rest,
        }
        let Some((_, first)) = video.ready.front() else {
            return Err(refuse("none of its pictures can be decoded"));
        };
        video.resolution = first.resolution;
        let Resolution { width, height } = video.resolution;
        if width < SMALLEST || height < SMALLEST {
            return Err(refuse(&format!("pictures of {width}x{height} are too small")));
        }
        Ok(video)
    }

    /// The next picture with when it is due, in nanoseconds since the broadcast's begin, as soon as it is
    /// decoded; `None` at the film's end.
    pub(super) fn take(&mut self) -> Result<Option<(i64, Picture)>, Error> {
        loop {
            if let Some(picture) = self.ready.pop_front() {
                return Ok(Some(picture));
            }
            match mem::replace(&mut self.rest, Rest::More) {
                Rest::More => self.advance()?,
                Rest::Broken(error) => return Err(error),
                Rest::End => {
                    self.rest = Rest::End;
                    return Ok(None);
                }
            }
        }
    }

    /// Decodes one more sample, or what remains at an end.
    fn advance(&mut self) -> Result<(), Error> {
        let step = match self.reel.step(&mut self.buffer) {
            Ok(step) => step,
            Err(error) => {
                self.finish()?;
                self.rest = Rest::Broken(error);
                return Ok(());
            }
        };
        match step {
            Step::Sample { due, is_shown, .. } => {
                if !is_shown {
                    self.hidden.push(due);
                }
                let unit = self.config.annex_b(&self.buffer).map_err(|error| Damaged(error.to_string()));
                let decoder = &mut self.decoder;
                match unit.and_then(|unit| decoder.decode(&unit, due)) {
                    Ok(picture) => self.ready(picture),
                    Err(damage) => self.restart(&damage)?,
                }
            }
            Step::Again => self.finish()?,
            Step::End => {
                self.finish()?;
                self.rest = match self.reel.film.is_cut {
                    true => Rest::Broken(self.reel.film.breaks_off()),
                    false => Rest::End,
                };
            }
        }
        Ok(())
    }

    /// Takes all out of the decoder, which begins anew.
    fn finish(&mut self) -> Result<(), Error> {
        let fresh = self.fresh()?;
        let decoder = mem::replace(&mut self.decoder, fresh);
        let waiting = decoder.waiting();
        match decoder.finish() {
            Ok(pictures) => {
                self.skipped += waiting.saturating_sub(pictures.len()) as u64;
                self.ready(pictures);
            }
            Err(_) => self.skipped += waiting as u64,
        }
        Ok(())
    }

    fn ready(&mut self, pictures: impl IntoIterator<Item = (i64, Picture)>) {
        for (due, picture) in pictures {
            self.failures = Some(0);
            if let Some(place) = self.hidden.iter().position(|&hidden| hidden == due) {
                self.hidden.swap_remove(place);
            } else {
                self.ready.push_back((due, picture));
            }
        }
    }

    /// Goes on at the next picture that needs no other, after one that is damaged.
    fn restart(&mut self, Damaged(reason): &Damaged) -> Result<(), Error> {
        self.failures = self.failures.map(|failures| failures + 1);
        // What begins with a picture that is not decoded is of a kind that is not, rather than damaged.
        if self.failures.is_none_or(|failures| failures > MOST_FAILURES) {
            let path = self.reel.film.path();
            return Err(Error(format!(
                "{}: its H.264 is not decoded: {reason}: {}",
                path.display(),
                hint(path)
            )));
        }
        self.skipped += self.decoder.waiting() as u64;
        self.decoder = self.fresh()?;
        let config = &self.config;
        self.skipped += self.reel.seek_sync(|film, sample| is_keyframe(film, sample, config));
        tracing::warn!(reason, film = %self.reel.film.path().display(), "a picture of the film is damaged");
        Ok(())
    }

    fn fresh(&self) -> Result<Decoder<i64>, Error> {
        Decoder::new().map_err(|Damaged(reason)| Error(format!("the decoder does not start: {reason}")))
    }

    /// Where decoding is far behind, passes over pictures that nobody would see in time.
    fn catch_up(&mut self) -> Result<(), Error> {
        let config = &self.config;
        let fits = |film: &mut Film, sample: &Sample| is_keyframe(film, sample, config);
        let passed = self.reel.catch_up(self.clock.elapsed(), fits);
        if passed > 0 {
            self.skipped += passed + self.decoder.waiting() as u64;
            self.decoder = self.fresh()?;
        }
        Ok(())
    }
}

impl VideoSource for Video {
    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn frame_rate(&self) -> FrameRate {
        self.frame_rate
    }

    fn next(&mut self) -> Result<Option<Picture>, Error> {
        loop {
            self.catch_up()?;
            let Some((due, mut picture)) = self.take()? else {
                self.clock.wait_until(self.reel.end());
                return Ok(None);
            };
            if picture.resolution != self.resolution {
                let (name, first, other) =
                    (self.reel.film.path().display(), self.resolution, picture.resolution);
                let hint = hint(self.reel.film.path());
                return Err(Error(format!("{name} changes its size from {first} to {other}: {hint}")));
            }
            let (due, now) = (since(due), self.clock.elapsed());
            // However slow the machine is, some pictures are seen.
            if due + self.frame_rate.time_of(1) < now && now < self.last + SEEN_EVERY {
                self.skipped += 1;
                continue;
            }
            self.clock.wait_until(due);
            self.last = self.clock.elapsed();
            picture.timestamp = self.clock.at(due);
            return Ok(Some(picture));
        }
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

const SMALLEST: u32 = 16;
const MOST_FAILURES: u32 = 3;
const SEEN_EVERY: Duration = Duration::from_millis(200);

/// Whether decoding can start at a sample: an IDR picture, not only one that a player may seek to.
fn is_keyframe(film: &mut Film, sample: &Sample, config: &AvcConfig) -> bool {
    let mut buffer = Vec::new();
    let unit = film.read(sample, &mut buffer).ok().and_then(|()| config.annex_b(&buffer).ok());
    unit.is_some_and(|unit| h264::is_keyframe(&unit))
}

//! A track's samples one after the other, each with when it is due; once or for ever.

use std::time::Duration;

use super::{
    super::Error,
    film::{Film, Track},
    samples::Sample,
};

/// What comes after a film's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Repeat {
    Once,
    Forever,
}

/// A track that is being played. Times are nanoseconds since the broadcast's begin.
#[derive(Debug)]
pub(super) struct Reel {
    pub(super) film: Film,
    pub(super) track: Track<()>,
    repeat: Repeat,
    next: usize,
    /// When this round of the film began.
    begin: i64,
}

/// What comes next on a reel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A sample, when it is due, and whether it is presented or only decoded.
    Sample { due: i64, is_shown: bool, is_sync: bool },
    /// The film begins again.
    Again,
    /// The film is over.
    End,
}

impl Reel {
    pub(super) fn new(film: Film, track: Track<()>, repeat: Repeat) -> Self {
        Self { film, track, repeat, next: 0, begin: 0 }
    }

    /// Steps forward; a sample's bytes are in `buffer` then.
    pub(super) fn step(&mut self, buffer: &mut Vec<u8>) -> Result<Step, Error> {
        if let Some(sample) = self.track.samples.get(self.next).copied() {
            self.film.read(&sample, buffer)?;
            self.next += 1;
            let is_shown = (self.track.begin..self.track.end).contains(&sample.at);
            return Ok(Step::Sample { due: self.begin + sample.at, is_shown, is_sync: sample.is_sync });
        }
        match self.repeat {
            // One that has no length would be played again without end and without time.
            Repeat::Forever if self.film.length > 0 => {
                self.begin += self.film.length;
                self.next = 0;
                Ok(Step::Again)
            }
            Repeat::Forever | Repeat::Once => Ok(Step::End),
        }
    }

    /// When this round of the film began.
    pub(super) fn begin(&self) -> i64 {
        self.begin
    }

    /// When the film ends.
    pub(super) fn end(&self) -> Duration {
        since(self.begin + self.film.length)
    }

    /// Where less than [`FAR_BEHIND`] has passed since the next sample was due, does nothing. Else goes on
    /// at the last sample, due by now, at which `fits` lets decoding start, and tells how many were passed
    /// over.
    pub(super) fn catch_up(
        &mut self,
        now: Duration,
        mut fits: impl FnMut(&mut Film, &Sample) -> bool,
    ) -> u64 {
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let behind = |sample: &Sample| now - (self.begin + sample.at);
        let Some(ahead) = self.track.samples.get(self.next + 1..) else { return 0 };
        let next = self.track.samples.get(self.next);
        if next.is_none_or(|next| behind(next) < FAR_BEHIND.as_nanos() as i64) {
            return 0;
        }
        let due = ahead.iter().take_while(|sample| behind(sample) >= 0).count();
        let due = ahead.get(..due).unwrap_or_default();
        let place = due.iter().rposition(|sample| sample.is_sync && fits(&mut self.film, sample));
        let passed = place.map_or(0, |place| place + 1);
        self.next += passed;
        passed as u64
    }

    /// Goes on at the next sample at which `fits` lets decoding start, or at the end; tells how many were
    /// passed over.
    pub(super) fn seek_sync(&mut self, mut fits: impl FnMut(&mut Film, &Sample) -> bool) -> u64 {
        let rest = self.track.samples.get(self.next..).unwrap_or_default();
        let place = rest.iter().position(|sample| sample.is_sync && fits(&mut self.film, sample));
        let passed = place.unwrap_or(rest.len());
        self.next += passed;
        passed as u64
    }
}

/// Who is later than this has lost the film's time.
const FAR_BEHIND: Duration = Duration::from_secs(1);

/// Nanoseconds since the broadcast's begin as a duration.
pub(super) fn since(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

//! Where a track's samples are and when each is due, from the tables of an MP4 file. Pure.

use re_mp4::{EdtsBox, StblBox, TfhdBox, TrafBox, TrexBox};

/// A coded picture or packet of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Bytes from the file's begin.
    pub(super) offset: u64,
    pub(super) size: u32,
    /// Whether decoding can start here.
    pub(super) is_sync: bool,
    /// When it is presented: ticks of the track's timescale as it is read, then nanoseconds of the film.
    pub(super) at: i64,
}

/// The samples read so far, in the order of decoding.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) all: Vec<Sample>,
    /// When the next one is decoded, in ticks.
    next: i64,
    /// The end of the last in the order of presentation, in ticks.
    pub(super) end: i64,
}

/// More than a hundred hours of pictures: a file that says so is damaged.
const MOST: usize = 1 << 24;

impl Samples {
    /// Reads the tables of a whole track; `None` where they contradict each other.
    pub(super) fn of(table: &StblBox) -> Option<Self> {
        let mut samples = Self::default();
        let offsets: Vec<u64> = match (&table.stco, &table.co64) {
            (Some(short), _) => short.entries.iter().map(|&offset| offset.into()).collect(),
            (None, Some(long)) => long.entries.clone(),
            (None, None) => return None,
        };
        let sizes = &table.stsz;
        let count =
            if sizes.sample_size == 0 { sizes.sample_sizes.len() } else { sizes.sample_count as usize };
        if count > MOST {
            return None;
        }
        let deltas = table.stts.entries.iter();
        let mut deltas =
            deltas.flat_map(|entry| std::iter::repeat_n(entry.sample_delta, entry.sample_count as usize));
        let shifts = table.ctts.iter().flat_map(|shifts| &shifts.entries);
        let mut shifts =
            shifts.flat_map(|entry| std::iter::repeat_n(entry.sample_offset, entry.sample_count as usize));
        let sync = table.stss.as_ref().map(|sync| sync.entries.as_slice());
        let (mut last_delta, mut runs) = (1, table.stsc.entries.iter().peekable());
        let (mut left, mut per_chunk) = (0, 0);
        let (mut chunks, mut position) = (offsets.iter().zip(1_u32..), 0_u64);
        for index in 0..count {
            while left == 0 {
                let (&offset, chunk) = chunks.next()?;
                if let Some(run) = runs.next_if(|run| run.first_chunk <= chunk) {
                    per_chunk = run.samples_per_chunk;
                }
                (position, left) = (offset, per_chunk);
            }
            left -= 1;
            let size =
                if sizes.sample_size == 0 { *sizes.sample_sizes.get(index)? } else { sizes.sample_size };
            let number = u32::try_from(index + 1).ok()?;
            let is_sync = sync.is_none_or(|sync| sync.binary_search(&number).is_ok());
            last_delta = deltas.next().unwrap_or(last_delta);
            let shift = shifts.next().unwrap_or(0);
            samples.push(position, size, is_sync, shift.into(), last_delta);
            position = position.saturating_add(size.into());
        }
        Some(samples)
    }

    /// Adds the samples of a movie fragment that begins at `fragment`; `None` where it is damaged.
    pub(super) fn add(&mut self, part: &TrafBox, defaults: Option<&TrexBox>, fragment: u64) -> Option<()> {
        let head = &part.tfhd;
        let duration = head.default_sample_duration.or(defaults.map(|own| own.default_sample_duration));
        let size = head.default_sample_size.or(defaults.map(|own| own.default_sample_size));
        let flags = head.default_sample_flags.or(defaults.map(|own| own.default_sample_flags));
        if let Some(time) = &part.tfdt {
            self.next = i64::try_from(time.base_media_decode_time).ok()?;
        }
        let base = match head.flags & TfhdBox::FLAG_BASE_DATA_OFFSET {
            0 => fragment,
            _ => head.base_data_offset.unwrap_or(fragment),
        };
        let mut position = base;
        for run in &part.truns {
            if let Some(offset) = run.data_offset {
                position = base.checked_add_signed(offset.into())?;
            }
            let count = run.sample_count as usize;
            if self.all.len() + count > MOST {
                return None;
            }
            for index in 0..count {
                let first = run.first_sample_flags.filter(|_| index == 0);
                let flags = run.sample_flags.get(index).copied().or(first).or(flags).unwrap_or(0);
                let size = run.sample_sizes.get(index).copied().or(size)?;
                let duration = run.sample_durations.get(index).copied().or(duration)?;
                let shift = run.sample_cts.get(index).copied().unwrap_or(0);
                let shift = if run.version == 0 { shift.into() } else { i64::from(shift.cast_signed()) };
                self.push(position, size, flags & NOT_SYNC == 0, shift, duration);
                position = position.checked_add(size.into())?;
            }
        }
        Some(())
    }

    fn push(&mut self, offset: u64, size: u32, is_sync: bool, shift: i64, duration: u32) {
        let at = self.next.saturating_add(shift);
        self.all.push(Sample { offset, size, is_sync, at });
        self.next = self.next.saturating_add(duration.into());
        self.end = self.end.max(at.saturating_add(duration.into()));
    }
}

/// `sample_is_non_sync_sample` (ISO/IEC 14496-12 §8.8.3.1).
const NOT_SYNC: u32 = 1 << 16;

/// Which part of a track is presented, and when: its edit list, of which one edit after a wait is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edit {
    /// Nanoseconds of the film before the track begins.
    wait: i64,
    /// First tick that is presented.
    begin: Option<i64>,
    /// Nanoseconds that are presented.
    length: Option<i64>,
}

impl Edit {
    /// Reads an edit list whose film has `film` and whose track `track` ticks a second.
    pub(super) fn of(edits: Option<&EdtsBox>, film: u32, track: u32) -> Self {
        let mut edit = Self { wait: 0, begin: None, length: None };
        let list = edits.and_then(|edits| edits.elst.as_ref());
        let (version, entries) = list.map_or((0, &[][..]), |list| (list.version, &list.entries));
        let empty = if version == 0 { u64::from(u32::MAX) } else { u64::MAX };
        for (index, entry) in entries.iter().enumerate() {
            let length = nanos(i64::try_from(entry.segment_duration).unwrap_or(i64::MAX), film);
            if entry.media_time == empty {
                edit.wait = edit.wait.saturating_add(length);
                continue;
            }
            edit.begin = i64::try_from(entry.media_time).ok();
            let is_last = index + 1 == entries.len();
            // A tick of the film's clock is longer than one of the track's: rounded, it cuts nothing off.
            edit.length = (is_last && length > 0).then(|| length + nanos(1, film) + nanos(1, track));
            break;
        }
        edit
    }

    /// The same without an end, for a film whose length was not known when its head was written.
    pub(super) fn endless(self) -> Self {
        Self { length: None, ..self }
    }

    /// When a tick is presented, in nanoseconds of the film.
    pub(super) fn time(self, tick: i64, timescale: u32) -> i64 {
        nanos(tick.saturating_sub(self.begin.unwrap_or(0)), timescale).saturating_add(self.wait)
    }

    /// From when to when anything of the track is presented, in nanoseconds of the film.
    pub(super) fn presented(self) -> (i64, i64) {
        let begin = if self.begin.is_some() { self.wait } else { i64::MIN };
        (begin, self.length.map_or(i64::MAX, |length| self.wait.saturating_add(length)))
    }
}

/// Ticks as nanoseconds, rounded down.
pub(super) fn nanos(ticks: i64, timescale: u32) -> i64 {
    let nanos = i128::from(ticks) * 1_000_000_000;
    i64::try_from(nanos.div_euclid(i128::from(timescale.max(1)))).unwrap_or(i64::MAX)
}

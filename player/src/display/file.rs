//! Recordings: y4m of the pictures, WAV of the sound.
//!
//! A thread of its own writes, so that a slow disk never delays what is shown. Its queue is bounded;
//! what does not fit is left out and counted.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use anyhow::Context;
use shared::media::{FrameRate, Picture, Resolution, Timestamp};

use super::scale;
use crate::decode::{CHANNELS, SAMPLE_RATE, Samples, opus::frames_in};

/// What a recorder is given.
#[derive(Debug)]
enum Part {
    Picture(Arc<Picture>, Option<FrameRate>),
    Sound(Timestamp, Samples),
}

/// Writes the files that were asked for. Dropping it finishes them.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: Option<mpsc::SyncSender<Part>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
    has_pictures: bool,
    has_sound: bool,
    left_out: Arc<AtomicU64>,
}

/// Two seconds of pictures and sound; past it, new ones are left out.
const MOST_WAITING: usize = 160;

impl Recorder {
    /// Opens the files; `None` where none is asked for.
    ///
    /// # Errors
    /// Names the file that cannot be written.
    pub(crate) fn open(pictures: Option<PathBuf>, sound: Option<PathBuf>) -> anyhow::Result<Option<Self>> {
        if pictures.is_none() && sound.is_none() {
            return Ok(None);
        }
        let (has_pictures, has_sound) = (pictures.is_some(), sound.is_some());
        let mut y4m = pictures.map(|path| Ok::<_, anyhow::Error>(Y4m::new(create(&path)?))).transpose()?;
        let mut wav =
            sound.map(|path| create(&path).and_then(|file| Wav::new(file, has_pictures))).transpose()?;
        let (queue, parts) = mpsc::sync_channel::<Part>(MOST_WAITING);
        let write = move || {
            for part in parts {
                match part {
                    Part::Picture(picture, rate) => {
                        if let Some(wav) = &mut wav {
                            wav.begin(picture.timestamp);
                        }
                        if let Some(y4m) = &mut y4m {
                            y4m.write(&picture, rate).context("the recorded picture cannot be written")?;
                        }
                    }
                    Part::Sound(at, samples) => {
                        if let Some(wav) = &mut wav {
                            wav.write(at, &samples).context("the recorded sound cannot be written")?;
                        }
                    }
                }
            }
            if let Some(mut y4m) = y4m {
                y4m.out.flush().context("the recorded pictures cannot be written")?;
            }
            wav.map_or(Ok(()), Wav::finish)
        };
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(write)?;
        let left_out = Arc::default();
        Ok(Some(Self { queue: Some(queue), thread: Some(thread), has_pictures, has_sound, left_out }))
    }

    /// Records a picture.
    pub(crate) fn picture(&self, picture: &Arc<Picture>, rate: Option<FrameRate>) {
        // Sound alone still needs the first picture's time, which it begins with.
        if self.has_pictures {
            self.put(Part::Picture(Arc::clone(picture), rate));
        }
    }

    /// Records sound.
    pub(crate) fn sound(&self, at: Timestamp, samples: &Samples) {
        if self.has_sound {
            self.put(Part::Sound(at, samples.clone()));
        }
    }

    /// What was left out so far.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Writes what waits and closes the files.
    ///
    /// # Errors
    /// Where something could not be written.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.queue = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            Some(Err(_)) => anyhow::bail!("the recording broke off"),
            None => Ok(()),
        }
    }

    fn put(&self, part: Part) {
        let full = self.queue.as_ref().is_some_and(|queue| queue.try_send(part).is_err());
        self.left_out.fetch_add(u64::from(full), Ordering::Relaxed);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path)
        .with_context(|| format!("{} cannot be written: choose another file to record to", path.display()))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

/// A y4m file: each picture once, in order. A picture of another size than the first is scaled.
struct Y4m<W: Write> {
    out: W,
    size: Option<Resolution>,
}

impl<W: Write> Y4m<W> {
    fn new(out: W) -> Self {
        Self { out, size: None }
    }

    fn write(&mut self, picture: &Picture, rate: Option<FrameRate>) -> io::Result<()> {
        let size = match self.size {
            Some(size) => size,
            None => {
                let size = picture.resolution;
                let rate = rate.map_or_else(|| "30:1".to_owned(), fraction);
                let Resolution { width, height } = size;
                let header = "Ip A1:1 C420mpeg2 XYSCSS=420MPEG2 XCOLORRANGE=LIMITED";
                writeln!(self.out, "YUV4MPEG2 W{width} H{height} F{rate} {header}")?;
                *self.size.insert(size)
            }
        };
        self.out.write_all(b"FRAME\n")?;
        if picture.resolution == size {
            self.out.write_all(picture.data())
        } else {
            self.out.write_all(scale::nearest(picture, size).data())
        }
    }
}

/// A frame rate as y4m writes it.
fn fraction(rate: FrameRate) -> String {
    let text = rate.to_string();
    if text.contains('/') { text.replace('/', ":") } else { format!("{text}:1") }
}

/// A WAV file in which each sample stands where its timestamp says, counted from the first.
struct Wav<W: Write + Seek> {
    out: hound::WavWriter<W>,
    begin: Option<Timestamp>,
    /// Begin with the first picture rather than with the first sound.
    waits_for_picture: bool,
    /// Sound that came before the first picture.
    early: Vec<(Timestamp, Samples)>,
    frames: u64,
}

/// An offset below this is the timestamps' rounding, not a gap: 5 ms.
const ROUNDING: i64 = 240;
/// The longest gap that is filled: ten minutes. Past it, a new source begins where the sound stands.
const LONGEST_GAP: i64 = 600 * SAMPLE_RATE as i64;
/// Packets that may wait for the first picture: two seconds.
const MOST_EARLY: usize = 100;

impl<W: Write + Seek> Wav<W> {
    fn new(out: W, waits_for_picture: bool) -> anyhow::Result<Self> {
        let spec = hound::WavSpec {
            channels: CHANNELS as u16,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut out = hound::WavWriter::new(out, spec).context("the sound file cannot be written")?;
        // Whoever looks at once, or after a kill, finds a WAV file.
        out.flush().context("the sound file cannot be written")?;
        Ok(Self { out, begin: None, waits_for_picture, early: Vec::new(), frames: 0 })
    }

    /// Pictures begin here.
    fn begin(&mut self, at: Timestamp) {
        if self.begin.is_none() && self.waits_for_picture {
            self.begin = Some(at);
        }
    }

    fn write(&mut self, at: Timestamp, samples: &Samples) -> anyhow::Result<()> {
        let Some(_) = self.begin else {
            if self.waits_for_picture && self.early.len() < MOST_EARLY {
                self.early.push((at, samples.clone()));
                return Ok(());
            }
            self.begin = Some(self.early.first().map_or(at, |(at, _)| *at));
            return self.write(at, samples);
        };
        for (at, samples) in std::mem::take(&mut self.early) {
            self.place(at, &samples)?;
        }
        self.place(at, samples)
    }

    fn place(&mut self, at: Timestamp, samples: &Samples) -> anyhow::Result<()> {
        let begin = self.begin.unwrap_or(at);
        let due = frames_between(begin, at);
        let gap = due - i64::try_from(self.frames).unwrap_or(i64::MAX);
        if (ROUNDING..LONGEST_GAP).contains(&gap) {
            for _ in 0..gap as usize * CHANNELS {
                self.out.write_sample(0i16)?;
            }
            self.frames += gap.unsigned_abs();
        }
        // What lies before the place that is reached, as before the first picture, is cut.
        let cut = if gap <= -ROUNDING { usize::try_from(-gap).unwrap_or(usize::MAX) } else { 0 };
        let rest = samples.get(cut.saturating_mul(CHANNELS)..).unwrap_or_default();
        for sample in rest {
            self.out.write_sample(*sample)?;
        }
        let before = self.frames / u64::from(SAMPLE_RATE);
        self.frames += (rest.len() / CHANNELS) as u64;
        if self.frames / u64::from(SAMPLE_RATE) != before {
            // A file that is cut off still opens, but for its last second.
            self.out.flush()?;
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<()> {
        for (at, samples) in std::mem::take(&mut self.early) {
            self.begin.get_or_insert(at);
            self.place(at, &samples)?;
        }
        self.out.finalize().context("the sound file cannot be finished")
    }
}

/// Sample frames from one time to another; below zero where `to` is the earlier.
fn frames_between(from: Timestamp, to: Timestamp) -> i64 {
    let frames = |duration| i64::try_from(frames_in(duration)).unwrap_or(i64::MAX);
    frames(to.since(from)) - frames(from.since(to))
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, time::Duration};

    use super::*;

    const SIZE: Resolution = Resolution { width: 32, height: 16 };

    #[test]
    fn pictures_are_read_back_as_they_were() {
        let mut y4m = Y4m::new(Vec::new());
        let rate: FrameRate = "30000/1001".parse().expect("a rate");
        for (value, size) in [(50, SIZE), (90, SIZE), (120, Resolution { width: 64, height: 32 })] {
            let mut picture = Picture::black(size, Timestamp(1));
            picture.planes_mut().into_iter().for_each(|plane| plane.fill(value));
            y4m.write(&picture, Some(rate)).expect("written");
        }
        let header = b"YUV4MPEG2 W32 H16 F30000:1001 ";
        assert!(y4m.out.starts_with(header), "{:?}", String::from_utf8_lossy(&y4m.out[..60]));
        let line = y4m.out.iter().position(|byte| *byte == b'\n').expect("a header line") + 1;
        let frame = 6 + 32 * 16 * 3 / 2;
        let frames: Vec<_> = y4m.out[line..].chunks(frame).collect();
        assert_eq!(frames.len(), 3);
        for (bytes, value) in frames.iter().zip([50, 90, 120]) {
            assert!(bytes.starts_with(b"FRAME\n") && bytes[6..].iter().all(|byte| *byte == value));
            assert_eq!(bytes.len(), frame);
        }
    }

    #[test]
    fn sound_stands_where_its_timestamps_say() {
        let mut bytes = Cursor::new(Vec::new());
        let mut wav = Wav::new(&mut bytes, true).expect("a file");
        let start = Timestamp(5_000_000);
        let packet = |value: i16| vec![value; 960 * CHANNELS];
        // 10 ms of the first packet lie before the first picture; one packet is missing.
        wav.write(start, &packet(1)).expect("written");
        wav.begin(start + Duration::from_millis(10));
        wav.write(start + Duration::from_millis(20), &packet(2)).expect("written");
        wav.write(start + Duration::from_millis(60), &packet(3)).expect("written");
        wav.finish().expect("finished");
        bytes.set_position(0);
        let mut reader = hound::WavReader::new(bytes).expect("WAV");
        assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 48_000));
        let samples: Vec<i16> = reader.samples().map(|sample| sample.expect("a sample")).collect();
        let frames = |values: &[i16]| values.len() / CHANNELS;
        let runs: Vec<(i16, usize)> =
            samples.chunk_by(|a, b| a == b).map(|run| (run[0], frames(run))).collect();
        assert_eq!(runs, [(1, 480), (2, 960), (0, 960), (3, 960)]);
    }
}

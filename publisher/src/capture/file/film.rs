//! An MP4 file: its tracks, and its samples as they are asked for.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use re_mp4::{MoofBox, MvexBox, StsdBoxContent, TrakBox, TrexBox};
use shared::media::{
    FrameRate,
    h264::{self, AvcConfig, Sps},
};

use super::{
    super::Error,
    boxes::{self, Span},
    samples::{Edit, Sample, Samples},
};

/// A film that is open.
#[derive(Debug)]
pub(super) struct Film {
    path: PathBuf,
    file: File,
    bytes: u64,
    video: Option<Track<VideoCodec>>,
    audio: Option<Track<AudioCodec>>,
    /// From its first picture or sound to its last, in nanoseconds.
    pub(super) length: i64,
    /// Whether the file ends before its last sample.
    pub(super) is_cut: bool,
}

/// A track with what is needed to decode it. Times are nanoseconds from the film's begin.
#[derive(Debug, Clone)]
pub(super) struct Track<C> {
    pub(super) codec: C,
    /// In the order of decoding.
    pub(super) samples: Vec<Sample>,
    /// What is presented earlier than that is only decoded.
    pub(super) begin: i64,
    /// What would be presented from then on is left out.
    pub(super) end: i64,
}

#[derive(Debug, Clone)]
pub(super) enum VideoCodec {
    H264(AvcConfig, Sps),
    Other(String),
}

#[derive(Debug, Clone)]
pub(super) enum AudioCodec {
    /// With its AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
    Aac([u8; 2]),
    Opus,
    Other(String),
}

impl Film {
    /// Reads a film's head. What is in it is read only where it is needed.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display();
        let cannot = |error: io::Error| Error(format!("film {name} cannot be read: {error}"));
        let mut file = File::open(path).map_err(cannot)?;
        let bytes = file.metadata().map_err(cannot)?.len();
        let head = Head::read(&mut file, bytes).map_err(cannot)?;
        let Head { moov, fragments, is_cut } = head.map_err(|lack| Error(lack.words(path)))?;
        let mut tracks = Tracks::of(&moov, &fragments)
            .ok_or_else(|| Error(format!("{name}: the index of this MP4 is damaged: {}", hint(path))))?;
        let length = tracks.begin_at_zero();
        let ends = tracks.last_byte() > bytes;
        let Tracks { video, audio } = tracks;
        Ok(Self { path: path.to_owned(), file, bytes, video, audio, length, is_cut: is_cut || ends })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its H.264 with the configuration.
    pub(super) fn h264(&mut self) -> Result<(Track<()>, AvcConfig, Sps), Error> {
        let name = self.path.display();
        let track = self.video.take();
        let track =
            track.ok_or_else(|| Error(format!("{name} is an MP4 without video: choose another film")))?;
        let (config, sps) = match track.codec {
            VideoCodec::H264(config, sps) => (config, sps),
            VideoCodec::Other(codec) => {
                return Err(Error(format!("{name}: its video is {codec}, not H.264: {}", hint(&self.path))));
            }
        };
        if track.samples.is_empty() {
            return Err(Error(format!("{name} is an MP4 whose video has no pictures: choose another film")));
        }
        let Track { samples, begin, end, .. } = track;
        Ok((Track { codec: (), samples, begin, end }, config, sps))
    }

    /// Its sound, where it has any.
    pub(super) fn sound(&mut self) -> Option<Track<AudioCodec>> {
        self.audio.take().filter(|track| !track.samples.is_empty())
    }

    /// Reads a sample; `buffer` is as long as it then.
    pub(super) fn read(&mut self, sample: &Sample, buffer: &mut Vec<u8>) -> Result<(), Error> {
        if sample.offset.saturating_add(sample.size.into()) > self.bytes {
            return Err(self.breaks_off());
        }
        buffer.resize(sample.size as usize, 0);
        self.read_at(sample.offset, buffer)
    }

    /// Fills `buffer` with what is at `offset`.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        let read = self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.read_exact(buffer));
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.breaks_off(),
            _ => Error(format!("film {} cannot be read: {error}", self.path.display())),
        })
    }

    /// What to say when the film is over before its end.
    pub(super) fn breaks_off(&self) -> Error {
        let name = self.path.display();
        Error(format!("film {name} breaks off: the file ends before its last picture; copy it again in full"))
    }
}

/// How to make a film that can be played.
pub(super) fn hint(path: &Path) -> String {
    format!(
        "make a film of it with ffmpeg -i {} -c:v libx264 -pix_fmt yuv420p -c:a aac film.mp4",
        path.display()
    )
}

/// The boxes that say where everything is.
struct Head {
    moov: Vec<u8>,
    fragments: Vec<(Span, Vec<u8>)>,
    is_cut: bool,
}

enum Lack {
    Mp4,
    Index,
}

/// An index that is larger is none.
const LARGEST_HEAD: u64 = 1 << 30;

impl Head {
    fn read(file: &mut File, bytes: u64) -> io::Result<Result<Self, Lack>> {
        let (mut moov, mut fragments, mut is_cut) = (None, Vec::new(), false);
        let mut next = 0;
        while let Some(span) = boxes::at(file, next, bytes)? {
            if next == 0 && !FIRST.contains(&&span.kind) {
                return Ok(Err(Lack::Mp4));
            }
            next = span.end;
            let is_fragment = span.kind == *b"moof";
            if !is_fragment && span.kind != *b"moov" {
                continue;
            }
            if span.end > bytes || span.end - span.begin > LARGEST_HEAD {
                break;
            }
            let mut whole = vec![0; (span.end - span.begin) as usize];
            file.seek(SeekFrom::Start(span.begin))?;
            file.read_exact(&mut whole)?;
            if is_fragment { fragments.push((span, whole)) } else { moov = Some(whole) }
        }
        is_cut |= !fragments.is_empty() && next > bytes;
        if next == 0 {
            return Ok(Err(Lack::Mp4));
        }
        Ok(moov.map(|moov| Self { moov, fragments, is_cut }).ok_or(Lack::Index))
    }
}

/// What an MP4 or QuickTime file begins with.
const FIRST: [&[u8; 4]; 8] = [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"pnot"];

impl Lack {
    fn words(&self, path: &Path) -> String {
        let name = path.display();
        match self {
            Self::Mp4 => format!("{name} is no MP4: {}", hint(path)),
            Self::Index => {
                format!(
                    "MP4 {name} breaks off: it ends before its index (moov); copy or record it again in full"
                )
            }
        }
    }
}

struct Tracks {
    video: Option<Track<VideoCodec>>,
    audio: Option<Track<AudioCodec>>,
}

impl Tracks {
    /// Reads the first track of each kind; `None` where the index is damaged.
    fn of(moov: &[u8], fragments: &[(Span, Vec<u8>)]) -> Option<Self> {
        let (mut video, mut audio) = (None, None);
        let mut film_ticks = 1000;
        let mut defaults: Vec<TrexBox> = Vec::new();
        let mut tracks: Vec<(TrakBox, &[u8])> = Vec::new();
        for span in boxes::inside(moov, 8, moov.len()) {
            let whole = moov.get(span.begin as usize..span.end as usize)?;
            match &span.kind {
                b"mvhd" => film_ticks = boxes::parse::<re_mp4::MvhdBox>(whole)?.timescale,
                b"mvex" => defaults = boxes::parse::<MvexBox>(whole)?.trexs,
                // One that cannot be read is one of a kind that is not played, or is missed below.
                b"trak" => tracks.extend(boxes::parse::<TrakBox>(whole).map(|track| (track, whole))),
                _ => {}
            }
        }
        let fragments: Option<Vec<(u64, MoofBox)>> =
            fragments.iter().map(|(span, whole)| Some((span.begin, boxes::parse(whole)?))).collect();
        let fragments = fragments?;
        for (head, whole) in tracks {
            let read = || samples(&head, film_ticks, &fragments, &defaults);
            match &head.mdia.hdlr.handler_type.value {
                b"vide" if video.is_none() => video = Some(read()?.with(video_codec(&head))),
                b"soun" if audio.is_none() => audio = Some(read()?.with(audio_codec(&head, whole))),
                _ => {}
            }
        }
        Some(Self { video, audio })
    }

    /// Moves all times so that the film begins at zero; its length in nanoseconds.
    fn begin_at_zero(&mut self) -> i64 {
        let begins = [self.video.as_ref().and_then(Track::first), self.audio.as_ref().and_then(Track::first)];
        let begin = begins.into_iter().flatten().min().unwrap_or(0);
        let ends = [
            self.video.as_mut().map(|track| track.move_by(begin)),
            self.audio.as_mut().map(|track| track.move_by(begin)),
        ];
        ends.into_iter().flatten().max().unwrap_or(0).max(0)
    }

    fn last_byte(&self) -> u64 {
        let end = |sample: &Sample| sample.offset.saturating_add(sample.size.into());
        let video = self.video.iter().flat_map(|track| &track.samples);
        let audio = self.audio.iter().flat_map(|track| &track.samples);
        video.chain(audio).map(end).max().unwrap_or(0)
    }
}

impl<C> Track<C> {
    /// When the first thing is presented.
    fn first(&self) -> Option<i64> {
        let all = self.samples.iter().map(|sample| sample.at.max(self.begin));
        all.min()
    }

    /// Counts from `begin`; returns the track's end.
    fn move_by(&mut self, begin: i64) -> i64 {
        for sample in &mut self.samples {
            sample.at = sample.at.saturating_sub(begin);
        }
        self.begin = self.begin.saturating_sub(begin);
        self.end = self.end.saturating_sub(begin);
        self.end
    }

    /// The same with something else about its codec.
    pub(super) fn with<D>(self, codec: D) -> Track<D> {
        Track { codec, samples: self.samples, begin: self.begin, end: self.end }
    }
}

impl Track<()> {
    /// Pictures a second: exact where they come evenly, else a rate that loses none.
    pub(super) fn frame_rate(&self) -> FrameRate {
        let mut times: Vec<i64> = self.samples.iter().map(|sample| sample.at).collect();
        times.sort_unstable();
        let mut gaps: Vec<i64> =
            times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).filter(|&gap| gap > 0).collect();
        gaps.sort_unstable();
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return rate(1e9 / 25.0) };
        let (Some(&least), Some(&most)) = (gaps.get(gaps.len() / 20), gaps.last()) else { return rate(1e9) };
        // Times are rounded to nanoseconds.
        let is_even = most.saturating_sub(least) <= 2;
        if is_even { rate((last - first) as f64 / gaps.len() as f64) } else { rate(least as f64) }
    }
}

/// The rate whose pictures are so many nanoseconds apart, as people write it where it is one of theirs.
fn rate(nanos: f64) -> FrameRate {
    let per_second = (1e9 / nanos).clamp(1.0, 240.0);
    for denominator in [1, 1001] {
        let numerator = per_second * f64::from(denominator) / if denominator == 1 { 1.0 } else { 1000.0 };
        let rounded = numerator.round();
        if (numerator - rounded).abs() < 1e-4 {
            let numerator = rounded as u32 * if denominator == 1 { 1 } else { 1000 };
            if let Ok(rate) = FrameRate::new(numerator, denominator) {
                return rate;
            }
        }
    }
    FrameRate::new((per_second * 1000.0).round() as u32, 1000).expect("from 1 to 240 a second")
}

/// A track's samples with their times; `None` where its tables are damaged.
fn samples(
    head: &TrakBox,
    film_ticks: u32,
    fragments: &[(u64, MoofBox)],
    defaults: &[TrexBox],
) -> Option<Track<()>> {
    let id = head.tkhd.track_id;
    let mut samples = Samples::of(&head.mdia.minf.stbl)?;
    let defaults = defaults.iter().find(|defaults| defaults.track_id == id);
    for (begin, fragment) in fragments {
        for part in fragment.trafs.iter().filter(|part| part.tfhd.track_id == id) {
            samples.add(part, defaults, *begin)?;
        }
    }
    let timescale = head.mdia.mdhd.timescale;
    let mut edit = Edit::of(head.edts.as_ref(), film_ticks, timescale);
    if !fragments.is_empty() {
        edit = edit.endless();
    }
    let Samples { mut all, end, .. } = samples;
    for sample in &mut all {
        sample.at = edit.time(sample.at, timescale);
    }
    let (begin, edit_end) = edit.presented();
    Some(Track { codec: (), samples: all, begin, end: edit.time(end, timescale).min(edit_end) })
}

fn video_codec(head: &TrakBox) -> VideoCodec {
    match &head.mdia.minf.stbl.stsd.contents {
        StsdBoxContent::Avc1(avc) => {
            let config = AvcConfig::parse(&avc.avcc.raw).ok();
            let sps = config.as_ref().and_then(|config| h264::parse_sps(config.sps.first()?));
            match (config, sps) {
                (Some(config), Some(sps)) => VideoCodec::H264(config, sps),
                _ => VideoCodec::Other("H.264 with a damaged configuration".to_owned()),
            }
        }
        StsdBoxContent::Hev1(_) | StsdBoxContent::Hvc1(_) => VideoCodec::Other("H.265".to_owned()),
        StsdBoxContent::Av01(_) => VideoCodec::Other("AV1".to_owned()),
        StsdBoxContent::Vp08(_) => VideoCodec::Other("VP8".to_owned()),
        StsdBoxContent::Vp09(_) => VideoCodec::Other("VP9".to_owned()),
        StsdBoxContent::Mp4a(_) | StsdBoxContent::Tx3g(_) => VideoCodec::Other("no pictures".to_owned()),
        StsdBoxContent::Unknown(code) => VideoCodec::Other(code.value.escape_ascii().to_string()),
    }
}

fn audio_codec(head: &TrakBox, whole: &[u8]) -> AudioCodec {
    let sound = match &head.mdia.minf.stbl.stsd.contents {
        StsdBoxContent::Mp4a(sound) => sound,
        StsdBoxContent::Unknown(code) if code.value == *b"Opus" => {
            let channels = whole.windows(4).position(|kind| kind == b"dOps").and_then(|at| whole.get(at + 5));
            return match channels {
                Some(1 | 2) => AudioCodec::Opus,
                _ => AudioCodec::Other("Opus of more than two channels".to_owned()),
            };
        }
        StsdBoxContent::Unknown(code) => return AudioCodec::Other(code.value.escape_ascii().to_string()),
        _ => return AudioCodec::Other("no sound".to_owned()),
    };
    let Some(aac) = sound.esds.as_ref().map(|esds| &esds.es_desc.dec_config) else {
        return AudioCodec::Other("AAC without its configuration".to_owned());
    };
    if !AAC.contains(&aac.object_type_indication) {
        return AudioCodec::Other(format!("of kind {:#x}", aac.object_type_indication));
    }
    let specific = &aac.dec_specific;
    match (specific.profile, specific.chan_conf) {
        // HE-AAC is played without its upper half of the spectrum.
        (2 | 5 | 29, 1 | 2) => AudioCodec::Aac([
            2 << 3 | specific.freq_index >> 1,
            specific.freq_index << 7 | specific.chan_conf << 3,
        ]),
        (2 | 5 | 29, _) => AudioCodec::Other("AAC of more than two channels".to_owned()),
        (profile, _) => AudioCodec::Other(format!("AAC of profile {profile}")),
    }
}

/// MPEG-4 and MPEG-2 AAC as `esds` tells them (mp4ra.org).
const AAC: [u8; 4] = [0x40, 0x66, 0x67, 0x68];

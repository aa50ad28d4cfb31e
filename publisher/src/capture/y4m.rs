//! Raw pictures in the YUV4MPEG2 form, as ffmpeg and mpv write them into a pipe.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};

use shared::media::{FrameRate, Picture, Resolution};

use super::{Clock, Error, VideoSource};

/// A stream of raw pictures in real time.
///
/// A producer that is faster than its own frame rate is held back. One that is slower, or pauses, sets when
/// its pictures are due: none is let go.
pub(super) struct Y4m {
    name: String,
    input: Box<dyn BufRead + Send>,
    header: Header,
    pictures: u64,
    /// When picture 0 would have been due, since the clock's start; `None` before the first.
    begin: Option<Duration>,
    clock: Arc<Clock>,
}

/// What the stream's first line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    width: usize,
    height: usize,
    frame_rate: FrameRate,
    chroma: Chroma,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chroma {
    /// 4:2:0 in any siting.
    Half,
    /// Luma alone.
    None,
}

impl Y4m {
    /// Opens a file or pipe, `-` for standard input, and waits for its first line.
    pub(super) fn open(path: &Path, clock: Arc<Clock>) -> Result<Self, Error> {
        if path.as_os_str() == "-" {
            let input = BufReader::with_capacity(BUFFER, io::stdin());
            return Self::read("y4m on standard input".to_owned(), Box::new(input), clock);
        }
        let name = format!("y4m file {}", path.display());
        let file = File::open(path).map_err(|error| Error(format!("{name} cannot be opened: {error}")))?;
        Self::read(name, Box::new(BufReader::with_capacity(BUFFER, file)), clock)
    }

    fn read(name: String, mut input: Box<dyn BufRead + Send>, clock: Arc<Clock>) -> Result<Self, Error> {
        let line = line(&mut *input).map_err(|error| Error(format!("{name} cannot be read: {error}")))?;
        let header = match line {
            None => Err(format!("it is empty: {HINT}")),
            Some(line) => Header::parse(&line),
        };
        let header = header.map_err(|reason| Error(format!("{name}: {reason}")))?;
        Ok(Self { name, input, header, pictures: 0, begin: None, clock })
    }

    fn failed(&self, error: &io::Error) -> Error {
        let (name, picture) = (&self.name, self.pictures + 1);
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error(format!(
                "{name} breaks off inside of picture {picture}: see why the program that writes it ended"
            )),
            _ => Error(format!("{name} cannot be read at picture {picture}: {error}")),
        }
    }

    /// When the picture that has just come is due. Early ones wait for their time; after a pause of the
    /// producer time goes on from its next picture.
    fn due(&mut self, now: Duration) -> Duration {
        let offset = self.header.frame_rate.time_of(self.pictures);
        let begin = self.begin.get_or_insert(now);
        if *begin + offset + JITTER < now {
            *begin = now.saturating_sub(offset);
        }
        *begin + offset
    }
}

impl VideoSource for Y4m {
    fn resolution(&self) -> Resolution {
        self.header.resolution()
    }

    fn frame_rate(&self) -> FrameRate {
        self.header.frame_rate
    }

    fn next(&mut self) -> Result<Option<Picture>, Error> {
        // Time begins when the first picture is asked for, not when it comes.
        self.clock.elapsed();
        let line = line(&mut *self.input).map_err(|error| self.failed(&error))?;
        let Some(line) = line else { return Ok(None) };
        if line != b"FRAME" && !line.starts_with(b"FRAME ") {
            let picture = self.pictures + 1;
            return Err(Error(format!("{} is damaged at picture {picture}: {HINT}", self.name)));
        }
        let data = self.header.picture(&mut *self.input).map_err(|error| self.failed(&error))?;
        let due = self.due(self.clock.elapsed());
        self.pictures += 1;
        self.clock.wait_until(due);
        Ok(Picture::from_planes(self.header.resolution(), self.clock.at(due), data))
    }

    fn skipped(&self) -> u64 {
        0
    }
}

const BUFFER: usize = 1 << 18;
/// A line that is longer belongs to something else.
const LONGEST_LINE: u64 = 512;
/// A picture that comes this much late is the producer's jitter and keeps its place in time.
const JITTER: Duration = Duration::from_millis(60);
const HINT: &str = "y4m begins with YUV4MPEG2, as from ffmpeg -i INPUT -f yuv4mpegpipe -pix_fmt yuv420p -";

impl Header {
    fn parse(line: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(line).ok().and_then(|text| text.strip_prefix("YUV4MPEG2"));
        let text = text.ok_or_else(|| format!("this is no y4m: {HINT}"))?;
        let (mut width, mut height, mut chroma) = (0_u32, 0_u32, Chroma::Half);
        let mut frame_rate = FrameRate::new(25, 1).map_err(|error| error.to_string())?;
        for field in text.split_ascii_whitespace() {
            let Some((key, value)) = field.split_at_checked(1) else { continue };
            let wrong = || format!("its y4m header has {field:?}: {HINT}");
            match key {
                "W" => width = value.parse().map_err(|_| wrong())?,
                "H" => height = value.parse().map_err(|_| wrong())?,
                // Unknown rates are written as 0:0.
                "F" if value != "0:0" => {
                    frame_rate = value.replace(':', "/").parse().map_err(|error| {
                        format!(
                            "its y4m header has a frame rate that cannot be sent: {error}; give ffmpeg -r 30"
                        )
                    })?;
                }
                "C" => {
                    chroma = match value {
                        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Chroma::Half,
                        "mono" => Chroma::None,
                        other => {
                            return Err(format!(
                                "its y4m pictures are {other}, not 4:2:0 of 8 bits: give ffmpeg -pix_fmt yuv420p"
                            ));
                        }
                    }
                }
                _ => {}
            }
        }
        if !SIDE.contains(&width) || !SIDE.contains(&height) {
            let (least, most) = (SIDE.start(), SIDE.end());
            return Err(format!(
                "its y4m pictures are {width}x{height}: sides from {least} to {most} can be sent; \
                 give ffmpeg -vf scale=1280:-2"
            ));
        }
        Ok(Self { width: width as usize, height: height as usize, frame_rate, chroma })
    }

    /// The even size within the stream's.
    fn resolution(self) -> Resolution {
        // Bounded by `SIDE`.
        Resolution { width: self.width as u32 & !1, height: self.height as u32 & !1 }
    }

    /// The next picture's planes, cropped to even sides.
    fn picture(self, input: &mut dyn Read) -> io::Result<Vec<u8>> {
        let even = (self.width & !1, self.height & !1);
        let mut data = Vec::with_capacity(even.0 * even.1 * 3 / 2);
        plane(input, (self.width, self.height), even, &mut data)?;
        match self.chroma {
            Chroma::Half => {
                let half = (self.width.div_ceil(2), self.height.div_ceil(2));
                for _ in 0..2 {
                    plane(input, half, (even.0 / 2, even.1 / 2), &mut data)?;
                }
            }
            Chroma::None => data.resize(even.0 * even.1 * 3 / 2, 128),
        }
        Ok(data)
    }
}

const SIDE: std::ops::RangeInclusive<u32> = 16..=8192;

/// Appends the upper left `wanted` part of a plane that is `size` large.
fn plane(
    input: &mut dyn Read,
    size: (usize, usize),
    wanted: (usize, usize),
    data: &mut Vec<u8>,
) -> io::Result<()> {
    let begin = data.len();
    data.resize(begin + size.0 * size.1, 0);
    let fresh = data.get_mut(begin..).unwrap_or_default();
    input.read_exact(fresh)?;
    if wanted.0 != size.0 {
        for row in 1..wanted.1 {
            fresh.copy_within(row * size.0..row * size.0 + wanted.0, row * wanted.0);
        }
    }
    data.truncate(begin + wanted.0 * wanted.1);
    Ok(())
}

/// The next line without its end; `None` where the stream has ended before it.
fn line(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    input.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(last) => {
            line.push(last);
            // What is no header is told so by who reads it; a picture's is cut off.
            let is_cut = b"FRAME".starts_with(&line) || line.starts_with(b"FRAME ");
            if is_cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Some(line)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(bytes: &[u8]) -> Result<Y4m, Error> {
        let input = Box::new(io::Cursor::new(bytes.to_vec()));
        Y4m::read("y4m on standard input".to_owned(), input, Arc::new(Clock::default()))
    }

    fn refused(bytes: &[u8]) -> String {
        source(bytes).err().expect("is refused").0
    }

    #[test]
    fn pictures_come_out_cropped_to_even_sides_and_then_the_end() {
        let mut bytes = b"YUV4MPEG2 W17 H19 F240:1 Ip A1:1 C420mpeg2 XYSCSS=420MPEG2\n".to_vec();
        for picture in 0..3 {
            bytes.extend_from_slice(if picture == 1 { b"FRAME Ip\n" } else { b"FRAME\n" });
            bytes.extend((0..19_u8).flat_map(|y| (0..17_u8).map(move |x| y * 10 + x % 10 + picture)));
            bytes.extend((0..2_u8).flat_map(|plane| [100 + plane; 9 * 10]));
        }
        let mut source = source(&bytes).expect("a stream");
        assert_eq!(source.resolution(), Resolution { width: 16, height: 18 });
        let mut last = None;
        for picture in 0..3 {
            let shown = source.next().expect("readable").expect("a picture");
            let [y, u, v] = shown.planes();
            assert_eq!(
                (y[0], y[15], y[16], y[16 * 18 - 1]),
                (picture, 5 + picture, 10 + picture, 175 + picture)
            );
            assert!(u.iter().all(|&value| value == 100) && v.iter().all(|&value| value == 101));
            assert!(last < Some(shown.timestamp));
            last = Some(shown.timestamp);
        }
        assert!(source.next().expect("a clean end").is_none());
    }

    #[test]
    fn luma_alone_is_grey() {
        let mut bytes = b"YUV4MPEG2 W16 H16 F0:0 Cmono\nFRAME\n".to_vec();
        bytes.extend([200; 256]);
        let shown = source(&bytes).expect("a stream").next().expect("readable").expect("a picture");
        assert!(shown.planes()[0].iter().all(|&value| value == 200));
        assert!(shown.planes()[2].iter().all(|&value| value == 128));
    }

    #[test]
    fn a_stream_that_ends_inside_of_a_picture_breaks_off() {
        let mut bytes = b"YUV4MPEG2 W16 H16 F30:1\nFRAME\n".to_vec();
        bytes.extend([200; 300]);
        for end in [bytes.len(), bytes.len() - 301, bytes.len() - 303] {
            let error = source(&bytes[..end]).expect("a stream").next().expect_err("breaks off").0;
            assert!(error.contains("breaks off inside of picture 1"), "{error}");
        }
        let error = source(b"YUV4MPEG2 W16 H16\nFRUME\n").expect("a stream").next().expect_err("damaged").0;
        assert!(error.contains("damaged"), "{error}");
    }

    #[test]
    fn what_is_no_y4m_is_refused_with_what_to_do() {
        for bytes in [&b""[..], b"RIFF....AVI and so on", &[0xff; 2000], b"YUV4MPEG2 Wx H16\n"] {
            let error = refused(bytes);
            assert!(error.contains("y4m") && error.contains("ffmpeg"), "{error}");
        }
        for header in ["W64 H64 C422", "W64 H64 C420p10", "W64 H64 C444"] {
            let error = refused(format!("YUV4MPEG2 {header}\n").as_bytes());
            assert!(error.contains("-pix_fmt yuv420p"), "{error}");
        }
        for header in ["W8 H64", "H64", "W99999 H64", "W64 H64 F1000:1"] {
            let error = refused(format!("YUV4MPEG2 {header}\n").as_bytes());
            assert!(error.contains("give ffmpeg"), "{error}");
        }
    }

    #[test]
    fn a_pause_of_the_producer_lets_no_picture_go() {
        let ms = Duration::from_millis;
        let mut source = source(b"YUV4MPEG2 W16 H16 F20:1\n").expect("a stream");
        let mut due = |now| {
            let due = source.due(ms(now));
            source.pictures += 1;
            due
        };
        assert_eq!([due(300), due(301), due(410)], [ms(300), ms(350), ms(400)]);
        assert_eq!([due(2000), due(2001)], [ms(2000), ms(2050)]);
    }
}

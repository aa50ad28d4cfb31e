//! A V4L2 camera.
//!
//! Only cameras that give plain pixels are read; those that give nothing but JPEG pictures are refused with
//! what else can be done.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use shared::media::{FrameRate, Picture, Resolution};
use v4l::{
    Device, Format, FourCC, Fraction,
    buffer::{Flags as BufferFlags, Type},
    capability::Flags,
    format::{Colorspace, Quantization},
    frameinterval::FrameIntervalEnum,
    framesize::FrameSizeEnum,
    io::{mmap::Stream, traits::CaptureStream as _},
    video::{Capture as _, capture::Parameters},
};

use super::{Clock, Error, VideoSource};

mod mode;
mod pixels;

use mode::Mode;
use pixels::{Frame, Layout};

/// An open camera. Dropping it lets others open it.
pub(super) struct Camera {
    name: String,
    stream: Stream<'static>,
    frame: Frame,
    frame_rate: FrameRate,
    clock: Arc<Clock>,
    /// Number of the last picture, as the driver counts.
    last: Option<u32>,
    skipped: u64,
}

impl Camera {
    /// Opens `device`, or the first camera that there is, in the mode that comes closest to `size` and
    /// `frame_rate`.
    ///
    /// # Errors
    /// [`Error`] where there is no camera, another program has it, or it gives no plain pixels.
    pub(super) fn open(
        device: Option<&str>,
        size: Resolution,
        frame_rate: FrameRate,
        clock: Arc<Clock>,
    ) -> Result<Self, Error> {
        let path = match device {
            Some(path) => PathBuf::from(path),
            None => first()?,
        };
        let name = path.display().to_string();
        let failed = |doing: &str, error: &io::Error| told(&name, doing, error);
        let device = Device::with_path(&path).map_err(|error| failed("opened", &error))?;
        if !is_camera(&device) {
            return Err(Error(format!(
                "{name} is no camera: ls /dev/video* shows the devices that there are"
            )));
        }
        let modes = modes(&device).map_err(|error| failed("asked for its formats", &error))?;
        let mode =
            mode::best(&modes, size, frame_rate.per_second()).ok_or_else(|| no_mode(&name, &device))?;
        let asked = Format::new(mode.size.0, mode.size.1, FourCC::new(&mode.layout.fourcc()));
        let format = device.set_format(&asked).map_err(|error| failed("set to its format", &error))?;
        let layout = Layout::of(format.fourcc.repr).ok_or_else(|| no_mode(&name, &device))?;
        let frame = Frame {
            layout,
            size: (format.width, format.height),
            stride: format.stride,
            colours: colours(&format),
        };
        if frame.resolution().width.min(frame.resolution().height) < 16 {
            return Err(Error(format!("the camera {name} gives only {}x{}", format.width, format.height)));
        }
        let frame_rate = set_rate(&device, frame_rate);
        let mut stream = Stream::with_buffers(&device, Type::VideoCapture, BUFFERS)
            .map_err(|error| failed("given memory for its pictures", &error))?;
        stream.set_timeout(PATIENCE);
        tracing::info!(camera = name, ?layout, resolution = %frame.resolution(), %frame_rate, "camera opened");
        Ok(Self { name, stream, frame, frame_rate, clock, last: None, skipped: 0 })
    }
}

impl VideoSource for Camera {
    fn resolution(&self) -> Resolution {
        self.frame.resolution()
    }

    fn frame_rate(&self) -> FrameRate {
        self.frame_rate
    }

    fn next(&mut self) -> Result<Option<Picture>, Error> {
        loop {
            let (bytes, about) = self.stream.next().map_err(|error| told(&self.name, "read", &error))?;
            let timestamp = self.clock.at(self.clock.elapsed());
            let missed = self.last.map_or(0, |last| about.sequence.wrapping_sub(last).wrapping_sub(1));
            // A driver that counts anew has missed nothing.
            self.skipped += if missed < 1000 { u64::from(missed) } else { 0 };
            self.last = Some(about.sequence);
            let bytes = bytes.get(..about.bytesused as usize).unwrap_or(bytes);
            let whole = !about.flags.contains(BufferFlags::ERROR);
            match self.frame.picture(bytes, timestamp) {
                Some(picture) if whole => return Ok(Some(picture)),
                // Part of a picture, as after a moment's trouble on the cable.
                Some(_) | None => self.skipped += 1,
            }
        }
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// Pictures that the driver may have at once; it drops new ones where all wait to be taken.
const BUFFERS: u32 = 4;
/// A camera that gives no picture for so long is broken.
const PATIENCE: Duration = Duration::from_secs(5);

fn told(name: &str, doing: &str, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "there is no such device: ls /dev/video* shows those that there are",
        io::ErrorKind::PermissionDenied => "this user may not: add it to the group video",
        io::ErrorKind::ResourceBusy => "another program uses it: close that one first",
        io::ErrorKind::TimedOut => "it gives no pictures: take it off and plug it in again",
        _ => "is it still plugged in?",
    };
    Error(format!("the camera {name} cannot be {doing}: {error}; {hint}"))
}

/// The first device that captures pictures.
fn first() -> Result<PathBuf, Error> {
    let mut nodes = v4l::context::enum_devices();
    nodes.sort_by_key(|node| node.index());
    let paths: Vec<PathBuf> = nodes.iter().map(|node| node.path().to_owned()).collect();
    let camera = paths.iter().find(|path| Device::with_path(path).is_ok_and(|device| is_camera(&device)));
    match (camera, paths.first()) {
        (Some(path), _) => Ok(path.clone()),
        // Opening it says what is wrong with it.
        (None, Some(path)) => Ok(path.clone()),
        (None, None) => Err(Error(
            "no camera: there is no /dev/video*; plug one in, or choose --source pattern, screen or file:PATH"
                .to_owned(),
        )),
    }
}

fn is_camera(device: &Device) -> bool {
    let wanted = Flags::VIDEO_CAPTURE | Flags::STREAMING;
    device.query_caps().is_ok_and(|about| about.capabilities.contains(wanted))
}

/// All modes in layouts that are known here.
fn modes(device: &Device) -> io::Result<Vec<Mode>> {
    let mut modes = Vec::new();
    for format in device.enum_formats()? {
        let Some(layout) = Layout::of(format.fourcc.repr) else { continue };
        for sizes in device.enum_framesizes(format.fourcc)? {
            let (least, most, step) = match sizes.size {
                FrameSizeEnum::Discrete(size) => {
                    ((size.width, size.height), (size.width, size.height), (0, 0))
                }
                FrameSizeEnum::Stepwise(sizes) => (
                    (sizes.min_width, sizes.min_height),
                    (sizes.max_width, sizes.max_height),
                    (sizes.step_width, sizes.step_height),
                ),
            };
            let per_second = fastest(device, format.fourcc, most);
            modes.push(Mode { layout, size: most, least, step, per_second });
        }
    }
    Ok(modes)
}

/// Pictures a second in this size, at most; `None` where the driver does not say.
fn fastest(device: &Device, fourcc: FourCC, (width, height): (u32, u32)) -> Option<f64> {
    let rate = |interval: Fraction| f64::from(interval.denominator) / f64::from(interval.numerator.max(1));
    let intervals = device.enum_frameintervals(fourcc, width, height).ok()?;
    let rates = intervals.into_iter().map(|interval| match interval.interval {
        FrameIntervalEnum::Discrete(interval) => rate(interval),
        FrameIntervalEnum::Stepwise(intervals) => rate(intervals.min),
    });
    rates.max_by(f64::total_cmp)
}

/// What the driver makes of the rate that is wanted. Where it does not say, that one is believed.
fn set_rate(device: &Device, wanted: FrameRate) -> FrameRate {
    let per_second = (wanted.per_second() * 1000.0).round() as u32;
    let set = device.set_params(&Parameters::new(Fraction::new(1000, per_second)));
    let interval = set.or_else(|_| device.params()).map(|about| about.interval);
    interval
        .ok()
        .and_then(|interval| FrameRate::new(interval.denominator, interval.numerator).ok())
        .unwrap_or(wanted)
}

/// Webcams speak BT.601 unless they say otherwise; so V4L2 has it for all that is not Rec. 709.
fn colours(format: &Format) -> pixels::Colours {
    pixels::Colours {
        matrix: match format.colorspace {
            Colorspace::Rec709 => pixels::Matrix::Bt709,
            _ => pixels::Matrix::Bt601,
        },
        range: match (format.quantization, format.colorspace) {
            (Quantization::FullRange, _) | (Quantization::Default, Colorspace::JPEG) => pixels::Range::Full,
            (Quantization::Default | Quantization::LimitedRange, _) => pixels::Range::Limited,
        },
    }
}

fn no_mode(name: &str, device: &Device) -> Error {
    let formats = device.enum_formats().unwrap_or_default();
    let formats: Vec<String> = formats.iter().map(|format| format.fourcc.to_string()).collect();
    Error(format!(
        "the camera {name} gives {}, and here only YUYV, NV12 and YU12 are known; let ffmpeg convert it: \
         ffmpeg -f v4l2 -i {name} -pix_fmt yuv420p -f yuv4mpegpipe - | publisher --source y4m:-",
        if formats.is_empty() { "no format at all".to_owned() } else { formats.join(", ") }
    ))
}

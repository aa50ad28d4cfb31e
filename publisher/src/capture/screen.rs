//! What an X11 screen shows, with the cursor.
//!
//! The server writes the pixels into memory that it shares with this program where both run on one machine;
//! else it sends them. On Wayland only the windows of X11 programs can be seen this way.

use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

use shared::media::{FrameRate, Picture, Resolution, Timestamp};
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError},
    protocol::{
        shm::{self, ConnectionExt as _},
        xfixes::{ConnectionExt as _, GetCursorImageReply},
        xproto::{ConnectionExt as _, ImageFormat, ImageOrder, Screen as Root, Setup, Window},
    },
    rust_connection::RustConnection,
};
use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::{Clock, Error, VideoSource, clock::Pace};
use crate::filter::Scaler;

/// A screen, in real time. Its pictures keep the size that it had first: where the screen changes its own,
/// they are scaled.
pub(super) struct Screen {
    grab: Grab,
    resolution: Resolution,
    scaler: Scaler,
    pace: Pace,
    frame_rate: FrameRate,
    clock: Arc<Clock>,
}

impl Screen {
    /// Connects to `display`, or to what the environment's `DISPLAY` names.
    ///
    /// # Errors
    /// [`Error`] where there is no such display or its pixels are of a kind that is not known here.
    pub(super) fn open(
        display: Option<&str>,
        frame_rate: FrameRate,
        clock: Arc<Clock>,
    ) -> Result<Self, Error> {
        let grab = Grab::open(display)?;
        let resolution = even(grab.size);
        Ok(Self {
            grab,
            resolution,
            scaler: Scaler::new(resolution),
            pace: Pace::new(frame_rate),
            frame_rate,
            clock,
        })
    }
}

impl VideoSource for Screen {
    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn frame_rate(&self) -> FrameRate {
        self.frame_rate
    }

    fn next(&mut self) -> Result<Option<Picture>, Error> {
        let due = self.pace.next(self.clock.elapsed());
        self.clock.wait_until(due);
        let picture = self.grab.picture(self.clock.at(due))?;
        if picture.resolution == self.resolution {
            return Ok(Some(picture));
        }
        self.scaler.scale(&picture).map(Some).map_err(|error| Error(error.to_string()))
    }

    fn skipped(&self) -> u64 {
        self.pace.skipped()
    }
}

/// A screen whose pixels are fetched.
struct Grab {
    connection: RustConnection,
    root: Window,
    /// Width and height, as the screen had them last.
    size: (u16, u16),
    shared: Option<Segment>,
    cursor: bool,
    /// The pixels of the last picture: blue, green, red, nothing.
    pixels: Vec<u8>,
}

/// Memory that the server and this program share. It is read as a file, so the server cannot change what
/// this program has already read.
struct Segment {
    id: shm::Seg,
    file: File,
}

const BYTES_PER_PIXEL: usize = 4;

impl Grab {
    fn open(display: Option<&str>) -> Result<Self, Error> {
        let (connection, index) =
            RustConnection::connect(display).map_err(|error| no_display(display, &error))?;
        let setup = connection.setup();
        let screen = &setup.roots[index];
        if !has_known_pixels(setup, screen) {
            return Err(Error(format!(
                "the screen has {} bits a pixel in a form that is not known here: choose one of 24 bits",
                screen.root_depth
            )));
        }
        let (root, size) = (screen.root, (screen.width_in_pixels, screen.height_in_pixels));
        if size.0.min(size.1) < SMALLEST {
            return Err(Error(format!("the screen of {}x{} pixels is too small", size.0, size.1)));
        }
        let cursor = has_cursor(&connection);
        let mut grab = Self { connection, root, size, shared: None, cursor, pixels: Vec::new() };
        grab.fit();
        Ok(grab)
    }

    /// Makes room for the pixels of the present size.
    fn fit(&mut self) {
        let length = usize::from(self.size.0) * usize::from(self.size.1) * BYTES_PER_PIXEL;
        self.pixels = vec![0; length];
        if let Some(old) = self.shared.take() {
            // Where that fails the connection is broken, which the next request finds.
            let _ = self.connection.shm_detach(old.id);
        }
        self.shared = match Segment::new(&self.connection, length) {
            Ok(segment) => segment,
            Err(error) => {
                tracing::debug!(%error, "no memory is shared with the X server: it sends the pixels");
                None
            }
        };
    }

    /// What the screen shows now.
    fn picture(&mut self, timestamp: Timestamp) -> Result<Picture, Error> {
        let failed = |error: ReplyError| {
            Error(format!("the screen can no longer be captured: {error}; is its X server still running?"))
        };
        for _ in 0..ATTEMPTS {
            let before = self.size;
            match self.pixels() {
                Ok(cursor) if self.size == before => {
                    if let Some(cursor) = cursor {
                        blend(&cursor, &mut self.pixels, self.size.0);
                    }
                    return to_picture(&self.pixels, self.size, timestamp);
                }
                // The screen became smaller than what was asked for.
                Err(error) if self.size == before => return Err(failed(error)),
                Ok(_) | Err(_) => {
                    tracing::info!(from = ?before, to = ?self.size, "the screen changed its size");
                    self.fit();
                }
            }
        }
        Err(Error("the screen keeps changing its size".to_owned()))
    }

    /// Fetches the pixels, the cursor and the size in one round trip.
    fn pixels(&mut self) -> Result<Option<GetCursorImageReply>, ReplyError> {
        let Self { connection, root, size, shared, cursor, pixels } = self;
        let (width, height) = *size;
        let geometry = connection.get_geometry(*root)?;
        let cursor = if *cursor { Some(connection.xfixes_get_cursor_image()?) } else { None };
        let fetched = if let Some(segment) = shared {
            let format = u8::from(ImageFormat::Z_PIXMAP);
            connection
                .shm_get_image(*root, 0, 0, width, height, !0, format, segment.id, 0)?
                .reply()
                .and_then(|_| Ok(segment.file.read_exact_at(pixels, 0).map_err(ConnectionError::from)?))
        } else {
            connection.get_image(ImageFormat::Z_PIXMAP, *root, 0, 0, width, height, !0)?.reply().map(
                |image| {
                    let length = pixels.len().min(image.data.len());
                    pixels[..length].copy_from_slice(&image.data[..length]);
                },
            )
        };
        let geometry = geometry.reply()?;
        *size = (geometry.width.max(SMALLEST), geometry.height.max(SMALLEST));
        fetched?;
        // Without the cursor there is still the picture.
        Ok(cursor.and_then(|cursor| cursor.reply().ok()))
    }
}

/// A screen that changes its size more often than this within one picture is given up.
const ATTEMPTS: usize = 5;
/// Pixels of a side, at least.
const SMALLEST: u16 = 16;

impl Segment {
    /// Memory that the server makes; `None` where it cannot.
    fn new(connection: &RustConnection, length: usize) -> Result<Option<Self>, ReplyOrIdError> {
        if connection.extension_information(shm::X11_EXTENSION_NAME)?.is_none() {
            return Ok(None);
        }
        let version = connection.shm_query_version()?.reply()?;
        let (true, Ok(length)) =
            ((version.major_version, version.minor_version) >= (1, 2), u32::try_from(length))
        else {
            return Ok(None);
        };
        let id = connection.generate_id()?;
        let segment = connection.shm_create_segment(id, length, false)?.reply()?;
        Ok(Some(Self { id, file: File::from(segment.shm_fd) }))
    }
}

fn no_display(display: Option<&str>, error: &ConnectError) -> Error {
    let set = std::env::var("DISPLAY").ok().filter(|name| !name.is_empty());
    Error(match display.map(str::to_owned).or(set) {
        None => "no screen to capture: set DISPLAY to an X11 display (echo $DISPLAY in its terminal says \
                 which); where there is none, start one with: Xvfb :99 -screen 0 1280x720x24"
            .to_owned(),
        Some(name) => format!(
            "the X11 display {name} cannot be reached: {error}; check that DISPLAY names one that runs and \
             that XAUTHORITY or xhost lets this user in"
        ),
    })
}

/// Whether a pixel is four bytes: blue, green, red, nothing.
fn has_known_pixels(setup: &Setup, screen: &Root) -> bool {
    let bits = setup.pixmap_formats.iter().find(|format| format.depth == screen.root_depth);
    let mut visuals = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
    let visual = visuals.find(|visual| visual.visual_id == screen.root_visual);
    setup.image_byte_order == ImageOrder::LSB_FIRST
        && bits.is_some_and(|format| format.bits_per_pixel == 32)
        && visual.is_some_and(|visual| {
            [visual.red_mask, visual.green_mask, visual.blue_mask] == [0xff_0000, 0xff00, 0xff]
        })
}

/// Whether the server tells what the cursor looks like.
fn has_cursor(connection: &RustConnection) -> bool {
    // A server that lacks the extension answers with an error.
    connection.xfixes_query_version(1, 0).is_ok_and(|version| version.reply().is_ok())
}

/// Pictures have even sides.
fn even((width, height): (u16, u16)) -> Resolution {
    Resolution { width: u32::from(width & !1), height: u32::from(height & !1) }
}

/// Draws the cursor over pixels of a screen that is `width` wide, as far as it is inside.
fn blend(cursor: &GetCursorImageReply, pixels: &mut [u8], width: u16) {
    let (width, across) = (i32::from(width), usize::from(cursor.width).max(1));
    let left = i32::from(cursor.x) - i32::from(cursor.xhot);
    let top = i32::from(cursor.y) - i32::from(cursor.yhot);
    for (y, row) in (top..).zip(cursor.cursor_image.chunks_exact(across)) {
        for (x, &pixel) in (left..).zip(row) {
            let Ok(at) = usize::try_from(y * width + x) else { continue };
            if !(0..width).contains(&x) || y < 0 {
                continue;
            }
            // Its colours are multiplied by its opacity already.
            let [blue, green, red, opacity] = pixel.to_le_bytes();
            let Some(target) = pixels.get_mut(at * BYTES_PER_PIXEL..).and_then(|rest| rest.get_mut(..3))
            else {
                return;
            };
            for (under, over) in target.iter_mut().zip([blue, green, red]) {
                let shines = u16::from(*under) * (255 - u16::from(opacity)) / 255;
                *under = over.saturating_add(shines as u8);
            }
        }
    }
}

/// Pixels as a picture of an even size: an odd last column or row is cut off.
fn to_picture(pixels: &[u8], size: (u16, u16), timestamp: Timestamp) -> Result<Picture, Error> {
    let resolution = even(size);
    let mut picture = Picture::black(resolution, timestamp);
    let [y, u, v] = picture.planes_mut().map(BufferStoreMut::Borrowed);
    let Resolution { width, height } = resolution;
    let (y_stride, u_stride, v_stride) = (width, width / 2, width / 2);
    let mut planes =
        YuvPlanarImageMut { y_plane: y, y_stride, u_plane: u, u_stride, v_plane: v, v_stride, width, height };
    let stride = u32::from(size.0) * BYTES_PER_PIXEL as u32;
    let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt709);
    yuv::bgra_to_yuv420(&mut planes, pixels, stride, range, matrix, YuvConversionMode::Balanced)
        .map_err(|error| Error(format!("a picture of the screen cannot be converted: {error}")))?;
    Ok(picture)
}

#[cfg(test)]
mod tests;

//! The picture in a desktop window.

use std::{num::NonZeroU32, rc::Rc, sync::Arc, time::Instant};

use anyhow::Context as _;
use shared::media::{Picture, Resolution};
use softbuffer::{Context, Surface};
use tokio::sync::mpsc::error::TrySendError;
use winit::{
    application::ApplicationHandler,
    dpi::{LogicalSize, PhysicalSize},
    event::{ElementState, KeyEvent, StartCause, WindowEvent},
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy},
    keyboard::{Key, NamedKey},
    window::{self, Fullscreen, WindowId},
};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

use super::{Display, LAST_WORDS, Reporter, Slot, Viewer, scale, text};
use crate::{
    danmaku::{
        feed::Bullets,
        stage::{self, Stage},
    },
    session::Control,
    state::State,
    stats::Report,
};

/// The playback's end of a window.
#[derive(Debug)]
pub(crate) struct Handle {
    slot: Arc<Slot>,
    proxy: EventLoopProxy<Changed>,
}

/// Something in the slot is new.
#[derive(Debug, Clone, Copy)]
struct Changed;

impl Display for Handle {
    fn show(&mut self, picture: &Arc<Picture>) {
        self.slot.put(picture);
        let _ = self.proxy.send_event(Changed);
    }

    fn state(&mut self, state: State) {
        self.slot.update(|screen| screen.state = state);
        let _ = self.proxy.send_event(Changed);
    }

    fn report(&mut self, report: &Report) {
        self.slot.set_report(report);
        let _ = self.proxy.send_event(Changed);
    }

    fn close(&mut self) {
        self.slot.update(|screen| screen.is_closed = true);
        let _ = self.proxy.send_event(Changed);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

/// The main thread's end: the event loop.
#[derive(Debug)]
pub(crate) struct Window {
    events: EventLoop<Changed>,
    slot: Arc<Slot>,
    reporter: Reporter,
    viewer: Viewer,
    bullets: Bullets,
}

/// Prepares a window, on the main thread.
///
/// # Errors
/// Where there is no desktop.
pub(crate) fn open(reporter: Reporter, viewer: Viewer, bullets: Bullets) -> anyhow::Result<(Handle, Window)> {
    let events = EventLoop::with_user_event().build().map_err(|error| {
        tracing::debug!(%error, "no event loop");
        anyhow::anyhow!("there is no desktop to open a window on: use --display terminal or none")
    })?;
    events.set_control_flow(ControlFlow::Wait);
    let slot = Arc::new(Slot::new());
    let handle = Handle { slot: Arc::clone(&slot), proxy: events.create_proxy() };
    Ok((handle, Window { events, slot, reporter, viewer, bullets }))
}

impl Window {
    /// Runs until the playback closes it. Closing the window asks the session to leave.
    ///
    /// # Errors
    /// Where the desktop does not give a window, or takes it away.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut app = App {
            slot: self.slot,
            reporter: self.reporter,
            viewer: self.viewer,
            open: None,
            picture: None,
            state: State::Connecting,
            report: Arc::new([]),
            overlay: Overlay::Hidden,
            rgb: Vec::new(),
            is_converted: false,
            bullets: Stage::new(self.bullets),
            has_bullets: false,
            leaves_at: None,
            failure: None,
        };
        self.events.run_app(&mut app).context("the desktop took the window away")?;
        match app.failure {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

struct App {
    slot: Arc<Slot>,
    reporter: Reporter,
    viewer: Viewer,
    open: Option<Open>,
    picture: Option<Arc<Picture>>,
    state: State,
    report: Arc<[String]>,
    overlay: Overlay,
    /// The picture as blue, green, red and a filling byte.
    rgb: Vec<u8>,
    /// Whether it is the picture's.
    is_converted: bool,
    bullets: Stage,
    /// Whether bullets run, so that frames are drawn also between pictures.
    has_bullets: bool,
    /// When the window goes, once nothing more comes.
    leaves_at: Option<Instant>,
    failure: Option<anyhow::Error>,
}

/// Whether statistics are drawn over the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overlay {
    Hidden,
    Statistics,
}

struct Open {
    window: Rc<window::Window>,
    surface: Surface<Rc<window::Window>, Rc<window::Window>>,
}

/// A first window of this size fits any screen.
const FIRST_SIZE: LogicalSize<u32> = LogicalSize::new(1280, 720);

impl ApplicationHandler<Changed> for App {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.open.is_some() {
            return;
        }
        match Open::new(events, &self.title()) {
            Ok(open) => {
                open.window.request_redraw();
                self.tell_size(open.window.inner_size());
                self.open = Some(open);
            }
            Err(error) => self.fail(events, error),
        }
    }

    fn new_events(&mut self, events: &ActiveEventLoop, cause: StartCause) {
        if !matches!(cause, StartCause::ResumeTimeReached { .. }) {
            return;
        }
        if self.leaves_at.is_some_and(|at| at <= Instant::now()) {
            events.exit();
        } else if let Some(open) = &self.open {
            open.window.request_redraw();
        }
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        let frame = self.has_bullets.then(|| Instant::now() + stage::FRAME);
        events.set_control_flow(match [frame, self.leaves_at].into_iter().flatten().min() {
            Some(next) => ControlFlow::WaitUntil(next),
            None => ControlFlow::Wait,
        });
    }

    fn user_event(&mut self, events: &ActiveEventLoop, Changed: Changed) {
        let screen = self.slot.take();
        if screen.is_closed {
            tracing::debug!(left_out = screen.replaced, "the window is closed");
            if screen.state != State::Ended {
                events.exit();
                return;
            }
            self.leaves_at = Some(Instant::now() + LAST_WORDS);
        }
        if screen.state != self.state {
            self.state = screen.state;
            self.refresh();
        }
        if !Arc::ptr_eq(&screen.report, &self.report) {
            self.report = screen.report;
            if self.overlay == Overlay::Statistics {
                self.refresh();
            }
        }
        if let (Some(picture), true) = (screen.picture, screen.is_new) {
            self.picture = Some(picture);
            self.is_converted = false;
            match self.draw() {
                Ok(true) => {
                    if let Some(picture) = &self.picture {
                        self.reporter.shown(picture);
                    }
                }
                Ok(false) => {}
                Err(error) => self.fail(events, error),
            }
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested => self.quit(events),
            WindowEvent::KeyboardInput {
                event: KeyEvent { logical_key, state: ElementState::Pressed, repeat: false, .. },
                ..
            } => self.key(events, &logical_key),
            WindowEvent::Resized(size) => {
                self.tell_size(size);
                if let Some(open) = &self.open {
                    open.window.request_redraw();
                }
            }
            WindowEvent::RedrawRequested => {
                if let Err(error) = self.draw() {
                    self.fail(events, error);
                }
            }
            _ => {}
        }
    }
}

impl App {
    fn key(&mut self, events: &ActiveEventLoop, key: &Key) {
        match key.as_ref() {
            Key::Character("q") | Key::Named(NamedKey::Escape) => self.quit(events),
            Key::Character("f") => {
                if let Some(open) = &self.open {
                    let full = open.window.fullscreen().is_some();
                    open.window.set_fullscreen((!full).then_some(Fullscreen::Borderless(None)));
                }
            }
            Key::Character("m") => {
                self.viewer.volume.toggle();
                self.refresh();
            }
            Key::Character("d") => {
                self.bullets.toggle();
                self.refresh();
            }
            Key::Character("s") => {
                self.overlay = match self.overlay {
                    Overlay::Hidden => Overlay::Statistics,
                    Overlay::Statistics => Overlay::Hidden,
                };
                self.refresh();
            }
            _ => {}
        }
    }

    /// What is not the picture has changed.
    fn refresh(&self) {
        if let Some(open) = &self.open {
            open.window.set_title(&self.title());
            open.window.request_redraw();
        }
    }

    fn quit(&self, events: &ActiveEventLoop) {
        if let Err(TrySendError::Closed(_)) = self.viewer.control.try_send(Control::Quit) {
            // The session is over already: only the window is left.
            events.exit();
        }
    }

    fn fail(&mut self, events: &ActiveEventLoop, error: anyhow::Error) {
        let _ = self.viewer.control.try_send(Control::Quit);
        self.failure = Some(error);
        events.exit();
    }

    fn title(&self) -> String {
        let room = &self.viewer.room;
        let muted = if self.viewer.volume.is_muted() { " (muted)" } else { "" };
        match self.state {
            State::Live => format!("{room}{muted}"),
            State::Connecting | State::Buffering | State::Offline | State::Ended => {
                format!("{room} - {}{muted}", self.state.text())
            }
        }
    }

    fn tell_size(&self, size: PhysicalSize<u32>) {
        let viewport = Resolution { width: size.width, height: size.height };
        let _ = self.viewer.control.try_send(Control::Viewport(viewport));
    }

    /// Draws what there is. `false` where there is nothing to draw on.
    fn draw(&mut self) -> anyhow::Result<bool> {
        let Some(open) = &mut self.open else { return Ok(false) };
        let size = open.window.inner_size();
        let (Some(width), Some(height)) = (NonZeroU32::new(size.width), NonZeroU32::new(size.height)) else {
            return Ok(false);
        };
        let wrong =
            |error: softbuffer::SoftBufferError| anyhow::anyhow!("the window cannot be drawn in: {error}");
        open.surface.resize(width, height).map_err(wrong)?;
        let mut pixels = open.surface.buffer_mut().map_err(wrong)?;
        let (width, height) = (size.width as usize, size.height as usize);
        match &self.picture {
            Some(picture) => {
                if !std::mem::replace(&mut self.is_converted, true) {
                    to_rgb(picture, &mut self.rgb)?;
                }
                place(picture.resolution, &self.rgb, &mut pixels, width, height);
            }
            None => pixels.fill(0),
        }
        let (now, shown) = (Instant::now(), self.picture.as_ref().map(|picture| picture.timestamp));
        self.has_bullets = self.bullets.advance(now, shown, width, height);
        self.bullets.draw(now, &mut pixels, width, height);
        if self.state != State::Live {
            text::centred(&mut pixels, width, height, self.state.text());
        }
        if self.overlay == Overlay::Statistics {
            text::corner(&mut pixels, width, height, &self.report);
        }
        open.window.pre_present_notify();
        pixels.present().map_err(wrong)?;
        Ok(true)
    }
}

impl Open {
    fn new(events: &ActiveEventLoop, title: &str) -> anyhow::Result<Self> {
        let attributes = window::Window::default_attributes().with_title(title).with_inner_size(FIRST_SIZE);
        let window = events.create_window(attributes).context("the desktop gives no window")?;
        let window = Rc::new(window);
        let wrong =
            |error: softbuffer::SoftBufferError| anyhow::anyhow!("the window cannot be drawn in: {error}");
        let context = Context::new(Rc::clone(&window)).map_err(wrong)?;
        let surface = Surface::new(&context, Rc::clone(&window)).map_err(wrong)?;
        Ok(Self { window, surface })
    }
}

/// Converts a picture, reusing the memory.
fn to_rgb(picture: &Picture, rgb: &mut Vec<u8>) -> anyhow::Result<()> {
    let Resolution { width, height } = picture.resolution;
    rgb.resize(width as usize * height as usize * 4, 0);
    let [y, u, v] = picture.planes();
    let image = YuvPlanarImage {
        y_plane: y,
        y_stride: width,
        u_plane: u,
        u_stride: width / 2,
        v_plane: v,
        v_stride: width / 2,
        width,
        height,
    };
    yuv::yuv420_to_bgra(&image, rgb, width * 4, YuvRange::Limited, YuvStandardMatrix::Bt709)
        .map_err(|error| anyhow::anyhow!("a picture of {width}x{height} cannot be converted: {error}"))
}

/// Scales a picture into the middle of a frame, black around it.
fn place(from: Resolution, rgb: &[u8], pixels: &mut [u32], width: usize, height: usize) {
    let area = scale::fit(from, width, height);
    if area.width < width || area.height < height {
        pixels.fill(0);
    }
    let line = from.width as usize * 4;
    let columns: Vec<usize> = (0..area.width).map(|x| x * from.width as usize / area.width * 4).collect();
    for y in 0..area.height {
        let source = y * from.height as usize / area.height * line;
        let target = (area.top + y) * width + area.left;
        let (Some(source), Some(target)) =
            (rgb.get(source..source + line), pixels.get_mut(target..target + area.width))
        else {
            continue;
        };
        if area.width == from.width as usize {
            for (pixel, bytes) in target.iter_mut().zip(source.as_chunks::<4>().0) {
                *pixel = u32::from_le_bytes(*bytes) & 0x00ff_ffff;
            }
        } else {
            for (pixel, column) in target.iter_mut().zip(&columns) {
                if let Some(&[blue, green, red, _]) = source.get(*column..*column + 4) {
                    *pixel = u32::from_le_bytes([blue, green, red, 0]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::media::Timestamp;

    use super::*;

    #[test]
    fn a_picture_lies_in_the_middle_of_its_window() {
        let picture = Picture::black(Resolution { width: 32, height: 16 }, Timestamp(1));
        let mut white = picture.clone();
        let [luma, ..] = white.planes_mut();
        luma.fill(235);
        let mut rgb = Vec::new();
        to_rgb(&white, &mut rgb).expect("converted");
        let mut pixels = vec![7; 64 * 64];
        place(white.resolution, &rgb, &mut pixels, 64, 64);
        assert_eq!(pixels[0], 0);
        assert_eq!(pixels[32 * 64 + 32], 0x00ff_ffff);
        assert_eq!(pixels[64 * 64 - 1], 0);
    }
}

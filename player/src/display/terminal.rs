//! The picture as coloured half blocks in a terminal.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context;
use crossterm::{
    cursor,
    event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    execute, style, terminal,
};
use shared::{
    media::{Picture, Resolution},
    naming::Room,
};

use super::{Display, LAST_WORDS, Reporter, Screen, Slot, Viewer, scale};
use crate::{session::Control, sound::Volume, state::State, stats::Report};

/// A terminal that shows the newest picture at its own pace. The terminal is as before once it is closed
/// or dropped.
#[derive(Debug)]
pub(crate) struct Terminal {
    slot: Arc<Slot>,
    thread: Option<JoinHandle<()>>,
}

/// Keys are looked at this often where no picture comes.
const KEYS: Duration = Duration::from_millis(50);

impl Terminal {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn open(reporter: Reporter, viewer: Viewer) -> anyhow::Result<Self> {
        let guard = Guard::new().context("there is no terminal to draw in: use --display none or window")?;
        let slot = Arc::new(Slot::new());
        let shared = Arc::clone(&slot);
        let thread = std::thread::Builder::new().name("terminal".into()).spawn(move || {
            if let Err(error) = draw(&shared, &reporter, &viewer) {
                tracing::error!(%error, "the terminal cannot be drawn in");
                let _ = viewer.control.try_send(Control::Quit);
            }
            drop(guard);
        })?;
        Ok(Self { slot, thread: Some(thread) })
    }
}

impl Display for Terminal {
    fn show(&mut self, picture: &Arc<Picture>) {
        self.slot.put(picture);
    }

    fn state(&mut self, state: State) {
        self.slot.update(|screen| screen.state = state);
    }

    fn report(&mut self, report: &Report) {
        self.slot.set_report(report);
    }

    fn close(&mut self) {
        self.slot.update(|screen| screen.is_closed = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
    }
}

/// Gives the terminal back.
#[derive(Debug)]
struct Guard;

impl Guard {
    fn new() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let guard = Self;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), style::ResetColor, cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

fn draw(slot: &Slot, reporter: &Reporter, viewer: &Viewer) -> io::Result<()> {
    let Viewer { control, volume, room } = viewer;
    let mut corner = Corner::Help;
    let mut leaves = false;
    let mut closed_at = None;
    let mut seen = 0;
    let mut size = None;
    loop {
        let screen = slot.wait(seen, KEYS);
        seen = screen.version;
        if screen.is_closed {
            let closed = *closed_at.get_or_insert_with(Instant::now);
            if screen.state != State::Ended || leaves || closed.elapsed() > LAST_WORDS {
                tracing::debug!(left_out = screen.replaced, "the terminal is given back");
                return Ok(());
            }
        }
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
            {
                let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => leaves = true,
                    _ if ctrl_c => leaves = true,
                    KeyCode::Char('m') => volume.toggle(),
                    KeyCode::Char('s') => corner = corner.other(),
                    _ => {}
                }
            }
        }
        if leaves {
            let _ = control.try_send(Control::Quit);
        }
        let (columns, rows) = terminal::size()?;
        if size != Some((columns, rows)) {
            size = Some((columns, rows));
            // Each cell shows two pixels; more than four times as many bring nothing.
            let viewport = Resolution { width: u32::from(columns) * 2, height: u32::from(rows) * 4 };
            let _ = control.try_send(Control::Viewport(viewport));
            execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))?;
        }
        let mut out = String::new();
        if let Some(picture) = screen.picture.as_deref().filter(|_| screen.is_new) {
            blocks(picture, usize::from(columns), usize::from(rows.saturating_sub(1)), &mut out);
        }
        let line = bottom(room, &screen, volume, corner, usize::from(columns));
        let _ = write!(
            out,
            "{}{}{line}{}",
            cursor::MoveTo(0, rows.saturating_sub(1)),
            style::ResetColor,
            terminal::Clear(terminal::ClearType::UntilNewLine),
        );
        let mut stdout = io::stdout().lock();
        stdout.write_all(out.as_bytes())?;
        stdout.flush()?;
        if let Some(picture) = screen.picture.as_deref().filter(|_| screen.is_new) {
            reporter.shown(picture);
        }
    }
}

/// What stands beside the room's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Corner {
    Help,
    Statistics,
}

impl Corner {
    fn other(self) -> Self {
        match self {
            Self::Help => Self::Statistics,
            Self::Statistics => Self::Help,
        }
    }
}

/// The line under the picture, as far as it fits.
fn bottom(room: &Room, screen: &Screen, volume: &Volume, corner: Corner, columns: usize) -> String {
    let muted = if volume.is_muted() { "  muted" } else { "" };
    let more = match corner {
        Corner::Help => "(q leaves, m mutes, s shows statistics)".to_owned(),
        Corner::Statistics => {
            let lines =
                screen.report.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            lines.collect::<Vec<_>>().join(" | ")
        }
    };
    format!("{room}  {}{muted}  {more}", screen.state.text()).chars().take(columns).collect()
}

/// Draws a picture into so many cells, each of which shows one pixel above another.
fn blocks(picture: &Picture, columns: usize, rows: usize, out: &mut String) {
    let area = scale::fit(picture.resolution, columns, rows * 2);
    for row in 0..area.height / 2 {
        let (left, top) = (to_u16(area.left), to_u16(area.top / 2 + row));
        let _ = write!(out, "{}", cursor::MoveTo(left, top));
        let mut last = None;
        for column in 0..area.width {
            let pixel = |y: usize| colour(picture, (column, area.width), (y, area.height));
            let pair = (pixel(row * 2), pixel(row * 2 + 1));
            if last != Some(pair) {
                let ([r, g, b], [r2, g2, b2]) = pair;
                let _ = write!(out, "\x1b[38;2;{r};{g};{b};48;2;{r2};{g2};{b2}m");
                last = Some(pair);
            }
            out.push('▀');
        }
    }
}

fn to_u16(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// The mean colour of one of `columns` by `rows` parts of a picture, as red, green and blue.
fn colour(picture: &Picture, (x, columns): (usize, usize), (y, rows): (usize, usize)) -> [u8; 3] {
    let Resolution { width, height } = picture.resolution;
    let (width, height) = (width as usize, height as usize);
    let mean = |plane: &[u8], width: usize, height: usize| {
        let (left, right) = (x * width / columns, ((x + 1) * width).div_ceil(columns).min(width));
        let (top, bottom) = (y * height / rows, ((y + 1) * height).div_ceil(rows).min(height));
        let (mut sum, mut count) = (0u32, 0u32);
        // A few samples a side are enough for a cell.
        for line in (top..bottom).step_by(((bottom - top) / 4).max(1)) {
            for column in (left..right).step_by(((right - left) / 4).max(1)) {
                sum += u32::from(plane.get(line * width + column).copied().unwrap_or_default());
                count += 1;
            }
        }
        f32::from(u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX))
    };
    let [luma, blue, red] = picture.planes();
    let luma = (mean(luma, width, height) - 16.0) * 1.164;
    let blue = mean(blue, width / 2, height / 2) - 128.0;
    let red = mean(red, width / 2, height / 2) - 128.0;
    // BT.709, limited range.
    [luma + 1.793 * red, luma - 0.213 * blue - 0.533 * red, luma + 2.112 * blue]
        .map(|value| value.clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use shared::media::Timestamp;

    use super::*;

    #[test]
    fn halves_of_a_cell_have_colours_of_their_own() {
        let mut picture = Picture::black(Resolution { width: 64, height: 64 }, Timestamp(1));
        let [luma, ..] = picture.planes_mut();
        luma[..64 * 32].fill(235);
        let mut out = String::new();
        blocks(&picture, 4, 1, &mut out);
        assert_eq!(out.matches('▀').count(), 2, "{out:?}");
        assert!(
            out.contains("38;2;254;254;254;48;2;0;0;0m") || out.contains("38;2;255;255;255;48;2;0;0;0m"),
            "{out:?}"
        );
        let mut nothing = String::new();
        blocks(&picture, 0, 0, &mut nothing);
        assert_eq!(nothing, "");
    }
}

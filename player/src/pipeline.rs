//! The whole flow: session -> depackage -> jitter -> decode -> display.
//!
//! | thread | does |
//! |---|---|
//! | main | the window's event loop, where there is a window |
//! | runtime | the session: connection, subscriptions, coming back |
//! | playback | depackages, decodes, keeps time |
//! | recorder, terminal | write and draw at their own pace |

use std::{
    io::Write as _,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use shared::{qlog, transport::Watcher};
use tokio::{
    runtime,
    sync::mpsc::{self, error::TryRecvError},
};

use crate::{
    clock::{Clock, until},
    config::{Config, DisplayKind, Patience, StatsFormat},
    decode,
    display::{self, Display, Reporter, Viewer, file::Recorder},
    playback::{Parts, Playback},
    session::{Beside, Control, Driver, Event, Leave},
    sound::{self, Volume},
};

/// Objects that may wait for the playback thread. When it is full the session waits, and with it the
/// relay, by flow control.
const MOST_EVENTS: usize = 256;
/// Wishes of the viewer that may wait. More are let go: the next one says the same.
const MOST_CONTROLS: usize = 32;

/// Plays a room until it ends, `--duration` is over, or the viewer leaves. To be called on the main
/// thread, which a window's event loop needs. `started` is when the command was given.
///
/// # Errors
/// What went wrong and what to do, in words for a person.
pub fn run(config: Config, started: Instant) -> anyhow::Result<()> {
    let qlog = qlog::Folder::given(config.qlog.as_deref(), "player")?;
    let result = watch(config, started, qlog.as_ref().map(qlog::Folder::watcher));
    if let Some(qlog) = qlog {
        qlog.finish();
    }
    result
}

fn watch(config: Config, started: Instant, watcher: Option<Arc<dyn Watcher>>) -> anyhow::Result<()> {
    let clock = Clock::new();
    let config = Arc::new(config);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (events, incoming) = mpsc::channel(MOST_EVENTS);
    let (control, controls) = mpsc::channel(MOST_CONTROLS);
    let (reporter, shown) = Reporter::new(clock);
    let recorder = Recorder::open(config.record.clone(), config.record_audio.clone())?;

    runtime.spawn(leave_in_time(config.duration.map(|duration| started + duration), control.clone()));
    let volume = Volume::new(config.volume);
    let viewer =
        display::Viewer { control: control.clone(), volume: volume.clone(), room: config.room.clone() };
    let (display, screen, beside) = open_display(&config, reporter, viewer)?;
    runtime.spawn(Driver::new(Arc::clone(&config), clock, events, controls, watcher, beside).run());
    let parts = Parts {
        decoder: decode::video(),
        opus: decode::opus::Opus::new()?,
        display,
        shown,
        recorder,
        control,
        latency: config.latency,
        output: sound::Output::Silent,
        started: clock.at(started),
    };
    let (stats, patience, kind) = (config.stats, config.patience, config.display);
    let handle = runtime.handle().clone();
    let playback = thread::Builder::new().name("playback".into()).spawn(move || {
        // On some systems a sound device stays with the thread that opens it.
        let parts = Parts { output: sound::Output::open(&volume, kind), ..parts };
        let playback = Playback::new(parts);
        play(playback, incoming, clock, &handle, stats, patience)
    })?;
    screen.run()?;
    let result = playback.join();
    // The session has told the relay that it leaves; nothing else is worth waiting for.
    runtime.shutdown_timeout(Duration::from_millis(500));
    match result {
        Ok(result) => result,
        Err(_) => bail!("the playback broke off: this is a fault of the player, please report it"),
    }
}

/// The playback thread: takes what comes, advances, prints.
fn play(
    mut playback: Playback,
    mut incoming: mpsc::Receiver<Event>,
    clock: Clock,
    handle: &runtime::Handle,
    stats: Option<StatsFormat>,
    patience: Patience,
) -> anyhow::Result<()> {
    let mut next_report = clock.now() + SECOND;
    loop {
        let more = drain(&mut playback, &mut incoming, clock);
        let more = playback.advance(clock.now()) || more;
        let now = clock.now();
        if now >= next_report {
            next_report = next_report.max(now) + SECOND;
            print(stats, &playback.report(now, false))?;
        }
        if playback.is_over(now) {
            break;
        }
        if more {
            continue;
        }
        let wait = playback.deadline(now).min(next_report).since(now);
        let event = handle.block_on(async { tokio::time::timeout(wait, incoming.recv()).await });
        if let Ok(Some(event)) = event {
            playback.take(event, clock.now());
        } else if matches!(event, Ok(None)) {
            // The session has ended and said why; what is left plays on.
            thread::sleep(wait.max(Duration::from_millis(1)));
        }
    }
    playback.note_end();
    let now = clock.now();
    print(stats, &playback.report(now, true))?;
    let has_picture = playback.stats.has_picture();
    match playback.close()? {
        Leave::Quit if !has_picture && patience == Patience::Fail => {
            bail!("no picture came before the end: is the room on air? --wait makes this no failure")
        }
        Leave::Quit | Leave::Ended => Ok(()),
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// Events taken in a row before pictures get their turn.
const BATCH: usize = 64;

/// Takes what waits. Whether more may wait.
fn drain(playback: &mut Playback, incoming: &mut mpsc::Receiver<Event>, clock: Clock) -> bool {
    for _ in 0..BATCH {
        match incoming.try_recv() {
            Ok(event) => playback.take(event, clock.now()),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return false,
        }
    }
    true
}

fn print(format: Option<StatsFormat>, report: &crate::stats::Report) -> anyhow::Result<()> {
    let line = match format {
        None => return Ok(()),
        Some(StatsFormat::Json) => report.json(),
        Some(StatsFormat::Text) => report.text(),
    };
    writeln!(std::io::stdout().lock(), "{line}").context("standard output cannot be written")
}

/// Leaves at the deadline, at Ctrl-C, or when the system asks for it.
async fn leave_in_time(deadline: Option<Instant>, control: mpsc::Sender<Control>) {
    tokio::select! {
        () = until(deadline) => {}
        () = asked_to_leave() => {}
    }
    let _ = control.send(Control::Quit).await;
}

/// Ctrl-C, and where there are such, the signals that a system ends programs with.
async fn asked_to_leave() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut end), Ok(mut hang_up)) =
            (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = end.recv() => {}
                _ = hang_up.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// What the main thread does while the room plays.
enum Screen {
    /// Nothing: the display has a thread of its own, or none.
    Elsewhere,
    /// Runs the window.
    #[cfg(feature = "window")]
    Window(Box<display::window::Window>),
}

impl Screen {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Elsewhere => Ok(()),
            #[cfg(feature = "window")]
            Self::Window(window) => window.run(),
        }
    }
}

/// The display, what the main thread does for it, and what it wants of each session.
fn open_display(
    config: &Config,
    reporter: Reporter,
    viewer: Viewer,
) -> anyhow::Result<(Box<dyn Display>, Screen, Option<Beside>)> {
    Ok(match config.display {
        DisplayKind::None => (Box::new(display::Null::new(reporter)), Screen::Elsewhere, None),
        DisplayKind::Terminal => {
            let terminal = display::terminal::Terminal::open(reporter, viewer)?;
            (Box::new(terminal), Screen::Elsewhere, None)
        }
        #[cfg(feature = "window")]
        DisplayKind::Window => {
            let (ear, bullets) = crate::danmaku::feed::open(config.room.clone(), config.danmaku.clone())?;
            let (handle, window) = display::window::open(reporter, viewer, bullets)?;
            let beside: Beside = Arc::new(move |session| Box::pin(ear.clone().follow(session)));
            (Box::new(handle), Screen::Window(Box::new(window)), Some(beside))
        }
        #[cfg(not(feature = "window"))]
        DisplayKind::Window => bail!("this build has no window: use --display terminal or none"),
    })
}

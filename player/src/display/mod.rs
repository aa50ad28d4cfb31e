//! Where pictures are shown.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use shared::{
    media::{Picture, timecode},
    naming::Room,
};

use crate::{
    clock::Clock,
    session::Control,
    sound::Volume,
    state::State,
    stats::{Report, Shown},
};

pub(crate) mod file;
mod null;
mod scale;
pub(crate) mod terminal;
#[cfg(feature = "window")]
mod text;
#[cfg(feature = "window")]
pub(crate) mod window;

pub(crate) use null::Null;

/// A place for pictures. Nothing here waits for it: a display that is slow leaves pictures out.
pub(crate) trait Display: Send {
    /// Shows a picture, now.
    fn show(&mut self, picture: &Arc<Picture>);
    /// Tells the viewer where things stand.
    fn state(&mut self, state: State);
    /// Takes the newest statistics, for where the viewer wants to see them.
    fn report(&mut self, report: &Report);
    /// Nothing more comes: lets go of the screen.
    fn close(&mut self);
}

/// What a display lets its viewer do, and what it watches.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// Takes the viewer's wishes.
    pub(crate) control: tokio::sync::mpsc::Sender<Control>,
    /// How loud it is.
    pub(crate) volume: Volume,
    /// What is watched.
    pub(crate) room: Room,
}

/// For so long it is to be read that the broadcast has ended, before the display goes.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Tells when a picture was really shown. Bounded: where nobody listens, measurements are lost.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    clock: Clock,
    shown: mpsc::SyncSender<Shown>,
}

impl Reporter {
    /// A reporter, and where its reports come.
    pub(crate) fn new(clock: Clock) -> (Self, mpsc::Receiver<Shown>) {
        let (shown, reports) = mpsc::sync_channel(64);
        (Self { clock, shown }, reports)
    }

    /// The picture stands on the screen.
    pub(crate) fn shown(&self, picture: &Picture) {
        let at = self.clock.now();
        let width = picture.resolution.width as usize;
        let [luma, ..] = picture.planes();
        let timecode = timecode::read(luma, width, width);
        let _ = self.shown.try_send(Shown { captured: picture.timestamp, timecode, at });
    }
}

/// What a display in a thread of its own is to show: always the newest, so that it never falls behind.
#[derive(Debug)]
pub(crate) struct Slot {
    screen: Mutex<Screen>,
    changed: Condvar,
}

/// The newest of everything.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    /// The picture, with whether it was taken yet.
    pub(crate) picture: Option<Arc<Picture>>,
    /// Whether the picture was not taken yet.
    pub(crate) is_new: bool,
    /// Where things stand.
    pub(crate) state: State,
    /// The newest statistics, line by line.
    pub(crate) report: Arc<[String]>,
    /// Nothing more comes.
    pub(crate) is_closed: bool,
    /// Pictures that were replaced before they were taken.
    pub(crate) replaced: u64,
    version: u64,
}

impl Slot {
    fn new() -> Self {
        let screen = Screen {
            picture: None,
            is_new: false,
            state: State::Connecting,
            report: Arc::new([]),
            is_closed: false,
            replaced: 0,
            version: 0,
        };
        Self { screen: Mutex::new(screen), changed: Condvar::new() }
    }

    fn update(&self, change: impl FnOnce(&mut Screen)) {
        let mut screen = self.lock();
        change(&mut screen);
        screen.version += 1;
        self.changed.notify_one();
    }

    fn set_report(&self, report: &Report) {
        let lines = report.lines();
        self.update(|screen| screen.report = lines.into());
    }

    fn put(&self, picture: &Arc<Picture>) {
        self.update(|screen| {
            screen.replaced += u64::from(screen.is_new);
            screen.picture = Some(Arc::clone(picture));
            screen.is_new = true;
        });
    }

    /// Takes what there is.
    fn take(&self) -> Screen {
        let mut screen = self.lock();
        let taken = screen.clone();
        screen.is_new = false;
        taken
    }

    /// Waits for a change after `seen`, or for `most`; takes what there is.
    fn wait(&self, seen: u64, most: Duration) -> Screen {
        let screen = self.lock();
        let waited = self.changed.wait_timeout_while(screen, most, |screen| screen.version == seen);
        let (mut screen, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let taken = screen.clone();
        screen.is_new = false;
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

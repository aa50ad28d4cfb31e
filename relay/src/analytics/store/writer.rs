//! The one thread that writes the database: it commits at least once a second, and keeps what could not
//! be written for the next try, up to a bound.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use shared::event::Event;

use super::{
    Store,
    backlog::{Backlog, Rules},
};
use crate::{analytics::recorder::now, metrics::Metrics};

/// How long an event may wait for its commit.
const COMMIT_AFTER: Duration = Duration::from_millis(500);
/// How long events gather before the thread takes them. The recorder holds what comes in such a time.
const GATHER: Duration = Duration::from_millis(50);
/// Events that wait for a commit. Past it the oldest are lost and counted.
const MAX_PENDING: usize = 16_384;

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Input {
    /// Something happened.
    Event(Event),
    /// Write all, close the run, end.
    Stop,
}

/// The thread. Dropping it leaves the thread to end with the last recorder.
#[derive(Debug)]
pub(crate) struct Writer {
    thread: JoinHandle<()>,
    inputs: SyncSender<Input>,
}

impl Writer {
    /// Starts it on `inputs`, of which `sender` is the other end.
    pub(crate) fn start(
        store: Store,
        inputs: Receiver<Input>,
        sender: SyncSender<Input>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let queue = Queue { store, pending: Backlog::new(RULES, metrics) };
        let thread =
            std::thread::Builder::new().name("store".to_owned()).spawn(move || queue.run(&inputs))?;
        Ok(Self { thread, inputs: sender })
    }

    /// Writes what waits and closes the run. Blocks until that is done.
    pub(crate) fn stop(self) {
        if self.inputs.send(Input::Stop).is_ok() && self.thread.join().is_err() {
            tracing::error!("the thread that writes the records ended early: the last events are lost");
        }
    }
}

const RULES: Rules = Rules {
    most: MAX_PENDING,
    commit_after: COMMIT_AFTER,
    lost: |metrics| &metrics.analytics_lost,
    what: "the records",
};

struct Queue {
    store: Store,
    pending: Backlog<Event>,
}

impl Queue {
    fn run(mut self, inputs: &Receiver<Input>) {
        let mut commit_at = Instant::now() + COMMIT_AFTER;
        loop {
            match inputs.recv_timeout(commit_at.saturating_duration_since(Instant::now())) {
                Ok(Input::Event(event)) => {
                    self.pending.push(event);
                    // One wake-up for all that comes in a while, not one for each.
                    std::thread::sleep(GATHER);
                    let mut waiting = inputs.try_iter();
                    let is_over = waiting.any(|input| match input {
                        Input::Event(event) => {
                            self.pending.push(event);
                            false
                        }
                        Input::Stop => true,
                    });
                    if is_over {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= commit_at {
                commit_at = Instant::now() + self.commit();
            }
        }
        self.commit();
        self.pending.give_up();
        if let Err(error) = self.store.end(now()) {
            tracing::warn!(%error, "cannot close the records in order: the next start does it");
        }
    }

    /// Writes what waits; gives the time until the next commit.
    fn commit(&mut self) -> Duration {
        let Self { store, pending } = self;
        pending.commit(|events| store.write(events, now())).1
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use shared::{
        event::{Fact, SessionId},
        media::Timestamp,
        transport::Kind,
    };

    use super::{
        super::{FILE, backlog::RETRY_AFTER, read},
        *,
    };

    fn session(number: usize) -> Event {
        let fact = Fact::SessionStarted { session: SessionId(number as u64), transport: Kind::Quic };
        Event { at: Timestamp(number as u64), fact }
    }

    #[test]
    fn a_database_that_is_locked_costs_the_oldest_events_past_the_bound_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Timestamp(1)).expect("a store");
        let metrics = Arc::new(Metrics::default());
        let mut queue = Queue { store, pending: Backlog::new(RULES, Arc::clone(&metrics)) };
        let other = Connection::open(folder.path().join(FILE)).expect("opened");
        other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
        queue.pending.push(session(0));
        assert_eq!(queue.commit(), RETRY_AFTER);
        (1..MAX_PENDING + 3).for_each(|number| queue.pending.push(session(number)));
        let lost = |text: String| {
            text.lines().find(|line| line.starts_with("relay_analytics_lost")).map(str::to_owned)
        };
        assert_eq!(lost(metrics.to_text()).as_deref(), Some("relay_analytics_lost_total 3"));
        other.execute_batch("ROLLBACK").expect("let go");
        assert_eq!(queue.commit(), COMMIT_AFTER);
        assert!(queue.pending.is_empty());
        let report = read(folder.path(), None).expect("read");
        assert_eq!(report.sessions.len(), MAX_PENDING);
    }
}

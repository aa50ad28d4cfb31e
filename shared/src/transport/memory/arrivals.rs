//! Streams of the peer that wait to be accepted, by arrival.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::weather::At;

/// What the peer opened. What is under way counts as waiting.
#[derive(Debug)]
pub(super) struct Arrivals<T> {
    opened: mpsc::Receiver<(At, T)>,
    waiting: BTreeMap<(At, u64), T>,
    limit: usize,
    count: u64,
}

impl<T> Arrivals<T> {
    /// Takes over at most `limit` at a time; the others stay in their channel.
    pub(super) fn new(opened: mpsc::Receiver<(At, T)>, limit: usize) -> Self {
        Self { opened, waiting: BTreeMap::new(), limit, count: 0 }
    }

    /// The next that arrives; `None` where no more will. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Option<T> {
        loop {
            while self.waiting.len() < self.limit
                && let Ok(opened) = self.opened.try_recv()
            {
                self.keep(opened);
            }
            let Some(first) = self.waiting.first_entry() else {
                let opened = self.opened.recv().await?;
                self.keep(opened);
                continue;
            };
            let (at, _) = *first.key();
            if at.is_reached() {
                return Some(first.remove());
            }
            let has_room = self.waiting.len() < self.limit;
            tokio::select! {
                biased;
                Some(opened) = self.opened.recv(), if has_room => self.keep(opened),
                () = at.reached() => {}
            }
        }
    }

    fn keep(&mut self, (at, stream): (At, T)) {
        self.count += 1;
        self.waiting.insert((at, self.count), stream);
    }
}

//! The relay's subscriptions: one task each, which owns the writer.

use std::sync::Arc;

use shared::moqt::{DoneCode, GroupId, Item, SubscriberEvent, TrackWriter};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::{AbortHandle, JoinSet},
    time::{Instant, timeout_at},
};

use super::Publication;
use crate::{stage::TrackIndex, stats::Stats};

/// All subscriptions of one session. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Subscribers {
    all: Vec<Subscriber>,
    tasks: JoinSet<()>,
    wishes: mpsc::Receiver<(TrackIndex, GroupId)>,
    wish: mpsc::Sender<(TrackIndex, GroupId)>,
    stats: Arc<Stats>,
}

#[derive(Debug)]
struct Subscriber {
    track: TrackIndex,
    items: mpsc::Sender<Item>,
    task: AbortHandle,
}

/// Items on their way to one writer, which takes them at once: a task that leaves so many lying is stuck,
/// and its subscription is ended (the relay may subscribe again).
const ITEMS: usize = 1024;
/// Wishes for new groups; further ones are let go, since a key frame answers them all.
const WISHES: usize = 16;

impl Subscribers {
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        let (wish, wishes) = mpsc::channel(WISHES);
        Self { all: Vec::new(), tasks: JoinSet::new(), wishes, wish, stats }
    }

    /// Takes a writer that has all until now.
    pub(super) fn add(&mut self, track: TrackIndex, writer: TrackWriter) {
        let (items, queue) = mpsc::channel(ITEMS);
        let served = serve(track, writer, queue, self.wish.clone(), Arc::clone(&self.stats));
        let task = self.tasks.spawn(served);
        self.all.push(Subscriber { track, items, task });
        while self.tasks.try_join_next().is_some() {}
    }

    /// Hands items to all who subscribed to their track, and forgets those who are gone.
    pub(super) fn publish(&mut self, publication: Publication) {
        let Publication { track, items } = publication;
        self.all.retain(|subscriber| {
            if subscriber.track != track {
                return !subscriber.items.is_closed();
            }
            items.iter().all(|item| match subscriber.items.try_send(item.clone()) {
                Ok(()) => true,
                Err(TrySendError::Closed(_)) => false,
                Err(TrySendError::Full(_)) => {
                    tracing::warn!("a subscription is stuck and is ended");
                    subscriber.task.abort();
                    false
                }
            })
        });
    }

    /// Whether none has a subscription.
    pub(super) fn are_gone(&self) -> bool {
        self.all.iter().all(|subscriber| subscriber.items.is_closed())
    }

    /// The next wish for a new group, with the largest that the subscriber knows.
    pub(super) async fn new_group(&mut self) -> Option<(TrackIndex, GroupId)> {
        self.wishes.recv().await
    }

    /// Ends all subscriptions, since their tracks end: waits until each writer has its end, but not past
    /// `end`.
    pub(super) async fn finish(mut self, end: Instant) {
        self.all.clear();
        let _ = timeout_at(end, async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}

async fn serve(
    track: TrackIndex,
    mut writer: TrackWriter,
    mut queue: mpsc::Receiver<Item>,
    wish: mpsc::Sender<(TrackIndex, GroupId)>,
    stats: Arc<Stats>,
) {
    let mut skipped = 0;
    loop {
        tokio::select! {
            item = queue.recv() => {
                let Some(item) = item else {
                    writer.done(DoneCode::TrackEnded, "the broadcast has ended");
                    return;
                };
                if !writer.push(item) {
                    return;
                }
                let now = writer.stats().skipped_groups;
                stats.skipped_groups.add(now.saturating_sub(skipped));
                skipped = now;
            }
            event = writer.event() => match event {
                Some(SubscriberEvent::NewGroup(known)) => {
                    // Full: a key frame is on its way already.
                    let _ = wish.try_send((track, known));
                }
                // The writer itself heeds whether objects are to be sent.
                Some(SubscriberEvent::Forward(_)) => {}
                None => return,
            }
        }
    }
}

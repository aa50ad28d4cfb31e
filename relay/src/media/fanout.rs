//! The viewers of one track. Each has its own bounded queue in its [`TrackWriter`]; here items are only
//! handed over, and what viewers say is gathered.

use std::{
    future::{Future, poll_fn},
    ops::{Range, RangeInclusive},
    pin::pin,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use shared::{
    event::{BroadcastId, Fact},
    moqt::{DoneCode, GroupId, Item, SubscriberEvent, TrackWriter, WriterStats},
};
use tokio::sync::Notify;

use super::stuck::Progress;
use crate::{
    analytics::recorder::Recorder,
    metrics::{Metrics, TrackCounters},
    registry::Seat,
};

/// Bytes that are handed over, to all viewers together, before their sessions and other tracks get their turn: a
/// keyframe goes to few at a time, so that sound need not wait until all have it.
const PORTION_BYTES: usize = 128 << 10;
/// Viewers that are handed something before that, whatever its size.
const PORTION: RangeInclusive<usize> = 2..=64;

/// All viewers of a track.
#[derive(Debug)]
pub(super) struct Fanout {
    viewers: Vec<Viewer>,
    bell: Arc<Bell>,
    books: Books,
    /// Whether somebody did not take the last item any more.
    has_left: bool,
}

/// Where what was sent is counted and written down.
#[derive(Debug)]
struct Books {
    broadcast: BroadcastId,
    track: String,
    metrics: Arc<Metrics>,
    counters: Arc<TrackCounters>,
    recorder: Recorder,
}

#[derive(Debug)]
struct Viewer {
    writer: TrackWriter,
    is_forwarding: bool,
    counted: WriterStats,
    progress: Progress,
    seat: Seat,
}

/// What viewers said since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The largest group after which somebody needs a new one.
    pub(super) new_group: Option<GroupId>,
    /// Whether somebody's flow was resumed.
    pub(super) has_resumed: bool,
}

/// Wakes the track's task for what any of its viewers says, once for all of them.
#[derive(Debug, Default)]
struct Bell {
    has_rung: AtomicBool,
    task: Notify,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.notify_one();
    }
}

impl Fanout {
    /// Nobody yet, for a track of a broadcast.
    pub(super) fn new(
        broadcast: BroadcastId,
        track: String,
        counters: Arc<TrackCounters>,
        context: &super::Context,
    ) -> Self {
        let (metrics, recorder) = (Arc::clone(&context.metrics), context.recorder.clone());
        let books = Books { broadcast, track, metrics, counters, recorder };
        Self { viewers: Vec::new(), bell: Arc::default(), books, has_left: false }
    }

    /// Takes a viewer in and hands over what was before it; the writer's filter lets pass what was asked for.
    pub(super) fn join<'a>(
        &mut self,
        writer: TrackWriter,
        seat: Seat,
        before: impl Iterator<Item = &'a (Instant, Item)>,
    ) {
        let is_forwarding = writer.options().forward;
        for (began, item) in before {
            if !writer.push_since(*began, item.clone()) {
                return;
            }
        }
        let counted = WriterStats::default();
        let viewer = Viewer { writer, is_forwarding, counted, progress: Progress::default(), seat };
        self.books.tell(&viewer, counted);
        self.viewers.push(viewer);
        // Its waker is left with it.
        self.bell.has_rung.store(true, Ordering::Release);
    }

    /// What is sent from now on is part of this broadcast.
    pub(super) fn belongs_to(&mut self, broadcast: BroadcastId) {
        self.count();
        self.books.broadcast = broadcast;
    }

    /// Hands an item that began to come at `began` to all, at once.
    pub(super) fn push(&mut self, began: Instant, item: &Item) {
        self.hand_over(0..self.viewers.len(), std::slice::from_ref(&(began, item.clone())));
        self.part();
    }

    /// The same for several in portions of viewers, each of which is sent before the next is handed over: what a
    /// viewer's session has to look at is still in the processor's cache then. Nobody else's item comes between.
    pub(super) async fn pass(&mut self, items: &[(Instant, Item)]) {
        let bytes: usize = items.iter().map(|(_, item)| size(item)).sum();
        let portion = (PORTION_BYTES / bytes.max(1)).clamp(*PORTION.start(), *PORTION.end());
        let mut from = 0;
        loop {
            let until = self.viewers.len().min(from + portion);
            self.hand_over(from..until, items);
            if until == self.viewers.len() {
                break;
            }
            from = until;
            give_way().await;
        }
        self.part();
    }

    fn hand_over(&mut self, portion: Range<usize>, items: &[(Instant, Item)]) {
        for viewer in self.viewers.get_mut(portion).into_iter().flatten() {
            for (began, item) in items {
                self.has_left |= !viewer.writer.push_since(*began, item.clone());
            }
        }
    }

    /// Those that left are counted and forgotten.
    fn part(&mut self) {
        if !std::mem::take(&mut self.has_left) {
            return;
        }
        let books = &self.books;
        self.viewers.retain_mut(|viewer| {
            let is_there = !viewer.writer.is_closed();
            if !is_there {
                books.count(viewer);
            }
            is_there
        });
    }

    /// Waits until a viewer says something or leaves. Cancelling it loses nothing.
    pub(super) async fn rung(&self) {
        while !self.bell.has_rung.load(Ordering::Acquire) {
            self.bell.task.notified().await;
        }
    }

    /// Gathers what viewers said; those that left are gone.
    pub(super) fn listen(&mut self) -> Said {
        let mut said = Said::default();
        if !self.bell.has_rung.swap(false, Ordering::AcqRel) {
            return said;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        let mut context = Context::from_waker(&waker);
        let books = &self.books;
        self.viewers.retain_mut(|viewer| {
            loop {
                let event = pin!(viewer.writer.event()).poll(&mut context);
                match event {
                    Poll::Pending => return true,
                    Poll::Ready(Some(SubscriberEvent::NewGroup(after))) => {
                        said.new_group = said.new_group.max(Some(after));
                    }
                    Poll::Ready(Some(SubscriberEvent::Forward(forward))) => {
                        said.has_resumed |= forward && !viewer.is_forwarding;
                        viewer.is_forwarding = forward;
                    }
                    Poll::Ready(None) => {
                        books.count(viewer);
                        return false;
                    }
                }
            }
        });
        said
    }

    /// Whether nobody is there.
    pub(super) fn is_empty(&self) -> bool {
        self.viewers.is_empty()
    }

    /// Whether somebody wants objects, and not only the subscription.
    pub(super) fn wants_objects(&self) -> bool {
        self.viewers.iter().any(|viewer| viewer.is_forwarding)
    }

    /// Counts and writes down what was sent since the last call.
    pub(super) fn count(&mut self) {
        self.viewers.iter_mut().for_each(|viewer| self.books.count(viewer));
        self.books.counters.viewers.set(self.viewers.len() as u64);
    }

    /// Ends subscriptions whose viewers took nothing of what waits for them for `longest`.
    pub(super) fn end_stuck(&mut self, now: Instant, longest: Duration) {
        let books = &self.books;
        let stuck = self.viewers.extract_if(.., |viewer| {
            let (taken, waiting) = viewer.writer.taken_and_waiting();
            viewer.progress.is_stuck(now, taken, waiting, longest)
        });
        for mut viewer in stuck {
            books.count(&mut viewer);
            books.metrics.subscriptions_stuck.add(1);
            tracing::debug!(track = books.track, "a viewer takes nothing: its subscription ends");
            let reason = format!("nothing was taken for {} s", longest.as_secs_f32());
            viewer.writer.done(DoneCode::TooFarBehind, &reason);
        }
    }

    /// Ends all subscriptions.
    pub(super) fn done(&mut self, code: DoneCode, reason: &str) {
        for mut viewer in self.viewers.drain(..) {
            self.books.count(&mut viewer);
            viewer.writer.done(code, reason);
        }
    }
}

/// Bytes that an item sends.
fn size(item: &Item) -> usize {
    match item {
        Item::Object(object) | Item::Datagram(object) => object.payload.len(),
        Item::End { .. } => 0,
    }
}

/// Lets all that are woken by now have their turn.
async fn give_way() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        // Not by tokio's own yielding: that waits for the driver of sockets and timers as well.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Books {
    /// Counts what a viewer was sent since the last call, and writes it down.
    fn count(&self, viewer: &mut Viewer) {
        let now = viewer.writer.stats();
        let before = std::mem::replace(&mut viewer.counted, now);
        if now == before {
            return;
        }
        let new = WriterStats {
            objects: now.objects.saturating_sub(before.objects),
            bytes: now.bytes.saturating_sub(before.bytes),
            skipped_objects: now.skipped_objects.saturating_sub(before.skipped_objects),
            skipped_groups: now.skipped_groups.saturating_sub(before.skipped_groups),
            timed_out: now.timed_out.saturating_sub(before.timed_out),
            dropped_datagrams: now.dropped_datagrams.saturating_sub(before.dropped_datagrams),
            ..WriterStats::default()
        };
        self.metrics.objects_out.add(new.objects);
        self.metrics.bytes_out.add(new.bytes);
        self.metrics.objects_skipped.add(new.skipped_objects);
        self.metrics.groups_skipped.add(new.skipped_groups);
        self.metrics.timed_out.add(new.timed_out);
        self.metrics.datagrams_dropped.add(new.dropped_datagrams);
        self.metrics.resets_sent.add_since(&now.resets, &before.resets);
        self.metrics.delivered(&now.waits, &before.waits);
        self.counters.objects_out.add(new.objects);
        self.counters.bytes_out.add(new.bytes);
        self.counters.skipped.add(new.skipped_objects);
        self.tell(viewer, new);
    }

    /// Writes down what a viewer of the room was sent.
    fn tell(&self, viewer: &Viewer, new: WriterStats) {
        if let Some(session) = viewer.seat.viewer() {
            let WriterStats { objects, bytes, skipped_groups, .. } = new;
            let (broadcast, track) = (self.broadcast, self.track.clone());
            let fact = Fact::TrackDelivered { session, broadcast, track, objects, bytes, skipped_groups };
            self.recorder.record(fact);
        }
    }
}

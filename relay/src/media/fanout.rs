//! The viewers of one track. Each has its own bounded queue in its [`TrackWriter`]; here items are only
//! handed over, and what viewers say is gathered.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
};

use shared::moqt::{
    DoneCode, GroupId, Item, SubscribeOk, SubscribeRequest, SubscriberEvent, TrackWriter, WriterStats,
};
use tokio::sync::Notify;

use crate::{metrics::Metrics, registry::Seat};

/// All viewers of a track.
#[derive(Debug)]
pub(super) struct Fanout {
    viewers: Vec<Viewer>,
    bell: Arc<Bell>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Viewer {
    writer: TrackWriter,
    is_forwarding: bool,
    counted: WriterStats,
    _seat: Seat,
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
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { viewers: Vec::new(), bell: Arc::default(), metrics }
    }

    /// Grants a subscription and hands over what was before it; the writer's filter lets pass what was
    /// asked for.
    pub(super) fn join<'a>(
        &mut self,
        request: SubscribeRequest,
        seat: Seat,
        ok: SubscribeOk,
        before: impl Iterator<Item = &'a Item>,
    ) {
        let is_forwarding = request.options().forward;
        let writer = request.accept(ok);
        for item in before {
            if !writer.push(item.clone()) {
                return;
            }
        }
        self.viewers.push(Viewer { writer, is_forwarding, counted: WriterStats::default(), _seat: seat });
        // Its waker is left with it.
        self.bell.has_rung.store(true, Ordering::Release);
    }

    /// Hands an item to all.
    pub(super) fn push(&mut self, item: &Item) {
        let metrics = &self.metrics;
        self.viewers.retain_mut(|viewer| {
            let is_there = viewer.writer.push(item.clone());
            if !is_there {
                viewer.count(metrics);
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
        let metrics = &self.metrics;
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
                        viewer.count(metrics);
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

    /// Adds what was sent since the last call to the relay's counters.
    pub(super) fn count(&mut self) {
        self.viewers.iter_mut().for_each(|viewer| viewer.count(&self.metrics));
    }

    /// Ends all subscriptions.
    pub(super) fn done(&mut self, code: DoneCode, reason: &str) {
        for mut viewer in self.viewers.drain(..) {
            viewer.count(&self.metrics);
            viewer.writer.done(code, reason);
        }
    }
}

impl Viewer {
    fn count(&mut self, metrics: &Metrics) {
        let now = self.writer.stats();
        let before = std::mem::replace(&mut self.counted, now);
        metrics.objects_out.add(now.objects.saturating_sub(before.objects));
        metrics.bytes_out.add(now.bytes.saturating_sub(before.bytes));
        metrics.objects_skipped.add(now.skipped_objects.saturating_sub(before.skipped_objects));
        metrics.groups_skipped.add(now.skipped_groups.saturating_sub(before.skipped_groups));
    }
}

//! Handles to what this side receives, and to what it announced.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use super::{FetchItem, Life, NamespaceEvent, Reading, Received, Refused, SubscribeOk, SubscribeOptions};
use crate::moqt::{
    GroupId, Namespace, Priority, TrackName,
    driver::{
        bell::{Bell, Port},
        calls::{Ask, Call, Range, What},
    },
    session::{
        Stream,
        inbox::{Inbox, Popped},
        new_group_to_wire,
    },
    wire::Parameters,
};

/// A granted subscription, whichever side began it. Dropping it cancels it.
#[derive(Debug)]
pub struct Subscription {
    pub(super) port: Arc<Port<Reading>>,
    stream: Stream,
    ok: SubscribeOk,
}

impl Subscription {
    pub(crate) fn ask(
        bell: &Arc<Bell>,
        stream: Stream,
        track: TrackName,
        options: SubscribeOptions,
    ) -> (Self, Ask<SubscribeOk>) {
        let port = Port::new(bell, stream, Reading::default());
        let (reply, answer) = oneshot::channel();
        let what = What::Subscribe { track, options, port: Arc::clone(&port), reply };
        (Self { stream, port, ok: SubscribeOk::default() }, Ask { call: Call { stream, what }, answer })
    }

    /// One that the publisher began.
    pub(crate) fn taken(stream: Stream, port: Arc<Port<Reading>>, ok: SubscribeOk) -> Self {
        Self { stream, port, ok }
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    pub(crate) fn granted(&mut self, ok: SubscribeOk) {
        self.ok = ok;
    }

    /// What the publisher said when it granted or offered it.
    pub fn ok(&self) -> &SubscribeOk {
        &self.ok
    }
    /// The next thing; `None` after `Done`, or when the session ended. Bounded: a reader that is too
    /// slow holds back the peer by flow control.
    pub async fn recv(&mut self) -> Option<Received> {
        poll_fn(|cx| {
            let popped = self.port.lock().inbox.pop(cx.waker());
            ready(&self.port, popped)
        })
        .await
    }
    /// Datagrams that were let go because this reader was behind.
    pub fn dropped_datagrams(&self) -> u64 {
        self.port.lock().inbox.dropped()
    }
    /// Asks for a group larger than `after`: a keyframe on demand. `u64::MAX` where none is known.
    pub fn request_new_group(&self, after: GroupId) {
        self.update(|parameters| parameters.new_group = Some(new_group_to_wire(after)));
    }
    /// Pauses or resumes the flow of objects.
    pub fn set_forward(&self, forward: bool) {
        self.update(|parameters| parameters.forward = Some(forward));
    }
    /// Changes the urgency.
    pub fn set_priority(&self, priority: Priority) {
        self.update(|parameters| parameters.priority = Some(priority));
    }
    /// Abandons a group's streams (STOP_SENDING), as for a group that is too late.
    pub fn stop(&self, group: GroupId) {
        self.port.lock().stop(group);
        self.port.ring();
    }

    fn update(&self, change: impl FnOnce(&mut Parameters)) {
        change(self.port.lock().update.get_or_insert_default());
        self.port.ring();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.port.lock().inbox.leave();
        self.port.ring();
    }
}

/// A granted fetch. Dropping it cancels it.
#[derive(Debug)]
pub struct Fetch {
    pub(super) port: Arc<Port<Inbox<Result<FetchItem, Refused>>>>,
}

impl Fetch {
    pub(crate) fn ask(bell: &Arc<Bell>, stream: Stream, range: Range, priority: Priority) -> (Self, Ask<()>) {
        let port = Port::new(bell, stream, Inbox::default());
        let (reply, answer) = oneshot::channel();
        let what = What::Fetch { range, priority, port: Arc::clone(&port), reply };
        (Self { port }, Ask { call: Call { stream, what }, answer })
    }

    /// The next item; `Ok(None)` at the end.
    ///
    /// # Errors
    /// [`Refused`] where the publisher reset it or the session ended.
    pub async fn next(&mut self) -> Result<Option<FetchItem>, Refused> {
        poll_fn(|cx| {
            let popped = self.port.lock().pop(cx.waker());
            ready(&self.port, popped)
        })
        .await
        .transpose()
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.port.lock().leave();
        self.port.ring();
    }
}

/// A namespace that one side announced and the other took. Dropping it withdraws or cancels it.
#[derive(Debug)]
pub struct PublishedNamespace {
    namespace: Namespace,
    pub(super) port: Arc<Port<Life>>,
}

impl PublishedNamespace {
    pub(crate) fn new(namespace: Namespace, port: Arc<Port<Life>>) -> Self {
        Self { namespace, port }
    }

    pub(crate) fn ask(bell: &Arc<Bell>, stream: Stream, namespace: Namespace) -> (Self, Ask<()>) {
        let port = Port::new(bell, stream, Life::default());
        let (reply, answer) = oneshot::channel();
        let what = What::Announce { namespace: namespace.clone(), port: Arc::clone(&port), reply };
        (Self { namespace, port }, Ask { call: Call { stream, what }, answer })
    }

    /// Which.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }
    /// Waits until the other side ends it or the session does.
    pub async fn ended(&mut self) {
        poll_fn(|cx| match self.port.lock().is_ended(cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

impl Drop for PublishedNamespace {
    fn drop(&mut self) {
        self.port.lock().leave();
        self.port.ring();
    }
}

/// A granted SUBSCRIBE_NAMESPACE. Dropping it cancels it.
#[derive(Debug)]
pub struct NamespaceSubscription {
    pub(super) port: Arc<Port<Inbox<NamespaceEvent>>>,
}

impl NamespaceSubscription {
    pub(crate) fn ask(bell: &Arc<Bell>, stream: Stream, prefix: Namespace) -> (Self, Ask<()>) {
        let port = Port::new(bell, stream, Inbox::default());
        let (reply, answer) = oneshot::channel();
        let what = What::Learn { prefix, port: Arc::clone(&port), reply };
        (Self { port }, Ask { call: Call { stream, what }, answer })
    }

    /// The next change; `None` once it is over, all that was published having been withdrawn.
    pub async fn next(&mut self) -> Option<NamespaceEvent> {
        poll_fn(|cx: &mut Context<'_>| {
            let popped = self.port.lock().pop(cx.waker());
            ready(&self.port, popped)
        })
        .await
    }
}

impl Drop for NamespaceSubscription {
    fn drop(&mut self) {
        self.port.lock().leave();
        self.port.ring();
    }
}

fn ready<T, P>(port: &Port<P>, popped: Popped<T>) -> Poll<Option<T>> {
    match popped {
        Popped::Item { item, resume } => {
            if resume {
                port.ring();
            }
            Poll::Ready(Some(item))
        }
        Popped::Empty => Poll::Pending,
        Popped::Ended => Poll::Ready(None),
    }
}

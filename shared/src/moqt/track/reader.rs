//! Handles to what this side receives, and to what it announced.

use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use tokio::sync::oneshot;

use super::{
    Changes, FetchItem, FetchOptions, Life, NamespaceEvent, Reading, Received, Refused, SubscribeOk,
    SubscribeOptions, Updated,
};
use crate::moqt::{
    AuthToken, GroupId, Namespace, Priority, RequestCode, TrackName,
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
    began: Option<Instant>,
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
        (
            Self { stream, port, ok: SubscribeOk::default(), began: None },
            Ask { call: Call { stream, what }, answer },
        )
    }

    /// One that the publisher began.
    pub(crate) fn taken(stream: Stream, port: Arc<Port<Reading>>, ok: SubscribeOk) -> Self {
        Self { stream, port, ok, began: None }
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
        let (received, began) = poll_fn(|cx| {
            let popped = self.port.lock().inbox.pop(cx.waker());
            ready(&self.port, popped)
        })
        .await?;
        self.began = Some(began);
        Some(received)
    }
    /// When the first byte of the payload came of the object that [`recv`](Self::recv) gave last: from
    /// then on OBJECT_DELIVERY_TIMEOUT counts for whoever passes it on (draft-18 §8).
    pub fn began(&self) -> Option<Instant> {
        self.began
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

    /// Changes several things at once; it is sent also where the answer is not waited for. With no change
    /// at all it asks to renew a subscription that expires (draft-18 §10.9, §10.2.10).
    ///
    /// # Errors
    /// [`Refused`] by the publisher, which ends the subscription with UPDATE_FAILED then, or by the end
    /// of the subscription.
    pub fn change(&self, changes: Changes) -> impl Future<Output = Result<Updated, Refused>> + Send + use<> {
        let Changes { priority, filter, forward, object_timeout, subgroup_timeout, new_group, tokens } =
            changes;
        let new_group = new_group.map(new_group_to_wire);
        let asked = asked(&self.port, tokens, |parameters| {
            parameters.priority = priority.or(parameters.priority);
            parameters.filter = filter.or(parameters.filter);
            parameters.forward = forward.or(parameters.forward);
            parameters.object_timeout = object_timeout.or(parameters.object_timeout);
            parameters.subgroup_timeout = subgroup_timeout.or(parameters.subgroup_timeout);
            parameters.new_group = new_group.or(parameters.new_group);
        });
        answer(asked)
    }

    fn update(&self, change: impl FnOnce(&mut Parameters)) {
        self.port.aside.change(Vec::new(), None, change);
        self.port.ring();
    }
}

/// Where the answer to a change comes.
type Answer = oneshot::Receiver<Result<Updated, Refused>>;

/// Asks for a change.
pub(super) fn asked<T>(
    port: &Port<T>,
    tokens: Vec<AuthToken>,
    change: impl FnOnce(&mut Parameters),
) -> Answer {
    let (reply, answer) = oneshot::channel();
    port.aside.change(tokens, Some(reply), change);
    port.ring();
    answer
}

/// The answer to a change.
pub(super) async fn answer(answer: Answer) -> Result<Updated, Refused> {
    answer.await.unwrap_or_else(|_| {
        let (code, reason) = (RequestCode::InternalError, "the request is over".to_owned());
        Err(Refused::Error { code, reason, retry_after: None })
    })
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
    pub(crate) fn ask(
        bell: &Arc<Bell>,
        stream: Stream,
        range: Range,
        options: FetchOptions,
    ) -> (Self, Ask<()>) {
        let port = Port::new(bell, stream, Inbox::default());
        let (reply, answer) = oneshot::channel();
        let what = What::Fetch { range, options, port: Arc::clone(&port), reply };
        (Self { port }, Ask { call: Call { stream, what }, answer })
    }

    /// Changes the urgency, and the tokens where there are any. It is sent also where the answer is not
    /// waited for (draft-18 §10.9).
    ///
    /// # Errors
    /// [`Refused`] by the publisher, which resets the fetch then, or by its end.
    pub fn change(
        &self,
        priority: Priority,
        tokens: Vec<AuthToken>,
    ) -> impl Future<Output = Result<Updated, Refused>> + Send + use<> {
        answer(asked(&self.port, tokens, |parameters| parameters.priority = Some(priority)))
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
    /// Gives the other side new tokens, where this side announced it. They are sent also where the answer
    /// is not waited for (draft-18 §10.9).
    ///
    /// # Errors
    /// [`Refused`] by the other side, which ends the announcement then, by its end, and where it is the
    /// other side that announced it.
    pub fn renew(
        &self,
        tokens: Vec<AuthToken>,
    ) -> impl Future<Output = Result<Updated, Refused>> + Send + use<> {
        answer(asked(&self.port, tokens, |_| {}))
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

    /// Asks to be told of namespaces below another prefix. What was published outside of it is withdrawn,
    /// once the answer comes; it is asked for also where that is not waited for (draft-18 §10.9.2).
    ///
    /// # Errors
    /// [`Refused`] by the peer, which ends the subscription then, or by its end.
    pub fn set_prefix(
        &self,
        prefix: Namespace,
    ) -> impl Future<Output = Result<Updated, Refused>> + Send + use<> {
        answer(asked(&self.port, Vec::new(), |parameters| parameters.prefix = Some(prefix)))
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

pub(super) fn ready<T, P>(port: &Port<P>, popped: Popped<T>) -> Poll<Option<T>> {
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

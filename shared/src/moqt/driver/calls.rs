//! What the application asks of a peer, on its way to the session's task.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{bell::Port, handles::Handle, task::Task};
use crate::moqt::{
    AuthToken, FetchItem, FetchOptions, GroupId, Namespace, NamespaceEvent, PublishOffer, Refused,
    SubscribeOk, SubscribeOptions, TrackName, TrackStatusOk, TracksOptions,
    session::{Stream, inbox::Inbox, outbox::Outbox, record::FetchRecord},
    track::{Life, Reading},
    wire::WireFetchRange,
};

/// A call and where its answer comes.
pub(crate) struct Ask<T> {
    /// What goes to the task.
    pub(crate) call: Call,
    /// What comes back.
    pub(crate) answer: oneshot::Receiver<Result<T, Refused>>,
}

/// Where a call's answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Refused>>;

/// A call on its way to the task, with the tokens it carries. Boxed, since a channel keeps room for dozens of
/// what it carries, in every session.
pub(crate) type Sent = Box<(Call, Arc<[AuthToken]>)>;

/// A request to make of the peer. Its handle exists already: dropped before the answer, it cancels.
#[derive(Debug)]
pub(crate) struct Call {
    /// The request stream's number.
    pub(crate) stream: Stream,
    /// Which request.
    pub(crate) what: What,
}

/// Which request.
#[derive(Debug)]
pub(crate) enum What {
    /// SUBSCRIBE.
    Subscribe {
        /// The track.
        track: TrackName,
        /// Its options.
        options: SubscribeOptions,
        /// The handle.
        port: Arc<Port<Reading>>,
        /// The answer.
        reply: Reply<SubscribeOk>,
    },
    /// FETCH.
    Fetch {
        /// Its range.
        range: Range,
        /// Its urgency, and how long it may take.
        options: FetchOptions,
        /// The handle.
        port: Arc<Port<Inbox<Result<FetchItem, Refused>>>>,
        /// The answer.
        reply: Reply<()>,
    },
    /// PUBLISH_NAMESPACE.
    Announce {
        /// What.
        namespace: Namespace,
        /// The handle.
        port: Arc<Port<Life>>,
        /// The answer.
        reply: Reply<()>,
    },
    /// SUBSCRIBE_NAMESPACE.
    Learn {
        /// Below what.
        prefix: Namespace,
        /// The handle.
        port: Arc<Port<Inbox<NamespaceEvent>>>,
        /// The answer.
        reply: Reply<()>,
    },
    /// SUBSCRIBE_TRACKS.
    Collect {
        /// Below what.
        prefix: Namespace,
        /// Its options.
        options: TracksOptions,
        /// The handle.
        port: Arc<Port<Inbox<TrackName>>>,
        /// The answer.
        reply: Reply<()>,
    },
    /// PUBLISH.
    Publish {
        /// The track.
        track: TrackName,
        /// What is said of it.
        offer: PublishOffer,
        /// The handle.
        port: Arc<Port<Outbox>>,
        /// Whether it was asked for at all; the peer's answer comes to the handle.
        reply: Reply<()>,
    },
    /// TRACK_STATUS.
    Inquire {
        /// The track.
        track: TrackName,
        /// The handle.
        port: Arc<Port<Life>>,
        /// The answer.
        reply: Reply<TrackStatusOk>,
    },
}

/// What a FETCH asks for, the subscription to join being named by its stream.
#[derive(Debug)]
pub(crate) enum Range {
    /// As it stands.
    Plain(WireFetchRange),
    /// Groups before the subscription's largest.
    Relative {
        /// The subscription.
        joining: Stream,
        /// How many.
        groups: u64,
    },
    /// From a group to where the subscription begins.
    Absolute {
        /// The subscription.
        joining: Stream,
        /// First group.
        group: GroupId,
    },
}

impl Task {
    /// Makes a request of the peer.
    pub(super) fn call(&mut self, Call { stream, what }: Call) {
        let (asked, handle) = match what {
            What::Subscribe { track, options, port, reply } => {
                port.lock().inbox.limit(self.limits.reader_bytes, self.limits.reader_items);
                let asked = self.core.subscribe(stream, track, &options);
                (asked, Handle::subscription(port, reply))
            }
            What::Fetch { range, options, port, reply } => {
                let known = match &range {
                    Range::Plain(WireFetchRange::Standalone { start, end, .. }) => Some((*start, *end)),
                    Range::Plain(WireFetchRange::Relative { .. } | WireFetchRange::Absolute { .. })
                    | Range::Relative { .. }
                    | Range::Absolute { .. } => None,
                };
                let range = match range {
                    Range::Plain(range) => Some(range),
                    Range::Relative { joining, groups } => self
                        .core
                        .request_id(joining)
                        .map(|joining| WireFetchRange::Relative { joining, groups }),
                    Range::Absolute { joining, group } => self
                        .core
                        .request_id(joining)
                        .map(|joining| WireFetchRange::Absolute { joining, group }),
                };
                let asked = match range {
                    Some(range) => self.core.fetch(stream, range, options),
                    None => Err(Refused::Error {
                        code: crate::moqt::RequestCode::InvalidJoiningRequestId,
                        reason: "the subscription to join is over".to_owned(),
                        retry_after: None,
                    }),
                };
                port.lock().limit(self.limits.reader_bytes, self.limits.reader_items);
                let record = Box::new(FetchRecord::new(options.order, known));
                (asked, Handle::Fetch { port, reply: Some(reply), held: None, record })
            }
            What::Announce { namespace, port, reply } => {
                (self.core.announce(stream, namespace), Handle::Announce { port, reply: Some(reply) })
            }
            What::Learn { prefix, port, reply } => {
                (self.core.learn(stream, prefix), Handle::Learn { port, reply: Some(reply) })
            }
            What::Collect { prefix, options, port, reply } => {
                let asked = self.core.collect(stream, prefix, options);
                (asked, Handle::Collect { port, reply: Some(reply) })
            }
            What::Publish { track, offer, port, reply } => {
                let asked = self.core.publish(stream, track, &offer);
                let asked =
                    asked.map(|alias| port.lock().offer_opens(alias, self.budget.clone(), self.limits));
                // Whoever asked may be gone: then the handle is, too.
                let _ = reply.send(asked.clone());
                (asked, Handle::Publish(port))
            }
            What::Inquire { track, port, reply } => {
                (self.core.track_status(stream, track), Handle::Inquire { port, reply: Some(reply) })
            }
        };
        match asked {
            Err(refused) => handle.refuse(refused),
            Ok(()) => {
                self.handles.insert(stream, handle);
                // The caller may have gone away meanwhile.
                self.look_at_handle(stream);
            }
        }
    }
}

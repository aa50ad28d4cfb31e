//! One connection on air: what is served over it, and what comes from the relay.

use std::{sync::Arc, time::Duration};

use shared::{
    moqt::{
        Closed, GoingAway, GroupId, PublishedNamespace, Request, Requests, Session, SessionCode, TrackWriter,
    },
    naming::Room,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::{Link, Publication, audience, subscriber::Subscribers};
use crate::{stage::TrackIndex, stats::Stats};

/// A connection with the room's namespace on it, and its subscribers. Dropping it leaves at once.
pub(super) struct Air {
    pub(super) session: Session,
    requests: Requests,
    namespace: PublishedNamespace,
    subscribers: Subscribers,
    /// Answers to fetches, and who follows the audience.
    pub(super) tasks: JoinSet<()>,
    is_asked_to_leave: bool,
}

/// What happens on a connection.
pub(super) enum Happened {
    /// The relay asks for something.
    Asked(Request),
    /// A subscriber needs a group after this one.
    NewGroup(TrackIndex, GroupId),
    /// The relay asks to leave, once.
    GoingAway(GoingAway),
    /// It is over, and why.
    Gone(String),
}

/// Where the namespace ends first, the session's end may follow and tell more.
const AFTERWORD: Duration = Duration::from_millis(100);

impl Air {
    pub(super) fn new(link: Link, room: &Room, stats: &Arc<Stats>) -> Self {
        let Link { session, requests, namespace } = link;
        let mut tasks = JoinSet::new();
        tasks.spawn(audience::follow(session.clone(), room.clone(), Arc::clone(stats)));
        let subscribers = Subscribers::new(Arc::clone(stats));
        Self { session, requests, namespace, subscribers, tasks, is_asked_to_leave: false }
    }

    /// The next thing that happens. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Happened {
        tokio::select! {
            Some(request) = self.requests.next() => Happened::Asked(request),
            Some((track, known)) = self.subscribers.new_group() => Happened::NewGroup(track, known),
            Some(going) = self.session.going_away(), if !self.is_asked_to_leave => {
                self.is_asked_to_leave = true;
                Happened::GoingAway(going)
            }
            closed = self.session.closed() => Happened::Gone(words(&closed)),
            () = self.namespace.ended() => {
                let closed = timeout(AFTERWORD, self.session.closed()).await;
                let reason = closed.map_or_else(
                    |_| "the relay cancelled the room's namespace".to_owned(),
                    |closed| words(&closed),
                );
                self.session.close(SessionCode::NoError, "the namespace was cancelled");
                Happened::Gone(reason)
            }
        }
    }

    /// Serves a subscriber that has all until now.
    pub(super) fn serve(&mut self, track: TrackIndex, writer: TrackWriter) {
        self.subscribers.add(track, writer);
    }

    /// Hands items to all who subscribed to their track.
    pub(super) fn publish(&mut self, publication: Publication) {
        self.subscribers.publish(publication);
    }

    /// Whether nobody has a subscription here.
    pub(super) fn is_idle(&self) -> bool {
        self.subscribers.are_gone()
    }

    /// Leaves, since others took over.
    pub(super) fn leave(self) {
        self.session.close(SessionCode::NoError, "this publisher went to where it was sent");
    }

    /// Ends all tracks, waits until all of them has reached the relay, and leaves; all of it by `end`.
    pub(super) async fn finish(self, end: Instant) {
        let Self { session, subscribers, .. } = self;
        subscribers.finish(end).await;
        drained(&session, end).await;
        session.close(SessionCode::NoError, "the broadcast has ended");
        // The close has to leave before the process does.
        let _ = timeout_at(end, session.closed()).await;
    }
}

/// Waits until nothing has left the connection for two round trips: all was sent and acknowledged.
async fn drained(session: &Session, end: Instant) {
    let mut sent = session.stats().sent_bytes;
    loop {
        let quiet = (session.stats().rtt * 2).clamp(Duration::from_millis(30), Duration::from_millis(300));
        let next = Instant::now() + quiet;
        if next >= end {
            return;
        }
        sleep_until(next).await;
        let now = session.stats().sent_bytes;
        // An acknowledgement or a ping may still leave.
        if now.saturating_sub(sent) < 200 {
            return;
        }
        sent = now;
    }
}

fn words(closed: &Closed) -> String {
    match closed.code {
        SessionCode::NoError if closed.reason.is_empty() => "the connection ended".to_owned(),
        SessionCode::NoError => closed.reason.clone(),
        code => format!("{code}: {}", closed.reason),
    }
}

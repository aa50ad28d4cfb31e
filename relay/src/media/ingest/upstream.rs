//! Where a track comes from: a subscription asked for, or one that its publisher began.

use std::time::{Duration, Instant};

use shared::moqt::{
    Changes, Item, PublishRequest, Received, Refused, RequestCode, SubscribeOk, SubscribeOptions,
    Subscription, Updated, wire::TrackProperties,
};
use tokio::sync::mpsc;

use super::{
    super::{Command, Keep, Shelf, Unwatched, fill::Past},
    Ingest, now, until,
};
use crate::registry::TrackLease;

/// Requests that may wait for the publisher's answer. Past it further ones are refused.
const MAX_WAITING: usize = 1024;
/// A publisher that gives less time than this is asked as if it gave this.
const MIN_EXPIRY: Duration = Duration::from_secs(2);
/// How long a PUBLISH may take that crosses a SUBSCRIBE for the same track.
const CROSSING: Duration = Duration::from_secs(1);

/// The running upstream.
pub(super) enum Flow {
    Subscribed(Subscription),
    Local(mpsc::Receiver<Item>),
}

/// The publisher's answer to a wish for more time.
pub(super) type Renewal = std::pin::Pin<Box<dyn Future<Output = Result<Updated, Refused>> + Send>>;

impl Ingest {
    /// Subscribes, as urgent as the first viewer has it; requests wait. `None` where the track is told to end.
    pub(super) async fn subscribe(
        &mut self,
        session: &shared::moqt::Session,
        waiting: &mut Vec<Command>,
    ) -> Option<Result<Flow, Refused>> {
        if self.keep == Keep::WhileWatched {
            match self.commands.recv().await? {
                Command::Adopt(offered) => return Some(Ok(self.adopt(*offered))),
                Command::End(..) => return None,
                command => {
                    if let Command::Subscribe(request, _) = &command {
                        self.priority = request.options().priority;
                    }
                    waiting.push(command);
                }
            }
        }
        let options = SubscribeOptions { priority: self.priority, ..SubscribeOptions::default() };
        let answer = session.subscribe(self.name.clone(), options);
        tokio::pin!(answer);
        let mut is_open = true;
        let mut crossing = None;
        loop {
            let give_up_at = crossing.as_ref().map(|(at, _)| *at);
            tokio::select! {
                biased;
                answer = &mut answer, if crossing.is_none() => match answer {
                    // What the publisher began for it is on its way (draft-18 §5.1).
                    Err(refused) if is_duplicate(&refused) => crossing = Some((now() + CROSSING, refused)),
                    Err(refused) => return Some(Err(refused)),
                    Ok(subscription) => {
                        self.granted(subscription.ok().clone());
                        return Some(Ok(Flow::Subscribed(subscription)));
                    }
                },
                () = until(give_up_at) => return crossing.map(|(_, refused)| Err(refused)),
                command = self.commands.recv(), if is_open => match command {
                    Some(Command::End(_, reason)) => {
                        waiting.drain(..).for_each(|command| command.refuse(RequestCode::DoesNotExist, reason));
                        return None;
                    }
                    // Draft-18 §5.1: what the publisher began takes the place of what was asked for.
                    Some(Command::Adopt(offered)) => return Some(Ok(self.adopt(*offered))),
                    Some(command) if waiting.len() < MAX_WAITING => waiting.push(command),
                    Some(command) => command.refuse(RequestCode::ExcessiveLoad, "too many wait for this track: try again"),
                    None => is_open = false,
                }
            }
        }
    }

    fn granted(&mut self, ok: SubscribeOk) {
        let known = TrackProperties::decode(&ok.properties).unwrap_or_default();
        self.is_dynamic = known.dynamic_groups;
        self.cache.set_duration(known.max_cache);
        self.cache.heard_of(ok.largest);
        self.renew_at = renewal(ok.expires);
        self.ok = ok;
    }

    /// Takes the track from the subscription that its publisher began.
    pub(super) fn adopt(&mut self, (request, lease): (PublishRequest, TrackLease)) -> Flow {
        let broadcast = lease.broadcast();
        if broadcast != self.broadcast {
            self.tell();
            self.fanout.belongs_to(broadcast);
            self.broadcast = broadcast;
            (self.objects, self.bytes, self.told_objects) = (0, 0, 0);
        }
        if self.keep == Keep::WhileWatched {
            self.keep = Keep::WhileOffered;
        }
        // Its past is to be had where it is published now.
        self.fetches.set_past(Past::new(lease.session(), self.name.clone(), self.context.limits.fill));
        let is_awaited = lease.is_awaited();
        self.lease = Some(lease);
        self.granted(request.offer().ok.clone());
        self.is_forwarding = match (self.keep, self.context.limits.unwatched) {
            (Keep::Always, _) | (_, Unwatched::Taken) => true,
            (Keep::WhileWatched | Keep::WhileOffered, Unwatched::Paused) => {
                is_awaited || self.fanout.wants_objects()
            }
        };
        let (priority, forward) = (self.priority, self.is_forwarding);
        Flow::Subscribed(request.accept(SubscribeOptions {
            priority,
            forward,
            ..SubscribeOptions::default()
        }))
    }

    /// The publisher's answer is everybody's.
    pub(super) fn refuse(&mut self, refused: &Refused, waiting: Vec<Command>, shelf: &impl Shelf) {
        tracing::debug!(track = %self.name, %refused, "the publisher does not give the track");
        let mut refuse = |command: Command| {
            self.context.metrics.requests_refused.add(1);
            command.refuse_as(refused);
        };
        waiting.into_iter().for_each(&mut refuse);
        loop {
            while let Ok(command) = self.commands.try_recv() {
                refuse(command);
            }
            if shelf.leave(&self.commands) {
                return;
            }
        }
    }
}

impl Flow {
    /// Asks for more time.
    pub(super) fn renew(&self) -> Renewal {
        match self {
            Self::Subscribed(subscription) => Box::pin(subscription.change(Changes::default())),
            Self::Local(_) => Box::pin(std::future::pending()),
        }
    }

    /// The next thing. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Option<Received> {
        match self {
            Self::Subscribed(subscription) => subscription.recv().await,
            Self::Local(items) => items.recv().await.map(Received::Item),
        }
    }

    /// When the last thing began to come.
    pub(super) fn began(&self) -> Instant {
        match self {
            Self::Subscribed(subscription) => subscription.began().unwrap_or_else(now),
            Self::Local(_) => now(),
        }
    }
}

/// When to ask for more of `time`: well before it is over.
pub(super) fn renewal(time: Option<Duration>) -> Option<Instant> {
    now().checked_add(time?.max(MIN_EXPIRY) / 2)
}

fn is_duplicate(refused: &Refused) -> bool {
    matches!(refused, Refused::Error { code: RequestCode::DuplicateSubscription, .. })
}

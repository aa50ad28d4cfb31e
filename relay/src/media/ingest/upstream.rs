//! Where a track comes from: a subscription asked for, or one that its publisher began.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use shared::moqt::{
    Changes, DoneCode, Item, PublishRequest, Received, Refused, RequestCode, SubscribeOk, SubscribeOptions,
    Subscription, TrackName, Updated, wire::TrackProperties,
};
use tokio::sync::mpsc;

use super::{
    super::{Command, Heir, Keep, Shelf, Unwatched, past::Past},
    Ingest, Seam,
};
use crate::{
    clock::{now, until},
    registry::TrackLease,
};

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
    /// Its publisher ended it so; another is asked to go on.
    Gone {
        code: DoneCode,
        reason: String,
    },
    /// Nothing comes any more.
    Over,
}

/// The publisher's answer to a wish for more time.
pub(super) type Renewal = std::pin::Pin<Box<dyn Future<Output = Result<Updated, Refused>> + Send>>;

impl Ingest {
    /// Subscribes, as urgent as the first viewer has it; requests wait. `None` where the track is told to end.
    pub(super) async fn subscribe(
        &mut self,
        shelf: &impl Shelf,
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
        let ask = |heir: &Heir, name: &TrackName| {
            let (session, name) = (heir.session.clone(), name.clone());
            Box::pin(async move { session.subscribe(name, options).await })
        };
        let mut answer = ask(&self.publisher, &self.name);
        let mut is_open = true;
        let mut crossing = None;
        loop {
            let give_up_at = crossing.as_ref().map(|(at, _)| *at);
            tokio::select! {
                biased;
                answered = &mut answer, if crossing.is_none() => match answered {
                    // What the publisher began for it is on its way (draft-18 §5.1).
                    Err(refused) if is_duplicate(&refused) => crossing = Some((now() + CROSSING, refused)),
                    Err(refused) => {
                        let heir = shelf.heir(self.publisher.owner).filter(|heir| {
                            matches!(refused, Refused::Session(_)) && heir.owner != self.publisher.owner
                        });
                        let Some(heir) = heir else { return Some(Err(refused)) };
                        self.belongs_to(&heir);
                        self.publisher = heir;
                        answer = ask(&self.publisher, &self.name);
                    }
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
                    Some(Command::Follow(heir)) if heir.owner != self.publisher.owner => {
                        self.belongs_to(&heir);
                        self.publisher = heir;
                        crossing = None;
                        answer = ask(&self.publisher, &self.name);
                    }
                    Some(Command::Follow(_)) => {}
                    Some(command) if waiting.len() < MAX_WAITING => waiting.push(command),
                    Some(command) => command.refuse(RequestCode::ExcessiveLoad, "too many wait for this track: try again"),
                    None => is_open = false,
                }
            }
        }
    }

    pub(super) fn granted(&mut self, ok: SubscribeOk) {
        let known = TrackProperties::decode(&ok.properties).unwrap_or_default();
        self.is_dynamic = known.dynamic_groups;
        self.cache.set_duration(known.max_cache);
        self.cache.heard_of(ok.largest);
        self.renew_at = renewal(ok.expires);
        self.ok = ok;
    }

    /// What comes from now on is this publisher's.
    pub(super) fn belongs_to(&mut self, heir: &Heir) {
        if heir.broadcast != self.publisher.broadcast {
            self.tell();
            self.fanout.belongs_to(heir.broadcast);
            (self.objects, self.bytes, self.told_objects) = (0, 0, 0);
        }
    }

    /// Takes the track from the subscription that its publisher began.
    pub(super) fn adopt(&mut self, (request, lease): (PublishRequest, TrackLease)) -> Flow {
        let heir = lease.publisher();
        self.close_subgroups();
        self.belongs_to(&heir);
        self.following = None;
        self.seam = Seam::default();
        if self.keep == Keep::WhileWatched {
            self.keep = Keep::WhileOffered;
        }
        // Its past is to be had where it is published now.
        self.fetches.set_past(Past::new(heir.session.clone(), self.name.clone(), self.context.limits.fill));
        self.publisher = heir;
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
            Self::Local(_) | Self::Gone { .. } | Self::Over => Box::pin(std::future::pending()),
        }
    }

    /// The next thing. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Option<Received> {
        match self {
            Self::Subscribed(subscription) => subscription.recv().await,
            Self::Local(items) => items.recv().await.map(Received::Item),
            Self::Gone { .. } | Self::Over => std::future::pending().await,
        }
    }

    /// The next thing where it is there by now.
    pub(super) fn try_next(&mut self) -> Poll<Option<Received>> {
        pin!(self.next()).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// When the last thing began to come.
    pub(super) fn began(&self) -> Instant {
        match self {
            Self::Subscribed(subscription) => subscription.began().unwrap_or_else(now),
            Self::Local(_) | Self::Gone { .. } | Self::Over => now(),
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

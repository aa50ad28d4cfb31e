//! A track that is made here, with the same cache and the same fan-out as media. Whoever makes it owns it, and
//! calls it: it has no task of its own.

use std::{sync::Arc, time::Duration};

use shared::{
    event::BroadcastId,
    moqt::{DoneCode, Filter, Item, RequestCode, SubscribeOk, TrackName, TrackWriter},
};

use super::{Command, Context, cache::Cache, fanout::Fanout, fetches::Fetches};
use crate::{
    clock::now,
    metrics::{Meter, Metrics},
    registry::Seat,
    tasks::Tasks,
};

/// What of a track is kept for late joiners and fetches; the newest group always is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// Groups, the newest one included.
    pub(crate) groups: usize,
    /// For how long the others are.
    pub(crate) age: Duration,
    /// Bytes.
    pub(crate) bytes: usize,
}

/// The track. Dropping it ends it for its viewers.
#[derive(Debug)]
pub(crate) struct Local {
    cache: Cache,
    held: Held,
    fanout: Fanout,
    fetches: Fetches,
    ok: SubscribeOk,
    stuck: Option<Duration>,
    meter: Meter,
    metrics: Arc<Metrics>,
}

impl Local {
    /// One without objects.
    pub(crate) fn new(track: &TrackName, held: Held, context: &Context, tasks: Tasks) -> Self {
        let meter = Meter::new(&context.metrics, track);
        let label = track.name.escape_ascii().to_string();
        Self {
            cache: Cache::from_the_start(held.bytes, held.age),
            held,
            // It is part of no broadcast.
            fanout: Fanout::new(BroadcastId(0), label, Arc::clone(meter.counters()), context),
            fetches: Fetches::new(Arc::clone(&context.metrics), tasks),
            ok: SubscribeOk::default(),
            stuck: context.limits.stuck,
            meter,
            metrics: Arc::clone(&context.metrics),
        }
    }

    /// Hands an item to all viewers, and keeps it for those to come.
    pub(crate) fn push(&mut self, item: &Item) {
        let now = now();
        self.cache.push(now, item);
        self.cache.keep_groups(self.held.groups);
        self.fanout.push(now, item);
        self.gauge();
    }

    /// Does what a viewer asks for.
    pub(crate) fn command(&mut self, command: Command) {
        match command {
            Command::Subscribe(request, seat) => {
                let ok = self.ok();
                self.take(request.accept(ok), seat);
            }
            Command::Join(writer, seat) => self.take(writer, seat),
            Command::Fetch(request, permit) => {
                self.cache.expire(now());
                self.fetches.answer(request, permit, &self.cache, &self.ok.properties);
            }
            Command::Status(request) => request.answer(self.ok()),
            Command::Describe(reply) => {
                // Who asked may be gone.
                let _ = reply.send(self.ok());
            }
            Command::End(code, reason) => self.fanout.done(code, reason),
            // Nobody else publishes it.
            Command::Follow(_) => {}
            command @ Command::Adopt(_) => {
                command.refuse(RequestCode::Unauthorized, "the relay itself publishes this track");
            }
        }
    }

    /// Whether somebody watches.
    pub(crate) fn is_watched(&self) -> bool {
        !self.fanout.is_empty()
    }

    /// Counts what was sent, and lets go of viewers that left and of what is too old. To be called about once a
    /// second.
    pub(crate) fn tick(&mut self) {
        // Groups begin when there is something to say: nobody can ask for one.
        let _ = self.fanout.listen();
        self.fanout.count();
        if let Some(longest) = self.stuck {
            self.fanout.end_stuck(now(), longest);
        }
        self.cache.expire(now());
        self.gauge();
    }

    fn take(&mut self, writer: TrackWriter, seat: Seat) {
        let from = match writer.options().filter {
            Filter::AbsoluteStart(start) | Filter::AbsoluteRange(start, _) => Some(start.group),
            Filter::Unfiltered | Filter::LargestObject | Filter::NextGroupStart => None,
        };
        self.cache.expire(now());
        self.fanout.join(writer, seat, self.cache.replay(from));
    }

    fn ok(&self) -> SubscribeOk {
        SubscribeOk { largest: self.cache.largest(), ..self.ok.clone() }
    }

    fn gauge(&mut self) {
        self.meter.hold(self.cache.bytes());
        self.metrics.objects_evicted.add(self.cache.take_evicted());
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.fanout.done(DoneCode::SubscriptionEnded, "the room is closed");
    }
}

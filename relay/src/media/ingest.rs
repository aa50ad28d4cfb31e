//! A track's task: takes items from its publisher and commands of its viewers, and owns all between.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use shared::{
    event::Fact,
    moqt::{
        DoneCode, FetchRequest, GroupId, Item, Priority, Received, RequestCode, ResetCode, SubgroupId,
        SubscribeOk, SubscribeRequest, TrackName, TrackStatusRequest, TrackWriter,
    },
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{
    COMMANDS, Command, Context, Heir, Keep, Shelf, Track, Unwatched, Upstream, cache::Cache, fanout::Fanout,
    fetches::Fetches, new_group::NewGroups, past::Past,
};
use crate::{
    clock::{now, until},
    metrics::Meter,
    registry::{Seat, TrackLease},
    tasks::Tasks,
};

mod intake;
mod takeover;
mod upstream;

use takeover::{Following, Held, Seam};
use upstream::{Flow, Renewal, renewal};

/// Commands and words of viewers that are heard before the publisher's next item: nobody can hold up the
/// flow by asking much.
const TURN: u32 = 16;
/// How often totals are told and old groups let go.
const TICK: Duration = Duration::from_secs(1);
/// Urgency of a track that nobody asked for yet: that of a catalog.
const UNASKED: Priority = Priority(16);
/// A track that is kept whoever watches, such as a catalog, may keep so many bytes though all caches together
/// hold too many: nobody could start without it.
const SPARED: usize = 64 << 10;

/// A track's state.
#[derive(Debug)]
pub(crate) struct Ingest {
    name: TrackName,
    /// The track's name for people.
    label: String,
    /// Where it is taken from.
    publisher: Heir,
    keep: Keep,
    context: Context,
    commands: mpsc::Receiver<Command>,
    ok: SubscribeOk,
    is_dynamic: bool,
    /// Whether it is made here, and no part of the broadcast.
    is_local: bool,
    cache: Cache,
    fanout: Fanout,
    meter: Meter,
    fetches: Fetches,
    new_groups: NewGroups,
    priority: Priority,
    is_forwarding: bool,
    has_looked: bool,
    lonely_since: Instant,
    /// When to ask for more time upstream.
    renew_at: Option<Instant>,
    /// Where the publisher began the subscription.
    lease: Option<TrackLease>,
    /// The publisher that is to go on.
    following: Option<Following>,
    seam: Seam,
    objects: u64,
    bytes: u64,
    told_objects: u64,
    /// Subgroups whose end did not come, up to a bound; the cache forgets what is old.
    open: BTreeSet<(GroupId, SubgroupId)>,
    /// Kept for the next items that come together.
    together: Vec<(Instant, Item)>,
}

/// What happens to the track's task next.
enum Next {
    Go,
    End,
}

impl Ingest {
    /// A track and its task's state.
    pub(crate) fn new(
        name: TrackName,
        publisher: Heir,
        keep: Keep,
        context: Context,
        tasks: Tasks,
    ) -> (Track, Self) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let label = name.name.escape_ascii().to_string();
        let meter = Meter::new(&context.metrics, &name);
        let fanout = Fanout::new(publisher.broadcast, label.clone(), Arc::clone(meter.counters()), &context);
        let ingest = Self {
            name,
            label,
            publisher,
            keep,
            commands,
            ok: SubscribeOk::default(),
            is_dynamic: false,
            is_local: false,
            cache: Cache::new(context.limits.cache_bytes, context.limits.cache_age),
            fanout,
            meter,
            fetches: Fetches::new(context.metrics.clone(), tasks),
            new_groups: NewGroups::default(),
            priority: UNASKED,
            is_forwarding: true,
            has_looked: false,
            lonely_since: now(),
            renew_at: None,
            lease: None,
            following: None,
            seam: Seam::default(),
            objects: 0,
            bytes: 0,
            told_objects: 0,
            open: BTreeSet::new(),
            together: Vec::new(),
            context,
        };
        (Track(sender), ingest)
    }

    /// Runs until the publisher ends the track, nobody wants it any more, or it is told to end.
    pub(crate) async fn run(mut self, upstream: Upstream, shelf: impl Shelf) {
        let flow = match upstream {
            Upstream::Local(items) => {
                self.is_local = true;
                Some(Flow::Local(items))
            }
            Upstream::Offered(offered) => Some(self.adopt(*offered)),
            Upstream::Publisher => {
                let mut waiting = Vec::new();
                let answer = self.subscribe(&shelf, &mut waiting).await;
                let session = self.publisher.session.clone();
                self.fetches.set_past(Past::new(session, self.name.clone(), self.context.limits.fill));
                match answer {
                    Some(Ok(flow)) => {
                        self.serve(waiting);
                        Some(flow)
                    }
                    Some(Err(refused)) => {
                        self.refuse(&refused, waiting, &shelf);
                        None
                    }
                    None => None,
                }
            }
        };
        if let Some(flow) = flow {
            self.forward(flow, &shelf).await;
        }
        self.tell();
    }

    fn serve(&mut self, waiting: Vec<Command>) {
        for command in waiting {
            // What would end the track is not kept waiting.
            self.command(command);
        }
    }

    async fn forward(&mut self, mut flow: Flow, shelf: &impl Shelf) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_open = true;
        let mut renewed: Renewal = Box::pin(std::future::pending());
        let mut turn = 0;
        loop {
            let new_group_at = match &flow {
                Flow::Subscribed(_) => self.new_groups.deadline(),
                // Nobody is there to be asked.
                Flow::Local(_) | Flow::Gone { .. } | Flow::Over => None,
            };
            let renew_at = self.renew_at;
            let answer_early_at = self.fetches.deadline();
            turn += 1;
            let next = tokio::select! {
                biased;
                _ = ticks.tick() => self.tick(is_open, shelf),
                () = until(answer_early_at) => {
                    self.answer_early();
                    Next::Go
                }
                () = self.fanout.rung(), if turn <= TURN => Next::Go,
                command = self.commands.recv(), if is_open && turn <= TURN => match command {
                    Some(Command::Adopt(offered)) => {
                        flow = self.adopt(*offered);
                        Next::Go
                    }
                    Some(command) => self.command(command),
                    None => {
                        is_open = false;
                        self.orphaned(&flow, shelf)
                    }
                },
                answer = Self::followed(&mut self.following) => match (self.taken_over(answer), flow) {
                    (Some(next), _) => {
                        flow = next;
                        Next::Go
                    }
                    (None, Flow::Gone { code, reason }) => {
                        flow = Flow::Over;
                        self.over(code, &reason, shelf)
                    }
                    (None, present) => {
                        flow = present;
                        Next::Go
                    }
                },
                received = flow.next() => {
                    turn = 0;
                    let ended = match received {
                        Some(Received::Item(item)) => self.take_in(item, &mut flow).await,
                        ended => Some(ended),
                    };
                    match ended {
                        None => Next::Go,
                        Some(ended) => {
                            let (code, reason) = match ended {
                                Some(Received::Done { code, reason }) => (code, reason),
                                _ => (DoneCode::InternalError, "publisher lost".to_owned()),
                            };
                            if code == DoneCode::TrackEnded {
                                shelf.ended_in_order();
                            }
                            if self.is_continued(code, shelf) {
                                flow = Flow::Gone { code, reason };
                                Next::Go
                            } else {
                                self.over(code, &reason, shelf)
                            }
                        }
                    }
                }
                () = until(new_group_at) => Next::Go,
                () = until(renew_at) => {
                    self.renew_at = None;
                    renewed = flow.renew();
                    Next::Go
                }
                answer = &mut renewed => {
                    renewed = Box::pin(std::future::pending());
                    // A refusal ends the subscription, which says so itself.
                    self.renew_at = answer.ok().and_then(|updated| renewal(updated.expires));
                    Next::Go
                }
                // Nothing of the publisher's waits: others may go on.
                () = std::future::ready(()), if turn > TURN => {
                    turn = 0;
                    Next::Go
                }
            };
            if let Next::End = next {
                return;
            }
            self.settle(&flow);
        }
    }

    /// Whether another publisher goes on with what this one ended so.
    fn is_continued(&mut self, code: DoneCode, shelf: &impl Shelf) -> bool {
        // Draft-18 §2.4.2: whoever has it is to be told.
        if code == DoneCode::MalformedTrack || self.is_stopping() {
            return false;
        }
        if self.following.is_none()
            && let Some(heir) = self.next_publisher(shelf)
        {
            self.follow(heir);
        }
        self.following.is_some()
    }

    /// The track is over for its viewers.
    fn over(&mut self, code: DoneCode, reason: &str, shelf: &impl Shelf) -> Next {
        tracing::debug!(track = %self.name, %code, reason, "the track ended");
        let refusal = if code == DoneCode::MalformedTrack {
            self.fetches.give_up(ResetCode::MalformedTrack, RequestCode::MalformedTrack, reason);
            RequestCode::MalformedTrack
        } else {
            self.answer_early();
            RequestCode::DoesNotExist
        };
        if code != DoneCode::MalformedTrack {
            // What got no end from its publisher is not whole, whatever the publisher says of the track. A
            // malformed one resets its streams with a code of their own.
            self.close_subgroups();
        }
        self.fanout.done(code, reason);
        loop {
            while let Ok(command) = self.commands.try_recv() {
                let refusal = match &command {
                    Command::Adopt(..) => RequestCode::ExcessiveLoad,
                    _ => refusal,
                };
                command.refuse(refusal, "the track ended");
            }
            if shelf.leave(&self.commands) {
                return Next::End;
            }
        }
    }

    fn command(&mut self, command: Command) -> Next {
        match command {
            Command::Subscribe(request, seat) => self.join(request, seat),
            Command::Fetch(request, permit) => self.fetch(request, permit),
            Command::Status(request) => self.status(request),
            Command::Describe(reply) => self.describe(reply),
            Command::Join(writer, seat) => self.take(writer, seat),
            Command::Follow(heir) => self.follow(heir),
            // Taken before.
            Command::Adopt(..) => {}
            Command::End(code, reason) => {
                self.fanout.done(code, reason);
                return Next::End;
            }
        }
        Next::Go
    }

    fn join(&mut self, request: SubscribeRequest, seat: Seat) {
        let ok = self.ok();
        self.take(request.accept(ok), seat);
    }

    /// Serves a viewer; its filter lets pass what was asked for.
    fn take(&mut self, writer: TrackWriter, seat: Seat) {
        use shared::moqt::Filter;
        let options = writer.options();
        if self.keep == Keep::WhileOffered && self.fanout.is_empty() {
            self.priority = options.priority;
        }
        if self.has_looked {
            let metrics = &self.context.metrics;
            let is_hit = self.cache.has_start();
            if is_hit { &metrics.cache_hits_join } else { &metrics.cache_misses_join }.add(1);
        }
        let from = match options.filter {
            Filter::AbsoluteStart(start) | Filter::AbsoluteRange(start, _) => Some(start.group),
            Filter::Unfiltered | Filter::LargestObject | Filter::NextGroupStart => None,
        };
        self.cache.expire(now());
        self.fanout.join(writer, seat, self.cache.replay(from));
        if let Some(after) = options.new_group {
            self.new_groups.ask(after);
        }
        if self.has_looked && !self.cache.has_start() {
            self.ask_for_new_group();
        }
    }

    /// What viewers are told of the track now. The subscription upstream is renewed here: they need not know
    /// that it expires.
    fn ok(&self) -> SubscribeOk {
        SubscribeOk { largest: self.cache.largest(), expires: None, ..self.ok.clone() }
    }

    fn describe(&self, reply: oneshot::Sender<SubscribeOk>) {
        // Who asked may be gone.
        let _ = reply.send(self.ok());
    }

    fn status(&self, request: TrackStatusRequest) {
        request.answer(self.ok());
    }

    fn ask_for_new_group(&mut self) {
        if let Some(largest) = self.cache.largest() {
            self.new_groups.ask(largest.group);
        }
    }

    /// Answers from the cache, once what the publisher told of is there.
    fn fetch(&mut self, request: FetchRequest, permit: OwnedSemaphorePermit) {
        self.cache.expire(now());
        match self.cache.is_behind() {
            true => self.fetches.wait(now(), request, permit),
            false => self.fetches.answer(request, permit, &self.cache, &self.ok.properties),
        }
    }

    fn answer_early(&mut self) {
        self.cache.expire(now());
        self.fetches.answer_waiting(&self.cache, &self.ok.properties);
    }

    /// The namespace was withdrawn: what is made here ends with it, what the publisher makes when it says so.
    fn orphaned(&mut self, flow: &Flow, shelf: &impl Shelf) -> Next {
        match flow {
            Flow::Subscribed(_) | Flow::Gone { .. } | Flow::Over => Next::Go,
            Flow::Local(_) => self.over(DoneCode::SubscriptionEnded, "the room went off air", shelf),
        }
    }

    fn tick(&mut self, is_open: bool, shelf: &impl Shelf) -> Next {
        let now = now();
        self.cache.expire(now);
        self.gauge_cache();
        self.spare();
        self.fanout.count();
        if let Some(longest) = self.context.limits.stuck {
            self.fanout.end_stuck(now, longest);
        }
        self.tell();
        let is_kept = match self.keep {
            Keep::Always => is_open && !self.is_stopping(),
            Keep::WhileWatched => false,
            Keep::WhileOffered => !self.is_stopping(),
        };
        if !is_kept && self.is_lonely() && shelf.leave(&self.commands) { Next::End } else { Next::Go }
    }

    /// Whether nobody was there for the linger time.
    fn is_lonely(&self) -> bool {
        let linger = if self.is_stopping() { Duration::ZERO } else { self.context.limits.linger };
        self.fanout.is_empty() && now().duration_since(self.lonely_since) >= linger
    }

    fn is_stopping(&self) -> bool {
        self.context.is_stopping.load(Ordering::Relaxed)
    }

    /// Whether the publisher is to send objects.
    fn wants_objects(&self) -> bool {
        let is_wanted = self.fanout.wants_objects();
        match self.keep {
            Keep::Always => true,
            // Without viewers the flow stays as it is: the next one starts the faster.
            Keep::WhileWatched => is_wanted || self.fanout.is_empty(),
            Keep::WhileOffered => match self.context.limits.unwatched {
                Unwatched::Taken => true,
                // The same for a while; then the publisher is spared.
                Unwatched::Paused => {
                    is_wanted || self.is_forwarding && self.fanout.is_empty() && !self.is_lonely()
                }
            },
        }
    }

    /// Brings the publisher to what viewers want now.
    fn settle(&mut self, flow: &Flow) {
        let said = self.fanout.listen();
        if !self.fanout.is_empty() {
            self.lonely_since = now();
        }
        if let Some(after) = said.new_group {
            self.new_groups.ask(after);
        }
        let Flow::Subscribed(subscription) = flow else { return };
        let wanted = self.wants_objects();
        if wanted != self.is_forwarding {
            self.is_forwarding = wanted;
            subscription.set_forward(wanted);
            if wanted && self.keep == Keep::WhileOffered {
                subscription.set_priority(self.priority);
                self.has_looked = false;
                self.ask_for_new_group();
            }
            if !wanted {
                self.cache.clear();
                self.gauge_cache();
            }
        }
        if said.has_resumed {
            self.ask_for_new_group();
        }
        let newest = self.cache.largest().map(|largest| largest.group);
        if let Some(after) = self.new_groups.poll(now(), newest).filter(|_| self.is_dynamic) {
            self.context.metrics.new_groups.add(1);
            subscription.request_new_group(after);
        }
    }

    /// Lets go of what can be missed where all caches together hold too much.
    fn spare(&mut self) {
        let is_spared = self.keep == Keep::Always && self.cache.bytes() <= SPARED;
        if is_spared || !self.context.pool.is_short() {
            return;
        }
        while self.context.pool.is_short() && self.cache.evict_beyond(1) {
            self.gauge_cache();
        }
        let is_unwanted = self.fanout.is_empty() && self.context.pool.is_short();
        if is_unwanted || self.context.pool.is_full() {
            self.cache.keep_groups(0);
            self.gauge_cache();
        }
    }

    fn gauge_cache(&mut self) {
        let bytes = self.cache.bytes();
        let before = self.meter.hold(bytes);
        self.context.pool.count(before, bytes);
        self.context.metrics.objects_evicted.add(self.cache.take_evicted());
    }

    /// Writes the totals down where they changed.
    fn tell(&mut self) {
        if !self.is_local && std::mem::replace(&mut self.told_objects, self.objects) != self.objects {
            let track = self.label.clone();
            let (broadcast, objects, bytes) = (self.publisher.broadcast, self.objects, self.bytes);
            self.context.recorder.record(Fact::TrackProgress { broadcast, track, objects, bytes });
        }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.context.pool.count(self.meter.hold(0), 0);
    }
}

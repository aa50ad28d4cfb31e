//! Subscriptions on both sides (draft-18 §5.1, §10.7 to §10.11).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Asked, Core, Event, Kind, Stream, requests::clipped, violation};
use crate::moqt::{
    DoneCode, Filter, GroupId, Location, Priority, PublishOffer, Refused, RequestCode, ResetCode,
    SubscribeOk, SubscribeOptions, TrackName,
    wire::{self, Message, Parameters, PublishDone, TrackAlias, WireError},
};

/// How long streams may stay out after PUBLISH_DONE where no delivery timeout says.
const LATE: Duration = Duration::from_secs(2);
/// How long open streams are waited for after that.
const VERY_LATE: Duration = Duration::from_secs(10);

/// The peer subscribes to a track of ours.
#[derive(Debug)]
pub(super) struct Publishing {
    pub(super) track: TrackName,
    is_established: bool,
    forward: bool,
    /// Draft-18 §5.1: the largest location that the subscriber was told of.
    joining: Option<Location>,
    /// Updates told to the application and not applied yet: whether each resumes the flow.
    unapplied: VecDeque<Resumes>,
    waiting: Vec<(Stream, wire::Fetch)>,
    /// For how long it is good, from its answer on and after each update.
    expires: Option<Duration>,
    expires_at: Option<Instant>,
}

/// Whether an update changes the forward state from 0 to 1.
#[derive(Debug, PartialEq, Eq)]
enum Resumes {
    Yes,
    No,
}

/// Whether a joining fetch was kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// It was.
    Kept,
    /// Too many wait.
    Full,
}

impl Publishing {
    /// One that is not answered yet. `joining` counts once it is, unless the answer says otherwise.
    pub(super) fn new(track: TrackName, forward: bool, joining: Option<Location>) -> Self {
        Self {
            track,
            is_established: false,
            forward,
            joining,
            unapplied: VecDeque::new(),
            waiting: Vec::new(),
            expires: None,
            expires_at: None,
        }
    }

    /// The subscriber took what was offered.
    pub(super) fn establish(&mut self, forward: bool) {
        self.is_established = true;
        self.forward = forward;
    }

    pub(super) fn is_established(&self) -> bool {
        self.is_established
    }

    /// Notes an update that is to be applied, now or after the answer.
    pub(super) fn update(&mut self, parameters: &Parameters) {
        let forward = parameters.forward.unwrap_or(self.forward);
        self.unapplied.push_back(if forward && !self.forward { Resumes::Yes } else { Resumes::No });
        self.forward = forward;
    }

    /// The oldest update is applied, and answered with `largest`.
    pub(super) fn updated(&mut self, largest: Option<Location>) {
        if self.unapplied.pop_front() == Some(Resumes::Yes) {
            self.joining = largest;
        }
    }

    /// For how long it is good from now on, as an answer says it.
    pub(super) fn expires(&self) -> Option<Duration> {
        self.expires
    }

    pub(super) fn expires_at(&self) -> Option<Instant> {
        self.expires_at
    }

    /// It is good for so long, once its time [runs](Core::lease).
    pub(super) fn set_expires(&mut self, expires: Option<Duration>) {
        self.expires = expires.filter(|time| !time.is_zero());
    }

    pub(super) fn waiting(&self) -> Vec<Stream> {
        self.waiting.iter().map(|(stream, _)| *stream).collect()
    }

    /// What a joining fetch gets now: its track and last location, a refusal, or `None` to wait.
    pub(super) fn join(&self) -> Option<Result<(TrackName, Location), &'static str>> {
        if !self.is_established || !self.unapplied.is_empty() {
            return None;
        }
        Some(match (self.forward, self.joining) {
            (false, _) => Err("the subscription to join does not forward objects"),
            (true, None) => Err("nothing is published yet"),
            (true, Some(largest)) => Ok((self.track.clone(), largest)),
        })
    }

    pub(super) fn wait(&mut self, stream: Stream, fetch: wire::Fetch, limit: usize) -> Hold {
        if self.waiting.len() >= limit {
            return Hold::Full;
        }
        self.waiting.push((stream, fetch));
        Hold::Kept
    }
}

/// We subscribe to a track of the peer's.
#[derive(Debug)]
pub(super) struct Subscribing {
    track: TrackName,
    timeout: Duration,
    begun_by: Begun,
    is_established: bool,
    is_dynamic: bool,
    alias: Option<TrackAlias>,
    open: u64,
    ended: u64,
    done: Option<Done>,
}

/// How a subscription began.
#[derive(Debug, PartialEq, Eq)]
enum Begun {
    /// SUBSCRIBE.
    Subscriber,
    /// PUBLISH.
    Publisher,
}

#[derive(Debug)]
struct Done {
    code: DoneCode,
    reason: String,
    streams: u64,
    timer: Instant,
    is_late: bool,
}

impl Subscribing {
    fn new(track: TrackName, begun_by: Begun, options: &SubscribeOptions) -> Self {
        Self {
            track,
            timeout: timeout(options),
            begun_by,
            is_established: false,
            is_dynamic: false,
            alias: None,
            open: 0,
            ended: 0,
            done: None,
        }
    }

    /// One that the peer offers.
    pub(super) fn offered(track: TrackName, alias: TrackAlias, offer: &PublishOffer) -> Self {
        let known = wire::TrackProperties::decode(&offer.ok.properties).unwrap_or_default();
        let offered = Self::new(track, Begun::Publisher, &SubscribeOptions::default());
        Self { alias: Some(alias), is_dynamic: known.dynamic_groups, ..offered }
    }

    /// The application took what was offered. Whether the track begins groups when it is asked to.
    pub(super) fn establish(&mut self, options: &SubscribeOptions) -> bool {
        self.is_established = true;
        self.timeout = timeout(options);
        self.is_dynamic
    }

    pub(super) fn track(&self) -> &TrackName {
        &self.track
    }
    pub(super) fn is_established(&self) -> bool {
        self.is_established
    }
    /// Whether the peer offered it, or granted it.
    pub(super) fn is_offer_or_established(&self) -> bool {
        self.is_established || self.begun_by == Begun::Publisher
    }
    pub(super) fn alias(&self) -> Option<TrackAlias> {
        self.alias
    }
    pub(super) fn is_done(&self) -> bool {
        self.done.is_some()
    }
    pub(super) fn timer(&self) -> Option<Instant> {
        self.done.as_ref().map(|done| done.timer)
    }
}

impl Core {
    /// Subscribes.
    pub(crate) fn subscribe(
        &mut self,
        stream: Stream,
        track: TrackName,
        options: &SubscribeOptions,
    ) -> Result<(), Refused> {
        let subscribing = Subscribing::new(track.clone(), Begun::Subscriber, options);
        let parameters = parameters(options);
        self.ask(stream, Kind::Subscribing(Box::new(subscribing)), |request| {
            Message::Subscribe(wire::Subscribe { request, track, parameters })
        })
    }

    /// Grants a subscription of the peer's; gives the track's name on data streams.
    pub(crate) fn grant_subscribe(&mut self, stream: Stream, ok: &SubscribeOk) -> Option<TrackAlias> {
        let alias = self.aliases.next();
        let Kind::Publishing(publishing) = &mut self.requests.get_mut(&stream)?.kind else { return None };
        publishing.is_established = true;
        publishing.joining = ok.largest;
        publishing.set_expires(ok.expires);
        let parameters = Parameters { largest: ok.largest, expires: ok.expires, ..Parameters::default() };
        let properties = ok.properties.clone();
        self.send(stream, &Message::SubscribeOk(wire::SubscribeOk { alias, parameters, properties }));
        self.apply_held(stream);
        self.release_joining(stream);
        Some(alias)
    }

    /// A subscription of the peer's that has a time is good for that time from now on (draft-18 §10.2.10).
    pub(crate) fn lease(&mut self, now: Instant, stream: Stream) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let Kind::Publishing(publishing) = &mut request.kind else { return };
        let Some(until) = publishing.expires.and_then(|time| now.checked_add(time)) else { return };
        if let Some(before) = publishing.expires_at.replace(until) {
            self.timers.remove(&(before, stream));
        }
        self.timers.insert((until, stream));
    }

    pub(super) fn expire_timer(&mut self, now: Instant, stream: Stream) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let Kind::Publishing(publishing) = &mut request.kind else { return };
        if publishing.expires_at.is_some_and(|at| at <= now) {
            publishing.expires_at = None;
            self.tell(stream, Event::Expired);
        }
    }

    /// Ends a subscription of the peer's, all of whose streams are finished or reset.
    pub(crate) fn publish_done(&mut self, stream: Stream, code: DoneCode, reason: &str, streams: u64) {
        if self.requests.contains_key(&stream) {
            let done = PublishDone { code, streams, reason: clipped(reason) };
            self.send(stream, &Message::PublishDone(done));
            self.retire(stream);
        }
    }

    /// What an alias of the peer stands for.
    pub(crate) fn alias(&self, alias: TrackAlias) -> super::Alias {
        self.aliases.find(alias)
    }

    /// Data streams of a subscription of ours that are open.
    pub(crate) fn open_streams(&self, stream: Stream) -> u64 {
        match self.requests.get(&stream).map(|request| &request.kind) {
            Some(Kind::Subscribing(subscribing)) => subscribing.open,
            _ => 0,
        }
    }

    /// A data stream of a subscription of ours began.
    pub(crate) fn data_began(&mut self, stream: Stream) {
        if let Some(s) = self.subscribing(stream) {
            s.open += 1;
        }
    }

    /// A data stream of a subscription of ours ended, its items being delivered.
    pub(crate) fn data_ended(&mut self, stream: Stream) {
        if let Some(s) = self.subscribing(stream) {
            s.open = s.open.saturating_sub(1);
            s.ended += 1;
            self.done_check(stream);
        }
    }

    fn subscribing(&mut self, stream: Stream) -> Option<&mut Subscribing> {
        match &mut self.requests.get_mut(&stream)?.kind {
            Kind::Subscribing(subscribing) => Some(subscribing),
            _ => None,
        }
    }

    pub(super) fn subscribe_asked(&mut self, stream: Stream, ask: wire::Subscribe) {
        if self.is_published(&ask.track) {
            let reason = format!("{} is already subscribed to in this session", ask.track);
            return self.refuse_now(stream, RequestCode::DuplicateSubscription, &reason);
        }
        let options = options(&ask.parameters);
        let publishing = Publishing::new(ask.track.clone(), options.forward, None);
        self.put(stream, Kind::Publishing(publishing), Asked::Subscribe(ask.track, options));
    }

    /// Joining fetches that waited are asked for now, where their subscription is in shape for it.
    pub(super) fn release_joining(&mut self, stream: Stream) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let Kind::Publishing(publishing) = &mut request.kind else { return };
        if publishing.join().is_none() {
            return;
        }
        for (fetch_stream, fetch) in std::mem::take(&mut publishing.waiting) {
            if self.requests.contains_key(&fetch_stream) {
                self.fetch_asked(fetch_stream, fetch);
            }
        }
    }

    pub(super) fn subscribed(&mut self, stream: Stream, ok: wire::SubscribeOk) -> Result<(), WireError> {
        wire::TrackProperties::decode(&ok.properties)?;
        self.name_track(ok.alias, stream)?;
        if let Some(s) = self.subscribing(stream) {
            s.alias = Some(ok.alias);
            s.is_established = true;
        }
        if let Some(property) = ok.properties.unsupported()? {
            self.unsupported(stream, property);
            return Ok(());
        }
        let wire::SubscribeOk { parameters, properties, .. } = ok;
        let ok = SubscribeOk {
            largest: parameters.largest,
            expires: parameters.expires.filter(|e| !e.is_zero()),
            properties,
        };
        self.tell(stream, Event::Subscribed(ok));
        Ok(())
    }

    /// Draft-18 §2.5.1: a track with a mandatory property that this side does not know is let go.
    pub(super) fn unsupported(&mut self, stream: Stream, property: u64) {
        let refused = Refused::Error {
            code: RequestCode::UnsupportedExtension,
            reason: format!("the track needs an extension that is not known here, property {property:#x}"),
            retry_after: None,
        };
        self.tell(stream, Event::Refused(refused));
        self.cancel(stream, ResetCode::Cancelled);
    }

    pub(super) fn done_told(
        &mut self,
        now: Instant,
        stream: Stream,
        done: PublishDone,
    ) -> Result<(), WireError> {
        let Some(s) = self.subscribing(stream) else { return Ok(()) };
        if s.done.is_some() {
            return Err(violation("a second PUBLISH_DONE came for one subscription"));
        }
        let timer = now + s.timeout;
        let PublishDone { code, streams, reason } = done;
        s.done = Some(Done { code, reason, streams, timer, is_late: false });
        self.timers.insert((timer, stream));
        self.done_check(stream);
        Ok(())
    }

    /// Binds an alias of the peer's. One whose subscription ended, and is only waited for what may still
    /// come of it, is free again (draft-18 §11.1).
    pub(super) fn name_track(&mut self, alias: TrackAlias, stream: Stream) -> Result<(), WireError> {
        if let super::Alias::Known(old) = self.aliases.find(alias)
            && let Some(s) = self.subscribing(old)
            && let Some(done) = &mut s.done
        {
            done.is_late = true;
            s.open = 0;
            self.done_check(old);
        }
        self.aliases.bind(alias, stream)
    }

    /// Delivers PUBLISH_DONE once as many streams ended as it said, or none is open after its time.
    fn done_check(&mut self, stream: Stream) {
        let Some(s) = self.subscribing(stream) else { return };
        let Some(done) = &s.done else { return };
        if s.open == 0 && (s.ended >= done.streams || done.is_late) {
            let event = Event::Done(done.code, done.reason.clone());
            self.tell(stream, event);
            self.retire(stream);
        }
    }

    pub(super) fn done_timer(&mut self, now: Instant, stream: Stream) {
        let Some(s) = self.subscribing(stream) else { return };
        let Some(done) = &mut s.done else { return };
        if done.is_late {
            s.open = 0;
        } else {
            done.is_late = true;
            done.timer = now + VERY_LATE;
            let timer = done.timer;
            self.timers.insert((timer, stream));
        }
        self.done_check(stream);
    }
}

/// How long streams may stay out after PUBLISH_DONE (draft-18 §10.11).
fn timeout(options: &SubscribeOptions) -> Duration {
    [options.object_timeout, options.subgroup_timeout].into_iter().flatten().max().unwrap_or(LATE)
}

/// A subscription's options as parameters; what is the default is left out.
pub(super) fn parameters(options: &SubscribeOptions) -> Parameters {
    Parameters {
        object_timeout: options.object_timeout,
        subgroup_timeout: options.subgroup_timeout,
        forward: (!options.forward).then_some(false),
        priority: (options.priority != Priority::default()).then_some(options.priority),
        filter: Some(options.filter).filter(|f| *f != Filter::Unfiltered),
        order: options.order,
        new_group: options.new_group.map(new_group_to_wire),
        rendezvous_timeout: options.rendezvous_timeout,
        ..Parameters::default()
    }
}

/// A subscription's options from its parameters.
pub(super) fn options(parameters: &Parameters) -> SubscribeOptions {
    let some = |timeout: Option<Duration>| timeout.filter(|t| !t.is_zero());
    SubscribeOptions {
        priority: parameters.priority.unwrap_or_default(),
        order: parameters.order,
        filter: parameters.filter.unwrap_or_default(),
        forward: parameters.forward.unwrap_or(true),
        object_timeout: some(parameters.object_timeout),
        subgroup_timeout: some(parameters.subgroup_timeout),
        new_group: parameters.new_group.map(new_group_from_wire),
        rendezvous_timeout: some(parameters.rendezvous_timeout),
    }
}

/// On the wire stands the largest known group plus 1, with 0 for none known. Here "none known" is the
/// largest ID there is: it is not below any group that a publisher may be at.
pub(crate) fn new_group_to_wire(after: GroupId) -> GroupId {
    GroupId(after.0.wrapping_add(1))
}

/// The other way round.
pub(crate) fn new_group_from_wire(wire: GroupId) -> GroupId {
    GroupId(wire.0.wrapping_sub(1))
}

//! The driver towards the relay: announces the room's stage, writes what the pipeline makes, lets go what is
//! late, and comes back when the relay was away.
//!
//! | module | what it is |
//! |---|---|
//! | `link` | how a connection with the room's namespace comes about |
//! | `air` | one such connection, and what is served over it |
//! | `subscriber` | one task for each subscription of the relay |
//! | `audience` | what the relay tells of those who watch |

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use shared::{
    media::{Bitrate, Timestamp},
    moqt::{GoingAway, GroupId, Item, Request, RequestCode as Code, TrackName},
    transport::Route,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use crate::{
    backoff::Backoff,
    encode::rate,
    package,
    stage::{self, Stage, TrackIndex},
    stats::Stats,
};

mod air;
mod audience;
mod link;
mod subscriber;

use air::{Air, Happened};
pub(crate) use link::Link;
pub use link::{Error, Settings};

/// Items of one frame or packet, on the way from an encoder to the relay.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub(crate) track: TrackIndex,
    pub(crate) items: Vec<Item>,
}

/// Frames and packets that may wait between the encoders and the session, which takes them at once. Where
/// it is full the encoders wait, and pictures are let go before encoding.
pub(crate) const FEED_CAPACITY: usize = 64;

/// A broadcast on its way to the relay.
pub(crate) struct Broadcast {
    pub(crate) settings: Settings,
    pub(crate) stage: Stage,
    pub(crate) catalog: TrackIndex,
    /// Tracks of the ladder's renditions, in its order.
    pub(crate) renditions: Vec<TrackIndex>,
    /// What the ladder's renditions are to spend when the path is good.
    pub(crate) bitrates: Vec<Bitrate>,
    pub(crate) stats: Arc<Stats>,
    /// Wall clock for the last catalog.
    pub(crate) clock: fn() -> Timestamp,
}

/// A connection that is being made where the relay sends to.
type Move = Pin<Box<dyn Future<Output = Result<Link, Error>> + Send>>;

/// How one connection ended.
enum Outcome {
    /// The pipeline ended and the relay has it all.
    Ended,
    /// The relay went away, or cancelled.
    Lost(String),
}

impl Broadcast {
    /// Writes what comes from `feed` until it ends, over `link` and those that follow it where the relay
    /// goes away; then ends the broadcast properly.
    ///
    /// # Errors
    /// [`Error`] where the relay refuses the room when it is back: then waiting helps nobody.
    pub(crate) async fn run(
        mut self,
        link: Link,
        mut feed: mpsc::Receiver<Publication>,
    ) -> Result<(), Error> {
        let mut backoff = Backoff::new((self.clock)().0);
        let mut rate = rate::Controller::new(Bitrate(self.bitrates.iter().map(|bitrate| bitrate.0).sum()));
        let mut route = Route::new(self.settings.relay.clone());
        let mut link = link;
        loop {
            rate.reconnected();
            let outcome = self.on_air(link, &mut feed, &mut rate, &mut route).await;
            self.stats.set_path(None);
            self.stats.set_viewers(None);
            let reason = match outcome {
                Outcome::Ended => return Ok(()),
                Outcome::Lost(reason) => reason,
            };
            tracing::warn!(reason, "the relay is gone; capture goes on and the relay is tried again");
            link = match self.off_air(&mut feed, &mut backoff, &mut route).await? {
                Some(link) => link,
                None => return Ok(()),
            };
            backoff.reset();
            tracing::info!("on air again");
        }
    }

    /// Waits for the relay while the pipeline's items are let go. `None` where the broadcast ended first.
    async fn off_air(
        &mut self,
        feed: &mut mpsc::Receiver<Publication>,
        backoff: &mut Backoff,
        route: &mut Route,
    ) -> Result<Option<Link>, Error> {
        loop {
            let settings = self.settings_for(route);
            let wait = backoff.next();
            let attempt = async move {
                sleep(wait).await;
                Link::connect(&settings).await
            };
            tokio::pin!(attempt);
            let attempted = loop {
                tokio::select! {
                    attempted = &mut attempt => break attempted,
                    publication = feed.recv() => {
                        let Some(publication) = publication else { return Ok(None) };
                        self.stats.off_air.add(1);
                        self.record(&publication);
                    }
                }
            };
            match attempted {
                Ok(link) => return Ok(Some(link)),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => tracing::debug!(%error, "the relay is still away"),
            }
            route.failed();
        }
    }

    fn settings_for(&self, route: &Route) -> Settings {
        Settings { relay: route.url().clone(), ..self.settings.clone() }
    }

    /// Serves one relay, and the one to which it sends when it goes away: until that one has taken over,
    /// both.
    async fn on_air(
        &mut self,
        link: Link,
        feed: &mut mpsc::Receiver<Publication>,
        rate: &mut rate::Controller,
        route: &mut Route,
    ) -> Outcome {
        let mut air = Air::new(link, &self.settings.room, &self.stats);
        let mut former: Option<Air> = None;
        let mut move_to: Option<Move> = None;
        let mut began = Instant::now();
        let mut measure = interval(MEASURE_EVERY);
        measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut keyframes = vec![None; self.renditions.len()];
        loop {
            tokio::select! {
                publication = feed.recv() => match publication {
                    Some(publication) => self.publish(publication, &mut air, former.as_mut()),
                    None => break,
                },
                happened = air.next() => match happened {
                    Happened::GoingAway(going) => move_to = self.follow(&going, route),
                    Happened::Gone(reason) => return Outcome::Lost(reason),
                    Happened::Asked(request) => self.answer(request, &mut air, &mut keyframes),
                    Happened::NewGroup(track, known) => self.new_group(track, known, &mut keyframes),
                },
                happened = next(&mut former) => match (happened, former.as_mut()) {
                    (Happened::Gone(_), _) => former = None,
                    (Happened::Asked(request), Some(air)) => self.answer(request, air, &mut keyframes),
                    (Happened::NewGroup(track, known), _) => self.new_group(track, known, &mut keyframes),
                    (Happened::GoingAway(_), _) | (_, None) => {}
                },
                moved = arrived(&mut move_to) => match moved {
                    Ok(link) => {
                        tracing::info!(relay = %route.url(), "on air where the relay sent to");
                        let next = Air::new(link, &self.settings.room, &self.stats);
                        former = Some(std::mem::replace(&mut air, next));
                        began = Instant::now();
                        rate.reconnected();
                    }
                    Err(error) => tracing::warn!(%error, "cannot go where the relay sends to"),
                },
                _ = measure.tick() => {
                    let path = air.session.stats();
                    self.stats.set_path(Some(path));
                    self.steer(rate, began.elapsed(), path);
                    if let Some(idle) = former.take_if(|former| former.is_idle()) {
                        idle.leave();
                    }
                }
            }
        }
        let end = Instant::now() + END_WITHIN;
        let publication = self.last_catalog();
        self.publish(publication, &mut air, former.as_mut());
        let former = async {
            if let Some(former) = former {
                former.finish(end).await;
            }
        };
        tokio::join!(air.finish(end), former);
        Outcome::Ended
    }

    /// The relay goes away: where to, and how to get there while it is still served.
    fn follow(&self, going: &GoingAway, route: &mut Route) -> Option<Move> {
        if let Err(error) = route.send_on(std::time::Instant::now(), &going.uri) {
            tracing::warn!(%error, "the relay goes away and is not followed");
            return None;
        }
        tracing::info!(relay = %route.url(), "the relay goes away: connecting to where it sends to");
        let settings = self.settings_for(route);
        let mut backoff = Backoff::new((self.clock)().0);
        Some(Box::pin(async move {
            loop {
                match Link::connect(&settings).await {
                    Err(error) if !error.is_final() => tracing::debug!(%error, "not there yet"),
                    done => return done,
                }
                sleep(backoff.next()).await;
            }
        }))
    }

    fn publish(&mut self, publication: Publication, air: &mut Air, former: Option<&mut Air>) {
        self.record(&publication);
        if let Some(former) = former {
            former.publish(publication.clone());
        }
        air.publish(publication);
    }

    /// The catalog that says that nothing follows.
    fn last_catalog(&self) -> Publication {
        let json = crate::catalog::ended((self.clock)()).to_json();
        let last = self.stage.track(self.catalog).and_then(|track| track.ok().largest);
        let group =
            last.map_or(package::first_group((self.clock)()), |last| shared::moqt::GroupId(last.group.0 + 1));
        Publication { track: self.catalog, items: package::catalog(group, json).into() }
    }

    fn new_group(&self, track: TrackIndex, known: GroupId, keyframes: &mut [Option<Instant>]) {
        if self.stage.track(track).is_some_and(|track| track.needs_new_group(known)) {
            self.force_keyframe(track, keyframes);
        }
    }

    fn record(&mut self, publication: &Publication) {
        for item in &publication.items {
            self.stage.record(publication.track, item);
        }
    }

    /// The track of that name, or why there is none.
    fn track(&self, name: &TrackName) -> Result<(TrackIndex, &stage::Track), String> {
        (name.namespace == self.settings.room.stage())
            .then(|| self.stage.find(&name.name))
            .flatten()
            .ok_or_else(|| format!("this broadcast has no track {name}: see its catalog"))
    }

    fn answer(&self, request: Request, air: &mut Air, keyframes: &mut [Option<Instant>]) {
        match request {
            Request::Subscribe(request) => {
                let (index, track) = match self.track(request.track()) {
                    Ok(found) => found,
                    Err(reason) => return request.reject(Code::DoesNotExist, &reason),
                };
                tracing::debug!(track = %request.track(), "subscribed");
                if request.options().new_group.is_some_and(|known| track.needs_new_group(known)) {
                    self.force_keyframe(index, keyframes);
                }
                let writer = request.accept(track.ok());
                for item in track.newest_group() {
                    writer.push(item.clone());
                }
                air.serve(index, writer);
            }
            Request::Fetch(request) => {
                let (_, track) = match self.track(request.track()) {
                    Ok(found) => found,
                    Err(reason) => return request.reject(Code::DoesNotExist, &reason),
                };
                let (start, end) = request.range();
                let objects = track.between(start, end);
                let Some(last) = objects.last().map(shared::moqt::Object::location) else {
                    request.reject(Code::InvalidRange, "the publisher keeps the newest group only");
                    return;
                };
                if air.tasks.len() >= MAX_FETCHES {
                    request.reject(Code::ExcessiveLoad, "too many fetches at once: try again");
                    return;
                }
                let properties = track.properties().clone();
                let writer = request.accept(last, shared::moqt::EndOfTrack::No, properties);
                air.tasks.spawn(stage::deliver(writer, objects));
                while air.tasks.try_join_next().is_some() {}
            }
            Request::TrackStatus(request) => {
                let (_, track) = match self.track(request.track()) {
                    Ok(found) => found,
                    Err(reason) => return request.reject(Code::DoesNotExist, &reason),
                };
                request.answer(track.ok());
            }
            Request::Publish(request) => {
                request.reject(Code::Uninterested, "this is a publisher: it takes no tracks");
            }
            Request::PublishNamespace(request) => {
                request.reject(Code::NotSupported, "this is a publisher: it takes no namespaces");
            }
            Request::SubscribeTracks(request) => {
                request.reject(Code::NotSupported, "this is a publisher: ask its relay for tracks");
            }
            Request::SubscribeNamespace(request) => {
                request.reject(Code::NotSupported, "this is a publisher: ask its relay for namespaces");
            }
            _ => {}
        }
    }

    /// Makes a rendition begin a new group, at most once a second.
    fn force_keyframe(&self, track: TrackIndex, keyframes: &mut [Option<Instant>]) {
        let Some(rendition) = self.renditions.iter().position(|&index| index == track) else { return };
        let (Some(last), Some(stats)) = (keyframes.get_mut(rendition), self.stats.renditions.get(rendition))
        else {
            return;
        };
        if last.is_none_or(|last| last.elapsed() >= KEYFRAME_EVERY) {
            *last = Some(Instant::now());
            stats.force_keyframe();
        }
    }

    fn steer(&self, rate: &mut rate::Controller, now: Duration, path: shared::transport::PathStats) {
        let sample = rate::Sample {
            rtt: path.rtt,
            sent_packets: path.sent_packets,
            lost_packets: path.lost_packets,
            skipped_groups: self.stats.skipped_groups.value(),
        };
        let before = rate.share();
        rate.update(now, sample);
        let share = rate.share();
        for (stats, bitrate) in self.stats.renditions.iter().zip(&self.bitrates) {
            stats.set_bitrate(Bitrate((f64::from(bitrate.0) * share) as u32));
        }
        if share < before {
            tracing::info!(percent = (share * 100.0) as u32, "the path is behind: the bitrate is lowered");
        }
    }
}

/// What happens on the connection that is left; nothing, where there is none.
async fn next(air: &mut Option<Air>) -> Happened {
    match air {
        Some(air) => air.next().await,
        None => std::future::pending().await,
    }
}

/// The connection that is made; never, where none is.
async fn arrived(attempt: &mut Option<Move>) -> Result<Link, Error> {
    match attempt {
        Some(made) => {
            let link = made.await;
            *attempt = None;
            link
        }
        None => std::future::pending().await,
    }
}

const MEASURE_EVERY: Duration = Duration::from_millis(200);
const KEYFRAME_EVERY: Duration = Duration::from_secs(1);
/// How long the end of a broadcast may take.
const END_WITHIN: Duration = Duration::from_secs(1);
/// Fetches that are answered at the same time, the follower of the audience counted.
const MAX_FETCHES: usize = 32;

//! The driver towards the relay: announces the room's stage, writes what the pipeline makes, lets go what is
//! late, and comes back when the relay was away.
//!
//! | module | what it is |
//! |---|---|
//! | `link` | one connection with its announced namespace |
//! | `subscriber` | one task for each subscription of the relay |
//! | `audience` | what the relay tells of those who watch |

use std::{sync::Arc, time::Duration};

use shared::{
    media::{Bitrate, Timestamp},
    moqt::{Closed, Item, Request, RequestCode as Code, Requests, SessionCode, TrackName},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout_at},
};

use crate::{
    backoff::Backoff,
    encode::rate,
    package,
    stage::{self, Stage, TrackIndex},
    stats::Stats,
};

mod audience;
mod link;
mod subscriber;

pub(crate) use link::Link;
pub use link::{Error, Settings};
use subscriber::Subscribers;

/// Items of one frame or packet, on the way from an encoder to the relay.
#[derive(Debug)]
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
        let mut link = link;
        loop {
            rate.reconnected();
            let outcome = self.on_air(link, &mut feed, &mut rate).await;
            self.stats.set_path(None);
            self.stats.set_viewers(None);
            let reason = match outcome {
                Outcome::Ended => return Ok(()),
                Outcome::Lost(reason) => reason,
            };
            tracing::warn!(reason, "the relay is gone; capture goes on and the relay is tried again");
            link = match self.off_air(&mut feed, &mut backoff).await? {
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
    ) -> Result<Option<Link>, Error> {
        loop {
            let settings = self.settings.clone();
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
        }
    }

    async fn on_air(
        &mut self,
        link: Link,
        feed: &mut mpsc::Receiver<Publication>,
        rate: &mut rate::Controller,
    ) -> Outcome {
        let Link { session, mut requests, mut namespace } = link;
        let mut subscribers = Subscribers::new(Arc::clone(&self.stats));
        let mut tasks = JoinSet::new();
        tasks.spawn(audience::follow(session.clone(), self.settings.room.clone(), Arc::clone(&self.stats)));
        let began = Instant::now();
        let mut measure = interval(MEASURE_EVERY);
        measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut keyframes = vec![None; self.renditions.len()];
        loop {
            tokio::select! {
                publication = feed.recv() => match publication {
                    Some(publication) => {
                        self.record(&publication);
                        subscribers.publish(publication);
                    }
                    None => break,
                },
                request = next(&mut requests) => self.answer(request, &mut subscribers, &mut tasks, &mut keyframes),
                Some((track, known)) = subscribers.new_group() => {
                    if self.stage.track(track).is_some_and(|track| track.needs_new_group(known)) {
                        self.force_keyframe(track, &mut keyframes);
                    }
                }
                closed = session.closed() => return Outcome::Lost(words(&closed)),
                () = namespace.ended() => {
                    // Where the whole session ends, that tells more.
                    let closed = tokio::time::timeout(Duration::from_millis(100), session.closed()).await;
                    let reason = closed.map_or_else(
                        |_| "the relay cancelled the room's namespace".to_owned(),
                        |closed| words(&closed),
                    );
                    session.close(SessionCode::NoError, "the namespace was cancelled");
                    return Outcome::Lost(reason);
                }
                _ = measure.tick() => {
                    let path = session.stats();
                    self.stats.set_path(Some(path));
                    self.steer(rate, began.elapsed(), path);
                }
            }
        }
        let end = Instant::now() + END_WITHIN;
        let json = crate::catalog::ended((self.clock)()).to_json();
        let last = self.stage.track(self.catalog).and_then(|track| track.ok().largest);
        let group =
            last.map_or(package::first_group((self.clock)()), |last| shared::moqt::GroupId(last.group.0 + 1));
        let publication = Publication { track: self.catalog, items: package::catalog(group, json).into() };
        self.record(&publication);
        subscribers.publish(publication);
        subscribers.finish(end).await;
        drained(&session, end).await;
        session.close(SessionCode::NoError, "the broadcast has ended");
        // The close has to leave before the process does.
        let _ = timeout_at(end, session.closed()).await;
        Outcome::Ended
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

    fn answer(
        &self,
        request: Request,
        subscribers: &mut Subscribers,
        tasks: &mut JoinSet<()>,
        keyframes: &mut [Option<Instant>],
    ) {
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
                subscribers.add(index, writer);
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
                if tasks.len() >= MAX_FETCHES {
                    request.reject(Code::ExcessiveLoad, "too many fetches at once: try again");
                    return;
                }
                let properties = track.properties().clone();
                let writer = request.accept(last, shared::moqt::EndOfTrack::No, properties);
                tasks.spawn(stage::deliver(writer, objects));
                while tasks.try_join_next().is_some() {}
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

async fn next(requests: &mut Requests) -> Request {
    match requests.next().await {
        Some(request) => request,
        // The session is over, which its own end tells better.
        None => std::future::pending().await,
    }
}

/// Waits until nothing has left the connection for two round trips: all was sent and acknowledged.
async fn drained(session: &shared::moqt::Session, end: Instant) {
    let mut sent = session.stats().sent_bytes;
    loop {
        let quiet = (session.stats().rtt * 2).clamp(Duration::from_millis(30), Duration::from_millis(300));
        let next = Instant::now() + quiet;
        if next >= end {
            return;
        }
        tokio::time::sleep_until(next).await;
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

const MEASURE_EVERY: Duration = Duration::from_millis(200);
const KEYFRAME_EVERY: Duration = Duration::from_secs(1);
/// How long the end of a broadcast may take.
const END_WITHIN: Duration = Duration::from_secs(1);
/// Fetches that are answered at the same time, the follower of the audience counted.
const MAX_FETCHES: usize = 32;

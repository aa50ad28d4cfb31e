//! One broadcast: from its catalog to its end.

use std::time::Duration;

use anyhow::Context;
use shared::{
    catalog::{Catalog, Track},
    moqt::{
        DoneCode, Fetch, FetchItem, GroupId, Item, Object, Priority, Received, Refused, Session,
        SubscribeOptions, Subscription,
    },
};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Control, Driver, Event, FeedId, Leave, SoundFeed, Turn, VideoFeed, catalog,
    feed::Feed,
    moving::{Arrival, Link, Move, arrived},
};
use crate::{clock::until, rendition, state::State};

/// The tracks of a broadcast that are asked for or play.
#[derive(Default)]
struct Feeds {
    video: Option<Feed>,
    /// The picture track that follows at its next keyframe.
    upcoming: Option<Feed>,
    sound: Option<Feed>,
    /// Requests that are not answered yet.
    requests: JoinSet<(Role, Track, Result<Subscription, Refused>)>,
    wanted_video: Option<String>,
    wanted_sound: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Video,
    Sound,
    /// The same track as before, at another relay.
    Again(FeedId),
}

/// Past this time without a catalog the room is held to be not on air.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(5);
/// What is under way at the end may take this long.
const LAST_OBJECTS: Duration = Duration::from_millis(1500);
/// Urgency of pictures and, before them, of sound.
const VIDEO: Priority = Priority(64);
const SOUND: Priority = Priority(32);
/// A keyframe is asked for at most this often.
const BETWEEN_KEYFRAMES: Duration = Duration::from_secs(1);

impl Driver {
    /// Watches a broadcast until it ends, is interrupted, or the viewer leaves.
    pub(super) async fn watch(
        &mut self,
        link: &mut Link,
        mut catalog_track: Subscription,
        fetch: Result<Fetch, Refused>,
    ) -> anyhow::Result<Turn> {
        let mut fetch = fetch.ok();
        let mut reader = catalog::Reader::default();
        let mut feeds = Feeds::default();
        let mut give_up = Some(Instant::now() + CATALOG_TIMEOUT);
        let mut ending = false;
        let mut asked: Option<Instant> = None;
        let mut moving: Option<Move> = None;
        let mut former: Option<Link> = None;
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                control = self.control.recv() => match control {
                    None | Some(Control::Quit) => return Ok(Turn::Leave(Leave::Quit)),
                    Some(Control::Viewport(size)) => {
                        self.viewport = Some(size);
                        if let Some(catalog) = reader.catalog() {
                            self.choose(&link.session, catalog, &mut feeds)?;
                        }
                    }
                    Some(Control::Switched(id)) => feeds.switched(id),
                    Some(Control::NeedsKeyframe(id, after)) => {
                        if asked.is_none_or(|asked| asked.elapsed() >= BETWEEN_KEYFRAMES) {
                            asked = Some(Instant::now());
                            feeds.ask_for_keyframe(id, after);
                        }
                    }
                },
                object = catalog_object(&mut catalog_track, &mut fetch) => match object {
                    FromCatalog::Object(object) => {
                        if !self.catalog(&link.session, &mut reader, &object, &mut feeds).await? {
                            continue;
                        }
                        let complete = reader.catalog().is_some_and(|catalog| catalog.is_complete);
                        if complete && !self.was_on_air {
                            // What is left of an earlier broadcast.
                            return Ok(Turn::Offline);
                        }
                        if complete && !ending {
                            ending = true;
                            give_up = Some(Instant::now() + LAST_OBJECTS);
                        } else if !ending {
                            give_up = None;
                        }
                    }
                    FromCatalog::Over(DoneCode::TrackEnded) => ending = true,
                    FromCatalog::Over(_) if ending => {}
                    FromCatalog::Over(code) => {
                        tracing::info!(%code, "the broadcast is interrupted");
                        return Ok(Turn::Offline);
                    }
                },
                Some(answer) = feeds.requests.join_next() => {
                    if let Ok((role, track, answer)) = answer
                        && !self.granted(role, track, answer, &mut feeds).await
                        && !ending
                    {
                        give_up.get_or_insert(Instant::now() + LAST_OBJECTS);
                    }
                }
                received = receive(&mut feeds.video) => {
                    if !self.pass(received, &mut feeds.video).await && !ending {
                        give_up.get_or_insert(Instant::now() + LAST_OBJECTS);
                    }
                }
                received = receive(&mut feeds.upcoming) => {
                    self.pass(received, &mut feeds.upcoming).await;
                }
                received = receive(&mut feeds.sound) => {
                    self.pass(received, &mut feeds.sound).await;
                }
                _ = seconds.tick() => {
                    let _ = self.events.send(Event::Path(link.kind, link.session.stats())).await;
                    if !feeds.need_former()
                        && let Some(spent) = former.take()
                    {
                        spent.leave();
                    }
                }
                Some(going) = link.session.going_away(), if !link.is_leaving => {
                    link.is_leaving = true;
                    moving = self.follow(&going).then(|| self.arrive());
                }
                arrival = arrived(&mut moving) => {
                    let Arrival { link: next, catalog, past } = arrival;
                    tracing::info!(relay = %self.route.url(), "watching where the relay sent to");
                    former = Some(std::mem::replace(link, next));
                    (catalog_track, fetch) = (catalog, past.ok());
                    if let Some(catalog) = reader.catalog() {
                        self.ask_again(&link.session, catalog, &mut feeds);
                    }
                }
                closed = link.session.closed() => {
                    return Ok(if ending { Turn::Leave(Leave::Ended) } else { Turn::Lost(closed.reason) });
                }
                () = until(give_up) => {
                    return Ok(if ending { Turn::Leave(Leave::Ended) } else { Turn::Offline });
                }
            }
            if ending && feeds.are_over() {
                return Ok(Turn::Leave(Leave::Ended));
            }
        }
    }

    /// Takes an object of the catalog; whether it was of use.
    async fn catalog(
        &mut self,
        session: &Session,
        reader: &mut catalog::Reader,
        object: &Object,
        feeds: &mut Feeds,
    ) -> anyhow::Result<bool> {
        let known = reader.catalog().is_some();
        match reader.push(object) {
            Ok(Some(catalog)) => {
                if !known && !catalog.is_complete {
                    self.was_on_air = true;
                    self.tell(State::Buffering).await;
                }
                if !catalog.is_complete {
                    self.choose(session, catalog, feeds)?;
                }
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) if known => {
                tracing::warn!(%error, "a change of the catalog is left out");
                Ok(false)
            }
            Err(error) => Err(error).with_context(|| format!("room {} cannot be played", self.config.room)),
        }
    }

    /// Asks for the tracks to play, as far as they are not asked for yet.
    fn choose(&mut self, session: &Session, catalog: &Catalog, feeds: &mut Feeds) -> anyhow::Result<()> {
        let wanted = self.config.rendition.as_deref();
        let video = match rendition::video(catalog, wanted, self.viewport) {
            Ok(video) => video,
            // It was there before: better another one than none.
            Err(error) if feeds.wanted_video.is_some() => {
                tracing::warn!(%error, "playing another rendition");
                rendition::video(catalog, None, self.viewport)?
            }
            Err(error) => return Err(error.into()),
        };
        let sound = rendition::audio(catalog);
        if video.is_none() && sound.is_none() {
            tracing::warn!("this broadcast has no track that can be played here");
        }
        if let Some(track) = video
            && feeds.wanted_video.as_ref() != Some(&track.name)
        {
            feeds.wanted_video = Some(track.name.clone());
            feeds.upcoming = None;
            self.ask(session, Role::Video, track, feeds);
        }
        if let Some(track) = sound
            && feeds.wanted_sound.as_ref() != Some(&track.name)
        {
            feeds.wanted_sound = Some(track.name.clone());
            self.ask(session, Role::Sound, track, feeds);
        }
        Ok(())
    }

    /// Asks another relay for the tracks that play, and for what was not answered yet.
    fn ask_again(&self, session: &Session, catalog: &Catalog, feeds: &mut Feeds) {
        feeds.requests = JoinSet::new();
        let track = |name: &str| catalog.tracks.iter().find(|track| track.name == name);
        let playing: Vec<_> = feeds.all().map(|feed| (Role::Again(feed.id), feed.name.clone())).collect();
        let has = |name: &String| playing.iter().any(|(_, playing)| playing == name);
        let wanted = [(Role::Video, &feeds.wanted_video), (Role::Sound, &feeds.wanted_sound)];
        let unanswered = wanted.into_iter().filter_map(|(role, name)| Some((role, name.clone()?)));
        let unanswered: Vec<_> = unanswered.filter(|(_, name)| !has(name)).collect();
        for (role, name) in playing.iter().chain(&unanswered) {
            if let Some(track) = track(name) {
                self.ask(session, *role, track, feeds);
            }
        }
    }

    fn ask(&self, session: &Session, role: Role, track: &Track, feeds: &mut Feeds) {
        let priority = match role {
            Role::Sound => SOUND,
            Role::Again(id) if feeds.sound.as_ref().is_some_and(|sound| sound.id == id) => SOUND,
            Role::Video | Role::Again(_) => VIDEO,
        };
        let options = SubscribeOptions { priority, ..SubscribeOptions::default() };
        let (session, track) = (session.clone(), track.clone());
        let name = self.config.room.on_stage(&track.name);
        feeds.requests.spawn(async move { (role, track, session.subscribe(name, options).await) });
    }

    /// Takes the answer to a request for a track. `false` where the broadcast lacks its picture thereby.
    async fn granted(
        &mut self,
        role: Role,
        track: Track,
        answer: Result<Subscription, Refused>,
        feeds: &mut Feeds,
    ) -> bool {
        let subscription = match answer {
            Ok(subscription) => subscription,
            Err(refused) => {
                tracing::warn!(track = track.name, %refused, "the relay does not give a track");
                return role != Role::Video || feeds.video.is_some();
            }
        };
        if let Role::Again(id) = role {
            // One that was replaced meanwhile needs nothing any more.
            if let Some(feed) = feeds.all_mut().find(|feed| feed.id == id) {
                feed.move_to(subscription);
            }
            return true;
        }
        let id = self.new_feed();
        let largest = subscription.ok().largest;
        let feed = Feed::new(id, track.name.clone(), subscription);
        match role {
            Role::Video if feeds.wanted_video.as_ref() != Some(&track.name) => {}
            Role::Video => {
                let resolution = track.resolution;
                let frame_rate = track.frame_rate;
                let begun = VideoFeed { id, name: track.name, resolution, frame_rate, largest };
                let _ = self.events.send(Event::Video(begun)).await;
                let place = if feeds.video.is_none() { &mut feeds.video } else { &mut feeds.upcoming };
                *place = Some(feed);
            }
            Role::Sound => {
                let _ = self.events.send(Event::Sound(SoundFeed { id, largest })).await;
                feeds.sound = Some(feed);
            }
            // Taken above.
            Role::Again(_) => {}
        }
        true
    }

    /// Hands what came to the playback. `false` once the track is over.
    async fn pass(&self, received: Option<Received>, feed: &mut Option<Feed>) -> bool {
        let at = self.clock.now();
        let Some(open) = feed else { return true };
        match received {
            Some(Received::Item(item)) => {
                let _ = self.events.send(Event::Item { feed: open.id, at, item }).await;
                true
            }
            Some(Received::Done { code, reason }) => {
                tracing::debug!(track = open.name, %code, reason, "a track is over");
                *feed = None;
                false
            }
            None => {
                *feed = None;
                false
            }
        }
    }
}

impl Feeds {
    fn all(&self) -> impl Iterator<Item = &Feed> {
        [&self.video, &self.upcoming, &self.sound].into_iter().flatten()
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Feed> {
        [&mut self.video, &mut self.upcoming, &mut self.sound].into_iter().flatten()
    }

    /// Whether something still comes, or may come, from the relay that is left. To be asked now and then.
    fn need_former(&mut self) -> bool {
        let needing = self.all_mut().map(Feed::needs_former).filter(|needs| *needs).count();
        needing > 0 || !self.requests.is_empty()
    }

    fn switched(&mut self, id: FeedId) {
        if self.upcoming.as_ref().is_some_and(|feed| feed.id == id) {
            self.video = self.upcoming.take();
        }
    }

    fn ask_for_keyframe(&self, id: FeedId, after: GroupId) {
        if let Some(feed) = self.video.as_ref().filter(|feed| feed.id == id) {
            tracing::debug!(track = feed.name, group = after.0, "asking for a keyframe");
            feed.subscription().request_new_group(after);
        }
    }

    fn are_over(&self) -> bool {
        self.video.is_none() && self.upcoming.is_none() && self.sound.is_none() && self.requests.is_empty()
    }
}

/// The next thing of a feed; never, where there is none.
async fn receive(feed: &mut Option<Feed>) -> Option<Received> {
    match feed {
        Some(feed) => feed.next().await,
        None => std::future::pending().await,
    }
}

enum FromCatalog {
    Object(Object),
    Over(DoneCode),
}

/// The next object of the catalog track: first what the fetch brings, then what is new.
async fn catalog_object(track: &mut Subscription, fetch: &mut Option<Fetch>) -> FromCatalog {
    loop {
        if let Some(past) = fetch {
            match past.next().await {
                Ok(Some(FetchItem::Object(object) | FetchItem::Datagram(object))) => {
                    return FromCatalog::Object(object);
                }
                Ok(Some(FetchItem::Gap { .. })) => {}
                Ok(None) => *fetch = None,
                Err(error) => {
                    tracing::debug!(%error, "the catalog's past does not come");
                    *fetch = None;
                }
            }
            continue;
        }
        match track.recv().await {
            Some(Received::Item(Item::Object(object) | Item::Datagram(object))) => {
                return FromCatalog::Object(object);
            }
            Some(Received::Item(Item::End { .. })) => {}
            Some(Received::Done { code, .. }) => return FromCatalog::Over(code),
            None => return FromCatalog::Over(DoneCode::InternalError),
        }
    }
}

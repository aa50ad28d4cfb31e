//! The room's tracks: subscriptions to them, and what they bring in order.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;
use shared::{
    moqt::{
        Fetch, FetchItem, FetchOptions, FetchRange, Filter, Item, Location, Object, Priority, Received,
        Refused, Session, Status, SubscribeOptions, Subscription,
    },
    naming::{Feed, Room},
    room::listener::{Chat, Danmaku, Missing, Reactions, State, Unreadable},
};
use tokio::task::JoinSet;

use super::Heard;

/// Groups of chat before the newest: with it 200 messages and more.
const HISTORY_GROUPS: u64 = 4;
/// Fetches of missing bullets at a time; past it gaps wait, and grow too old.
const MOST_FETCHES: usize = 4;
/// Urgency of what the room says: state before chat before bullets before taps.
const STATE: Priority = Priority(16);
const CHAT: Priority = Priority(24);
const DANMAKU: Priority = Priority(96);
const REACTIONS: Priority = Priority(160);

/// What one viewer hears.
#[derive(Debug, Default)]
pub(super) struct Ears {
    tracks: Option<Tracks>,
    state: State,
    chat: Chat,
    danmaku: Danmaku,
    reactions: Reactions,
    fetches: JoinSet<Vec<(Location, Bytes)>>,
    /// Emptied after each thing that was heard.
    heard: VecDeque<Heard>,
}

#[derive(Debug)]
struct Tracks {
    state: Subscription,
    chat: Subscription,
    past: Option<Fetch>,
    danmaku: Subscription,
    reactions: Subscription,
}

impl Ears {
    /// Takes up the room's tracks on a new connection. What was heard before is not heard again.
    pub(super) async fn open(&mut self, session: &Session, room: &Room) -> Result<(), Refused> {
        self.fetches.abort_all();
        let options = |priority, filter| SubscribeOptions { priority, filter, ..SubscribeOptions::default() };
        let chat = options(CHAT, Filter::LargestObject);
        let range = FetchRange::Relative { groups: HISTORY_GROUPS };
        let (state, joined, danmaku, reactions) = tokio::try_join!(
            session.subscribe(room.on_feed(Feed::State), options(STATE, Filter::Unfiltered)),
            session.join(room.on_feed(Feed::Chat), chat, range),
            session.subscribe(room.on_feed(Feed::Danmaku), options(DANMAKU, Filter::LargestObject)),
            session.subscribe(room.on_feed(Feed::Reactions), options(REACTIONS, Filter::LargestObject)),
        )?;
        let (chat, past) = joined;
        let now = Instant::now();
        self.state.reconnected();
        self.reactions.reconnected();
        self.danmaku.begin(danmaku.ok().largest);
        self.chat.begin(now, chat.ok().largest);
        // Where nothing was said yet there is no history.
        let past = past.ok();
        if past.is_none() {
            self.chat.past_is_over(now);
        }
        self.tracks = Some(Tracks { state, chat, past, danmaku, reactions });
        Ok(())
    }

    /// Waits for something on any track. Cancelling it loses nothing.
    ///
    /// # Errors
    /// [`Over`] once one of them ended: the session is to be left then.
    pub(super) async fn hear(&mut self) -> Result<(), Over> {
        let Some(tracks) = &mut self.tracks else { return std::future::pending().await };
        tokio::select! {
            received = tracks.state.recv() => {
                if let Some((at, payload)) = payload_of(received)? {
                    match self.state.take(at, &payload) {
                        Ok(Some(snapshot)) => {
                            self.heard.push_back(Heard::State(Box::new(snapshot.clone())));
                        }
                        Ok(None) => {}
                        Err(error) => complain(&error),
                    }
                }
            }
            received = tracks.chat.recv() => {
                let now = Instant::now();
                match received {
                    Some(Received::Item(Item::Object(object) | Item::Datagram(object))) => {
                        if object.status == Status::Normal {
                            self.chat.take(now, object.location(), object.payload);
                        }
                    }
                    Some(Received::Item(Item::End { group, .. })) => self.chat.end(now, group),
                    Some(Received::Done { .. }) | None => return Err(Over),
                }
            }
            item = next_of(&mut tracks.past) => match item {
                Some(FetchItem::Object(object) | FetchItem::Datagram(object)) => {
                    if let Err(error) = self.chat.past(object.location(), &object.payload) {
                        complain(&error);
                    }
                }
                Some(FetchItem::Gap { .. }) => {}
                None => {
                    tracks.past = None;
                    self.chat.past_is_over(Instant::now());
                }
            },
            received = tracks.danmaku.recv() => {
                if let Some((at, payload)) = payload_of(received)? {
                    self.bullet(at, &payload);
                }
            }
            received = tracks.reactions.recv() => {
                if let Some((at, payload)) = payload_of(received)? {
                    match self.reactions.take(at, &payload) {
                        Ok(Some(tally)) => self.heard.push_back(Heard::Tally(tally)),
                        Ok(None) => {}
                        Err(error) => complain(&error),
                    }
                }
            }
            Some(fetched) = self.fetches.join_next() => {
                for (at, payload) in fetched.unwrap_or_default() {
                    self.bullet(at, &payload);
                }
            }
        }
        Ok(())
    }

    /// The next thing that was heard.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Heard> {
        self.heard.pop_front().or_else(|| self.chat.poll(now).map(Heard::Line))
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let gaps = self.danmaku.deadline().filter(|_| self.fetches.len() < MOST_FETCHES);
        [self.chat.deadline(), gaps].into_iter().flatten().min()
    }

    /// Fetches bullets that did not come.
    pub(super) fn fetch_missing(&mut self, now: Instant, session: &Session, room: &Room) {
        while self.fetches.len() < MOST_FETCHES
            && let Some(missing) = self.danmaku.missing(now)
        {
            self.fetches.spawn(fetch(session.clone(), room.clone(), missing));
        }
    }

    fn bullet(&mut self, at: Location, payload: &[u8]) {
        match self.danmaku.take(Instant::now(), at, payload) {
            Ok(Some(bullet)) => self.heard.push_back(Heard::Bullet(bullet)),
            Ok(None) => {}
            Err(error) => complain(&error),
        }
    }
}

async fn fetch(session: Session, room: Room, missing: Missing) -> Vec<(Location, Bytes)> {
    let range = FetchRange::Standalone {
        track: room.on_feed(Feed::Danmaku),
        start: Location { group: missing.group, object: missing.first },
        end: Location { group: missing.group, object: missing.last },
    };
    let mut found = Vec::new();
    let Ok(mut fetch) = session.fetch(range, FetchOptions::from(DANMAKU)).await else { return found };
    while let Ok(Some(item)) = fetch.next().await {
        if let FetchItem::Object(object) | FetchItem::Datagram(object) = item {
            found.push((object.location(), object.payload));
        }
    }
    found
}

/// The next item of a fetch, `None` at its end; never, where there is none.
async fn next_of(fetch: &mut Option<Fetch>) -> Option<FetchItem> {
    match fetch {
        Some(fetch) => fetch.next().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// A track came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over;

/// The payload that was received, with its place. `None` where it was something else.
///
/// # Errors
/// [`Over`] where nothing follows.
pub(crate) fn payload_of(received: Option<Received>) -> Result<Option<(Location, Bytes)>, Over> {
    match received {
        Some(Received::Item(Item::Object(object) | Item::Datagram(object))) => Ok(normal(object)),
        Some(Received::Item(Item::End { .. })) => Ok(None),
        Some(Received::Done { .. }) | None => Err(Over),
    }
}

fn normal(object: Object) -> Option<(Location, Bytes)> {
    (object.status == Status::Normal).then(|| (object.location(), object.payload))
}

fn complain(error: &Unreadable) {
    tracing::debug!(%error, "something of the room is left out");
}

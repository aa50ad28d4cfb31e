//! The way to the relay and the room: connects, subscribes, comes back by itself.

use std::{pin::Pin, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use shared::{
    media::{FrameRate, Resolution, Timestamp},
    moqt::{
        self, Fetch, FetchRange, Filter, GroupId, Item, Location, NamespaceEvent, NamespaceSubscription,
        Priority, Refused, RequestCode, Session, SubscribeOptions, Subscription,
    },
    naming::Room,
    transport::{self, Kind, PathStats, Route, Watcher, tls},
};
use tokio::{sync::mpsc, time::sleep};
use url::Url;

use crate::{
    clock::Clock,
    config::{Config, Patience},
    state::State,
};
use moving::Link;

mod catalog;
mod feed;
mod merge;
mod moving;
#[cfg(test)]
mod tests;
mod watch;

/// Names one subscription to a media track for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FeedId(u64);

#[cfg(test)]
impl FeedId {
    /// A name for a test.
    pub(crate) const fn of(number: u64) -> Self {
        Self(number)
    }
}

/// What the session tells the playback.
#[derive(Debug)]
pub(crate) enum Event {
    /// Where the session stands.
    State(State),
    /// A picture track begins: the first, or the one to change to at its next keyframe.
    Video(VideoFeed),
    /// A sound track begins.
    Sound(SoundFeed),
    /// Something of a track.
    Item {
        /// Which.
        feed: FeedId,
        /// When it came.
        at: Timestamp,
        /// What.
        item: Item,
    },
    /// The broadcast is interrupted: what plays comes no further.
    Interrupted,
    /// What the path did so far.
    Path(Kind, PathStats),
    /// Nothing follows: the session is over.
    End(anyhow::Result<Leave>),
}

/// A picture track that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VideoFeed {
    pub(crate) id: FeedId,
    pub(crate) name: String,
    pub(crate) resolution: Option<Resolution>,
    pub(crate) frame_rate: Option<FrameRate>,
    /// What was published before it was subscribed to.
    pub(crate) largest: Option<Location>,
}

/// A sound track that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SoundFeed {
    pub(crate) id: FeedId,
    /// What was published before it was subscribed to.
    pub(crate) largest: Option<Location>,
}

/// What playback and display tell the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// Leave.
    Quit,
    /// The picture is shown in this size.
    Viewport(Resolution),
    /// This picture track plays now: the one before is no longer needed.
    Switched(FeedId),
    /// The group is broken: a keyframe is needed.
    NeedsKeyframe(FeedId, GroupId),
}

/// Why a session was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// The viewer wanted it.
    Quit,
    /// The broadcast has ended for good.
    Ended,
}

/// What is done with a session beside watching, for as long as it is used.
pub(crate) type Beside = Arc<dyn Fn(Session) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The session's side of the channels, and its settings.
pub(crate) struct Driver {
    config: Arc<Config>,
    clock: Clock,
    events: mpsc::Sender<Event>,
    control: mpsc::Receiver<Control>,
    viewport: Option<Resolution>,
    next_feed: u64,
    /// Who looks at the connections.
    watcher: Option<Arc<dyn Watcher>>,
    route: Route,
    /// What else is done with each session.
    beside: Option<Beside>,
    /// Whether the room was on air since the start.
    was_on_air: bool,
}

/// What happens to a room.
enum Turn {
    Leave(Leave),
    /// Not on air, or no longer.
    Offline,
    /// The relay sends elsewhere.
    Moved,
    /// The relay is gone.
    Lost(String),
}

impl Driver {
    pub(crate) fn new(
        config: Arc<Config>,
        clock: Clock,
        events: mpsc::Sender<Event>,
        control: mpsc::Receiver<Control>,
        watcher: Option<Arc<dyn Watcher>>,
        beside: Option<Beside>,
    ) -> Self {
        let route = Route::new(config.relay.clone());
        Self {
            config,
            clock,
            events,
            control,
            viewport: None,
            next_feed: 0,
            watcher,
            route,
            beside,
            was_on_air: false,
        }
    }

    /// Runs until the viewer leaves or the broadcast ends, and tells the playback so.
    pub(crate) async fn run(mut self) {
        let end = self.watch_room().await;
        let _ = self.events.send(Event::End(end)).await;
    }

    async fn watch_room(&mut self) -> anyhow::Result<Leave> {
        let mut backoff = Backoff::default();
        let mut reached = false;
        loop {
            self.tell(State::Connecting).await;
            let attempt = tokio::select! {
                attempt = connect(&self.config, self.watcher.clone(), self.route.url(), self.beside.as_ref()) => attempt,
                () = quit(&mut self.control, &mut self.viewport) => return Ok(Leave::Quit),
            };
            match attempt {
                Ok(link) => {
                    reached = true;
                    backoff = Backoff::default();
                    let _ = self.events.send(Event::Path(link.kind, link.session.stats())).await;
                    match self.stay(link).await? {
                        Turn::Leave(leave) => return Ok(leave),
                        Turn::Moved => continue,
                        Turn::Offline => {}
                        Turn::Lost(reason) => tracing::warn!(reason, "the relay is gone: connecting again"),
                    }
                    self.interrupted().await;
                }
                Err(error) if !reached => return Err(error),
                Err(error) => {
                    tracing::debug!(error = format!("{error:#}"), "the relay is still away");
                    self.route.failed();
                }
            }
            if !self.pause(backoff.next()).await {
                return Ok(Leave::Quit);
            }
        }
    }

    /// Watches the room as long as the session lives, over any number of broadcasts.
    async fn stay(&mut self, mut link: Link) -> anyhow::Result<Turn> {
        let mut backoff = Backoff::default();
        let mut announced: Option<NamespaceSubscription> = None;
        loop {
            let joined = tokio::select! {
                joined = join(&link.session, &self.config.room) => joined,
                () = quit(&mut self.control, &mut self.viewport) => return Ok(Turn::Leave(Leave::Quit)),
            };
            let mut reason = "nothing came from it".to_owned();
            let mut is_leaving = link.is_leaving;
            match joined {
                Ok((subscription, fetch)) => match self.watch(&mut link, subscription, fetch).await? {
                    Turn::Offline => {}
                    turn => return Ok(turn),
                },
                Err(Refused::Session(error)) => return Ok(Turn::Lost(error.to_string())),
                Err(refused) => {
                    let room = &self.config.room;
                    reason = refused.to_string();
                    is_leaving |= is_going(&refused);
                    if let Refused::Error { code, .. } = refused
                        && is_about_access(code)
                    {
                        bail!("the relay does not let you into room {room} ({reason}): pass a valid --token");
                    }
                }
            }
            self.interrupted().await;
            if !self.was_on_air && self.config.patience == Patience::Fail && !is_leaving {
                let room = &self.config.room;
                bail!("room {room} is not on air ({reason}): check --room, or wait for it with --wait");
            }
            self.tell(State::Offline).await;
            if announced.is_none() && !is_leaving {
                announced = link.session.subscribe_namespace(self.config.room.stage()).await.ok();
            }
            tokio::select! {
                () = sleep(backoff.next()) => {}
                () = published(&mut announced) => backoff = Backoff::default(),
                Some(going) = link.session.going_away(), if !link.is_leaving => {
                    link.is_leaving = true;
                    if self.follow(&going) {
                        return Ok(Turn::Moved);
                    }
                }
                closed = link.session.closed() => return Ok(Turn::Lost(closed.reason)),
                () = quit(&mut self.control, &mut self.viewport) => return Ok(Turn::Leave(Leave::Quit)),
            }
        }
    }

    /// Waits; `false` where the viewer left meanwhile.
    async fn pause(&mut self, time: Duration) -> bool {
        tokio::select! {
            () = sleep(time) => true,
            () = quit(&mut self.control, &mut self.viewport) => false,
        }
    }

    async fn tell(&self, state: State) {
        let _ = self.events.send(Event::State(state)).await;
    }

    async fn interrupted(&self) {
        let _ = self.events.send(Event::Interrupted).await;
    }

    fn new_feed(&mut self) -> FeedId {
        self.next_feed += 1;
        FeedId(self.next_feed)
    }
}

/// Whether the relay refuses for no other reason than that it goes away.
fn is_going(refused: &Refused) -> bool {
    matches!(refused, Refused::Error { code: RequestCode::GoingAway, .. })
}

pub(crate) fn is_about_access(code: RequestCode) -> bool {
    [RequestCode::Unauthorized, RequestCode::MalformedAuthToken, RequestCode::ExpiredAuthToken]
        .contains(&code)
}

/// Connects to a relay for watching.
async fn connect(
    config: &Config,
    watcher: Option<Arc<dyn Watcher>>,
    relay: &Url,
    beside: Option<&Beside>,
) -> anyhow::Result<Link> {
    let (session, kind) = reach(&config.trust, config.token.as_deref(), watcher, relay).await?;
    Ok(Link::new(session, kind, beside))
}

/// Connects and sets a session up. Requests of the relay are refused: a player serves nothing.
pub(crate) async fn reach(
    trust: &tls::Trust,
    token: Option<&str>,
    watcher: Option<Arc<dyn Watcher>>,
    relay: &Url,
) -> anyhow::Result<(Session, Kind)> {
    let client = transport::ClientConfig { trust: trust.clone(), watcher, ..Default::default() };
    let connection =
        transport::connect(relay, &client).await.with_context(|| format!("no connection to {relay}"))?;
    let kind = connection.kind();
    let mut settings = moqt::Config::new(moqt::Role::Client);
    settings.tokens = token.map(moqt::AuthToken::jwt).into_iter().collect();
    if kind == Kind::Quic {
        settings.authority = Some(relay.authority().to_owned());
        settings.path = Some(match relay.query() {
            Some(query) => format!("{}?{query}", relay.path()),
            None => relay.path().to_owned(),
        });
    }
    let (session, _) = moqt::start(connection, settings)
        .await
        .with_context(|| format!("{relay} is no relay that can be used"))?;
    Ok((session, kind))
}

/// Joins the catalog of a room: the track from now on, and what it is by now.
async fn join(session: &Session, room: &Room) -> Result<(Subscription, Result<Fetch, Refused>), Refused> {
    let options = SubscribeOptions {
        priority: Priority(16),
        filter: Filter::LargestObject,
        ..SubscribeOptions::default()
    };
    session.join(room.catalog(), options, FetchRange::Relative { groups: 0 }).await
}

/// Waits until the viewer leaves, keeping the size of the picture meanwhile.
async fn quit(control: &mut mpsc::Receiver<Control>, viewport: &mut Option<Resolution>) {
    loop {
        match control.recv().await {
            Some(Control::Viewport(size)) => *viewport = Some(size),
            Some(Control::Switched(_) | Control::NeedsKeyframe(..)) => {}
            Some(Control::Quit) | None => return,
        }
    }
}

/// Waits until the namespace is published; for ever where nobody tells.
async fn published(announced: &mut Option<NamespaceSubscription>) {
    while let Some(subscription) = announced {
        match subscription.next().await {
            Some(NamespaceEvent::Published(_)) => return,
            Some(NamespaceEvent::Withdrawn(_)) => {}
            None => *announced = None,
        }
    }
    std::future::pending().await
}

/// Grows from try to try: 100 ms, then half as much again, up to 3 s.
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(100))
    }
}

impl Backoff {
    /// The time to wait before the next try.
    pub(crate) fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 3 / 2).min(Duration::from_secs(3));
        now
    }
}

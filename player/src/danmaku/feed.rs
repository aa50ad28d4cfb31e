//! Bullets of a room as they come: beside the media, which never waits for them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use shared::{
    media::Timestamp,
    moqt::{FetchItem, FetchOptions, FetchRange, Filter, Location, Priority, Session, SubscribeOptions},
    naming::{Feed, Room},
    room::{
        Role,
        danmaku::{Bullet, Mode},
        listener::Danmaku,
    },
};

use super::{
    Settings,
    lanes::Rank,
    sprite::{Fonts, Sprite},
};
use crate::{clock::until, interact::ears::payload_of};

/// After the picture, before what is enhanced of it.
const PRIORITY: Priority = Priority(96);
/// Bullets that wait to be drawn, and drawn ones that wait to be shown. When full, bullets are lost: nobody
/// could read that many.
const MOST: usize = 64;

/// A bullet that is ready to be shown.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) sprite: Sprite,
    pub(crate) mode: Mode,
    pub(crate) rank: Rank,
    /// Where in the broadcast its writer was.
    pub(crate) media: Option<Timestamp>,
}

/// The window's end.
#[derive(Debug)]
pub(crate) struct Bullets {
    pub(crate) ready: Receiver<Ready>,
    pub(crate) letters: Letters,
    pub(crate) settings: Settings,
}

/// How tall letters are in pixels: the window says so, and the thread that makes them listens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Letters(Arc<AtomicU32>);

impl Letters {
    pub(crate) fn set(&self, pixels: u32) {
        self.0.store(pixels, Ordering::Relaxed);
    }
}

/// The session's end: hears a room's bullets. Once all clones are dropped, the thread that draws letters ends.
#[derive(Debug, Clone)]
pub(crate) struct Ear {
    room: Room,
    heard: SyncSender<Bullet>,
}

/// Both ends for a room. Letters are drawn in a thread of their own: fonts are looked for, and read, when the
/// first bullet comes.
pub(crate) fn open(room: Room, settings: Settings) -> std::io::Result<(Ear, Bullets)> {
    let (heard, bullets) = sync_channel::<Bullet>(MOST);
    let (drawn, ready) = sync_channel(MOST);
    let (letters, hidden) = (Letters::default(), settings.clone());
    let size = letters.clone();
    thread::Builder::new().name("letters".into()).spawn(move || {
        let mut fonts = None;
        for bullet in bullets {
            if hidden.hides(&bullet.text) {
                continue;
            }
            let Some(fonts) = fonts.get_or_insert_with(Fonts::of_the_system) else { continue };
            let pixels = size.0.load(Ordering::Relaxed).max(8) as f32;
            let sprite = fonts.draw(&bullet.text, bullet.color, pixels);
            let rank = rank(bullet.from.role);
            let _ = drawn.try_send(Ready { sprite, mode: bullet.mode, rank, media: bullet.media });
        }
    })?;
    Ok((Ear { room, heard }, Bullets { ready, letters, settings }))
}

fn rank(role: Role) -> Rank {
    match role {
        Role::Viewer => Rank::Viewer,
        Role::Moderator => Rank::Moderator,
        Role::Host => Rank::Host,
    }
}

impl Ear {
    /// Hears the bullets of a session until that is over. Where the room has none, it is done at once.
    pub(crate) async fn follow(self, session: Session) {
        let track = self.room.on_feed(Feed::Danmaku);
        let options = SubscribeOptions {
            priority: PRIORITY,
            filter: Filter::LargestObject,
            ..SubscribeOptions::default()
        };
        let mut subscription = match session.subscribe(track.clone(), options).await {
            Ok(subscription) => subscription,
            Err(refused) => return tracing::debug!(%refused, "the room has no danmaku"),
        };
        let mut danmaku = Danmaku::default();
        danmaku.begin(subscription.ok().largest);
        loop {
            tokio::select! {
                received = subscription.recv() => match payload_of(received) {
                    Ok(Some((at, payload))) => self.take(&mut danmaku, at, &payload),
                    Ok(None) => {}
                    Err(_) => return,
                },
                () = until(danmaku.deadline()) => {}
            }
            while let Some(missing) = danmaku.missing(Instant::now()) {
                let range = FetchRange::Standalone {
                    track: track.clone(),
                    start: Location { group: missing.group, object: missing.first },
                    end: Location { group: missing.group, object: missing.last },
                };
                let Ok(mut fetch) = session.fetch(range, FetchOptions::from(PRIORITY)).await else {
                    continue;
                };
                while let Ok(Some(item)) = fetch.next().await {
                    if let FetchItem::Object(object) | FetchItem::Datagram(object) = item {
                        self.take(&mut danmaku, object.location(), &object.payload);
                    }
                }
            }
        }
    }

    fn take(&self, danmaku: &mut Danmaku, at: Location, payload: &[u8]) {
        match danmaku.take(Instant::now(), at, payload) {
            Ok(Some(bullet)) => {
                let _ = self.heard.try_send(bullet);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a bullet is left out"),
        }
    }
}

//! One fetch at the publisher for all who ask for the same range at the same time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use shared::moqt::{FetchItem, FetchOptions, FetchRange, GroupOrder, Location, Refused, Session, TrackName};
use tokio::sync::{Notify, Semaphore};

use crate::{metrics::Metrics, tasks::Tasks};

/// Fetches of one track that its publisher is asked for at one time; a further one waits for its turn.
const MAX_AT_ONCE: usize = 8;
/// Bytes of one answer that are kept for those who read it together; past it each asks for the rest itself.
const SHARED_BYTES: usize = 8 << 20;
/// What an item costs beside its bytes.
const OVERHEAD: usize = 200;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) start: Location,
    pub(super) end: Location,
    pub(super) order: GroupOrder,
}

/// Where a track's past can be had.
#[derive(Debug, Clone)]
pub(super) struct Past {
    session: Session,
    pub(super) track: TrackName,
    places: Arc<Semaphore>,
    /// How long one fetch may wait for it.
    pub(super) patience: Duration,
    under_way: Arc<Mutex<HashMap<Asked, Weak<Answer>>>>,
}

/// What the publisher answers, for as long as somebody reads it.
#[derive(Debug, Default)]
pub(super) struct Answer {
    so_far: Mutex<SoFar>,
    more: Notify,
}

#[derive(Debug, Default)]
struct SoFar {
    items: Vec<FetchItem>,
    bytes: usize,
    end: Option<End>,
}

/// Why no more comes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// That was all.
    Whole,
    /// The rest is too much to be kept: whoever needs it asks for it.
    TooMuch,
    /// The publisher gives no more.
    Refused(Refused),
}

impl Past {
    /// At the track's publisher.
    pub(super) fn new(session: Session, track: TrackName, patience: Duration) -> Self {
        let (places, under_way) = (Arc::new(Semaphore::new(MAX_AT_ONCE)), Arc::default());
        Self { session, track, places, patience, under_way }
    }

    /// The publisher's answer for a range: one that is under way, or else another that begins now.
    pub(super) fn ask(
        &self,
        asked: Asked,
        options: FetchOptions,
        metrics: &Arc<Metrics>,
        tasks: &Tasks,
    ) -> Arc<Answer> {
        let mut under_way = lock(&self.under_way);
        under_way.retain(|_, answer| answer.strong_count() > 0);
        if let Some(answer) = under_way.get(&asked).and_then(Weak::upgrade) {
            metrics.fetches_merged.add(1);
            return answer;
        }
        let answer = Arc::new(Answer::default());
        under_way.insert(asked, Arc::downgrade(&answer));
        metrics.fetches_upstream.add(1);
        tasks.spawn(self.clone().read(asked, options, Arc::downgrade(&answer)));
        answer
    }

    async fn read(self, asked: Asked, options: FetchOptions, answer: Weak<Answer>) {
        let read = self.pass_on(asked, options, &answer);
        let end = match read.await {
            Ok(end) => end,
            Err(refused) => End::Refused(refused),
        };
        // From here on another asks anew.
        lock(&self.under_way).remove(&asked);
        if let Some(answer) = answer.upgrade() {
            lock(&answer.so_far).end = Some(end);
            answer.more.notify_waiters();
        }
    }

    async fn pass_on(
        &self,
        asked: Asked,
        options: FetchOptions,
        answer: &Weak<Answer>,
    ) -> Result<End, Refused> {
        let Ok(_place) = self.places.acquire().await else { return Ok(End::Whole) };
        let Asked { start, end, order } = asked;
        let range = FetchRange::Standalone { track: self.track.clone(), start, end };
        let mut fetch = self.session.fetch(range, FetchOptions { order, ..options }).await?;
        while let Some(item) = fetch.next().await? {
            // Nobody reads it any more: dropping the fetch cancels it.
            let Some(answer) = answer.upgrade() else { return Ok(End::Whole) };
            let mut so_far = lock(&answer.so_far);
            so_far.bytes += cost(&item);
            if so_far.bytes > SHARED_BYTES && !so_far.items.is_empty() {
                return Ok(End::TooMuch);
            }
            so_far.items.push(item);
            drop(so_far);
            answer.more.notify_waiters();
        }
        Ok(End::Whole)
    }
}

impl Answer {
    /// The item of this number, or why there is none. Cancelling it loses nothing.
    pub(super) async fn item(&self, number: usize) -> Result<FetchItem, End> {
        loop {
            let more = self.more.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            {
                let so_far = lock(&self.so_far);
                if let Some(item) = so_far.items.get(number) {
                    return Ok(item.clone());
                }
                if let Some(end) = &so_far.end {
                    return Err(end.clone());
                }
            }
            more.await;
        }
    }
}

fn cost(item: &FetchItem) -> usize {
    OVERHEAD
        + match item {
            FetchItem::Object(object) | FetchItem::Datagram(object) => {
                object.payload.len() + object.properties.0.len()
            }
            FetchItem::Gap { .. } => 0,
        }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

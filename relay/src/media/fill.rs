//! What a fetch asks the publisher for, where the cache lacks it (draft-18 §10.2.5, §10.12.3).

use std::{sync::Arc, time::Duration};

use shared::moqt::{
    FetchItem, FetchOptions, FetchRange, FetchRequest, FetchWriter, GroupId, GroupOrder, Location, ObjectId,
    Refused, Session, TrackName,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

/// Fetches of one track that its publisher is asked for at one time; a further one waits for its turn.
const MAX_AT_ONCE: usize = 8;

/// Where a track's past can be had.
#[derive(Debug, Clone)]
pub(super) struct Past {
    session: Session,
    track: TrackName,
    places: Arc<Semaphore>,
    /// How long one fetch may wait for it.
    patience: Duration,
}

impl Past {
    /// At the track's publisher.
    pub(super) fn new(session: Session, track: TrackName, patience: Duration) -> Self {
        Self { session, track, places: Arc::new(Semaphore::new(MAX_AT_ONCE)), patience }
    }
}

/// Fills the gaps of one answer.
#[derive(Debug)]
pub(super) struct Filler {
    past: Option<Past>,
    order: GroupOrder,
    options: FetchOptions,
    until: Instant,
}

impl Filler {
    /// For this request, whose time begins now. Gaps of an answer from the newest group to the oldest stay:
    /// they are said to be unknown.
    pub(super) fn new(past: Option<Past>, request: &FetchRequest) -> Self {
        let order = request.order();
        let past = past.filter(|_| order == GroupOrder::Ascending);
        let longest = past.as_ref().map_or(Duration::ZERO, |past| past.patience);
        let time = request.fill_timeout().unwrap_or(longest).min(longest);
        let options = FetchOptions { priority: request.priority(), ..FetchOptions::default() };
        Self { past, order, options, until: Instant::now() + time }
    }

    /// Sends what is between two locations, both included, as far as it can be had in time; the rest is said
    /// to be unknown. Gives the objects that were sent, `None` where the subscriber is gone.
    pub(super) async fn fill(&self, start: Location, end: Location, writer: &mut FetchWriter) -> Option<u64> {
        let mut filling = Filling { next: Some(start), end, objects: 0 };
        let is_whole = match &self.past {
            Some(past) if Instant::now() < self.until => {
                match timeout_at(self.until, self.ask(past, &mut filling, writer)).await {
                    Ok(Ok(Heard::All)) => true,
                    Ok(Ok(Heard::Nobody)) => return None,
                    Ok(Err(refused)) => {
                        tracing::debug!(track = %past.track, %refused, "the publisher lacks what is asked for");
                        false
                    }
                    Err(_) => {
                        tracing::debug!(track = %past.track, "the publisher did not send the past in time");
                        false
                    }
                }
            }
            _ => false,
        };
        let is_open = match self.order {
            GroupOrder::Ascending => filling.next.is_some_and(|next| next <= end),
            GroupOrder::Descending => true,
        };
        let is_gap = !is_whole && is_open;
        if is_gap && !writer.send(FetchItem::Gap { end, nonexistent: false }).await {
            return None;
        }
        Some(filling.objects)
    }

    async fn ask(
        &self,
        past: &Past,
        filling: &mut Filling,
        writer: &mut FetchWriter,
    ) -> Result<Heard, Refused> {
        let Ok(_place) = past.places.acquire().await else { return Ok(Heard::All) };
        let Some(start) = filling.next else { return Ok(Heard::All) };
        let range = FetchRange::Standalone { track: past.track.clone(), start, end: filling.end };
        let left = self.until.saturating_duration_since(Instant::now());
        let options = FetchOptions { fill_timeout: Some(left), ..self.options };
        let mut fetch = past.session.fetch(range, options).await?;
        while let Some(item) = fetch.next().await? {
            if let Some(item) = filling.take(item)
                && !writer.send(item).await
            {
                return Ok(Heard::Nobody);
            }
        }
        Ok(Heard::All)
    }
}

/// Whether what the publisher has was passed on.
enum Heard {
    All,
    /// The subscriber is gone.
    Nobody,
}

/// How far a gap is filled.
struct Filling {
    /// The first location of which nothing was sent; `None` past the last one there is.
    next: Option<Location>,
    end: Location,
    objects: u64,
}

impl Filling {
    /// What of an item is in the gap, and follows what was sent.
    fn take(&mut self, item: FetchItem) -> Option<FetchItem> {
        let (at, item) = match item {
            FetchItem::Object(object) => (object.location(), FetchItem::Object(object)),
            FetchItem::Datagram(object) => (object.location(), FetchItem::Datagram(object)),
            FetchItem::Gap { end, nonexistent } => {
                let end = end.min(self.end);
                (end, FetchItem::Gap { end, nonexistent })
            }
        };
        if at > self.end || self.next.is_none_or(|next| at < next) {
            return None;
        }
        self.objects += u64::from(!matches!(item, FetchItem::Gap { .. }));
        self.next = after(at);
        Some(item)
    }
}

/// The location after one; `None` for the last there is.
pub(super) fn after(at: Location) -> Option<Location> {
    let next = at.object.0.checked_add(1).map(|object| Location { object: ObjectId(object), ..at });
    next.or_else(|| Some(Location { group: GroupId(at.group.0.checked_add(1)?), object: ObjectId(0) }))
}

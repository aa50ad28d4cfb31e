//! What a fetch asks the publisher for, where the cache lacks it (draft-18 §10.2.5, §10.12.3).

use std::{cmp::Reverse, sync::Arc, time::Duration};

use shared::moqt::{
    FetchItem, FetchOptions, FetchRequest, FetchWriter, GroupId, GroupOrder, Location, ObjectId, Refused,
};
use tokio::time::{Instant, timeout_at};

use super::past::{Asked, End, Past};
use crate::{metrics::Metrics, tasks::Tasks};

/// Fills the gaps of one answer.
#[derive(Debug)]
pub(super) struct Filler {
    past: Option<Past>,
    asked: Asked,
    options: FetchOptions,
    until: Instant,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

impl Filler {
    /// For this request, whose time begins now, and whose answer covers what is up to `end`.
    pub(super) fn new(
        past: Option<Past>,
        request: &FetchRequest,
        end: Location,
        metrics: Arc<Metrics>,
        tasks: Tasks,
    ) -> Self {
        let asked = Asked { start: request.range().0, end, order: request.order() };
        let longest = past.as_ref().map_or(Duration::ZERO, |past| past.patience);
        let time = request.fill_timeout().unwrap_or(longest).min(longest);
        let options = FetchOptions { priority: request.priority(), ..FetchOptions::default() };
        Self { past, asked, options, until: Instant::now() + time, metrics, tasks }
    }

    /// Where the answer begins.
    pub(super) fn first(&self) -> Location {
        first(self.asked)
    }

    /// The location after one in the order of the answer; `None` for the last there is.
    pub(super) fn after(&self, at: Location) -> Option<Location> {
        after(at, self.asked.order)
    }

    /// Sends what is between two locations in the order of the answer, both included, as far as it can be had
    /// in time; the rest is said to be unknown. Gives the objects that were sent, `None` where the subscriber
    /// is gone.
    pub(super) async fn fill(&self, start: Location, end: Location, writer: &mut FetchWriter) -> Option<u64> {
        let mut filling = Filling { asked: self.asked, next: Some(start), end, objects: 0 };
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
        let is_gap = !is_whole && filling.is_open();
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
        loop {
            let Some(asked) = filling.rest() else { return Ok(Heard::All) };
            let left = self.until.saturating_duration_since(Instant::now());
            let options = FetchOptions { fill_timeout: Some(left), ..self.options };
            let answer = past.ask(asked, options, &self.metrics, &self.tasks);
            let mut number = 0;
            let end = loop {
                let item = match answer.item(number).await {
                    Ok(item) => item,
                    Err(end) => break end,
                };
                number += 1;
                if let Some(item) = filling.take(item)
                    && !writer.send(item).await
                {
                    return Ok(Heard::Nobody);
                }
            };
            match end {
                End::Whole => return Ok(Heard::All),
                End::Refused(refused) => return Err(refused),
                End::TooMuch => {}
            }
        }
    }
}

/// Whether what the publisher has was passed on.
enum Heard {
    All,
    /// The subscriber is gone.
    Nobody,
}

/// How far a gap is filled.
#[derive(Debug)]
struct Filling {
    asked: Asked,
    /// The first location of which nothing was sent; `None` past the last one there is.
    next: Option<Location>,
    end: Location,
    objects: u64,
}

impl Filling {
    fn is_open(&self) -> bool {
        let order = self.asked.order;
        self.next.is_some_and(|next| !is_before(self.end, next, order))
    }

    /// What of an item is in the gap, and follows what was sent.
    fn take(&mut self, item: FetchItem) -> Option<FetchItem> {
        let order = self.asked.order;
        let (at, item) = match item {
            FetchItem::Object(object) => (object.location(), FetchItem::Object(object)),
            FetchItem::Datagram(object) => (object.location(), FetchItem::Datagram(object)),
            FetchItem::Gap { end, nonexistent } => {
                let end = if is_before(self.end, end, order) { self.end } else { end };
                (end, FetchItem::Gap { end, nonexistent })
            }
        };
        let is_gap = matches!(item, FetchItem::Gap { .. });
        let is_asked = is_gap || (self.asked.start..=self.asked.end).contains(&at);
        let is_past = is_before(self.end, at, order);
        if !is_asked || is_past || self.next.is_none_or(|next| is_before(at, next, order)) {
            return None;
        }
        self.objects += u64::from(!is_gap);
        self.next = after(at, order);
        Some(item)
    }

    /// The smallest range that holds what is still missing.
    fn rest(&self) -> Option<Asked> {
        if !self.is_open() {
            return None;
        }
        let (next, Asked { start, end, order }) = (self.next?, self.asked);
        let (lowest, highest) = match order {
            GroupOrder::Ascending => (next, self.end),
            GroupOrder::Descending if next.group == self.end.group => (next, self.end),
            GroupOrder::Descending => (
                Location { group: self.end.group, object: ObjectId(0) },
                Location { group: next.group, object: ObjectId(u64::MAX) },
            ),
        };
        Some(Asked { start: lowest.max(start), end: highest.min(end), order })
    }
}

/// Where an answer begins.
fn first(asked: Asked) -> Location {
    match asked.order {
        GroupOrder::Ascending => asked.start,
        GroupOrder::Descending => asked.start.max(Location { group: asked.end.group, object: ObjectId(0) }),
    }
}

/// Whether one location comes before another in an answer: objects of a group always ascend.
fn is_before(one: Location, other: Location, order: GroupOrder) -> bool {
    match order {
        GroupOrder::Ascending => one < other,
        GroupOrder::Descending => (Reverse(one.group), one.object) < (Reverse(other.group), other.object),
    }
}

/// The location after one; `None` for the last there is.
fn after(at: Location, order: GroupOrder) -> Option<Location> {
    let next = at.object.0.checked_add(1).map(|object| Location { object: ObjectId(object), ..at });
    let group = match order {
        GroupOrder::Ascending => at.group.0.checked_add(1),
        GroupOrder::Descending => at.group.0.checked_sub(1),
    };
    next.or_else(|| Some(Location { group: GroupId(group?), object: ObjectId(0) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = u64::MAX;

    fn asked(start: (u64, u64), end: (u64, u64), order: GroupOrder) -> Asked {
        Asked { start: Location::new(start.0, start.1), end: Location::new(end.0, end.1), order }
    }

    #[test]
    fn what_is_missing_of_a_descending_answer_is_asked_for_in_one_range() {
        let whole = asked((3, 2), (7, 5), GroupOrder::Descending);
        assert_eq!(first(whole), Location::new(7, 0));
        let rest = |next: (u64, u64), end: (u64, u64)| {
            let (next, end) = (Some(Location::new(next.0, next.1)), Location::new(end.0, end.1));
            Filling { asked: whole, next, end, objects: 0 }.rest()
        };
        assert_eq!(rest((7, 0), (3, MAX)), Some(whole));
        assert_eq!(rest((6, 4), (5, 1)), Some(asked((5, 0), (6, MAX), GroupOrder::Descending)));
        assert_eq!(rest((5, 4), (5, 9)), Some(asked((5, 4), (5, 9), GroupOrder::Descending)));
        assert_eq!(rest((4, 0), (5, 9)), None, "it is filled");
    }

    #[test]
    fn only_what_is_missing_is_passed_on_in_a_descending_answer() {
        let whole = asked((3, 2), (7, 5), GroupOrder::Descending);
        let (next, end) = (Some(Location::new(6, 4)), Location::new(5, 1));
        let mut filling = Filling { asked: whole, next, end, objects: 0 };
        let gap = |group, object| FetchItem::Gap { end: Location::new(group, object), nonexistent: true };
        assert_eq!(filling.take(gap(6, 3)), None, "it was told before");
        assert_eq!(filling.take(gap(6, MAX)), Some(gap(6, MAX)));
        assert_eq!(filling.next, Some(Location::new(5, 0)));
        assert_eq!(filling.take(gap(4, 1)), Some(gap(5, 1)), "no further than the gap goes");
        assert!(!filling.is_open());
    }
}

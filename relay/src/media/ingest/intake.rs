//! What comes from the publisher: it is kept, and handed to the viewers. What came together goes together, so
//! that a group's end and the next group's start are one packet to each of them.

use std::{task::Poll, time::Instant};

use shared::moqt::{Item, Received, SubgroupEnd};

use super::{Flow, Held, Ingest};
use crate::clock::now;

/// Items that are handed over at once, at most.
const TOGETHER: usize = 32;
/// Open subgroups of a track that are remembered.
const MAX_OPEN: usize = 1024;

impl Ingest {
    /// Takes an item in, and those that came with it. What came after them and is no item is given back.
    pub(super) async fn take_in(&mut self, first: Item, flow: &mut Flow) -> Option<Option<Received>> {
        let mut next = Poll::Ready(Some(Received::Item(first)));
        let ended = loop {
            match next {
                Poll::Ready(Some(Received::Item(item))) => self.item(item, flow.began()).await,
                Poll::Ready(ended) => break Some(ended),
                Poll::Pending => break None,
            }
            if self.together.len() >= TOGETHER {
                break None;
            }
            next = flow.try_next();
        };
        self.pass().await;
        ended
    }

    /// Takes one item in; it is passed on with those to come.
    async fn item(&mut self, item: Item, began: Instant) {
        match self.seam.hold(&item) {
            Held::Passed => {}
            Held::Anew => {
                self.pass().await;
                self.begin_anew();
            }
            Held::Repeated => {
                let is_object = !matches!(item, Item::End { .. });
                return self.context.metrics.objects_repeated.add(u64::from(is_object));
            }
        }
        tracing::trace!(track = %self.name, ?item, "forwarding");
        self.count(&item);
        match &item {
            // What was on its way when the flow was paused would be old by the time that it is wanted.
            Item::Object(object) | Item::Datagram(object) if !self.is_forwarding => {
                self.cache.heard_of(Some(object.location()));
            }
            Item::Object(_) | Item::Datagram(_) | Item::End { .. } => self.cache.push(began, &item),
        }
        self.note(&item);
        self.together.push((began, item));
    }

    /// Hands what gathered to the viewers.
    async fn pass(&mut self) {
        let mut items = std::mem::take(&mut self.together);
        self.fanout.pass(&items).await;
        if !self.fanout.is_empty() {
            let now = now();
            for (began, _) in items.iter().filter(|(_, item)| !matches!(item, Item::End { .. })) {
                let took = now.saturating_duration_since(*began);
                self.meter.fanout.observe(took);
                self.context.metrics.fanout.observe(took);
            }
        }
        self.gauge_cache();
        self.spare();
        if self.fetches.deadline().is_some() && !self.cache.is_behind() {
            self.answer_early();
        }
        let has_object = items.iter().any(|(_, item)| matches!(item, Item::Object(_)));
        if self.is_forwarding && !self.has_looked && has_object {
            // A track that is taken up in the middle of a group starts for viewers with the next one.
            self.has_looked = true;
            if !self.cache.has_start() {
                self.ask_for_new_group();
            }
        }
        items.clear();
        self.together = items;
    }

    fn count(&mut self, item: &Item) {
        match item {
            Item::Object(object) | Item::Datagram(object) => {
                let bytes = object.payload.len() as u64;
                self.objects += 1;
                self.bytes += bytes;
                self.context.metrics.objects_in.add(1);
                self.context.metrics.bytes_in.add(bytes);
                self.meter.objects_in.add(1);
                self.meter.bytes_in.add(bytes);
            }
            Item::End { end: SubgroupEnd::Reset(code), .. } => {
                self.context.metrics.resets_received.add(*code);
            }
            Item::End { .. } => {}
        }
    }

    /// Notes which subgroups are open; past the bound the oldest are forgotten.
    fn note(&mut self, item: &Item) {
        match item {
            Item::Object(object) => {
                self.open.insert((object.subgroup.group, object.subgroup.id));
                if self.open.len() > MAX_OPEN {
                    self.open.pop_first();
                }
            }
            Item::End { group, subgroup, .. } => {
                self.open.remove(&(*group, *subgroup));
            }
            Item::Datagram(_) => {}
        }
    }
}

//! A track goes on with another publisher (draft-18 §9.5): its viewers stay where group IDs go on growing.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use shared::{
    event::SessionId,
    moqt::{
        DoneCode, GroupId, Item, Location, Refused, ResetCode, SubgroupEnd, SubscribeOptions, Subscription,
    },
};

use super::{
    super::{Heir, Keep, cache::Cache, new_group::NewGroups, past::Past},
    Ingest,
    upstream::Flow,
};
use crate::clock::{now, until};

/// How long a publisher that is to go on with a track may take for its answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Why viewers of a track have to ask for it again.
const NOT_CONTINUED: &str = "another publisher took over, which does not go on from there: subscribe again";

/// A subscription at the next publisher that is being asked for.
pub(super) struct Following {
    heir: Heir,
    answer: Pin<Box<dyn Future<Output = Result<Subscription, Refused>> + Send>>,
    until: Instant,
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").field("owner", &self.heir.owner).finish_non_exhaustive()
    }
}

/// What the objects of one publisher after another are held against.
#[derive(Debug, Default)]
pub(super) struct Seam {
    /// Up to here its predecessors' groups reached; those are not passed on again.
    floor: Option<GroupId>,
    /// Nothing of it says yet whether its groups go on from there.
    is_unproven: bool,
    /// Who refused to go on with the track.
    refused_by: Option<SessionId>,
    /// Whether anything came of the present publisher: one that gave nothing is followed by nobody.
    has_given: bool,
}

/// What becomes of an item of a publisher that took over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// It is passed on.
    Passed,
    /// Its group was reached before.
    Repeated,
    /// Its groups do not go on: all begins anew with it.
    Anew,
}

impl Seam {
    /// After the groups up to here; the next publisher tells of this largest location.
    fn after(floor: Option<GroupId>, told: Option<Location>) -> Self {
        Self { floor, is_unproven: told.is_none(), ..Self::default() }
    }

    pub(super) fn hold(&mut self, item: &Item) -> Held {
        let (group, is_object) = match item {
            Item::Object(object) | Item::Datagram(object) => (object.subgroup.group, true),
            Item::End { group, .. } => (*group, false),
        };
        self.has_given |= is_object;
        let Some(floor) = self.floor else { return Held::Passed };
        let is_proof = std::mem::take(&mut self.is_unproven);
        match group {
            _ if group > floor => Held::Passed,
            _ if is_proof && is_object && group < floor => Held::Anew,
            _ => Held::Repeated,
        }
    }
}

impl Ingest {
    /// Asks another publisher for the track; what comes meanwhile is still taken from the present one.
    pub(super) fn follow(&mut self, heir: Heir) {
        let is_known = match &self.following {
            Some(following) => following.heir.owner == heir.owner,
            None => self.publisher.owner == heir.owner && self.publisher.broadcast == heir.broadcast,
        };
        if is_known || self.is_local {
            return;
        }
        let (session, name) = (heir.session.clone(), self.name.clone());
        let (priority, forward) = (self.priority, self.is_forwarding);
        let options = SubscribeOptions { priority, forward, ..SubscribeOptions::default() };
        let answer = Box::pin(async move { session.subscribe(name, options).await });
        self.following = Some(Following { heir, answer, until: now() + ANSWER });
    }

    /// The next publisher's answer. Cancelling it loses nothing.
    pub(super) async fn followed(following: &mut Option<Following>) -> Result<Subscription, Refused> {
        let Some(Following { answer, until: at, .. }) = following else {
            return std::future::pending().await;
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            () = until(Some(*at)) => Err(Refused::Error {
                code: shared::moqt::RequestCode::Timeout,
                reason: "the publisher that is to go on does not answer".to_owned(),
                retry_after: None,
            }),
        }
    }

    /// Takes the track from the next publisher from here on; `None` where that does not give it.
    pub(super) fn taken_over(&mut self, answer: Result<Subscription, Refused>) -> Option<Flow> {
        let heir = self.following.take()?.heir;
        let subscription = match answer {
            Ok(subscription) => subscription,
            Err(refused) => {
                tracing::debug!(track = %self.name, %refused, "another publisher does not go on with the track");
                self.seam.refused_by = Some(heir.owner);
                return None;
            }
        };
        self.context.metrics.takeovers.add(1);
        let ok = subscription.ok().clone();
        let floor = self.cache.largest().map(|largest| largest.group);
        let goes_on = ok.properties == self.ok.properties
            && ok.largest.is_none_or(|largest| Some(largest.group) >= floor);
        self.close_subgroups();
        self.belongs_to(&heir);
        self.lease = None;
        if self.keep == Keep::WhileOffered {
            self.keep = Keep::WhileWatched;
        }
        self.fetches.set_past(Past::new(heir.session.clone(), self.name.clone(), self.context.limits.fill));
        if goes_on {
            self.seam = Seam::after(floor, ok.largest);
        } else {
            self.begin_anew();
        }
        tracing::debug!(track = %self.name, goes_on, "another publisher goes on with the track");
        self.publisher = heir;
        self.granted(ok);
        self.has_looked = false;
        if let Some(floor) = floor.filter(|_| goes_on) {
            self.new_groups.ask(floor);
        }
        Some(Flow::Subscribed(subscription))
    }

    /// What is left open of an earlier publisher gets no end any more.
    pub(super) fn close_subgroups(&mut self) {
        for (group, subgroup) in std::mem::take(&mut self.open) {
            let end = Item::End { group, subgroup, end: SubgroupEnd::Reset(ResetCode::Cancelled) };
            self.cache.push(now(), &end);
            self.fanout.push(now(), &end);
        }
    }

    /// Viewers are to ask again, and find the track as the next publisher has it.
    pub(super) fn begin_anew(&mut self) {
        self.fanout.done(DoneCode::InternalError, NOT_CONTINUED);
        self.cache = Cache::new(self.context.limits.cache_bytes, self.context.limits.cache_age);
        self.gauge_cache();
        self.new_groups = NewGroups::default();
        self.seam = Seam::default();
    }

    /// Who could go on with the track that its publisher ended; not one that refused, and nobody after a
    /// publisher that gave nothing.
    pub(super) fn next_publisher(&mut self, shelf: &impl super::Shelf) -> Option<Heir> {
        if self.is_local || !self.seam.has_given {
            return None;
        }
        // Where the publisher offered it, the offer is over.
        self.lease = None;
        shelf.heir(self.publisher.owner).filter(|heir| self.seam.refused_by != Some(heir.owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(group: u64) -> Item {
        Item::End { group: GroupId(group), subgroup: shared::moqt::SubgroupId(0), end: SubgroupEnd::Finished }
    }

    fn object(group: u64) -> Item {
        let subgroup = shared::moqt::Subgroup {
            group: GroupId(group),
            id: shared::moqt::SubgroupId(0),
            priority: shared::moqt::Priority(1),
            ends_group: false,
            from_first: true,
        };
        let (status, properties) = (shared::moqt::Status::Normal, shared::moqt::Properties::default());
        let (id, payload) = (shared::moqt::ObjectId(0), bytes::Bytes::new());
        Item::Object(shared::moqt::Object { subgroup, id, status, properties, payload })
    }

    #[test]
    fn groups_that_were_reached_before_are_not_passed_on_again() {
        let mut seam = Seam::after(Some(GroupId(7)), Some(Location::new(7, 1)));
        assert_eq!(seam.hold(&object(7)), Held::Repeated);
        assert_eq!(seam.hold(&item(7)), Held::Repeated);
        assert_eq!(seam.hold(&object(8)), Held::Passed);
        assert_eq!(seam.hold(&object(6)), Held::Repeated, "a straggler");
        assert!(seam.has_given);
    }

    #[test]
    fn the_first_object_says_whether_a_publisher_goes_on_that_told_of_nothing() {
        let mut seam = Seam::after(Some(GroupId(7)), None);
        assert_eq!(seam.hold(&object(6)), Held::Anew);
        let mut seam = Seam::after(Some(GroupId(7)), None);
        assert_eq!(seam.hold(&object(7)), Held::Repeated);
        assert_eq!(seam.hold(&object(6)), Held::Repeated);
        let mut seam = Seam::after(None, None);
        assert_eq!(seam.hold(&object(0)), Held::Passed, "there was nothing before");
    }
}

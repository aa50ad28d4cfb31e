//! Tracks that sessions publish one by one (PUBLISH), beside the namespaces that are announced as a whole.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use shared::{
    event::SessionId,
    moqt::{DoneCode, Namespace, PublishRequest, RequestCode, Session, SubscribeOk, TrackName, TrackWriter},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Command, Heir, Registry, TAKEN_OVER, source::Source};

/// Most tracks that are published one by one at one time; further ones are refused.
const MAX_OFFERS: usize = 10_000;

/// A published track's number: another one for each time that it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OfferId(u64);

/// The published tracks.
#[derive(Debug, Default)]
pub(super) struct Offers {
    all: BTreeMap<TrackName, Offer>,
    count: u64,
}

#[derive(Debug)]
struct Offer {
    id: OfferId,
    source: Arc<Source>,
}

impl Offers {
    /// Whose this track is.
    pub(super) fn get(&self, track: &TrackName) -> Option<&Arc<Source>> {
        self.all.get(track).map(|offer| &offer.source)
    }

    /// Who publishes tracks of a namespace.
    pub(super) fn sources_in(&self, namespace: &Namespace) -> impl Iterator<Item = &Arc<Source>> {
        let first = TrackName { namespace: namespace.clone(), name: Bytes::new() };
        let namespace = namespace.clone();
        let tracks = self.all.range(first..);
        tracks.take_while(move |(track, _)| track.namespace == namespace).map(|(_, offer)| &offer.source)
    }

    /// Those below `prefix` that sessions other than `viewer` publish.
    fn below(&self, prefix: &Namespace, viewer: SessionId) -> impl Iterator<Item = (&TrackName, &Offer)> {
        let all = self.all.iter();
        all.filter(move |(track, offer)| {
            track.namespace.starts_with(prefix) && offer.source.owner() != viewer
        })
    }

    /// Forgets all of a source's.
    pub(super) fn forget(&mut self, source: &Arc<Source>) {
        self.all.retain(|_, offer| !Arc::ptr_eq(&offer.source, source));
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.all.values().map(|offer| &offer.source)
    }
}

impl Registry {
    /// Takes a track that a session publishes; whoever had it before loses it, and its viewers stay. It stays
    /// until its publisher ends it.
    pub(crate) fn offer(
        self: &Arc<Self>,
        request: PublishRequest,
        owner: SessionId,
        session: Session,
        permit: OwnedSemaphorePermit,
    ) {
        let track = request.track().clone();
        let (source, id, earlier, is_awaited) = {
            let mut state = self.lock();
            if state.offers.all.len() >= MAX_OFFERS && !state.offers.all.contains_key(&track) {
                drop(state);
                self.context.metrics.requests_refused.add(1);
                return request.reject(RequestCode::ExcessiveLoad, "too many tracks are published");
            }
            let source = state.broadcast(self, &track.namespace, owner, session);
            state.offers.count += 1;
            let id = OfferId(state.offers.count);
            let offer = Offer { id, source: Arc::clone(&source) };
            let earlier = state.offers.all.insert(track.clone(), offer).map(|offer| offer.source);
            let earlier = earlier.or_else(|| state.announcer(&track.namespace).cloned());
            (source, id, earlier, state.awaited.has(&track))
        };
        let earlier = earlier.filter(|earlier| !Arc::ptr_eq(earlier, &source));
        let running = earlier.and_then(|earlier| {
            let running = earlier.give(&track);
            self.release(&earlier, TAKEN_OVER);
            running
        });
        self.on_air(&source);
        tracing::info!(%track, "published");
        let lease = TrackLease {
            registry: Arc::clone(self),
            track,
            id,
            source: Arc::clone(&source),
            is_awaited,
            _permit: permit,
        };
        source.adopt(request, lease, running, &self.context, &self.tasks);
        self.announce();
    }

    /// Tracks that sessions other than `viewer` publish below `prefix`.
    pub(crate) fn tracks_below(&self, prefix: &Namespace, viewer: SessionId) -> BTreeMap<TrackName, OfferId> {
        let state = self.lock();
        state.offers.below(prefix, viewer).map(|(track, offer)| (track.clone(), offer.id)).collect()
    }

    /// How many they are.
    pub(crate) fn count_tracks_below(&self, prefix: &Namespace, viewer: SessionId) -> usize {
        self.lock().offers.below(prefix, viewer).count()
    }

    /// What a published track's viewers are told of it; `None` where it is gone.
    pub(crate) async fn describe(&self, track: &TrackName) -> Option<SubscribeOk> {
        let source = self.lock().offers.get(track).cloned()?;
        let (reply, answer) = oneshot::channel();
        self.hand(&source, track, Command::Describe(reply));
        answer.await.ok()
    }

    /// Serves a viewer that took a track which was offered to it.
    pub(crate) fn join(
        self: &Arc<Self>,
        track: &TrackName,
        writer: TrackWriter,
        viewer: SessionId,
        permit: OwnedSemaphorePermit,
    ) {
        let Some(source) = self.source_of(track) else {
            return writer.done(DoneCode::TrackEnded, "the track ended just now");
        };
        let seat = self.seat(&source, track, viewer, permit);
        self.hand(&source, track, Command::Join(writer, seat));
    }

    /// A track could not be offered.
    pub(crate) fn blocked(&self) {
        self.context.metrics.offers_blocked.add(1);
    }
}

/// A published track. Dropping it takes the track off air.
#[derive(Debug)]
pub(crate) struct TrackLease {
    registry: Arc<Registry>,
    track: TrackName,
    id: OfferId,
    source: Arc<Source>,
    is_awaited: bool,
    _permit: OwnedSemaphorePermit,
}

impl TrackLease {
    /// Its publisher.
    pub(crate) fn publisher(&self) -> Heir {
        self.source.publisher()
    }

    /// Whether somebody waited for the track when it was published, who is about to subscribe to it.
    pub(crate) fn is_awaited(&self) -> bool {
        self.is_awaited
    }
}

impl Drop for TrackLease {
    fn drop(&mut self) {
        let was_ours = {
            let mut state = self.registry.lock();
            let is_ours = state.offers.all.get(&self.track).is_some_and(|now| now.id == self.id);
            is_ours && state.offers.all.remove(&self.track).is_some()
        };
        if was_ours {
            tracing::info!(track = %self.track, "no longer published");
            let reason = self.source.how_it_ended();
            self.registry.release(&self.source, reason);
            self.registry.announce();
        }
    }
}

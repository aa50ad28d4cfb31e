//! SUBSCRIBE_TRACKS: offers a peer every track that others publish below a prefix (draft-18 §6.1).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shared::{
    event::SessionId,
    moqt::{PublishOffer, Session, TrackName, TracksOptions, TracksRequest},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout,
};
use tracing::Instrument;

use super::{Peer, Relay};
use crate::{auth::Rights, registry::Registry};

/// How long an offer waits for a stream; past it its track is told as blocked.
const STREAM: Duration = Duration::from_secs(2);

/// Who collects tracks.
#[derive(Clone)]
struct Collector {
    relay: Arc<Relay>,
    rights: Arc<Rights>,
    session: Session,
    id: SessionId,
    options: TracksOptions,
    places: Arc<Semaphore>,
}

impl Peer {
    pub(super) fn collect(&mut self, request: TracksRequest) {
        let count = |registry: &Registry| registry.count_tracks_below(request.prefix(), self.id);
        if let Err((code, reason)) = self.admit_watching(request.prefix(), &request.tokens(), count) {
            return request.reject(code, &reason);
        }
        let collector = Collector {
            relay: Arc::clone(&self.relay),
            rights: Arc::clone(&self.rights),
            session: self.session.clone(),
            id: self.id,
            options: request.options(),
            places: Arc::clone(&self.subscriptions),
        };
        self.spawn(collector.run(request));
    }
}

impl Collector {
    /// Runs until the peer wants no more tracks. What it took by then goes on.
    async fn run(self, request: TracksRequest) {
        let mut changes = self.relay.registry.changes();
        let mut prefix = request.prefix().clone();
        let mut writer = request.accept();
        let mut known = BTreeMap::new();
        let mut offers = JoinSet::new();
        loop {
            changes.mark_unchanged();
            let mut now = self.relay.registry.tracks_below(&prefix, self.id);
            now.retain(|track, _| self.rights.may_watch(track).is_ok());
            for track in
                now.iter().filter(|(track, id)| known.get(*track) != Some(*id)).map(|(track, _)| track)
            {
                match Arc::clone(&self.places).try_acquire_owned() {
                    Ok(permit) => {
                        let offer = self.clone().offer(track.clone(), permit);
                        offers.spawn(offer.in_current_span());
                    }
                    Err(_) => {
                        self.relay.registry.blocked();
                        if !writer.blocked(track.clone()) {
                            return;
                        }
                    }
                }
            }
            known = now;
            loop {
                tokio::select! {
                    biased;
                    changed = changes.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    Some(offer) = offers.join_next() => {
                        if let Ok(Some(blocked)) = offer
                            && !writer.blocked(blocked)
                        {
                            return;
                        }
                    }
                    asked = writer.prefix_asked() => {
                        let Some(asked) = asked else { return };
                        let count = |registry: &Registry| registry.count_tracks_below(asked.prefix(), self.id);
                        if let Err((code, reason)) = self.relay.may_enumerate(&self.rights, asked.prefix(), count) {
                            self.relay.metrics.requests_refused.add(1);
                            return asked.reject(code, &reason);
                        }
                        prefix = asked.prefix().clone();
                        asked.accept();
                        break;
                    }
                }
            }
        }
    }

    /// Offers a track and serves it, once it is taken. The track, where no stream was to be had.
    async fn offer(self, track: TrackName, permit: OwnedSemaphorePermit) -> Option<TrackName> {
        let ok = self.relay.registry.describe(&track).await?;
        let offer = PublishOffer { ok, forward: self.options.forward };
        let made = timeout(STREAM, self.session.publish(track.clone(), offer)).await;
        let Ok(made) = made else {
            self.relay.registry.blocked();
            return Some(track);
        };
        // Otherwise it is subscribed to already, or was blocked before.
        let mut writer = made.ok()?;
        if let Err(refused) = writer.granted().await {
            tracing::debug!(%track, %refused, "an offer was not taken");
            return None;
        }
        self.relay.registry.join(&track, writer, self.id, permit);
        None
    }
}

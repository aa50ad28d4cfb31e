//! What viewers say, and what rooms answer and tell: tracks that are the relay's own.

use std::sync::Arc;

use bytes::Bytes;
use shared::{
    moqt::{
        AuthToken, FetchRequest, Item, Namespace, NamespaceRequest, PublishRequest, Received, RequestCode,
        Status, SubscribeOptions, SubscribeRequest, Subscription, TrackName, TrackStatusRequest,
    },
    naming::{REPLIES, Room, SAY},
    room::{Role, ViewerId},
};
use tokio::sync::OwnedSemaphorePermit;

use super::{MAX_NAMESPACES, Peer, refusal};
use crate::{
    media::Command,
    room::{Closed, Voice},
};

/// How a request is refused.
type Refusal = (RequestCode, String);

impl Peer {
    /// Whether this peer may be where a track is; otherwise why not.
    pub(super) fn enter_for(&self, track: &TrackName) -> Result<(), Refusal> {
        let Some(room) = Room::of(&track.namespace) else { return Ok(()) };
        let who = self.rights.identity(&room).map(|who| (who.viewer, who.role));
        self.not_banned(&room, who.as_ref())?;
        // Rooms that it merely watches are not counted: whoever passes them on watches many.
        match self.pass.visit(&room, who) || Room::feed_of(track).is_none() {
            true => Ok(()),
            false => Err(too_many_rooms()),
        }
    }

    fn not_banned(&self, room: &Room, who: Option<&(ViewerId, Role)>) -> Result<(), Refusal> {
        match self.relay.room.is_banned(room, who.map(|(viewer, role)| (viewer, *role)), self.address) {
            true => Err((RequestCode::Unauthorized, format!("banned from room {room}"))),
            false => Ok(()),
        }
    }

    /// The voice of this peer in a viewer's namespace, which it gets with the first request that needs it.
    fn voice(&mut self, namespace: &Namespace, tokens: &[AuthToken]) -> Result<Arc<Voice>, Refusal> {
        self.relay.knows(namespace)?;
        self.rights.present(tokens).map_err(refusal)?;
        let who = self.rights.may_say(namespace).map_err(refusal)?;
        let (room, known) = (who.room.clone(), (who.viewer.clone(), who.role));
        self.not_banned(&room, Some(&known))?;
        if !self.pass.visit(&room, Some(known)) {
            return Err(too_many_rooms());
        }
        if let Some(voice) = self.voices.get(&room).filter(|voice| !voice.is_over()) {
            return match *voice.viewer() == who.viewer {
                true => Ok(Arc::clone(voice)),
                false => Err((RequestCode::Unauthorized, "this session is somebody else here".to_owned())),
            };
        }
        let refused = |closed: Closed| (closed.code(), closed.to_string());
        let voice = self.relay.room.join(self.id, who, self.address).map_err(refused)?;
        let voice = Arc::new(voice);
        self.voices.insert(room, Arc::clone(&voice));
        Ok(voice)
    }

    /// Serves a subscription to a track of a room's own; gives back any other.
    pub(super) fn subscribe_in_room(&mut self, request: SubscribeRequest) -> Option<SubscribeRequest> {
        if let Some((room, feed)) = Room::feed_of(request.track()) {
            match self.admit(request.track(), &request.tokens(), &self.subscriptions) {
                Ok(permit) => {
                    let seat = self.relay.registry.seat_beside(self.id, permit);
                    self.relay.room.track(&room, feed, Command::Subscribe(request, seat));
                }
                Err((code, reason)) => request.reject(code, &reason),
            }
            return None;
        }
        let name = &request.track().name;
        let viewer = Room::viewer_of(&request.track().namespace).filter(|_| name == REPLIES || name == SAY);
        let Some((room, _)) = viewer else { return Some(request) };
        let answer = match request.track().name == REPLIES {
            true => self.voice(&request.track().namespace, &request.tokens()),
            false => {
                let reason = format!("what viewers of room {room} say is for the room alone: see its feed");
                Err((RequestCode::Unauthorized, reason))
            }
        };
        match answer {
            Ok(voice) => voice.listen(request),
            Err((code, reason)) => {
                self.refused(&reason);
                request.reject(code, &reason);
            }
        }
        None
    }

    /// Answers from the cache of a track, a room's own or another.
    pub(super) fn fetch(&self, request: FetchRequest, permit: OwnedSemaphorePermit) {
        match Room::feed_of(request.track()) {
            Some((room, feed)) => self.relay.room.track(&room, feed, Command::Fetch(request, permit)),
            None => self.relay.registry.fetch(request, permit),
        }
    }

    /// Says how a track stands, a room's own or another.
    pub(super) fn status(&self, request: TrackStatusRequest, permit: OwnedSemaphorePermit) {
        match Room::feed_of(request.track()) {
            Some((room, feed)) => self.relay.room.track(&room, feed, Command::Status(request)),
            None => self.relay.registry.status(request, permit),
        }
    }

    /// Takes the track on which this peer speaks.
    pub(super) fn speak(&mut self, request: PublishRequest) {
        let track = request.track();
        match self.admit_speaker(&track.namespace, &track.name, &request.tokens()) {
            Ok(voice) => {
                let saying = request.accept(SubscribeOptions::default());
                self.spawn(hear(voice, saying));
            }
            Err((code, reason)) => {
                self.refused(&reason);
                request.reject(code, &reason);
            }
        }
    }

    fn admit_speaker(
        &mut self,
        namespace: &Namespace,
        track: &[u8],
        tokens: &[AuthToken],
    ) -> Result<Arc<Voice>, Refusal> {
        if track != SAY {
            return Err((RequestCode::Unauthorized, "a viewer publishes the track say".to_owned()));
        }
        if self.namespaces.len() >= MAX_NAMESPACES {
            return Err((RequestCode::ExcessiveLoad, "too many tracks published in one session".to_owned()));
        }
        self.voice(namespace, tokens)
    }

    /// Takes the namespace of a viewer, who is asked for the track on which it speaks.
    pub(super) fn speak_in_namespace(&mut self, request: NamespaceRequest) {
        let namespace = request.namespace().clone();
        let voice = match self.admit_speaker(&namespace, SAY, &request.tokens()) {
            Ok(voice) => voice,
            Err((code, reason)) => {
                self.refused(&reason);
                return request.reject(code, &reason);
            }
        };
        let track = TrackName { namespace, name: Bytes::from_static(SAY) };
        let mut published = request.accept();
        let session = self.session.clone();
        self.spawn(async move {
            let saying = async {
                match session.subscribe(track, SubscribeOptions::default()).await {
                    Ok(saying) => hear(voice, saying).await,
                    Err(refused) => tracing::debug!(%refused, "a viewer does not give what it says"),
                }
                // The namespace is its publisher's to withdraw.
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = saying => {}
                () = published.ended() => {}
            }
        });
    }
}

fn too_many_rooms() -> Refusal {
    (RequestCode::ExcessiveLoad, "too many rooms in one session".to_owned())
}

/// Hands on what a viewer says, for as long as it has the track.
async fn hear(voice: Arc<Voice>, mut saying: Subscription) {
    while let Some(received) = saying.recv().await {
        match received {
            Received::Item(Item::Object(object) | Item::Datagram(object)) => {
                if object.status == Status::Normal {
                    voice.say(object.payload);
                }
            }
            Received::Item(Item::End { .. }) => {}
            Received::Done { .. } => return,
        }
    }
}

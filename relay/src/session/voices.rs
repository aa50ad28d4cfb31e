//! What viewers say, and what rooms answer and tell: tracks that are the relay's own.

use std::sync::Arc;

use shared::{
    moqt::{
        FetchRequest, Item, NamespaceRequest, PublishRequest, Received, RequestCode, Status, SubscribeOptions,
        SubscribeRequest, Subscription, TrackStatusRequest,
    },
    naming::{Feed, REPLIES, Room, SAY},
    room::{Identity, Role, ViewerId, identity::Standing},
};

use super::{MAX_NAMESPACES, Peer};
use crate::{
    media::Command,
    room::{Closed, Voice},
};

/// How a request is refused.
type Refusal = (RequestCode, String);

impl Peer {
    /// Who this peer is in the namespace of a viewer; otherwise why it is nobody there.
    fn identify(&self, room: &Room, viewer: &ViewerId) -> Result<Identity, Refusal> {
        self.relay.may_watch(&room.audience()).map_err(|reason| (RequestCode::Unauthorized, reason))?;
        if !self.relay.is_open {
            let reason = format!("whoever speaks in room {room} needs a token, or a relay that runs with --open");
            return Err((RequestCode::Unauthorized, reason));
        }
        Ok(Identity {
            room: room.clone(),
            viewer: viewer.clone(),
            name: viewer.to_string().chars().take(shared::room::presence::MAX_NAME_CHARS).collect(),
            role: Role::Viewer,
            standing: Standing::Guest,
        })
    }

    /// Whether this peer may be in a room; otherwise why not.
    fn enter(&self, room: &Room, who: Option<&Identity>) -> Result<(), Refusal> {
        let who = who.map(|who| (who.viewer.clone(), who.role));
        let known = who.as_ref().map(|(viewer, role)| (viewer, *role));
        if self.relay.room.is_banned(room, known, self.address) {
            return Err((RequestCode::Unauthorized, format!("banned from room {room}")));
        }
        match self.pass.visit(room, who) {
            true => Ok(()),
            false => Err((RequestCode::ExcessiveLoad, "too many rooms in one session".to_owned())),
        }
    }

    /// The voice of this peer in a room, which it gets with the first that it needs it for.
    fn voice(&mut self, (room, viewer): &(Room, ViewerId)) -> Result<Arc<Voice>, Refusal> {
        let who = self.identify(room, viewer)?;
        self.enter(room, Some(&who))?;
        if let Some(voice) = self.voices.get(room).filter(|voice| !voice.is_over()) {
            return match voice.viewer() == viewer {
                true => Ok(Arc::clone(voice)),
                false => Err((RequestCode::Unauthorized, "this session is somebody else here".to_owned())),
            };
        }
        let refused = |closed: Closed| (closed.code(), closed.to_string());
        let voice = self.relay.room.join(self.id, who, self.address).map_err(refused)?;
        let voice = Arc::new(voice);
        self.voices.insert(room.clone(), Arc::clone(&voice));
        Ok(voice)
    }

    /// Serves a subscription to a track of a room's own; gives back any other.
    pub(super) fn subscribe_in_room(&mut self, request: SubscribeRequest) -> Option<SubscribeRequest> {
        if let Some((room, feed)) = Room::feed_of(request.track()) {
            match self.admit_to(&room, feed) {
                Err((code, reason)) => self.refuse_subscription(request, code, &reason),
                Ok(()) => match self.admit(&request.track().namespace, &self.subscriptions) {
                    Ok(permit) => {
                        let seat = self.relay.registry.seat_beside(self.id, permit);
                        self.relay.room.track(&room, feed, Command::Subscribe(request, seat));
                    }
                    Err((code, reason)) => request.reject(code, &reason),
                },
            }
            return None;
        }
        match Room::viewer_of(&request.track().namespace) {
            Some(viewer) if request.track().name == REPLIES => {
                match self.voice(&viewer) {
                    Ok(voice) => voice.listen(request),
                    Err((code, reason)) => self.refuse_subscription(request, code, &reason),
                }
                None
            }
            Some((room, _)) if request.track().name == SAY => {
                let reason = format!("what viewers of room {room} say is for the room alone: see its feed");
                self.refuse_subscription(request, RequestCode::Unauthorized, &reason);
                None
            }
            _ => Some(request),
        }
    }

    fn refuse_subscription(&self, request: SubscribeRequest, code: RequestCode, reason: &str) {
        self.refused(reason);
        request.reject(code, reason);
    }

    /// Whether this peer may have a track of a room's own; otherwise why not.
    fn admit_to(&self, room: &Room, feed: Feed) -> Result<(), Refusal> {
        self.enter(room, None)?;
        match feed {
            Feed::State | Feed::Chat | Feed::Danmaku | Feed::Reactions => Ok(()),
            Feed::Desk if self.moderates(room) => Ok(()),
            Feed::Desk => {
                let reason = format!("the desk of room {room} is for its host and moderators");
                Err((RequestCode::Unauthorized, reason))
            }
        }
    }

    /// Whether this peer keeps order in a room.
    fn moderates(&self, room: &Room) -> bool {
        self.voices.get(room).is_some_and(|voice| voice.role().moderates())
    }

    pub(super) fn fetch_in_room(&self, request: FetchRequest) {
        let Some((room, feed)) = Room::feed_of(request.track()) else { return };
        if let Err((code, reason)) = self.admit_to(&room, feed) {
            self.refused(&reason);
            return request.reject(code, &reason);
        }
        match self.admit(&request.track().namespace, &self.fetches) {
            Ok(permit) => self.relay.room.track(&room, feed, Command::Fetch(request, permit)),
            Err((code, reason)) => request.reject(code, &reason),
        }
    }

    pub(super) fn status_in_room(&self, request: TrackStatusRequest) {
        let Some((room, feed)) = Room::feed_of(request.track()) else { return };
        if let Err((code, reason)) = self.admit_to(&room, feed) {
            self.refused(&reason);
            return request.reject(code, &reason);
        }
        self.relay.room.track(&room, feed, Command::Status(request));
    }

    /// Takes the track on which this peer speaks.
    pub(super) fn speak(&mut self, request: PublishRequest, viewer: (Room, ViewerId)) {
        let voice = match self.admit_speaker(&request.track().name, &viewer) {
            Ok(voice) => voice,
            Err((code, reason)) => {
                self.refused(&reason);
                return request.reject(code, &reason);
            }
        };
        let saying = request.accept(SubscribeOptions::default());
        self.spawn(hear(voice, saying));
    }

    fn admit_speaker(&mut self, track: &[u8], viewer: &(Room, ViewerId)) -> Result<Arc<Voice>, Refusal> {
        if track != SAY {
            let reason = format!("a viewer publishes {}", String::from_utf8_lossy(SAY));
            return Err((RequestCode::Unauthorized, reason));
        }
        if self.namespaces.len() >= MAX_NAMESPACES {
            return Err((RequestCode::ExcessiveLoad, "too many tracks published in one session".to_owned()));
        }
        self.voice(viewer)
    }

    /// Takes the namespace of a viewer, who is asked for the track on which it speaks.
    pub(super) fn speak_in_namespace(&mut self, request: NamespaceRequest, viewer: (Room, ViewerId)) {
        let voice = match self.admit_speaker(SAY, &viewer) {
            Ok(voice) => voice,
            Err((code, reason)) => {
                self.refused(&reason);
                return request.reject(code, &reason);
            }
        };
        let track = viewer.0.say(&viewer.1);
        let mut published = request.accept();
        let session = self.session.clone();
        self.spawn(async move {
            let saying = async {
                match session.subscribe(track, SubscribeOptions::default()).await {
                    Ok(saying) => hear(voice, saying).await,
                    Err(refused) => tracing::debug!(%refused, "a viewer does not give what it says"),
                }
            };
            tokio::select! {
                () = saying => {}
                () = published.ended() => {}
            }
        });
    }
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

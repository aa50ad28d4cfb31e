//! Subscriptions that their publisher begins (draft-18 §5.1, §10.10).

use super::{Asked, Core, Event, Kind, Stream, subscribe, violation};
use crate::moqt::{
    DoneCode, PublishOffer, Refused, RequestCode, ResetCode, SubscribeOk, SubscribeOptions, TrackName,
    wire::{self, Message, Parameters, RequestOk, TrackAlias, TrackProperties, WireError},
};

impl Core {
    /// Offers a track: a subscription that may get objects at once, where `offer.forward`. Gives the track's
    /// name on data streams.
    pub(crate) fn publish(
        &mut self,
        stream: Stream,
        track: TrackName,
        offer: &PublishOffer,
    ) -> Result<TrackAlias, Refused> {
        if self.is_published(&track) {
            return Err(Refused::Error {
                code: RequestCode::DuplicateSubscription,
                reason: format!("the peer is subscribed to {track} already"),
                retry_after: None,
            });
        }
        if self.is_blocked(&track) {
            return Err(Refused::Error {
                code: RequestCode::Uninterested,
                reason: format!("the peer was told that {track} is blocked: it may subscribe to it"),
                retry_after: None,
            });
        }
        let alias = self.aliases.next();
        let mut publishing = subscribe::Publishing::new(track.clone(), offer.forward, offer.ok.largest);
        publishing.set_expires(offer.ok.expires);
        let parameters = Parameters {
            largest: offer.ok.largest,
            expires: offer.ok.expires,
            forward: (!offer.forward).then_some(false),
            ..Parameters::default()
        };
        let properties = offer.ok.properties.clone();
        self.ask(stream, Kind::Publishing(publishing), |request| {
            Message::Publish(wire::Publish { request, track, alias, parameters, properties })
        })?;
        Ok(alias)
    }

    /// PUBLISH_OK.
    pub(super) fn offer_taken(&mut self, stream: Stream, ok: RequestOk) -> Result<(), WireError> {
        if !ok.properties.0.is_empty() {
            return Err(violation("PUBLISH_OK has track properties"));
        }
        if ok.parameters.largest.is_some() {
            return Err(violation("PUBLISH_OK has LARGEST_OBJECT, which only a publisher can know"));
        }
        let Some(request) = self.requests.get_mut(&stream) else { return Ok(()) };
        let Kind::Publishing(publishing) = &mut request.kind else { return Ok(()) };
        publishing.establish(ok.parameters.forward.unwrap_or(true));
        self.tell(stream, Event::Published(Box::new(ok.parameters)));
        self.release_joining(stream);
        Ok(())
    }

    /// The peer offers a track. Its objects may be on their way: they are kept for whoever takes it.
    pub(super) fn publish_asked(&mut self, stream: Stream, ask: wire::Publish) -> Result<(), WireError> {
        let wire::Publish { request: _, track, alias, parameters, properties } = ask;
        TrackProperties::decode(&properties)?;
        if self.subscription_to(&track, stream).is_some_and(|(_, s)| s.is_offer_or_established()) {
            self.aliases.refuse(alias);
            let reason = format!("{track} is already subscribed to in this session");
            self.refuse_now(stream, RequestCode::DuplicateSubscription, &reason);
            return Ok(());
        }
        self.name_track(alias, stream)?;
        let unsupported = properties.unsupported()?;
        let offer = PublishOffer {
            ok: SubscribeOk { largest: parameters.largest, expires: parameters.expires, properties },
            forward: parameters.forward.unwrap_or(true),
        };
        let subscribing = subscribe::Subscribing::offered(track.clone(), alias, &offer);
        if let Some(property) = unsupported {
            if let Some(request) = self.requests.get_mut(&stream) {
                request.kind = Kind::Subscribing(Box::new(subscribing));
            }
            let reason =
                format!("the track needs an extension that is not known here, property {property:#x}");
            self.refuse_now(stream, RequestCode::UnsupportedExtension, &reason);
            return Ok(());
        }
        self.put(stream, Kind::Subscribing(Box::new(subscribing)), Asked::Publish(track, offer));
        Ok(())
    }

    /// Takes the track that the peer offers. A SUBSCRIBE of ours for it that waits for its answer ends first.
    pub(crate) fn grant_publish(&mut self, stream: Stream, options: &SubscribeOptions) {
        let Some(request) = self.requests.get(&stream).filter(|request| !request.is_ours) else { return };
        let Kind::Subscribing(s) = &request.kind else { return };
        if s.is_established() {
            return;
        }
        let track = s.track().clone();
        if let Some((other, s)) = self.subscription_to(&track, stream) {
            let reason = format!("{track} is already subscribed to in this session");
            if s.is_established() {
                self.tell(stream, Event::Done(DoneCode::InternalError, reason.clone()));
                return self.refuse_now(stream, RequestCode::DuplicateSubscription, &reason);
            }
            let reason = "the publisher offers the track itself".to_owned();
            let (code, retry_after) = (RequestCode::DuplicateSubscription, None);
            self.tell(other, Event::Refused(Refused::Error { code, reason, retry_after }));
            self.cancel(other, ResetCode::Cancelled);
        }
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let Kind::Subscribing(s) = &mut request.kind else { return };
        let mut parameters = subscribe::parameters(options);
        if !s.establish(options) {
            // Draft-18 §10.2.13.
            parameters.new_group = None;
        }
        self.send(stream, &Message::RequestOk(RequestOk { parameters, ..RequestOk::default() }));
        self.apply_held(stream);
    }

    /// Whether the peer is subscribed to this track, or is asked to be.
    pub(super) fn is_published(&self, track: &TrackName) -> bool {
        self.requests.values().any(|request| match &request.kind {
            Kind::Publishing(publishing) => publishing.track == *track,
            _ => false,
        })
    }

    /// The subscription of ours to this track, other than `except`, that did not come to its end.
    fn subscription_to(
        &self,
        track: &TrackName,
        except: Stream,
    ) -> Option<(Stream, &subscribe::Subscribing)> {
        self.requests.iter().find_map(|(stream, request)| match &request.kind {
            Kind::Subscribing(s) if *stream != except && s.track() == track && !s.is_done() => {
                Some((*stream, &**s))
            }
            _ => None,
        })
    }

    /// The peer takes no more on our half of a request stream. Of a request of ours that says nothing, as its
    /// answer may be on the way; a subscription ends with it, whoever began it (draft-18 §5.1).
    pub(super) fn request_stopped(&mut self, stream: Stream, code: u64) {
        let Some(request) = self.requests.get(&stream) else { return };
        let is_over = match &request.kind {
            Kind::Publishing(_) => true,
            Kind::Subscribing(s) => !request.is_ours && !s.is_done(),
            _ => !request.is_ours,
        };
        if is_over {
            self.request_cancelled(stream, code);
        }
    }
}

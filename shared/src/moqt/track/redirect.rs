//! Refusals that say more than a code: when to come back, and where to go instead (draft-18 §10.6).

use std::time::Duration;

use super::{
    FetchRequest, NamespaceRequest, NamespaceSubscriptionRequest, PublishRequest, Redirect, RequestCode,
    SubscribeRequest, TrackStatusRequest, TracksRequest,
};
use crate::moqt::driver::Refusal;

macro_rules! later {
    ($($request:ty),* $(,)?) => { $(
        impl $request {
            /// Refuses it for now: it may be made again after `retry_after`, in whole milliseconds. Many
            /// who are refused at once are best given different times (draft-18 §10.6).
            pub fn reject_until(self, code: RequestCode, reason: &str, retry_after: Duration) {
                self.port.aside.set_refusal(Refusal { retry_after: Some(retry_after), redirect: None });
                self.reject(code, reason);
            }
        }
    )* };
}

macro_rules! elsewhere {
    ($($request:ty),* $(,)?) => { $(
        impl $request {
            /// Sends it elsewhere (draft-18 §10.6.1). From a client the URI goes out empty, and for a
            /// request of namespaces the track's name. A relay may hold to it for `retry_after`.
            pub fn redirect(self, to: Redirect, reason: &str, retry_after: Option<Duration>) {
                self.port.aside.set_refusal(Refusal { retry_after, redirect: Some(to) });
                self.reject(RequestCode::Redirect, reason);
            }
        }
    )* };
}

later!(
    FetchRequest,
    NamespaceRequest,
    NamespaceSubscriptionRequest,
    PublishRequest,
    SubscribeRequest,
    TrackStatusRequest,
    TracksRequest,
);
// The draft redirects no PUBLISH and no SUBSCRIBE_TRACKS.
elsewhere!(
    FetchRequest,
    NamespaceRequest,
    NamespaceSubscriptionRequest,
    SubscribeRequest,
    TrackStatusRequest
);

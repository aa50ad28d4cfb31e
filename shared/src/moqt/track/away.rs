//! What every handle can do beside its subject: leave (draft-18 §10.4), and take new tokens.

use std::{future::poll_fn, time::Duration};

use super::{
    Fetch, FetchWriter, GoingAway, NamespaceSubscription, NamespaceWriter, PublishedNamespace, Subscription,
    TrackWriter, TracksSubscription, TracksWriter,
};
use crate::moqt::AuthToken;

macro_rules! leaves {
    ($($handle:ty),* $(,)?) => { $(
        impl $handle {
            /// Asks the peer to take this request to `uri`, empty for the same place; a client's is always
            /// empty. It goes on until either side ends it. After `timeout`, where it is not zero, it is
            /// reset with GOING_AWAY. Only the first call counts (draft-18 §10.4).
            pub fn goaway(&self, uri: &str, timeout: Duration) {
                self.port.aside.leave(uri.to_owned(), timeout);
                self.port.ring();
            }
            /// Waits until the peer asks to take this request elsewhere, and says where to. `None` once the
            /// request is over without that. Cancelling it loses nothing.
            pub async fn going_away(&self) -> Option<GoingAway> {
                poll_fn(|cx| self.port.aside.poll_going(cx.waker())).await
            }
        }
    )* };
}

leaves!(
    Fetch,
    FetchWriter,
    NamespaceSubscription,
    NamespaceWriter,
    PublishedNamespace,
    Subscription,
    TrackWriter,
    TracksSubscription,
    TracksWriter,
);

macro_rules! renewed {
    ($($handle:ty),* $(,)?) => { $(
        impl $handle {
            /// The tokens of the peer's request, the newest ones (draft-18 §10.2.2).
            pub fn tokens(&self) -> Vec<AuthToken> {
                self.port.aside.tokens()
            }
            /// Waits until the peer gives new tokens, and gives them. Where they are no good, the request
            /// is to be ended. `None` once it is over; cancelling it loses nothing.
            pub async fn new_tokens(&self) -> Option<Vec<AuthToken>> {
                poll_fn(|cx| self.port.aside.poll_tokens(cx.waker())).await
            }
        }
    )* };
}

renewed!(FetchWriter, NamespaceWriter, PublishedNamespace, TrackWriter, TracksWriter);

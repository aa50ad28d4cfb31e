//! What the relay tells of those who watch.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use shared::{
    moqt::{Item, Received, Refused, Session, SubscribeOptions, Subscription},
    naming::Room,
};
use tokio::time::sleep;

use crate::stats::Stats;

/// Keeps the number of viewers up to date until the session ends. A relay that tells nothing of its
/// audience is asked again now and then.
pub(super) async fn follow(session: Session, room: Room, stats: Arc<Stats>) {
    loop {
        match session.subscribe(room.summary(), SubscribeOptions::default()).await {
            Ok(subscription) => read(subscription, &stats).await,
            Err(Refused::Session(_)) => return,
            Err(error) => tracing::debug!(%error, "the relay tells nothing of the audience"),
        }
        stats.set_viewers(None);
        sleep(ASK_AGAIN).await;
    }
}

async fn read(mut subscription: Subscription, stats: &Stats) {
    while let Some(received) = subscription.recv().await {
        match received {
            Received::Item(Item::Object(object) | Item::Datagram(object)) => {
                if let Some(viewers) = viewers(&object.payload) {
                    stats.set_viewers(Some(viewers));
                }
            }
            Received::Item(Item::End { .. }) => {}
            Received::Done { .. } => return,
        }
    }
}

const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The summary; what is not known here is skipped.
#[derive(Debug, Deserialize)]
struct Summary {
    viewers: u64,
}

fn viewers(payload: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Summary>(payload).ok().map(|summary| summary.viewers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_are_read_and_anything_else_is_skipped() {
        assert_eq!(viewers(br#"{"viewers":3,"at":1800000000000000,"more":[]}"#), Some(3));
        for other in [&b""[..], b"[]", b"{\"viewers\":-1}", b"{\"viewers\":\"3\"}", b"\xff"] {
            assert_eq!(viewers(other), None);
        }
    }
}

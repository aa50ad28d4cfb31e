//! Going to where a relay sends that goes away (draft-18 §10.4), while it is still watched.

use std::{future::Future, pin::Pin, sync::Arc, time::Instant};

use shared::{
    moqt::{Fetch, GoingAway, Refused, Session, SessionCode, Subscription},
    transport::Kind,
};
use tokio::{task::JoinSet, time::sleep};

use super::{Backoff, Beside, Driver, connect, join};

/// A session with a relay.
pub(super) struct Link {
    pub(super) session: Session,
    pub(super) kind: Kind,
    /// The relay asked to leave: nothing more is to be asked of it.
    pub(super) is_leaving: bool,
    /// Ends with it.
    _beside: JoinSet<()>,
}

impl Link {
    pub(super) fn new(session: Session, kind: Kind, beside: Option<&Beside>) -> Self {
        let mut tasks = JoinSet::new();
        if let Some(beside) = beside {
            tasks.spawn(beside(session.clone()));
        }
        Self { session, kind, is_leaving: false, _beside: tasks }
    }

    /// Leaves, since another relay took over.
    pub(super) fn leave(self) {
        self.session.close(SessionCode::NoError, "this player went to where it was sent");
    }
}

/// Another relay that has the room.
pub(super) struct Arrival {
    pub(super) link: Link,
    pub(super) catalog: Subscription,
    pub(super) past: Result<Fetch, Refused>,
}

/// The way to another relay.
pub(super) type Move = Pin<Box<dyn Future<Output = Arrival> + Send>>;

impl Driver {
    /// Takes up where a relay sends to. `false` where that is not to be followed.
    pub(super) fn follow(&mut self, going: &GoingAway) -> bool {
        match self.route.send_on(Instant::now(), &going.uri) {
            Ok(()) => {
                tracing::info!(relay = %self.route.url(), "the relay goes away: connecting to where it sends to");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the relay goes away and is not followed");
                false
            }
        }
    }

    /// Connects to where the relay sent to and joins the room there, however often that takes.
    pub(super) fn arrive(&self) -> Move {
        let (config, watcher, beside) = (Arc::clone(&self.config), self.watcher.clone(), self.beside.clone());
        let relay = self.route.url().clone();
        Box::pin(async move {
            let mut backoff = Backoff::default();
            loop {
                match connect(&config, watcher.clone(), &relay, beside.as_ref()).await {
                    Ok(link) => match join(&link.session, &config.room).await {
                        Ok((catalog, past)) => return Arrival { link, catalog, past },
                        Err(refused) => tracing::debug!(%refused, "the room is not there yet"),
                    },
                    Err(error) => tracing::debug!(error = format!("{error:#}"), "not there yet"),
                }
                sleep(backoff.next()).await;
            }
        })
    }
}

/// The other relay; never, where none is on the way.
pub(super) async fn arrived(moving: &mut Option<Move>) -> Arrival {
    match moving {
        Some(attempt) => {
            let arrival = attempt.await;
            *moving = None;
            arrival
        }
        None => std::future::pending().await,
    }
}

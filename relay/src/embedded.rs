//! A relay inside another program: it has no ports and keeps no records; connections are brought to it.

use std::{collections::HashMap, future::Future, sync::Arc};

use shared::{
    moqt::{DoneCode, SessionError},
    transport::Connection,
};
use tokio::sync::watch;

use crate::{
    Config,
    analytics::recorder::Recorder,
    auth::{Auth, KeyError, Keys},
    media::Limits,
    metrics::Metrics,
    registry::Registry,
    room::{Keeper, Rooms},
    session::{self, Relay},
    tasks::Tasks,
};

/// A relay without ports and records. Dropping it ends its tracks; sessions go on until they are dropped.
#[derive(Debug)]
pub struct Embedded {
    relay: Arc<Relay>,
    tracks: Tasks,
    stopping: watch::Sender<bool>,
}

impl Embedded {
    /// One with the limits and rights of `config`; its ports, certificate and folder are not used, and its token
    /// key is of its own: without `open`, nobody publishes.
    ///
    /// # Errors
    /// [`KeyError`] where the system gives no random bytes for the key.
    pub fn new(config: &Config) -> Result<Self, KeyError> {
        let auth = Auth::new(config, Keys::passing()?);
        let metrics = Arc::new(Metrics::default());
        let recorder = Recorder::none(Arc::clone(&metrics));
        let limits = Limits::of(config);
        let tracks = Tasks::default();
        let registry = Registry::new(limits, Arc::clone(&metrics), recorder.clone(), tracks.clone());
        let (stopping, stop) = watch::channel(false);
        let room = Rooms::new(&registry, tracks.clone(), Keeper::default(), HashMap::new());
        let relay = Arc::new(Relay::new(config, registry, room, metrics, recorder, stop, auth));
        Ok(Self { relay, tracks, stopping })
    }

    /// Serves a connection until its session is over, as its server. Dropping the future ends the session.
    ///
    /// # Errors
    /// [`SessionError`] where the peer's SETUP does not come or cannot be used.
    pub fn serve(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), SessionError>> + Send + 'static {
        let relay = Arc::clone(&self.relay);
        async move { session::run(connection, &relay).await }
    }

    /// The counters, in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.relay.metrics().to_text()
    }

    /// Ends the broadcasts for their viewers and asks every peer to leave; sessions that do not are closed
    /// soon after the time that the configuration gives them (`drain`).
    pub fn stop(&self) {
        self.relay.room().end_all(DoneCode::GoingAway, "the relay stops");
        self.relay.registry().end_all(DoneCode::GoingAway, "the relay stops");
        self.stopping.send_replace(true);
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.tracks.end();
    }
}

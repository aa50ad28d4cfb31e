//! The certificate that the relay shows: given, or self-made and renewed while it runs.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use shared::transport::{
    Server,
    tls::{CertHash, Identity, IdentityError},
};
use tokio::sync::watch;

use crate::Config;

/// Longest validity that a browser takes together with a hash.
const MAX_HASHED: Duration = Duration::from_secs(14 * 24 * 3600);
/// How often the clock is looked at: a machine that slept must not miss its renewal.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What clients are told of the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its hash.
    pub(crate) hash: CertHash,
    /// When it runs out.
    pub(crate) not_after: SystemTime,
    /// Whether a browser is to be given the hash. One that lives longer has to be trusted by itself.
    pub(crate) is_hashed: bool,
}

impl Shown {
    fn of(identity: &Identity) -> Self {
        let life = identity.not_after().duration_since(identity.not_before()).unwrap_or_default();
        Self { hash: identity.hash(), not_after: identity.not_after(), is_hashed: life <= MAX_HASHED }
    }
}

/// Where the certificate comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Files of the operator, read once.
    Files(PathBuf, PathBuf),
    /// Made here, in this folder, for these hosts too.
    SelfMade(PathBuf, Vec<String>),
}

impl Origin {
    /// As the settings say.
    pub(crate) fn of(config: &Config) -> Self {
        match (&config.cert, &config.key) {
            (Some(chain), Some(key)) => Self::Files(chain.clone(), key.clone()),
            _ => Self::SelfMade(config.data.clone(), config.host.clone()),
        }
    }

    /// Reads or makes it.
    pub(crate) fn load(&self, now: SystemTime) -> Result<Identity, IdentityError> {
        match self {
            Self::Files(chain, key) => Identity::from_pem_files(chain, key),
            Self::SelfMade(folder, hosts) => Identity::self_made(folder, hosts, now),
        }
    }
}

/// Announces `identity`; the receiver always has what is shown now.
pub(crate) fn show(identity: &Identity) -> (watch::Sender<Shown>, watch::Receiver<Shown>) {
    watch::channel(Shown::of(identity))
}

/// Replaces the certificate whenever it is time.
#[derive(Debug)]
pub(crate) struct Keeper {
    origin: Origin,
    identity: Identity,
    server: Arc<Server>,
    shown: watch::Sender<Shown>,
    has_warned: bool,
}

impl Keeper {
    /// For what `server` shows now.
    pub(crate) fn new(
        origin: Origin,
        identity: Identity,
        server: Arc<Server>,
        shown: watch::Sender<Shown>,
    ) -> Self {
        Self { origin, identity, server, shown, has_warned: false }
    }

    /// Never ends by itself.
    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            self.look(SystemTime::now());
        }
    }

    fn look(&mut self, now: SystemTime) {
        if now < self.identity.renew_at() {
            return;
        }
        let renewed = self.origin.load(now).and_then(|fresh| {
            self.server.set_identity(&fresh)?;
            Ok(fresh)
        });
        match renewed {
            Ok(fresh) if fresh.hash() != self.identity.hash() => {
                tracing::info!(hash = %fresh.hash(), "the certificate is renewed");
                self.shown.send_replace(Shown::of(&fresh));
                self.identity = fresh;
                self.has_warned = false;
            }
            Ok(_) => warn_once(&mut self.has_warned, &"its file was not replaced"),
            Err(error) => warn_once(&mut self.has_warned, &error),
        }
    }
}

fn warn_once(has_warned: &mut bool, error: &dyn std::fmt::Display) {
    if !std::mem::replace(has_warned, true) {
        tracing::warn!(%error, "the certificate runs out soon and cannot be renewed: trying on every minute");
    }
}

#[cfg(test)]
mod tests {
    use shared::transport::{Congestion, ServerConfig};

    use super::*;

    #[tokio::test]
    async fn a_certificate_that_runs_out_soon_is_replaced_and_announced() {
        let folder = tempfile::tempdir().expect("a folder");
        let origin = Origin::SelfMade(folder.path().to_owned(), Vec::new());
        let identity = origin.load(SystemTime::now()).expect("a certificate");
        let listen = "127.0.0.1:0".parse().expect("an address");
        let config =
            ServerConfig { listen, identity: identity.clone(), congestion: Congestion::Bbr, watcher: None };
        let server = Arc::new(Server::bind(&config).expect("a server"));
        let (shown, seen) = show(&identity);
        let first = *seen.borrow();
        assert!(first.is_hashed && first.hash == identity.hash());

        let mut keeper = Keeper::new(origin, identity.clone(), server, shown);
        keeper.look(identity.renew_at() - Duration::from_secs(1));
        assert_eq!(*seen.borrow(), first);
        keeper.look(identity.renew_at());
        let second = *seen.borrow();
        assert!(second.hash != first.hash && second.not_after > first.not_after);
        assert!(second.is_hashed, "browsers take the new one by its hash too");
    }
}

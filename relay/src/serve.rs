//! Starts and stops all of a relay.

use std::{
    fs::{File, TryLockError},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use shared::{
    folder,
    moqt::DoneCode,
    qlog,
    transport::{
        Server, ServerConfig,
        tls::{CertHash, Identity, IdentityError},
    },
};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    Config, KeyError, StoreError,
    analytics::{
        recorder::{Recorder, now},
        store::{self, Keeping, Store, Writer},
    },
    auth::{Auth, Keys},
    certificate::{self, Keeper, Origin, Shown},
    http::{self, Listener, Site},
    media::Limits,
    metrics::Metrics,
    registry::Registry,
    room::{self, Rooms},
    session::{self, Relay},
    status::Observer,
    tasks::Tasks,
};

/// How long peers get to leave once their tracks have ended.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long each further step of stopping may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a relay does not start, with what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data folder cannot be made or written.
    #[error("cannot write to the data folder {path} ({cause}): give another one with --data")]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Another relay has the data folder.
    #[error("another relay uses the data folder {0}: stop it, or give another folder with --data")]
    InUse(PathBuf),
    /// The records cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate cannot be used.
    #[error("certificate: {0}")]
    Certificate(IdentityError),
    /// There is no key for tokens.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The MoQT port cannot be bound.
    #[error("cannot listen for MoQT on UDP {addr}: {}", port_hint(cause, "--listen"))]
    Moqt {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The HTTP port cannot be bound.
    #[error("cannot listen for HTTP on TCP {addr}: {}", port_hint(cause, "--http"))]
    Http {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The operators' port cannot be bound.
    #[error("cannot listen for operators on TCP {addr}: {}", port_hint(cause, "--status"))]
    Status {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The folder for qlog files cannot be used.
    #[error(transparent)]
    Qlog(#[from] qlog::OpenError),
    /// The store's thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

fn port_hint(error: &io::Error, option: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "the port is in use; stop the program that has it (another relay?) or choose another with {option}"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!("not allowed; choose a port above 1023 with {option}")
        }
        _ => format!("{error}; choose another address with {option}"),
    }
}

/// A relay that runs. [`stop`](Self::stop) ends it in order; dropping it ends it at once.
#[derive(Debug)]
pub struct Running {
    moqt_addr: SocketAddr,
    http_addr: SocketAddr,
    status_addr: Option<SocketAddr>,
    certificate: watch::Receiver<Shown>,
    server: Arc<Server>,
    relay: Arc<Relay>,
    stopping: watch::Sender<bool>,
    connections: JoinSet<()>,
    services: JoinSet<()>,
    tracks: Tasks,
    writer: Writer,
    keeping: Keeping,
    qlog: Option<qlog::Folder>,
    folder: Folder,
}

/// Starts a relay: binds its ports, opens its records, and serves until it is stopped.
///
/// # Errors
/// [`StartError`] says what cannot be had and what to do.
pub async fn serve(config: Config) -> Result<Running, StartError> {
    let folder = Folder::take(&config.data)?;
    let origin = Origin::of(&config);
    let identity = origin.load(SystemTime::now()).map_err(StartError::Certificate)?;
    let auth = Auth::new(&config, Keys::load(&config.data, config.token_key.as_deref())?);
    let qlog = qlog::Folder::given(config.qlog.as_deref(), "relay")?;
    let server = bind(&config, &identity, qlog.as_ref())?;
    let metrics = Arc::new(Metrics::default());
    let http_failed = |cause| StartError::Http { addr: config.http, cause };
    let listener = Listener::bind(config.http, Arc::clone(&metrics)).await.map_err(http_failed)?;
    let http_addr = listener.local_addr().map_err(http_failed)?;
    let status_listener = match config.status_addr(http_addr) {
        Some(addr) => {
            let failed = |cause| StartError::Status { addr, cause };
            let listener = Listener::bind(addr, Arc::clone(&metrics)).await.map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            Some((listener, bound))
        }
        None => None,
    };
    let status_addr = status_listener.as_ref().map(|(_, addr)| *addr);
    let store = Store::open(&config.data, now())?;

    let (recorder, writer) = Recorder::start(store, Arc::clone(&metrics)).map_err(StartError::Thread)?;
    let (records, keeping) = store::Rooms::open(&config.data, Arc::clone(&metrics))?;
    let bans = records.bans()?;
    let limits = Limits::of(&config);
    let tracks = Tasks::default();
    let registry = Registry::new(limits, Arc::clone(&metrics), recorder.clone(), tracks.clone());
    let (stopping, stop) = watch::channel(false);
    let (shown, certificate) = certificate::show(&identity);
    let moqt_addr = server.local_addr();
    let site = Site {
        moqt: moqt_addr,
        certificate: certificate.clone(),
        registry: Arc::clone(&registry),
        auth: Arc::clone(&auth),
        doorman: Arc::default(),
        rooms: config.rooms.clone().into(),
    };
    let observer = Observer::new(&config, Arc::clone(&metrics), Arc::clone(&registry), certificate.clone());
    let room = Rooms::new(&registry, tracks.clone(), room::Keeper::new(records), bans);
    let relay = Arc::new(Relay::new(&config, registry, room, metrics, recorder, stop, Arc::clone(&auth)));

    let mut connections = JoinSet::new();
    connections.spawn(session::accept(Arc::clone(&server), Arc::clone(&relay)));
    let mut services = JoinSet::new();
    services.spawn(Keeper::new(origin, identity, Arc::clone(&server), shown).run());
    services.spawn(auth.watch_revoked(config.data.clone()));
    services.spawn(async move {
        if let Err(error) =
            axum::serve(listener, http::router(site).into_make_service_with_connect_info::<http::Peer>())
                .await
        {
            tracing::error!(%error, "HTTP ended");
        }
    });
    if let Some((listener, addr)) = status_listener {
        let observer = Arc::new(observer);
        services.spawn(Arc::clone(&observer).run());
        services.spawn(async move {
            if let Err(error) = axum::serve(listener, http::status::router(observer, addr)).await {
                tracing::error!(%error, "HTTP for operators ended");
            }
        });
    }
    tracing::info!(moqt = %moqt_addr, http = %http_addr, hash = %certificate.borrow().hash, "serving");
    Ok(Running {
        moqt_addr,
        http_addr,
        status_addr,
        certificate,
        server,
        relay,
        stopping,
        connections,
        services,
        tracks,
        writer,
        keeping,
        qlog,
        folder,
    })
}

/// The data folder, which one relay has at a time. Dropping it lets another have it; so does the end of
/// the program, however it comes.
#[derive(Debug)]
struct Folder {
    _lock: File,
}

impl Folder {
    /// Makes the folder, tries to write to it, and takes it.
    fn take(path: &Path) -> Result<Self, StartError> {
        let lock = folder::make_writable(path)
            .and_then(|()| File::create(path.join("relay.lock")))
            .map_err(|cause| StartError::Data { path: path.to_owned(), cause })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StartError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, "cannot lock the data folder: let no other relay use it");
            }
        }
        Ok(Self { _lock: lock })
    }
}

fn bind(
    config: &Config,
    identity: &Identity,
    qlog: Option<&qlog::Folder>,
) -> Result<Arc<Server>, StartError> {
    let settings = ServerConfig {
        listen: config.listen,
        identity: identity.clone(),
        congestion: config.congestion,
        watcher: qlog.map(qlog::Folder::watcher),
    };
    let server = Server::bind(&settings).map_err(|cause| StartError::Moqt { addr: config.listen, cause })?;
    Ok(Arc::new(server))
}

impl Running {
    /// Where MoQT is served, over raw QUIC and WebTransport.
    pub fn moqt_addr(&self) -> SocketAddr {
        self.moqt_addr
    }

    /// Where the viewer page is served.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Where operators are told how it is; `None` where that is off.
    pub fn status_addr(&self) -> Option<SocketAddr> {
        self.status_addr
    }

    /// Hash of the certificate that is shown now.
    pub fn cert_hash(&self) -> CertHash {
        self.certificate.borrow().hash
    }

    /// The text that `/metrics` answers with.
    pub fn metrics(&self) -> String {
        self.relay.metrics().to_text()
    }

    /// Refuses new connections and asks every peer to leave (GOAWAY); what it has is served on, until all have
    /// left or the time for that is over. Then it ends the broadcasts for those who are still there, closes,
    /// and writes all down.
    pub async fn stop(mut self) {
        self.relay.registry().drain();
        self.stopping.send_replace(true);
        let left = async { while self.connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.relay.drain(), left).await.is_err() {
            self.relay.room().end_all(DoneCode::GoingAway, "the relay stops");
            self.relay.registry().end_all(DoneCode::GoingAway, "the relay stops");
            let left = async { while self.connections.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(FAREWELL, left).await;
        }
        let closed = self.server.close(0, "the relay stops");
        let _ = tokio::time::timeout(PATIENCE, closed).await;
        let gone = async { while self.connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(PATIENCE, gone).await;
        self.connections.shutdown().await;
        self.relay.room().end_all(DoneCode::GoingAway, "the relay stops");
        self.tracks.finish(FAREWELL).await;
        self.services.shutdown().await;
        let writer = self.writer;
        let qlog = self.qlog;
        let keeping = self.keeping;
        let write = move || {
            writer.stop();
            keeping.stop();
            qlog.inspect(qlog::Folder::finish);
        };
        let _ = tokio::task::spawn_blocking(write).await;
        drop(self.folder);
    }
}

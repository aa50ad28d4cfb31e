//! One UDP port for raw QUIC and for WebTransport.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use quinn::{VarInt, crypto::rustls::QuicServerConfig};
use tracing::debug;
use wtransport::endpoint::{IncomingSessionFuture, SessionRequest};

use super::{
    Congestion, ConnectError, Connection, H3, MOQT, Side, Watch, Watcher, comeback,
    connection::{Inner, Quic, canonical},
    socket,
    tls::{Identity, IdentityError},
    tuning,
};

/// How long a peer may take from its first packet to an established connection.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connection attempts that wait for [`Server::accept`]; more are refused.
const MAX_INCOMING: usize = 1_024;
/// Bytes that all those attempts may hold together.
const INCOMING_BYTES: u64 = 16 << 20;
/// From this many handshakes at once on, a peer has to prove its address first: a flood from forged
/// addresses then costs no cryptography.
const RETRY_FROM: usize = 256;

/// A server's settings.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// UDP address; port 0 picks a free one. `[::]` serves IPv4 too.
    pub listen: SocketAddr,
    /// The certificate to show.
    pub identity: Identity,
    /// Congestion control of what this side sends.
    pub congestion: Congestion,
    /// Who looks on, if anybody, as [`qlog::Folder`](crate::qlog::Folder) does.
    pub watcher: Option<Arc<dyn Watcher>>,
}

/// One UDP port that serves raw QUIC and WebTransport. Dropping it closes it and its connections.
#[derive(Debug)]
pub struct Server {
    endpoint: quinn::Endpoint,
    local_addr: SocketAddr,
    congestion: Congestion,
    watching: Option<Watching>,
    /// Counts handshakes: each [`Incoming`] holds a clone.
    ongoing: Arc<()>,
}

/// Who looks on, and the settings of connections without what differs for each.
#[derive(Debug, Clone)]
struct Watching {
    watcher: Arc<dyn Watcher>,
    settings: Arc<Mutex<quinn::ServerConfig>>,
    congestion: Congestion,
}

impl Watching {
    /// The settings of one connection, and who sees its streams.
    fn begin(&self) -> (Arc<quinn::ServerConfig>, Arc<dyn Watch>) {
        let mut watched = self.watcher.connection(Side::Server);
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        settings.transport_config(tuning::transport_config(self.congestion, Some(&mut watched)));
        (Arc::new(settings), watched.streams)
    }
}

/// A connection attempt. Dropping it refuses it.
#[derive(Debug)]
pub struct Incoming {
    incoming: quinn::Incoming,
    watching: Option<Watching>,
    _ongoing: Arc<()>,
}

impl Server {
    /// Binds the port. It runs on the tokio runtime that this is called on.
    ///
    /// # Errors
    /// The operating system's, as where the port is in use.
    pub fn bind(config: &ServerConfig) -> io::Result<Self> {
        let quic = quic_config(&config.identity, config.congestion).map_err(io::Error::other)?;
        let watching = config.watcher.clone().map(|watcher| {
            let settings = Arc::new(Mutex::new(quic.clone()));
            Watching { watcher, settings, congestion: config.congestion }
        });
        let socket = socket::server(config.listen)?;
        let local_addr = socket.local_addr()?;
        let endpoint = quinn::Endpoint::new(
            comeback::endpoint_config(&config.identity, local_addr.port()),
            Some(quic),
            socket,
            Arc::new(quinn::TokioRuntime),
        )?;
        Ok(Self { endpoint, local_addr, congestion: config.congestion, watching, ongoing: Arc::new(()) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The next connection attempt; `None` once closed. Handshakes run outside, in `Incoming`.
    pub async fn accept(&self) -> Option<Incoming> {
        loop {
            let incoming = self.endpoint.accept().await?;
            if Arc::strong_count(&self.ongoing) <= RETRY_FROM || !incoming.may_retry() {
                let watching = self.watching.clone();
                return Some(Incoming { incoming, watching, _ongoing: self.ongoing.clone() });
            }
            // It cannot fail: it was asked just before.
            let _ = incoming.retry();
        }
    }

    /// Shows this certificate to all who connect from now on.
    ///
    /// # Errors
    /// [`IdentityError`] where key and certificate do not fit.
    pub fn set_identity(&self, identity: &Identity) -> Result<(), IdentityError> {
        let settings = quic_config(identity, self.congestion)?;
        if let Some(watching) = &self.watching {
            *watching.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings.clone();
        }
        self.endpoint.set_server_config(Some(settings));
        Ok(())
    }

    /// Stops accepting and closes every connection, then waits until peers were told.
    pub async fn close(&self, code: u64, reason: &str) {
        self.endpoint.close(VarInt::from_u64(code).unwrap_or(VarInt::MAX), reason.as_bytes());
        self.endpoint.wait_idle().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.endpoint.close(VarInt::from_u32(0), b"");
    }
}

impl Incoming {
    /// Where it comes from.
    pub fn remote_addr(&self) -> SocketAddr {
        canonical(self.incoming.remote_address())
    }

    /// Finishes the handshake, of HTTP/3 and WebTransport too, within a few seconds.
    ///
    /// # Errors
    /// [`ConnectError`] where it fails.
    pub async fn connect(self) -> Result<Connection, ConnectError> {
        let peer = self.remote_addr();
        let failed = |what: String| ConnectError(format!("the connection attempt of {peer} failed: {what}"));
        match tokio::time::timeout(HANDSHAKE, self.handshake()).await {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(failed(format!("it took longer than {} s", HANDSHAKE.as_secs()))),
        }
    }

    async fn handshake(self) -> Result<Connection, String> {
        let (accepted, watch) = match self.watching.as_ref().map(Watching::begin) {
            Some((settings, watch)) => (self.incoming.accept_with(settings), Some(watch)),
            None => (self.incoming.accept(), None),
        };
        let mut connecting = accepted.map_err(|error| error.to_string())?;
        let protocol = connecting
            .handshake_data()
            .await
            .map_err(|error| error.to_string())?
            .downcast::<quinn::crypto::rustls::HandshakeData>()
            .ok()
            .and_then(|data| data.protocol)
            .ok_or("it names no protocol")?;
        if protocol == H3.as_bytes() {
            let request = IncomingSessionFuture::with_quic_connecting(connecting);
            return web(request.await.map_err(|error| error.to_string())?, watch).await;
        }
        let connection = connecting.await.map_err(|error| error.to_string())?;
        Ok(Connection::new(Inner::Quic(Quic::new(connection, None).watched_by(watch))))
    }
}

/// Answers a WebTransport request. A peer that offers no subprotocol is taken to speak draft-18, since
/// not every browser can offer one.
async fn web(request: SessionRequest, watch: Option<Arc<dyn Watch>>) -> Result<Connection, String> {
    let path = request.path().to_owned();
    let offered = request.headers().get("wt-available-protocols").map_or("", String::as_str);
    let session = match choose(offered) {
        Choice::Moqt => request.accept_with_headers([("wt-protocol", format!("\"{MOQT}\""))]).await,
        Choice::Nothing => request.accept().await,
        Choice::Unknown => {
            let error = format!("it offers {offered} and not \"{MOQT}\"");
            debug!(offered, "WebTransport request refused");
            request.forbidden().await;
            return Err(error);
        }
    };
    let session = session.map_err(|error| error.to_string())?;
    Ok(Connection::new(Inner::Quic(Quic::web(session, path, None).watched_by(watch))))
}

#[derive(Debug, PartialEq, Eq)]
enum Choice {
    /// It offers draft-18.
    Moqt,
    /// It offers nothing at all.
    Nothing,
    /// It offers only what is not spoken here.
    Unknown,
}

/// Reads a list of structured-field strings (RFC 9651); bare tokens are taken as well.
fn choose(offered: &str) -> Choice {
    let mut names = offered
        .split(',')
        .map(|item| item.split(';').next().unwrap_or(item).trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
        .peekable();
    if names.peek().is_none() {
        Choice::Nothing
    } else if names.any(|name| name == MOQT) {
        Choice::Moqt
    } else {
        Choice::Unknown
    }
}

fn quic_config(identity: &Identity, congestion: Congestion) -> Result<quinn::ServerConfig, IdentityError> {
    let tls = identity
        .server_config()
        .map_err(|error| IdentityError(format!("cannot serve with this certificate: {error}")))?;
    let crypto = QuicServerConfig::try_from(tls)
        .map_err(|error| IdentityError(format!("cannot serve QUIC with this certificate: {error}")))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(tuning::transport_config(congestion, None))
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size_total(INCOMING_BYTES);
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subprotocol_is_chosen_from_what_is_offered() {
        assert_eq!(choose(""), Choice::Nothing);
        assert_eq!(choose(r#""moqt-17", "moqt-18";q=1"#), Choice::Moqt);
        assert_eq!(choose("moqt-18"), Choice::Moqt);
        assert_eq!(choose(r#""moqt-17""#), Choice::Unknown);
        assert_eq!(choose(r#""moqt-180", "chat""#), Choice::Unknown);
    }
}

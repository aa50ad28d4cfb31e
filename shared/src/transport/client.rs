//! Connecting to a server by its URL.

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use quinn::{TransportErrorCode, crypto::rustls::QuicClientConfig};
use tokio::task::JoinSet;
use url::{Host, Url};
use wtransport::{
    config::{DnsLookupFuture, DnsResolver},
    endpoint::ConnectOptions,
    error::ConnectingError,
};

use super::{
    Congestion, ConnectError, Connection, H3, Kind, MOQT, Side, Watch, Watcher,
    connection::{ClientSocket, Inner, Quic},
    socket,
    tls::{
        Trust,
        verify::{self, Refused, Seen},
    },
    tuning,
};

/// How long a server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long one address of several is tried before the next is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses that are tried at most.
const MAX_ADDRESSES: usize = 8;
/// The port of a URL that names none (draft-18 §3.1.1).
const DEFAULT_PORT: u16 = 443;
/// TLS alert `no_application_protocol`.
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// A client's settings.
#[derive(Debug, Clone, Default)]
pub struct ClientConfig {
    /// Whose certificate is accepted.
    pub trust: Trust,
    /// Congestion control of what this side sends.
    pub congestion: Congestion,
    /// Who looks on, if anybody, as [`qlog::Folder`](crate::qlog::Folder) does.
    pub watcher: Option<Arc<dyn Watcher>>,
}

/// Connects to `moqt://host[:port][/path]` (raw QUIC) or `https://host[:port][/path]` (WebTransport);
/// the port is 443 where the URL names none. Where a name has several addresses, they are tried in
/// turn, a quarter of a second apart, and the first that answers is taken.
///
/// # Errors
/// [`ConnectError`] says what failed and what to do: a bad URL, no such host, nobody there,
/// a certificate that is not trusted, a peer that does not speak `moqt-18`.
pub async fn connect(url: &Url, config: &ClientConfig) -> Result<Connection, ConnectError> {
    connect_within(url, config, TIMEOUT).await
}

/// The same with another timeout, which tests of silence need.
pub(super) async fn connect_within(
    url: &Url,
    config: &ClientConfig,
    timeout: Duration,
) -> Result<Connection, ConnectError> {
    let target = Target::parse(url)?;
    let addresses = target.resolve(timeout).await?;
    let attempt = Attempt::new(target, config).await?;
    race(&attempt, addresses, timeout).await
}

/// What a URL asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    kind: Kind,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    url: Url,
}

impl Target {
    fn parse(url: &Url) -> Result<Self, ConnectError> {
        let kind = match url.scheme() {
            "moqt" => Kind::Quic,
            "https" => Kind::WebTransport,
            _ => {
                return Err(ConnectError(format!(
                    "cannot connect to {url}: it must start with moqt:// (QUIC) or https:// (WebTransport), \
                     as in moqt://localhost:4443"
                )));
            }
        };
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => {
                return Err(ConnectError(format!(
                    "cannot connect to {url}: it names no host, as in {}://localhost:4443",
                    url.scheme()
                )));
            }
        };
        let mut url = url.clone();
        url.set_fragment(None);
        Ok(Self { kind, host, port: url.port().unwrap_or(DEFAULT_PORT), url })
    }

    async fn resolve(&self, timeout: Duration) -> Result<Vec<SocketAddr>, ConnectError> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let host = &self.host;
        let found = tokio::time::timeout(timeout, tokio::net::lookup_host((host.as_str(), self.port))).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                return Err(ConnectError(format!(
                    "there is no host {host} ({error}): check the name in {}",
                    self.url
                )));
            }
            Err(_) => {
                return Err(ConnectError(format!(
                    "no name server told where {host} is within {} s: check this machine's network",
                    timeout.as_secs()
                )));
            }
        };
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in found {
            if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(ConnectError(format!(
                "the host {host} has no address: check the name in {}",
                self.url
            )));
        }
        Ok(addresses)
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// What is the same for every address of a server.
#[derive(Clone)]
struct Attempt {
    target: Target,
    quic: quinn::ClientConfig,
    seen: Seen,
    wants_hash: bool,
    congestion: Congestion,
    watcher: Option<Arc<dyn Watcher>>,
}

/// Why one address did not work; the greatest is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Failure {
    /// Nobody answered.
    Silent,
    /// This machine could not even ask.
    Local(String),
    /// Somebody answered, and not as hoped: a whole sentence.
    Answered(String),
}

impl Attempt {
    async fn new(target: Target, config: &ClientConfig) -> Result<Self, ConnectError> {
        let alpn = if target.kind == Kind::WebTransport { H3 } else { MOQT };
        let trust = config.trust.clone();
        // Reading the system's authorities takes a while.
        let tls = tokio::task::spawn_blocking(move || verify::client_config(&trust, alpn)).await;
        let (tls, seen) = tls.map_err(|error| ConnectError(format!("cannot set up TLS: {error}")))??;
        let crypto = QuicClientConfig::try_from(tls)
            .map_err(|error| ConnectError(format!("cannot set up TLS for QUIC: {error}")))?;
        let quic = quinn::ClientConfig::new(Arc::new(crypto));
        let wants_hash = matches!(config.trust, Trust::Hashes(_));
        let (congestion, watcher) = (config.congestion, config.watcher.clone());
        Ok(Self { target, quic, seen, wants_hash, congestion, watcher })
    }

    /// The settings of one connection, and who sees its streams.
    fn settings(&self) -> (quinn::ClientConfig, Option<Arc<dyn Watch>>) {
        let mut watched = self.watcher.as_ref().map(|watcher| watcher.connection(Side::Client));
        let mut quic = self.quic.clone();
        quic.transport_config(tuning::transport_config(self.congestion, watched.as_mut()));
        (quic, watched.map(|watched| watched.streams))
    }

    async fn run(self, address: SocketAddr) -> Result<Connection, Failure> {
        match self.target.kind {
            Kind::WebTransport => self.web(address).await,
            Kind::Quic | Kind::Memory => self.quic(address).await,
        }
    }

    async fn quic(self, address: SocketAddr) -> Result<Connection, Failure> {
        let local = |error: &dyn std::fmt::Display| Failure::Local(error.to_string());
        let socket = socket::client(address).map_err(|error| local(&error))?;
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint = quinn::Endpoint::new(quinn::EndpointConfig::default(), None, socket, runtime)
            .map_err(|error| local(&error))?;
        let (settings, watch) = self.settings();
        let connecting =
            endpoint.connect_with(settings, address, &self.target.host).map_err(|error| local(&error))?;
        match connecting.await {
            Ok(connection) => {
                let quic = Quic::new(connection, Some(ClientSocket::Quic(endpoint))).watched_by(watch);
                Ok(Connection::new(Inner::Quic(quic)))
            }
            Err(quinn::ConnectionError::TimedOut) => Err(Failure::Silent),
            Err(quinn::ConnectionError::ConnectionClosed(close)) => {
                Err(self.closed(close.error_code, &String::from_utf8_lossy(&close.reason)))
            }
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }

    async fn web(self, address: SocketAddr) -> Result<Connection, Failure> {
        let local = |error: &dyn std::fmt::Display| Failure::Local(error.to_string());
        let socket = socket::client(address).map_err(|error| local(&error))?;
        let (settings, watch) = self.settings();
        let mut config =
            wtransport::ClientConfig::builder().with_bind_socket(socket).build_with_quic_config(settings);
        config.set_dns_resolver(Known(address));
        let endpoint = wtransport::Endpoint::client(config).map_err(|error| local(&error))?;
        let options = ConnectOptions::builder(&self.target.url)
            .add_header("wt-available-protocols", format!("\"{MOQT}\""))
            .build();
        let server = self.target.authority();
        match endpoint.connect(options).await {
            Ok(session) => {
                let url = &self.target.url;
                let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
                let path = format!("{}{query}", url.path());
                let quic = Quic::web(session, path, Some(ClientSocket::Web(endpoint))).watched_by(watch);
                Ok(Connection::new(Inner::Quic(quic)))
            }
            Err(ConnectingError::SessionRejected) => Err(Failure::Answered(format!(
                "the server at {server} refused the WebTransport session for {}: check the path in the URL, \
                 and that the server speaks {MOQT}",
                self.target.url.path()
            ))),
            Err(ConnectingError::ConnectionError(error)) => Err(self.web_failed(&error)),
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }

    fn web_failed(&self, error: &wtransport::error::ConnectionError) -> Failure {
        use wtransport::error::ConnectionError as Web;
        match error {
            Web::TimedOut => Failure::Silent,
            // wtransport keeps the code to itself; its words are quinn's, code first.
            Web::ConnectionClosed(close) => {
                let text = close.to_string();
                let is = |code: TransportErrorCode| text.starts_with(&code.to_string());
                let known = [
                    TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL),
                    TransportErrorCode::CONNECTION_REFUSED,
                ];
                match known.into_iter().find(|code| is(*code)) {
                    Some(code) => self.closed(code, &text),
                    None => self.failed(&text),
                }
            }
            error => self.failed(&error.to_string()),
        }
    }

    /// The server's TLS or QUIC closed the connection during the handshake.
    fn closed(&self, code: TransportErrorCode, reason: &str) -> Failure {
        let server = self.target.authority();
        if code == TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL) {
            return Failure::Answered(match self.target.kind {
                Kind::WebTransport => format!(
                    "the server at {server} does not speak HTTP/3, which WebTransport needs: try moqt:// in place \
                     of https://, or check the port"
                ),
                Kind::Quic | Kind::Memory => format!(
                    "the server at {server} does not speak {MOQT}: check the port, or update the older of both sides"
                ),
            });
        }
        if code == TransportErrorCode::CONNECTION_REFUSED {
            return Failure::Answered(format!(
                "the server at {server} takes no more connections now: try again in a while"
            ));
        }
        self.failed(&format!("{code} {reason}"))
    }

    fn failed(&self, what: &str) -> Failure {
        let server = self.target.authority();
        Failure::Answered(match self.seen.refused() {
            Some(Refused { hash, why }) if self.wants_hash => format!(
                "the certificate of {server} is not the expected one: {why}, but the server showed {hash}. If that \
                 is its new certificate, pass --cert-hash {hash}; --insecure accepts any"
            ),
            Some(Refused { hash, why }) => format!(
                "the certificate of {server} is not trusted: {why}. If it is the right one, pass --cert-hash {hash}; \
                 --insecure accepts any"
            ),
            None => format!("cannot connect to {server}: {what}"),
        })
    }
}

async fn race(
    attempt: &Attempt,
    addresses: Vec<SocketAddr>,
    timeout: Duration,
) -> Result<Connection, ConnectError> {
    let deadline = tokio::time::sleep(timeout);
    tokio::pin!(deadline);
    // Dropping the set ends the attempts that lost.
    let mut running = JoinSet::new();
    let mut worst = Failure::Silent;
    let mut waiting = addresses.iter();
    loop {
        if let Some(address) = waiting.next() {
            running.spawn(attempt.clone().run(*address));
        }
        let more = !waiting.as_slice().is_empty();
        tokio::select! {
            done = running.join_next() => match done {
                Some(Ok(Ok(connection))) => return Ok(connection),
                Some(Ok(Err(failure))) => worst = worst.max(failure),
                Some(Err(error)) => worst = worst.max(Failure::Local(error.to_string())),
                None => break,
            },
            () = tokio::time::sleep(STAGGER), if more => {}
            () = &mut deadline => break,
        }
    }
    let server = attempt.target.authority();
    Err(ConnectError(match worst {
        Failure::Answered(sentence) => sentence,
        Failure::Local(error) => {
            format!("cannot send to {server}: {error}: check this machine's network")
        }
        Failure::Silent => {
            let tried: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
            format!(
                "nobody answers at {server} (UDP, {}) within {} s: check that the server runs, that the port is right, \
                 and that no firewall holds back UDP",
                tried.join(", "),
                timeout.as_secs()
            )
        }
    }))
}

/// The name is resolved already: wtransport would take the first address only.
#[derive(Debug)]
struct Known(SocketAddr);

impl DnsResolver for Known {
    fn resolve(&self, _host: &str) -> Pin<Box<dyn DnsLookupFuture>> {
        let address = self.0;
        Box::pin(async move { Ok(Some(address)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        Target::parse(&url).map_err(|error| error.0)
    }

    #[test]
    fn urls_name_kind_host_and_port() {
        let target = parse("moqt://[::1]:4443/room?x=1#catalog").unwrap();
        assert_eq!((target.kind, target.host.as_str(), target.port), (Kind::Quic, "::1", 4443));
        assert_eq!(target.authority(), "[::1]:4443");
        let target = parse("https://127.0.0.1").unwrap();
        assert_eq!((target.kind, target.authority().as_str()), (Kind::WebTransport, "127.0.0.1:443"));
        assert_eq!(parse("moqt://example.org").unwrap().port, 443);
    }

    #[test]
    fn bad_urls_are_told_what_is_right() {
        assert!(parse("http://example.org").unwrap_err().contains("must start with moqt:// (QUIC)"));
        assert!(parse("moqt:///room").unwrap_err().contains("names no host"));
    }

    #[test]
    fn an_answer_tells_more_than_silence() {
        let answered = Failure::Answered(String::new());
        assert!(answered > Failure::Local(String::new()) && Failure::Local(String::new()) > Failure::Silent);
    }
}

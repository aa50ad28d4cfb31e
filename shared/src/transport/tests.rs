//! Real sockets on the loopback address, and the connection in memory: one behaviour for all.

use std::{future::poll_fn, net::SocketAddr, sync::Arc, time::SystemTime};

use bytes::Bytes;
use url::Url;

use super::{
    ClientConfig, ConnectError, Connection, ConnectionError, Kind, RecvStream, SendStream, Server,
    ServerConfig, StreamError, client, connect, memory,
    tls::{CertHash, Identity, Trust},
};

/// A folder that goes with the test.
pub(super) struct Folder(pub(super) std::path::PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("transport-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn identity(name: &str) -> Identity {
    let folder = Folder::new(name);
    Identity::self_made(&folder.0, &[], SystemTime::now()).unwrap()
}

fn serve(identity: &Identity) -> Arc<Server> {
    let config = ServerConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        identity: identity.clone(),
        congestion: super::Congestion::default(),
        watcher: None,
    };
    Arc::new(Server::bind(&config).unwrap())
}

fn url(scheme: &str, server: &Server) -> Url {
    Url::parse(&format!("{scheme}://{}/room/one?x=1", server.local_addr())).unwrap()
}

fn trusting(hash: CertHash) -> ClientConfig {
    ClientConfig { trust: Trust::Hashes(vec![hash]), ..ClientConfig::default() }
}

async fn accept(server: &Server) -> Result<Connection, ConnectError> {
    server.accept().await.expect("the server is open").connect().await
}

/// Client, server, and what keeps them alive.
async fn pair(kind: Kind) -> (Connection, Connection, Option<Arc<Server>>) {
    if kind == Kind::Memory {
        let (left, right) = memory::pair();
        return (left, right, None);
    }
    let scheme = if kind == Kind::Quic { "moqt" } else { "https" };
    let identity = identity(&format!("pair-{scheme}-{:?}", std::thread::current().id()));
    let server = serve(&identity);
    let (url, config) = (url(scheme, &server), trusting(identity.hash()));
    let (client, served) = tokio::join!(connect(&url, &config), accept(&server));
    (client.unwrap(), served.unwrap(), Some(server))
}

const KINDS: [Kind; 3] = [Kind::Quic, Kind::WebTransport, Kind::Memory];

async fn write_all(stream: &mut SendStream, bytes: impl Into<Bytes>) -> Result<(), StreamError> {
    let mut chunks = [bytes.into()];
    while !chunks[0].is_empty() {
        poll_fn(|cx| stream.poll_write(cx, &mut chunks)).await?;
    }
    Ok(())
}

async fn read_all(stream: &mut RecvStream) -> Result<Vec<u8>, StreamError> {
    let mut all = Vec::new();
    while let Some(bytes) = poll_fn(|cx| stream.poll_read(cx, 1_000)).await? {
        assert!(bytes.len() <= 1_000);
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

#[tokio::test]
async fn a_peer_that_opens_many_streams_may_have_more() {
    const MANY: usize = 100;
    for kind in [Kind::Quic, Kind::WebTransport] {
        let (client, server, _keep) = pair(kind).await;
        let open = async {
            let mut streams = Vec::new();
            for _ in 0..MANY {
                let mut uni = client.open_uni().await.unwrap();
                write_all(&mut uni, vec![1]).await.unwrap();
                let mut bi = client.open_bi().await.unwrap();
                write_all(&mut bi.0, vec![2]).await.unwrap();
                streams.push((uni, bi));
            }
            streams
        };
        // None of them ends: only a larger allowance lets all be opened.
        let take = async {
            let mut streams = Vec::new();
            while streams.len() < MANY {
                let pair = tokio::join!(server.accept_uni(), server.accept_bi());
                streams.push((pair.0.unwrap(), pair.1.unwrap()));
                server.has_open(streams.len(), streams.len());
            }
            streams
        };
        let (ours, theirs) = tokio::join!(open, take);
        assert_eq!((ours.len(), theirs.len()), (MANY, MANY), "{kind:?}");
    }
}

#[tokio::test]
async fn streams_and_datagrams_echo() {
    for kind in KINDS {
        let (client, server, _keep) = pair(kind).await;
        assert_eq!((client.kind(), server.kind()), (kind, kind));
        let path = if kind == Kind::WebTransport { "/room/one?x=1" } else { "" };
        assert_eq!((client.path(), server.path()), (path, path));

        // Larger than every buffer, so that flow control has to work.
        let sent: Vec<u8> = (0..9_000_000u32).map(|i| (i / 7) as u8).collect();
        let echo = async {
            let (mut send, mut recv) = server.accept_bi().await.unwrap();
            while let Some(bytes) = poll_fn(|cx| recv.poll_read(cx, usize::MAX)).await.unwrap() {
                write_all(&mut send, bytes).await.unwrap();
            }
            send.finish();
            send
        };
        let ask = async {
            let (mut send, mut recv) = client.open_bi().await.unwrap();
            let write = async {
                write_all(&mut send, sent.clone()).await.unwrap();
                send.finish();
            };
            let ((), read) = tokio::join!(write, read_all(&mut recv));
            assert!(read.unwrap() == sent, "{kind:?}");
        };
        let (_send, ()) = tokio::join!(echo, ask);

        // Many chunks at once, the other way, in an order of its own; then an empty stream.
        let mut uni = server.open_uni().await.unwrap();
        uni.set_order(i32::MIN);
        let mut chunks = [Bytes::from_static(b"one "), Bytes::new(), Bytes::from_static(b"two")];
        assert_eq!(poll_fn(|cx| uni.poll_write(cx, &mut chunks)).await, Ok(7));
        assert!(chunks.iter().all(Bytes::is_empty));
        uni.finish();
        assert_eq!(read_all(&mut client.accept_uni().await.unwrap()).await.unwrap(), b"one two");
        assert_eq!(poll_fn(|cx| uni.poll_stopped(cx)).await, None);
        assert_eq!(poll_fn(|cx| uni.poll_stopped(cx)).await, None, "asking again is allowed");
        let mut empty = server.open_uni().await.unwrap();
        empty.finish();
        assert_eq!(read_all(&mut client.accept_uni().await.unwrap()).await.unwrap(), b"");

        assert!(client.send_datagram(Bytes::from_static(b"up")));
        assert_eq!(&server.recv_datagram().await.unwrap()[..], b"up");
        assert!(server.max_datagram_size() >= 1_100, "{}", server.max_datagram_size());
        assert!(server.send_datagram(vec![7; server.max_datagram_size()].into()));
        assert_eq!(client.recv_datagram().await.unwrap()[0], 7);
        assert!(!server.send_datagram(vec![0; 65_000].into()));
        assert!(server.stats().sent_bytes > 1_000);
    }
}

#[tokio::test]
async fn reset_and_stop_codes_arrive() {
    for kind in KINDS {
        let (client, server, _keep) = pair(kind).await;
        let (mut send, mut recv) = client.open_bi().await.unwrap();
        write_all(&mut send, "x").await.unwrap();
        let (mut back, mut from) = server.accept_bi().await.unwrap();
        assert_eq!(poll_fn(|cx| from.poll_read(cx, 9)).await, Ok(Some(Bytes::from_static(b"x"))));

        send.reset(0x1e);
        assert_eq!(read_all(&mut from).await, Err(StreamError::Peer(0x1e)), "{kind:?}");
        recv.stop(0x42);
        assert_eq!(poll_fn(|cx| back.poll_stopped(cx)).await, Some(0x42), "{kind:?}");
        assert_eq!(write_all(&mut back, "y").await, Err(StreamError::Peer(0x42)), "{kind:?}");
        assert_eq!(write_all(&mut send, "z").await, Err(StreamError::Ended), "{kind:?}");
    }
}

#[tokio::test]
async fn a_dropped_stream_is_reset_and_stopped() {
    for kind in KINDS {
        let (client, server, _keep) = pair(kind).await;
        let (mut send, recv) = client.open_bi().await.unwrap();
        write_all(&mut send, "half of it").await.unwrap();
        let (mut back, mut from) = server.accept_bi().await.unwrap();
        drop((send, recv));
        assert_eq!(read_all(&mut from).await, Err(StreamError::Peer(1)), "{kind:?}");
        assert_eq!(poll_fn(|cx| back.poll_stopped(cx)).await, Some(1), "{kind:?}");
    }
}

#[tokio::test]
async fn a_finished_stream_outlives_its_handle_and_may_still_be_reset() {
    for kind in KINDS {
        let (client, server, _keep) = pair(kind).await;
        let mut send = client.open_uni().await.unwrap();
        write_all(&mut send, "whole").await.unwrap();
        send.finish();
        drop(send);
        assert_eq!(read_all(&mut server.accept_uni().await.unwrap()).await.unwrap(), b"whole", "{kind:?}");

        // Too much to arrive unread: it waits here, finished, until it is given up.
        let mut late = client.open_uni().await.unwrap();
        let mut chunks = [Bytes::from(vec![0; 6_000_000])];
        poll_fn(|cx| late.poll_write(cx, &mut chunks)).await.unwrap();
        late.finish();
        let mut recv = server.accept_uni().await.unwrap();
        assert!(poll_fn(|cx| recv.poll_read(cx, 1)).await.unwrap().is_some());
        late.reset(5);
        assert_eq!(read_all(&mut recv).await, Err(StreamError::Peer(5)), "{kind:?}");
    }
}

#[tokio::test]
async fn opening_waits_for_the_limit_and_may_be_given_up() {
    for kind in KINDS {
        let (client, server, _keep) = pair(kind).await;
        let mut open = Vec::new();
        // The peer's own HTTP/3 streams count towards the limit.
        while let Ok(stream) =
            tokio::time::timeout(std::time::Duration::from_millis(50), client.open_uni()).await
        {
            let mut stream = stream.unwrap();
            write_all(&mut stream, "x").await.unwrap();
            open.push(stream);
        }
        let limit = if kind == Kind::Memory { 240..=256 } else { 12..=16 };
        assert!(limit.contains(&open.len()), "{kind:?} {}", open.len());
        for mut stream in open {
            stream.finish();
            assert_eq!(read_all(&mut server.accept_uni().await.unwrap()).await.unwrap(), b"x");
        }
        client.open_uni().await.unwrap();
    }
}

#[tokio::test]
async fn both_sides_learn_how_it_ended() {
    for kind in KINDS {
        let (client, server, _keep) = pair(kind).await;
        let (mut send, mut recv) = client.open_bi().await.unwrap();
        write_all(&mut send, "x").await.unwrap();
        server.close(3, "enough");
        let by_peer = ConnectionError::Peer { code: 3, reason: "enough".into() };
        assert_eq!(client.closed().await, by_peer, "{kind:?}");
        assert_eq!(server.closed().await, ConnectionError::Local, "{kind:?}");
        assert_eq!(client.accept_uni().await.unwrap_err(), by_peer, "{kind:?}");
        assert_eq!(client.recv_datagram().await.unwrap_err(), by_peer, "{kind:?}");
        assert_eq!(client.open_bi().await.unwrap_err(), by_peer, "{kind:?}");
        assert_eq!(read_all(&mut recv).await, Err(StreamError::Connection), "{kind:?}");
        assert_eq!(write_all(&mut send, "y").await, Err(StreamError::Connection), "{kind:?}");
    }
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_connection() {
    for kind in KINDS {
        let (client, server, _keep) = pair(kind).await;
        let mut send = client.open_uni().await.unwrap();
        write_all(&mut send, "x").await.unwrap();
        let clone = client.clone();
        drop(client);
        assert_eq!(&read_some(&server).await[..], b"x", "a clone keeps it open");
        drop(clone);
        let ended = server.closed().await;
        assert!(matches!(ended, ConnectionError::Peer { code: 0, .. }), "{kind:?} {ended:?}");
    }
}

async fn read_some(connection: &Connection) -> Bytes {
    let mut stream = connection.accept_uni().await.unwrap();
    poll_fn(|cx| stream.poll_read(cx, 100)).await.unwrap().unwrap_or_default()
}

#[tokio::test]
async fn a_client_can_wait_until_its_end_was_told() {
    for kind in [Kind::Quic, Kind::WebTransport] {
        let (client, server, _keep) = pair(kind).await;
        let (ended, ()) = tokio::join!(server.closed(), client.close_and_wait(9, "bye"));
        assert_eq!(ended, ConnectionError::Peer { code: 9, reason: "bye".into() }, "{kind:?}");
    }
}

#[tokio::test]
async fn closing_the_server_ends_its_connections() {
    for kind in [Kind::Quic, Kind::WebTransport] {
        let (client, _served, server) = pair(kind).await;
        let server = server.unwrap();
        let (ended, ()) = tokio::join!(client.closed(), server.close(4, "restarting"));
        assert_eq!(ended, ConnectionError::Peer { code: 4, reason: "restarting".into() }, "{kind:?}");
        assert!(server.accept().await.is_none());
    }
}

mod trust {
    use super::*;

    #[tokio::test]
    async fn a_certificate_that_is_not_expected_is_named() {
        let server = serve(&identity("expected"));
        let shown = identity_hash(&server).await;
        for scheme in ["moqt", "https"] {
            let wanted = CertHash([0xab; 32]);
            let url = url(scheme, &server);
            let error = refused(&server, &url, &trusting(wanted)).await;
            let said = format!("expected the hash {wanted}, but the server showed {shown}");
            assert!(error.contains(&said) && error.contains("--cert-hash"), "{scheme}: {error}");

            let error = refused(&server, &url, &ClientConfig::default()).await;
            let no_authorities = error.contains("no certificate authorities");
            assert!(no_authorities || error.contains("is not trusted: no authority"), "{scheme}: {error}");
        }
    }

    #[tokio::test]
    async fn anything_is_accepted_on_demand() {
        let server = serve(&identity("anything"));
        let config = ClientConfig { trust: Trust::Anything, ..ClientConfig::default() };
        let url = url("moqt", &server);
        let (client, served) = tokio::join!(connect(&url, &config), accept(&server));
        assert_eq!((client.unwrap().kind(), served.unwrap().kind()), (Kind::Quic, Kind::Quic));
    }

    #[tokio::test]
    async fn a_new_certificate_is_shown_from_now_on() {
        let (first, second) = (identity("first"), identity("second"));
        let server = serve(&first);
        let url = url("moqt", &server);
        let old = trusting(first.hash());
        let (client, served) = tokio::join!(connect(&url, &old), accept(&server));
        let (client, served) = (client.unwrap(), served.unwrap());

        server.set_identity(&second).unwrap();
        assert!(refused(&server, &url, &old).await.contains(&second.hash().to_string()));
        let new = trusting(second.hash());
        let (again, served_again) = tokio::join!(connect(&url, &new), accept(&server));
        assert!(again.is_ok() && served_again.is_ok());

        // The connection that was there before goes on.
        assert!(served.send_datagram(Bytes::from_static(b"still here")));
        assert_eq!(&client.recv_datagram().await.unwrap()[..], b"still here");
    }

    async fn identity_hash(server: &Server) -> CertHash {
        let url = url("moqt", server);
        let error = refused(server, &url, &trusting(CertHash([0; 32]))).await;
        let hash = error.split("the server showed ").nth(1).and_then(|rest| rest.get(..64)).unwrap();
        hash.parse().unwrap()
    }
}

/// The client's error; the server's end of the attempt fails beside it.
async fn refused(server: &Server, url: &Url, config: &ClientConfig) -> String {
    let (client, served) = tokio::join!(connect(url, config), accept(server));
    assert!(served.is_err());
    client.unwrap_err().0
}

mod refusals {
    use super::*;

    /// A server that speaks other protocols than ours.
    fn other_server(alpn: &str) -> quinn::Endpoint {
        let mut tls = identity(alpn).server_config().unwrap();
        tls.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(tls).unwrap();
        let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        quinn::Endpoint::server(config, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
    }

    /// A WebTransport client that is not ours.
    fn other_client() -> wtransport::Endpoint<wtransport::endpoint::endpoint_side::Client> {
        let (tls, _) = super::super::tls::verify::client_config(&Trust::Anything, "h3").unwrap();
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
        let quic = quinn::ClientConfig::new(Arc::new(crypto));
        let config = wtransport::ClientConfig::builder().with_bind_default().build_with_quic_config(quic);
        wtransport::Endpoint::client(config).unwrap()
    }

    async fn error_at(url: &str) -> String {
        let config = ClientConfig { trust: Trust::Anything, ..ClientConfig::default() };
        connect(&Url::parse(url).unwrap(), &config).await.unwrap_err().0
    }

    #[tokio::test]
    async fn a_server_of_another_protocol_is_told_apart() {
        let server = other_server("moqt-99");
        let address = server.local_addr().unwrap();
        let refuse = async {
            while let Some(incoming) = server.accept().await {
                assert!(incoming.await.is_err())
            }
        };
        let ask = async {
            let error = error_at(&format!("moqt://{address}")).await;
            assert!(error.contains("does not speak moqt-18"), "{error}");
            let error = error_at(&format!("https://{address}")).await;
            assert!(error.contains("does not speak HTTP/3"), "{error}");
            server.close(quinn::VarInt::from_u32(0), b"");
        };
        tokio::join!(refuse, ask);
    }

    #[tokio::test]
    async fn an_unknown_subprotocol_is_refused() {
        let identity = identity("subprotocol");
        let server = serve(&identity);
        let client = other_client();
        for (header, accepted) in [(Some("\"moqt-17\""), false), (Some("\"moqt-18\""), true), (None, true)] {
            let mut options = wtransport::endpoint::ConnectOptions::builder(url("https", &server));
            if let Some(header) = header {
                options = options.add_header("wt-available-protocols", header);
            }
            let (session, served) = tokio::join!(client.connect(options.build()), accept(&server));
            assert_eq!((session.is_ok(), served.is_ok()), (accepted, accepted), "{header:?}");
        }
    }

    #[tokio::test]
    async fn a_peer_that_ends_its_session_ends_gracefully() {
        let server = serve(&identity("tab"));
        let client = other_client();
        let (session, served) = tokio::join!(client.connect(url("https", &server)), accept(&server));
        let (session, served) = (session.unwrap(), served.unwrap());
        // HTTP/3's own words for an end without an error.
        session.close(wtransport::VarInt::from_u32(0x100), b"");
        assert_eq!(served.closed().await, ConnectionError::Peer { code: 0, reason: String::new() });
    }

    #[tokio::test]
    async fn silence_is_told_with_what_to_check() {
        let config = ClientConfig { trust: Trust::Anything, ..ClientConfig::default() };
        // Bound and never read: nobody answers.
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        for scheme in ["moqt", "https"] {
            let url = Url::parse(&format!("{scheme}://{address}")).unwrap();
            let timeout = std::time::Duration::from_millis(100);
            let asked = client::connect_within(&url, &config, timeout);
            let error = asked.await.unwrap_err().0;
            assert!(error.starts_with(&format!("nobody answers at {address}")), "{error}");
        }
    }

    #[tokio::test]
    async fn no_such_host_is_told() {
        let error = error_at("moqt://no-such-host.invalid:1").await;
        assert!(
            error.contains("no host no-such-host.invalid") || error.contains("no name server"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn one_dual_stack_port_serves_both_families() {
    let identity = identity("dual");
    let config = ServerConfig {
        listen: "[::]:0".parse().unwrap(),
        identity: identity.clone(),
        congestion: super::Congestion::Cubic,
        watcher: None,
    };
    let server = Server::bind(&config).unwrap();
    let port = server.local_addr().port();
    let mut hosts = vec!["127.0.0.1", "localhost"];
    if server.local_addr().is_ipv6() {
        hosts.push("[::1]");
    }
    for host in hosts {
        let url = Url::parse(&format!("moqt://{host}:{port}")).unwrap();
        let config = trusting(identity.hash());
        let (client, served) = tokio::join!(connect(&url, &config), accept(&server));
        let served = served.unwrap();
        assert!(client.unwrap().remote_addr().port() == port && served.remote_addr().ip().is_loopback());
    }
}

//! A session of moqtap-client with the relay.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, bail, ensure};
use moqtap_client::{
    draft18::{
        connection::{
            ClientConfig, Connection, ConnectionError, FramedRecvStream, RequestStream, TransportType,
        },
        event::{ClientEvent, Direction},
        observer::ConnectionObserver,
    },
    transport::{QuicDialOptions, Transport, TransportError, dial_quic, dial_webtransport},
};
use moqtap_codec::{
    dispatch::{AnyControlMessage, AnyDatagramHeader, AnyFetchHeader, AnySubgroupHeader},
    draft18::{
        data_stream::{DatagramHeader, FetchObject, GroupOrder, SubgroupHeader, SubgroupObject},
        message::{ControlMessage, RequestError, RequestOk, SubscribeOk},
    },
    kvp::KeyValuePair,
    version::DraftVersion,
};
use tests::world::{Over, PATIENCE, World};
use tokio::time::timeout;

use super::wire::{namespace, var};

/// Both, in the order in which cases run over them.
pub(super) const TRANSPORTS: [Over; 2] = [Over::Quic, Over::WebTransport];
/// The draft's name in ALPN and in WT-Available-Protocols.
const MOQT_18: &[u8] = b"moqt-18";

/// A connection on which nothing has been said yet.
pub(super) async fn dial(world: &World, over: Over) -> Result<Transport> {
    // With two providers in the tree it panics unless one is chosen (`rustls_client_config`, transport/quic.rs).
    // That another case chose it already is no matter.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = QuicDialOptions::new(vec![MOQT_18.to_vec()])
        .insecure(true)
        .offering_wt_protocols(vec![MOQT_18.to_vec()]);
    match over {
        Over::Quic => {
            let (transport, chosen) = dial_quic(&world.moqt().to_string(), &options).await?;
            ensure!(chosen.as_deref() == Some(MOQT_18), "the relay chose {chosen:?}");
            Ok(transport)
        }
        Over::WebTransport => Ok(dial_webtransport(&world.url(over), &options).await?),
    }
}

/// What comes of `future` in time.
pub(super) async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    timeout(PATIENCE, future).await.with_context(|| format!("waited in vain for {what}"))
}

/// Why the relay ended a session: the code and the reason.
pub(super) async fn end_of(closed: impl Future<Output = TransportError>) -> Result<(u64, String)> {
    match within("the end of the session", closed).await? {
        TransportError::SessionClosed { code, reason } => Ok((code, reason)),
        other => bail!("the session ended without a code: {other}"),
    }
}

/// A session.
pub(super) struct Client {
    connection: Connection,
    received: Received,
}

/// Control messages that came, in their order.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<ControlMessage>>>);

impl ConnectionObserver for Received {
    fn on_event(&self, event: &ClientEvent) {
        if let ClientEvent::ControlMessage {
            direction: Direction::Receive,
            message: AnyControlMessage::Draft18(message),
            ..
        } = event
        {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        }
    }
}

/// A data stream of a subscription, read to its end.
#[derive(Debug)]
pub(super) struct Subgroup {
    /// How it began.
    pub(super) header: SubgroupHeader,
    /// What it carried.
    pub(super) objects: Vec<SubgroupObject>,
}

impl Subgroup {
    /// IDs and payloads of its objects.
    pub(super) fn payloads(&self) -> Vec<(u64, String)> {
        let text = |payload: &[u8]| String::from_utf8_lossy(payload).into_owned();
        self.objects.iter().map(|object| (object.object_id.into_inner(), text(&object.payload))).collect()
    }
}

impl Client {
    /// Sets a session up.
    pub(super) async fn connect(world: &World, over: Over) -> Result<Self> {
        Self::set_up(world, over, Vec::new()).await
    }

    /// As [`Self::connect`], with options in SETUP.
    pub(super) async fn set_up(world: &World, over: Over, options: Vec<KeyValuePair>) -> Result<Self> {
        let transport = match over {
            Over::Quic => TransportType::Quic,
            Over::WebTransport => TransportType::WebTransport { url: world.url(over) },
        };
        let config = ClientConfig {
            draft: DraftVersion::Draft18,
            transport,
            skip_cert_verification: true,
            ca_certs: Vec::new(),
            setup_parameters: options,
        };
        let adopted = Box::pin(Connection::adopt(dial(world, over).await?, config));
        let mut connection = within("SETUP", adopted).await??;
        let received = Received::default();
        connection.set_observer(Box::new(received.clone()));
        Ok(Self { connection, received })
    }

    /// The session, for what has no shorter form here.
    pub(super) fn session(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The control message that came last, the session's own among them.
    pub(super) fn last(&self) -> Option<ControlMessage> {
        self.received.0.lock().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    /// Announces a namespace, which the relay takes.
    pub(super) async fn announce(&mut self, path: &str) -> Result<RequestStream> {
        let mut request = self.connection.publish_namespace(namespace(path), Vec::new()).await?;
        self.agreed(&mut request).await?;
        Ok(request)
    }

    /// Asks for a track. The answer comes on what is returned.
    pub(super) async fn subscribe(
        &mut self,
        path: &str,
        track: &str,
        parameters: Vec<KeyValuePair>,
    ) -> Result<RequestStream> {
        Ok(self.connection.subscribe(namespace(path), track.into(), parameters).await?)
    }

    /// The next message on a request.
    pub(super) async fn next(&mut self, request: &mut RequestStream) -> Result<ControlMessage> {
        Ok(within("a message on a request", self.connection.recv_on_request_stream(request)).await??)
    }

    /// REQUEST_OK.
    pub(super) async fn agreed(&mut self, request: &mut RequestStream) -> Result<RequestOk> {
        match self.next(request).await? {
            ControlMessage::RequestOk(ok) => Ok(ok),
            other => bail!("expected REQUEST_OK: {other:?}"),
        }
    }

    /// SUBSCRIBE_OK.
    pub(super) async fn granted(&mut self, request: &mut RequestStream) -> Result<SubscribeOk> {
        match self.next(request).await? {
            ControlMessage::SubscribeOk(ok) => Ok(ok),
            other => bail!("expected SUBSCRIBE_OK: {other:?}"),
        }
    }

    /// REQUEST_ERROR.
    pub(super) async fn refused(&mut self, request: &mut RequestStream) -> Result<RequestError> {
        match self.next(request).await? {
            ControlMessage::RequestError(error) => Ok(error),
            other => bail!("expected REQUEST_ERROR: {other:?}"),
        }
    }

    /// The next request of the relay.
    pub(super) async fn asked(&mut self) -> Result<(ControlMessage, RequestStream)> {
        Ok(within("a request of the relay", self.connection.accept_request_stream()).await??)
    }

    /// Waits until the relay subscribes to a track of that name, and grants it under `alias`.
    pub(super) async fn serve(
        &mut self,
        track: &str,
        alias: u64,
        parameters: Vec<KeyValuePair>,
        track_properties: Vec<KeyValuePair>,
    ) -> Result<RequestStream> {
        let (asked, mut request) = self.asked().await?;
        let ControlMessage::Subscribe(subscribe) = asked else { bail!("expected SUBSCRIBE: {asked:?}") };
        ensure!(subscribe.track_name == track.as_bytes(), "expected {track}: {subscribe:?}");
        let ok = SubscribeOk { track_alias: var(alias), parameters, track_properties };
        self.connection.respond_subscribe_ok(&mut request, ok).await?;
        Ok(request)
    }

    /// Sends a subgroup whole.
    pub(super) async fn send(&self, header: SubgroupHeader, objects: &[SubgroupObject]) -> Result<()> {
        let mut stream = self.connection.open_subgroup_stream(&AnySubgroupHeader::Draft18(header)).await?;
        for object in objects {
            stream.write_subgroup_object(object).await?;
        }
        Ok(stream.finish().await?)
    }

    /// The next data stream of a subscription, read to its end.
    pub(super) async fn subgroup(&self) -> Result<Subgroup> {
        let accepted = within("a subgroup", self.connection.accept_subgroup_stream()).await??;
        let (AnySubgroupHeader::Draft18(header), mut stream) = accepted;
        let mut objects = Vec::new();
        while let Some(object) = until_end(within("an object", stream.read_subgroup_object()).await?)? {
            objects.push(object);
        }
        Ok(Subgroup { header, objects })
    }

    /// The next data stream of a fetch, read to its end: the request that it answers, and its objects.
    pub(super) async fn fetched(&self, order: GroupOrder) -> Result<(u64, Vec<(FetchObject, Vec<u8>)>)> {
        let accepted = within("a fetch's stream", self.connection.accept_fetch_stream()).await??;
        let (AnyFetchHeader::Draft18(header), mut stream): (_, FramedRecvStream) = accepted;
        stream.begin_fetch_objects(order);
        let mut objects = Vec::new();
        while let Some(object) = until_end(within("a fetched object", stream.read_fetch_object()).await?)? {
            objects.push(object);
        }
        Ok((header.request_id.into_inner(), objects))
    }

    /// Sends an object as a datagram.
    pub(super) fn send_datagram(&self, header: DatagramHeader, payload: &str) -> Result<()> {
        Ok(self.connection.send_datagram(&AnyDatagramHeader::Draft18(header), payload.as_bytes())?)
    }

    /// The next object that comes as a datagram.
    pub(super) async fn datagram(&self) -> Result<(DatagramHeader, String)> {
        let received = within("a datagram", self.connection.recv_datagram()).await??;
        let (AnyDatagramHeader::Draft18(header), payload) = received;
        Ok((header, String::from_utf8_lossy(&payload).into_owned()))
    }
}

/// It tells the end of a stream only as an error, the same one whether an object is cut off or not
/// (`FramedRecvStream::read_subgroup_object`, connection.rs); the cases therefore compare all that came.
fn until_end<T>(read: Result<T, ConnectionError>) -> Result<Option<T>> {
    match read {
        Ok(object) => Ok(Some(object)),
        Err(ConnectionError::UnexpectedEnd) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

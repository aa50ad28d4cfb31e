//! A client that others wrote, moqtap, driven against the relay over raw QUIC: it publishes on one session and
//! watches on another.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use moqtap_client::draft18::connection::{
    ClientConfig, Connection, FramedRecvStream, RequestStream, TransportType,
};
use moqtap_codec::{
    dispatch::{AnyDatagramHeader, AnySubgroupHeader},
    draft18::{
        data_stream::{DatagramHeader, GroupOrder, SubgroupHeader, SubgroupObject},
        message::{ControlMessage, RequestOk, SubscribeOk},
    },
    types::TrackNamespace,
    varint::VarInt,
    version::DraftVersion,
};
use tests::world::{PATIENCE, World};
use tokio::time::timeout;

/// A subgroup's header (draft-18 §11.4.2): subgroup 0, without properties, from its first object on.
const SUBGROUP: u8 = 0x50;
/// DOES_NOT_EXIST (draft-18 §15.10.2).
const DOES_NOT_EXIST: u64 = 0x10;

fn number(value: u64) -> VarInt {
    VarInt::from_u64(value).expect("it fits")
}

fn namespace(path: &str) -> TrackNamespace {
    TrackNamespace(path.split('/').map(|field| field.as_bytes().to_vec()).collect())
}

async fn connect(world: &World) -> Result<Connection> {
    // Another test may have done it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ClientConfig {
        draft: DraftVersion::Draft18,
        transport: TransportType::Quic,
        skip_cert_verification: true,
        ca_certs: Vec::new(),
        setup_parameters: Vec::new(),
    };
    let address = world.moqt().to_string();
    soon("SETUP", Connection::connect(&address, config)).await
}

/// Whatever is awaited, for a while.
async fn soon<T, E: std::error::Error + Send + Sync + 'static>(
    what: &str,
    work: impl Future<Output = std::result::Result<T, E>>,
) -> Result<T> {
    timeout(PATIENCE, work)
        .await
        .with_context(|| format!("{what} does not come"))?
        .with_context(|| what.to_owned())
}

/// The answer to a request.
async fn answer(connection: &mut Connection, request: &mut RequestStream) -> Result<ControlMessage> {
    soon("an answer", connection.recv_on_request_stream(request)).await
}

/// Opens a subgroup with these payloads, as objects 0, 1 and so on.
async fn send(connection: &Connection, alias: u64, group: u64, payloads: &[&str]) -> Result<()> {
    let header = SubgroupHeader {
        header_type: SUBGROUP,
        track_alias: number(alias),
        group_id: number(group),
        subgroup_id: number(0),
        publisher_priority: Some(64),
    };
    let mut stream = connection.open_subgroup_stream(&AnySubgroupHeader::Draft18(header)).await?;
    for (id, payload) in (0..).zip(payloads) {
        let object = SubgroupObject {
            object_id: number(id),
            extension_headers: Vec::new(),
            payload_length: number(payload.len() as u64),
            object_status: None,
            payload: payload.as_bytes().to_vec(),
        };
        stream.write_subgroup_object(&object).await?;
    }
    stream.finish().await?;
    Ok(())
}

/// The next objects of a subgroup's stream.
async fn objects(stream: &mut FramedRecvStream, count: usize) -> Result<Vec<(u64, String)>> {
    let mut all = Vec::new();
    while all.len() < count {
        let object = soon("an object", stream.read_subgroup_object()).await?;
        all.push((object.object_id.into_inner(), String::from_utf8(object.payload)?));
    }
    Ok(all)
}

/// Announces `lab/desk`, and has the relay subscribe to `track` there, with `alias`, for the viewer who asks.
async fn watched(
    publisher: &mut Connection,
    viewer: &mut Connection,
    track: &str,
    alias: u64,
) -> Result<(RequestStream, RequestStream)> {
    let name = track.as_bytes().to_vec();
    let mut asked = soon("SUBSCRIBE", viewer.subscribe(namespace("lab/desk"), name, Vec::new())).await?;
    let (message, mut served) = soon("SUBSCRIBE", publisher.accept_request_stream()).await?;
    let ControlMessage::Subscribe(subscribe) = message else { bail!("{message:?}") };
    assert_eq!(
        (subscribe.track_namespace, subscribe.track_name),
        (namespace("lab/desk"), track.as_bytes().to_vec())
    );
    let ok = SubscribeOk { track_alias: number(alias), parameters: Vec::new(), track_properties: Vec::new() };
    publisher.respond_subscribe_ok(&mut served, ok).await?;
    match answer(viewer, &mut asked).await? {
        ControlMessage::SubscribeOk(_) => Ok((asked, served)),
        other => bail!("{other:?}"),
    }
}

async fn announced(publisher: &mut Connection) -> Result<RequestStream> {
    let asked = publisher.publish_namespace(namespace("lab/desk"), Vec::new());
    let mut announced = soon("PUBLISH_NAMESPACE", asked).await?;
    match answer(publisher, &mut announced).await? {
        ControlMessage::RequestOk(_) => Ok(announced),
        other => bail!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moqtap_subscribes_and_fetches_what_another_moqtap_publishes() -> Result<()> {
    let world = World::with(&["--open"])?;
    let (mut publisher, mut viewer) = (connect(&world).await?, connect(&world).await?);
    let _announced = announced(&mut publisher).await?;
    let (_asked, _served) = watched(&mut publisher, &mut viewer, "notes", 7).await?;
    send(&publisher, 7, 4, &["zero", "one"]).await?;
    let (header, mut stream) = soon("a subgroup", viewer.accept_subgroup_stream()).await?;
    assert_eq!(header.group_id(), 4);
    let expected = vec![(0, "zero".to_owned()), (1, "one".to_owned())];
    assert_eq!(objects(&mut stream, 2).await?, expected);

    let range = [4, 1, 4, 2].map(number);
    let fetch = viewer.fetch(
        namespace("lab/desk"),
        b"notes".to_vec(),
        range[0],
        range[1],
        range[2],
        range[3],
        Vec::new(),
    );
    let mut fetch = soon("FETCH", fetch).await?;
    let ok = answer(&mut viewer, &mut fetch).await?;
    assert!(matches!(ok, ControlMessage::FetchOk(_)), "{ok:?}");
    let (_, mut stream) = soon("a fetch's stream", viewer.accept_fetch_stream()).await?;
    stream.begin_fetch_objects(GroupOrder::Ascending);
    let (object, payload) = soon("a fetched object", stream.read_fetch_object()).await?;
    assert_eq!((object.group_id, object.object_id, &payload[..]), (4, 1, &b"one"[..]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moqtap_sends_and_receives_datagrams() -> Result<()> {
    let world = World::with(&["--open"])?;
    let (mut publisher, mut viewer) = (connect(&world).await?, connect(&world).await?);
    let _announced = announced(&mut publisher).await?;
    let (_asked, _served) = watched(&mut publisher, &mut viewer, "taps", 8).await?;
    for id in 0..3 {
        let header = DatagramHeader {
            datagram_type: 0,
            track_alias: number(8),
            group_id: number(2),
            object_id: number(id),
            publisher_priority: Some(9),
            properties: Vec::new(),
            object_status: None,
        };
        publisher.send_datagram(&AnyDatagramHeader::Draft18(header), format!("tap {id}").as_bytes())?;
        let (header, payload) = soon("a datagram", viewer.recv_datagram()).await?;
        let meta = header.meta();
        assert_eq!((meta.group_id, meta.object_id, payload), (2, id, format!("tap {id}").into()));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_moqtap_publishes_is_taken_and_offered_on() -> Result<()> {
    let world = World::with(&["--open"])?;
    let (mut publisher, mut viewer) = (connect(&world).await?, connect(&world).await?);
    let mut tracks =
        soon("SUBSCRIBE_TRACKS", viewer.subscribe_tracks(namespace("stage"), Vec::new())).await?;
    let ok = answer(&mut viewer, &mut tracks).await?;
    assert!(matches!(ok, ControlMessage::RequestOk(_)), "{ok:?}");
    let published =
        publisher.publish(namespace("stage/left"), b"mic".to_vec(), number(5), Vec::new(), Vec::new());
    let mut published = soon("PUBLISH", published).await?;
    let ok = answer(&mut publisher, &mut published).await?;
    assert!(matches!(ok, ControlMessage::RequestOk(_)), "{ok:?}");
    let (offer, mut offered) = soon("PUBLISH", viewer.accept_request_stream()).await?;
    let ControlMessage::Publish(offer) = offer else { bail!("{offer:?}") };
    assert_eq!((offer.track_namespace, offer.track_name), (namespace("stage/left"), b"mic".to_vec()));
    viewer
        .respond_ok(&mut offered, RequestOk { parameters: Vec::new(), track_properties: Vec::new() })
        .await?;
    send(&publisher, 5, 1, &["sound"]).await?;
    let (header, mut stream) = soon("a subgroup", viewer.accept_subgroup_stream()).await?;
    assert_eq!(header.group_id(), 1);
    assert_eq!(objects(&mut stream, 1).await?, [(0, "sound".to_owned())]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moqtap_is_refused_what_is_not_there_and_asked_to_leave_when_the_relay_stops() -> Result<()> {
    let mut world = World::with(&["--open", "--drain", "1s"])?;
    let mut viewer = connect(&world).await?;
    let mut asked =
        soon("SUBSCRIBE", viewer.subscribe(namespace("nowhere"), b"x".to_vec(), Vec::new())).await?;
    match answer(&mut viewer, &mut asked).await? {
        ControlMessage::RequestError(error) => {
            assert_eq!(error.error_code.into_inner(), DOES_NOT_EXIST);
            assert!(String::from_utf8(error.reason_phrase)?.contains("nowhere"));
        }
        other => bail!("{other:?}"),
    }
    world.relay().interrupt()?;
    match soon("GOAWAY", viewer.recv_control()).await? {
        ControlMessage::GoAway(goaway) => {
            assert!(goaway.new_session_uri.is_empty());
            assert_eq!(goaway.request_id.map(VarInt::into_inner), Some(2), "request 0 was handled");
        }
        other => bail!("{other:?}"),
    }
    drop(viewer);
    world.relay().wait_for(0, Duration::from_secs(15))
}

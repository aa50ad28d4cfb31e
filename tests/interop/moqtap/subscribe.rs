//! SETUP, SUBSCRIBE and what it brings, TRACK_STATUS, namespaces.

use anyhow::{Result, bail};
use moqtap_client::{draft18::connection::ConnectionError, transport::TransportError};
use moqtap_codec::{
    dispatch::AnyControlMessage,
    draft18::{
        message::{ControlMessage, Namespace, NamespaceDone},
        types::ObjectStatus,
    },
    subscription_filter::{FilterEnd, SubscriptionFilter},
    types::{FilterType, Location},
    varint::Moqt18,
};
use tests::world::{Over, World};

use super::{
    client::{Client, TRANSPORTS, within},
    desk::Desk,
    wire::{
        EXPIRES, LARGEST_OBJECT, SUBSCRIBER_PRIORITY, bytes, datagram, group, location, namespace, number,
        object, subgroup, var,
    },
};

/// AUTHORITY and PATH, which only raw QUIC has, and MOQT_IMPLEMENTATION (draft-18 §10.3.1).
const PATH: u64 = 0x01;
const AUTHORITY: u64 = 0x05;
const IMPLEMENTATION: u64 = 0x07;
/// DEFAULT PUBLISHER PRIORITY (draft-18 §12.4).
const DEFAULT_PRIORITY: u64 = 0x0e;
/// TRACK_ENDED and SUBSCRIPTION_ENDED (draft-18 §15.10.3).
const TRACK_ENDED: u64 = 0x2;
const SUBSCRIPTION_ENDED: u64 = 0x3;

#[tokio::test]
async fn sets_up_with_options_known_and_unknown() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut options = vec![bytes(IMPLEMENTATION, b"moqtap"), number(0x7f00, 3), bytes(0x7f01, b"grease")];
        if over == Over::Quic {
            options.splice(0..0, [bytes(PATH, b"/lab?a=b"), bytes(AUTHORITY, b"localhost:4443")]);
        }
        let mut client = Client::set_up(&world, over, options).await?;
        let AnyControlMessage::Draft18(ControlMessage::Setup(setup)) =
            client.session().server_setup().clone()
        else {
            bail!("no SETUP")
        };
        let is_ours = |key| setup.options.iter().any(|option| option.key == var(key));
        assert!(!is_ours(PATH) && !is_ours(AUTHORITY), "{setup:?}");
        // It answers, so it lives.
        let _announced = client.announce("lab/set-up").await?;
    }
    Ok(())
}

#[tokio::test]
async fn subgroups_arrive_as_they_were_sent() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let _announced = publisher.announce("lab/desk").await?;
        let mut watching =
            viewer.subscribe("lab/desk", "notes", vec![number(SUBSCRIBER_PRIORITY, 7)]).await?;
        let properties = vec![number(DEFAULT_PRIORITY, 50), number(0x3a00, 5), bytes(0x3a01, b"hello")];
        let parameters = vec![location(LARGEST_OBJECT, 3, 9)];
        let mut serving = publisher.serve("notes", 7, parameters.clone(), properties.clone()).await?;
        let ok = viewer.granted(&mut watching).await?;
        assert_eq!((&ok.parameters, &ok.track_properties), (&parameters, &properties), "{over:?}");

        let mut header = group(7, 4);
        header.header_type |= subgroup::WITH_ID | subgroup::PROPERTIES;
        (header.subgroup_id, header.publisher_priority) = (var(3), Some(9));
        let mut first = object(0, "zero");
        // A number, then bytes: types 0x10 and 0x11.
        first.extension_headers = b"\x10\x05\x01\x02hi".to_vec();
        let long: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        publisher.send(header, &[first.clone(), object(2, long.clone())]).await?;
        let got = viewer.subgroup().await?;
        let header = &got.header;
        assert_eq!(
            (header.track_alias, header.group_id, header.subgroup_id, header.publisher_priority),
            (ok.track_alias, var(4), var(3), Some(9)),
            "{over:?}"
        );
        assert!(header.is_end_of_group() && header.is_first_object(), "{header:?}");
        let [one, two] = &got.objects[..] else { bail!("two objects: {got:?}") };
        assert_eq!((one.object_id, &one.payload), (var(0), &first.payload));
        assert_eq!(one.extension_headers, first.extension_headers);
        assert_eq!((two.object_id, &two.extension_headers), (var(2), &Vec::new()));
        assert!(two.payload == long, "{} of {} bytes", two.payload.len(), long.len());

        let mut header = group(7, 5);
        header.header_type |= subgroup::DEFAULT_PRIORITY;
        header.header_type &= !subgroup::ENDS_GROUP;
        let mut end = object(1, "");
        end.object_status = Some(ObjectStatus::EndOfGroup);
        publisher.send(header, &[object(0, "five"), end]).await?;
        let got = viewer.subgroup().await?;
        assert_eq!((got.header.group_id, got.header.publisher_priority.unwrap_or(50)), (var(5), 50));
        assert_eq!(got.payloads(), [(0, "five".into()), (1, String::new())]);
        assert_eq!(got.objects[1].status(), ObjectStatus::EndOfGroup);

        let (status, count) = (var(TRACK_ENDED), var(2));
        publisher.session().publish_done_on(&mut serving, status, count, b"that was all".to_vec()).await?;
        let ControlMessage::PublishDone(done) = viewer.next(&mut watching).await? else {
            bail!("no PUBLISH_DONE")
        };
        assert_eq!((done.status_code, done.stream_count), (status, count), "{over:?}: {done:?}");
        assert_eq!(String::from_utf8_lossy(&done.reason_phrase), "that was all");
    }
    Ok(())
}

#[tokio::test]
async fn datagrams_arrive_as_they_were_sent() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let _announced = publisher.announce("lab/desk").await?;
        let mut watching = viewer.subscribe("lab/desk", "taps", Vec::new()).await?;
        let _serving = publisher.serve("taps", 8, Vec::new(), Vec::new()).await?;
        let alias = viewer.granted(&mut watching).await?.track_alias;

        // With properties; the last of its group; a state instead of a payload.
        let mut sent = [datagram(0x01, 8, 4, 1), datagram(0x02, 8, 4, 2), datagram(0x20, 8, 5, 0)];
        sent[0].properties = b"\x10\x05".to_vec();
        sent[2].object_status = Some(ObjectStatus::EndOfGroup);
        for (header, payload) in sent.into_iter().zip(["tap", "the last", ""]) {
            publisher.send_datagram(header.clone(), payload)?;
            let (got, text) = viewer.datagram().await?;
            assert_eq!(text, payload, "{over:?}");
            assert_eq!(
                (got.track_alias, got.group_id, got.object_id, got.publisher_priority),
                (alias, header.group_id, header.object_id, Some(32))
            );
            assert_eq!(got.properties, header.properties);
            assert_eq!((got.status(), got.is_end_of_group()), (header.status(), header.is_end_of_group()));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_range_of_groups_is_delivered_and_then_done() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let filter = SubscriptionFilter {
            filter_type: FilterType::AbsoluteRange,
            start_location: Some(Location { group: var(5), object: var(1) }),
            end_group: Some(FilterEnd::GroupDelta(1)),
        };
        let parameters = vec![filter.parameter_moqt::<Moqt18>()?];
        let mut desk = Desk::with(&world, over, parameters, Vec::new()).await?;
        for id in 4..=7 {
            desk.publisher.send(group(1, id), &[object(0, "a"), object(1, format!("b{id}"))]).await?;
        }
        // Streams may overtake each other.
        let mut got = [desk.viewer.subgroup().await?, desk.viewer.subgroup().await?];
        got.sort_by_key(|subgroup| subgroup.header.group_id.into_inner());
        assert_eq!((got[0].header.group_id, got[1].header.group_id), (var(5), var(6)), "{over:?}");
        assert_eq!(got[0].payloads(), [(1, "b5".into())]);
        assert!(!got[0].header.is_first_object(), "its first object was left out");
        assert_eq!(got[1].payloads(), [(0, "a".into()), (1, "b6".into())]);
        let ControlMessage::PublishDone(done) = desk.viewer.next(&mut desk.watching).await? else {
            bail!("no PUBLISH_DONE")
        };
        assert_eq!((done.status_code, done.stream_count), (var(SUBSCRIPTION_ENDED), var(2)), "{done:?}");
    }
    Ok(())
}

#[tokio::test]
async fn how_a_track_stands_is_told() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let _announced = publisher.announce("lab/desk").await?;
        let mut asking =
            viewer.session().track_status(namespace("lab/desk"), b"notes".to_vec(), Vec::new()).await?;
        // Nobody watches it, so that its publisher is asked.
        let (asked, mut answering) = publisher.asked().await?;
        let ControlMessage::TrackStatus(status) = asked else { bail!("expected TRACK_STATUS: {asked:?}") };
        assert_eq!((status.track_namespace, &status.track_name[..]), (namespace("lab/desk"), &b"notes"[..]));
        let ok = moqtap_codec::draft18::message::RequestOk {
            parameters: vec![number(EXPIRES, 60_000), location(LARGEST_OBJECT, 8, 2)],
            track_properties: vec![bytes(0x3a01, b"hello")],
        };
        publisher.session().respond_ok(&mut answering, ok.clone()).await?;
        let told = viewer.agreed(&mut asking).await?;
        assert_eq!(told.track_properties, ok.track_properties, "{over:?}");
        assert_eq!(told.parameters.last(), ok.parameters.last(), "{over:?}: {told:?}");
    }
    Ok(())
}

#[tokio::test]
async fn namespaces_below_a_prefix_are_told_as_they_come_and_go() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let _there = publisher.announce("lab/desk").await?;
        let _elsewhere = publisher.announce("hall/desk").await?;
        let mut watching = viewer.session().subscribe_namespace(namespace("lab"), Vec::new()).await?;
        viewer.agreed(&mut watching).await?;
        let come = |suffix| ControlMessage::Namespace(Namespace { namespace_suffix: namespace(suffix) });
        assert_eq!(viewer.next(&mut watching).await?, come("desk"), "{over:?}");
        let mut new = publisher.announce("lab/door/left").await?;
        assert_eq!(viewer.next(&mut watching).await?, come("door/left"), "{over:?}");
        publisher.session().cancel_request_stream(&mut new, 1)?;
        let gone = ControlMessage::NamespaceDone(NamespaceDone { namespace_suffix: namespace("door/left") });
        assert_eq!(viewer.next(&mut watching).await?, gone, "{over:?}");
    }
    Ok(())
}

#[tokio::test]
async fn who_leaves_a_track_frees_its_publisher() -> Result<()> {
    // At once, since the relay keeps a track for a while after its last viewer.
    let [quic, web_transport] = TRANSPORTS.map(leaves);
    tokio::try_join!(quic, web_transport)?;
    Ok(())
}

async fn leaves(over: Over) -> Result<()> {
    /// CANCELLED (draft-18 §15.10.4).
    const CANCELLED: u64 = 0x1;
    /// The code of HTTP/3 for WebTransport's 0 (draft-ietf-webtrans-http3 §4.4).
    const FIRST_OF_HTTP3: u64 = 0x52e4_a40f_a8db;
    let world = World::with(&["--open"])?;
    let mut desk = Desk::new(&world, over).await?;
    desk.viewer.session().cancel_request_stream(&mut desk.watching, CANCELLED)?;
    // Codes of WebTransport are left as they stand in HTTP/3 (`read_err`, transport/webtransport.rs).
    let expected = match over {
        Over::Quic => CANCELLED,
        Over::WebTransport => FIRST_OF_HTTP3 + CANCELLED,
    };
    let left =
        within("the relay to leave", desk.publisher.session().recv_on_request_stream(&mut desk.serving))
            .await?;
    match left {
        Err(ConnectionError::Transport(TransportError::StreamReset(code))) => assert_eq!(code, expected),
        other => bail!("expected a reset: {other:?}"),
    }
    // The next viewer is served anew.
    let mut again = desk.viewer.subscribe("lab/desk", "notes", Vec::new()).await?;
    let _serving = desk.publisher.serve("notes", 2, Vec::new(), Vec::new()).await?;
    desk.viewer.granted(&mut again).await?;
    desk.publisher.send(group(2, 9), &[object(0, "back")]).await?;
    assert_eq!(desk.viewer.subgroup().await?.payloads(), [(0, "back".into())], "{over:?}");
    Ok(())
}

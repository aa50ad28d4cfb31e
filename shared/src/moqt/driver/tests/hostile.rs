//! A peer that sends what it must not, or more than this side holds.

use std::{future::poll_fn, task::Poll};

use bytes::BytesMut;

use super::{
    order::Raw,
    resets::{send, settle},
    *,
};
use crate::{
    moqt::{
        ResetCode,
        wire::{SubgroupHeader, TrackAlias, encode_datagram, encode_object_header},
    },
    transport::SendStream,
};

fn limited(limits: DataLimits) -> Config {
    Config { data_limits: limits, ..Config::new(Role::Client) }
}

/// A subgroup's stream with one object.
pub(super) fn subgroup(alias: u64, group: u64, priority: u8) -> Bytes {
    let header = SubgroupHeader {
        alias: TrackAlias(alias),
        group: GroupId(group),
        subgroup: Some(SubgroupId(0)),
        priority: Some(Priority(priority)),
        ends_group: false,
        from_first: true,
        has_properties: false,
    };
    let mut bytes = BytesMut::new();
    header.encode(&mut bytes);
    encode_object_header(None, &header, &object(group, 0, 0, "x"), &mut bytes);
    bytes.extend_from_slice(b"x");
    bytes.freeze()
}

/// With which code the peer stopped a stream; `None` where it did not.
async fn stopped(stream: &mut SendStream) -> Option<u64> {
    poll_fn(|cx| match stream.poll_stopped(cx) {
        Poll::Ready(code) => Poll::Ready(code),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn streams_past_the_limit_cost_the_least_urgent_of_them() {
    let (mut raw, client) = Raw::publisher(limited(DataLimits { streams: 2, ..DataLimits::default() })).await;
    let mut subscription = raw.granted(&client, "v").await;
    let mut streams = Vec::new();
    for (group, priority) in [(1, 90), (2, 60), (3, 60), (4, 95), (5, 60)] {
        streams.push(send(&raw.connection, subgroup(0, group, priority)).await);
        settle().await;
    }
    let excessive = Some(ResetCode::ExcessiveLoad.0);
    let mut codes = Vec::new();
    for stream in &mut streams {
        codes.push(stopped(stream).await);
    }
    // Group 1 gives way to 3, 4 to nobody, and 2 is older than 5.
    assert_eq!(codes, [excessive, excessive, None, excessive, None]);
    let (mut objects, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        match subscription.recv().await {
            Some(Received::Item(Item::Object(object))) => objects.push(object.subgroup.group.0),
            Some(Received::Item(Item::End { group, end, .. })) => {
                assert_eq!(end, SubgroupEnd::Reset(ResetCode::ExcessiveLoad));
                ends.push(group.0);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((objects, ends), (vec![1, 2, 3, 5], vec![1, 2]));
}

#[tokio::test(start_paused = true)]
async fn streams_of_unknown_tracks_are_few_and_do_not_wait_for_ever() {
    let limits =
        DataLimits { unknown_streams: 2, unknown_for: Duration::from_secs(3), ..DataLimits::default() };
    let (mut raw, client) = Raw::publisher(limited(limits)).await;
    let mut streams = Vec::new();
    for group in 0..3 {
        streams.push(send(&raw.connection, subgroup(77, group, 1)).await);
        settle().await;
    }
    assert_eq!(stopped(&mut streams[0]).await, Some(ResetCode::ExcessiveLoad.0));
    assert_eq!(stopped(&mut streams[1]).await, None);
    tokio::time::sleep(Duration::from_secs(4)).await;
    for stream in &mut streams[1..] {
        assert_eq!(stopped(stream).await, Some(ResetCode::Cancelled.0));
    }
    raw.granted(&client, "v").await;
}

#[tokio::test]
async fn what_waits_for_a_reader_is_bounded() {
    let limits = DataLimits { reader_items: 4, ..DataLimits::default() };
    let (mut raw, client) = Raw::publisher(limited(limits)).await;
    let mut subscription = raw.granted(&client, "v").await;
    for id in 0..10 {
        let datagram = encode_datagram(TrackAlias(0), &object(1, 0, id, "d"));
        assert!(raw.connection.send_datagram(datagram));
    }
    settle().await;
    assert_eq!(subscription.dropped_datagrams(), 6);
    // Streams wait instead: none of them is lost.
    for group in 2..20 {
        send(&raw.connection, subgroup(0, group, 1)).await.finish();
    }
    let mut groups = Vec::new();
    while groups.last() != Some(&19) {
        if let Some(Received::Item(Item::Object(object))) = subscription.recv().await {
            groups.push(object.subgroup.group.0);
        }
    }
    groups.sort_unstable();
    assert_eq!(groups, (2..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_object_that_is_too_large_ends_its_subscription_alone() {
    let config = Config { max_object_bytes: 3, ..Config::new(Role::Client) };
    let (mut raw, client) = Raw::publisher(config).await;
    let mut subscription = raw.granted(&client, "v").await;
    let _fits = send(&raw.connection, subgroup(0, 1, 1)).await;
    assert!(matches!(subscription.recv().await, Some(Received::Item(Item::Object(_)))));
    let _large = send(&raw.connection, Bytes::from_static(&[0x70, 0, 2, 0, 4, b'a'])).await;
    match subscription.recv().await {
        Some(Received::Done { code: DoneCode::ExcessiveLoad, reason }) => assert!(reason.contains("4 bytes")),
        other => panic!("{other:?}"),
    }
    assert_eq!(subscription.recv().await, None);
    raw.granted(&client, "w").await;
}

#[tokio::test]
async fn streams_and_datagrams_of_unknown_types_close_the_session() {
    // 0x9d is a greased number; streams and datagrams are not greased. 0x16 has a reserved mode.
    for kind in [0x00, 0x04, 0x16, 0x7f, 0x809d, 0xed7f_3e7d_u64] {
        let bytes = kind.to_be_bytes();
        let skipped = bytes.iter().take_while(|&&byte| byte == 0).count().min(7);
        let bytes = Bytes::copy_from_slice(&bytes[skipped..]);
        let (raw, client) = Raw::publisher(Config::new(Role::Client)).await;
        let _stream = send(&raw.connection, bytes).await;
        assert_eq!(client.session.closed().await.code, SessionCode::ProtocolViolation, "stream {kind:#x}");
    }
    for kind in [0x10_u8, 0x22, 0x2f, 0x30, 0x7f] {
        let (raw, client) = Raw::publisher(Config::new(Role::Client)).await;
        assert!(raw.connection.send_datagram(vec![kind, 0, 0, 0, 0, 0].into()));
        assert_eq!(client.session.closed().await.code, SessionCode::ProtocolViolation, "datagram {kind:#x}");
    }
}

#[tokio::test]
async fn padding_is_read_and_forgotten() {
    let (client, mut server) = pair().await;
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    for side in [&client.session, &server.session] {
        side.send_padding(0).await.expect("sent");
        side.send_padding(3 << 20).await.expect("sent");
        side.send_padding_datagram(0);
        side.send_padding_datagram(1000);
    }
    writer.push(Item::Object(object(1, 0, 0, "after")));
    assert_eq!(subscription.recv().await, Some(Received::Item(Item::Object(object(1, 0, 0, "after")))));
    client.session.close(SessionCode::NoError, "over");
    client.session.closed().await;
    assert!(client.session.send_padding(1 << 30).await.is_err());
}

#[tokio::test]
async fn padding_may_be_stopped_by_whom_it_reaches() {
    let (raw, client) = Raw::publisher(Config::new(Role::Client)).await;
    let padding = client.session.send_padding(1 << 30);
    let stop = async {
        let mut stream = raw.connection.accept_uni().await.expect("a stream");
        let first = poll_fn(|cx| stream.poll_read(cx, 5)).await.expect("bytes").expect("some");
        assert_eq!(first[..], [0xf0, 0x13, 0x2b, 0x3e, 0x28]);
        let zeros = poll_fn(|cx| stream.poll_read(cx, 100)).await.expect("bytes").expect("some");
        assert!(zeros.iter().all(|&byte| byte == 0));
        stream.stop(ResetCode::Cancelled.0);
    };
    assert_eq!(tokio::join!(padding, stop).0, Ok(()));
}

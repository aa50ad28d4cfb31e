//! Streams that end at any byte: by their sender's reset, or by their reader's wish to stop.

use bytes::BytesMut;

use super::{order::Raw, *};
use crate::{
    moqt::{
        ResetCode,
        driver::clock,
        wire::{StreamHeader, SubgroupHeader, TrackAlias, encode_object_header},
    },
    transport::SendStream,
};

/// A subgroup's stream, and where in it its header and each object is whole.
fn stream(objects: &[Object]) -> (Bytes, Vec<usize>) {
    let header = SubgroupHeader {
        alias: TrackAlias(0),
        group: GroupId(1),
        subgroup: Some(SubgroupId(0)),
        priority: Some(Priority(64)),
        ends_group: false,
        from_first: objects.first().is_some_and(|object| object.id.0 == 0),
        has_properties: true,
    };
    let mut bytes = BytesMut::new();
    header.encode(&mut bytes);
    let (mut previous, mut whole) = (None, vec![bytes.len()]);
    for object in objects {
        encode_object_header(previous, &header, object, &mut bytes);
        bytes.extend_from_slice(&object.payload);
        previous = Some(object.id);
        whole.push(bytes.len());
    }
    (bytes.freeze(), whole)
}

pub(super) async fn send(connection: &crate::transport::Connection, bytes: Bytes) -> SendStream {
    let mut stream = connection.open_uni().await.expect("open");
    write(&mut stream, bytes).await;
    stream
}

async fn write(stream: &mut SendStream, bytes: Bytes) {
    let mut chunks = [bytes];
    while !chunks[0].is_empty() {
        std::future::poll_fn(|cx| stream.poll_write(cx, &mut chunks)).await.expect("written");
    }
}

pub(super) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_at_any_byte_gives_whole_objects_and_goes_on() {
    let payloads = ["", "a", "some more of it", ""];
    let objects: Vec<Object> =
        payloads.iter().zip(0..).map(|(payload, id)| object(1, 0, id, *payload)).collect();
    let (bytes, whole) = stream(&objects);
    for cut in 0..=bytes.len() {
        let (mut raw, client) = Raw::publisher(Config::new(Role::Client)).await;
        let mut subscription = raw.granted(&client, "v").await;
        let mut first = send(&raw.connection, bytes.slice(..cut)).await;
        settle().await;
        first.reset(ResetCode::DeliveryTimeout.0);
        let parts = whole.iter().filter(|&&end| end <= cut).count();
        let count = parts.saturating_sub(1);
        for object in &objects[..count] {
            let item = subscription.recv().await;
            assert_eq!(item, Some(Received::Item(Item::Object(object.clone()))), "cut at {cut}");
        }
        if parts > 0 {
            let end = SubgroupEnd::Reset(ResetCode::DeliveryTimeout);
            let end = Item::End { group: GroupId(1), subgroup: SubgroupId(0), end };
            assert_eq!(subscription.recv().await, Some(Received::Item(end)), "cut at {cut}");
        }
        // Its sender begins anew: what came is not delivered twice.
        let mut again = send(&raw.connection, bytes.clone()).await;
        again.finish();
        for object in &objects[count..] {
            let item = subscription.recv().await;
            assert_eq!(item, Some(Received::Item(Item::Object(object.clone()))), "cut at {cut}");
        }
        assert_eq!(subscription.recv().await, Some(Received::Item(end(1, 0))), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_stream_that_is_stopped_at_any_byte_takes_only_its_subgroup_along() {
    let objects = [object(1, 0, 0, "zero"), object(1, 0, 1, "one, which is longer")];
    let (bytes, _) = stream(&objects);
    for cut in 0..bytes.len() {
        let (mut raw, mut server) = Raw::pair().await;
        let writer = raw.subscribe(&mut server, "v", 64).await;
        for object in &objects {
            assert!(writer.push(Item::Object(object.clone())));
        }
        let mut stream = raw.connection.accept_uni().await.expect("a stream");
        let mut read = 0;
        while read < cut {
            let most = cut - read;
            let bytes = std::future::poll_fn(|cx| stream.poll_read(cx, most)).await.expect("bytes");
            read += bytes.expect("some").len();
        }
        stream.stop(ResetCode::Cancelled.0);
        settle().await;
        assert!(writer.push(Item::Object(object(1, 0, 2, "of the stopped subgroup"))));
        assert!(writer.push(Item::Object(object(2, 0, 0, "next"))));
        let StreamHeader::Subgroup(header) = raw.header().await else { panic!("no subgroup") };
        assert_eq!(header.group, GroupId(2), "cut at {cut}");
        assert!(!writer.is_closed());
    }
}

#[tokio::test]
async fn what_may_be_missing_between_two_streams_of_a_subgroup_is_told_as_a_reset() {
    let objects: Vec<Object> = (0..7).map(|id| object(1, 0, id, "some")).collect();
    // What the second stream carries after the first one's 0 to 2, and whether something may lie between.
    for (second, is_apart) in [(3..5, false), (2..4, false), (5..7, true)] {
        let (mut raw, client) = Raw::publisher(Config::new(Role::Client)).await;
        let mut subscription = raw.granted(&client, "v").await;
        let first = send(&raw.connection, stream(&objects[..3]).0).await;
        settle().await;
        let mut again = send(&raw.connection, stream(&objects[second.clone()]).0).await;
        settle().await;
        again.reset(ResetCode::GoingAway.0);
        let gap = SubgroupEnd::Reset(ResetCode::Cancelled);
        let reset = |end| Item::End { group: GroupId(1), subgroup: SubgroupId(0), end };
        let mut expected: Vec<Item> = objects[..3].iter().cloned().map(Item::Object).collect();
        expected.extend(is_apart.then(|| reset(gap)));
        expected.extend(objects[second.start.max(3)..second.end].iter().cloned().map(Item::Object));
        expected.push(reset(SubgroupEnd::Reset(ResetCode::GoingAway)));
        for item in expected {
            assert_eq!(subscription.recv().await, Some(Received::Item(item)), "second stream: {second:?}");
        }
        drop(first);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_begins_with_the_first_byte_of_its_payload() {
    let (mut raw, client) = Raw::publisher(Config::new(Role::Client)).await;
    let mut subscription = raw.granted(&client, "v").await;
    assert_eq!(subscription.began(), None);
    let start = clock::now();
    let second = Duration::from_secs(1);
    let mut stream = send(&raw.connection, Bytes::from_static(&[0x70, 0, 5, 0, 4, b'a', b'b'])).await;
    settle().await;
    for (wait, bytes) in [(second, &b"c"[..]), (second, &[b'd', 0, 2]), (3 * second, b"ef")] {
        tokio::time::sleep(wait).await;
        write(&mut stream, Bytes::from_static(bytes)).await;
        settle().await;
    }
    for (payload, began) in [("abcd", start), ("ef", start + 5 * second)] {
        match subscription.recv().await {
            Some(Received::Item(Item::Object(object))) => assert_eq!(object.payload, payload),
            other => panic!("{other:?}"),
        }
        assert_eq!(subscription.began(), Some(began), "{payload}");
    }
}

//! A malformed track ends, and nothing else does (draft-18 §2.4.2).

use super::*;
use crate::moqt::{
    EndOfTrack, Fetch, FetchItem, FetchWriter, Refused, ResetCode,
    wire::{PRIOR_OBJECT_ID_GAP, Property},
};

async fn item(subscription: &mut Subscription) -> Option<Item> {
    match subscription.recv().await {
        Some(Received::Item(item)) => Some(item),
        _ => None,
    }
}

async fn assert_ends_alone(
    client: &Side,
    server: &mut Side,
    mut subscription: Subscription,
    mut writer: TrackWriter,
) {
    match subscription.recv().await {
        Some(Received::Done { code, reason }) => {
            assert_eq!(code, DoneCode::MalformedTrack);
            assert!(reason.contains("malformed"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(subscription.recv().await, None);
    assert_eq!(writer.event().await, None, "the publisher sees that it was cancelled");
    assert!(!writer.push(Item::Object(object(9, 0, 0, "late"))));
    let (mut other, writer) =
        subscribed(server, client, "other", SubscribeOptions::default(), SubscribeOk::default()).await;
    writer.push(Item::Object(object(1, 0, 0, "on")));
    assert_eq!(item(&mut other).await, Some(Item::Object(object(1, 0, 0, "on"))));
}

#[tokio::test]
async fn an_object_past_the_end_of_its_group_ends_its_subscription_alone() {
    let (client, mut server) = pair().await;
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    let end = Item::Object(Object { status: Status::EndOfGroup, ..object(1, 0, 3, "") });
    writer.push(end.clone());
    assert_eq!(item(&mut subscription).await, Some(end));
    writer.push(Item::Object(object(1, 1, 4, "past it")));
    assert_ends_alone(&client, &mut server, subscription, writer).await;
}

#[tokio::test]
async fn a_subgroup_that_goes_on_after_its_end_is_malformed() {
    let (client, mut server) = pair().await;
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    let first = Item::Object(object(1, 0, 0, "first"));
    writer.push(first.clone());
    writer.push(end(1, 0));
    assert_eq!(
        (item(&mut subscription).await, item(&mut subscription).await),
        (Some(first), Some(end(1, 0)))
    );
    writer.push(Item::Object(object(1, 0, 1, "more")));
    assert_ends_alone(&client, &mut server, subscription, writer).await;
}

#[tokio::test]
async fn a_datagram_in_a_gap_is_malformed() {
    let (client, mut server) = pair().await;
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    let datagram = |id| {
        let mut object = object(1, 0, id, "d");
        object.subgroup.from_first = false;
        object
    };
    let properties = Properties::from_pairs(&[Property::Number(PRIOR_OBJECT_ID_GAP, 4)]);
    let tells = Item::Datagram(Object { properties, ..datagram(9) });
    writer.push(tells.clone());
    assert_eq!(item(&mut subscription).await, Some(tells));
    writer.push(Item::Datagram(datagram(6)));
    assert_ends_alone(&client, &mut server, subscription, writer).await;
}

/// A publisher that had to reset a stream sends the subgroup again from its start.
#[tokio::test]
async fn an_object_that_comes_again_is_delivered_once() {
    let (client, mut server) = pair().await;
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    let objects = [object(1, 0, 0, "zero"), object(1, 0, 1, "one")].map(Item::Object);
    writer.push(objects[0].clone());
    assert_eq!(item(&mut subscription).await.as_ref(), Some(&objects[0]));
    let reset = Item::End {
        group: GroupId(1),
        subgroup: SubgroupId(0),
        end: SubgroupEnd::Reset(ResetCode::InternalError),
    };
    writer.push(reset.clone());
    assert_eq!(item(&mut subscription).await, Some(reset));
    objects.iter().for_each(|object| assert!(writer.push(object.clone())));
    assert_eq!(item(&mut subscription).await.as_ref(), Some(&objects[1]));
}

async fn fetched(client: &Side, server: &mut Side) -> (Fetch, FetchWriter) {
    let (start, end) = (Location::new(1, 0), Location::new(9, 0));
    let range = FetchRange::Standalone { track: track("v"), start, end };
    let serve = async {
        let Some(Request::Fetch(request)) = server.requests.next().await else { panic!("no request") };
        request.accept(end, EndOfTrack::No, Properties::default())
    };
    let (fetch, writer) = tokio::join!(client.session.fetch(range, Priority(1)), serve);
    (fetch.expect("granted"), writer)
}

fn code(answer: Result<Option<FetchItem>, Refused>) -> RequestCode {
    match answer {
        Err(Refused::Error { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_to_a_fetch_carries_gaps_and_datagrams_in_order() {
    let (client, mut server) = pair().await;
    let (mut fetch, mut writer) = fetched(&client, &mut server).await;
    let mut plain = object(2, 1, 3, "stream");
    plain.subgroup.from_first = false;
    let mut datagram = object(2, 0, 4, "datagram");
    datagram.subgroup.from_first = false;
    let items = [
        FetchItem::Gap { end: Location::new(1, 7), nonexistent: false },
        FetchItem::Object(plain),
        FetchItem::Datagram(datagram),
        FetchItem::Gap { end: Location::new(9, 0), nonexistent: true },
    ];
    for item in &items {
        assert!(writer.send(item.clone()).await);
    }
    writer.finish();
    for item in items {
        assert_eq!(fetch.next().await, Ok(Some(item)));
    }
    assert_eq!(fetch.next().await, Ok(None));
}

#[tokio::test]
async fn an_answer_out_of_its_range_or_order_is_malformed() {
    for wrong in [object(9, 0, 1, "after"), object(3, 0, 2, "again")] {
        let (client, mut server) = pair().await;
        let (mut fetch, mut writer) = fetched(&client, &mut server).await;
        writer.send(object(3, 0, 2, "first")).await;
        assert!(matches!(fetch.next().await, Ok(Some(FetchItem::Object(_)))));
        writer.send(wrong).await;
        assert_eq!(code(fetch.next().await), RequestCode::MalformedTrack);
        let (_, writer) =
            subscribed(&mut server, &client, "other", SubscribeOptions::default(), SubscribeOk::default())
                .await;
        assert!(!writer.is_closed());
    }
}

#[tokio::test]
async fn the_reader_of_a_fetch_learns_why_it_was_given_up() {
    let (client, mut server) = pair().await;
    let (mut fetch, mut writer) = fetched(&client, &mut server).await;
    writer.send(object(3, 0, 2, "first")).await;
    assert!(matches!(fetch.next().await, Ok(Some(FetchItem::Object(_)))));
    writer.abandon(ResetCode::MalformedTrack);
    assert_eq!(code(fetch.next().await), RequestCode::MalformedTrack);
}

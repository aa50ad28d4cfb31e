//! Subscriptions with a joining fetch.

use super::*;
use crate::moqt::{EndOfTrack, FetchItem};

/// Serves one subscription and one fetch from groups 5 to 7 of three objects; `pause` lies between them.
async fn serve(server: &mut Side) -> (TrackWriter, (Location, Location)) {
    let Some(Request::Subscribe(request)) = server.requests.next().await else { panic!("no subscription") };
    // The fetch is there by now, and waits for this answer.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let largest = Some(Location::new(7, 1));
    let writer = request.accept(SubscribeOk { largest, ..SubscribeOk::default() });
    let Some(Request::Fetch(request)) = server.requests.next().await else { panic!("no fetch") };
    let range @ (start, end) = request.range();
    assert_eq!(request.track(), &track("v"));
    let mut answer = request.accept(end, EndOfTrack::No, Properties::default());
    for group in 5..=7 {
        for id in 0..3 {
            if (start..=end).contains(&Location::new(group, id)) {
                assert!(answer.send(object(group, 0, id, "past")).await);
            }
        }
    }
    answer.finish();
    writer.push(Item::Object(object(7, 0, 2, "live")));
    (writer, range)
}

#[tokio::test]
async fn past_and_live_follow_each_other_without_gap_or_overlap() {
    for (range, start, past) in [
        (FetchRange::Relative { groups: 0 }, (7, 0), 2),
        (FetchRange::Relative { groups: 1 }, (6, 0), 5),
        (FetchRange::Absolute { group: GroupId(5) }, (5, 0), 8),
    ] {
        let (client, mut server) = pair().await;
        let options = SubscribeOptions { filter: crate::moqt::Filter::LargestObject, ..Default::default() };
        let (joined, (_writer, asked)) =
            tokio::join!(client.session.join(track("v"), options, range), serve(&mut server));
        assert_eq!(asked, (Location::new(start.0, start.1), Location::new(7, 1)));
        let (mut subscription, fetch) = joined.expect("granted");
        let mut fetch = fetch.expect("granted");
        let mut places = Vec::new();
        while let Some(item) = fetch.next().await.expect("whole") {
            let FetchItem::Object(object) = item else { panic!("{item:?}") };
            places.push(object.location());
        }
        assert_eq!((places.len(), places.last()), (past, Some(&Location::new(7, 1))));
        let Some(Received::Item(Item::Object(live))) = subscription.recv().await else { panic!("no object") };
        assert_eq!(live.location(), Location::new(7, 2));
    }
}

#[tokio::test]
async fn where_nothing_is_published_only_the_fetch_is_refused() {
    let (client, mut server) = pair().await;
    let grant = async {
        let Some(Request::Subscribe(request)) = server.requests.next().await else { panic!("no request") };
        request.accept(SubscribeOk::default())
    };
    let range = FetchRange::Relative { groups: 0 };
    let join = client.session.join(track("v"), SubscribeOptions::default(), range);
    let (joined, writer) = tokio::join!(join, grant);
    let (mut subscription, fetch) = joined.expect("granted");
    assert!(matches!(fetch, Err(Refused::Error { code: RequestCode::InvalidRange, .. })));
    writer.push(Item::Object(object(0, 0, 0, "first")));
    assert!(subscription.recv().await.is_some());
}

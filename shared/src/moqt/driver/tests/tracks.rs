//! All tracks below a prefix, between two sessions.

use std::future::poll_fn;

use bytes::BytesMut;

use super::*;
use crate::moqt::{
    TracksOptions, TracksSubscription, TracksWriter,
    wire::{Message, Setup},
};

fn room() -> Namespace {
    Namespace::new(["room"])
}

async fn collecting(from: &Side, to: &mut Side) -> (TracksSubscription, TracksWriter) {
    let options = TracksOptions { forward: false };
    let grant = async {
        match to.requests.next().await {
            Some(Request::SubscribeTracks(request)) => {
                assert_eq!((request.prefix(), request.options()), (&room(), options));
                request.accept()
            }
            other => panic!("{other:?}"),
        }
    };
    let (ours, theirs) = tokio::join!(from.session.subscribe_tracks(room(), options), grant);
    (ours.expect("granted"), theirs)
}

#[tokio::test]
async fn tracks_come_as_offers_and_those_that_cannot_are_told() {
    let (mut client, mut server) = pair().await;
    let (mut ours, theirs) = collecting(&client, &mut server).await;
    let offer = PublishOffer { forward: false, ..PublishOffer::default() };
    let mut writer = server.session.publish(track("v"), offer).await.expect("on its way");
    let Some(Request::Publish(request)) = client.requests.next().await else { panic!("no offer") };
    assert_eq!(request.track(), &track("v"));
    let mut subscription = request.accept(SubscribeOptions::default());
    writer.granted().await.expect("taken");
    assert!(theirs.blocked(track("w")));
    assert_eq!(ours.blocked().await, Some(track("w")));
    let refused = server.session.publish(track("w"), PublishOffer::default()).await;
    assert!(matches!(refused, Err(Refused::Error { .. })), "{refused:?}");
    drop(theirs);
    assert_eq!(ours.blocked().await, None);
    writer.push(Item::Object(object(1, 0, 0, "on")));
    assert_eq!(subscription.recv().await, Some(Received::Item(Item::Object(object(1, 0, 0, "on")))));
}

#[tokio::test]
async fn who_asked_for_tracks_and_leaves_is_told_of_no_more() {
    let (client, mut server) = pair().await;
    let (ours, mut theirs) = collecting(&client, &mut server).await;
    drop(ours);
    theirs.ended().await;
    assert!(!theirs.blocked(track("v")));
    let (mut ours, _theirs) = collecting(&client, &mut server).await;
    server.session.close(SessionCode::NoError, "closed");
    assert_eq!(ours.blocked().await, None);
}

/// Draft-18 §6.1: where no stream is to be had, PUBLISH_BLOCKED takes the place of PUBLISH.
#[tokio::test(start_paused = true)]
async fn an_offer_that_finds_no_stream_is_taken_back_without_a_trace() {
    let (client, peer) = memory::pair();
    let mut setup = BytesMut::new();
    Message::Setup(Setup::default()).encode(&mut setup).expect("valid");
    let mut control = peer.open_uni().await.expect("opened");
    poll_fn(|cx| control.poll_write(cx, &mut [setup.clone().freeze()])).await.expect("written");
    let (session, _requests) = start(client, Config::new(Role::Client)).await.expect("set up");
    let mut writers = Vec::new();
    loop {
        let track = TrackName { namespace: room(), name: Bytes::from(writers.len().to_string()) };
        let offer = session.publish(track, PublishOffer::default());
        match tokio::time::timeout(Duration::from_secs(1), offer).await {
            Ok(writer) => writers.push(writer.expect("on its way")),
            Err(_) => break,
        }
    }
    assert_eq!(writers.len(), memory::BI_STREAMS);
    for number in 0..writers.len() {
        let (_send, mut recv) = peer.accept_bi().await.expect("opened");
        let bytes = poll_fn(|cx| recv.poll_read(cx, 1 << 10)).await.expect("readable").expect("bytes");
        match Message::decode(&mut BytesMut::from(&bytes[..])).expect("valid") {
            Some(Message::Publish(publish)) => assert_eq!(publish.track.name, number.to_string()),
            other => panic!("{other:?}"),
        }
    }
    assert!(tokio::time::timeout(Duration::from_secs(1), peer.accept_bi()).await.is_err());
}

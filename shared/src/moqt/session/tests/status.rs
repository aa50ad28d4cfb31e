//! TRACK_STATUS.

use super::*;
use crate::moqt::{
    Properties, ResetCode,
    wire::{Property, RequestOk, RequestUpdate, TrackProperties, TrackStatus},
};

const STREAM: Stream = Stream(0);

fn asked() -> Pair {
    let mut pair = Pair::new();
    pair.client.track_status(STREAM, track("v")).expect("asked");
    assert_eq!(pair.run().server, [Output::Asked(STREAM, Asked::Status(track("v")))]);
    pair
}

fn status(id: u64) -> Message {
    let (request, parameters) = (RequestId(id), Parameters::default());
    Message::TrackStatus(TrackStatus { request, track: track("v"), parameters })
}

#[test]
fn the_answer_is_what_a_subscription_would_be_told_and_ends_the_stream() {
    let properties = TrackProperties { priority: Some(Priority(9)), ..TrackProperties::default() }.encode();
    let ok = SubscribeOk { largest: at(5, 6), expires: Some(Duration::from_secs(60)), properties };
    let mut pair = asked();
    pair.server.grant_status(STREAM, &ok);
    assert_eq!(pair.run(), Seen { client: vec![Output::Tell(STREAM, Event::Status(ok))], server: vec![] });
    assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
}

#[test]
fn a_refusal_ends_the_stream_too() {
    let mut pair = asked();
    pair.server.refuse(STREAM, RequestCode::DoesNotExist, "never was");
    let told = Event::Refused(refused(RequestCode::DoesNotExist, "never was"));
    assert_eq!(pair.run().client, [Output::Tell(STREAM, told)]);
    assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
}

#[test]
fn it_takes_part_in_no_subscription() {
    let mut pair = Pair::new();
    pair.subscribe(Stream(1), "v", &granted(None));
    pair.client.track_status(STREAM, track("v")).expect("asked");
    assert!(matches!(pair.run().server[..], [Output::Asked(_, Asked::Status(_))]));
    pair.server.grant_status(STREAM, &granted(at(1, 1)));
    let told = Output::Tell(STREAM, Event::Status(granted(at(1, 1))));
    assert_eq!(pair.run().client, [told]);
    assert_eq!((pair.client.requests.len(), pair.server.requests.len()), (1, 1));
}

#[test]
fn a_requester_that_finishes_its_half_is_answered_all_the_same() {
    let mut lone = Lone::new(Role::Server);
    lone.open(STREAM, &status(0));
    lone.core.handle(lone.now, Input::Finished(STREAM));
    lone.core.grant_status(STREAM, &granted(at(2, 0)));
    let parameters = Parameters { largest: at(2, 0), ..Parameters::default() };
    let ok = Message::RequestOk(RequestOk { parameters, ..RequestOk::default() });
    let asked = lone.core.poll();
    assert_eq!(asked, Some(Output::Asked(STREAM, Asked::Status(track("v")))));
    assert_eq!(lone.said(STREAM), (vec![ok], true));
}

#[test]
fn nothing_may_follow_it() {
    let parameters = Parameters::default();
    for message in [
        Message::RequestUpdate(RequestUpdate { request: RequestId(2), parameters: parameters.clone() }),
        status(2),
    ] {
        let mut lone = Lone::new(Role::Server);
        lone.open(STREAM, &status(0));
        lone.say(STREAM, &message);
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "{message:?}");
    }
}

#[test]
fn either_side_cancels_it() {
    let mut pair = asked();
    pair.client.cancel(STREAM, ResetCode::Cancelled);
    assert_eq!(pair.run().server, [Output::Tell(STREAM, Event::Ended)]);
    assert!(pair.server.requests.is_empty());
    pair.server.grant_status(STREAM, &granted(None));
    assert_eq!(pair.run(), Seen::default());
    let mut pair = asked();
    pair.server.cancel(STREAM, ResetCode::InternalError);
    assert_eq!(refusal(&pair.run().client, STREAM), Some(RequestCode::InternalError));
}

#[test]
fn an_answer_that_says_what_no_subscribe_ok_can_say_closes_the_session() {
    let cut = Properties(Bytes::from_static(b"\x03\x09x"));
    let wrong = [
        RequestOk {
            parameters: Parameters { forward: Some(true), ..Parameters::default() },
            ..RequestOk::default()
        },
        RequestOk { properties: cut, ..RequestOk::default() },
    ];
    for ok in wrong {
        let mut lone = Lone::new(Role::Client);
        lone.core.track_status(STREAM, track("v")).expect("asked");
        lone.say(STREAM, &Message::RequestOk(ok));
        assert!(lone.closed().is_some());
    }
}

#[test]
fn a_track_with_an_extension_that_is_not_known_has_no_status_here() {
    let mut lone = Lone::new(Role::Client);
    lone.core.track_status(STREAM, track("v")).expect("asked");
    let properties = Properties::from_pairs(&[Property::Number(0x4000, 1)]);
    lone.say(STREAM, &Message::RequestOk(RequestOk { properties, ..RequestOk::default() }));
    assert_eq!(refusal(&lone.outputs(), STREAM), Some(RequestCode::UnsupportedExtension));
}

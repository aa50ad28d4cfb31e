//! Subscriptions.

use super::*;
use crate::moqt::{
    Filter, GroupId, ResetCode,
    wire::{Property, PublishDone, TrackProperties},
};

const STREAM: Stream = Stream(0);

/// A client that subscribed; alias 7, this properties.
fn subscribed(properties: crate::moqt::Properties) -> Lone {
    let mut lone = Lone::new(Role::Client);
    lone.core.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    lone.outputs();
    grant(&mut lone, STREAM, properties);
    lone
}

fn grant(lone: &mut Lone, stream: Stream, properties: crate::moqt::Properties) {
    let parameters = Parameters::default();
    let ok = wire::SubscribeOk { alias: TrackAlias(7), parameters, properties };
    lone.say(stream, &Message::SubscribeOk(ok));
}

fn done(streams: u64) -> Message {
    Message::PublishDone(PublishDone { code: DoneCode::TrackEnded, streams, reason: "over".into() })
}

fn told() -> Output {
    Output::Tell(STREAM, Event::Done(DoneCode::TrackEnded, "over".into()))
}

#[test]
fn every_filter_and_option_reaches_the_publisher() {
    let second = Some(Duration::from_secs(1));
    let filters = [
        Filter::Unfiltered,
        Filter::LargestObject,
        Filter::NextGroupStart,
        Filter::AbsoluteStart(Location::new(3, 4)),
        Filter::AbsoluteRange(Location::new(3, 4), GroupId(3)),
        Filter::AbsoluteRange(Location::new(3, 4), GroupId(9)),
        Filter::AbsoluteRange(Location::new(3, 4), GroupId(u64::MAX)),
    ];
    let plain = SubscribeOptions::default();
    let others = [
        SubscribeOptions { priority: Priority(0), order: Some(GroupOrder::Descending), ..plain },
        SubscribeOptions { priority: Priority(255), order: Some(GroupOrder::Ascending), ..plain },
        SubscribeOptions { forward: false, object_timeout: second, ..plain },
        SubscribeOptions { subgroup_timeout: second, new_group: Some(GroupId(8)), ..plain },
        SubscribeOptions { new_group: Some(GroupId(u64::MAX)), ..plain },
    ];
    let all = filters.map(|filter| SubscribeOptions { filter, ..plain }).into_iter().chain(others);
    for options in all {
        let mut pair = Pair::new();
        pair.client.subscribe(STREAM, track("v"), &options).expect("asked");
        let asked = Output::Asked(STREAM, Asked::Subscribe(track("v"), options));
        assert_eq!(pair.run().server, [asked]);
    }
}

#[test]
fn the_answer_tells_what_the_publisher_knows() {
    let properties = TrackProperties { priority: Some(Priority(9)), ..TrackProperties::default() }.encode();
    let ok = SubscribeOk { largest: at(5, 6), expires: Some(Duration::from_secs(60)), properties };
    Pair::new().subscribe(STREAM, "v", &ok);
}

#[test]
fn a_track_is_subscribed_to_once() {
    let mut pair = Pair::new();
    pair.subscribe(STREAM, "v", &granted(None));
    pair.client.subscribe(Stream(1), track("v"), &SubscribeOptions::default()).expect("asked");
    let seen = pair.run();
    assert_eq!(refusal(&seen.client, Stream(1)), Some(RequestCode::DuplicateSubscription));
    pair.client.cancel(STREAM, ResetCode::Cancelled);
    pair.run();
    pair.subscribe(Stream(2), "v", &granted(None));
}

#[test]
fn tracks_have_aliases_of_their_own_and_a_peer_may_not_mix_them() {
    let mut pair = Pair::new();
    let aliases =
        [pair.subscribe(STREAM, "v", &granted(None)), pair.subscribe(Stream(1), "a", &granted(None))];
    assert_ne!(aliases[0], aliases[1]);
    assert_eq!(aliases.map(|a| pair.client.alias(a)), [Alias::Known(STREAM), Alias::Known(Stream(1))]);

    let mut lone = subscribed(Default::default());
    lone.core.subscribe(Stream(1), track("w"), &SubscribeOptions::default()).expect("asked");
    grant(&mut lone, Stream(1), Default::default());
    assert_eq!(lone.closed(), Some(SessionCode::DuplicateTrackAlias));
}

#[test]
fn an_alias_is_known_as_retired_until_it_is_used_anew() {
    let mut lone = subscribed(Default::default());
    lone.core.cancel(STREAM, ResetCode::Cancelled);
    assert_eq!(lone.core.alias(TrackAlias(7)), Alias::Retired);
    assert_eq!(lone.core.alias(TrackAlias(8)), Alias::Unknown);
    lone.core.subscribe(Stream(1), track("w"), &SubscribeOptions::default()).expect("asked");
    grant(&mut lone, Stream(1), Default::default());
    assert_eq!(lone.core.alias(TrackAlias(7)), Alias::Known(Stream(1)));
    assert_eq!(lone.closed(), None);
}

#[test]
fn a_track_with_an_extension_that_is_not_known_is_let_go() {
    let properties = crate::moqt::Properties::from_pairs(&[Property::Number(0x4000, 1)]);
    let mut lone = subscribed(properties);
    let outputs = lone.outputs();
    assert_eq!(refusal(&outputs, STREAM), Some(RequestCode::UnsupportedExtension));
    assert!(outputs.contains(&Output::Abandon(STREAM, ResetCode::Cancelled)));
    assert_eq!(lone.core.alias(TrackAlias(7)), Alias::Retired);
}

#[test]
fn track_properties_that_cannot_be_close_the_session() {
    let order = crate::moqt::Properties::from_pairs(&[Property::Number(0x22, 3)]);
    assert_eq!(subscribed(order).closed(), Some(SessionCode::ProtocolViolation));
    let cut = crate::moqt::Properties(Bytes::from_static(b"\x03\x09x"));
    assert!(subscribed(cut).closed().is_some());
}

#[test]
fn updates_before_the_answer_are_applied_after_it() {
    let mut pair = Pair::new();
    let options = SubscribeOptions { forward: false, ..SubscribeOptions::default() };
    pair.client.subscribe(STREAM, track("v"), &options).expect("asked");
    let parameters = Parameters { forward: Some(true), ..Parameters::default() };
    pair.client.update(STREAM, parameters.clone());
    assert_eq!(pair.run().server.len(), 1);
    pair.server.grant_subscribe(STREAM, &granted(at(1, 1))).expect("granted");
    let update = Output::Tell(STREAM, Event::Update(Box::new(parameters)));
    assert_eq!(pair.run().server, [update]);
    pair.server.updated(STREAM, at(1, 2));
    let updated = crate::moqt::Updated { largest: at(1, 2), expires: None };
    assert_eq!(pair.run().client, [Output::Tell(STREAM, Event::Updated(Ok(updated)))]);
}

#[test]
fn the_end_is_told_once_all_streams_have_ended() {
    let mut pair = Pair::new();
    pair.subscribe(STREAM, "v", &granted(None));
    pair.client.data_began(STREAM);
    pair.server.publish_done(STREAM, DoneCode::TrackEnded, "over", 2);
    assert_eq!(pair.run(), Seen::default());
    pair.client.data_began(STREAM);
    pair.client.data_ended(STREAM);
    assert_eq!(pair.run(), Seen::default());
    pair.client.data_ended(STREAM);
    assert_eq!(pair.run().client, [told()]);
    assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
    assert_eq!((pair.client.deadline(), pair.server.deadline()), (None, None));
}

#[test]
fn an_end_without_streams_is_told_at_once() {
    let mut pair = Pair::new();
    pair.subscribe(STREAM, "v", &granted(None));
    pair.server.publish_done(STREAM, DoneCode::TrackEnded, "over", 0);
    assert_eq!(pair.run().client, [told()]);
}

/// As where a publisher resets a stream before its header is on its way.
#[test]
fn streams_that_never_come_are_waited_for_a_while() {
    let mut pair = Pair::new();
    pair.subscribe(STREAM, "v", &granted(None));
    pair.server.publish_done(STREAM, DoneCode::TrackEnded, "over", 3);
    assert_eq!(pair.run(), Seen::default());
    assert_eq!(pair.pass(Duration::from_millis(1999)), Seen::default());
    assert_eq!(pair.pass(Duration::from_millis(1)).client, [told()]);
    assert_eq!(pair.client.deadline(), None);
}

#[test]
fn a_stream_that_never_ends_is_waited_for_longer() {
    let mut pair = Pair::new();
    pair.subscribe(STREAM, "v", &granted(None));
    pair.client.data_began(STREAM);
    pair.server.publish_done(STREAM, DoneCode::TrackEnded, "over", 1);
    pair.run();
    assert_eq!(pair.pass(Duration::from_secs(2)), Seen::default());
    assert_eq!(pair.pass(Duration::from_millis(9_999)), Seen::default());
    assert_eq!(pair.pass(Duration::from_millis(1)).client, [told()]);
}

#[test]
fn the_end_waits_as_long_as_a_delivery_timeout() {
    let mut pair = Pair::new();
    let timeout = Some(Duration::from_secs(5));
    let options = SubscribeOptions { object_timeout: timeout, ..SubscribeOptions::default() };
    pair.client.subscribe(STREAM, track("v"), &options).expect("asked");
    pair.run();
    pair.server.grant_subscribe(STREAM, &granted(None));
    pair.run();
    pair.server.publish_done(STREAM, DoneCode::TrackEnded, "over", 1);
    pair.run();
    assert_eq!(pair.pass(Duration::from_millis(4_999)), Seen::default());
    assert_eq!(pair.pass(Duration::from_millis(1)).client, [told()]);
}

#[test]
fn a_cancelled_subscription_waits_for_nothing() {
    let mut lone = subscribed(Default::default());
    lone.say(STREAM, &done(1));
    assert!(lone.core.deadline().is_some());
    lone.core.cancel(STREAM, ResetCode::Cancelled);
    assert_eq!(lone.core.deadline(), None);
    assert!(lone.core.timers.is_empty() && lone.core.requests.is_empty());
}

#[test]
fn there_is_one_end() {
    let mut lone = subscribed(Default::default());
    lone.say(STREAM, &done(1));
    lone.say(STREAM, &done(1));
    assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation));
}

#[test]
fn a_publisher_that_breaks_off_is_told_as_an_end() {
    let mut pair = Pair::new();
    pair.subscribe(STREAM, "v", &granted(None));
    pair.server.cancel(STREAM, ResetCode::InternalError);
    let seen = pair.run();
    assert!(
        matches!(&seen.client[..], [Output::Tell(STREAM, Event::Done(DoneCode::InternalError, _))]),
        "{seen:?}"
    );
}

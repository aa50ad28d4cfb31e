//! Fetches.

use super::*;
use crate::moqt::{
    EndOfTrack, GroupId, ObjectId, Properties, ResetCode,
    wire::{FetchOk, Property, WireFetchRange},
};

const SUBSCRIPTION: Stream = Stream(0);
const FETCH: Stream = Stream(1);

fn relative(joining: u64, groups: u64) -> WireFetchRange {
    WireFetchRange::Relative { joining: RequestId(joining), groups }
}

fn absolute(joining: u64, group: u64) -> WireFetchRange {
    WireFetchRange::Absolute { joining: RequestId(joining), group: GroupId(group) }
}

fn asked(start: (u64, u64), end: (u64, u64)) -> Vec<Output> {
    let (start, end) = (Location::new(start.0, start.1), Location::new(end.0, end.1));
    let (priority, order) = (Priority(5), GroupOrder::Ascending);
    let fill_timeout = None;
    let asked = FetchAsked { track: track("v"), start, end, priority, order, fill_timeout };
    vec![Output::Asked(FETCH, Asked::Fetch(asked))]
}

fn fetch(pair: &mut Pair, range: WireFetchRange) -> Seen {
    pair.client.fetch(FETCH, range, Priority(5)).expect("asked");
    pair.run()
}

fn forward(forward: bool) -> Parameters {
    Parameters { forward: Some(forward), ..Parameters::default() }
}

fn subscribe(pair: &mut Pair, forward: bool) {
    let options = SubscribeOptions { forward, ..SubscribeOptions::default() };
    pair.client.subscribe(SUBSCRIPTION, track("v"), &options).expect("asked");
    pair.run();
}

#[test]
fn a_range_of_any_track_is_asked_for_as_it_is() {
    for end in [(4, 0), (4, 9), (4, u64::MAX), (9, 3)] {
        let mut pair = Pair::new();
        let (start, last) = (Location::new(4, 0), Location::new(end.0, end.1));
        let range = WireFetchRange::Standalone { track: track("v"), start, end: last };
        assert_eq!(fetch(&mut pair, range).server, asked((4, 0), end));
        pair.server.grant_fetch(FETCH, last, EndOfTrack::Yes, Properties::default());
        assert_eq!(pair.run().client, [Output::Tell(FETCH, Event::Fetched)]);
        assert_eq!(pair.client.fetch_of(RequestId(0)), Some(FETCH));
        pair.server.fetch_over(FETCH);
        pair.client.fetch_over(FETCH);
        pair.run();
        assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
    }
}

#[test]
fn a_range_that_ends_before_it_starts_is_refused() {
    let mut pair = Pair::new();
    let (start, end) = (Location::new(4, 5), Location::new(4, 4));
    let range = WireFetchRange::Standalone { track: track("v"), start, end };
    assert_eq!(refusal(&fetch(&mut pair, range).client, FETCH), Some(RequestCode::InvalidRange));
}

#[test]
fn a_joining_fetch_ends_where_its_subscription_begins() {
    for (range, start) in [
        (relative(0, 0), (7, 0)),
        (relative(0, 2), (5, 0)),
        (relative(0, 100), (0, 0)),
        (absolute(0, 6), (6, 0)),
        (absolute(0, 7), (7, 0)),
    ] {
        let mut pair = Pair::new();
        pair.subscribe(SUBSCRIPTION, "v", &granted(at(7, 3)));
        assert_eq!(fetch(&mut pair, range).server, asked(start, (7, 3)));
    }
}

#[test]
fn a_joining_fetch_that_cannot_be_is_refused() {
    let refused = |largest, range, is_forward| {
        let mut pair = Pair::new();
        subscribe(&mut pair, is_forward);
        pair.server.grant_subscribe(SUBSCRIPTION, &granted(largest));
        pair.run();
        refusal(&fetch(&mut pair, range).client, FETCH)
    };
    assert_eq!(refused(at(7, 3), relative(2, 0), true), Some(RequestCode::InvalidJoiningRequestId));
    assert_eq!(refused(at(7, 3), absolute(0, 8), true), Some(RequestCode::InvalidRange));
    assert_eq!(refused(at(7, 3), relative(0, 0), false), Some(RequestCode::InvalidRange));
    assert_eq!(refused(None, relative(0, 0), true), Some(RequestCode::InvalidRange));
    let mut pair = Pair::new();
    pair.subscribe(SUBSCRIPTION, "v", &granted(at(7, 3)));
    pair.server.publish_done(SUBSCRIPTION, DoneCode::TrackEnded, "", 0);
    let seen = fetch(&mut pair, relative(0, 0));
    assert_eq!(refusal(&seen.client, FETCH), Some(RequestCode::InvalidJoiningRequestId));
}

#[test]
fn a_joining_fetch_waits_for_its_subscription() {
    let mut pair = Pair::new();
    subscribe(&mut pair, true);
    assert_eq!(fetch(&mut pair, relative(0, 1)), Seen::default());
    pair.server.grant_subscribe(SUBSCRIPTION, &granted(at(7, 3)));
    assert_eq!(pair.run().server, asked((6, 0), (7, 3)));

    let mut pair = Pair::new();
    subscribe(&mut pair, true);
    fetch(&mut pair, relative(0, 1));
    pair.server.refuse(SUBSCRIPTION, RequestCode::DoesNotExist, "none");
    let seen = pair.run();
    assert_eq!(refusal(&seen.client, SUBSCRIPTION), Some(RequestCode::DoesNotExist));
    assert_eq!(refusal(&seen.client, FETCH), Some(RequestCode::InvalidJoiningRequestId));
    assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());

    let mut pair = Pair::new();
    subscribe(&mut pair, true);
    fetch(&mut pair, relative(0, 1));
    pair.client.cancel(FETCH, ResetCode::Cancelled);
    pair.run();
    pair.server.grant_subscribe(SUBSCRIPTION, &granted(at(7, 3)));
    assert_eq!(pair.run().server, []);
}

#[test]
fn fetches_that_wait_are_bounded() {
    let mut pair = Pair::new();
    subscribe(&mut pair, true);
    for stream in 1..=16 {
        pair.client.fetch(Stream(stream), relative(0, 1), Priority(5)).expect("asked");
    }
    assert_eq!(pair.run(), Seen::default());
    pair.client.fetch(Stream(17), relative(0, 1), Priority(5)).expect("asked");
    assert_eq!(refusal(&pair.run().client, Stream(17)), Some(RequestCode::ExcessiveLoad));
}

/// Draft-18 §10.12.2: pending updates first.
#[test]
fn a_joining_fetch_waits_for_updates_and_joins_where_the_flow_resumed() {
    let mut pair = Pair::new();
    subscribe(&mut pair, false);
    pair.server.grant_subscribe(SUBSCRIPTION, &granted(at(7, 3)));
    pair.run();
    pair.client.update(SUBSCRIPTION, forward(true));
    assert_eq!(pair.run().server.len(), 1);
    assert_eq!(fetch(&mut pair, relative(0, 0)), Seen::default());
    pair.server.updated(SUBSCRIPTION, at(9, 1));
    assert_eq!(pair.run().server, asked((9, 0), (9, 1)));
}

/// What was published since the subscription began comes on that: it is not fetched too.
#[test]
fn only_an_update_that_resumes_the_flow_moves_the_place_to_join() {
    let mut pair = Pair::new();
    pair.subscribe(SUBSCRIPTION, "v", &granted(None));
    pair.client.update(SUBSCRIPTION, Parameters { priority: Some(Priority(1)), ..Parameters::default() });
    pair.client.update(SUBSCRIPTION, forward(true));
    pair.run();
    pair.server.updated(SUBSCRIPTION, at(2, 1));
    pair.server.updated(SUBSCRIPTION, at(2, 2));
    let seen = fetch(&mut pair, relative(0, 0));
    assert_eq!(refusal(&seen.client, FETCH), Some(RequestCode::InvalidRange));
}

#[test]
fn an_update_of_a_fetch_is_answered_after_it() {
    let mut pair = Pair::new();
    pair.subscribe(SUBSCRIPTION, "v", &granted(at(7, 3)));
    fetch(&mut pair, relative(0, 0));
    let mut lone = Lone { now: pair.now, core: pair.server };
    let parameters = Parameters { priority: Some(Priority(1)), ..Parameters::default() };
    let update = wire::RequestUpdate { request: RequestId(4), parameters: parameters.clone() };
    lone.say(FETCH, &Message::RequestUpdate(update));
    assert_eq!(lone.outputs(), []);
    lone.core.grant_fetch(FETCH, Location::new(7, 3), EndOfTrack::No, Properties::default());
    let told = Output::Tell(FETCH, Event::Update(Box::new(parameters)));
    assert!(matches!(&lone.outputs()[..], [Output::Send(FETCH, _), last] if *last == told));
    lone.core.updated(FETCH, None);
    assert_eq!(lone.said(FETCH), (vec![Message::RequestOk(Default::default())], false));
}

#[test]
fn data_may_be_over_before_the_answer_comes() {
    let mut pair = Pair::new();
    let location = Location { group: GroupId(1), object: ObjectId(0) };
    let range = WireFetchRange::Standalone { track: track("v"), start: location, end: location };
    fetch(&mut pair, range);
    pair.client.fetch_over(FETCH);
    assert_eq!(pair.client.fetch_of(RequestId(0)), Some(FETCH));
    pair.server.grant_fetch(FETCH, location, EndOfTrack::No, Properties::default());
    assert_eq!(pair.run().client, [Output::Tell(FETCH, Event::Fetched)]);
    assert!(pair.client.requests.is_empty());
}

#[test]
fn a_fetch_of_a_track_with_an_unknown_extension_is_let_go() {
    let mut lone = Lone::new(Role::Client);
    let end = Location::new(1, 0);
    let range = WireFetchRange::Standalone { track: track("v"), start: end, end };
    lone.core.fetch(FETCH, range, Priority(5)).expect("asked");
    lone.outputs();
    let properties = Properties::from_pairs(&[Property::Number(0x7ffe, 1)]);
    let parameters = Parameters::default();
    lone.say(FETCH, &Message::FetchOk(FetchOk { end_of_track: false, end, parameters, properties }));
    let outputs = lone.outputs();
    assert_eq!(refusal(&outputs, FETCH), Some(RequestCode::UnsupportedExtension));
    assert!(outputs.contains(&Output::Abandon(FETCH, ResetCode::Cancelled)));
}

#[test]
fn a_fetch_says_how_urgent_it_is_and_how_long_a_relay_may_take() {
    for fill_timeout in [None, Some(Duration::ZERO), Some(Duration::from_secs(3))] {
        let mut pair = Pair::new();
        let (start, end) = (Location::new(1, 0), Location::new(2, 0));
        let range = WireFetchRange::Standalone { track: track("v"), start, end };
        let order = if fill_timeout.is_none() { GroupOrder::Ascending } else { GroupOrder::Descending };
        let options = crate::moqt::FetchOptions { priority: Priority(9), order, fill_timeout };
        pair.client.fetch(FETCH, range, options).expect("asked");
        let [Output::Asked(_, Asked::Fetch(asked))] = &pair.run().server[..] else { panic!("not asked") };
        assert_eq!((asked.priority, asked.order, asked.fill_timeout), (Priority(9), order, fill_timeout));
    }
}

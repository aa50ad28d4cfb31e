//! Subscriptions that their publisher begins.

use super::*;
use crate::moqt::{
    Filter, GroupId, Properties, ResetCode,
    session::subscribe::options as asked_for,
    wire::{Property, Publish, PublishDone, RequestError, RequestOk, RequestUpdate, TrackProperties},
};

const STREAM: Stream = Stream(0);

fn offer(forward: bool, largest: Option<Location>) -> PublishOffer {
    PublishOffer { ok: granted(largest), forward }
}

/// The client offers a track; gives its alias.
fn offered(pair: &mut Pair, stream: Stream, offer: &PublishOffer) -> TrackAlias {
    let alias = pair.client.publish(stream, track("v"), offer).expect("asked");
    let asked = Output::Asked(stream, Asked::Publish(track("v"), offer.clone()));
    assert_eq!(pair.run(), Seen { client: vec![], server: vec![asked] });
    alias
}

/// The server takes what was offered; gives what the client is told of it.
fn taken(pair: &mut Pair, stream: Stream, options: &SubscribeOptions) -> Parameters {
    pair.server.grant_publish(stream, options);
    match &pair.run().client[..] {
        [Output::Tell(told, Event::Published(parameters))] if *told == stream => (**parameters).clone(),
        other => panic!("{other:?}"),
    }
}

fn publish(id: u64, name: &'static str, alias: u64) -> Message {
    let (request, alias, parameters) = (RequestId(id), TrackAlias(alias), Parameters::default());
    Message::Publish(Publish {
        request,
        track: track(name),
        alias,
        parameters,
        properties: Properties::default(),
    })
}

fn ok(parameters: Parameters) -> Message {
    Message::RequestOk(RequestOk { parameters, ..RequestOk::default() })
}

fn update(id: u64) -> Message {
    Message::RequestUpdate(RequestUpdate { request: RequestId(id), parameters: Parameters::default() })
}

fn done(streams: u64) -> Message {
    Message::PublishDone(PublishDone { code: DoneCode::TrackEnded, streams, reason: "over".into() })
}

/// What the peer is told of a request: refused with this code.
fn refuses(lone: &mut Lone, stream: Stream, code: RequestCode) {
    let (said, is_finished) = lone.said(stream);
    assert!(is_finished, "{said:?}");
    assert!(matches!(&said[..], [Message::RequestError(e)] if e.code == code), "{said:?}");
}

#[test]
fn the_offer_says_what_the_answer_to_a_subscribe_would() {
    let properties = TrackProperties { priority: Some(Priority(9)), ..TrackProperties::default() }.encode();
    let ok = SubscribeOk { largest: at(5, 6), expires: Some(Duration::from_secs(60)), properties };
    for forward in [true, false] {
        let mut pair = Pair::new();
        let alias = offered(&mut pair, STREAM, &PublishOffer { ok: ok.clone(), forward });
        assert_eq!(pair.server.alias(alias), Alias::Known(STREAM), "its objects may come at once");
    }
}

#[test]
fn the_subscriber_chooses_all_that_it_could_ask_for() {
    let second = Some(Duration::from_secs(1));
    let plain = SubscribeOptions::default();
    let all = [
        plain,
        SubscribeOptions { priority: Priority(0), order: Some(GroupOrder::Descending), ..plain },
        SubscribeOptions { filter: Filter::NextGroupStart, forward: false, ..plain },
        SubscribeOptions { filter: Filter::AbsoluteRange(Location::new(3, 4), GroupId(9)), ..plain },
        SubscribeOptions { object_timeout: second, subgroup_timeout: second, ..plain },
    ];
    for options in all {
        let mut pair = Pair::new();
        offered(&mut pair, STREAM, &offer(true, None));
        assert_eq!(asked_for(&taken(&mut pair, STREAM, &options)), options);
    }
}

#[test]
fn a_new_group_is_asked_for_only_where_the_track_begins_groups_on_demand() {
    let options = SubscribeOptions { new_group: Some(GroupId(4)), ..SubscribeOptions::default() };
    for dynamic_groups in [true, false] {
        let properties = TrackProperties { dynamic_groups, ..TrackProperties::default() }.encode();
        let mut pair = Pair::new();
        let ok = SubscribeOk { properties, ..SubscribeOk::default() };
        offered(&mut pair, STREAM, &PublishOffer { ok, forward: true });
        assert_eq!(taken(&mut pair, STREAM, &options).new_group.is_some(), dynamic_groups);
    }
}

#[test]
fn a_refusal_ends_it_for_both() {
    let mut pair = Pair::new();
    let alias = offered(&mut pair, STREAM, &offer(true, None));
    pair.server.refuse(STREAM, RequestCode::Uninterested, "no");
    assert_eq!(refusal(&pair.run().client, STREAM), Some(RequestCode::Uninterested));
    assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
    assert_eq!(pair.server.alias(alias), Alias::Retired, "what is on its way is stopped");
    offered(&mut pair, Stream(1), &offer(true, None));
}

#[test]
fn the_subscriber_updates_it_and_the_publisher_answers() {
    let mut pair = Pair::new();
    offered(&mut pair, STREAM, &offer(false, None));
    taken(&mut pair, STREAM, &SubscribeOptions { forward: false, ..SubscribeOptions::default() });
    let parameters = Parameters { forward: Some(true), ..Parameters::default() };
    pair.server.update(STREAM, parameters.clone());
    assert_eq!(pair.run().client, [Output::Tell(STREAM, Event::Update(Box::new(parameters)))]);
    pair.client.updated(STREAM, at(3, 0));
    let updated = crate::moqt::Updated { largest: at(3, 0), expires: None };
    let told = vec![Output::Tell(STREAM, Event::Updated(Ok(updated)))];
    assert_eq!(pair.run(), Seen { server: told, ..Seen::default() });
}

#[test]
fn the_publisher_may_only_be_updated_once_the_offer_is_taken() {
    let mut lone = Lone::new(Role::Client);
    lone.core.publish(STREAM, track("v"), &offer(true, None)).expect("asked");
    lone.say(STREAM, &update(1));
    assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation));
}

#[test]
fn a_publishers_own_update_is_answered_once_the_offer_is_taken() {
    let mut lone = Lone::new(Role::Server);
    lone.open(STREAM, &publish(0, "v", 7));
    lone.say(STREAM, &update(2));
    assert_eq!(lone.said(STREAM), (vec![], false));
    lone.core.grant_publish(STREAM, &SubscribeOptions::default());
    assert_eq!(lone.said(STREAM), (vec![ok(Parameters::default()), ok(Parameters::default())], false));
}

#[test]
fn it_ends_with_all_of_its_streams_even_before_it_is_taken() {
    for takes in [true, false] {
        let mut pair = Pair::new();
        offered(&mut pair, STREAM, &offer(true, None));
        if takes {
            taken(&mut pair, STREAM, &SubscribeOptions::default());
        }
        pair.server.data_began(STREAM);
        pair.client.publish_done(STREAM, DoneCode::TrackEnded, "over", 1);
        assert_eq!(pair.run(), Seen::default());
        pair.server.data_ended(STREAM);
        let told = Output::Tell(STREAM, Event::Done(DoneCode::TrackEnded, "over".into()));
        assert_eq!(pair.run().server, [told]);
        assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
        pair.server.grant_publish(STREAM, &SubscribeOptions::default());
        assert_eq!(pair.run(), Seen::default(), "taken too late");
    }
}

#[test]
fn the_subscriber_ends_it_by_a_stop_or_a_reset() {
    type End = fn(Stream, u64) -> Input;
    for end in [Input::Stopped as End, Input::Cancelled as End] {
        let mut pair = Pair::new();
        offered(&mut pair, STREAM, &offer(true, None));
        taken(&mut pair, STREAM, &SubscribeOptions::default());
        pair.client.handle(pair.now, end(STREAM, 1));
        let seen = pair.run();
        assert_eq!(seen.client, [Output::Tell(STREAM, Event::Ended)]);
        assert!(matches!(&seen.server[..], [Output::Tell(_, Event::Done(DoneCode::InternalError, _))]));
        assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
    }
}

#[test]
fn a_cancelled_offer_is_a_refused_one() {
    let mut pair = Pair::new();
    offered(&mut pair, STREAM, &offer(true, None));
    pair.server.cancel(STREAM, ResetCode::Cancelled);
    assert_eq!(refusal(&pair.run().client, STREAM), Some(RequestCode::InternalError));
    let mut silent = Lone::new(Role::Client);
    silent.core.publish(STREAM, track("v"), &offer(true, None)).expect("asked");
    silent.core.handle(silent.now, Input::Finished(STREAM));
    assert_eq!(refusal(&silent.outputs(), STREAM), Some(RequestCode::InternalError));
}

#[test]
fn a_subscriber_that_finishes_its_half_stays_subscribed() {
    let mut lone = Lone::new(Role::Client);
    lone.core.publish(STREAM, track("v"), &offer(true, None)).expect("asked");
    lone.say(STREAM, &ok(Parameters::default()));
    lone.core.handle(lone.now, Input::Finished(STREAM));
    lone.outputs();
    lone.core.publish_done(STREAM, DoneCode::TrackEnded, "over", 0);
    assert_eq!(lone.said(STREAM), (vec![done(0)], true));
}

#[test]
fn a_track_has_one_subscription_in_each_direction() {
    // Subscribed to by the peer: not offered to it.
    let mut pair = Pair::new();
    pair.subscribe(STREAM, "v", &granted(None));
    let refused = pair.server.publish(Stream(1), track("v"), &offer(true, None));
    assert!(matches!(refused, Err(Refused::Error { code: RequestCode::DuplicateSubscription, .. })));
    // The other direction is another subscription.
    offered(&mut pair, Stream(2), &offer(true, None));

    // Offered, and not answered yet: a SUBSCRIBE is refused.
    let mut pair = Pair::new();
    offered(&mut pair, STREAM, &offer(true, None));
    pair.server.subscribe(Stream(1), track("v"), &SubscribeOptions::default()).expect("asked");
    assert_eq!(refusal(&pair.run().server, Stream(1)), Some(RequestCode::DuplicateSubscription));
    taken(&mut pair, STREAM, &SubscribeOptions::default());
}

#[test]
fn a_second_offer_of_a_track_is_refused_and_its_streams_are_stopped() {
    let mut lone = Lone::new(Role::Server);
    lone.open(STREAM, &publish(0, "v", 7));
    lone.open(Stream(1), &publish(2, "v", 8));
    refuses(&mut lone, Stream(1), RequestCode::DuplicateSubscription);
    assert_eq!(lone.core.alias(TrackAlias(7)), Alias::Known(STREAM));
    assert_eq!(lone.core.alias(TrackAlias(8)), Alias::Retired);
    // The same alias for the same track names nothing else.
    lone.open(Stream(2), &publish(4, "v", 7));
    refuses(&mut lone, Stream(2), RequestCode::DuplicateSubscription);
    assert_eq!(lone.core.alias(TrackAlias(7)), Alias::Known(STREAM));
}

#[test]
fn an_offer_of_what_is_subscribed_to_is_refused() {
    let mut lone = Lone::new(Role::Server);
    lone.core.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    let (alias, parameters, properties) = (TrackAlias(7), Parameters::default(), Properties::default());
    lone.say(STREAM, &Message::SubscribeOk(wire::SubscribeOk { alias, parameters, properties }));
    lone.open(Stream(1), &publish(0, "v", 8));
    refuses(&mut lone, Stream(1), RequestCode::DuplicateSubscription);
}

/// Draft-18 §5.1: both sides begin at once.
#[test]
fn an_offer_that_is_taken_ends_the_subscribe_that_crossed_it() {
    let mut lone = Lone::new(Role::Server);
    lone.core.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    lone.open(Stream(1), &publish(0, "v", 7));
    lone.outputs();
    lone.core.grant_publish(Stream(1), &SubscribeOptions::default());
    let outputs = lone.outputs();
    assert_eq!(refusal(&outputs, STREAM), Some(RequestCode::DuplicateSubscription));
    assert!(outputs.contains(&Output::Abandon(STREAM, ResetCode::Cancelled)));
    assert_eq!(outputs.last(), Some(&Output::Send(Stream(1), raw(&ok(Parameters::default())))));
}

#[test]
fn an_alias_that_names_another_track_closes_the_session() {
    let mut lone = Lone::new(Role::Server);
    lone.open(STREAM, &publish(0, "v", 7));
    lone.open(Stream(1), &publish(2, "w", 7));
    assert_eq!(lone.closed(), Some(SessionCode::DuplicateTrackAlias));
}

/// Draft-18 §11.1: an alias names one track at a time, and that of an ended subscription names none.
#[test]
fn an_alias_is_free_once_its_subscription_ended() {
    let mut lone = Lone::new(Role::Server);
    lone.open(STREAM, &publish(0, "v", 7));
    lone.core.grant_publish(STREAM, &SubscribeOptions::default());
    lone.core.data_began(STREAM);
    lone.say(STREAM, &done(2));
    lone.outputs();
    lone.open(Stream(1), &publish(2, "v", 7));
    let told = Output::Tell(STREAM, Event::Done(DoneCode::TrackEnded, "over".into()));
    let offer = PublishOffer::default();
    let asked = Output::Asked(Stream(1), Asked::Publish(track("v"), offer));
    assert_eq!(lone.outputs(), [told, Output::Retire(STREAM), asked]);
    assert_eq!(lone.core.alias(TrackAlias(7)), Alias::Known(Stream(1)));
    assert!(lone.core.timers.is_empty());
}

#[test]
fn an_offer_with_an_extension_that_is_not_known_is_refused() {
    let mut lone = Lone::new(Role::Server);
    let Message::Publish(plain) = publish(0, "v", 7) else { unreachable!("it is one") };
    let properties = Properties::from_pairs(&[Property::Number(0x4000, 1)]);
    lone.open(STREAM, &Message::Publish(Publish { properties, ..plain.clone() }));
    refuses(&mut lone, STREAM, RequestCode::UnsupportedExtension);
    assert_eq!(lone.core.alias(TrackAlias(7)), Alias::Retired);
    let mut cut = Lone::new(Role::Server);
    let properties = Properties(Bytes::from_static(b"\x03\x09x"));
    cut.open(STREAM, &Message::Publish(Publish { properties, ..plain }));
    assert!(cut.closed().is_some());
}

#[test]
fn an_offer_to_a_side_that_is_going_away_is_refused_and_its_streams_are_stopped() {
    let mut lone = Lone::new(Role::Server);
    lone.core.goaway(lone.now, "", Duration::ZERO);
    lone.open(STREAM, &publish(0, "v", 7));
    refuses(&mut lone, STREAM, RequestCode::GoingAway);
    assert_eq!(lone.core.alias(TrackAlias(7)), Alias::Retired);
}

#[test]
fn an_answer_that_does_not_fit_closes_the_session() {
    let error = || {
        let (code, retry_after) = (RequestCode::Uninterested, None);
        Message::RequestError(RequestError { code, retry_after, reason: "no".into(), redirect: None })
    };
    let plain = || ok(Parameters::default());
    let properties = Properties("\x02\x05".into());
    let cases = [
        vec![Message::RequestOk(RequestOk { properties, ..RequestOk::default() })],
        vec![ok(Parameters { largest: at(1, 1), ..Parameters::default() })],
        vec![done(0)],
        vec![plain(), plain()],
        vec![plain(), error()],
        vec![plain(), done(0)],
    ];
    for (index, answers) in cases.iter().enumerate() {
        let mut lone = Lone::new(Role::Client);
        lone.core.publish(STREAM, track("v"), &offer(true, None)).expect("asked");
        answers.iter().for_each(|answer| lone.say(STREAM, answer));
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "case {index}");
    }
    for message in [publish(2, "w", 8), ok(Parameters::default()), error()] {
        let mut lone = Lone::new(Role::Server);
        lone.open(STREAM, &publish(0, "v", 7));
        lone.say(STREAM, &message);
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "{message:?}");
    }
}

#[test]
fn a_joining_fetch_waits_for_the_answer_and_ends_where_the_offer_said() {
    let mut pair = Pair::new();
    offered(&mut pair, STREAM, &offer(false, at(5, 3)));
    let joining = pair.server.request_id(STREAM).expect("known");
    let range = wire::WireFetchRange::Relative { joining, groups: 1 };
    pair.server.fetch(Stream(1), range, Priority::default()).expect("asked");
    assert_eq!(pair.run(), Seen::default());
    pair.server.grant_publish(STREAM, &SubscribeOptions::default());
    let seen = pair.run().client;
    let Some(Output::Asked(_, Asked::Fetch(asked))) = seen.last() else { panic!("{seen:?}") };
    assert_eq!((asked.start, asked.end), (Location::new(4, 0), Location::new(5, 3)));
}

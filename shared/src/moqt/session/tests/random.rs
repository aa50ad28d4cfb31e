//! Peers that say anything at all: nothing panics, nothing grows, and what is closed stays closed.

use proptest::{
    prelude::*,
    test_runner::{Config as Runs, RngAlgorithm, TestRng, TestRunner},
};

use super::*;
use crate::moqt::{
    EndOfTrack, GroupId, Properties,
    wire::{
        Fetch, Goaway, PublishDone, PublishNamespace, RequestError, RequestOk, RequestUpdate, Subscribe,
        SubscribeNamespace, WireFetchRange,
    },
};

/// Sessions that are tried.
const CASES: u32 = 1_000;

/// Messages of all kinds, valid each for itself.
fn message(kind: u8, id: u64) -> Message {
    let (request, parameters) = (RequestId(id), Parameters::default());
    let fetch = |range, parameters| Message::Fetch(Fetch { request, range, parameters });
    let joining = RequestId(id.saturating_sub(2));
    match kind % 14 {
        0 => Message::Subscribe(Subscribe { request, track: track("v"), parameters }),
        1 => fetch(WireFetchRange::Relative { joining, groups: id }, parameters),
        2 => fetch(WireFetchRange::Absolute { joining, group: GroupId(id) }, parameters),
        3 => {
            let namespace = namespace(&["a"]);
            Message::PublishNamespace(PublishNamespace { request, namespace, parameters })
        }
        4 => {
            let prefix = namespace(&["a"]);
            Message::SubscribeNamespace(SubscribeNamespace { request, prefix, parameters })
        }
        5 | 6 => {
            let parameters = Parameters { forward: Some(id.is_multiple_of(3)), ..parameters };
            Message::RequestUpdate(RequestUpdate { request, parameters })
        }
        7 => Message::RequestOk(RequestOk::default()),
        8 => {
            let (alias, properties) = (TrackAlias(id % 4), Properties::default());
            Message::SubscribeOk(wire::SubscribeOk { alias, parameters, properties })
        }
        9 => {
            let (code, reason) = (DoneCode::TrackEnded, String::new());
            Message::PublishDone(PublishDone { code, streams: id % 3, reason })
        }
        10 => {
            let (code, reason) = (RequestCode::DoesNotExist, String::new());
            Message::RequestError(RequestError { code, retry_after: None, reason, redirect: None })
        }
        11 => Message::Namespace(namespace(&["b"])),
        12 => Message::NamespaceDone(namespace(&["b"])),
        _ => {
            let (uri, timeout) = (String::new(), Duration::from_millis(id));
            Message::Goaway(Goaway { uri, timeout, request: None })
        }
    }
}

/// One step of a session: what, on which stream, and with which number.
fn step(lone: &mut Lone, what: u8, stream: u64, number: u64) {
    let at = Stream(stream);
    match what % 12 {
        0 => lone.open(at, &message(number as u8, 2 * number)),
        1..=3 => lone.say(at, &message(what ^ number as u8, 2 * number)),
        4 => lone.core.handle(lone.now, Input::Bytes(at, Bytes::copy_from_slice(&number.to_be_bytes()))),
        5 => lone.core.handle(lone.now, Input::Finished(at)),
        6 => lone.core.handle(lone.now, Input::Cancelled(at, number)),
        7 => {
            let _ = lone.core.subscribe(Stream(stream + 100), track("v"), &SubscribeOptions::default());
            lone.say(Stream(stream + 100), &message(number as u8, 2 * number));
        }
        8 => {
            lone.core.grant(at);
            lone.core.grant_subscribe(at, &granted(super::at(number, 0)));
            let end = Location::new(number, 0);
            lone.core.grant_fetch(at, end, EndOfTrack::No, Properties::default());
        }
        9 => lone.core.updated(at, super::at(number, 1)),
        10 => lone.core.publish_done(at, DoneCode::TrackEnded, "", number),
        _ => {
            lone.now += Duration::from_millis(number * 10);
            lone.core.handle(lone.now, Input::Tick);
        }
    }
}

#[test]
fn whatever_a_peer_says_the_session_stands_or_closes_once() {
    let runs = Runs { cases: CASES, failure_persistence: None, ..Runs::default() };
    let mut runner = TestRunner::new_with_rng(runs, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let steps = prop::collection::vec((any::<u8>(), 0..6_u64, 0..64_u64), 0..60);
    runner
        .run(&steps, |steps| {
            let mut lone = Lone::new(Role::Server);
            let mut closed = 0;
            for (what, stream, number) in steps {
                step(&mut lone, what, stream, number);
                let outputs = lone.outputs();
                closed += outputs.iter().filter(|o| matches!(o, Output::Close(_))).count();
                prop_assert!(lone.core.requests.len() <= 12 && closed <= 1);
                prop_assert!(lone.core.timers.len() <= lone.core.requests.len());
            }
            let streams: Vec<Stream> = lone.core.requests.keys().copied().collect();
            streams
                .into_iter()
                .for_each(|stream| lone.core.cancel(stream, crate::moqt::ResetCode::Cancelled));
            prop_assert!(lone.core.requests.is_empty() && lone.core.timers.is_empty());
            Ok(())
        })
        .expect("a session withstands it");
}

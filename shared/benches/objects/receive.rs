//! What a session does with a peer's objects: parsing, judging and dispatch to their reader, against a peer
//! that only writes bytes.

use std::{future::poll_fn, time::Instant};

use bytes::{Bytes, BytesMut};
use shared::{
    moqt::{
        self, Config, GroupId, Item, Namespace, Priority, Received, Role, SubgroupId, SubscribeOptions,
        TrackName,
        wire::{Message, Parameters, Setup, SubgroupHeader, SubscribeOk, TrackAlias, encode_object_header},
    },
    transport::{Connection, SendStream, memory},
};

use crate::{RUNS, object};

/// Objects of a group.
const OBJECTS: u64 = 1_000;
/// Groups of one run.
const GROUPS: u64 = 100;
/// Nanoseconds that an object may take.
const TARGET: f64 = 1_000.0;

async fn write(stream: &mut SendStream, bytes: Bytes) {
    let mut chunks = [bytes];
    while !chunks[0].is_empty() {
        poll_fn(|cx| stream.poll_write(cx, &mut chunks)).await.expect("written");
    }
}

async fn say(stream: &mut SendStream, message: &Message) {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes).expect("valid");
    write(stream, bytes.freeze()).await;
}

fn group(group: u64, payload: &Bytes) -> Bytes {
    let header = SubgroupHeader {
        alias: TrackAlias(0),
        group: GroupId(group),
        subgroup: Some(SubgroupId(0)),
        priority: Some(Priority(64)),
        ends_group: true,
        from_first: true,
        has_properties: false,
    };
    let (mut bytes, mut previous) = (BytesMut::new(), None);
    header.encode(&mut bytes);
    for id in 0..OBJECTS {
        let object = object(group, id, payload);
        encode_object_header(previous, &header, &object, &mut bytes);
        bytes.extend_from_slice(payload);
        previous = Some(object.id);
    }
    bytes.freeze()
}

async fn grant(connection: &Connection) -> (SendStream, impl Sized) {
    let mut control = connection.open_uni().await.expect("open");
    say(&mut control, &Message::Setup(Setup::default())).await;
    let (mut request, requests) = connection.accept_bi().await.expect("a request");
    let properties = moqt::Properties::default();
    let ok = SubscribeOk { alias: TrackAlias(0), parameters: Parameters::default(), properties };
    say(&mut request, &Message::SubscribeOk(ok)).await;
    (control, (request, requests))
}

async fn once(payload: &Bytes) -> f64 {
    let (client, peer) = memory::pair();
    let ask = async {
        let (session, requests) = moqt::start(client, Config::new(Role::Client)).await.expect("set up");
        let track = TrackName { namespace: Namespace::new(["bench"]), name: "objects".into() };
        let subscription = session.subscribe(track, SubscribeOptions::default()).await.expect("granted");
        (session, requests, subscription)
    };
    let ((_session, _requests, mut subscription), _peer) = tokio::join!(ask, grant(&peer));
    let groups: Vec<Bytes> = (0..GROUPS).map(|id| group(id, payload)).collect();
    let began = Instant::now();
    let send = async {
        for bytes in groups {
            let mut stream = peer.open_uni().await.expect("open");
            write(&mut stream, bytes).await;
            stream.finish();
        }
    };
    let receive = async {
        let mut received = 0;
        while received < GROUPS * OBJECTS {
            match subscription.recv().await {
                Some(Received::Item(Item::Object(_))) => received += 1,
                Some(Received::Item(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::join!(send, receive);
    began.elapsed().as_nanos() as f64 / (GROUPS * OBJECTS) as f64
}

/// Prints what an object takes from the connection to its reader.
pub(crate) fn run(runtime: &tokio::runtime::Runtime) {
    let payload = Bytes::from_static(&[7; 160]);
    let best = (0..RUNS).map(|_| runtime.block_on(once(&payload))).fold(f64::MAX, f64::min);
    println!(
        "parse and dispatch, with its connection in memory: {best:.0} ns an object (target {TARGET:.0})"
    );
}

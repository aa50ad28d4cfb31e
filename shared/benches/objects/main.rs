//! What an object costs, as bytes and through sessions, and what an idle session holds.
//! `cargo bench -p shared --bench objects` prints each with its target beside it.
//!
//! | module | what it measures |
//! |---|---|
//! | `codec` | objects and datagrams as bytes |
//! | `receive` | a session that receives |
//! | `idle` | a session that does nothing |
//! | `count` | allocations |
//!
//! Here: objects per second from a writer to its reader through two sessions in memory, against a floor, the
//! same objects through a plain channel.

use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::{
    moqt::{
        self, Config, GroupId, Item, Namespace, Object, ObjectId, Priority, Properties, Received, Request,
        Role, Status, Subgroup, SubgroupEnd, SubgroupId, SubscribeOk, SubscribeOptions, TrackName,
    },
    transport::memory,
};
use tokio::sync::mpsc;

mod codec;
mod count;
mod idle;
mod receive;

#[global_allocator]
static ALLOCATOR: count::Counting = count::Counting;

/// Objects of one run.
const OBJECTS: u64 = 100_000;
/// Objects that are under way at once.
const AHEAD: u64 = 64;
/// Runs, of which the best counts.
const RUNS: usize = 5;

fn object(group: u64, id: u64, payload: &Bytes) -> Object {
    Object {
        subgroup: Subgroup {
            group: GroupId(group),
            id: SubgroupId(0),
            priority: Priority(64),
            ends_group: true,
            from_first: true,
        },
        id: ObjectId(id),
        status: Status::Normal,
        properties: Properties::default(),
        payload: payload.clone(),
    }
}

/// Through two sessions, `per_group` objects a group.
async fn sessions(per_group: u64, payload: &Bytes) -> Duration {
    let (client, server) = memory::pair();
    let (client, server) = tokio::join!(
        moqt::start(client, Config::new(Role::Client)),
        moqt::start(server, Config::new(Role::Server))
    );
    let ((client, _client), (_server, mut requests)) = (client.expect("set up"), server.expect("set up"));
    let track = TrackName { namespace: Namespace::new(["bench"]), name: "objects".into() };
    let grant = async {
        match requests.next().await {
            Some(Request::Subscribe(request)) => request.accept(SubscribeOk::default()),
            other => panic!("{other:?}"),
        }
    };
    let (subscription, writer) = tokio::join!(client.subscribe(track, SubscribeOptions::default()), grant);
    let mut subscription = subscription.expect("granted");
    let began = Instant::now();
    let (mut sent, mut received) = (0, 0);
    while received < OBJECTS {
        while sent < OBJECTS && sent < received + AHEAD {
            let (group, id) = (sent / per_group, sent % per_group);
            writer.push(Item::Object(object(group, id, payload)));
            sent += 1;
            if id + 1 == per_group {
                let (group, subgroup) = (GroupId(group), SubgroupId(0));
                writer.push(Item::End { group, subgroup, end: SubgroupEnd::Finished });
            }
        }
        match subscription.recv().await {
            Some(Received::Item(Item::Object(_))) => received += 1,
            Some(Received::Item(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    let took = began.elapsed();
    assert_eq!(writer.stats().skipped_objects, 0);
    took
}

/// Through a channel between two tasks.
async fn channel(per_group: u64, payload: &Bytes) -> Duration {
    let (sender, mut receiver) = mpsc::channel(AHEAD as usize);
    let payload = payload.clone();
    let began = Instant::now();
    let writer = tokio::spawn(async move {
        for sent in 0..OBJECTS {
            let item = Item::Object(object(sent / per_group, sent % per_group, &payload));
            sender.send(item).await.expect("its reader is there");
        }
    });
    let mut received = 0;
    while receiver.recv().await.is_some() {
        received += 1;
    }
    assert_eq!(received, OBJECTS);
    writer.await.expect("whole");
    began.elapsed()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    codec::run();
    receive::run(&runtime);
    idle::run(&runtime);
    for (name, per_group, bytes) in
        [("video, 60 objects a group, 8 KiB", 60, 8 << 10), ("audio, 1 object a group, 160 B", 1, 160)]
    {
        let payload = Bytes::from(vec![7; bytes]);
        let best = |run: &dyn Fn() -> Duration| (0..RUNS).map(|_| run()).min().expect("some runs");
        let ours = best(&|| runtime.block_on(sessions(per_group, &payload)));
        let floor = best(&|| runtime.block_on(channel(per_group, &payload)));
        let rate = |took: Duration| OBJECTS as f64 / took.as_secs_f64();
        println!(
            "{name}: {:.0} objects/s through two sessions, {:.0} through a channel: {:.1} times the floor",
            rate(ours),
            rate(floor),
            ours.as_secs_f64() / floor.as_secs_f64()
        );
    }
}

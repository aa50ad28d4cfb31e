use shared::{
    event::{Part, Traffic},
    transport::Kind,
};

use super::*;

const SECOND: u64 = 1_000_000;

fn at(second: u64, fact: Fact) -> Event {
    Event { at: Timestamp(second * SECOND), fact }
}

fn a_broadcast() -> Vec<Event> {
    let (session, broadcast) = (SessionId(1), BroadcastId(1));
    let room = || "demo".parse().expect("a room");
    vec![
        at(10, Fact::SessionStarted { session, transport: Kind::Quic }),
        at(10, Fact::SessionJoined { session, room: room(), part: Part::Publisher }),
        at(11, Fact::BroadcastStarted { broadcast, room: room(), session }),
        at(12, Fact::TrackProgress { broadcast, track: "audio".to_owned(), objects: 50, bytes: 4_000 }),
        at(13, Fact::TrackProgress { broadcast, track: "audio".to_owned(), objects: 100, bytes: 8_000 }),
        at(13, Fact::SessionProgress { session, traffic: Traffic { received_bytes: 9_000, sent_bytes: 70 } }),
    ]
}

#[test]
fn what_a_killed_relay_left_open_is_closed_at_its_last_sign_of_life() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path(), Timestamp(SECOND)).expect("opened");
    store.write(&a_broadcast(), Timestamp(14 * SECOND)).expect("written");
    drop(store);
    let open = read(folder.path(), None).expect("read");
    assert_eq!((&open.broadcasts[0].end, &open.sessions[0].end), (&None, &None));

    drop(Store::open(folder.path(), Timestamp(100 * SECOND)).expect("opened again"));
    let report = read(folder.path(), None).expect("read");
    let broadcast = &report.broadcasts[0];
    assert_eq!(broadcast.end.as_deref(), Some("1970-01-01T00:00:14.000Z"));
    assert_eq!(broadcast.reason.as_deref(), Some("relay crashed or was killed"));
    assert_eq!(broadcast.tracks, [TrackRow { name: "audio".to_owned(), objects: 100, bytes: 8_000 }]);
    let session = &report.sessions[0];
    assert_eq!((session.received_bytes, session.role.as_deref()), (9_000, Some("publisher")));
    assert_eq!(session.reason.as_deref(), Some("relay crashed or was killed"));
    let published = DeliveryRow { name: "audio".to_owned(), objects: 100, bytes: 8_000, skipped_groups: 0 };
    assert_eq!(session.tracks, [published]);
    assert_eq!(report.rooms[0].on_air_seconds, 3.0);
}

#[test]
fn numbers_of_two_runs_do_not_meet() {
    let folder = tempfile::tempdir().expect("a folder");
    for run in 1..=2 {
        let mut store = Store::open(folder.path(), Timestamp(run * 100 * SECOND)).expect("opened");
        store.write(&a_broadcast(), Timestamp(run * 100 * SECOND)).expect("written");
        store.end(Timestamp(run * 100 * SECOND)).expect("ended");
    }
    let room: shared::naming::Room = "demo".parse().expect("a room");
    let report = read(folder.path(), Some(&room)).expect("read");
    assert_eq!((report.rooms.len(), report.sessions.len(), report.broadcasts.len()), (1, 2, 2));
    let other = "other".parse().expect("a room");
    assert!(read(folder.path(), Some(&other)).expect("read").sessions.is_empty());
}

#[test]
fn a_batch_that_fails_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path(), Timestamp(SECOND)).expect("opened");
    let mut events = a_broadcast();
    events.push(events[0].clone());
    store.write(&events, Timestamp(SECOND)).expect_err("a session starts once");
    assert!(read(folder.path(), None).expect("read").sessions.is_empty());
}

#[test]
fn records_of_a_later_version_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Store::open(folder.path(), Timestamp(SECOND)).expect("opened"));
    let connection = Connection::open(folder.path().join(FILE)).expect("opened");
    connection.pragma_update(None, "user_version", 99).expect("set");
    assert!(matches!(Store::open(folder.path(), Timestamp(0)), Err(StoreError::Newer { found: 99, .. })));
    assert!(matches!(read(folder.path(), None), Err(StoreError::Newer { found: 99, .. })));
}

//! A subscriber that is behind.

use super::*;
use crate::moqt::PublishOffer;

#[test]
fn past_the_bound_only_the_newest_group_is_kept() {
    let mut rig = Rig::plain();
    let mib = 1 << 20;
    rig.push(object(1, 0, 0, mib));
    rig.open();
    assert!(matches!(rig.next(0), Next::Write(_)));
    for (group, id) in [(1, 1), (2, 2), (2, 3)] {
        rig.push(object(group, 0, id, mib));
    }
    assert_eq!(rig.outbox.stats().skipped_objects, 0);
    rig.push(object(3, 0, 0, mib));
    // The object that was being written is lost with its stream.
    assert_eq!(rig.outbox.take_resets(), [(0, ResetCode::TooFarBehind)]);
    let stats = rig.outbox.stats();
    assert_eq!((stats.objects, stats.skipped_objects, stats.skipped_groups), (0, 4, 2));
    assert_eq!(rig.open().map(|(_, lane)| lane), Some(lane(3, 0)));
    assert_eq!(rig.open(), None);
    // What is late of a skipped group stays skipped.
    rig.push(object(2, 0, 4, 1));
    assert_eq!(rig.outbox.stats().skipped_objects, 5);
    assert_eq!(rig.outbox.stats().skipped_groups, 2);
    assert_eq!(rig.open(), None);
    rig.write(1);
    rig.assert_empty();
}

#[test]
fn a_group_that_alone_is_too_much_is_skipped_too() {
    let mut rig = Rig::plain();
    for id in 0..5 {
        rig.push(object(1, 0, id, 1 << 20));
    }
    rig.assert_empty();
    assert_eq!(rig.outbox.stats().skipped_objects, 5);
    rig.push(object(1, 0, 5, 1));
    assert_eq!((rig.outbox.waiting(), rig.outbox.stats().skipped_objects), (None, 6));
    rig.push(object(2, 0, 0, 1));
    assert_eq!(rig.open().map(|(_, lane)| lane), Some(lane(2, 0)));
}

#[test]
fn small_objects_and_streams_are_bounded_as_well() {
    let mut rig = Rig::plain();
    for id in 0..2 * MAX_OBJECTS as u64 {
        rig.push(object(id / 100, 0, id % 100, 0));
        assert!(rig.outbox.objects <= MAX_OBJECTS);
    }
    let mut rig = Rig::plain();
    for group in 0..3 * MAX_LANES as u64 {
        rig.push(object(group, 0, 0, 0));
        rig.end(group, 0);
        assert!(rig.outbox.lanes.len() <= MAX_LANES);
        assert!(rig.outbox.skipped.len() <= MAX_SKIPPED);
    }
    let sent = std::iter::from_fn(|| rig.open()).count() as u64;
    assert_eq!(rig.outbox.stats().skipped_groups + sent, 3 * MAX_LANES as u64);
}

#[test]
fn of_datagrams_the_oldest_is_let_go() {
    let mut rig = Rig::plain();
    for id in 0..MAX_DATAGRAMS as u64 + 2 {
        rig.outbox.push(rig.now, Item::Datagram(object(1, 0, id, 1)));
    }
    let left = std::iter::from_fn(|| rig.outbox.next_datagram(rig.now)).count();
    assert_eq!((left, rig.outbox.stats().skipped_objects), (MAX_DATAGRAMS, 2));
}

#[test]
fn a_session_has_a_budget_and_who_spends_it_pays() {
    let budget = Budget::new(4 << 20);
    let rig = || Rig::within(SubscribeOptions::default(), SubscribeOk::default(), budget.clone());
    let (mut slow, mut behind, mut quick) = (rig(), rig(), rig());
    for group in 0..3 {
        slow.push(object(group, 0, 0, 1 << 20));
        behind.push(object(group, 0, 0, 600 << 10));
    }
    // Those two spent it all; one that keeps up is not in their way and they are not in its.
    for group in 0..50 {
        quick.push(object(group, 0, 0, 10_000));
        quick.end(group, 0);
        let (stream, _) = quick.open().expect("kept");
        assert_eq!(read(&quick.write(stream).0).1.len(), 1);
    }
    assert_eq!(quick.outbox.stats().skipped_objects, 0);
    slow.push(object(9, 0, 0, 1 << 20));
    assert!(slow.outbox.stats().skipped_objects > 0);
    assert!(budget.used.load(Ordering::Relaxed) <= 4 << 20);
    for mut rig in [slow, behind, quick] {
        rig.outbox.close();
    }
    assert_eq!(budget.used.load(Ordering::Relaxed), 0);
}

#[test]
fn the_bounds_are_the_sessions() {
    let limits = DataLimits {
        subscriber_bytes: 1_000,
        subscriber_objects: 3,
        subscriber_subgroups: 2,
        subscriber_datagrams: 1,
        ..DataLimits::default()
    };
    let skipped = |objects: &[Item]| {
        let Rig { mut outbox, now, .. } = Rig::plain();
        outbox.limits = limits;
        objects.iter().for_each(|object| assert!(outbox.push(now, object.clone())));
        outbox.stats().skipped_objects
    };
    let object = |group, subgroup, id, bytes| Item::Object(object(group, subgroup, id, bytes));
    assert_eq!(skipped(&[object(1, 0, 0, 600), object(2, 0, 0, 200)]), 0);
    assert_eq!(skipped(&[object(1, 0, 0, 600), object(2, 0, 0, 500)]), 1);
    let small: Vec<Item> = (0..4).map(|id| object(1 + id / 2, 0, id, 1)).collect();
    assert_eq!((skipped(&small[..3]), skipped(&small)), (0, 2));
    let subgroups: Vec<Item> = (0..3).map(|id| object(1 + id / 2, id, id, 1)).collect();
    assert_eq!((skipped(&subgroups[..2]), skipped(&subgroups)), (0, 2));
    let datagrams = [super::object(1, 0, 0, 1), super::object(1, 0, 1, 1)].map(Item::Datagram);
    assert_eq!(skipped(&datagrams), 1);
}

#[test]
fn an_offered_track_has_its_sessions_bounds_too() {
    let limits = DataLimits { subscriber_bytes: 1_000, ..DataLimits::default() };
    let mut outbox = Outbox::offered(PublishOffer::default());
    outbox.offer_opens(TrackAlias(7), Budget::new(usize::MAX), limits);
    for group in [1, 2] {
        assert!(outbox.push(Instant::now(), Item::Object(object(group, 0, 0, 600))));
    }
    assert_eq!(outbox.stats().skipped_objects, 1);
}

//! Delivery timeouts (draft-18 §8).

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn rig(object: Option<Duration>, subgroup: Option<Duration>) -> Rig {
    let options = SubscribeOptions {
        object_timeout: object,
        subgroup_timeout: subgroup,
        ..SubscribeOptions::default()
    };
    Rig::new(options, SubscribeOk::default())
}

#[test]
fn an_object_that_is_too_late_takes_the_rest_of_its_subgroup_along() {
    let mut rig = rig(Some(SECOND), None);
    rig.push(object(1, 0, 0, 1));
    rig.open();
    rig.write(0);
    assert_eq!(rig.outbox.deadline(), None);
    rig.push(object(1, 0, 1, 1));
    rig.push(object(1, 1, 2, 1));
    assert_eq!(rig.outbox.deadline(), Some(rig.now + SECOND));
    rig.now += SECOND;
    rig.outbox.expire(rig.now);
    assert_eq!(rig.outbox.take_resets(), [(0, ResetCode::DeliveryTimeout)]);
    let stats = rig.outbox.stats();
    assert_eq!((stats.objects, stats.skipped_objects, stats.skipped_groups), (1, 2, 1));
    assert_eq!(stats.timed_out, 2);
    rig.push(object(1, 0, 3, 1));
    assert_eq!((rig.open(), rig.outbox.deadline()), (None, None));
    rig.push(object(2, 0, 0, 1));
    assert_eq!(rig.open().map(|(_, lane)| lane), Some(lane(2, 0)));
}

/// Where the clock was not looked at in time, the object is.
#[test]
fn an_object_is_looked_at_before_it_leaves() {
    let mut rig = rig(Some(SECOND), None);
    rig.push(object(1, 0, 0, 1));
    rig.open();
    rig.now += SECOND + Duration::from_nanos(1);
    assert_eq!(rig.next(0), Next::Wait);
    assert_eq!(rig.outbox.take_resets(), [(0, ResetCode::DeliveryTimeout)]);
    rig.assert_empty();
}

#[test]
fn a_subgroup_has_its_time_from_its_end_on() {
    let mut rig = rig(None, Some(SECOND));
    rig.push(object(1, 0, 0, 1));
    rig.open();
    assert_eq!(rig.outbox.deadline(), None);
    rig.now += 5 * SECOND;
    rig.end(1, 0);
    assert_eq!(rig.outbox.deadline(), Some(rig.now + SECOND));
    // Handed over whole, its stream has until then to be acknowledged.
    assert_eq!(rig.write(0).1, Next::Finish(Some(rig.now + SECOND)));
    rig.push(object(2, 0, 0, 1));
    rig.end(2, 0);
    rig.now += SECOND;
    rig.outbox.expire(rig.now);
    assert_eq!(rig.open(), None);
    rig.assert_empty();
}

#[test]
fn datagrams_heed_both_timeouts() {
    for (object_timeout, subgroup_timeout) in [(Some(SECOND), None), (Some(9 * SECOND), Some(SECOND))] {
        let mut rig = rig(object_timeout, subgroup_timeout);
        rig.outbox.push(rig.now, Item::Datagram(object(1, 0, 0, 1)));
        rig.now += Duration::from_millis(1);
        rig.outbox.push(rig.now, Item::Datagram(object(1, 0, 1, 1)));
        rig.now += SECOND;
        assert!(rig.outbox.next_datagram(rig.now).is_some());
        assert_eq!(rig.outbox.next_datagram(rig.now), None);
        let stats = rig.outbox.stats();
        assert_eq!((stats.skipped_objects, stats.timed_out), (1, 1));
    }
}

#[test]
fn of_both_sides_timeouts_the_smaller_counts_after_updates_too() {
    let track = TrackProperties { object_timeout: Some(2 * SECOND), ..TrackProperties::default() };
    let ok = SubscribeOk { properties: track.encode(), ..SubscribeOk::default() };
    let mut rig = Rig::new(SubscribeOptions::default(), ok);
    rig.push(object(1, 0, 0, 1));
    for (subscriber, effective) in [(None, 2), (Some(1), 1), (Some(60), 2), (Some(1), 1), (Some(0), 2)] {
        let object_timeout = subscriber.map(Duration::from_secs);
        rig.outbox.update(rig.now, &Parameters { object_timeout, ..Parameters::default() });
        assert_eq!(rig.outbox.deadline(), Some(rig.now + effective * SECOND), "{subscriber:?}");
    }
    assert_eq!(rig.outbox.options().object_timeout, None);
}

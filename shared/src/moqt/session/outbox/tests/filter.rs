//! Filters, and the flow that a subscriber pauses.

use super::*;

fn rig(filter: Filter, largest: Option<Location>) -> Rig {
    let options = SubscribeOptions { filter, ..SubscribeOptions::default() };
    Rig::new(options, SubscribeOk { largest, ..SubscribeOk::default() })
}

/// Pushes three groups of three objects, and gives what leaves.
fn passes(rig: &mut Rig) -> Vec<Location> {
    let mut all = Vec::new();
    for group in 5..8 {
        for id in 0..3 {
            rig.push(object(group, 0, id, 1));
        }
        rig.end(group, 0);
        while let Some((stream, _)) = rig.open() {
            let (bytes, next) = rig.write(stream);
            assert_eq!(next, Next::Finish(None));
            let (header, objects) = read(&bytes);
            assert_eq!(header.from_first, objects[0].id == ObjectId(0));
            all.extend(objects.iter().map(Object::location));
        }
    }
    rig.assert_empty();
    all
}

#[test]
fn each_filter_passes_what_the_draft_says() {
    let all: Vec<Location> = (5..8).flat_map(|g| (0..3).map(move |o| Location::new(g, o))).collect();
    let largest = Some(Location::new(5, 1));
    let from = |at: usize| all[at..].to_vec();
    for (filter, largest, expected) in [
        (Filter::Unfiltered, largest, from(0)),
        (Filter::LargestObject, None, from(0)),
        (Filter::LargestObject, largest, from(2)),
        (Filter::NextGroupStart, None, from(0)),
        (Filter::NextGroupStart, largest, from(3)),
        (Filter::AbsoluteStart(Location::new(6, 1)), largest, from(4)),
        (Filter::AbsoluteStart(Location::new(2, 0)), largest, from(0)),
        (Filter::AbsoluteRange(Location::new(5, 2), GroupId(6)), largest, all[2..6].to_vec()),
        (Filter::AbsoluteRange(Location::new(6, 0), GroupId(6)), None, all[3..6].to_vec()),
    ] {
        assert_eq!(passes(&mut rig(filter, largest)), expected, "{filter:?} {largest:?}");
    }
}

#[test]
fn a_range_ends_by_itself() {
    let mut rig = rig(Filter::AbsoluteRange(Location::new(5, 0), GroupId(5)), None);
    rig.push(object(5, 0, 0, 1));
    rig.push(object(6, 0, 0, 1));
    assert!(!rig.outbox.is_closed());
    let (stream, _) = rig.open().expect("waits");
    rig.end(5, 0);
    assert_eq!(rig.write(stream).1, Next::Finish(None));
    rig.now += STRAGGLERS;
    rig.outbox.expire(rig.now);
    let (code, _, streams) = rig.outbox.take_done().expect("over");
    assert_eq!((code, streams), (DoneCode::SubscriptionEnded, 1));
    assert!(!rig.push(object(6, 0, 1, 1)));
}

#[test]
fn what_later_groups_overtook_is_of_the_range_all_the_same() {
    let mut rig = rig(Filter::AbsoluteRange(Location::new(5, 0), GroupId(6)), None);
    rig.push(object(7, 0, 0, 1));
    assert_eq!((rig.open(), rig.outbox.deadline()), (None, Some(rig.now + STRAGGLERS)));
    for group in [6, 5] {
        rig.now += STRAGGLERS / 2;
        assert!(rig.push(object(group, 0, 0, 1)));
        // What is far past it does not keep it open.
        assert!(rig.push(object(8 + group, 0, 0, 1)));
        let (stream, of) = rig.open().expect("waits");
        assert_eq!((of, rig.outbox.deadline()), (lane(group, 0), None));
        rig.end(group, 0);
        assert_eq!(rig.write(stream).1, Next::Finish(None));
    }
    assert_eq!(rig.outbox.deadline(), Some(rig.now + STRAGGLERS));
    rig.outbox.expire(rig.now + STRAGGLERS / 2);
    assert_eq!(rig.outbox.take_done(), None);
    rig.outbox.expire(rig.now + STRAGGLERS);
    let (code, _, streams) = rig.outbox.take_done().expect("over");
    assert_eq!((code, streams), (DoneCode::SubscriptionEnded, 2));
}

#[test]
fn a_range_that_is_over_is_refused() {
    let range = Filter::AbsoluteRange(Location::new(5, 0), GroupId(5));
    let options = SubscribeOptions { filter: range, ..SubscribeOptions::default() };
    let answer = |largest| {
        let mut outbox = Outbox::new(options, Budget::new(1 << 20));
        outbox.accept(SubscribeOk { largest: Some(largest), ..SubscribeOk::default() });
        (outbox.take_answer(), outbox.is_closed())
    };
    let (refused, is_closed) = answer(Location::new(6, 0));
    assert!(matches!(refused, Some(Answer::Reject(RequestCode::InvalidRange, _))) && is_closed);
    let (granted, is_closed) = answer(Location::new(5, 9));
    assert!(matches!(granted, Some(Answer::Accept(_))) && !is_closed);
}

#[test]
fn a_narrower_filter_resets_what_it_excludes() {
    let mut rig = rig(Filter::Unfiltered, None);
    for group in 5..8 {
        rig.push(object(group, 0, 0, 1));
        rig.open();
    }
    let filter = Some(Filter::AbsoluteRange(Location::new(6, 0), GroupId(6)));
    let largest = rig.outbox.update(rig.now, &Parameters { filter, ..Parameters::default() });
    assert_eq!(largest, Some(Location::new(7, 0)));
    let cancelled = |stream| (stream, ResetCode::Cancelled);
    assert_eq!(rig.outbox.take_resets(), [cancelled(0), cancelled(2)]);
    assert!(matches!(rig.next(1), Next::Write(_)));
    rig.push(object(7, 0, 1, 1));
    assert_eq!(rig.open(), None);
}

/// A FIN would say of what came before the filter and after it that nothing is between.
#[test]
fn a_start_that_moves_within_a_subgroup_under_way_resets_it() {
    let mut rig = rig(Filter::Unfiltered, None);
    rig.push(object(5, 0, 0, 1));
    let (stream, _) = rig.open().expect("waits");
    rig.write(stream);
    let filter = Some(Filter::AbsoluteStart(Location::new(5, 2)));
    rig.outbox.update(rig.now, &Parameters { filter, ..Parameters::default() });
    rig.push(object(5, 0, 1, 1));
    rig.push(object(5, 0, 2, 1));
    rig.write(stream);
    rig.end(5, 0);
    assert_eq!(rig.outbox.take_resets(), [(stream, ResetCode::Cancelled)]);
}

/// Objects that the first filter kept out are missing: a FIN would say that none is.
#[test]
fn a_wider_filter_does_not_make_a_cut_group_whole() {
    let mut rig = rig(Filter::NextGroupStart, Some(Location::new(5, 1)));
    rig.push(object(5, 0, 2, 1));
    let filter = Some(Filter::AbsoluteStart(Location::default()));
    rig.outbox.update(rig.now, &Parameters { filter, ..Parameters::default() });
    rig.push(object(5, 0, 3, 1));
    rig.push(object(6, 0, 0, 1));
    let (stream, of) = rig.open().expect("waits");
    assert_eq!(of, lane(5, 0));
    let (header, objects) = read(&rig.write(stream).0);
    assert_eq!((header.from_first, objects.len()), (false, 1));
    rig.end(5, 0);
    assert_eq!(rig.outbox.take_resets(), [(stream, ResetCode::Cancelled)]);
    let (stream, _) = rig.open().expect("waits");
    rig.end(6, 0);
    let (bytes, next) = rig.write(stream);
    assert_eq!((read(&bytes).0.from_first, next), (true, Next::Finish(None)));
}

#[test]
fn a_paused_flow_sends_nothing_and_goes_on_in_a_new_stream() {
    let mut rig = rig(Filter::Unfiltered, None);
    let forward = |rig: &mut Rig, forward| {
        let parameters = Parameters { forward: Some(forward), ..Parameters::default() };
        let largest = rig.outbox.update(rig.now, &parameters);
        let event = rig.outbox.take_event(Waker::noop());
        assert_eq!(event, Some(SubscriberEvent::Forward(forward)));
        largest
    };
    rig.push(object(5, 0, 0, 1));
    rig.open();
    rig.write(0);
    rig.push(object(5, 0, 1, 1));
    rig.outbox.push(rig.now, Item::Datagram(object(5, 0, 9, 1)));
    forward(&mut rig, false);
    assert_eq!(rig.outbox.take_resets(), [(0, ResetCode::Cancelled)]);
    rig.push(object(5, 0, 2, 1));
    rig.push(object(6, 0, 0, 1));
    rig.end(6, 0);
    rig.outbox.push(rig.now, Item::Datagram(object(6, 0, 9, 1)));
    assert_eq!((rig.open(), rig.outbox.next_datagram(rig.now)), (None, None));
    rig.assert_empty();
    assert_eq!(rig.outbox.stats().skipped_objects, 0);
    assert_eq!(forward(&mut rig, true), Some(Location::new(6, 9)));
    rig.push(object(5, 0, 3, 1));
    let (stream, _) = rig.open().expect("waits");
    let (header, objects) = read(&rig.write(stream).0);
    assert_eq!((header.from_first, objects[0].id), (false, ObjectId(3)));
    // It lacks what was left out, and may not end as if it were whole.
    rig.end(5, 0);
    assert_eq!(rig.outbox.take_resets(), [(stream, ResetCode::Cancelled)]);
    assert!(rig.outbox.lanes.is_empty());
}

use bytes::Bytes;

use super::*;
use crate::moqt::{
    ObjectId, Priority, Properties, Subgroup,
    wire::{IMMUTABLE_PROPERTIES, PRIOR_GROUP_ID_GAP, PRIOR_OBJECT_ID_GAP, Property},
};

/// What a publisher does, in the order in which it arrives.
#[derive(Debug, Clone)]
enum Step {
    Stream(Object),
    Datagram(Object),
    /// A FIN after this object of a subgroup.
    Fin(u64, u64, u64, Ends),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Group,
    Nothing,
}

use Step::{Datagram, Fin, Stream};

fn object(group: u64, subgroup: u64, id: u64) -> Object {
    Object {
        subgroup: Subgroup {
            group: GroupId(group),
            id: SubgroupId(subgroup),
            priority: Priority(64),
            ends_group: false,
            from_first: true,
        },
        id: ObjectId(id),
        status: Status::Normal,
        properties: Properties::default(),
        payload: Bytes::from_static(b"payload"),
    }
}

fn stream(group: u64, subgroup: u64, id: u64) -> Step {
    Stream(object(group, subgroup, id))
}

fn with(group: u64, id: u64, properties: &[Property]) -> Step {
    Stream(Object { properties: Properties::from_pairs(properties), ..object(group, 0, id) })
}

fn groups_gap(group: u64, id: u64, count: u64) -> Step {
    with(group, id, &[Property::Number(PRIOR_GROUP_ID_GAP, count)])
}

fn objects_gap(group: u64, id: u64, count: u64) -> Step {
    with(group, id, &[Property::Number(PRIOR_OBJECT_ID_GAP, count)])
}

fn marker(group: u64, id: u64, status: Status) -> Step {
    Stream(Object { status, payload: Bytes::new(), ..object(group, 0, id) })
}

fn priority(step: Step, priority: u8) -> Step {
    match step {
        Stream(mut object) => {
            object.subgroup.priority = Priority(priority);
            Stream(object)
        }
        other => other,
    }
}

fn payload(group: u64, id: u64, payload: Vec<u8>) -> Step {
    Stream(Object { payload: payload.into(), ..object(group, 0, id) })
}

fn take(record: &mut Record, step: &Step) -> Result<Verdict, ObjectError> {
    match step {
        Stream(object) => record.object(object, Forwarding::Subgroup(0)),
        Datagram(object) => record.object(object, Forwarding::Datagram),
        Fin(group, subgroup, id, ends) => {
            let last = Last { id: ObjectId(*id), status: Status::Normal };
            let ends_group = *ends == Ends::Group;
            record.finished(GroupId(*group), SubgroupId(*subgroup), last, ends_group).map(|()| Verdict::New)
        }
    }
}

/// All but the last step are in order, and the last makes the track malformed.
fn malformed_at_last(steps: &[Step]) {
    let mut record = Record::default();
    let (last, before) = steps.split_last().expect("some steps");
    for step in before {
        take(&mut record, step).unwrap_or_else(|error| panic!("{step:?} of {steps:?}: {error}"));
    }
    let taken = take(&mut record, last);
    assert!(matches!(taken, Err(ObjectError::Malformed(_))), "{steps:?}: {taken:?}");
}

fn in_order(steps: &[Step]) -> Vec<Verdict> {
    let mut record = Record::default();
    let take = |step| take(&mut record, step).unwrap_or_else(|error| panic!("{step:?}: {error}"));
    steps.iter().map(take).collect()
}

#[test]
fn a_subgroup_has_one_priority() {
    malformed_at_last(&[stream(1, 0, 0), priority(stream(1, 0, 1), 65)]);
    in_order(&[stream(1, 0, 0), priority(stream(1, 1, 1), 65), priority(stream(2, 0, 0), 65)]);
}

#[test]
fn nothing_follows_the_last_object_of_a_subgroup() {
    malformed_at_last(&[stream(1, 0, 0), Fin(1, 0, 0, Ends::Nothing), stream(1, 0, 1)]);
    malformed_at_last(&[stream(1, 0, 0), stream(1, 0, 4), Fin(1, 0, 0, Ends::Nothing)]);
    let twice = [stream(1, 0, 0), stream(1, 0, 1), Fin(1, 0, 1, Ends::Nothing), Fin(1, 0, 0, Ends::Nothing)];
    malformed_at_last(&twice);
    in_order(&[stream(1, 0, 0), Fin(1, 0, 0, Ends::Nothing), stream(1, 1, 1), Fin(1, 0, 0, Ends::Nothing)]);
}

#[test]
fn nothing_follows_the_last_object_of_a_group() {
    let end = || marker(1, 2, Status::EndOfGroup);
    malformed_at_last(&[stream(1, 0, 0), end(), stream(1, 1, 3)]);
    malformed_at_last(&[stream(1, 0, 0), end(), stream(1, 1, 2)]);
    malformed_at_last(&[stream(1, 1, 5), end()]);
    malformed_at_last(&[end(), marker(1, 4, Status::EndOfGroup)]);
    malformed_at_last(&[end(), marker(1, 1, Status::EndOfGroup)]);
    malformed_at_last(&[stream(1, 0, 1), Fin(1, 0, 1, Ends::Group), stream(1, 1, 2)]);
    malformed_at_last(&[stream(1, 1, 2), stream(1, 0, 1), Fin(1, 0, 1, Ends::Group)]);
    // Both say the same.
    in_order(&[stream(1, 1, 1), stream(1, 0, 0), Fin(1, 1, 1, Ends::Group), end(), stream(2, 0, 9)]);
}

#[test]
fn a_datagram_can_be_the_last_object_of_a_group() {
    let last = |id| {
        let mut object = object(1, 0, id);
        object.subgroup.ends_group = true;
        Datagram(object)
    };
    malformed_at_last(&[last(3), Datagram(object(1, 0, 4))]);
    malformed_at_last(&[Datagram(object(1, 0, 4)), last(3)]);
    in_order(&[last(3), Datagram(object(1, 0, 2)), Datagram(object(2, 0, 4))]);
}

#[test]
fn nothing_follows_the_end_of_a_track() {
    let end = |group, id| marker(group, id, Status::EndOfTrack);
    malformed_at_last(&[stream(1, 0, 0), end(2, 0), stream(2, 0, 0)]);
    malformed_at_last(&[end(2, 3), stream(3, 0, 0)]);
    malformed_at_last(&[stream(3, 0, 0), end(2, 3)]);
    malformed_at_last(&[end(2, 3), end(2, 4)]);
    malformed_at_last(&[end(2, 3), end(1, 4)]);
    in_order(&[stream(1, 0, 0), end(2, 0), end(2, 0), stream(1, 0, 1)]);
    in_order(&[stream(1, 1, 1), Fin(1, 1, 1, Ends::Group), end(1, 2), stream(1, 0, 0)]);
}

#[test]
fn an_object_is_the_same_whenever_it_comes() {
    let long = |at: usize, byte| {
        let mut bytes = vec![0; 200];
        bytes[at] = byte;
        payload(1, 0, bytes)
    };
    let mutable = with(1, 0, &[Property::Number(0x38, 1)]);
    let immutable = |value| {
        let inner = Properties::from_pairs(&[Property::Number(0x38, value)]);
        with(1, 0, &[Property::Bytes(IMMUTABLE_PROPERTIES, inner.0)])
    };
    for other in [
        stream(1, 1, 0),
        Datagram(object(1, 0, 0)),
        payload(1, 0, b"Payload".to_vec()),
        payload(1, 0, b"payloadd".to_vec()),
        immutable(1),
        marker(1, 0, Status::EndOfGroup),
    ] {
        malformed_at_last(&[stream(1, 0, 0), other]);
    }
    malformed_at_last(&[immutable(1), immutable(2)]);
    malformed_at_last(&[long(0, 0), long(0, 1)]);
    malformed_at_last(&[long(0, 0), long(199, 1)]);
    use Verdict::{New, Repeated};
    assert_eq!(in_order(&[stream(1, 0, 0), stream(1, 0, 0)]), [New, Repeated]);
    assert_eq!(in_order(&[stream(1, 0, 0), mutable]), [New, Repeated]);
    let late = [stream(1, 0, 5), stream(1, 0, 1), stream(1, 0, 3), stream(1, 0, 1), stream(1, 0, 5)];
    assert_eq!(in_order(&late), [New, New, New, Repeated, Repeated]);
}

#[test]
fn a_gap_of_groups_is_empty() {
    malformed_at_last(&[groups_gap(3, 0, 4)]);
    malformed_at_last(&[stream(7, 0, 0), groups_gap(9, 0, 2)]);
    malformed_at_last(&[groups_gap(9, 0, 2), stream(8, 0, 0)]);
    malformed_at_last(&[groups_gap(9, 0, 2), groups_gap(9, 1, 3)]);
    let steps =
        [stream(6, 0, 0), groups_gap(9, 0, 2), stream(9, 0, 1), groups_gap(9, 2, 2), groups_gap(4, 0, 4)];
    in_order(&steps);
}

#[test]
fn a_gap_of_objects_is_empty() {
    malformed_at_last(&[objects_gap(1, 3, 4)]);
    malformed_at_last(&[stream(1, 0, 7), objects_gap(1, 9, 2)]);
    malformed_at_last(&[objects_gap(1, 9, 2), stream(1, 1, 8)]);
    in_order(&[
        stream(1, 0, 6),
        objects_gap(1, 9, 2),
        stream(1, 1, 10),
        stream(2, 0, 8),
        objects_gap(2, 7, 7),
    ]);
}

/// However much comes, what is kept stays small, and what is near is still checked.
#[test]
fn a_record_is_bounded() {
    let mut record = Record::default();
    for group in 0..1000 {
        for id in 0..20 {
            take(&mut record, &stream(group, id % 100, id)).expect("in order");
        }
        take(&mut record, &groups_gap(2000 + 10 * group, 0, 3)).expect("in order");
    }
    for id in 0..10_000 {
        take(&mut record, &objects_gap(1 << 40, 2 * id + 1, 1)).expect("in order");
        take(&mut record, &stream(1 << 41, id, id)).expect("in order");
    }
    assert_eq!((record.groups.len(), record.gaps.len()), (MAX_GROUPS, MAX_GAPS));
    assert!(record.groups.iter().all(Group::is_bounded));
    // Long forgotten, so that it cannot be told from a new one.
    assert_eq!(take(&mut record, &payload(0, 0, Vec::new())), Ok(Verdict::New));
    assert!(take(&mut record, &payload(1 << 41, 9_999, Vec::new())).is_err());
}

#[test]
fn a_fetch_is_in_order_and_in_its_range() {
    let range = Some((Location::new(2, 1), Location::new(5, u64::MAX)));
    let run = |order, range, locations: &[(u64, u64)]| {
        let mut record = FetchRecord::new(order, range);
        let mut take = |&(group, id)| record.object(&object(group, 0, id), Forwarding::Subgroup(0));
        locations.iter().map(|at| take(at).is_ok()).collect::<Vec<_>>()
    };
    use GroupOrder::{Ascending, Descending};
    assert_eq!(
        run(Ascending, range, &[(2, 1), (2, 9), (4, 0), (5, 7), (6, 0)]),
        [true, true, true, true, false]
    );
    assert_eq!(run(Ascending, range, &[(2, 0)]), [false]);
    assert_eq!(run(Ascending, None, &[(2, 1), (2, 1)]), [true, false]);
    assert_eq!(run(Ascending, None, &[(2, 1), (1, 5)]), [true, false]);
    assert_eq!(run(Descending, None, &[(5, 1), (5, 2), (3, 0), (4, 0)]), [true, true, true, false]);
    let mut record = FetchRecord::new(Ascending, None);
    record.gap(Location::new(3, 4)).expect("forward");
    assert!(record.gap(Location::new(3, 5)).is_ok());
    assert!(record.object(&object(3, 0, 5), Forwarding::Subgroup(0)).is_err());
    assert!(record.gap(Location::new(2, 0)).is_err());
}

#[test]
fn what_may_be_missing_between_two_streams_of_a_subgroup_is_noticed() {
    let mut record = Record::default();
    let mut come =
        |id, stream| record.object(&object(1, 0, id), Forwarding::Subgroup(stream)).expect("in order");
    use Verdict::{Apart, New, Repeated};
    // IDs with nothing told of those between them: on one stream that is all there is.
    assert_eq!([come(0, 3), come(4, 3), come(5, 7)], [New, New, New]);
    assert_eq!([come(9, 3), come(12, 3)], [Apart, New]);
    // Another stream that comes as far goes on from there, and what is older is older.
    assert_eq!([come(12, 7), come(20, 7), come(2, 3), come(30, 7)], [Repeated, New, New, New]);
}

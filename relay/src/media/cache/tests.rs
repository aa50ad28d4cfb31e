use bytes::Bytes;
use shared::moqt::{ObjectId, Priority, Properties, Subgroup, SubgroupEnd, SubgroupId};

use super::*;

const AGE: Duration = Duration::from_secs(10);

fn object(group: u64, subgroup: u64, id: u64, bytes: usize) -> Item {
    let subgroup = Subgroup {
        group: GroupId(group),
        id: SubgroupId(subgroup),
        priority: Priority(64),
        ends_group: false,
        from_first: true,
    };
    let payload = Bytes::from(vec![0; bytes]);
    let properties = Properties::default();
    Item::Object(Object { subgroup, id: ObjectId(id), status: Status::Normal, properties, payload })
}

fn end(group: u64, subgroup: u64) -> Item {
    Item::End { group: GroupId(group), subgroup: SubgroupId(subgroup), end: SubgroupEnd::Finished }
}

fn locations<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<(u64, u64)> {
    let location = |item: &Item| match item {
        Item::Object(object) | Item::Datagram(object) => Some((object.subgroup.group.0, object.id.0)),
        Item::End { .. } => None,
    };
    items.filter_map(location).collect()
}

#[test]
fn a_late_joiner_gets_the_newest_group_as_it_came() {
    let now = Instant::now();
    let mut cache = Cache::new(1 << 20, AGE);
    let items = [
        object(7, 0, 0, 10),
        object(7, 0, 1, 10),
        end(7, 0),
        object(8, 0, 0, 10),
        object(8, 1, 1, 10),
        end(8, 1),
    ];
    items.iter().for_each(|item| cache.push(now, item));
    assert_eq!(cache.replay(None).collect::<Vec<_>>(), items[3..].iter().collect::<Vec<_>>());
    assert_eq!(locations(cache.replay(Some(GroupId(0)))), [(7, 0), (7, 1), (8, 0), (8, 1)]);
    assert_eq!(locations(cache.replay(Some(GroupId(99)))), [(8, 0), (8, 1)]);
    assert_eq!(cache.largest(), Some(Location::new(8, 1)));
}

#[test]
fn old_groups_go_and_the_newest_stays_whatever_its_age() {
    let start = Instant::now();
    let mut cache = Cache::new(1 << 20, AGE);
    cache.push(start, &object(1, 0, 0, 10));
    cache.push(start, &object(2, 0, 0, 10));
    cache.expire(start + 2 * AGE);
    assert_eq!(locations(cache.replay(Some(GroupId(0)))), [(2, 0)]);
    assert_eq!(cache.take_evicted(), 1);
    cache.push(start + 2 * AGE, &object(1, 0, 1, 10));
    assert_eq!(
        locations(cache.replay(Some(GroupId(0)))),
        [(2, 0)],
        "what was let go does not come back in part"
    );
}

#[test]
fn bytes_are_bounded_even_by_a_group_without_end() {
    let now = Instant::now();
    let mut cache = Cache::new(10_000, AGE);
    for id in 0..1_000 {
        cache.push(now, &object(1, 0, id, 800));
        assert!(cache.bytes() <= 10_000);
    }
    assert_eq!(cache.replay(None).count(), 0);
    cache.push(now, &object(2, 0, 0, 800));
    assert_eq!(locations(cache.replay(None)), [(2, 0)]);
    assert!(cache.has_start());
}

#[test]
fn what_the_publisher_told_of_is_waited_for() {
    let mut cache = Cache::new(1 << 20, AGE);
    cache.heard_of(None);
    assert!(!cache.is_behind());
    cache.heard_of(Some(Location::new(7, 1)));
    cache.push(Instant::now(), &object(7, 0, 0, 1));
    assert!(cache.is_behind());
    cache.push(Instant::now(), &object(7, 0, 1, 1));
    assert!(!cache.is_behind());
}

#[test]
fn a_fetch_gets_what_is_there_in_order() {
    let now = Instant::now();
    let mut cache = Cache::new(1 << 20, AGE);
    assert_eq!(cache.range(Location::new(0, 0), Location::new(9, 9)), Err(Missing::Nothing));
    for item in [object(3, 1, 1, 1), object(3, 0, 0, 1), object(3, 0, 2, 1), object(4, 0, 0, 1)] {
        cache.push(now, &item);
    }
    let answer = cache.range(Location::new(3, 1), Location::new(3, u64::MAX)).expect("an answer");
    let ids: Vec<_> = answer.objects.iter().map(|object| object.id.0).collect();
    assert_eq!(ids, [1, 2]);
    let all = cache.range(Location::new(0, 0), Location::new(9, u64::MAX)).expect("an answer");
    assert_eq!((all.objects.len(), all.end), (4, Location::new(4, 0)));
    assert_eq!(cache.range(Location::new(4, 1), Location::new(5, 0)), Err(Missing::Range));
    assert_eq!(cache.range(Location::new(4, 0), Location::new(3, 0)), Err(Missing::Range));
}

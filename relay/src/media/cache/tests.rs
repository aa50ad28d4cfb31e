use bytes::Bytes;
use shared::moqt::{
    FetchItem,
    GroupOrder::{self, Ascending, Descending},
    Object, ObjectId, Priority, Properties, ResetCode, Status, Subgroup, SubgroupEnd, SubgroupId,
};

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

fn locations<'a>(items: impl Iterator<Item = &'a (Instant, Item)>) -> Vec<(u64, u64)> {
    let location = |(_, item): &(Instant, Item)| match item {
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
    let came = |index: usize| now + Duration::from_millis(index as u64);
    items.iter().enumerate().for_each(|(index, item)| cache.push(came(index), item));
    let with_times: Vec<_> =
        items.iter().cloned().enumerate().map(|(index, item)| (came(index), item)).collect();
    assert_eq!(cache.replay(None).cloned().collect::<Vec<_>>(), with_times[3..]);
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
    assert_eq!(cache.range(Location::new(0, 0), Location::new(9, 9), Ascending), Err(Missing::Nothing));
    for item in [object(3, 0, 0, 1), object(3, 1, 1, 1), object(3, 0, 2, 1), object(4, 0, 0, 1)] {
        cache.push(now, &item);
    }
    let answer = cache.range(Location::new(3, 1), Location::new(3, u64::MAX), Ascending).expect("an answer");
    assert_eq!(told(&answer), ["3/1", "3/2"]);
    let all = cache.range(Location::new(0, 0), Location::new(9, u64::MAX), Ascending).expect("an answer");
    assert_eq!(told(&all), ["..2/max", "3/0", "3/1", "3/2", "4/0"]);
    assert_eq!(all.end, Location::new(4, 0));
    assert_eq!(cache.range(Location::new(4, 1), Location::new(5, 0), Ascending), Err(Missing::Range));
    assert_eq!(cache.range(Location::new(4, 0), Location::new(3, 0), Ascending), Err(Missing::Range));
}

/// An answer in short: objects by location, and "..end" where objects are not known.
fn told(answer: &Answer) -> Vec<String> {
    let end = |at: Location| match at.object {
        ObjectId(u64::MAX) => format!("..{}/max", at.group),
        object => format!("..{}/{object}", at.group),
    };
    let piece = |piece: &Piece| match &piece.item {
        FetchItem::Object(object) | FetchItem::Datagram(object) => {
            format!("{}/{}", object.subgroup.group, object.id)
        }
        FetchItem::Gap { end: at, nonexistent } => {
            assert!(!nonexistent);
            end(*at)
        }
    };
    answer.pieces.iter().map(piece).collect()
}

fn ask(cache: &Cache, order: GroupOrder, from: (u64, u64), to: (u64, u64)) -> Vec<String> {
    let (from, to) = (Location::new(from.0, from.1), Location::new(to.0, to.1));
    told(&cache.range(from, to, order).expect("an answer"))
}

#[test]
fn what_may_exist_and_is_not_here_is_told_as_unknown() {
    let now = Instant::now();
    let mut cache = Cache::new(2_500, AGE);
    cache.heard_of(Some(Location::new(6, 0)));
    assert_eq!(ask(&cache, Ascending, (2, 0), (6, 0)), ["..6/0"]);
    for (group, id) in [(5, 2), (5, 3), (6, 0), (6, 1), (8, 0)] {
        cache.push(now, &object(group, 0, id, 10));
    }
    // The relay came in the middle of group 5; groups 6 to 8 are here as a whole.
    assert_eq!(
        ask(&cache, Ascending, (2, 0), (9, 0)),
        ["..5/1", "5/2", "5/3", "..5/max", "6/0", "6/1", "8/0"]
    );
    assert_eq!(ask(&cache, Ascending, (6, 0), (9, 0)), ["6/0", "6/1", "8/0"]);
    assert_eq!(ask(&cache, Descending, (6, 0), (9, 0)), ["8/0", "6/0", "6/1"]);
    assert_eq!(ask(&cache, Descending, (5, 3), (6, 0)), ["6/0", "..5/2", "5/3", "..5/max"]);
    // An abandoned subgroup may have had more, and so may what was let go.
    let end = SubgroupEnd::Reset(ResetCode::DeliveryTimeout);
    cache.push(now, &Item::End { group: GroupId(6), subgroup: SubgroupId(0), end });
    assert_eq!(ask(&cache, Ascending, (6, 0), (8, 0)), ["6/0", "6/1", "..7/max", "8/0"]);
    cache.push(now, &object(9, 0, 0, 2_000));
    assert_eq!(ask(&cache, Ascending, (6, 0), (9, 0)), ["..7/max", "8/0", "9/0"]);
}

#[test]
fn an_object_is_served_no_longer_than_its_publisher_allows() {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let mut cache = Cache::new(1 << 20, AGE);
    cache.set_duration(Some(3 * second));
    cache.push(start, &object(1, 0, 0, 10));
    cache.push(start + 2 * second, &object(1, 0, 1, 10));
    cache.expire(start + 3 * second);
    assert_eq!(locations(cache.replay(None)), [(1, 0), (1, 1)]);
    let answer = cache.range(Location::new(1, 0), Location::new(1, 9), Ascending).expect("an answer");
    let until: Vec<_> = answer.pieces.iter().map(|piece| piece.good_until).collect();
    assert_eq!(until, [Some(start + 3 * second), Some(start + 5 * second)]);
    let before = cache.bytes();
    cache.expire(start + 4 * second);
    assert_eq!(cache.bytes(), before / 2);
    assert_eq!(cache.take_evicted(), 1);
    assert_eq!(cache.replay(None).count(), 0, "a group without its front is of no use to a joiner");
    assert!(!cache.has_start());
    assert_eq!(ask(&cache, Ascending, (1, 0), (1, 9)), ["..1/0", "1/1"]);
    cache.expire(start + 6 * second);
    assert_eq!(ask(&cache, Ascending, (1, 0), (1, 9)), ["..1/1"]);
}

#[test]
fn of_a_track_that_begins_here_nothing_before_it_is_unknown_until_it_is_let_go() {
    let now = Instant::now();
    let mut cache = Cache::from_the_start(1 << 20, AGE);
    (100..103).for_each(|group| cache.push(now, &object(group, 0, 0, 10)));
    let (start, end) = (Location { group: GroupId(98), object: ObjectId(0) }, cache.largest().expect("some"));
    let gaps = |cache: &Cache| {
        let pieces = cache.range(start, end, Ascending).expect("there").pieces;
        pieces.iter().filter(|piece| matches!(piece.item, FetchItem::Gap { .. })).count()
    };
    assert_eq!(gaps(&cache), 0, "a joining fetch of the whole history has objects only");
    cache.keep_groups(2);
    assert_eq!(gaps(&cache), 1, "what was let go is");
}

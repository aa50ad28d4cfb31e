use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    moqt::{GroupId, ObjectId},
    room::{
        Role, Speaker, Wall,
        chat::{self, Line},
        danmaku, presence,
    },
};

fn at(group: u64, object: u64) -> Location {
    Location { group: GroupId(group), object: ObjectId(object) }
}

fn speaker() -> Speaker {
    Speaker { viewer: "v".parse().expect("a viewer"), name: "V".into(), role: Role::Viewer }
}

fn line(number: u64) -> Bytes {
    let message = chat::Message {
        message: MessageId(number),
        at: Wall(1),
        from: speaker(),
        text: number.to_string(),
        reply_to: None,
        media: None,
    };
    serde_json::to_vec(&Line::Message(message)).expect("JSON").into()
}

fn bullet(number: u64) -> Vec<u8> {
    serde_json::to_vec(&danmaku::Bullet {
        message: MessageId(number),
        at: Wall(1),
        from: speaker(),
        text: number.to_string(),
        color: danmaku::Color::default(),
        mode: danmaku::Mode::Scroll,
        media: None,
    })
    .expect("JSON")
}

fn heard(chat: &mut Chat, now: Instant) -> Vec<u64> {
    let lines = std::iter::from_fn(|| chat.poll(now));
    lines.map(|line| if let Line::Message(one) = line { one.message.0 } else { u64::MAX }).collect()
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn the_state_is_known_from_a_snapshot_on() {
    let mut state = State::default();
    let mut whole = Snapshot::default();
    let delta = Delta::Presence(presence::Presence { watching: 7, ..Default::default() });
    let delta = serde_json::to_vec(&delta).expect("JSON");
    assert!(state.take(at(3, 1), &delta).expect("read").is_none(), "nothing to change yet");
    let snapshot = serde_json::to_vec(&whole).expect("JSON");
    assert!(state.take(at(3, 0), &snapshot).expect("read").is_some());
    whole.presence.watching = 7;
    assert_eq!(state.take(at(3, 1), &delta).expect("read"), Some(&whole));
    assert!(state.take(at(3, 3), &delta).expect("read").is_none(), "one is missing");
    assert!(state.take(at(4, 0), b"{").is_err());
    assert!(state.take(at(2, 0), &snapshot).expect("read").is_none(), "old");
    assert_eq!(state.snapshot(), Some(&whole));
    state.reconnected();
    assert!(state.take(at(0, 0), &snapshot).expect("read").is_some(), "a relay that counts anew");
}

#[test]
fn history_comes_before_what_is_new() {
    let (mut chat, now) = (Chat::default(), Instant::now());
    chat.begin(now, Some(at(4, 1)));
    chat.take(now, at(4, 2), line(7));
    assert!(heard(&mut chat, now).is_empty());
    for (object, number) in [(0, 5), (1, 6)] {
        chat.past(at(4, object), &line(number)).expect("read");
    }
    assert!(chat.past(at(4, 1), b"?").is_err());
    chat.past_is_over(now);
    assert_eq!(heard(&mut chat, now), [5, 6, 7]);
    // The same again on another connection.
    chat.begin(now, Some(at(4, 2)));
    for (object, number) in [(0, 5), (1, 6), (2, 7), (3, 8)] {
        chat.past(at(4, object), &line(number)).expect("read");
    }
    chat.past_is_over(now);
    assert_eq!((heard(&mut chat, now), chat.unreadable()), (vec![8], 1));
}

#[test]
fn a_history_that_never_ends_holds_nothing_up_for_ever() {
    let (mut chat, now) = (Chat::default(), Instant::now());
    chat.begin(now, None);
    chat.take(now, at(0, 0), line(1));
    let deadline = chat.deadline().expect("a deadline");
    assert_eq!((heard(&mut chat, now), heard(&mut chat, deadline)), (vec![], vec![1]));
}

#[test]
fn whoever_was_there_before_the_first_word_waits_for_it() {
    let first = crate::room::run::first_group(Wall(1_000)).0;
    let (mut chat, now) = (Chat::default(), Instant::now());
    chat.begin(now, None);
    chat.past_is_over(now);
    chat.take(now, at(first + 1, 0), line(3));
    assert!(heard(&mut chat, now).is_empty(), "the second group overtook the first");
    for (object, number) in [(0, 1), (1, 2)] {
        chat.take(now, at(first, object), line(number));
    }
    chat.end(now, GroupId(first));
    assert_eq!(heard(&mut chat, now), [1, 2, 3]);
    // One that never comes holds nothing up for ever.
    chat.begin(now, None);
    chat.past_is_over(now);
    chat.take(now, at(first + 1, 1), line(4));
    assert!(heard(&mut chat, now).is_empty());
    let deadline = chat.deadline().expect("a deadline");
    assert_eq!(heard(&mut chat, deadline), [4]);
}

#[test]
fn a_group_waits_for_the_one_before() {
    let (mut chat, now) = (Chat::default(), Instant::now());
    chat.begin(now, Some(at(0, 0)));
    chat.past_is_over(now);
    chat.take(now, at(1, 0), line(3));
    assert!(heard(&mut chat, now).is_empty());
    chat.take(now, at(0, 1), line(2));
    assert_eq!(heard(&mut chat, now), [2]);
    chat.end(now, GroupId(0));
    assert_eq!(heard(&mut chat, now), [3]);
    chat.take(now, at(2, 0), line(4));
    let late = chat.deadline().expect("a deadline");
    assert_eq!((heard(&mut chat, now), heard(&mut chat, late)), (vec![], vec![4]));
}

#[test]
fn gaps_among_bullets_are_fetched_while_they_are_young() {
    let (mut danmaku, now) = (Danmaku::default(), Instant::now());
    danmaku.begin(Some(at(0, 3)));
    for object in [4, 9] {
        assert!(danmaku.take(now, at(0, object), &bullet(object)).expect("read").is_some());
    }
    assert_eq!(danmaku.missing(now), None, "they may come yet");
    assert!(danmaku.take(now, at(0, 6), &bullet(6)).expect("read").is_some());
    assert!(danmaku.take(now, at(0, 6), &bullet(6)).expect("read").is_none(), "twice");
    let then = danmaku.deadline().expect("a deadline");
    let gap =
        |group, first, last| Missing { group: GroupId(group), first: ObjectId(first), last: ObjectId(last) };
    let all: Vec<Missing> = std::iter::from_fn(|| danmaku.missing(then)).collect();
    assert_eq!(all, [gap(0, 5, 5), gap(0, 7, 8)]);
    assert!(danmaku.take(then, at(1, 2), &bullet(102)).expect("read").is_some());
    assert_eq!(danmaku.missing(then + 3000 * MS), None, "nobody wants them any more");
    assert_eq!(danmaku.missed(), 92);
}

proptest! {
    #[test]
    fn chat_is_whole_and_in_order_however_its_streams_interleave(
        groups in prop::collection::vec(1_u64..8, 1..6),
        picks in prop::collection::vec(0_usize..6, 64),
        joined in 0_u64..3,
    ) {
        let (mut chat, now) = (Chat::default(), Instant::now());
        let mut streams: Vec<VecDeque<Option<(Location, u64)>>> = Vec::new();
        let mut number = 0;
        for (group, &size) in (0_u64..).zip(&groups) {
            let mut stream = VecDeque::new();
            for object in 0..size {
                number += 1;
                stream.push_back(Some((at(group, object), number)));
            }
            stream.push_back(None);
            streams.push(stream);
        }
        // The first objects are the history.
        let past = joined.min(groups[0] - 1);
        chat.begin(now, past.checked_sub(1).map(|last| at(0, last)).or(Some(at(0, 0))));
        let past = past.max(1);
        for _ in 0..past {
            let Some(Some((place, number))) = streams[0].pop_front() else { continue };
            chat.past(place, &line(number)).expect("read");
        }
        let mut heard_all = Vec::new();
        for (step, pick) in picks.into_iter().cycle().take(4096).enumerate() {
            if step == 20 {
                chat.past_is_over(now);
            }
            let index = (pick + step) % streams.len();
            let group = GroupId(index as u64);
            match streams[index].pop_front() {
                Some(Some((place, number))) => chat.take(now, place, line(number)),
                Some(None) => chat.end(now, group),
                None => {}
            }
            heard_all.extend(heard(&mut chat, now));
        }
        prop_assert_eq!(heard_all, (1..=number).collect::<Vec<u64>>());
    }
}

//! How many interactions a second the room takes on one core: read, limited, moderated, ordered, written for
//! everybody, answered and handed over to be kept. `cargo bench -p relay --bench room` prints it.

use std::{hint::black_box, net::IpAddr, time::Instant};

use bytes::Bytes;
use relay::room::{Input, Output, Restored, Room};
use shared::{
    event::SessionId,
    room::{Identity, Role, Wall, identity::Standing},
};

const VIEWERS: u64 = 1_000;
const SAYINGS: u64 = 1_000_000;
/// Asked of the room, in interactions a second.
const ASKED: f64 = 200_000.0;

/// What is said: its name, and the saying of a number.
type Kind = (&'static str, fn(u64) -> String);

fn main() {
    println!("{:<44}{:>14}{:>14}", "room core, one core", "per second", "asked");
    // Of one evening: as many likes as all else together.
    let all: [Kind; 4] = [
        ("chat", chat),
        ("danmaku", danmaku),
        ("likes", like),
        ("chat, danmaku, likes 1:1:2", |n| match n % 4 {
            0 => chat(n),
            1 => danmaku(n),
            _ => like(n),
        }),
    ];
    for (name, say) in all {
        let rate = measure(say);
        println!("{name:<44}{rate:>14.0}{ASKED:>14.0}");
    }
}

fn chat(n: u64) -> String {
    format!(
        r#"{{"id":{n},"say":{{"kind":"chat","text":"what a goal, number {n}!","media":1700000000000000}}}}"#
    )
}

fn danmaku(n: u64) -> String {
    format!(r##"{{"id":{n},"say":{{"kind":"danmaku","text":"太好了 {n}","color":"#ff8800","mode":"top"}}}}"##)
}

fn like(n: u64) -> String {
    format!(r#"{{"id":{n},"say":{{"kind":"react","reaction":"like","count":4}}}}"#)
}

fn measure(say: fn(u64) -> String) -> f64 {
    let mut room = Room::new(Wall(1_700_000_000_000), Restored::default());
    let mut now = 1_700_000_000_000;
    let words: Vec<String> = (0..200).map(|n| format!("\"badword{n}\"")).collect();
    came(&mut room, now, VIEWERS, Role::Host);
    let mode = format!(r#"{{"id":1,"say":{{"kind":"mode","blockedWords":[{}]}}}}"#, words.join(","));
    room.handle(Wall(now), Input::Said(SessionId(VIEWERS), mode.into()));
    for viewer in 0..VIEWERS {
        came(&mut room, now, viewer, Role::Viewer);
    }
    drain(&mut room);
    let sayings: Vec<Bytes> = (0..SAYINGS).map(|n| Bytes::from(say(n))).collect();
    room.take_counts();
    let began = Instant::now();
    for (n, saying) in (0..).zip(sayings) {
        // Slow enough for every allowance: what is measured is what is accepted.
        now += 2 + n % 2;
        room.handle(Wall(now), Input::Said(SessionId(n % VIEWERS), saying));
        drain(&mut room);
    }
    let elapsed = began.elapsed().as_secs_f64();
    let counts = room.take_counts();
    assert_eq!(counts.accepted, SAYINGS, "{counts:?}");
    #[expect(clippy::cast_precision_loss, reason = "a million")]
    return SAYINGS as f64 / elapsed;
}

fn came(room: &mut Room, now: u64, session: u64, role: Role) {
    let who = Identity {
        room: "bench".parse().expect("a room"),
        viewer: format!("viewer-{session}").parse().expect("a viewer"),
        name: format!("Viewer {session}"),
        role,
        standing: Standing::Guest,
    };
    let address = IpAddr::from([10, 0, (session / 250) as u8, (session % 250) as u8]);
    room.handle(Wall(now), Input::Came { session: SessionId(session), who, address });
    room.handle(Wall(now), Input::Listens(SessionId(session)));
}

fn drain(room: &mut Room) {
    while let Some(output) = room.poll() {
        match black_box(output) {
            Output::Publish(_) | Output::Answer { .. } | Output::Keep(_) => {}
            Output::Away { session, reason } => panic!("{session:?}: {reason}"),
            Output::Banned(_) => {}
        }
    }
}

//! The room as viewers and moderators see it.

use std::net::IpAddr;

use bytes::Bytes;
use shared::{
    event::SessionId,
    naming::Feed,
    room::{
        Identity, Refusal, Reply, Role, Say, SayId, Saying, Snapshot, Speaker, ViewerId, Wall,
        chat::{self, Line, Message},
        desk,
        identity::Standing,
    },
};

use super::{Input, Kept, Output, Publication, Restored, Room};

mod acts;
mod bad_input;
mod simulation;

/// Somebody for tests of the kinds.
pub(super) fn speaker(viewer: &str) -> Speaker {
    let role = Role::Viewer;
    Speaker { viewer: viewer.parse().expect("a viewer"), name: viewer.to_uppercase(), role }
}

pub(super) fn identity(viewer: &str, role: Role) -> Identity {
    Identity {
        room: "demo".parse().expect("a room"),
        viewer: viewer.parse().expect("a viewer"),
        name: viewer.to_uppercase(),
        role,
        standing: Standing::Guest,
    }
}

pub(super) fn chat(text: &str) -> Say {
    Say::Chat(chat::Draft { text: text.to_owned(), reply_to: None, media: None })
}

/// A room, and all that came out of it.
struct Stage {
    room: Room,
    now: u64,
    next: u64,
    published: Vec<Publication>,
    replies: Vec<(SessionId, Reply)>,
    kept: Vec<Kept>,
    away: Vec<SessionId>,
}

impl Stage {
    fn new() -> Self {
        Self::restored(1_000_000, Restored::default())
    }

    fn restored(now: u64, restored: Restored) -> Self {
        let room = Room::new(Wall(now), restored);
        let (published, replies, kept, away) = Default::default();
        let mut stage = Self { room, now, next: 0, published, replies, kept, away };
        stage.gather();
        stage
    }

    fn gather(&mut self) {
        while let Some(output) = self.room.poll() {
            match output {
                Output::Publish(publication) => self.published.push(publication),
                Output::Answer { session, payload, .. } => {
                    self.replies.push((session, serde_json::from_slice(&payload).expect("a reply")));
                }
                Output::Keep(kept) => self.kept.push(kept),
                Output::Away { session, .. } => self.away.push(session),
                Output::Banned(_) => {}
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.room.handle(Wall(self.now), input);
        self.gather();
    }

    /// Somebody comes from an address of its own and listens.
    fn comes(&mut self, session: u64, viewer: &str, role: Role) -> SessionId {
        let id = SessionId(session);
        let address = IpAddr::from([10, 0, (session / 250) as u8, (session % 250) as u8]);
        self.handle(Input::Came { session: id, who: identity(viewer, role), address });
        self.handle(Input::Listens(id));
        id
    }

    /// Says something new; gives the answer.
    fn says(&mut self, from: SessionId, say: Say) -> Option<Reply> {
        self.next += 1;
        let bytes = serde_json::to_vec(&Saying { id: SayId(self.next), say }).expect("JSON");
        self.utters(from, &bytes)
    }

    fn utters(&mut self, from: SessionId, bytes: &[u8]) -> Option<Reply> {
        let before = self.replies.len();
        self.handle(Input::Said(from, Bytes::copy_from_slice(bytes)));
        let mut answers = self.replies[before..].iter().filter(|(to, _)| *to == from);
        answers.rfind(|(_, reply)| !matches!(reply, Reply::You(_))).map(|(_, reply)| reply.clone())
    }

    /// Says something that is applied.
    fn does(&mut self, from: SessionId, say: Say) -> Option<u64> {
        let words = format!("{say:?}");
        match self.says(from, say) {
            Some(Reply::Accepted { message, .. }) => message.map(|message| message.0),
            other => panic!("{words} -> {other:?}"),
        }
    }

    /// Says something that is refused; gives why.
    fn refused(&mut self, from: SessionId, say: Say) -> Refusal {
        let words = format!("{say:?}");
        match self.says(from, say) {
            Some(Reply::Refused { why, .. }) => why,
            other => panic!("{words} -> {other:?}"),
        }
    }

    /// Lets time pass, with all that is due in it.
    fn pass(&mut self, millis: u64) {
        let until = self.now + millis;
        while let Some(deadline) = self.room.deadline().filter(|deadline| deadline.0 <= until) {
            self.now = self.now.max(deadline.0);
            self.handle(Input::Tick);
        }
        self.now = until;
        self.handle(Input::Tick);
    }

    /// The chat as it is seen by who saw all of it.
    fn chat(&self) -> Vec<Message> {
        seen(&self.published)
    }

    fn desk(&self) -> desk::Snapshot {
        let mut desk = desk::Snapshot::default();
        for publication in self.published.iter().filter(|publication| publication.feed == Feed::Desk) {
            match publication.object {
                0 => desk = serde_json::from_slice(&publication.payload).expect("a snapshot"),
                _ => desk.apply(serde_json::from_slice(&publication.payload).expect("a delta")),
            }
        }
        desk
    }
}

/// The state of whoever comes late: the newest group alone.
fn late(published: &[Publication]) -> Snapshot {
    let state = || published.iter().filter(|publication| publication.feed == Feed::State);
    let newest = state().map(|publication| publication.group).max();
    let mut seen = Snapshot::default();
    for publication in state().filter(|publication| Some(publication.group) == newest) {
        match publication.object {
            0 => seen = serde_json::from_slice(&publication.payload).expect("a snapshot"),
            _ => seen.apply(serde_json::from_slice(&publication.payload).expect("a delta")),
        }
    }
    seen
}

fn seen(published: &[Publication]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for publication in published.iter().filter(|publication| publication.feed == Feed::Chat) {
        match serde_json::from_slice(&publication.payload).expect("a line") {
            Line::Message(message) => messages.push(message),
            Line::Deleted { message } => messages.retain(|known| known.message != message),
            Line::Cleared { viewer } => messages.retain(|known| known.from.viewer != viewer),
        }
    }
    messages
}

fn viewer(name: &str) -> ViewerId {
    name.parse().expect("a viewer")
}

#[test]
fn a_saying_is_applied_once_also_over_a_reconnect() {
    let mut stage = Stage::new();
    let ann = stage.comes(1, "ann", Role::Viewer);
    let bytes = serde_json::to_vec(&Saying { id: SayId(7), say: chat("hello") }).expect("JSON");
    let first = stage.utters(ann, &bytes);
    assert!(matches!(first, Some(Reply::Accepted { message: Some(_), .. })));
    assert_eq!(stage.utters(ann, &bytes), first);
    stage.handle(Input::Left(ann));
    stage.pass(9 * 60 * 1_000);
    let again = stage.comes(2, "ann", Role::Viewer);
    assert_eq!(stage.utters(again, &bytes), first);
    // Another viewer's number is another one.
    let bob = stage.comes(3, "bob", Role::Viewer);
    assert_ne!(stage.utters(bob, &bytes), first);
    assert_eq!(stage.chat().len(), 2);
    assert_eq!(stage.room.take_counts().repeated, 2);
}

#[test]
fn whoever_speaks_too_fast_is_told_for_how_long_to_wait() {
    let mut stage = Stage::new();
    let ann = stage.comes(1, "ann", Role::Viewer);
    for _ in 0..5 {
        stage.does(ann, chat("again"));
    }
    assert_eq!(stage.refused(ann, chat("again")), Refusal::TooFast { seconds: 1.0 });
    stage.pass(1_000);
    stage.does(ann, chat("again"));
    // A host is exempt.
    let host = stage.comes(2, "host", Role::Host);
    for _ in 0..50 {
        stage.does(host, chat("again"));
    }
}

#[test]
fn what_is_off_is_refused_and_the_host_changes_it_live() {
    use shared::room::mode::{Change, Preset};
    let mut stage = Stage::new();
    let (ann, host) = (stage.comes(1, "ann", Role::Viewer), stage.comes(2, "host", Role::Host));
    let hand = || Say::Hand(shared::room::presence::Hand { hand: shared::room::presence::Raised::Up });
    assert_eq!(stage.refused(ann, hand()), Refusal::Off);
    stage.does(host, Say::Mode(Change { preset: Some(Preset::Teaching), ..Change::default() }));
    stage.does(ann, hand());
    stage.pass(1_000);
    assert_eq!(late(&stage.published).hands.len(), 1);
    assert_eq!(late(&stage.published).mode.preset, Preset::Teaching);
}

#[test]
fn a_restart_brings_all_back_and_numbers_grow_over_it() {
    use shared::room::{mode::Change, notice, questions};
    let mut stage = Stage::new();
    let (ann, host) = (stage.comes(1, "ann", Role::Viewer), stage.comes(2, "host", Role::Host));
    stage.does(ann, chat("one"));
    stage.does(host, Say::Notice(notice::Draft { text: "welcome".to_owned() }));
    stage.does(host, Say::Mode(Change { slow_seconds: Some(3), ..Change::default() }));
    stage.does(ann, Say::Ask(questions::Draft { text: "why?".to_owned() }));
    stage.does(host, Say::Mute(shared::room::mode::Mute { viewer: viewer("bob"), seconds: 600 }));
    stage.pass(5_000);
    let Some(Kept::State(saved)) = stage.kept.iter().rfind(|kept| matches!(kept, Kept::State(_))) else {
        panic!("the room is written down")
    };
    let saved = serde_json::from_slice(saved).expect("what was saved");
    assert_eq!(saved, stage.room.saved());
    let restored = Restored { saved, chats: stage.chat(), ..Restored::default() };
    let again = Stage::restored(stage.now + 10_000, restored);
    let (before, after) = (late(&stage.published), late(&again.published));
    assert_eq!(
        (&before.notice, &before.mode, &before.questions),
        (&after.notice, &after.mode, &after.questions)
    );
    assert_eq!(again.chat(), stage.chat());
    assert_eq!(again.desk().muted, stage.desk().muted);
    for feed in [Feed::State, Feed::Chat, Feed::Desk] {
        let groups = |all: &[Publication]| {
            all.iter().filter(|one| one.feed == feed).map(|one| one.group).collect::<Vec<_>>()
        };
        assert!(groups(&stage.published).iter().max() < groups(&again.published).iter().min());
    }
}

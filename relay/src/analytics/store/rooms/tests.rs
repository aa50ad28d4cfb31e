use std::net::IpAddr;

use shared::{
    event::SessionId,
    naming::Feed,
    room::{Identity, Reply, Say, Saying, Wall, chat, identity::Standing, mode, polls, questions},
};

use super::*;
use crate::{
    analytics::store::Store,
    room::{Input, Output, Room as Core},
};

/// A room whose records are kept in a folder.
struct Evening {
    core: Core,
    now: u64,
    next: u64,
    lines: Vec<Line>,
    replies: Vec<Reply>,
}

fn wall() -> u64 {
    now().0 / 1_000
}

fn room() -> Room {
    "demo".parse().expect("a room")
}

impl Evening {
    fn begin(records: &Rooms) -> Self {
        let restored = records.restore(&room()).expect("read");
        let now = wall();
        let mut evening = Self {
            core: Core::new(Wall(now), restored),
            now,
            next: 0,
            lines: Vec::new(),
            replies: Vec::new(),
        };
        evening.settle(records);
        evening
    }

    fn comes(&mut self, session: u64, name: &str, role: Role) -> SessionId {
        let who = Identity {
            room: room(),
            viewer: name.parse().expect("a viewer"),
            name: name.to_owned(),
            role,
            standing: Standing::Guest,
        };
        let address = IpAddr::from([192, 0, 2, session as u8]);
        self.core.handle(Wall(self.now), Input::Came { session: SessionId(session), who, address });
        self.core.handle(Wall(self.now), Input::Listens(SessionId(session)));
        SessionId(session)
    }

    fn says(&mut self, records: &Rooms, from: SessionId, say: Say) -> Reply {
        self.next += 1;
        self.says_as(records, from, self.next, say)
    }

    fn says_as(&mut self, records: &Rooms, from: SessionId, id: u64, say: Say) -> Reply {
        let bytes = serde_json::to_vec(&Saying { id: SayId(id), say }).expect("JSON");
        self.core.handle(Wall(self.now), Input::Said(from, bytes.into()));
        self.settle(records);
        self.replies.pop().expect("an answer")
    }

    fn settle(&mut self, records: &Rooms) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Keep(kept) => records.keep(&room(), kept),
                Output::Publish(publication) if publication.feed == Feed::Chat => {
                    self.lines.push(serde_json::from_slice(&publication.payload).expect("a line"));
                }
                Output::Answer { payload, .. } => {
                    self.replies.push(serde_json::from_slice(&payload).expect("a reply"));
                }
                Output::Publish(_) | Output::Away { .. } | Output::Banned(_) => {}
            }
        }
    }

    /// Until all is handed over to be written down.
    fn ends(&mut self, records: &Rooms) {
        while let Some(deadline) = self.core.deadline().filter(|deadline| deadline.0 < self.now + 5_000) {
            self.core.handle(deadline, Input::Tick);
            self.settle(records);
        }
        let (done, settled) = oneshot::channel();
        records.settle(done);
        settled.blocking_recv().expect("written");
    }
}

fn open(folder: &Path) -> (Rooms, Keeping) {
    Store::open(folder, now()).expect("a store").end(now()).expect("closed");
    Rooms::open(folder, Arc::default()).expect("records")
}

fn chat(text: &str) -> Say {
    Say::Chat(chat::Draft { text: text.to_owned(), reply_to: None, media: None })
}

#[test]
fn a_relay_that_was_restarted_has_the_room_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().expect("a folder");
    let (records, keeping) = open(folder.path());
    let mut before = Evening::begin(&records);
    let (ann, host) = (before.comes(1, "ann", Role::Viewer), before.comes(2, "host", Role::Host));
    let said = before.says_as(&records, ann, 1_000, chat("first"));
    before.says(&records, ann, chat("gone"));
    let Some(Line::Message(gone)) = before.lines.last().cloned() else { panic!("a message") };
    before.says(&records, host, Say::Delete(chat::Delete { message: gone.message }));
    before.says(&records, ann, Say::Ask(questions::Draft { text: "why?".to_owned() }));
    let question = before.core.state().questions[0].question;
    before.says(&records, ann, Say::Upvote(questions::Upvote { question }));
    let choices = vec!["a".to_owned(), "b".to_owned()];
    let draft = polls::Draft { question: "which?".to_owned(), choices, correct: Some(1) };
    before.says(&records, host, Say::Poll(polls::Act::Open(draft)));
    let poll = before.core.state().polls[0].poll;
    before.says(&records, ann, Say::Vote(polls::Vote { poll, choice: 1 }));
    let (viewer, reach) = ("troll".parse().expect("a viewer"), mode::Reach::Viewer);
    before.says(&records, host, Say::Ban(mode::Ban { viewer, reach }));
    before.ends(&records);
    let state = before.core.state().clone();
    keeping.stop();

    let (records, keeping) = open(folder.path());
    assert_eq!(records.bans().expect("read").get(&room()).map(Vec::len), Some(1));
    let mut after = Evening::begin(&records);
    let again = after.core.state().clone();
    assert_eq!((&again.polls, &again.questions, &again.mode), (&state.polls, &state.questions, &state.mode));
    let texts: Vec<&str> = after
        .lines
        .iter()
        .filter_map(|line| match line {
            Line::Message(message) => Some(message.text.as_str()),
            Line::Deleted { .. } | Line::Cleared { .. } => None,
        })
        .collect();
    assert_eq!(texts, ["first"], "what was deleted stays so");
    // Ann did not hear the answer to her first message, and says it again.
    let ann = after.comes(7, "ann", Role::Viewer);
    assert_eq!(after.says_as(&records, ann, 1_000, chat("first")), said);
    let vote = Say::Vote(polls::Vote { poll, choice: 0 });
    let Reply::Refused { why: shared::room::Refusal::Again, .. } = after.says_as(&records, ann, 5_000, vote)
    else {
        panic!("a vote is cast once")
    };
    keeping.stop();
}

#[test]
fn what_is_said_and_done_is_in_the_tables_with_its_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let (records, keeping) = open(folder.path());
    let mut evening = Evening::begin(&records);
    let (ann, host) = (evening.comes(1, "ann", Role::Viewer), evening.comes(2, "host", Role::Host));
    let media = Some(shared::media::Timestamp(77));
    let draft = chat::Draft { text: "'); DROP TABLE acts; --".to_owned(), reply_to: None, media };
    evening.says(&records, ann, Say::Chat(draft));
    evening.says(&records, host, Say::Mute(mode::Mute { viewer: "ann".parse().expect("one"), seconds: 60 }));
    evening.ends(&records);
    keeping.stop();
    let connection = connect(folder.path()).expect("opened");
    let sql = "SELECT kind, viewer, media, at / 1000, is_gone FROM interactions ORDER BY id";
    let mut statement = connection.prepare(sql).expect("a query");
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
    let rows: Vec<(String, String, Option<i64>, i64, i64)> =
        rows.expect("rows").map(|row| row.expect("a row")).collect();
    let at = i64::try_from(evening.now).expect("a time");
    assert_eq!(rows[0], ("chat".to_owned(), "ann".to_owned(), Some(77), at, 0));
    assert_eq!((rows[1].0.as_str(), rows.len()), ("mute", 2));
    let act: (String, String, String) = connection
        .query_row("SELECT act, viewer, target FROM acts", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .expect("an act");
    assert_eq!(act, ("mute".to_owned(), "host".to_owned(), "ann".to_owned()));
}

#[test]
fn records_that_cannot_be_written_are_kept_for_the_next_try_and_the_oldest_past_the_bound_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, keeping) = open(folder.path());
    keeping.stop();
    let connection = connect(folder.path()).expect("opened");
    connection.busy_timeout(Duration::ZERO).expect("set");
    let metrics = Arc::new(Metrics::default());
    let mut queue =
        Queue { connection, pending: Backlog::new(RULES, Arc::clone(&metrics)), states: BTreeMap::new() };
    let other = Connection::open(folder.path().join(FILE)).expect("opened");
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    for message in 0..MAX_PENDING as u64 + 3 {
        queue.take(room(), Kept::Deleted(MessageId(message)));
    }
    queue.take(room(), Kept::State(Bytes::from_static(b"{}")));
    assert_eq!(queue.commit(), super::super::backlog::RETRY_AFTER);
    assert_eq!((queue.pending.len(), queue.states.len()), (MAX_PENDING, 1));
    assert!(metrics.to_text().contains("relay_room_records_lost_total 3\n"));
    other.execute_batch("ROLLBACK").expect("let go");
    assert_eq!(queue.commit(), COMMIT_AFTER);
    assert!(queue.pending.is_empty() && queue.states.is_empty());
}

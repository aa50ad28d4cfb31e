//! What is said and done in rooms, and the rooms themselves: written by a thread of its own, so that a storm of
//! likes costs no other record, and read again after a restart.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use shared::{
    naming::Room,
    room::{MessageId, Role, Say, SayId, Speaker, ViewerId, chat::Line},
};
use tokio::sync::oneshot;

use super::{
    FILE, StoreError,
    backlog::{Backlog, Rules},
    micros, room_row, signed,
};
use crate::{
    analytics::recorder::now,
    metrics::Metrics,
    room::{Ban, Kept, Restored, Said, Saved},
};

/// What may wait for the thread. Past it new ones are lost and counted.
const CAPACITY: usize = 32_768;
/// What waits for a commit. Past it the oldest are lost and counted.
const MAX_PENDING: usize = 65_536;
/// How long something may wait for its commit.
const COMMIT_AFTER: Duration = Duration::from_millis(250);
/// For how long before a restart sayings are not applied again, in microseconds.
const REMEMBERED: u64 = 10 * 60 * 1_000_000;
/// Of those the newest so many.
const MAX_ANSWERED: u64 = 20_000;

enum Input {
    Keep(Room, Kept),
    Settle(oneshot::Sender<()>),
    Stop,
}

/// The way to the records of rooms. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Rooms {
    inputs: SyncSender<Input>,
    folder: PathBuf,
    metrics: Arc<Metrics>,
}

/// The thread. Dropping it leaves the thread to end with the last [`Rooms`].
#[derive(Debug)]
pub(crate) struct Keeping {
    thread: JoinHandle<()>,
    inputs: SyncSender<Input>,
}

impl Keeping {
    /// Writes what waits. Blocks until that is done.
    pub(crate) fn stop(self) {
        if self.inputs.send(Input::Stop).is_ok() && self.thread.join().is_err() {
            tracing::error!("the thread that writes what rooms keep ended early: the last of it is lost");
        }
    }
}

impl Rooms {
    /// Opens the database, which [`Store`](super::Store) made, and starts the thread.
    ///
    /// # Errors
    /// [`StoreError`] where the file is not to be used.
    pub(crate) fn open(folder: &Path, metrics: Arc<Metrics>) -> Result<(Self, Keeping), StoreError> {
        let connection = connect(folder)?;
        let (inputs, received) = sync_channel(CAPACITY);
        let queue =
            Queue { connection, pending: Backlog::new(RULES, Arc::clone(&metrics)), states: BTreeMap::new() };
        let thread = std::thread::spawn(move || queue.run(&received));
        let keeping = Keeping { thread, inputs: inputs.clone() };
        Ok((Self { inputs, folder: folder.to_owned(), metrics }, keeping))
    }

    /// Hands something over, never waiting.
    pub(crate) fn keep(&self, room: &Room, kept: Kept) {
        if self.inputs.try_send(Input::Keep(room.clone(), kept)).is_err() {
            self.metrics.room_lost.add(1);
        }
    }

    /// Tells when all that was handed over before is written down, as far as it can be.
    pub(crate) fn settle(&self, done: oneshot::Sender<()>) {
        // Dropping it tells as well.
        let _ = self.inputs.try_send(Input::Settle(done));
    }

    /// What a room was when it was last written down. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] where the records cannot be read.
    pub(crate) fn restore(&self, room: &Room) -> Result<Restored, StoreError> {
        let connection = connect(&self.folder)?;
        restore(&connection, room).map_err(|cause| failed(&self.folder, cause))
    }

    /// The bans of all rooms. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] where the records cannot be read.
    pub(crate) fn bans(&self) -> Result<HashMap<Room, Vec<Ban>>, StoreError> {
        let connection = connect(&self.folder)?;
        bans(&connection).map_err(|cause| failed(&self.folder, cause))
    }
}

fn failed(folder: &Path, cause: rusqlite::Error) -> StoreError {
    StoreError::Database { path: folder.join(FILE), cause }
}

fn connect(folder: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let connection = Connection::open(folder.join(FILE))?;
        connection.busy_timeout(Duration::from_secs(2))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(connection)
    };
    open().map_err(|cause| failed(folder, cause))
}

const RULES: Rules = Rules {
    most: MAX_PENDING,
    commit_after: COMMIT_AFTER,
    lost: |metrics| &metrics.room_lost,
    what: "what rooms keep",
};

struct Queue {
    connection: Connection,
    pending: Backlog<(Room, Kept)>,
    /// Only the newest of each room counts. Bounded by the number of rooms.
    states: BTreeMap<Room, Bytes>,
}

impl Queue {
    fn run(mut self, inputs: &Receiver<Input>) {
        let mut commit_at = Instant::now() + COMMIT_AFTER;
        loop {
            match inputs.recv_timeout(commit_at.saturating_duration_since(Instant::now())) {
                Ok(Input::Keep(room, kept)) => self.take(room, kept),
                Ok(Input::Settle(done)) => {
                    self.commit();
                    // Who asked may be gone.
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= commit_at {
                commit_at = Instant::now() + self.commit();
            }
        }
        self.commit();
        self.pending.give_up();
    }

    fn take(&mut self, room: Room, kept: Kept) {
        if let Kept::State(state) = kept {
            self.states.insert(room, state);
            return;
        }
        self.pending.push((room, kept));
    }

    /// Writes what waits, all or nothing; gives the time until the next commit.
    fn commit(&mut self) -> Duration {
        let Self { connection, pending, states } = self;
        if pending.is_empty() && states.is_empty() {
            return COMMIT_AFTER;
        }
        let (is_written, next) = pending.commit(|pending| write(connection, pending, states));
        if is_written {
            states.clear();
        }
        next
    }
}

fn write(
    connection: &mut Connection,
    pending: &VecDeque<(Room, Kept)>,
    states: &BTreeMap<Room, Bytes>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let at = micros(now());
    let mut rows = HashMap::new();
    let mut row = |room: &Room| -> rusqlite::Result<i64> {
        if let Some(row) = rows.get(room) {
            return Ok(*row);
        }
        let row = room_row(&transaction, &room.to_string(), at)?;
        rows.insert(room.clone(), row);
        Ok(row)
    };
    for (room, kept) in pending {
        apply(&transaction, row(room)?, kept)?;
    }
    for (room, state) in states {
        let sql = "INSERT INTO room_states (room, saved_at, state) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (room) DO UPDATE SET saved_at = ?2, state = ?3";
        let state = String::from_utf8_lossy(state);
        transaction.prepare_cached(sql)?.execute(params![row(room)?, at, state])?;
    }
    transaction.commit()
}

fn apply(connection: &Connection, room: i64, kept: &Kept) -> rusqlite::Result<()> {
    match kept {
        Kept::Said(Said { at, media, from, kind, say, subject, detail }) => {
            let sql = "INSERT INTO interactions \
                       (room, at, media, viewer, name, role, kind, say, subject, detail) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
            connection.prepare_cached(sql)?.execute(params![
                room,
                signed(at.0.saturating_mul(1_000)),
                media.map(micros),
                from.viewer.to_string(),
                from.name,
                role(from.role),
                kind,
                say.map(|say| signed(say.0)),
                subject.map(signed),
                String::from_utf8_lossy(detail),
            ])?;
        }
        Kept::Act(act) => {
            let sql = "INSERT INTO acts (room, at, viewer, name, role, act, target, detail) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            connection.prepare_cached(sql)?.execute(params![
                room,
                signed(act.at.0.saturating_mul(1_000)),
                act.by.viewer.to_string(),
                act.by.name,
                role(act.by.role),
                act.act,
                act.to.as_ref().map(ViewerId::to_string),
                act.detail,
            ])?;
        }
        Kept::Deleted(message) => {
            let sql = "UPDATE interactions SET is_gone = 1 \
                       WHERE room = ?1 AND kind IN ('chat', 'danmaku') AND subject = ?2";
            connection.prepare_cached(sql)?.execute(params![room, signed(message.0)])?;
        }
        Kept::Cleared(viewer) => {
            let sql = "UPDATE interactions SET is_gone = 1 \
                       WHERE room = ?1 AND kind IN ('chat', 'danmaku') AND viewer = ?2";
            connection.prepare_cached(sql)?.execute(params![room, viewer.to_string()])?;
        }
        // Written apart.
        Kept::State(_) => {}
    }
    Ok(())
}

fn restore(connection: &Connection, room: &Room) -> rusqlite::Result<Restored> {
    let sql = "SELECT id FROM rooms WHERE name = ?1";
    let Some(row) = connection.query_row(sql, [room.to_string()], |row| row.get(0)).optional()? else {
        return Ok(Restored::default());
    };
    let row: i64 = row;
    let sql = "SELECT state FROM room_states WHERE room = ?1";
    let state: Option<String> = connection.query_row(sql, [row], |row| row.get(0)).optional()?;
    let saved = state.map(|state| parse(room, &state)).unwrap_or_default();
    let mut restored = Restored { saved, ..Restored::default() };

    let sql = "SELECT detail FROM interactions \
               WHERE room = ?1 AND kind = 'chat' AND is_gone = 0 ORDER BY subject DESC LIMIT ?2";
    let history = signed(shared::room::chat::HISTORY as u64);
    let mut statement = connection.prepare(sql)?;
    let lines = statement.query_map(params![row, history], |row| row.get::<_, String>(0))?;
    for line in lines {
        if let Ok(Line::Message(message)) = serde_json::from_str(&line?) {
            restored.chats.push(message);
        }
    }
    restored.chats.reverse();

    for (poll, _) in &restored.saved.polls {
        for (viewer, say) in votes(connection, row, "vote", poll.poll.0)? {
            if let Say::Vote(vote) = say {
                restored.votes.push((vote, viewer));
            }
        }
    }
    for question in &restored.saved.questions {
        for (viewer, say) in votes(connection, row, "upvote", question.question.0)? {
            if let Say::Upvote(vote) = say {
                restored.upvotes.push((vote.question, viewer));
            }
        }
    }

    let sql = "SELECT viewer, name, role, say, kind, subject FROM interactions \
               WHERE room = ?1 AND at >= ?2 AND say IS NOT NULL ORDER BY at DESC, id DESC LIMIT ?3";
    let since = signed(now().0.saturating_sub(REMEMBERED));
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params![row, since, signed(MAX_ANSWERED)])?;
    while let Some(row) = rows.next()? {
        let (viewer, name, role): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (say, kind, subject): (i64, String, Option<i64>) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let Ok(viewer) = viewer.parse() else { continue };
        let from = Speaker { viewer, name, role: role_of(&role) };
        let message =
            subject.filter(|_| kind == "chat" || kind == "danmaku").map(|id| MessageId(id.unsigned_abs()));
        restored.answered.push((from, SayId(say.unsigned_abs()), message));
    }
    restored.answered.reverse();
    Ok(restored)
}

/// Who voted for what in a poll, or for a question.
fn votes(
    connection: &Connection,
    room: i64,
    kind: &str,
    subject: u64,
) -> rusqlite::Result<Vec<(ViewerId, Say)>> {
    let sql = "SELECT viewer, detail FROM interactions WHERE room = ?1 AND kind = ?2 AND subject = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![room, kind, signed(subject)], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut votes = Vec::new();
    for row in rows {
        let (viewer, say) = row?;
        if let (Ok(viewer), Ok(say)) = (viewer.parse(), serde_json::from_str(&say)) {
            votes.push((viewer, say));
        }
    }
    Ok(votes)
}

fn bans(connection: &Connection) -> rusqlite::Result<HashMap<Room, Vec<Ban>>> {
    let sql = "SELECT rooms.name, state FROM room_states JOIN rooms ON rooms.id = room_states.room \
               WHERE state NOT LIKE '%\"banned\":[]%'";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut bans = HashMap::new();
    for row in rows {
        let (name, state) = row?;
        let Ok(room) = name.parse() else { continue };
        let saved = parse(&room, &state);
        if !saved.banned.is_empty() {
            bans.insert(room, saved.banned);
        }
    }
    Ok(bans)
}

fn parse(room: &Room, state: &str) -> Saved {
    serde_json::from_str(state).unwrap_or_else(|error| {
        tracing::error!(%room, %error, "the room that was written down cannot be read: it begins anew");
        Saved::default()
    })
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Moderator => "moderator",
        Role::Host => "host",
    }
}

fn role_of(text: &str) -> Role {
    match text {
        "host" => Role::Host,
        "moderator" => Role::Moderator,
        _ => Role::Viewer,
    }
}

#[cfg(test)]
mod tests;

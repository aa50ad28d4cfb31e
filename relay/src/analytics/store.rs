//! The database in the data folder.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, params};
use shared::{
    event::{BroadcastId, Event, Fact, SessionId, transport_name},
    media::Timestamp,
};

mod backlog;
mod read;
mod rooms;
mod schema;
mod writer;

pub(crate) use read::{BroadcastRow, Report, SessionRow, read};
#[cfg(test)]
pub(crate) use read::{DeliveryRow, RoomRow, TrackRow};
pub(crate) use rooms::{Keeping, Rooms};
pub(crate) use writer::{Input, Writer};

/// The database's name in the data folder.
pub(crate) const FILE: &str = "relay.sqlite";

/// A database that cannot be used, with what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is none.
    #[error("there are no records at {0}: give the folder of a relay that ran with --data")]
    None(PathBuf),
    /// It was written by a later version of this program.
    #[error("the records at {path} have version {found}, this relay knows up to {known}: update the relay")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// The database failed.
    #[error("the records at {path} cannot be used ({cause}): check the file and the folder's free space")]
    Database {
        /// The file.
        path: PathBuf,
        /// How.
        cause: rusqlite::Error,
    },
}

/// The open database of one run of the relay. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    run: i64,
}

impl Store {
    /// Opens or makes the database in `folder`, closes what an earlier run left open, and begins a run.
    ///
    /// # Errors
    /// [`StoreError`] where the file is not to be used.
    pub(crate) fn open(folder: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let failed = |cause| StoreError::Database { path: path.clone(), cause };
        let mut connection = Connection::open(&path).map_err(failed)?;
        connection.busy_timeout(Duration::from_millis(500)).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
        schema::migrate(&mut connection, &path)?;
        let run = begin(&mut connection, now).map_err(failed)?;
        Ok(Self { connection, run })
    }

    /// Writes events, all or none of them.
    pub(crate) fn write<'a>(
        &mut self,
        events: impl IntoIterator<Item = &'a Event>,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for event in events {
            apply(&transaction, self.run, event)?;
        }
        transaction
            .prepare_cached("UPDATE runs SET seen_at = ?2 WHERE id = ?1")?
            .execute(params![self.run, micros(now)])?;
        transaction.commit()
    }

    /// Ends the run in order.
    pub(crate) fn end(mut self, now: Timestamp) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        close_open(&transaction, "relay stopped")?;
        transaction.execute(
            "UPDATE runs SET seen_at = ?2, ended_at = ?2 WHERE id = ?1",
            params![self.run, micros(now)],
        )?;
        transaction.commit()
    }
}

fn begin(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<i64> {
    let transaction = connection.transaction()?;
    close_open(&transaction, "relay crashed or was killed")?;
    transaction.execute("UPDATE runs SET ended_at = seen_at WHERE ended_at IS NULL", [])?;
    transaction.execute("INSERT INTO runs (started_at, seen_at) VALUES (?1, ?1)", [micros(now)])?;
    let run = transaction.last_insert_rowid();
    transaction.commit()?;
    Ok(run)
}

/// What is still open was cut off: it ended when its run was last seen.
fn close_open(connection: &Connection, reason: &str) -> rusqlite::Result<()> {
    for table in ["sessions", "broadcasts"] {
        let seen = format!("max(started_at, (SELECT seen_at FROM runs WHERE runs.id = {table}.run))");
        let sql = format!("UPDATE {table} SET ended_at = {seen}, reason = ?1 WHERE ended_at IS NULL");
        connection.execute(&sql, [reason])?;
    }
    Ok(())
}

fn apply(connection: &Connection, run: i64, event: &Event) -> rusqlite::Result<()> {
    let at = micros(event.at);
    match &event.fact {
        Fact::SessionStarted { session, transport } => {
            let sql = "INSERT INTO sessions (run, number, transport, started_at) VALUES (?1, ?2, ?3, ?4)";
            connection.prepare_cached(sql)?.execute(params![
                run,
                id(*session),
                transport_name(*transport),
                at
            ])?;
        }
        Fact::SessionJoined { session, room, part } => {
            let room = room_row(connection, &room.to_string(), at)?;
            let sql = "UPDATE sessions SET room = ?3, part = ?4 WHERE run = ?1 AND number = ?2";
            connection.prepare_cached(sql)?.execute(params![run, id(*session), room, part.as_str()])?;
        }
        Fact::SessionProgress { session, traffic } => {
            let sql =
                "UPDATE sessions SET received_bytes = ?3, sent_bytes = ?4 WHERE run = ?1 AND number = ?2";
            let bytes = (signed(traffic.received_bytes), signed(traffic.sent_bytes));
            connection.prepare_cached(sql)?.execute(params![run, id(*session), bytes.0, bytes.1])?;
        }
        Fact::SessionEnded { session, reason, traffic } => {
            let sql = "UPDATE sessions SET ended_at = ?3, reason = ?4, received_bytes = ?5, sent_bytes = ?6 \
                       WHERE run = ?1 AND number = ?2";
            let bytes = (signed(traffic.received_bytes), signed(traffic.sent_bytes));
            connection.prepare_cached(sql)?.execute(params![
                run,
                id(*session),
                at,
                reason,
                bytes.0,
                bytes.1
            ])?;
        }
        Fact::BroadcastStarted { broadcast, room, session } => {
            let room = room_row(connection, &room.to_string(), at)?;
            let sql =
                "INSERT INTO broadcasts (run, number, room, session, started_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            connection.prepare_cached(sql)?.execute(params![
                run,
                number(*broadcast),
                room,
                id(*session),
                at
            ])?;
        }
        Fact::BroadcastEnded { broadcast, reason } => {
            let sql = "UPDATE broadcasts SET ended_at = ?3, reason = ?4 WHERE run = ?1 AND number = ?2";
            connection.prepare_cached(sql)?.execute(params![run, number(*broadcast), at, reason])?;
        }
        Fact::TrackProgress { broadcast, track, objects, bytes } => {
            let sql = "INSERT INTO tracks (broadcast, name, objects, bytes) \
                       SELECT id, ?3, ?4, ?5 FROM broadcasts WHERE run = ?1 AND number = ?2 \
                       ON CONFLICT (broadcast, name) DO UPDATE SET objects = ?4, bytes = ?5";
            let values = params![run, number(*broadcast), track, signed(*objects), signed(*bytes)];
            connection.prepare_cached(sql)?.execute(values)?;
        }
        Fact::TrackDelivered { session, broadcast, track, objects, bytes, skipped_groups } => {
            let sql = "INSERT INTO deliveries (session, broadcast, name, objects, bytes, skipped_groups) \
                       SELECT s.id, b.id, ?4, ?5, ?6, ?7 FROM sessions s JOIN broadcasts b ON b.run = s.run \
                       WHERE s.run = ?1 AND s.number = ?2 AND b.number = ?3 \
                       ON CONFLICT (session, broadcast, name) DO UPDATE SET objects = objects + ?5, \
                       bytes = bytes + ?6, skipped_groups = skipped_groups + ?7";
            let sent = [signed(*objects), signed(*bytes), signed(*skipped_groups)];
            let values = params![run, id(*session), number(*broadcast), track, sent[0], sent[1], sent[2]];
            connection.prepare_cached(sql)?.execute(values)?;
        }
    }
    Ok(())
}

fn room_row(connection: &Connection, name: &str, at: i64) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO rooms (name, first_seen_at) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![name, at])?;
    connection.prepare_cached("SELECT id FROM rooms WHERE name = ?1")?.query_row([name], |row| row.get(0))
}

fn micros(at: Timestamp) -> i64 {
    signed(at.0)
}

fn id(session: SessionId) -> i64 {
    signed(session.0)
}

fn number(broadcast: BroadcastId) -> i64 {
    signed(broadcast.0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

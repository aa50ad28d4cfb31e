//! What was stored, as rows for a report.

use std::{collections::BTreeMap, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, Row, params};
use serde::Serialize;
use shared::{media::Timestamp, naming::Room};

use super::{FILE, StoreError, schema};

/// All that a report is made of. Times are RFC 3339 in UTC, to the millisecond.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// Rooms by name.
    pub(crate) rooms: Vec<RoomRow>,
    /// Broadcasts, oldest first.
    pub(crate) broadcasts: Vec<BroadcastRow>,
    /// Sessions, oldest first.
    pub(crate) sessions: Vec<SessionRow>,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RoomRow {
    pub(crate) name: String,
    pub(crate) first_seen: String,
    pub(crate) broadcasts: i64,
    /// Sessions that watched.
    pub(crate) viewers: i64,
    /// Time on air in seconds.
    pub(crate) on_air_seconds: f64,
}

/// A broadcast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BroadcastRow {
    pub(crate) room: String,
    pub(crate) start: String,
    /// `None` while it is on air.
    pub(crate) end: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) tracks: Vec<TrackRow>,
}

/// A track of a broadcast, as it came from the publisher.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TrackRow {
    pub(crate) name: String,
    pub(crate) objects: i64,
    pub(crate) bytes: i64,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SessionRow {
    pub(crate) room: Option<String>,
    /// `publisher` or `viewer`; `None` where it did neither.
    pub(crate) role: Option<String>,
    pub(crate) transport: String,
    pub(crate) start: String,
    /// `None` while it runs.
    pub(crate) end: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) received_bytes: i64,
    pub(crate) sent_bytes: i64,
    /// Tracks that it published or was sent.
    pub(crate) tracks: Vec<DeliveryRow>,
}

/// A track of a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DeliveryRow {
    pub(crate) name: String,
    pub(crate) objects: i64,
    pub(crate) bytes: i64,
    /// Groups of which a viewer missed something because it was behind.
    pub(crate) skipped_groups: i64,
}

/// Reads the database in `folder`, of one room or all, also while a relay writes it.
///
/// # Errors
/// [`StoreError`] where there is none or it is not to be used.
pub(crate) fn read(folder: &Path, room: Option<&Room>) -> Result<Report, StoreError> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Err(StoreError::None(path));
    }
    let failed = |cause| StoreError::Database { path: path.clone(), cause };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    if found > schema::known() {
        return Err(StoreError::Newer { path, found, known: schema::known() });
    }
    let room = room.map(ToString::to_string);
    let rows = || -> rusqlite::Result<Report> {
        let transaction = connection.unchecked_transaction()?;
        Ok(Report {
            rooms: rooms(&transaction, room.as_deref())?,
            broadcasts: broadcasts(&transaction, room.as_deref())?,
            sessions: sessions(&transaction, room.as_deref())?,
        })
    };
    rows().map_err(failed)
}

fn rooms(connection: &Connection, room: Option<&str>) -> rusqlite::Result<Vec<RoomRow>> {
    let sql = "
        SELECT rooms.name, rooms.first_seen_at, count(b.id),
            (SELECT count(*) FROM sessions WHERE sessions.room = rooms.id AND part = 'viewer'),
            coalesce(sum(coalesce(b.ended_at, runs.seen_at) - b.started_at), 0)
        FROM rooms LEFT JOIN broadcasts b ON b.room = rooms.id LEFT JOIN runs ON runs.id = b.run
        WHERE ?1 IS NULL OR rooms.name = ?1 GROUP BY rooms.id ORDER BY rooms.name";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([room], |row| {
        Ok(RoomRow {
            name: row.get(0)?,
            first_seen: time(row, 1)?.unwrap_or_default(),
            broadcasts: row.get(2)?,
            viewers: row.get(3)?,
            on_air_seconds: row.get::<_, i64>(4)? as f64 / 1e6,
        })
    })?;
    rows.collect()
}

fn broadcasts(connection: &Connection, room: Option<&str>) -> rusqlite::Result<Vec<BroadcastRow>> {
    let mut tracks = tracks(connection)?;
    let sql = "
        SELECT b.id, rooms.name, b.started_at, b.ended_at, b.reason
        FROM broadcasts b JOIN rooms ON rooms.id = b.room
        WHERE ?1 IS NULL OR rooms.name = ?1 ORDER BY b.started_at, b.id";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([room], |row| {
        Ok(BroadcastRow {
            room: row.get(1)?,
            start: time(row, 2)?.unwrap_or_default(),
            end: time(row, 3)?,
            reason: row.get(4)?,
            tracks: tracks.remove(&row.get::<_, i64>(0)?).unwrap_or_default(),
        })
    })?;
    rows.collect()
}

fn tracks(connection: &Connection) -> rusqlite::Result<BTreeMap<i64, Vec<TrackRow>>> {
    let mut tracks = BTreeMap::<i64, Vec<TrackRow>>::new();
    let mut statement =
        connection.prepare("SELECT broadcast, name, objects, bytes FROM tracks ORDER BY name")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let track = TrackRow { name: row.get(1)?, objects: row.get(2)?, bytes: row.get(3)? };
        tracks.entry(row.get(0)?).or_default().push(track);
    }
    Ok(tracks)
}

fn sessions(connection: &Connection, room: Option<&str>) -> rusqlite::Result<Vec<SessionRow>> {
    let mut tracks = deliveries(connection)?;
    let sql = "
        SELECT rooms.name, part, transport, started_at, ended_at, reason, received_bytes, sent_bytes,
            sessions.id
        FROM sessions LEFT JOIN rooms ON rooms.id = sessions.room
        WHERE ?1 IS NULL OR rooms.name = ?1 ORDER BY started_at, sessions.id";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(params![room], |row| {
        Ok(SessionRow {
            room: row.get(0)?,
            role: row.get(1)?,
            transport: row.get(2)?,
            start: time(row, 3)?.unwrap_or_default(),
            end: time(row, 4)?,
            reason: row.get(5)?,
            received_bytes: row.get(6)?,
            sent_bytes: row.get(7)?,
            tracks: tracks.remove(&row.get::<_, i64>(8)?).unwrap_or_default(),
        })
    })?;
    rows.collect()
}

/// Tracks by session: what it published and what it was sent.
fn deliveries(connection: &Connection) -> rusqlite::Result<BTreeMap<i64, Vec<DeliveryRow>>> {
    let sql = "
        SELECT session, name, sum(objects), sum(bytes), sum(skipped_groups) FROM (
            SELECT session, name, objects, bytes, skipped_groups FROM deliveries
            UNION ALL
            SELECT s.id, t.name, t.objects, t.bytes, 0 FROM tracks t
            JOIN broadcasts b ON b.id = t.broadcast
            JOIN sessions s ON s.run = b.run AND s.number = b.session
        ) GROUP BY session, name ORDER BY session, name";
    let mut tracks = BTreeMap::<i64, Vec<DeliveryRow>>::new();
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let track = DeliveryRow {
            name: row.get(1)?,
            objects: row.get(2)?,
            bytes: row.get(3)?,
            skipped_groups: row.get(4)?,
        };
        tracks.entry(row.get(0)?).or_default().push(track);
    }
    Ok(tracks)
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    let at: Option<i64> = row.get(column)?;
    Ok(at.map(|at| crate::clock::rfc3339(Timestamp(u64::try_from(at).unwrap_or(0)))))
}

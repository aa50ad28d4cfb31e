//! The tables, version by version. A migration that was released is never edited: a new one follows it.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// Times are microseconds since the Unix epoch. `number`s are unique within a run of the relay.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        started_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        ended_at INTEGER
    );
    CREATE TABLE rooms (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        first_seen_at INTEGER NOT NULL
    );
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        room INTEGER REFERENCES rooms,
        part TEXT,
        transport TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        ended_at INTEGER,
        reason TEXT,
        received_bytes INTEGER NOT NULL DEFAULT 0,
        sent_bytes INTEGER NOT NULL DEFAULT 0,
        UNIQUE (run, number)
    );
    CREATE TABLE broadcasts (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        room INTEGER NOT NULL REFERENCES rooms,
        session INTEGER NOT NULL,
        started_at INTEGER NOT NULL,
        ended_at INTEGER,
        reason TEXT,
        UNIQUE (run, number)
    );
    CREATE TABLE tracks (
        broadcast INTEGER NOT NULL REFERENCES broadcasts,
        name TEXT NOT NULL,
        objects INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        PRIMARY KEY (broadcast, name)
    ) WITHOUT ROWID;
    CREATE INDEX sessions_by_room ON sessions (room, started_at);
    CREATE INDEX broadcasts_by_room ON broadcasts (room, started_at);
    CREATE INDEX sessions_open ON sessions (run) WHERE ended_at IS NULL;
    CREATE INDEX broadcasts_open ON broadcasts (run) WHERE ended_at IS NULL;
",
    "
    CREATE TABLE deliveries (
        session INTEGER NOT NULL REFERENCES sessions,
        broadcast INTEGER NOT NULL REFERENCES broadcasts,
        name TEXT NOT NULL,
        objects INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        skipped_groups INTEGER NOT NULL,
        PRIMARY KEY (session, broadcast, name)
    ) WITHOUT ROWID;
    CREATE INDEX broadcasts_by_session ON broadcasts (run, session);
",
    // What is said and done in rooms. `say` is the sender's own number; `subject` is the message, question or
    // poll that it is or is about; `detail` is JSON. Media times are those of LOC, `NULL` where they are not known.
    "
    CREATE TABLE interactions (
        id INTEGER PRIMARY KEY,
        room INTEGER NOT NULL REFERENCES rooms,
        at INTEGER NOT NULL,
        media INTEGER,
        viewer TEXT NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        kind TEXT NOT NULL,
        say INTEGER,
        subject INTEGER,
        detail TEXT NOT NULL,
        is_gone INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX interactions_by_subject ON interactions (room, kind, subject);
    CREATE INDEX interactions_by_time ON interactions (room, at);
    CREATE TABLE acts (
        id INTEGER PRIMARY KEY,
        room INTEGER NOT NULL REFERENCES rooms,
        at INTEGER NOT NULL,
        viewer TEXT NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        act TEXT NOT NULL,
        target TEXT,
        detail TEXT NOT NULL
    );
    CREATE INDEX acts_by_time ON acts (room, at);
    CREATE TABLE room_states (
        room INTEGER PRIMARY KEY REFERENCES rooms,
        saved_at INTEGER NOT NULL,
        state TEXT NOT NULL
    );
",
];

/// Brings the database to the newest version.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |cause| StoreError::Database { path: path.to_owned(), cause };
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    let known = known();
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (version, sql) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(sql).map_err(failed)?;
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

/// The newest version.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

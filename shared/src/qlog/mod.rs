//! qlog: what QUIC and MoQT do on each connection, in files that qvis and its like read.
//!
//! A [`Folder`] is given to a client's or server's settings as the one who looks on. Each connection gets a
//! file, `<milliseconds since 1970>-<number>_client.sqlog` or `…_server.sqlog`: qlog 0.3 as JSON text
//! sequences, with quinn's QUIC events and the MoQT events of draft-pardue-moq-qlog-moq-events-07. Payloads and
//! tokens are never written, only how long they are. quinn's round trip times are in seconds, where qlog has
//! milliseconds.
//!
//! Media is not delayed by it: one thread writes, and what it cannot take at once is lost and counted.
//!
//! | module | what it is |
//! |---|---|
//! | `writer` | the thread that writes |
//! | `session` | what passes over one connection |
//! | `message` | control messages as JSON |
//! | `object` | objects and their headers as JSON |

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    folder,
    transport::{Side, Watched, Watcher},
};

mod message;
mod object;
mod session;
mod writer;

use writer::{File, Records, Writer};

/// The schema of the MoQT events.
const MOQT_SCHEMA: &str = "urn:ietf:params:qlog:events:moqt-07";

/// Where qlog files go. Clones share it; dropping the last one, and the last connection's file, ends its
/// thread once all is written.
#[derive(Debug, Clone)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    title: &'static str,
    writer: Writer,
    files: AtomicU64,
}

/// A folder that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot write qlog files to {path} ({cause}): give another folder with --qlog")]
pub struct OpenError {
    path: PathBuf,
    cause: io::Error,
}

impl Folder {
    /// The folder that was given, if one was.
    ///
    /// # Errors
    /// [`OpenError`] where it cannot be used.
    pub fn given(path: Option<&Path>, title: &'static str) -> Result<Option<Self>, OpenError> {
        path.map(|path| Self::open(path, title).map_err(|cause| OpenError { path: path.to_owned(), cause }))
            .transpose()
    }

    /// As those who look on, for a client's or a server's settings.
    pub fn watcher(&self) -> Arc<dyn Watcher> {
        Arc::new(self.clone())
    }

    /// Makes the folder where it is missing, and tries to write to it. `title` says whose files they are.
    ///
    /// # Errors
    /// The operating system's, where it cannot be written to or no thread can be started.
    pub fn open(path: &Path, title: &'static str) -> io::Result<Self> {
        folder::make_writable(path)?;
        let writer = Writer::start()?;
        Ok(Self(Arc::new(Inner { path: path.to_owned(), title, writer, files: AtomicU64::new(0) })))
    }

    /// Waits until all that was written so far is in the files, two seconds at most: for programs that exit
    /// right after.
    pub fn finish(&self) {
        self.0.writer.finish();
    }

    /// Records that were lost so far, since the thread was behind, a file was full or the disk was.
    pub fn lost(&self) -> u64 {
        self.0.writer.lost()
    }
}

impl Watcher for Folder {
    fn connection(&self, side: Side) -> Watched {
        let number = self.0.files.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let vantage = match side {
            Side::Client => "client",
            Side::Server => "server",
        };
        let name = format!("{}-{number:04}_{vantage}.sqlog", now.as_millis());
        let file = self.0.writer.file(self.0.path.join(name));
        let log = Log { file: file.clone(), start: Instant::now() };
        log.file.write(&head(self.0.title, vantage, now.as_secs_f64() * 1000.0));
        let quic = Some((Box::new(Records::new(file)) as Box<dyn io::Write + Send + Sync>, log.start));
        Watched { quic, streams: Arc::new(session::Session::new(log)) }
    }
}

/// The file's first record. `began` is in milliseconds since 1970.
fn head(title: &str, vantage: &str, began: f64) -> Value {
    json!({
        "qlog_version": "0.3",
        "qlog_format": "JSON-SEQ",
        "title": title,
        "trace": {
            "vantage_point": { "name": title, "type": vantage },
            "common_fields": { "time_format": "relative", "reference_time": began },
            "event_schemas": [MOQT_SCHEMA],
        },
    })
}

/// One connection's file, and when it began.
#[derive(Debug, Clone)]
struct Log {
    file: File,
    start: Instant,
}

impl Log {
    /// Writes an event that happens now.
    fn event(&self, name: &str, data: &Value) {
        let time = self.start.elapsed().as_secs_f64() * 1000.0;
        self.file.write(&json!({ "time": time, "name": name, "data": data }));
    }
}

#[cfg(test)]
mod tests;

//! The one thread that writes all files, behind a queue that nobody waits for.

use std::{
    collections::HashMap,
    fs, io,
    io::{BufWriter, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Records that may wait for the thread; further ones are lost and counted.
const MOST_RECORDS: usize = 16_384;
/// Bytes that may wait for the thread; further records are lost and counted.
const MOST_BYTES: usize = 16 << 20;
/// Bytes of one file; what would go past it is lost and counted.
const MOST_FILE_BYTES: usize = 512 << 20;
/// What waits in memory is written once nothing more came for so long.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// How long the end of a program may wait for the thread.
const PATIENCE: Duration = Duration::from_secs(2);
/// What begins a record of a JSON text sequence (RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1e;

/// The way to the thread.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: SyncSender<Job>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Bytes that wait.
    waiting: AtomicUsize,
    lost: AtomicU64,
}

/// What the thread does.
enum Job {
    /// Appends a record to a file, which begins with its first one.
    Write(Arc<Place>, Vec<u8>),
    /// Nothing follows in a file.
    Close(Arc<Place>),
    /// Says so once all before it is written.
    Finish(Sender<()>),
}

/// A file's place in the world.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    bytes: AtomicUsize,
}

/// A file that grows. Clones share it; dropping the last one closes it.
#[derive(Debug, Clone)]
pub(super) struct File(Arc<Open>);

#[derive(Debug)]
struct Open {
    writer: Writer,
    place: Arc<Place>,
}

impl Writer {
    /// Starts the thread, which ends with the last writer and file.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn start() -> io::Result<Self> {
        let (queue, jobs) = sync_channel(MOST_RECORDS);
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        thread::Builder::new().name("qlog".into()).spawn(move || run(&jobs, &counted))?;
        Ok(Self { queue, counts })
    }

    /// A new file.
    pub(super) fn file(&self, path: PathBuf) -> File {
        let place = Arc::new(Place { path, bytes: AtomicUsize::new(0) });
        File(Arc::new(Open { writer: self.clone(), place }))
    }

    /// Waits until what was appended so far is written, or a while.
    pub(super) fn finish(&self) {
        let (done, is_done) = channel();
        let deadline = Instant::now() + PATIENCE;
        let mut job = Job::Finish(done);
        while let Err(TrySendError::Full(back)) = self.queue.try_send(job) {
            if Instant::now() >= deadline {
                return;
            }
            job = back;
            thread::sleep(Duration::from_millis(5));
        }
        // It ends without an answer where the thread is gone.
        let _ = is_done.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }

    pub(super) fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }
}

impl File {
    /// Appends a record, or loses it.
    pub(super) fn write(&self, record: &Value) {
        let mut line = vec![RECORD_SEPARATOR];
        if serde_json::to_writer(&mut line, record).is_ok() {
            line.push(b'\n');
            self.append(line);
        }
    }

    /// Appends the line of a record, or loses it.
    fn append(&self, line: Vec<u8>) {
        let Open { writer, place } = &*self.0;
        let bytes = line.len();
        let is_full = place.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > MOST_FILE_BYTES;
        let waiting = writer.counts.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if is_full
            || waiting > MOST_BYTES
            || writer.queue.try_send(Job::Write(Arc::clone(place), line)).is_err()
        {
            writer.counts.waiting.fetch_sub(bytes, Ordering::Relaxed);
            writer.counts.lose();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Where the queue is full, the thread closes it at its end.
        let _ = self.writer.queue.try_send(Job::Close(Arc::clone(&self.place)));
    }
}

impl Counts {
    fn lose(&self) {
        let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
        // The first, and whenever they have doubled.
        if lost.is_power_of_two() {
            tracing::warn!(
                lost,
                "qlog records are lost: the disk or this machine is too slow, or a file is full"
            );
        }
    }
}

/// Files by path. One that could not be made stays as that, so that it is tried once.
type Files = HashMap<PathBuf, Option<BufWriter<fs::File>>>;

fn run(jobs: &Receiver<Job>, counts: &Counts) {
    let mut files = Files::new();
    loop {
        match jobs.recv_timeout(FLUSH_EVERY) {
            Ok(Job::Write(place, line)) => {
                counts.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                let file = files.entry(place.path.clone()).or_insert_with(|| {
                    let made = fs::File::create(&place.path).map(BufWriter::new);
                    made.inspect_err(|error| tracing::warn!(%error, "a qlog file cannot be made")).ok()
                });
                let is_written = file.as_mut().is_some_and(|file| file.write_all(&line).is_ok());
                if !is_written {
                    counts.lose();
                }
            }
            Ok(Job::Close(place)) => {
                if let Some(Some(mut file)) = files.remove(&place.path) {
                    flush(&mut file, counts);
                }
            }
            Ok(Job::Finish(done)) => {
                flush_all(&mut files, counts);
                // Who asked may have given up.
                let _ = done.send(());
            }
            Err(RecvTimeoutError::Timeout) => flush_all(&mut files, counts),
            Err(RecvTimeoutError::Disconnected) => return flush_all(&mut files, counts),
        }
    }
}

fn flush_all(files: &mut Files, counts: &Counts) {
    files.values_mut().flatten().for_each(|file| flush(file, counts));
}

fn flush(file: &mut BufWriter<fs::File>, counts: &Counts) {
    if file.flush().is_err() {
        counts.lose();
    }
}

/// quinn's side: what it writes, cut into records. Its first one, the file's head, is left out, since the file
/// has one already.
pub(super) struct Records {
    file: File,
    line: Vec<u8>,
    has_head: bool,
}

impl Records {
    pub(super) fn new(file: File) -> Self {
        Self { file, line: Vec::new(), has_head: false }
    }
}

impl Write for Records {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                if std::mem::replace(&mut self.has_head, true) {
                    self.file.append(line);
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

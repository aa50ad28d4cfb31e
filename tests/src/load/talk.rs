//! People in a room beside the load: native clients that talk and tap, and how long they wait for their own echo.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use player::{config::chat::Config, interact};
use serde_json::{Value, json};
use shared::{
    moqt::TrackName,
    naming::{Feed, Room},
    room::{
        Say,
        chat::{Draft, Line},
        reactions::{Reaction, Taps},
        speaker::Outcome,
    },
    transport::tls::Trust,
};
use url::Url;

use super::record::percentiles;

/// As many as may say something each second: more of one viewer is refused.
const SPEAKERS: u64 = 100;
/// Between two sayings of taps: as the page does it.
const TAPS_EVERY: Duration = Duration::from_millis(200);
/// Later answers are counted as so late, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;
const ROOM: &str = "load";

/// What everybody in the room hears.
pub(super) fn feeds() -> Result<Vec<TrackName>> {
    let room: Room = ROOM.parse()?;
    Ok([Feed::Chat, Feed::Reactions].map(|feed| room.on_feed(feed)).to_vec())
}

/// People who talk. Dropping it sends them away.
pub(super) struct Talk {
    seen: Arc<Seen>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// What they saw.
struct Seen {
    over: AtomicBool,
    /// Whether it counts.
    counts: AtomicBool,
    ready: AtomicU64,
    said: AtomicU64,
    refused: AtomicU64,
    taps: AtomicU64,
    /// From saying something to hearing it in the chat, and to the room's own answer.
    echo: Mutex<Histogram<u64>>,
    answer: Mutex<Histogram<u64>>,
}

impl Talk {
    /// So many messages and taps a second in all, once [`begin`](Self::begin) is called; waits until all are in
    /// the room.
    pub(super) fn start(url: &Url, messages: u64, taps: u64) -> Result<Self> {
        let histogram = || Histogram::new_with_bounds(1_000, LONGEST, 3).map(Mutex::new);
        let seen = Arc::new(Seen {
            over: AtomicBool::new(false),
            counts: AtomicBool::new(false),
            ready: AtomicU64::new(0),
            said: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            taps: AtomicU64::new(0),
            echo: histogram()?,
            answer: histogram()?,
        });
        let (shared, url) = (Arc::clone(&seen), url.clone());
        let thread = std::thread::Builder::new().name("talk".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(all(&url, messages, taps, shared))
        })?;
        let talk = Self { seen, thread: Some(thread) };
        let began = Instant::now();
        while talk.seen.ready.load(Ordering::Relaxed) < SPEAKERS {
            anyhow::ensure!(
                began.elapsed() < Duration::from_secs(20),
                "the speakers do not come into the room"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(talk)
    }

    /// What is seen from now on counts.
    pub(super) fn begin(&self) {
        self.seen.counts.store(true, Ordering::Relaxed);
    }

    /// What was seen.
    pub(super) fn report(&self) -> Value {
        self.seen.counts.store(false, Ordering::Relaxed);
        let of = |histogram: &Mutex<Histogram<u64>>| {
            percentiles(&histogram.lock().unwrap_or_else(PoisonError::into_inner))
        };
        json!({
            "said": self.seen.said.load(Ordering::Relaxed),
            "refused": self.seen.refused.load(Ordering::Relaxed),
            "taps": self.seen.taps.load(Ordering::Relaxed),
            "echoMs": of(&self.seen.echo),
            "answerMs": of(&self.seen.answer),
        })
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.seen.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && let Ok(Err(error)) = thread.join()
        {
            eprintln!("load: a speaker: {error:#}");
        }
    }
}

async fn all(url: &Url, messages: u64, taps: u64, seen: Arc<Seen>) -> Result<()> {
    let mut speakers = tokio::task::JoinSet::new();
    for number in 0..SPEAKERS {
        let config = Config {
            relay: url.clone(),
            room: ROOM.parse()?,
            token: None,
            viewer: format!("speaker-{number}").parse()?,
            name: None,
            trust: Trust::Anything,
            script: None,
        };
        speakers.spawn(one(number, config, messages, taps, Arc::clone(&seen)));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while let Some(done) = speakers.join_next().await {
        done??;
    }
    Ok(())
}

async fn one(number: u64, config: Config, messages: u64, taps: u64, seen: Arc<Seen>) -> Result<()> {
    let (says, mut heard) = interact::join(config);
    while heard.recv().await.context("the room is gone")? != interact::Heard::Connected {}
    seen.ready.fetch_add(1, Ordering::Relaxed);
    let every = |all: u64| Duration::from_secs_f64(SPEAKERS as f64 / all.max(1) as f64);
    let start = tokio::time::Instant::now();
    let mut talk = tokio::time::interval_at(
        start + every(messages).mul_f64(number as f64 / SPEAKERS as f64),
        every(messages),
    );
    let mut tap =
        tokio::time::interval_at(start + TAPS_EVERY.mul_f64(number as f64 / SPEAKERS as f64), TAPS_EVERY);
    talk.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut due = 0.0;
    let mut asked: Option<(String, Instant)> = None;
    let mut count = 0_u64;
    let note = |histogram: &Mutex<Histogram<u64>>, since: Instant| {
        if seen.counts.load(Ordering::Relaxed) {
            let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(LONGEST);
            histogram.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(nanos);
        }
    };
    while !seen.over.load(Ordering::Relaxed) {
        tokio::select! {
            _ = talk.tick(), if messages > 0 && asked.is_none() => {
                count += 1;
                let text = format!("{number} says {count}");
                asked = Some((text.clone(), Instant::now()));
                seen.said.fetch_add(1, Ordering::Relaxed);
                says.send(Say::Chat(Draft { text, reply_to: None, media: None })).await?;
            }
            _ = tap.tick(), if taps > 0 => {
                due += taps as f64 / SPEAKERS as f64 * TAPS_EVERY.as_secs_f64();
                let count = due as u32;
                due -= f64::from(count);
                if count > 0 {
                    seen.taps.fetch_add(u64::from(count), Ordering::Relaxed);
                    says.send(Say::React(Taps { reaction: Reaction::Like, count: count.min(100) })).await?;
                }
            }
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
            event = heard.recv() => match event.context("the room is gone")? {
                interact::Heard::Line(Line::Message(message)) => {
                    if let Some((_, since)) = asked.take_if(|(text, _)| *text == message.text) {
                        note(&seen.echo, since);
                    }
                }
                interact::Heard::Outcome(Outcome::Accepted { say: Say::Chat(_), .. }) => {
                    if let Some((_, since)) = &asked {
                        note(&seen.answer, *since);
                    }
                }
                interact::Heard::Outcome(Outcome::Refused { say, .. }) => {
                    seen.refused.fetch_add(1, Ordering::Relaxed);
                    if matches!(say, Say::Chat(_)) {
                        asked = None;
                    }
                }
                interact::Heard::End(reason) => anyhow::bail!(reason),
                _ => {}
            },
        }
    }
    Ok(())
}

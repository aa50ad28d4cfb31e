//! The FETCHes of one track: answered from its cache, each by a task that sends at its viewer's pace.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::moqt::{
    EndOfTrack, FetchItem, FetchRequest, FetchWriter, Location, Properties, RequestCode, ResetCode,
};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{
    cache::{Cache, Piece},
    fill::Filler,
    past::Past,
};
use crate::{clock, metrics::Metrics, tasks::Tasks};

/// How long a fetch waits for what the publisher told of and did not send yet.
const PATIENCE: Duration = Duration::from_secs(1);
/// Fetches that may wait so. Past it further ones are refused.
const MAX_WAITING: usize = 1024;

/// Fetches that wait, and what is needed to answer them.
#[derive(Debug)]
pub(super) struct Fetches {
    waiting: Vec<(FetchRequest, OwnedSemaphorePermit)>,
    answer_at: Option<Instant>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    /// Where to ask for what is not in the cache.
    past: Option<Past>,
    /// What the streams of those that are being answered are to be reset with.
    given_up: watch::Sender<Option<ResetCode>>,
}

impl Fetches {
    /// None yet.
    pub(super) fn new(metrics: Arc<Metrics>, tasks: Tasks) -> Self {
        Self {
            waiting: Vec::new(),
            answer_at: None,
            metrics,
            tasks,
            past: None,
            given_up: watch::Sender::default(),
        }
    }

    /// What is not in the cache can be had there.
    pub(super) fn set_past(&mut self, past: Past) {
        self.past = Some(past);
    }

    /// Keeps a fetch until the cache has caught up with what the publisher told of. The permit is held
    /// until its answer is sent.
    pub(super) fn wait(&mut self, now: Instant, request: FetchRequest, permit: OwnedSemaphorePermit) {
        if self.waiting.len() >= MAX_WAITING {
            self.metrics.requests_refused.add(1);
            return request.reject(RequestCode::ExcessiveLoad, "too many wait for this track: try again");
        }
        self.answer_at.get_or_insert(now + PATIENCE);
        self.waiting.push((request, permit));
    }

    /// When those that wait are answered with what there is.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.answer_at
    }

    /// Answers those that wait.
    pub(super) fn answer_waiting(&mut self, cache: &Cache, properties: &Properties) {
        self.answer_at = None;
        for (request, permit) in std::mem::take(&mut self.waiting) {
            self.answer(request, permit, cache, properties);
        }
    }

    /// Answers from the cache, with the track's properties.
    pub(super) fn answer(
        &self,
        request: FetchRequest,
        permit: OwnedSemaphorePermit,
        cache: &Cache,
        properties: &Properties,
    ) {
        let (start, end) = request.range();
        let answer = match cache.range(start, end, request.order()) {
            Ok(answer) => answer,
            Err(_) => {
                self.metrics.requests_refused.add(1);
                let reason = format!("nothing between {start} and {end} is published");
                return request.reject(RequestCode::InvalidRange, &reason);
            }
        };
        let lacks = |piece: &Piece| matches!(piece.item, FetchItem::Gap { nonexistent: false, .. });
        let is_miss = answer.pieces.iter().any(lacks);
        let (hits, misses) = (&self.metrics.cache_hits_fetch, &self.metrics.cache_misses_fetch);
        if is_miss { misses } else { hits }.add(1);
        let (metrics, tasks) = (Arc::clone(&self.metrics), self.tasks.clone());
        let filler = Filler::new(self.past.clone(), &request, answer.end, metrics, tasks);
        let writer = request.accept(answer.end, EndOfTrack::No, properties.clone());
        let metrics = Arc::clone(&self.metrics);
        let mut given_up = self.given_up.subscribe();
        self.tasks.spawn(async move {
            let code = async {
                match given_up.wait_for(Option::is_some).await.map(|code| *code) {
                    Ok(Some(code)) => code,
                    // The track is over: what is under way goes on.
                    Ok(None) | Err(_) => std::future::pending().await,
                }
            };
            tokio::pin!(code);
            let next = Some(filler.first());
            let mut sending = Sending { writer, filler, next, gap: None };
            for piece in answer.pieces {
                let sent = tokio::select! {
                    biased;
                    code = &mut code => return sending.writer.abandon(code),
                    sent = sending.send(piece) => sent,
                };
                match sent {
                    Some(objects) => metrics.objects_fetched.add(objects),
                    None => return,
                }
            }
            // What fills the end of the range can still be given up.
            let filled = tokio::select! {
                biased;
                code = &mut code => return sending.writer.abandon(code),
                filled = sending.fill() => filled,
            };
            if let Some(objects) = filled {
                metrics.objects_fetched.add(objects);
                sending.writer.finish();
            }
            drop(permit);
        });
    }

    /// Refuses the fetches that wait, and gives up those that are being answered.
    pub(super) fn give_up(&mut self, code: ResetCode, refusal: RequestCode, reason: &str) {
        self.answer_at = None;
        for (request, _permit) in self.waiting.drain(..) {
            self.metrics.requests_refused.add(1);
            request.reject(refusal, reason);
        }
        self.given_up.send_replace(Some(code));
    }
}

/// An answer on its way.
struct Sending {
    writer: FetchWriter,
    filler: Filler,
    /// The first location of which nothing was said.
    next: Option<Location>,
    /// Up to here the cache does not know, or may not serve any more.
    gap: Option<Location>,
}

impl Sending {
    /// Sends a piece; gives the objects that were sent, `None` where the subscriber is gone.
    async fn send(&mut self, piece: Piece) -> Option<u64> {
        let now = clock::now();
        let at = piece.location();
        let is_unknown = matches!(piece.item, FetchItem::Gap { nonexistent: false, .. });
        if is_unknown || piece.good_until.is_some_and(|until| until < now) {
            self.gap = Some(at);
            return Some(0);
        }
        let filled = self.fill().await?;
        let objects = u64::from(!matches!(piece.item, FetchItem::Gap { .. }));
        self.next = self.filler.after(at);
        self.writer.send(piece.item).await.then_some(filled + objects)
    }

    /// Sends what is known elsewhere of the gap before the next piece.
    async fn fill(&mut self) -> Option<u64> {
        let (Some(end), Some(start)) = (self.gap.take(), self.next) else { return Some(0) };
        self.next = self.filler.after(end);
        self.filler.fill(start, end, &mut self.writer).await
    }
}

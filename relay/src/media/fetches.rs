//! The FETCHes of one track: answered from its cache, each by a task that sends at its viewer's pace.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::moqt::{EndOfTrack, FetchRequest, Properties, RequestCode};
use tokio::sync::OwnedSemaphorePermit;

use super::cache::Cache;
use crate::{metrics::Metrics, tasks::Tasks};

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
}

impl Fetches {
    /// None yet.
    pub(super) fn new(metrics: Arc<Metrics>, tasks: Tasks) -> Self {
        Self { waiting: Vec::new(), answer_at: None, metrics, tasks }
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
        let answer = match cache.range(start, end) {
            Ok(answer) => answer,
            Err(_) => {
                self.metrics.requests_refused.add(1);
                let reason = format!("nothing between {start} and {end} is published");
                return request.reject(RequestCode::InvalidRange, &reason);
            }
        };
        let mut writer = request.accept(answer.end, EndOfTrack::No, properties.clone());
        let metrics = Arc::clone(&self.metrics);
        self.tasks.spawn(async move {
            for object in answer.objects {
                if !writer.send(object).await {
                    return;
                }
                metrics.objects_fetched.add(1);
            }
            writer.finish();
            drop(permit);
        });
    }
}

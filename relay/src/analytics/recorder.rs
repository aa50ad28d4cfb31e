//! Takes events from anywhere and never waits: what does not fit is lost and counted.

use std::{
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use shared::{
    event::{Event, Fact},
    media::Timestamp,
};

use super::store::{Input, Store, Writer};
use crate::metrics::Metrics;

/// Events that may wait for the store's thread. Past it new ones are lost and counted.
const CAPACITY: usize = 8192;

/// The way to the store. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    /// `None` where nothing is written down.
    events: Option<SyncSender<Input>>,
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Starts the store's thread, which ends with [`Writer::stop`].
    pub(crate) fn start(store: Store, metrics: Arc<Metrics>) -> std::io::Result<(Self, Writer)> {
        let (events, inputs) = sync_channel(CAPACITY);
        let writer = Writer::start(store, inputs, events.clone(), Arc::clone(&metrics))?;
        Ok((Self { events: Some(events), metrics }, writer))
    }

    /// One that writes nothing down.
    pub(crate) fn none(metrics: Arc<Metrics>) -> Self {
        Self { events: None, metrics }
    }

    /// Notes that `fact` happened now.
    pub(crate) fn record(&self, fact: Fact) {
        let Some(events) = &self.events else { return };
        let event = Event { at: now(), fact };
        if events.try_send(Input::Event(event)).is_err() {
            self.metrics.analytics_lost.add(1);
        }
    }
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

//! A congestion window that leaves room for live media.
//!
//! quinn's BBR takes the path to be as fast as what was sent, and a broadcast sends little most of the
//! time. What it leaves open while it measures the round trip time (for 200 ms or more) or mends a loss is
//! then less than a keyframe needs, so that a path that loses one packet in a hundred stalls for half a
//! second at a time. With a floor under the window such phases pass unnoticed.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics};
use quinn_proto::RttEstimator;

/// Makes controllers whose window is never below a floor.
pub(super) struct Floored<F> {
    /// Makes the controllers underneath.
    pub(super) factory: Arc<F>,
    /// In bytes in flight.
    pub(super) floor: u64,
}

struct FlooredController {
    inner: Box<dyn Controller>,
    floor: u64,
    /// The window since the last change, zero where it is to be asked for: quinn asks several times a packet.
    known: AtomicU64,
}

impl FlooredController {
    fn new(inner: Box<dyn Controller>, floor: u64) -> Self {
        Self { inner, floor, known: AtomicU64::new(0) }
    }

    /// Something came that the window depends on.
    fn changed(&mut self) -> &mut Box<dyn Controller> {
        *self.known.get_mut() = 0;
        &mut self.inner
    }
}

impl<F: ControllerFactory + Send + Sync + 'static> ControllerFactory for Floored<F> {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = Arc::clone(&self.factory).build(now, current_mtu);
        Box::new(FlooredController::new(inner, self.floor))
    }
}

impl Controller for FlooredController {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        // What is sent changes no window of quinn's controllers, only what is heard of it.
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.changed().on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.changed().on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.changed().on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.changed().on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        match self.known.load(Ordering::Relaxed) {
            0 => {
                let window = self.inner.window().max(self.floor);
                self.known.store(window, Ordering::Relaxed);
                window
            }
            known => known,
        }
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = self.inner.metrics();
        metrics.congestion_window = self.window();
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self::new(self.inner.clone_box(), self.floor))
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self.inner.into_any()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_never_falls_below_the_floor() {
        let factory = Arc::new(quinn::congestion::NewRenoConfig::default());
        let floored = Arc::new(Floored { factory, floor: 24_000 });
        let now = Instant::now();
        let mut controller = floored.build(now, 1_200);
        for _ in 0..10 {
            controller.on_congestion_event(now, Instant::now(), true, 1_200);
        }
        assert_eq!(controller.window(), 24_000);
        assert_eq!(controller.clone_box().window(), 24_000);
        assert_eq!(controller.metrics().congestion_window, 24_000);
    }
}

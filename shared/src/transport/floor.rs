//! A congestion window that leaves room for live media.
//!
//! quinn's BBR takes the path to be as fast as what was sent, and a broadcast sends little most of the
//! time. What it leaves open while it measures the round trip time (for 200 ms or more) or mends a loss is
//! then less than a keyframe needs, so that a path that loses one packet in a hundred stalls for half a
//! second at a time. With a floor under the window such phases pass unnoticed.

use std::{any::Any, sync::Arc, time::Instant};

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
}

impl<F: ControllerFactory + Send + Sync + 'static> ControllerFactory for Floored<F> {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = Arc::clone(&self.factory).build(now, current_mtu);
        Box::new(FlooredController { inner, floor: self.floor })
    }
}

impl Controller for FlooredController {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.inner.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.inner.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.inner.window().max(self.floor)
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = self.inner.metrics();
        metrics.congestion_window = self.window();
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self { inner: self.inner.clone_box(), floor: self.floor })
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

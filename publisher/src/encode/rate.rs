//! Decides which bitrate the path to the relay carries. Pure: time and measurements are arguments.
//!
//! Three signs say that the path is behind: groups were let go before they were sent, round trips take much
//! longer than the shortest of late (a queue stands somewhere), or more packets are lost than chance
//! explains. Any of them lowers the bitrate by a step; calm raises it, slowly, to where it began.

use std::time::Duration;

use shared::media::Bitrate;

/// What the path did until now, as counters that only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// Smoothed round trip time.
    pub rtt: Duration,
    /// Packets sent.
    pub sent_packets: u64,
    /// Packets held to be lost.
    pub lost_packets: u64,
    /// Groups of which something was let go since the path was behind.
    pub skipped_groups: u64,
}

/// Steers the sum of all renditions' bitrates between a floor and a ceiling.
#[derive(Debug)]
pub struct Controller {
    ceiling: Bitrate,
    floor: Bitrate,
    target: f64,
    shortest: ShortestRtt,
    last: Option<(Duration, Sample)>,
    lowered_at: Option<Duration>,
}

impl Controller {
    /// A controller that begins at `ceiling`, what the streamer asked for, and never goes below a tenth.
    pub fn new(ceiling: Bitrate) -> Self {
        let floor = Bitrate(ceiling.0 / 10);
        Self {
            ceiling,
            floor,
            target: f64::from(ceiling.0),
            shortest: ShortestRtt::default(),
            last: None,
            lowered_at: None,
        }
    }

    /// Forgets the path but not the bitrate: a new connection counts from zero.
    pub fn reconnected(&mut self) {
        self.last = None;
        self.shortest = ShortestRtt::default();
    }

    /// Takes one more measurement, made at `now` since any fixed start; answers with the bitrate to use.
    /// Measurements nearer than 200 ms to the last one are not looked at.
    pub fn update(&mut self, now: Duration, sample: Sample) -> Bitrate {
        let Some((then, last)) = self.last else {
            self.last = Some((now, sample));
            self.shortest.add(now, sample.rtt);
            return self.target();
        };
        let passed = now.saturating_sub(then);
        if passed < MEASURE_EVERY {
            return self.target();
        }
        self.last = Some((now, sample));
        let shortest = self.shortest.add(now, sample.rtt);
        if behind(&last, &sample, shortest) {
            if self.lowered_at.is_none_or(|at| now.saturating_sub(at) >= LOWER_EVERY) {
                self.target = (self.target * LOWER_BY).max(f64::from(self.floor.0));
                self.lowered_at = Some(now);
            }
        } else if self.lowered_at.is_none_or(|at| now.saturating_sub(at) >= CALM) {
            let step = f64::from(self.ceiling.0) * RAISE_A_SECOND * passed.as_secs_f64();
            self.target = (self.target + step).min(f64::from(self.ceiling.0));
        }
        self.target()
    }

    fn target(&self) -> Bitrate {
        Bitrate(self.target as u32)
    }

    /// Part of the ceiling that is used, 0.1 to 1: every rendition gets that part of what it asked for.
    pub fn share(&self) -> f64 {
        self.target / f64::from(self.ceiling.0)
    }
}

const MEASURE_EVERY: Duration = Duration::from_millis(200);
/// A lower bitrate needs about a round trip and a queue's length to show.
const LOWER_EVERY: Duration = Duration::from_millis(500);
const LOWER_BY: f64 = 0.8;
/// How long all must be well before the bitrate is raised again.
const CALM: Duration = Duration::from_secs(3);
const RAISE_A_SECOND: f64 = 0.05;
/// Random loss of a few percent is normal on radio links and no reason to send less.
const LOSS: f64 = 0.1;
/// A round trip this much longer than the shortest means a standing queue.
const QUEUE: Duration = Duration::from_millis(100);

fn behind(last: &Sample, now: &Sample, shortest: Duration) -> bool {
    let sent = now.sent_packets.saturating_sub(last.sent_packets);
    let lost = now.lost_packets.saturating_sub(last.lost_packets);
    now.skipped_groups > last.skipped_groups
        || now.rtt > shortest * 2 + QUEUE
        || (sent >= 20 && lost as f64 > sent as f64 * LOSS)
}

/// The shortest round trip of the last 30 to 60 seconds, so that a changed route is learnt.
#[derive(Debug, Default)]
struct ShortestRtt {
    began: Duration,
    before: Option<Duration>,
    current: Option<Duration>,
}

impl ShortestRtt {
    fn add(&mut self, now: Duration, rtt: Duration) -> Duration {
        if now.saturating_sub(self.began) >= Duration::from_secs(30) {
            self.began = now;
            self.before = self.current.take();
        }
        let current = self.current.map_or(rtt, |current| current.min(rtt));
        self.current = Some(current);
        self.before.map_or(current, |before| before.min(current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CEILING: Bitrate = Bitrate(2_000_000);

    /// Runs `seconds` of a path with this round trip and these packets a second.
    struct Path {
        controller: Controller,
        now: Duration,
        sample: Sample,
    }

    impl Path {
        fn new() -> Self {
            Self { controller: Controller::new(CEILING), now: Duration::ZERO, sample: Sample::default() }
        }

        fn run(&mut self, seconds: u64, rtt: u64, lost_of_100: u64, skipped: u64) -> Bitrate {
            let mut bitrate = CEILING;
            for _ in 0..seconds * 5 {
                self.now += Duration::from_millis(200);
                self.sample.rtt = Duration::from_millis(rtt);
                self.sample.sent_packets += 100;
                self.sample.lost_packets += lost_of_100;
                self.sample.skipped_groups += skipped;
                bitrate = self.controller.update(self.now, self.sample);
            }
            bitrate
        }
    }

    #[test]
    fn a_good_path_and_random_loss_keep_the_bitrate() {
        let mut path = Path::new();
        assert_eq!(path.run(10, 20, 0, 0), CEILING);
        assert_eq!(path.run(60, 25, 3, 0), CEILING);
    }

    #[test]
    fn a_queue_heavy_loss_and_skipped_groups_each_lower_it_and_calm_brings_it_back() {
        for (rtt, lost, skipped) in [(400, 0, 0), (20, 20, 0), (20, 0, 1)] {
            let mut path = Path::new();
            path.run(5, 20, 0, 0);
            let lowered = path.run(2, rtt, lost, skipped);
            assert!(lowered < Bitrate(CEILING.0 / 2), "{rtt} ms, {lost} % lost: {lowered}");
            let calm = path.run(2, 20, 0, 0);
            assert_eq!(calm, lowered, "not raised at once");
            assert_eq!(path.run(25, 20, 0, 0), CEILING, "raised in the end");
        }
    }

    #[test]
    fn it_never_goes_below_a_tenth() {
        let mut path = Path::new();
        path.run(1, 20, 0, 0);
        assert_eq!(path.run(20, 20, 50, 1), Bitrate(CEILING.0 / 10));
        assert!((path.controller.share() - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_longer_route_is_learnt() {
        let mut path = Path::new();
        path.run(10, 10, 0, 0);
        assert!(path.run(20, 180, 0, 0) < CEILING, "at first it looks like a queue");
        assert_eq!(path.run(120, 180, 0, 0), CEILING);
    }

    #[test]
    fn counters_that_begin_anew_are_no_sign_of_anything() {
        let mut path = Path::new();
        path.run(5, 20, 0, 0);
        path.sample = Sample::default();
        path.controller.reconnected();
        assert_eq!(path.run(5, 90, 1, 0), CEILING);
    }
}

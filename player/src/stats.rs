//! What a viewer experiences, in numbers.
//!
//! `--stats json` prints a [`Report`] a second, and a last one with `"final": true`. Percentiles, counts
//! and durations are of the whole run; `bitrate` is of the last second.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use shared::{
    media::{Resolution, Timestamp},
    transport::{Kind, PathStats},
};

use crate::{jitter::Transit, playhead::Rebuffering, state::State};

/// One line of statistics.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Whether this is the last.
    #[serde(rename = "final")]
    is_final: bool,
    /// Since the command.
    time_ms: u64,
    /// connecting, live, buffering, offline or ended.
    state: State,
    /// quic or webtransport.
    transport: Option<&'static str>,
    /// The picture track that plays.
    rendition: Option<String>,
    /// Its size.
    resolution: Option<String>,
    /// From the command to the first picture.
    startup_ms: Option<f64>,
    /// How old that picture was: a late joiner's is the first of its group.
    first_picture_age_ms: Option<f64>,
    /// From the command to playing at the live edge.
    live_after_ms: Option<f64>,
    /// From the timecode in the picture to its showing, of pictures captured after playing started.
    glass_to_glass: Percentiles,
    /// From the LOC Timestamp to the picture's showing, of the same pictures.
    loc_latency: Percentiles,
    /// Distance between the picture that is shown and the sound that plays, either way.
    lip_sync: Percentiles,
    /// Times without anything to play.
    rebuffering: RebufferingReport,
    /// Pictures.
    frames: Frames,
    /// Packets of sound.
    sound: Packets,
    /// Media bits that came in the last second.
    bitrate: u64,
    /// Round trip time.
    rtt_ms: f64,
    /// Share of this side's packets that were lost.
    loss: f64,
    /// What is held back beyond the shortest way.
    buffer_ms: f64,
    /// From capture to playing, by the clocks at both ends.
    delay_ms: Option<f64>,
    /// How fast it plays; 1 is as captured, 0 stands.
    rate: f64,
}

/// A distribution in milliseconds.
#[derive(Debug, Serialize)]
struct Percentiles {
    p50: f64,
    p95: f64,
    p99: f64,
    /// How many were measured; where 0, the rest means nothing.
    n: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RebufferingReport {
    count: u64,
    duration_ms: f64,
}

/// Counts of pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Frames {
    /// Given by the decoder.
    pub(crate) decoded: u64,
    /// Never decoded: lost, too late or without their references.
    pub(crate) dropped: u64,
    /// Decoded, but shown more than a frame late or not at all.
    pub(crate) late: u64,
    /// Shown.
    pub(crate) shown: u64,
    /// Objects that are not LOC, or damaged frames.
    pub(crate) unreadable: u64,
    /// Not recorded, since the file could not be written as fast.
    pub(crate) not_recorded: u64,
}

/// Counts of sound packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Packets {
    /// Given by the decoder.
    pub(crate) decoded: u64,
    /// Missing or too late: concealed or silent.
    pub(crate) dropped: u64,
    /// Not LOC, not Opus, or damaged.
    pub(crate) unreadable: u64,
}

/// What is measured as it happens.
pub(crate) struct Stats {
    started: Timestamp,
    /// When the first picture was shown, and its age.
    first_picture: Option<(Timestamp, Duration)>,
    live_at: Option<Timestamp>,
    glass_to_glass: Histogram<u32>,
    loc_latency: Histogram<u32>,
    lip_sync: Histogram<u32>,
    bytes: u64,
    bytes_before: u64,
    bytes_since: Timestamp,
    path: Option<(Kind, PathStats)>,
    pub(crate) frames: Frames,
    pub(crate) sound: Packets,
}

/// What stands at the time of a report.
pub(crate) struct Now<'a> {
    pub(crate) at: Timestamp,
    pub(crate) state: State,
    pub(crate) rendition: Option<&'a str>,
    pub(crate) resolution: Option<Resolution>,
    pub(crate) rebuffering: &'a Rebuffering,
    pub(crate) buffer: Duration,
    pub(crate) delay: Option<Transit>,
    pub(crate) rate: f64,
}

/// A picture that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its LOC Timestamp.
    pub(crate) captured: Timestamp,
    /// The time burned into it.
    pub(crate) timecode: Option<Timestamp>,
    /// When it was shown.
    pub(crate) at: Timestamp,
}

/// Which part of playing a picture belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Shown on the way to the live edge: it counts for the startup time, not for the latency.
    Start,
    /// Captured after playing started.
    Live,
}

/// Latencies are counted up to an hour.
const MOST_MICROS: u64 = 3_600_000_000;

impl Stats {
    /// Counts from the moment of the command.
    pub(crate) fn new(started: Timestamp) -> Self {
        // Within a percent, which the bounds allow by construction.
        let histogram = || Histogram::new_with_bounds(1, MOST_MICROS, 2).expect("constant bounds are valid");
        Self {
            started,
            first_picture: None,
            live_at: None,
            glass_to_glass: histogram(),
            loc_latency: histogram(),
            lip_sync: histogram(),
            bytes: 0,
            bytes_before: 0,
            bytes_since: started,
            path: None,
            frames: Frames::default(),
            sound: Packets::default(),
        }
    }

    /// Media that came.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// What the path did so far.
    pub(crate) fn path(&mut self, kind: Kind, path: PathStats) {
        self.path = Some((kind, path));
    }

    /// A picture was shown.
    pub(crate) fn shown(&mut self, shown: Shown, moment: Moment) {
        self.first_picture.get_or_insert((shown.at, shown.at.since(shown.captured)));
        self.frames.shown += 1;
        if moment == Moment::Start {
            return;
        }
        record(&mut self.loc_latency, shown.at.since(shown.captured));
        if let Some(timecode) = shown.timecode {
            record(&mut self.glass_to_glass, shown.at.since(timecode));
        }
    }

    /// Playing starts.
    pub(crate) fn live(&mut self, at: Timestamp) {
        self.live_at.get_or_insert(at);
    }

    /// A picture was shown while sound of another moment played.
    pub(crate) fn lip_sync(&mut self, picture: Timestamp, sound: Timestamp) {
        record(&mut self.lip_sync, picture.since(sound).max(sound.since(picture)));
    }

    /// Whether a picture was shown.
    pub(crate) fn has_picture(&self) -> bool {
        self.first_picture.is_some()
    }

    /// The line for now.
    pub(crate) fn report(&mut self, now: &Now<'_>, is_final: bool) -> Report {
        let elapsed = now.at.since(self.bytes_since).as_secs_f64();
        let bits = (self.bytes - self.bytes_before) as f64 * 8.0;
        let bitrate = if elapsed > 0.0 { (bits / elapsed) as u64 } else { 0 };
        (self.bytes_before, self.bytes_since) = (self.bytes, now.at);
        let path = self.path.map(|(_, path)| path).unwrap_or_default();
        Report {
            is_final,
            time_ms: u64::try_from(now.at.since(self.started).as_millis()).unwrap_or(u64::MAX),
            state: now.state,
            transport: self.path.map(|(kind, _)| match kind {
                Kind::Quic => "quic",
                Kind::WebTransport => "webtransport",
                Kind::Memory => "memory",
            }),
            rendition: now.rendition.map(str::to_owned),
            resolution: now.resolution.map(|resolution| resolution.to_string()),
            startup_ms: self.first_picture.map(|(at, _)| millis(at.since(self.started))),
            first_picture_age_ms: self.first_picture.map(|(_, age)| millis(age)),
            live_after_ms: self.live_at.map(|at| millis(at.since(self.started))),
            glass_to_glass: percentiles(&self.glass_to_glass),
            loc_latency: percentiles(&self.loc_latency),
            lip_sync: percentiles(&self.lip_sync),
            rebuffering: RebufferingReport {
                count: now.rebuffering.count(),
                duration_ms: millis(now.rebuffering.total(now.at)),
            },
            frames: self.frames,
            sound: self.sound,
            bitrate,
            rtt_ms: millis(path.rtt),
            loss: if path.sent_packets == 0 {
                0.0
            } else {
                path.lost_packets as f64 / path.sent_packets as f64
            },
            buffer_ms: millis(now.buffer),
            delay_ms: now.delay.map(|delay| delay.0 as f64 / 1e3),
            rate: (now.rate * 1e3).round() / 1e3,
        }
    }
}

impl Report {
    /// As one line for programs.
    pub(crate) fn json(&self) -> String {
        // Numbers, strings and plain structs always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As a few short lines for the picture's corner.
    pub(crate) fn lines(&self) -> Vec<String> {
        let latency = if self.glass_to_glass.n > 0 { &self.glass_to_glass } else { &self.loc_latency };
        let rendition = self.rendition.as_deref().unwrap_or("-");
        vec![
            format!("{rendition} {}", self.resolution.as_deref().unwrap_or_default()),
            format!("latency   {:.0} ms, p99 {:.0} ms", latency.p50, latency.p99),
            format!("buffer    {:.0} ms", self.buffer_ms),
            format!("bitrate   {:.0} kbit/s", self.bitrate as f64 / 1e3),
            format!("dropped   {}, late {}", self.frames.dropped, self.frames.late),
            format!("paused    {} times, {:.0} ms", self.rebuffering.count, self.rebuffering.duration_ms),
            format!("network   {:.0} ms, {:.1} % lost", self.rtt_ms, self.loss * 100.0),
            format!("transport {}", self.transport.unwrap_or("-")),
        ]
    }

    /// As one line for people.
    pub(crate) fn text(&self) -> String {
        let latency = match (self.glass_to_glass.n, self.loc_latency.n) {
            (0, 0) => "no picture yet".to_owned(),
            (0, _) => format!("latency {:.0} ms (p99 {:.0})", self.loc_latency.p50, self.loc_latency.p99),
            _ => format!(
                "glass to glass {:.0} ms (p99 {:.0})",
                self.glass_to_glass.p50, self.glass_to_glass.p99
            ),
        };
        format!(
            "{:>5.1} s  {}  {}  {:.0} kbit/s  {latency}  buffer {:.0} ms  shown {}  dropped {}  late {}  \
             rebuffering {} ({:.0} ms)  rtt {:.1} ms",
            self.time_ms as f64 / 1e3,
            self.state.text(),
            self.rendition.as_deref().unwrap_or("-"),
            self.bitrate as f64 / 1e3,
            self.buffer_ms,
            self.frames.shown,
            self.frames.dropped,
            self.frames.late,
            self.rebuffering.count,
            self.rebuffering.duration_ms,
            self.rtt_ms,
        )
    }
}

fn record(histogram: &mut Histogram<u32>, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    histogram.saturating_record(micros.min(MOST_MICROS));
}

fn percentiles(histogram: &Histogram<u32>) -> Percentiles {
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Percentiles { p50: at(0.5), p95: at(0.95), p99: at(0.99), n: histogram.len() }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_fields_that_help_promises() {
        let started = Timestamp(1_000_000_000);
        let mut stats = Stats::new(started);
        for frame in 0..100u64 {
            let captured = Timestamp(started.0 + 200_000 + frame * 33_333);
            let at = captured + Duration::from_millis(40);
            stats.shown(Shown { captured, timecode: (frame % 2 == 0).then_some(captured), at }, Moment::Live);
            stats.lip_sync(captured, captured + Duration::from_millis(5));
            stats.received(1_000);
        }
        let rebuffering = Rebuffering::default();
        let now = Now {
            at: started + Duration::from_secs(4),
            state: State::Live,
            rendition: Some("video-720p"),
            resolution: None,
            rebuffering: &rebuffering,
            buffer: Duration::from_millis(12),
            delay: Some(Transit(38_000)),
            rate: 1.0,
        };
        let json = stats.report(&now, true).json();
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["final"], true);
        assert_eq!(value["state"], "live");
        assert_eq!(value["startupMs"], 240.0);
        assert_eq!(value["glassToGlass"]["n"], 50);
        let p50 = value["locLatency"]["p50"].as_f64().expect("a number");
        assert!((39.5..=40.5).contains(&p50), "{p50}");
        assert_eq!(value["bitrate"], 200_000);
        assert_eq!(value["rebuffering"]["count"], 0);
        assert_eq!(value["frames"]["shown"], 100);
        for field in ["lipSync", "rttMs", "loss", "bufferMs", "delayMs", "transport", "rendition"] {
            assert!(value.get(field).is_some(), "{field}");
        }
    }
}

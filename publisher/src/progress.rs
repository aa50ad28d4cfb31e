//! The line that tells the streamer how it goes: rewritten each second on a terminal, else logged now and
//! then.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::stats::Stats;

/// Shows progress until it is dropped. `labels` name the renditions in the ladder's order.
pub(crate) async fn show(stats: Arc<Stats>, labels: Vec<String>) {
    let terminal = std::io::stderr().is_terminal();
    let began = Instant::now();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    let mut last = Snapshot::of(&stats, Duration::ZERO);
    let mut logged = last.clone();
    loop {
        ticks.tick().await;
        let now = Snapshot::of(&stats, began.elapsed());
        for notice in notices(&last, &now) {
            if terminal {
                eprint!("\r\x1b[K");
            }
            tracing::warn!("{notice}");
        }
        if terminal {
            // Where standard error is gone nobody reads it.
            let _ = write!(std::io::stderr(), "\r\x1b[K{}", line(&last, &now, &labels));
            let _ = std::io::stderr().flush();
        } else if now.at.saturating_sub(logged.at) >= LOG_EVERY {
            tracing::info!("{}", line(&logged, &now, &labels));
            logged = now.clone();
        }
        last = now;
    }
}

const EVERY: Duration = Duration::from_secs(1);
const LOG_EVERY: Duration = Duration::from_millis(9_500);

/// The counters at one moment.
#[derive(Debug, Clone, Default)]
struct Snapshot {
    at: Duration,
    dropped: u64,
    too_large: u64,
    off_air: u64,
    skipped_groups: u64,
    /// Frames and bytes of each rendition.
    renditions: Vec<(u64, u64)>,
    audio_bytes: u64,
    viewers: Option<u64>,
    rtt_micros: Option<u64>,
}

impl Snapshot {
    fn of(stats: &Stats, at: Duration) -> Self {
        Self {
            at,
            dropped: stats.dropped.value(),
            too_large: stats.too_large.value(),
            off_air: stats.off_air.value(),
            skipped_groups: stats.skipped_groups.value(),
            renditions: stats
                .renditions
                .iter()
                .map(|rendition| (rendition.frames.value(), rendition.bytes.value()))
                .collect(),
            audio_bytes: stats.audio_bytes.value(),
            viewers: stats.viewers(),
            rtt_micros: stats.rtt_micros(),
        }
    }
}

/// What happened in the last second that the streamer is to know, as counts.
fn notices(last: &Snapshot, now: &Snapshot) -> Vec<String> {
    let mut notices = Vec::new();
    let dropped = now.dropped.saturating_sub(last.dropped);
    if dropped > 0 {
        notices.push(format!(
            "{dropped} pictures let go before encoding in the last second: this machine is too busy; \
             try fewer or smaller renditions"
        ));
    }
    let too_large = now.too_large.saturating_sub(last.too_large);
    if too_large > 0 {
        notices.push(format!(
            "{too_large} pictures let go in the last second: more changes than the bitrate can show; \
             try a higher bitrate or a lower frame rate"
        ));
    }
    let skipped = now.skipped_groups.saturating_sub(last.skipped_groups);
    if skipped > 0 {
        notices
            .push(format!("{skipped} groups let go in the last second: the path to the relay is too slow"));
    }
    notices
}

fn line(last: &Snapshot, now: &Snapshot, labels: &[String]) -> String {
    let passed = now.at.saturating_sub(last.at).as_secs_f64().max(0.001);
    let seconds = now.at.as_secs();
    let state = if now.rtt_micros.is_some() { "on air" } else { "no relay" };
    let mut line = format!("{state} {}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    for (index, (label, &(frames, bytes))) in labels.iter().zip(&now.renditions).enumerate() {
        let (frames_then, bytes_then) = last.renditions.get(index).copied().unwrap_or_default();
        let rate = frames.saturating_sub(frames_then) as f64 / passed;
        let kbits = bytes.saturating_sub(bytes_then) as f64 * 8.0 / 1000.0 / passed;
        let _ = write!(line, " | {label} {rate:.0} fps {kbits:.0} kbit/s");
    }
    let audio = now.audio_bytes.saturating_sub(last.audio_bytes) as f64 * 8.0 / 1000.0 / passed;
    if now.audio_bytes > 0 {
        let _ = write!(line, " | sound {audio:.0} kbit/s");
    }
    if let Some(viewers) = now.viewers {
        let _ = write!(line, " | {viewers} watching");
    }
    if let Some(micros) = now.rtt_micros {
        let _ = write!(line, " | rtt {:.1} ms", micros as f64 / 1000.0);
    }
    let dropped = now.dropped + now.too_large;
    if dropped > 0 {
        let _ = write!(line, " | {dropped} dropped");
    }
    if now.off_air > 0 {
        let _ = write!(line, " | {} unsent", now.off_air);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(seconds: u64) -> Snapshot {
        Snapshot {
            at: Duration::from_secs(seconds),
            renditions: vec![(30 * seconds, 250_000 * seconds)],
            audio_bytes: 12_000 * seconds,
            viewers: Some(3),
            rtt_micros: Some(12_340),
            ..Snapshot::default()
        }
    }

    #[test]
    fn the_line_tells_rates_since_the_last_one() {
        let said = line(&snapshot(3723), &snapshot(3725), &["720p".to_owned()]);
        let expected =
            "on air 1:02:05 | 720p 30 fps 2000 kbit/s | sound 96 kbit/s | 3 watching | rtt 12.3 ms";
        assert_eq!(said, expected);
        let away = Snapshot { rtt_micros: None, viewers: None, off_air: 7, ..snapshot(2) };
        let said = line(&snapshot(1), &away, &["720p".to_owned()]);
        assert!(said.starts_with("no relay") && said.ends_with("7 unsent"), "{said}");
    }

    #[test]
    fn drops_are_said_as_a_count_and_only_while_they_happen() {
        let busy = Snapshot { dropped: 12, ..snapshot(2) };
        assert!(notices(&snapshot(1), &busy)[0].starts_with("12 pictures"));
        assert!(notices(&busy, &busy).is_empty());
        let full = Snapshot { too_large: 5, ..busy.clone() };
        assert!(notices(&busy, &full)[0].starts_with("5 pictures let go in"));
        assert!(line(&busy, &full, &[]).ends_with("17 dropped"));
    }
}

//! What a person who runs the relay should know of.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use shared::naming::Room;

use super::window::{RECENT, Window};
use crate::process;

/// Of all cores, from where on the machine is said to be at its limit.
const BUSY: f64 = 0.85;
/// Handshakes that have to fail before it is more than chance.
const FEW: u64 = 5;
/// How long before its end a certificate is warned of.
const SOON: Duration = Duration::from_secs(3 * 24 * 3600);
/// Rooms that are warned of one by one.
const MAX_ROOMS: usize = 20;

/// A warning. The page has the words, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub(super) enum Warning {
    /// Viewers of a room are too slow for what it sends: so many objects were let go in ten seconds.
    ViewersSkipped { room: String, count: u64 },
    /// Viewers take tracks of a room, and for ten seconds nothing came from its publisher.
    PublisherSilent { room: String },
    /// So many analytics events were lost in ten seconds.
    AnalyticsLost { count: u64 },
    /// So many connections were refused in ten seconds, since as many as allowed were open.
    ConnectionsRefused { count: u64 },
    /// So many handshakes failed in ten seconds, more than half of all.
    HandshakesFail { count: u64 },
    /// So many datagrams were dropped in ten seconds.
    DatagramsDropped { count: u64 },
    /// The program takes so much of all cores, in hundredths.
    CpuBusy { percent: u64 },
    /// The certificate ends in so many hours.
    CertificateEnds { hours: u64 },
}

/// What there is to warn of, worst for viewers first.
pub(super) fn of(
    window: &Window,
    rooms: &BTreeMap<Room, usize>,
    certificate_ends: SystemTime,
    now: SystemTime,
) -> Vec<Warning> {
    let mut skipped: BTreeMap<String, u64> = BTreeMap::new();
    let mut silent: BTreeMap<String, bool> = BTreeMap::new();
    for (track, recent, is_whole) in window.recent() {
        let Some(room) = &track.room else { continue };
        *skipped.entry(room.to_string()).or_default() += recent.skipped;
        if rooms.contains_key(room) && track.viewers.value() > 0 && track.name != "catalog" && is_whole {
            *silent.entry(room.to_string()).or_insert(true) &= recent.objects_in == 0;
        }
    }
    let silent = silent.into_iter().filter(|(_, silent)| *silent).take(MAX_ROOMS);
    let skipped = skipped.into_iter().filter(|(_, count)| *count > 0).take(MAX_ROOMS);
    let mut warnings: Vec<Warning> = silent.map(|(room, _)| Warning::PublisherSilent { room }).collect();
    warnings.extend(skipped.map(|(room, count)| Warning::ViewersSkipped { room, count }));
    if let Some((one, next)) = window.span(RECENT) {
        let mut add = |one: u64, next: u64, warning: fn(u64) -> Warning| {
            warnings.extend((next > one).then(|| warning(next - one)));
        };
        add(one.refused, next.refused, |count| Warning::ConnectionsRefused { count });
        add(one.analytics_lost, next.analytics_lost, |count| Warning::AnalyticsLost { count });
        add(one.datagrams_dropped, next.datagrams_dropped, |count| Warning::DatagramsDropped { count });
        let failed = next.handshakes_failed.saturating_sub(one.handshakes_failed);
        let started = next.handshakes_started.saturating_sub(one.handshakes_started);
        if failed >= FEW && failed * 2 > started {
            warnings.push(Warning::HandshakesFail { count: failed });
        }
    }
    let share = window.cpu_percent().map(|percent| percent / 100.0 / process::cores() as f64);
    if let Some(share) = share.filter(|share| *share >= BUSY) {
        warnings.push(Warning::CpuBusy { percent: (share * 100.0).round() as u64 });
    }
    let left = certificate_ends.duration_since(now).unwrap_or_default();
    if left < SOON {
        warnings.push(Warning::CertificateEnds { hours: left.as_secs() / 3600 });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use super::{
        super::window::tests::{moment, track},
        *,
    };
    use crate::metrics::Latency;

    #[test]
    fn a_room_is_warned_of_while_it_has_trouble() {
        let (start, slow, dead) = (Instant::now(), track("slow"), track("dead"));
        let rooms: BTreeMap<Room, usize> =
            ["slow", "dead"].map(|room| (room.parse().expect("a room"), 1)).into();
        let far = SystemTime::now() + 2 * SOON;
        let mut window = Window::default();
        let mut seen = Vec::new();
        for second in 0..40_u32 {
            slow.objects_in.add(30);
            slow.viewers.set(1);
            dead.viewers.set(1);
            let mut moment = moment(start + Duration::from_secs(1) * second);
            if (20..22).contains(&second) {
                slow.skipped.add(4);
            }
            moment.analytics_lost = u64::from(second >= 25);
            let tracks = vec![(0, Arc::clone(&slow)), (1, Arc::clone(&dead))];
            window.take(moment, tracks, Latency::default().look());
            seen.push(of(&window, &rooms, far, SystemTime::now()));
        }
        let silent = Warning::PublisherSilent { room: "dead".to_owned() };
        let skips = |count| Warning::ViewersSkipped { room: "slow".to_owned(), count };
        assert_eq!(seen[5], [], "too early to say");
        assert_eq!(seen[12], std::slice::from_ref(&silent));
        assert_eq!(seen[21], [silent.clone(), skips(8)]);
        assert_eq!(seen[30], [silent.clone(), skips(4), Warning::AnalyticsLost { count: 1 }]);
        assert_eq!(seen[39], [silent], "it is over");
    }

    #[test]
    fn a_certificate_is_warned_of_in_time() {
        let (window, now) = (Window::default(), SystemTime::now());
        let at = |end| of(&window, &BTreeMap::new(), end, now);
        assert_eq!(at(now + SOON), []);
        assert_eq!(at(now + SOON / 2), [Warning::CertificateEnds { hours: 36 }]);
        assert_eq!(at(now - SOON), [Warning::CertificateEnds { hours: 0 }]);
    }
}

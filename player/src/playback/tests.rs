use std::sync::{
    atomic::{AtomicU64, Ordering},
    mpsc,
};

use bytes::Bytes;
use serde_json::Value;
use shared::{
    loc,
    media::{Resolution, VideoFrame},
    moqt::{GroupId, Location, Object, Priority, Properties, Status, Subgroup, SubgroupEnd, SubgroupId},
};

use super::*;
use crate::{
    decode::DecodeError,
    random::Random,
    session::{SoundFeed, VideoFeed},
};

/// A clock that all parts of a test share.
#[derive(Clone)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::Relaxed);
    }
}

/// Takes its time for each picture.
struct Slow {
    clock: Clock,
    cost: Duration,
}

impl Decoder for Slow {
    fn decode(&mut self, frame: &VideoFrame) -> Result<Option<Picture>, DecodeError> {
        self.clock.set(self.clock.now() + self.cost);
        Ok(Some(Picture::black(Resolution { width: 2, height: 2 }, frame.timestamp)))
    }
}

struct Screen {
    clock: Clock,
    shown: mpsc::SyncSender<Shown>,
}

impl Display for Screen {
    fn show(&mut self, picture: &Arc<Picture>) {
        let (captured, at) = (picture.timestamp, self.clock.now());
        self.shown.send(Shown { captured, timecode: Some(captured), at }).expect("room");
    }

    fn state(&mut self, _: State) {}

    fn report(&mut self, _: &Report) {}

    fn close(&mut self) {}
}

/// A playback, and what is on the way to it.
struct Room {
    clock: Clock,
    playback: Playback,
    arrivals: Vec<(Timestamp, Event)>,
    _control: tokio::sync::mpsc::Receiver<Control>,
}

const START: Timestamp = Timestamp(1_000_000_000_000);
const INTERVAL: Duration = Duration::from_micros(33_333);
const PACKET: Duration = Duration::from_millis(20);
const GOP: u64 = 60;
const VIDEO: FeedId = FeedId::of(1);
const SOUND: FeedId = FeedId::of(2);
/// The network's shortest way.
const WAY: Duration = Duration::from_millis(5);

impl Room {
    fn new(cost: Duration) -> Self {
        let clock = Clock(Arc::new(AtomicU64::new(START.0)));
        let (shown, reports) = mpsc::sync_channel(1_000);
        let (control, _control) = tokio::sync::mpsc::channel(100);
        let playback = Playback::new(Parts {
            decoder: Box::new(Slow { clock: clock.clone(), cost }),
            opus: opus::Opus::new().expect("a decoder"),
            display: Box::new(Screen { clock: clock.clone(), shown }),
            shown: reports,
            recorder: None,
            control,
            latency: Latency::Auto,
            output: sound::Output::Silent,
            started: START,
        });
        Self { clock, playback, arrivals: Vec::new(), _control }
    }

    /// Pictures and sound from `first` (in pictures since the epoch of the test) on; the subscription
    /// is granted when picture `joined` is the newest. `late` delays each by so much.
    fn broadcast(&mut self, joined: u64, last: u64, mut late: impl FnMut(u64, Timestamp) -> Duration) {
        let largest = (joined > 0).then(|| Location::new(joined / GOP, joined % GOP));
        let begin = captured(joined) + INTERVAL / 2;
        let feed = VideoFeed {
            id: VIDEO,
            name: "video".into(),
            resolution: None,
            frame_rate: Some("30".parse().expect("a rate")),
            largest,
        };
        self.arrivals.push((begin, Event::Video(feed)));
        let packets = |picture: u64| captured(picture).since(START).as_millis() as u64 / 20;
        let newest_packet = packets(joined).saturating_sub(1);
        let largest = (joined > 0).then(|| Location::new(newest_packet, 0));
        self.arrivals.push((begin, Event::Sound(SoundFeed { id: SOUND, largest })));
        let mut ready = begin;
        for picture in joined / GOP * GOP..last {
            // One stream: none overtakes another.
            let at = (captured(picture) + WAY + late(picture, captured(picture))).max(ready);
            ready = at + Duration::from_micros(200);
            self.arrivals.push((at, Event::Item { feed: VIDEO, at, item: picture_of(picture) }));
        }
        for packet in newest_packet..packets(last) {
            let captured = START + PACKET * u32::try_from(packet).expect("small");
            let at = (captured + PACKET + WAY + late(1_000_000 + packet, captured)).max(begin);
            self.arrivals.push((at, Event::Item { feed: SOUND, at, item: packet_of(packet, captured) }));
        }
        self.arrivals.sort_by_key(|(at, _)| *at);
        self.clock.set(begin);
    }

    fn run(&mut self, until: Timestamp) -> Value {
        while self.clock.now() < until {
            let due = self.arrivals.partition_point(|(at, _)| *at <= self.clock.now());
            for (_, event) in self.arrivals.drain(..due) {
                self.playback.take(event, self.clock.now());
            }
            let now = self.clock.now();
            if self.playback.advance(now) {
                continue;
            }
            let next = self.arrivals.first().map_or(until, |(at, _)| *at);
            let wake = self.playback.deadline(now).min(next);
            self.clock.set(wake.max(now + Duration::from_micros(100)));
        }
        let report = self.playback.report(until, true).json();
        serde_json::from_str(&report).expect("JSON")
    }
}

fn captured(picture: u64) -> Timestamp {
    START + INTERVAL * u32::try_from(picture).expect("small")
}

fn picture_of(picture: u64) -> Item {
    let key: &[u8] = &[0, 0, 0, 1, 0x67, 66, 0xc0, 30, 0, 0, 0, 1, 0x68, 1, 0, 0, 0, 1, 0x65, 1];
    let payload = if picture.is_multiple_of(GOP) { key } else { &[0, 0, 0, 1, 0x41, 1] };
    object(Location::new(picture / GOP, picture % GOP), captured(picture), payload)
}

fn packet_of(packet: u64, captured: Timestamp) -> Item {
    // CELT, 20 ms, stereo, one frame that says nothing (RFC 6716 §3.1: configuration 31).
    object(Location::new(packet, 0), captured, &[31 << 3 | 4, 0xff, 0xfe])
}

fn object(at: Location, captured: Timestamp, payload: &[u8]) -> Item {
    let header = loc::Header { timestamp: captured, ..loc::Header::default() };
    raw(at, header.encode(), payload)
}

fn raw(at: Location, properties: Properties, payload: &[u8]) -> Item {
    let (group, id) = (at.group, SubgroupId(0));
    let subgroup = Subgroup { group, id, priority: Priority(64), ends_group: true, from_first: true };
    let payload = Bytes::copy_from_slice(payload);
    Item::Object(Object { subgroup, id: at.object, status: Status::Normal, properties, payload })
}

fn number(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {report}"))
}

#[test]
fn a_late_joiner_starts_at_the_live_edge_without_a_break() {
    // However far into a group it joins, and however slow its decoder is: 20 ms for each 33 ms.
    for (joined, cost) in [(60, 1), (75, 5), (90, 12), (119, 3), (119, 12), (119, 20)] {
        let mut room = Room::new(Duration::from_millis(cost));
        room.broadcast(joined, joined + 300, |_, _| Duration::ZERO);
        let report = room.run(captured(joined + 290));
        let what = format!("joined at {joined}, {cost} ms a picture: {report}");
        assert_eq!(number(&report, "/rebuffering/count"), 0.0, "{what}");
        let startup = number(&report, "/startupMs") - captured(joined).since(START).as_secs_f64() * 1e3;
        assert!(startup < 60.0, "{what}");
        // The first picture is the group's, and old; it is no measure of the latency.
        let age = (joined % GOP) as f64 * 33.333;
        assert!((age..age + 100.0).contains(&number(&report, "/firstPictureAgeMs")), "{what}");
        // A decoder that hardly keeps up shows the first pictures late, within what hurrying allows.
        let most = if cost < 20 { 70.0 } else { 120.0 };
        assert!(number(&report, "/glassToGlass/p99") < most, "{what}");
        assert!(number(&report, "/locLatency/n") > 200.0, "{what}");
        if cost < 20 {
            assert!(number(&report, "/frames/late") <= 2.0, "{what}");
        }
    }
}

#[test]
fn a_backlog_that_comes_over_a_narrow_link_is_no_jitter() {
    let mut room = Room::new(Duration::from_millis(2));
    let begin = captured(119) + INTERVAL / 2;
    // The group's 59 pictures take 10 ms each, and the first live ones queue behind them.
    room.broadcast(119, 500, |picture, captured| {
        let passed = begin + Duration::from_millis(10) * u32::try_from(picture % 1_000_000 - 59).unwrap_or(0);
        if (60..200).contains(&picture) { passed.since(captured) } else { Duration::ZERO }
    });
    let report = room.run(captured(490));
    assert_eq!(number(&report, "/rebuffering/count"), 0.0, "{report}");
    assert!(number(&report, "/glassToGlass/p95") < 80.0, "{report}");
    assert!(number(&report, "/delayMs") < 60.0, "{report}");
}

#[test]
fn a_sound_that_fails_is_rebuffering_and_playing_goes_on() {
    let mut room = Room::new(Duration::from_millis(2));
    let stop = captured(100);
    room.broadcast(0, 300, |_, captured| {
        // Nothing comes for 400 ms; then all of it.
        let back = stop + Duration::from_millis(400);
        if captured >= stop { back.since(captured) } else { Duration::ZERO }
    });
    let report = room.run(captured(290));
    assert_eq!(number(&report, "/rebuffering/count"), 1.0, "{report}");
    assert!((300.0..450.0).contains(&number(&report, "/rebuffering/durationMs")), "{report}");
    assert_eq!(report["state"], "live");
}

#[test]
fn losses_that_are_mended_in_time_are_not_seen_or_heard() {
    for seed in 0..10 {
        let mut random = Random::new(seed + 1);
        let mut room = Room::new(Duration::from_millis(3));
        // Way of 20 ms; one in ten pictures and one in fifty packets comes a round trip later or two.
        room.broadcast(0, 1_850, |index, _| {
            let chance = if index < 1_000_000 { 10 } else { 2 };
            let again = Duration::from_millis(55 + random.below(15));
            let lost = if !random.chance(chance) {
                Duration::ZERO
            } else if random.chance(2) {
                again * 2
            } else {
                again
            };
            Duration::from_millis(20) + lost
        });
        let report = room.run(captured(1_800));
        let rebuffering = number(&report, "/rebuffering/durationMs");
        assert!(rebuffering <= 200.0, "seed {seed}: {report}");
        assert!(number(&report, "/lipSync/p95") <= 40.0, "seed {seed}: {report}");
    }
}

#[test]
fn what_is_no_media_is_counted_and_playing_goes_on() {
    let mut room = Room::new(Duration::from_millis(2));
    room.broadcast(0, 400, |_, _| Duration::ZERO);
    for (_, event) in &mut room.arrivals {
        let Event::Item { item: Item::Object(object), feed, .. } = event else { continue };
        let location = object.location();
        match *feed {
            VIDEO if location == Location::new(1, 5) => object.properties = Properties::default(),
            SOUND if location.group == GroupId(50) => object.payload = Bytes::from_static(b""),
            _ => {}
        }
    }
    let end = SubgroupEnd::Finished;
    let item = Item::End { group: GroupId(900), subgroup: SubgroupId(7), end };
    room.arrivals.insert(9, (START, Event::Item { feed: VIDEO, at: START, item }));
    let report = room.run(captured(390));
    assert_eq!(number(&report, "/frames/unreadable"), 1.0, "{report}");
    assert_eq!(number(&report, "/sound/unreadable"), 1.0, "{report}");
    // The rest of group 1 is lost with the object: its keyframe and four more were shown, then groups 2 on.
    let shown = number(&report, "/frames/shown");
    assert!((325.0..=338.0).contains(&shown), "{report}");
    assert_eq!(room.playback.video.as_ref().and_then(|video| video.frames.group()), Some(GroupId(6)));
}

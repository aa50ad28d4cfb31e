//! The whole flow on one screen: `capture -> filter -> encode -> package -> session`.
//!
//! | thread | does |
//! |---|---|
//! | capture | takes pictures from the source, in real time, and puts each into every encoder's slot |
//! | one an encoder | scales, encodes, packages |
//! | sound | takes packets, encodes, packages: pictures never delay it |
//! | the session's task | writes to the relay |
//!
//! A slot holds one picture and the newest wins: an encoder that is too slow lets pictures go before encoding,
//! which is counted, and never lets delay grow.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, anyhow};
use shared::{
    media::{Picture, Timestamp, VideoCodec},
    moqt::GroupId,
    qlog,
    transport::{ClientConfig, Watcher},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use crate::{
    capture::{self, CodedSource, Video, VideoSource},
    catalog,
    config::Config,
    encode::{self, VideoSettings, opus},
    package::{self, AudioPackager, VideoPackager},
    progress, rendition,
    session::{Broadcast, FEED_CAPACITY, Link, Settings},
    stage::{NewGroups, Stage, TrackIndex},
    stats::Stats,
};

mod slot;
mod workers;

use slot::Slot;
use workers::{Capture, Lane, Rendition};

/// Broadcasts as `config` says, until the source ends, the duration has passed or the process is asked to
/// end; then ends the broadcast properly.
///
/// # Errors
/// With one message that says what failed and what to do: a source that cannot be opened or breaks off, a
/// relay that is not there at the start, one that refuses the room, a folder that cannot be written to.
pub async fn run(config: &Config) -> Result<()> {
    let qlog = qlog::Folder::given(config.qlog.as_deref(), "publisher")?;
    let result = broadcast(config, qlog.as_ref().map(qlog::Folder::watcher)).await;
    if let Some(qlog) = qlog {
        qlog.finish();
    }
    result
}

async fn broadcast(config: &Config, watcher: Option<Arc<dyn Watcher>>) -> Result<()> {
    let sources = capture::open(config)?;
    let start = wall_clock();
    let first_group = package::first_group(start);
    let Way { capture, slots, renditions, tracks, mut stage, stats, ladder } = match sources.video {
        Video::Raw(source) => encoded(config, source, first_group)?,
        Video::Coded(source) => direct(source, first_group),
    };

    let catalog_track = stage.add("catalog", NewGroups::AtWill);
    let audio_bitrate = sources.audio.is_some().then_some(config.audio_bitrate);
    let json = catalog::on_air(&ladder, audio_bitrate, start).to_json();
    for item in package::catalog(first_group, json) {
        stage.record(catalog_track, &item);
    }
    let audio_track = stage.add(shared::naming::AUDIO, NewGroups::AtWill);

    let settings = Settings {
        relay: config.relay.clone(),
        room: config.room.clone(),
        token: config.token.clone(),
        transport: ClientConfig { watcher, ..config.transport() },
    };
    let link = Link::connect(&settings).await?;
    tracing::info!(relay = %config.relay, room = %config.room, "on air");

    let (feed, fed) = mpsc::channel(FEED_CAPACITY);
    let stop = Arc::new(AtomicBool::new(false));
    let (ended, mut source_ended) = oneshot::channel();
    {
        let (stop, stats) = (Arc::clone(&stop), Arc::clone(&stats));
        let feed = feed.downgrade();
        spawn("capture", move || {
            // Nobody listens any more where the broadcast was ended first.
            let _ = ended.send(capture.run(&feed, &stats, &stop));
        })?;
    }
    let (failed, mut failure) = mpsc::channel(1);
    for rendition in renditions {
        let (feed, stats, failed) = (feed.clone(), Arc::clone(&stats), failed.clone());
        spawn("encode", move || {
            watched("an encoder", &failed, || workers::encode(rendition, &feed, &stats))
        })?;
    }
    if let Some(audio) = sources.audio {
        let encoder = opus::Encoder::new(config.audio_bitrate)?;
        let sound = workers::Sound {
            source: audio,
            encoder: Box::new(encoder),
            packager: AudioPackager::new(first_group),
            track: audio_track,
        };
        // Weak, so that sound that blocks does not keep a broadcast on air that is to end.
        let (feed, stats, stop) = (feed.downgrade(), Arc::clone(&stats), Arc::clone(&stop));
        let failed = failed.clone();
        spawn("sound", move || {
            watched("the sound", &failed, || workers::sound(sound, &feed, &stats, &stop))
        })?;
    }
    drop(failed);

    let labels = ladder.iter().map(|(rendition, _)| rendition.label.clone()).collect();
    let broadcast = Broadcast {
        settings,
        stage,
        catalog: catalog_track,
        renditions: tracks,
        bitrates: ladder.iter().map(|(rendition, _)| rendition.bitrate).collect(),
        stats: Arc::clone(&stats),
        clock: wall_clock,
    };
    let on_air = broadcast.run(link, fed);
    tokio::pin!(on_air);
    let progress = progress::show(Arc::clone(&stats), labels);
    tokio::pin!(progress);

    // What ends the broadcast, and whether that is a failure.
    let result = tokio::select! {
        result = &mut on_air => return result.map_err(Into::into),
        () = &mut progress => Ok(()),
        ended = &mut source_ended => ended.unwrap_or_else(|_| Err(anyhow!("capture broke off: see the lines above"))),
        Some(error) = failure.recv() => Err(error),
        () = lasted(config.duration) => Ok(()),
        () = interrupted() => Ok(()),
    };
    stop.store(true, Ordering::Relaxed);
    drop(feed);
    slots.iter().for_each(|slot| slot.close());
    let bound = END_WITHIN;
    timeout(bound, on_air).await.unwrap_or(Ok(()))?;
    result
}

/// The way from the source to the tracks.
struct Way {
    capture: Capture,
    slots: Vec<Arc<Slot<Arc<Picture>>>>,
    renditions: Vec<Rendition>,
    /// In the ladder's order.
    tracks: Vec<TrackIndex>,
    stage: Stage,
    stats: Arc<Stats>,
    ladder: Vec<(rendition::Rendition, VideoCodec)>,
}

/// Through an encoder for each rendition.
fn encoded(config: &Config, source: Box<dyn VideoSource>, first_group: GroupId) -> Result<Way> {
    let ladder = rendition::ladder(&config.rendition, source.resolution(), source.frame_rate());
    let stats = Arc::new(Stats::new(ladder.iter().map(|rendition| rendition.bitrate)));
    let (mut lanes, mut slots, mut renditions, mut tracks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut stage, mut coded) = (Stage::default(), Vec::new());
    for (index, rendition) in ladder.into_iter().enumerate() {
        let encoder = encode::video(VideoSettings {
            resolution: rendition.resolution,
            frame_rate: rendition.frame_rate,
            bitrate: rendition.bitrate,
            keyframe_interval: config.keyframe_interval,
            layers: config.temporal_layers,
            content: config.content,
        })?;
        coded.push((rendition.clone(), encoder.codec()));
        let slot = Arc::new(Slot::new());
        lanes.push(Lane::new(Arc::clone(&slot), rendition.frame_rate));
        let track = stage.add(&rendition.track, NewGroups::OnRequest);
        tracks.push(track);
        renditions.push(Rendition {
            index,
            track,
            slot: Arc::clone(&slot),
            resolution: rendition.resolution,
            bitrate: rendition.bitrate,
            encoder,
            packager: VideoPackager::new(first_group, config.temporal_layers.count()),
        });
        slots.push(slot);
    }
    let capture = Capture::Raw { source, lanes };
    Ok(Way { capture, slots, renditions, tracks, stage, stats, ladder: coded })
}

/// Without an encoder: one rendition, whose key frames come when they come.
fn direct(source: Box<dyn CodedSource>, first_group: GroupId) -> Way {
    let (resolution, frame_rate) = (source.resolution(), source.frame_rate());
    let spec = rendition::Spec { resolution, frame_rate: None, bitrate: Some(source.bitrate()) };
    let ladder = rendition::ladder(&[spec], resolution, frame_rate);
    let stats = Arc::new(Stats::new(ladder.iter().map(|rendition| rendition.bitrate)));
    let mut stage = Stage::default();
    let tracks: Vec<TrackIndex> =
        ladder.iter().map(|rendition| stage.add(&rendition.track, NewGroups::AtWill)).collect();
    let codec = source.codec();
    let packager = VideoPackager::new(first_group, 1);
    let capture = Capture::Coded { source, packager, tracks: tracks.clone() };
    let ladder = ladder.into_iter().map(|rendition| (rendition, codec)).collect();
    Way { capture, slots: Vec::new(), renditions: Vec::new(), tracks, stage, stats, ladder }
}

/// How long the last pictures and the end of the broadcast may take.
const END_WITHIN: Duration = Duration::from_millis(2_500);

fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}

/// Threads end by themselves once their slot is closed, the feed is gone or `stop` is set; one that waits
/// for standard input ends with the process.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .with_context(|| format!("cannot start the thread for {name}"))
}

/// Does a thread's work, and reports where it fails; a panic ends the broadcast too.
fn watched(what: &str, failed: &mpsc::Sender<anyhow::Error>, work: impl FnOnce() -> Result<()>) {
    let result = panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(anyhow!("{what} broke off: see the lines above")));
    if let Err(error) = result {
        // Full: another failure ends the broadcast already.
        let _ = failed.try_send(error);
    }
}

async fn lasted(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

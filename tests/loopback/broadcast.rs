//! A broadcast from the pattern to the player: every picture, in order, once, with its sound.

use std::time::Duration;

use anyhow::Result;
use tests::{
    recording::{Video, loudness, sound},
    world::{Over, PATIENCE, World, final_stats},
};

/// One picture at 30 frames a second, in microseconds.
const FRAME: u64 = 33_333;

const PATTERN: [&str; 4] = ["--source", "pattern", "--rendition", "640x360@30:800k"];

#[test]
fn the_pattern_arrives_whole_over_raw_quic() -> Result<()> {
    whole(Over::Quic)
}

#[test]
fn the_pattern_arrives_whole_over_webtransport() -> Result<()> {
    whole(Over::WebTransport)
}

fn whole(over: Over) -> Result<()> {
    let world = World::new()?;
    let mut publisher = world.publisher(over, "demo", &PATTERN)?;
    let (pictures, wav) = (world.path("demo.y4m"), world.path("demo.wav"));
    let mut player = world.player(
        over,
        "demo",
        &["--wait", "--duration", "6s", "--record", &pictures, "--record-audio", &wav],
    )?;
    player.wait_for(0, PATIENCE)?;
    publisher.interrupt()?;
    publisher.wait_for(0, PATIENCE)?;

    let video = Video::read(&pictures)?;
    assert_eq!((video.width, video.height), (640, 360));
    let times = video.timecodes()?;
    assert!(times.len() >= 140, "{} pictures in 6 s at 30 a second", times.len());
    for pair in times.windows(2) {
        let step = pair[1].saturating_sub(pair[0]);
        // A picture that capture left out on a busy machine makes a step of whole frames.
        let frames = (step + FRAME / 2) / FRAME;
        assert!(frames >= 1 && step.abs_diff(frames * FRAME) < FRAME / 3, "a step of {step} µs: {pair:?}");
    }
    let expected = (times[times.len() - 1] - times[0]) / FRAME + 1;
    assert!(times.len() as u64 * 100 >= expected * 97, "{} pictures of {expected}", times.len());

    let sound = sound(&wav)?;
    assert!(sound.len() > 4 * 48_000, "{} samples of sound", sound.len());
    let loud = sound.chunks(960).filter(|chunk| loudness(chunk) > 0.1).count();
    assert!((6..60).contains(&loud), "{loud} pieces of 20 ms hold the beep that marks each second");

    let stats = final_stats(&player)?;
    assert!(stats["glassToGlass"]["n"].as_u64().is_some_and(|n| n > 100), "{stats}");
    Ok(())
}

#[test]
fn a_late_joiner_starts_with_the_newest_groups_first_picture() -> Result<()> {
    let world = World::new()?;
    let arguments = [&PATTERN[..], &["--keyframe-interval", "4s"]].concat();
    let _publisher = world.publisher(Over::Quic, "demo", &arguments)?;
    let mut early = world.player(Over::Quic, "demo", &["--wait", "--duration", "2s"])?;
    early.wait_for(0, PATIENCE)?;
    // On air for two seconds and more: the next keyframe is up to four seconds away.
    let pictures = world.path("late.y4m");
    let mut late = world.player(Over::Quic, "demo", &["--duration", "1500ms", "--record", &pictures])?;
    late.wait_for(0, PATIENCE)?;
    let stats = final_stats(&late)?;
    assert!(stats["startupMs"].is_number(), "{stats}");
    assert!(
        !Video::read(&pictures)?.timecodes()?.is_empty(),
        "the first picture came before the next keyframe"
    );
    Ok(())
}

#[test]
fn each_rendition_of_the_ladder_can_be_watched() -> Result<()> {
    let world = World::new()?;
    let ladder = ["--source", "pattern", "--rendition", "640x360@30:800k", "--rendition", "320x180@30:250k"];
    let _publisher = world.publisher(Over::Quic, "demo", &ladder)?;
    for (rendition, width) in [("360p", 640), ("180p", 320)] {
        let pictures = world.path(&format!("{rendition}.y4m"));
        let arguments = ["--wait", "--duration", "2s", "--rendition", rendition, "--record", &pictures];
        let mut player = world.player(Over::Quic, "demo", &arguments)?;
        player.wait_for(0, PATIENCE)?;
        let video = Video::read(&pictures)?;
        assert_eq!(video.width, width);
        assert!(video.timecodes()?.windows(2).all(|pair| pair[0] < pair[1]), "{rendition} goes forward");
    }
    Ok(())
}

#[test]
fn the_end_of_a_broadcast_ends_its_players() -> Result<()> {
    let world = World::new()?;
    let arguments = [&PATTERN[..], &["--duration", "4s"]].concat();
    let mut publisher = world.publisher(Over::Quic, "demo", &arguments)?;
    let mut player = world.player(Over::WebTransport, "demo", &["--wait"])?;
    publisher.wait_for(0, PATIENCE)?;
    player.wait_for(0, Duration::from_secs(10))?;
    assert_eq!(final_stats(&player)?["state"], "ended");
    Ok(())
}

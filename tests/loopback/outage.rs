//! What goes away and comes back: the publisher, the relay.

use std::time::Duration;

use anyhow::Result;
use tests::{
    recording::Video,
    world::{Over, PATIENCE, World, final_stats},
};

const PATTERN: [&str; 4] = ["--source", "pattern", "--rendition", "320x180@30:300k"];

#[test]
fn players_go_on_when_a_killed_publisher_is_back() -> Result<()> {
    let world = World::new()?;
    let mut first = world.publisher(Over::Quic, "demo", &PATTERN)?;
    let pictures = world.path("seen.y4m");
    let mut player =
        world.player(Over::Quic, "demo", &["--wait", "--duration", "14s", "--record", &pictures])?;
    player.line("\"state\":\"live\"", PATIENCE)?;
    std::thread::sleep(Duration::from_secs(2));
    let killed_at = micros();
    first.kill();
    std::thread::sleep(Duration::from_secs(1));
    let _second = world.publisher(Over::Quic, "demo", &PATTERN)?;
    player.wait_for(0, PATIENCE)?;
    goes_on(&pictures, killed_at)
}

#[test]
fn everybody_comes_back_when_a_killed_relay_does() -> Result<()> {
    let mut world = World::new()?;
    let mut publisher = world.publisher(Over::Quic, "demo", &PATTERN)?;
    let pictures = world.path("seen.y4m");
    let arguments = ["--wait", "--duration", "25s", "--record", &pictures];
    let mut player = world.player(Over::Quic, "demo", &arguments)?;
    player.line("\"state\":\"live\"", PATIENCE)?;
    std::thread::sleep(Duration::from_secs(2));
    let killed_at = micros();
    world.kill_relay();
    std::thread::sleep(Duration::from_secs(1));
    world.start_relay()?;
    player.wait_for(0, Duration::from_secs(40))?;
    goes_on(&pictures, killed_at)?;
    publisher.interrupt()?;
    publisher.wait_for(0, PATIENCE)
}

#[test]
fn a_player_without_patience_is_told_that_nothing_is_on_air() -> Result<()> {
    let world = World::new()?;
    let mut player = world.player(Over::Quic, "empty", &[])?;
    player.wait_for(1, PATIENCE)?;
    assert!(player.errors().contains("not on air"), "{}", player.errors());
    assert_eq!(final_stats(&player)?["frames"]["decoded"], 0);
    Ok(())
}

/// Checks that pictures were seen from before and from after, never one from the past.
fn goes_on(pictures: &str, killed_at: u64) -> Result<()> {
    let times = Video::read(pictures)?.timecodes()?;
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "time goes forward");
    let after = times.iter().filter(|&&time| time > killed_at).count();
    assert!(times.len() - after >= 30, "{} pictures from before", times.len() - after);
    assert!(after >= 30, "{after} pictures from after");
    Ok(())
}

fn micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

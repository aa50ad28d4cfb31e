//! A relay that stops and sends those who use it to another one.

use std::time::Duration;

use anyhow::Result;
use tests::{
    process::Process,
    recording::Video,
    world::{Over, PATIENCE, World, final_stats},
};

const PATTERN: [&str; 4] = ["--source", "pattern", "--rendition", "320x180@30:300k"];

#[test]
fn who_watches_over_raw_quic_goes_to_the_next_relay_without_a_break() -> Result<()> {
    goes_over(Over::Quic)
}

#[test]
fn who_watches_over_webtransport_goes_to_the_next_relay_without_a_break() -> Result<()> {
    goes_over(Over::WebTransport)
}

fn goes_over(over: Over) -> Result<()> {
    let next = World::new()?;
    let successor = next.moqt().to_string();
    // The two relays have a certificate each, and one key for tokens.
    let key = next.data().join("token.key").display().to_string();
    let mut first = World::with(&["--successor", &successor, "--drain", "20s", "--token-key", &key])?;
    let token = next.token("demo", "host", &[])?;
    let client = |program, url: &str, arguments: &[&str]| {
        let to = ["--relay", url, "--insecure", "--room", "demo"];
        Process::start(program, &[&to[..], arguments].concat())
    };
    let mut publisher =
        client("publisher", &first.url(Over::Quic), &[&PATTERN[..], &["--token", &token]].concat())?;
    let pictures = first.path("seen.y4m");
    let watching = ["--wait", "--display", "none", "--stats", "json", "--record", &pictures];
    let mut player = client("player", &first.url(over), &watching)?;
    player.line("\"state\":\"live\"", PATIENCE)?;
    std::thread::sleep(Duration::from_secs(2));
    first.relay().interrupt()?;
    player.error_line("watching where the relay sent to", PATIENCE)?;
    publisher.error_line("on air where the relay sent to", PATIENCE)?;
    // It ends as soon as both have left, long before it would cut them off.
    first.relay().wait_for(0, Duration::from_secs(15))?;
    let left = micros();
    std::thread::sleep(Duration::from_secs(2));
    publisher.interrupt()?;
    publisher.wait_for(0, PATIENCE)?;
    player.wait_for(0, PATIENCE)?;
    let times = Video::read(&pictures)?.timecodes()?;
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "time goes forward");
    let after = times.iter().filter(|&&time| time > left).count();
    assert!(times.len() - after >= 30, "{} pictures from before", times.len() - after);
    assert!(after >= 30, "{after} pictures from after");
    for line in ["interrupted", "connecting again", "not followed"] {
        assert!(!player.errors().contains(line), "{}", player.errors());
    }
    assert!(!publisher.errors().contains("the relay is gone"), "{}", publisher.errors());
    let stats = final_stats(&player)?;
    assert_eq!(stats["frames"]["unreadable"], 0, "{stats}");
    Ok(())
}

#[test]
fn without_another_relay_a_broadcast_goes_on_to_the_last_moment_and_comes_back() -> Result<()> {
    let mut world = World::with(&["--drain", "3s"])?;
    let mut publisher = world.publisher(Over::Quic, "demo", &PATTERN)?;
    let pictures = world.path("seen.y4m");
    let mut player = world.player(Over::Quic, "demo", &["--wait", "--record", &pictures])?;
    player.line("\"state\":\"live\"", PATIENCE)?;
    world.relay().interrupt()?;
    let asked = micros();
    world.relay().wait_for(0, PATIENCE)?;
    let left = micros();
    world.start_relay()?;
    publisher.error_line("on air again", PATIENCE)?;
    std::thread::sleep(Duration::from_secs(3));
    publisher.interrupt()?;
    publisher.wait_for(0, PATIENCE)?;
    player.wait_for(0, PATIENCE)?;
    let times = Video::read(&pictures)?.timecodes()?;
    let meanwhile = times.iter().filter(|&&time| (asked..left).contains(&time)).count();
    assert!(meanwhile >= 30, "{meanwhile} pictures while the relay was stopping");
    assert!(times.iter().any(|&time| time > left), "pictures from after");
    Ok(())
}

fn micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

//! Several publishers of one room: whoever stands by takes over, and nobody waits for one that is unplugged.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result};
use tests::{
    impair::{Conditions, Impair},
    recording::Video,
    world::{Over, PATIENCE, World},
};

const PATTERN: [&str; 4] = ["--source", "pattern", "--rendition", "320x180@30:300k"];

#[test]
fn an_unplugged_publisher_is_noticed_and_the_one_that_stands_by_takes_over() -> Result<()> {
    let world = World::new()?;
    let _spare = world.publisher(Over::Quic, "demo", &PATTERN)?;
    let link = Impair::start(world.moqt(), Conditions::default())?;
    world.relay_says("on air")?;
    let url = format!("moqt://{}", link.local_addr());
    let _main = world.client("publisher", &url, "demo", &PATTERN)?;
    world.relay_says("a newer publisher takes over")?;
    let pictures = world.path("seen.y4m");
    let arguments = ["--wait", "--duration", "12s", "--record", &pictures];
    let mut player = world.player(Over::Quic, "demo", &arguments)?;
    player.line("\"state\":\"live\"", PATIENCE)?;
    std::thread::sleep(Duration::from_secs(2));
    let cut_at = micros();
    link.set(Conditions { loss: 1.0, ..Conditions::default() });
    player.wait_for(0, PATIENCE)?;
    goes_on(&pictures, cut_at)?;
    assert_eq!(counter(&world, "relay_publishers_silent_total")?, 1, "QUIC alone waits for 10 s");
    assert!(counter(&world, "relay_takeovers_total")? > 0);
    Ok(())
}

#[test]
fn a_publisher_that_comes_back_replaces_its_own_stale_session_at_once() -> Result<()> {
    let world = World::with(&["--publisher-silence", "0s"])?;
    let link = Impair::start(world.moqt(), Conditions::default())?;
    let url = format!("moqt://{}", link.local_addr());
    let _stale = world.client("publisher", &url, "demo", &PATTERN)?;
    let pictures = world.path("seen.y4m");
    let arguments = ["--wait", "--duration", "8s", "--record", &pictures];
    let mut player = world.player(Over::Quic, "demo", &arguments)?;
    player.line("\"state\":\"live\"", PATIENCE)?;
    std::thread::sleep(Duration::from_secs(2));
    let cut_at = micros();
    link.set(Conditions { loss: 1.0, ..Conditions::default() });
    let _again = world.publisher(Over::Quic, "demo", &PATTERN)?;
    player.wait_for(0, PATIENCE)?;
    goes_on(&pictures, cut_at)?;
    assert!(counter(&world, "relay_takeovers_total")? > 0, "the viewer's subscriptions went on");
    Ok(())
}

/// Checks that pictures were seen from before and from after, and tells of the longest time without any.
fn goes_on(pictures: &str, cut_at: u64) -> Result<()> {
    let times = Video::read(pictures)?.timecodes()?;
    let after = times.iter().filter(|&&time| time > cut_at).count();
    let longest = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or(0);
    println!("longest time between two pictures: {} ms", longest / 1000);
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "time goes forward");
    assert!(times.len() - after >= 30, "{} pictures from before", times.len() - after);
    assert!(after >= 30, "{after} pictures from after");
    Ok(())
}

fn counter(world: &World, name: &str) -> Result<u64> {
    let address = world.http().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("{name} is not in {answer}"))
}

fn micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

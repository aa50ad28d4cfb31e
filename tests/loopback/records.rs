//! What the relay writes down and shows.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;
use tests::{
    process::Process,
    world::{Over, PATIENCE, World},
};

const PATTERN: [&str; 4] = ["--source", "pattern", "--rendition", "320x180@30:300k"];

#[test]
fn a_killed_relay_has_lost_none_of_its_records() -> Result<()> {
    let mut world = World::new()?;
    let _publisher = world.publisher(Over::Quic, "demo", &PATTERN)?;
    let mut player = world.player(Over::WebTransport, "demo", &["--wait", "--duration", "4s"])?;
    player.wait_for(0, PATIENCE)?;
    std::thread::sleep(Duration::from_secs(2));
    world.kill_relay();

    let report = report(&world)?;
    let text = report.to_string();
    assert!(text.contains("\"demo\""), "{text}");
    let sessions = report["sessions"].as_array().context("sessions")?;
    let transports: Vec<_> = sessions.iter().filter_map(|session| session["transport"].as_str()).collect();
    assert!(transports.contains(&"quic") && transports.contains(&"webtransport"), "{text}");
    assert!(!report["broadcasts"].as_array().context("broadcasts")?.is_empty(), "{text}");
    Ok(())
}

#[test]
fn the_relay_tells_operators_how_it_is() -> Result<()> {
    let mut world = World::new()?;
    let _publisher = world.publisher(Over::Quic, "demo", &PATTERN)?;
    let mut player = world.player(Over::Quic, "demo", &["--wait", "--duration", "2s"])?;
    player.wait_for(0, PATIENCE)?;
    assert!(get(&world, "/healthz")?.starts_with("HTTP/1.1 200"));
    let certificate = get(&world, "/certificate.json")?;
    assert!(certificate.contains(world.hash()), "{certificate}");
    let metrics = get(&world, "/metrics")?;
    assert!(metrics.lines().any(|line| line.contains("objects") && line.contains(' ')), "{metrics}");
    world.relay().interrupt()?;
    world.relay().wait_for(0, PATIENCE)
}

fn report(world: &World) -> Result<Value> {
    let data = world.data().display().to_string();
    let mut report = Process::start("relay", &["report", "--data", &data, "--format", "json"])?;
    report.wait_for(0, PATIENCE)?;
    Ok(serde_json::from_str(&report.output().join("\n"))?)
}

fn get(world: &World, path: &str) -> Result<String> {
    let address = world.http().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

//! What the relay writes down and shows.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
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
    for path in ["/metrics", "/status", "/status.json"] {
        let answer = get(&world, path)?;
        assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("--status"), "{path}: {answer}");
    }
    let metrics = ask(world.status(), "localhost", "/metrics")?;
    assert!(metrics.contains("\r\ncontent-type: application/openmetrics-text"), "{metrics}");
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).with_context(|| format!("{name} in {metrics}"))
    };
    for name in [
        "relay_objects_received_total",
        "relay_objects_sent_total",
        "relay_fanout_seconds_count",
        "relay_delivery_seconds_count",
        "relay_handshake_seconds_count",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
    ] {
        assert!(value(name)? > 0.0, "{name}: {metrics}");
    }
    assert!(value("relay_track_sent_objects_total{track=\"room/demo/stage/catalog\"}").is_ok(), "{metrics}");
    let status = ask(world.status(), "127.0.0.1", "/status.json")?;
    let status: Value = serde_json::from_str(status.split("\r\n\r\n").nth(1).context("a body")?)?;
    assert_eq!(status["rooms"][0]["name"], "demo", "{status}");
    assert!(status["sessions"]["quic"].as_u64().context("sessions")? > 0, "{status}");
    let page = ask(world.status(), "relay.example", "/status")?;
    assert!(page.starts_with("HTTP/1.1 403"), "another site's name: {page}");
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
    let address = world.http().trim_start_matches("http://").parse()?;
    ask(address, &address.to_string(), path)
}

/// Asks an address under some name.
fn ask(address: SocketAddr, host: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

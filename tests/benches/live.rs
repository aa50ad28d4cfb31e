//! The live room measured: glass-to-glass latency, startup, CPU, and a lossy network. Prints tables and
//! asserts nothing; the machine is to be idle otherwise.
//!
//! `cargo bench -p tests --bench live [-- latency startup cpu impaired]`

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::Value;
use tests::{
    impair::{Conditions, Impair},
    process::Process,
    world::{Over, PATIENCE, World, final_stats},
};

const PATTERN: [&str; 4] = ["--source", "pattern", "--rendition", "1280x720@30:2M"];

/// Measures something and prints its rows.
type Scenario = fn() -> Result<()>;

fn main() -> Result<()> {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let scenarios: [(&str, Scenario); 4] =
        [("latency", latency), ("startup", startup), ("cpu", cpu), ("impaired", impaired)];
    println!("{:<62} {:>12} {:>12} {:>7}", "measured", "is", "asked", "ratio");
    for (name, scenario) in scenarios {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            scenario().with_context(|| format!("measuring {name}"))?;
        }
    }
    Ok(())
}

/// Capture of a picture to its presentation in the player, 30 s after the first five.
fn latency() -> Result<()> {
    for over in [Over::Quic, Over::WebTransport] {
        let world = World::new()?;
        let _publisher = world.publisher(over, "demo", &PATTERN)?;
        let mut player = world.player(over, "demo", &["--wait", "--duration", "30s"])?;
        player.wait_for(0, PATIENCE * 2)?;
        let stats = final_stats(&player)?;
        let latency = &stats["glassToGlass"];
        row(&format!("glass-to-glass p50 over {over:?}"), number(&latency["p50"]), 60.0, "ms");
        row(&format!("glass-to-glass p99 over {over:?}"), number(&latency["p99"]), 120.0, "ms");
        row(&format!("lip-sync p95 over {over:?}"), number(&stats["lipSync"]["p95"]), 40.0, "ms");
    }
    Ok(())
}

/// Command to first picture of players that come late, twenty of them.
fn startup() -> Result<()> {
    let world = World::new()?;
    let _publisher = world.publisher(Over::Quic, "demo", &PATTERN)?;
    world.player(Over::Quic, "demo", &["--wait", "--duration", "3s"])?.wait_for(0, PATIENCE)?;
    let mut times = Vec::new();
    for round in 0..20 {
        std::thread::sleep(Duration::from_millis(137 * (round % 7)));
        let mut player = world.player(Over::Quic, "demo", &["--duration", "1s"])?;
        player.wait_for(0, PATIENCE)?;
        times.push(number(&final_stats(&player)?["startupMs"]));
    }
    times.sort_by(f64::total_cmp);
    row("startup of a late joiner, p50 of 20", times[times.len() / 2], 250.0, "ms");
    row("startup of a late joiner, p95 of 20", times[times.len() * 95 / 100], 250.0, "ms");
    Ok(())
}

/// CPU time of publisher and relay with one viewer.
fn cpu() -> Result<()> {
    let mut world = World::new()?;
    let publisher = world.publisher(Over::Quic, "demo", &PATTERN)?;
    let player = world.player(Over::Quic, "demo", &["--wait"])?;
    player.line("\"state\":\"live\"", PATIENCE)?;
    std::thread::sleep(Duration::from_secs(3));
    let ids = [publisher.id(), world.relay().id(), player.id()];
    let (begin, before) = (Instant::now(), cpu_seconds(&ids)?);
    std::thread::sleep(Duration::from_secs(20));
    let (wall, after) = (begin.elapsed().as_secs_f64(), cpu_seconds(&ids)?);
    let share = |index: usize| 100.0 * (after[index] - before[index]) / wall;
    row("publisher, 720p30 pattern, two layers and sound", share(0), 45.0, "% core");
    row("relay with one viewer", share(1), 5.0, "% core");
    println!("{:<62} {:>5.1} % core", "player without display", share(2));
    Ok(())
}

/// A minute of broadcast through delay, loss and a narrow link on both hops, with different luck.
fn impaired() -> Result<()> {
    [7, 11, 44].into_iter().try_for_each(impaired_with)
}

fn impaired_with(seed: u64) -> Result<()> {
    let world = World::new()?;
    let link = |seed| {
        let conditions = Conditions {
            delay: Duration::from_millis(20),
            loss: 0.01,
            rate: Some(8_000_000),
            seed,
            ..Conditions::default()
        };
        Impair::start(world.moqt(), conditions)
    };
    let (up, down) = (link(seed)?, link(seed + 100)?);
    let url = |address: SocketAddr| format!("moqt://{address}");
    let _publisher = world.client("publisher", &url(up.local_addr()), "demo", &PATTERN)?;
    let watch = ["--display", "none", "--stats", "json", "--wait", "--duration", "60s"];
    let mut player: Process = world.client("player", &url(down.local_addr()), "demo", &watch)?;
    player.wait_for(0, PATIENCE * 4)?;
    let stats = final_stats(&player)?;
    let rebuffering = number(&stats["rebuffering"]["durationMs"]);
    row(&format!("rebuffering in 60 s at 20 ms, 1 % loss, 8 Mbit/s, seed {seed}"), rebuffering, 200.0, "ms");
    row("lip-sync p95 there", number(&stats["lipSync"]["p95"]), 40.0, "ms");
    let latency = &stats["glassToGlass"];
    let (p50, p99) = (number(&latency["p50"]), number(&latency["p99"]));
    println!("{:<62} {p50:>5.1} ms, p99 {p99:.1} ms", "glass-to-glass p50 there");
    println!("{:<62} {}", "frames there", stats["frames"]);
    Ok(())
}

fn row(what: &str, is: f64, asked: f64, unit: &str) {
    println!("{what:<62} {is:>5.1} {unit:<6} {asked:>5.0} {unit:<6} {:>7.2}", is / asked);
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// CPU time that each process has used, in seconds.
fn cpu_seconds(ids: &[u32]) -> Result<Vec<f64>> {
    const TICKS: f64 = 100.0;
    let of = |id: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        let after_name = text.rsplit(')').next().context("a process's name")?;
        let mut fields = after_name.split_whitespace().skip(11);
        let mut next = || fields.next().and_then(|field| field.parse::<f64>().ok()).context("a time");
        Ok((next()? + next()?) / TICKS)
    };
    ids.iter().map(of).collect()
}

//! Reads the settings and plays.

use std::{io::IsTerminal as _, process::ExitCode, time::Instant};

use player::config::{Config, DisplayKind};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let started = Instant::now();
    let config = match Config::from_process() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("player: {error}");
            return ExitCode::from(2);
        }
    };
    // A terminal that shows pictures has no room for messages of less weight.
    let level =
        if config.display == DisplayKind::Terminal { "error" } else { "warn,winit=error,player=info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match player::pipeline::run(config, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("player: {error:#}");
            ExitCode::FAILURE
        }
    }
}

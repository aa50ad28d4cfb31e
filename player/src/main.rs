//! Reads the settings and plays.

use std::{io::IsTerminal as _, process::ExitCode, time::Instant};

use player::config::{Command, DisplayKind};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let started = Instant::now();
    let command = match Command::from_process() {
        Ok(command) => command,
        Err(error) => {
            eprintln!("player: {error}");
            return ExitCode::from(2);
        }
    };
    // A terminal that shows pictures has no room for messages of less weight.
    let level = match &command {
        Command::Watch(config) if config.display != DisplayKind::Terminal => "warn,winit=error,player=info",
        Command::Watch(_) | Command::Chat(_) => "error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let result = match command {
        Command::Watch(config) => player::pipeline::run(*config, started),
        Command::Chat(config) => player::interact::run(*config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("player: {error:#}");
            ExitCode::FAILURE
        }
    }
}

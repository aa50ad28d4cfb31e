//! Reads the settings and broadcasts.

use std::{io::IsTerminal as _, process::ExitCode};

use publisher::config::Config;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let config = match Config::read(std::env::args_os()) {
        Ok(config) => config,
        Err(error) => error.exit(),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,publisher=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("publisher: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(publisher::pipeline::run(&config));
    // A source that waits for its device or for standard input does not keep the process.
    runtime.shutdown_background();
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("publisher: {error:#}");
            ExitCode::FAILURE
        }
    }
}

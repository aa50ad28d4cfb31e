//! The relay's program: reads its configuration and runs.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use anyhow::Context;
use relay::{
    Config,
    config::{self, Command},
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let done = match config::read(std::env::args_os()) {
        Ok(cli) => match cli.command {
            Command::Serve(config) => serve(*config),
            Command::Token(config) => {
                relay::token(&config).map_err(anyhow::Error::from).and_then(|(out, notes)| {
                    eprint!("{notes}");
                    print(&out)
                })
            }
            Command::Report(config) => {
                relay::report(&config).map_err(anyhow::Error::from).and_then(|text| print(&text))
            }
        },
        Err(error) => error.exit(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(config: Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log).with_context(|| format!("--log {:?}", config.log))?;
    let to_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(to_terminal)
        .with_writer(std::io::stderr)
        .init();
    let mut stop = Stop::new().context("cannot listen for signals")?;
    let running = relay::serve(config).await?;
    let status = running.status_addr().map(|addr| format!("\"status\":\"{addr}\",")).unwrap_or_default();
    print(&format!(
        "{{\"moqt\":\"{}\",\"http\":\"{}\",{status}\"certHash\":\"{}\"}}\n",
        running.moqt_addr(),
        running.http_addr(),
        running.cert_hash()
    ))?;
    stop.wait().await;
    tracing::info!("stopping");
    tokio::select! {
        () = running.stop() => Ok(()),
        () = stop.wait() => anyhow::bail!("stopped at once by a second signal"),
    }
}

/// Writes to standard output; whoever stopped reading it is not an error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// Ctrl-C and, where there are signals, SIGTERM.
struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(unix)]
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn wait(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

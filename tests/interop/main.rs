//! A test client with the command line, the environment, the output and the exit codes that the MoQ interop
//! runner asks of one: point it at any draft-18 relay.
//!
//! `cargo run -p tests --bin moqt-interop-client -- --relay moqt://localhost:4443 --tls-disable-verify`

use std::process::ExitCode;

use clap::{Parser, builder::FalseyValueParser};
use shared::transport::{ClientConfig, tls::Trust};
use tracing_subscriber::EnvFilter;
use url::Url;

mod cases;
mod tap;

use cases::{Case, Failure, Relay};
use tap::Report;

/// What the runner calls a test that this client does not have.
const UNSUPPORTED: u8 = 127;

/// Runs MoQT interop tests against a relay and reports in TAP 14.
#[derive(Debug, Parser)]
#[command(name = "moqt-interop-client", version)]
struct Cli {
    /// The relay: https:// for WebTransport, moqt:// for raw QUIC
    #[arg(short, long, env = "RELAY_URL", value_name = "URL", default_value = "https://localhost:4443")]
    relay: Url,

    /// Run one test; without it, all
    #[arg(short, long, env = "TESTCASE", value_name = "NAME")]
    test: Option<String>,

    /// Print the names of the tests, one a line
    #[arg(short, long)]
    list: bool,

    /// Log to standard error what happens
    #[arg(short, long, env = "VERBOSE", value_parser = FalseyValueParser::new())]
    verbose: bool,

    /// Accept any certificate
    #[arg(long, env = "TLS_DISABLE_VERIFY", value_parser = FalseyValueParser::new())]
    tls_disable_verify: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        Case::ALL.iter().for_each(|case| println!("{}", case.name()));
        return ExitCode::SUCCESS;
    }
    let filter = if cli.verbose { "info,shared=debug" } else { "off" };
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr).init();
    // A runner passes an empty TESTCASE for all.
    let cases = match cli.test.as_deref().filter(|name| !name.is_empty()) {
        None => Case::ALL.to_vec(),
        Some(name) => match Case::ALL.into_iter().find(|case| case.name() == name) {
            Some(case) => vec![case],
            None => {
                eprintln!("there is no test {name}: --list prints those that there are");
                return ExitCode::from(UNSUPPORTED);
            }
        },
    };
    let trust = if cli.tls_disable_verify { Trust::Anything } else { Trust::System };
    let config = ClientConfig { trust, ..ClientConfig::default() };
    run(&Relay { url: cli.relay, config }, &cases).await
}

async fn run(relay: &Relay, cases: &[Case]) -> ExitCode {
    let mut report = Report::begin(&relay.url, cases.len());
    for case in cases {
        let begin = std::time::Instant::now();
        let result = case.run(relay).await;
        report.point(case.name(), begin.elapsed(), &result);
        if let Err(Failure::Unreachable(error)) = result {
            report.bail_out(&error.to_string());
            break;
        }
    }
    if report.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

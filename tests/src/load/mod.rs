//! The relay measured: a load of publishers and subscribers over real QUIC, the floors under it, and relays
//! that others wrote beside it. The program is `load`; `load --help` says how it is called.
//!
//! | module | what it is |
//! |---|---|
//! | `shape` | what is sent: tracks, and when each object is due |
//! | `stamp`, `clock` | what a payload says of itself, and the clock for it |
//! | `engine` | QUIC for thousands of connections on one thread |
//! | `peer`, `web` | one connection: as much of MoQT and WebTransport as a load needs |
//! | `talk` | people in a room beside the load, and how long they wait for their echo |
//! | `record` | what arrived, when, and how late |
//! | `run` | one load on one server, measured |
//! | `process` | what the system says of a running program |
//! | `tls` | whom to trust and what to show |
//! | `floor` | servers that send the same objects with nothing around it |
//! | `contender` | relays and floors as programs under measurement |
//! | `bench` | many runs, interleaved, and their table |
//! | `search` | the most subscribers that a contender serves |
//! | `picture` | the curves as SVG |

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

mod bench;
mod clock;
mod contender;
mod engine;
mod floor;
mod peer;
mod picture;
mod process;
mod record;
mod run;
mod search;
mod shape;
mod stamp;
mod talk;
mod tls;
mod web;

/// Loads MoQT relays (draft-18) with publishers and subscribers over real QUIC, and measures them.
#[derive(Debug, Parser)]
#[command(name = "load", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load one server once, and print one JSON object
    Run(run::Config),
    /// Send a shape's objects to whoever connects, with nothing around them
    Floor(floor::Config),
    /// Measure relays and floors in turn, and print a table
    Bench(bench::Config),
    /// Search for the most subscribers with every object delivered and p99 under 100 ms
    Search(search::Config),
    /// Draw what `bench` wrote as SVG
    Picture {
        /// Files of JSON lines
        #[arg(required = true)]
        results: Vec<PathBuf>,
        /// Where to write the picture
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The program.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(config) => run::run(&config).map(|result| println!("{result}")),
        Command::Floor(config) => floor::serve(&config),
        Command::Bench(config) => bench::bench(&config),
        Command::Search(config) => search::search(&config),
        Command::Picture { results, out } => picture::draw(&results, &out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

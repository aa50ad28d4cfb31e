//! Loads relays and measures them: see `load --help`, and [`tests::load`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::load::main()
}

//! The report: TAP version 14 on standard output, a line at a time.

use std::time::Duration;

use url::Url;

use crate::cases::Failure;

/// A report that has begun. Nothing is printed when it is dropped: its plan stands at its head.
#[derive(Debug)]
pub(crate) struct Report {
    points: usize,
    failed: usize,
}

impl Report {
    /// Prints the head of a report of `planned` test points.
    pub(crate) fn begin(relay: &Url, planned: usize) -> Self {
        println!("TAP version 14");
        println!("# {} v{}", env!("CARGO_BIN_NAME"), env!("CARGO_PKG_VERSION"));
        println!("# Relay: {relay}");
        println!("# Draft: draft-18");
        println!("1..{planned}");
        Self { points: 0, failed: 0 }
    }

    /// Prints one test point with its diagnostics.
    pub(crate) fn point(&mut self, name: &str, took: Duration, result: &Result<(), Failure>) {
        self.points += 1;
        let mut diagnostics = vec![format!("duration_ms: {}", took.as_millis())];
        if let Err(failure) = result {
            self.failed += 1;
            if let Failure::Unexpected { expected, received } = failure {
                diagnostics.push(format!("expected: {}", quoted(expected)));
                diagnostics.push(format!("received: {}", quoted(received)));
            }
            diagnostics.push(format!("message: {}", quoted(&failure.to_string())));
        }
        let verdict = if result.is_ok() { "ok" } else { "not ok" };
        println!("{verdict} {} - {name}", self.points);
        println!("  ---");
        diagnostics.iter().for_each(|line| println!("  {line}"));
        println!("  ...");
    }

    /// Prints that the rest cannot be tested.
    pub(crate) fn bail_out(&self, why: &str) {
        println!("Bail out! {}", why.replace('\n', " "));
    }

    /// Whether no test point failed so far.
    pub(crate) fn all_passed(&self) -> bool {
        self.failed == 0
    }
}

/// A text as JSON has it, which YAML reads: a peer's words may hold anything.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

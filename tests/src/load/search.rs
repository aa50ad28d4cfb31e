//! The most subscribers that a contender serves with every object delivered and p99 under 100 ms.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::{
    bench::{self, GENERATOR_LIMIT, Point, Variant},
    contender::{Contender, Files},
};

/// Slower is too slow, in milliseconds.
const P99: f64 = 100.0;
/// Where it begins, and grows by a half until it fails.
const FIRST: usize = 200;
/// More are not tried.
const MOST: usize = 4_000;
/// Between what works and what does not, as a share.
const PRECISION: f64 = 0.05;

/// Settings of a search.
#[derive(Debug, Clone, Args)]
pub(super) struct Config {
    /// What is sent
    #[arg(long, default_value = "video")]
    shape: String,
    /// Who is measured in turn; those whose program is missing are left out
    #[arg(long, value_enum, value_delimiter = ',', default_value = "relay,moq-rs,moq-dev,quinn")]
    contenders: Vec<Contender>,
    /// Seconds of each measurement
    #[arg(long, default_value = "5")]
    secs: f64,
    #[command(flatten)]
    files: Files,
}

/// One contender's search. Pure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Search {
    works: usize,
    fails: Option<usize>,
}

impl Search {
    /// What to try next; `None` where it is known.
    fn next(self) -> Option<usize> {
        match self.fails {
            None if self.works >= MOST => None,
            None if self.works == 0 => Some(FIRST),
            None => Some((self.works * 3 / 2).min(MOST)),
            Some(fails) if fails - self.works <= 1.max((fails as f64 * PRECISION) as usize) => None,
            Some(fails) => Some(usize::midpoint(self.works, fails)),
        }
    }

    fn tried(&mut self, subscribers: usize, is_served: bool) {
        if is_served {
            self.works = self.works.max(subscribers);
        } else {
            self.fails = Some(self.fails.map_or(subscribers, |fails| fails.min(subscribers)));
        }
    }
}

/// Searches and prints.
pub(super) fn search(config: &Config) -> Result<()> {
    let place = config.files.place()?;
    let contenders = bench::present(&place, &config.contenders, false);
    let mut searches: Vec<(Contender, Search, &str)> =
        contenders.into_iter().map(|contender| (contender, Search { works: 0, fails: None }, "")).collect();
    while searches.iter().any(|(_, search, _)| search.next().is_some()) {
        for (contender, search, limit) in &mut searches {
            let Some(subscribers) = search.next() else { continue };
            let point = Point { shape: config.shape.clone(), subscribers, variant: Variant::Plain };
            let result = place.measure(*contender, &point, config.secs);
            let result = result.unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
            let figure = |name: &str| result.pointer(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
            let (missing, p99) = (figure("/missing"), figure("/latencyMs/all/p99"));
            let is_served = missing == 0.0 && p99 < P99;
            search.tried(subscribers, is_served);
            if !is_served && figure("/generator") > GENERATOR_LIMIT {
                *limit = "or more: the load itself was at its limit";
            }
            eprintln!(
                "{:<22} {subscribers:>5} subscribers: {:>7.3}% delivered, p99 {p99:.1} ms, core {:.2}, load {:.2}",
                contender.name(),
                100.0 * figure("/delivered"),
                figure("/cpuFraction"),
                figure("/generator"),
            );
        }
    }
    println!("\nMost subscribers with every object delivered and p99 under {P99} ms, {}", config.shape);
    let ours =
        searches.iter().find(|(contender, ..)| *contender == Contender::Relay).map(|found| found.1.works);
    for (contender, search, limit) in &searches {
        let ratio = match (ours, search.works) {
            (Some(ours), 1..) if *contender != Contender::Relay => {
                format!("relay is x{:.2}", ours as f64 / search.works as f64)
            }
            _ => String::new(),
        };
        println!("{:<22} {:>5} {limit} {ratio}", contender.name(), search.works);
        let found = json!({ "search": config.shape, "contender": contender.name(), "most": search.works });
        config.files.write(&found)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ends_close_below_the_limit() {
        for limit in [0, 1, 130, 777, 1_000, 3_999] {
            let mut search = Search { works: 0, fails: None };
            let mut steps = 0;
            while let Some(next) = search.next() {
                search.tried(next, next <= limit);
                steps += 1;
            }
            let fails = search.fails.unwrap();
            assert!(search.works <= limit && limit < fails, "{limit}: {search:?}");
            assert!(
                fails - search.works <= 1.max(fails / 20) && steps < 20,
                "{limit}: {search:?} in {steps}"
            );
        }
        let mut search = Search { works: 0, fails: None };
        while let Some(next) = search.next() {
            search.tried(next, true);
        }
        assert_eq!(search, Search { works: MOST, fails: None });
    }
}

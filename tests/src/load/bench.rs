//! Many runs, interleaved, and their table.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use super::{
    contender::{Contender, Files, Place},
    shape::Shape,
};

/// From here on the load itself is at its core's limit, and the point says nothing of the server.
pub(super) const GENERATOR_LIMIT: f64 = 0.95;

/// What `make bench` measures.
const ALL: &str = "video:1,50,200,500,1000,2000 video+web:200 layers:200 audio:500 datagrams:200 tracks:1000 \
                   video+churn:200 video+slow:200 video+cut:200 calm:500 burst:500 idle:1000 video+room:200 video+taps:200 audio+talk:200";
/// What shows within two minutes whether something changed.
const QUICK: &str = "video:200,500";

/// Settings of a bench.
#[derive(Debug, Clone, Args)]
pub(super) struct Config {
    /// What to measure, as SHAPE[+web|+churn|+slow|+cut|+room|+talk|+taps]:SUBSCRIBERS,...; shapes are video, layers, audio,
    /// datagrams, tracks, calm, burst, idle
    #[arg(value_name = "POINTS")]
    points: Vec<String>,
    /// Only 200 and 500 subscribers of 30/s x 4 kB, against our own floor
    #[arg(long)]
    quick: bool,
    /// Who is measured in turn; those whose program is missing are left out
    #[arg(long, value_enum, value_delimiter = ',')]
    contenders: Vec<Contender>,
    /// How often each is measured
    #[arg(long, default_value = "3")]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value = "4")]
    secs: f64,
    #[command(flatten)]
    files: Files,
}

/// What differs from a plain run over raw QUIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    Plain,
    Web,
    Churn,
    Slow,
    Cut,
    Room,
    Talk,
    Taps,
}

/// A load.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    pub(super) shape: String,
    pub(super) subscribers: usize,
    pub(super) variant: Variant,
}

impl Variant {
    pub(super) fn scheme(self) -> &'static str {
        if self == Self::Web { "https" } else { "moqt" }
    }

    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::Web => &[],
            Self::Churn => &["--visitors", "100"],
            Self::Slow => &["--trouble", "slow"],
            Self::Cut => &["--trouble", "cut"],
            Self::Room => &["--room"],
            Self::Talk => &["--room", "--messages", "100"],
            Self::Taps => &["--room", "--taps", "20000"],
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Web => ", WebTransport",
            Self::Churn => ", 100 more come and go each second",
            Self::Slow => ", one more at 64 kbit/s",
            Self::Cut => ", one more cut off",
            Self::Room => ", in a quiet room",
            Self::Talk => ", in a room with 100 messages a second",
            Self::Taps => ", in a room with 20,000 taps a second",
        }
    }
}

impl FromStr for Variant {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "" => Self::Plain,
            "web" => Self::Web,
            "churn" => Self::Churn,
            "slow" => Self::Slow,
            "cut" => Self::Cut,
            "room" => Self::Room,
            "talk" => Self::Talk,
            "taps" => Self::Taps,
            other => bail!("there is no variant {other}: it is web, churn, slow, cut, room, talk or taps"),
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = Shape::named(&self.shape).map_or("", |shape| shape.title);
        write!(f, "{} subscribers, {title}{}", self.subscribers, self.variant.words())
    }
}

/// Reads `SHAPE[+VARIANT]:N,N`.
pub(super) fn points(text: &str) -> Result<Vec<Point>> {
    let (what, counts) =
        text.split_once(':').with_context(|| format!("{text} names no number of subscribers"))?;
    let (shape, variant) = what.split_once('+').unwrap_or((what, ""));
    if Shape::named(shape).is_none() {
        bail!("there is no shape {shape}: see load bench --help");
    }
    let variant = variant.parse()?;
    let of = |count: &str| {
        let subscribers = count.parse().with_context(|| format!("{count} is no number of subscribers"))?;
        Ok(Point { shape: shape.to_owned(), subscribers, variant })
    };
    counts.split(',').map(of).collect()
}

/// Measures and prints.
pub(super) fn bench(config: &Config) -> Result<()> {
    let wanted: Vec<&str> = match (config.quick, config.points.is_empty()) {
        (true, true) => QUICK.split_whitespace().collect(),
        (false, true) => ALL.split_whitespace().collect(),
        (_, false) => config.points.iter().map(String::as_str).collect(),
    };
    let points: Vec<Point> = wanted.into_iter().map(points).collect::<Result<Vec<_>>>()?.concat();
    let place = config.files.place()?;
    let contenders = present(&place, &config.contenders, config.quick);
    let total = points.len() * config.rounds * contenders.len();
    let (began, mut done) = (Instant::now(), 0);
    let mut rows: BTreeMap<(usize, Contender), Vec<Value>> = BTreeMap::new();
    for (index, point) in points.iter().enumerate() {
        for round in 0..config.rounds {
            for contender in contenders.iter().copied().filter(|contender| runs(*contender, point)) {
                done += 1;
                eprintln!(
                    "[{done}/{total}, {:.0} s] {point}: {}",
                    began.elapsed().as_secs_f64(),
                    contender.name()
                );
                match place.measure(contender, point, config.secs) {
                    Ok(mut result) => {
                        result["round"] = round.into();
                        config.files.write(&result)?;
                        rows.entry((index, contender)).or_default().push(result);
                    }
                    Err(error) => eprintln!("  {}: {error:#}", contender.name()),
                }
            }
        }
        table(point, &contenders, |contender| rows.get(&(index, contender)).map_or(&[], Vec::as_slice));
    }
    eprintln!("\nThe measurements are in {}", config.files.out.display());
    Ok(())
}

/// Those whose programs are there, of those that are asked for.
pub(super) fn present(place: &Place, asked: &[Contender], is_quick: bool) -> Vec<Contender> {
    let all = match is_quick {
        true => &[Contender::Relay, Contender::Quinn][..],
        false => &[Contender::Relay, Contender::MoqRs, Contender::MoqDev, Contender::Quinn, Contender::Proto],
    };
    let asked = if asked.is_empty() { all } else { asked };
    let (there, missing): (Vec<Contender>, Vec<Contender>) =
        asked.iter().partition(|contender| place.has(**contender));
    for contender in missing {
        eprintln!("load: {} is left out: its program is not built", contender.name());
    }
    there
}

/// A floor speaks no WebTransport, and nobody comes to it late; rooms are ours.
fn runs(contender: Contender, point: &Point) -> bool {
    match point.variant {
        Variant::Plain => true,
        Variant::Web | Variant::Churn | Variant::Slow | Variant::Cut => !contender.is_floor(),
        Variant::Room | Variant::Talk | Variant::Taps => contender == Contender::Relay,
    }
}

/// The median of a figure over the rounds.
pub(super) fn median(results: &[Value], figure: &str) -> f64 {
    let of = |result: &Value| result.pointer(figure).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let mut values: Vec<f64> = results.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

fn table<'a>(point: &Point, contenders: &[Contender], of: impl Fn(Contender) -> &'a [Value]) {
    println!("\n{point}");
    println!(
        "{:<22} {:>9} {:>8} {:>8} {:>8} {:>9} {:>7} {:>7} {:>8} {:>5}  relay is",
        "median of rounds",
        "delivered",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "us/object",
        "s/Gbit",
        "core",
        "KiB/sub",
        "load"
    );
    for contender in contenders {
        let results = of(*contender);
        if results.is_empty() {
            continue;
        }
        let figure = |name: &str| median(results, name);
        let ratio = |name: &str| median(of(Contender::Relay), name) / figure(name);
        let generator = figure("/generator");
        let against = match *contender {
            Contender::Relay => String::new(),
            _ if of(Contender::Relay).is_empty() => String::new(),
            _ => format!(
                "x{:.2} CPU, x{:.2} p50, x{:.2} p99",
                ratio("/cpuUsPerObject"),
                ratio("/latencyMs/all/p50"),
                ratio("/latencyMs/all/p99")
            ),
        };
        println!(
            "{:<22} {:>8.2}% {:>8.2} {:>8.2} {:>8.2} {:>9.1} {:>7.2} {:>7.2} {:>8.0} {:>5.2}  {}",
            contender.name(),
            100.0 * figure("/delivered"),
            figure("/latencyMs/all/p50"),
            figure("/latencyMs/all/p95"),
            figure("/latencyMs/all/p99"),
            figure("/cpuUsPerObject"),
            figure("/cpuSecondsPerGbit"),
            figure("/cpuFraction"),
            figure("/memoryKibPerSubscriber"),
            generator,
            if generator > GENERATOR_LIMIT {
                "discarded: the load itself was at its limit"
            } else {
                &against
            },
        );
        for (kind, title) in kinds(results) {
            let at = |name: &str| figure(&format!("/latencyMs/kinds/{kind}/{name}"));
            println!("  {title:<20} {:>9} {:>8.2} {:>8.2} {:>8.2}", "", at("p50"), at("p95"), at("p99"));
        }
        let visitors = figure("/firstObjectMs/count");
        if visitors > 0.0 {
            let at = |name: &str| figure(&format!("/firstObjectMs/{name}"));
            println!(
                "  {:<30} {:>8.2} {:>8.2} {:>8.2}",
                "first object of who comes",
                at("p50"),
                at("p95"),
                at("p99")
            );
        }
        for (title, name) in [("echo of what is said", "echoMs"), ("the room's answer", "answerMs")] {
            let at = |part: &str| figure(&format!("/talk/{name}/{part}"));
            if at("count") > 0.0 {
                println!("  {title:<30} {:>8.2} {:>8.2} {:>8.2}", at("p50"), at("p95"), at("p99"));
            }
        }
        if figure("/feedBytesPerSecond") > 0.0 {
            println!("  {:.0} bytes a second of the room to each", figure("/feedBytesPerSecond"));
        }
        let others = figure("/others/0").max(figure("/others/1"));
        if others > 0.1 {
            println!("  another program used {:.0} % of a core meanwhile: measure again", 100.0 * others);
        }
    }
}

/// Kinds of tracks, where there are several.
fn kinds(results: &[Value]) -> Vec<(String, String)> {
    let kinds =
        results.first().and_then(|result| result.pointer("/latencyMs/kinds")).and_then(Value::as_object);
    let names: Vec<String> = kinds.into_iter().flatten().map(|(kind, _)| kind.clone()).collect();
    let is_one = names.len() < 2;
    names.into_iter().filter(|_| !is_one).map(|name| (name.clone(), name)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn points_are_read_and_mistakes_are_told() {
        let read = points("video+web:1,200").unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!((read[1].subscribers, read[1].variant), (200, Variant::Web));
        for wrong in ["video", "video:x", "film:1", "video+fast:1"] {
            assert!(points(wrong).is_err(), "{wrong}");
        }
        for text in ALL.split_whitespace().chain(QUICK.split_whitespace()) {
            assert!(points(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_median_of_an_even_number_is_between_two() {
        let results: Vec<Value> =
            [4.0, 1.0, 3.0, 2.0].iter().map(|value| json!({ "a": { "b": value } })).collect();
        assert_eq!(median(&results, "/a/b"), 2.5);
        assert_eq!(median(&results[..3], "/a/b"), 3.0);
        assert!(median(&results, "/a/c").is_nan());
    }
}

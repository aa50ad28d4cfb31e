//! The curves as SVG: CPU for each delivered object, and p99, over the number of subscribers. It is readable
//! on light and on dark.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{
    bench::{GENERATOR_LIMIT, median},
    contender::Contender,
};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 400.0;
/// A panel's inner rectangle: its left edge, and what both have in common.
const LEFT: [f64; 2] = [58.0, 488.0];
const TOP: f64 = 74.0;
const INNER: (f64, f64) = (340.0, 236.0);

/// The shape that is drawn.
const SHAPE: &str = "video";

const STYLE: &str = "\
svg{--ink:#1f2328;--dim:#656d76;--grid:#d8dee4;--back:#ffffff;\
--relay:#0969da;--moq-rs:#bc4c00;--moq-dev:#8250df;--quinn:#57606a;--proto:#8c959f}\
@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--dim:#9198a1;--grid:#30363d;--back:#0d1117;\
--relay:#4493f8;--moq-rs:#f0883e;--moq-dev:#ab7df8;--quinn:#9198a1;--proto:#6e7681}}\
text{font:12px system-ui,sans-serif;fill:var(--dim)}\
.title{font-size:14px;font-weight:600;fill:var(--ink)}\
.grid{stroke:var(--grid);stroke-width:1}\
.line{fill:none;stroke-width:2;stroke-linejoin:round}\
.floor{stroke-dasharray:5 4}";

/// A curve: subscribers and the figure's median, in order.
type Curve = Vec<(f64, f64)>;

/// A contender's curves in both panels.
struct Drawn {
    contender: Contender,
    cpu: Curve,
    p99: Curve,
}

/// Draws what `bench` wrote.
pub(super) fn draw(results: &[PathBuf], out: &Path) -> Result<()> {
    let mut lines = Vec::new();
    for path in results {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        for line in text.lines() {
            lines.push(serde_json::from_str(line).with_context(|| format!("a line of {}", path.display()))?);
        }
    }
    let drawn = curves(&lines);
    if drawn.is_empty() {
        bail!("there is nothing to draw: run `load bench video:1,50,200,500` first");
    }
    fs::write(out, picture(&drawn)).with_context(|| format!("writing {}", out.display()))
}

/// Points at which the load was at its own limit are left out.
fn curves(lines: &[Value]) -> Vec<Drawn> {
    let all = [Contender::Quinn, Contender::Proto, Contender::MoqDev, Contender::MoqRs, Contender::Relay];
    let of = |contender: Contender| {
        let is_drawn = |line: &&Value| {
            line["contender"] == contender.name()
                && line["shape"] == SHAPE
                && line["over"] == "quic"
                && line["trouble"].is_null()
                && line["visitors"] == 0
        };
        let mine: Vec<&Value> = lines.iter().filter(is_drawn).collect();
        let mut counts: Vec<u64> = mine.iter().filter_map(|line| line["subscribers"].as_u64()).collect();
        counts.sort_unstable();
        counts.dedup();
        let mut drawn = Drawn { contender, cpu: Vec::new(), p99: Vec::new() };
        for count in counts {
            let rounds: Vec<Value> =
                mine.iter().filter(|line| line["subscribers"] == count).map(|line| (*line).clone()).collect();
            if median(&rounds, "/generator") > GENERATOR_LIMIT {
                continue;
            }
            drawn.p99.push((count as f64, median(&rounds, "/latencyMs/all/p99").max(0.1)));
            drawn.cpu.push((count as f64, median(&rounds, "/cpuUsPerObject")));
        }
        drawn
    };
    all.into_iter().map(of).filter(|drawn| !drawn.cpu.is_empty()).collect()
}

/// A logarithmic axis.
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    /// Holds all values, ending on ticks.
    fn over(values: impl Iterator<Item = f64>, ticks: &[f64]) -> Self {
        let (least, most) =
            values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        let from = ticks.iter().copied().filter(|tick| *tick <= least).fold(ticks[0], f64::max);
        let last = ticks[ticks.len() - 1];
        let to = ticks.iter().copied().filter(|tick| *tick >= most).fold(last, f64::min);
        Self { from, to: if to > from { to } else { from * 10.0 } }
    }

    /// Where a value is, from 0 to 1.
    fn at(&self, value: f64) -> f64 {
        ((value / self.from).ln() / (self.to / self.from).ln()).clamp(0.0, 1.0)
    }
}

const SUBSCRIBERS: [f64; 8] = [1.0, 10.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0];
const MICROSECONDS: [f64; 8] = [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0];
const MILLISECONDS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1_000.0, 10_000.0];

fn picture(drawn: &[Drawn]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"CPU time for each delivered object, and p99 latency, over the number of subscribers\">\
         <style>{STYLE}</style><rect width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"8\" style=\"fill:var(--back)\"/>"
    );
    panel(&mut svg, 0, "CPU for each delivered object, µs", drawn, |drawn| &drawn.cpu, &MICROSECONDS);
    panel(&mut svg, 1, "Latency p99, ms", drawn, |drawn| &drawn.p99, &MILLISECONDS);
    legend(&mut svg, drawn);
    svg.push_str("</svg>\n");
    svg
}

fn panel(
    svg: &mut String,
    index: usize,
    title: &str,
    drawn: &[Drawn],
    of: fn(&Drawn) -> &Curve,
    ticks: &[f64],
) {
    let (left, (width, height)) = (LEFT[index], INNER);
    let points = || drawn.iter().flat_map(|drawn| of(drawn).iter().copied());
    let across = Axis::over(points().map(|(count, _)| count), &SUBSCRIBERS);
    let upwards = Axis::over(points().map(|(_, value)| value), ticks);
    let x = |count: f64| left + across.at(count) * width;
    let y = |value: f64| TOP + (1.0 - upwards.at(value)) * height;
    text(svg, left, TOP - 18.0, "start", "title", title);
    for tick in ticks.iter().copied().filter(|tick| (upwards.from..=upwards.to).contains(tick)) {
        let at = y(tick);
        rule(svg, left, at, left + width, at);
        text(svg, left - 8.0, at + 4.0, "end", "", &short(tick));
    }
    for tick in SUBSCRIBERS.iter().copied().filter(|tick| (across.from..=across.to).contains(tick)) {
        // 100 has no room beside 200.
        if tick != 100.0 && tick != 10.0 || across.to / across.from < 100.0 {
            text(svg, x(tick), TOP + height + 20.0, "middle", "", &short(tick));
        }
    }
    text(svg, left + width, TOP + height + 38.0, "end", "", "subscribers");
    for drawn in drawn {
        let name = class(drawn.contender);
        let floor = if drawn.contender.is_floor() { " floor" } else { "" };
        let path: Vec<String> =
            of(drawn).iter().map(|(count, value)| format!("{:.1},{:.1}", x(*count), y(*value))).collect();
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<polyline class=\"line{floor}\" style=\"stroke:var(--{name})\" points=\"{}\"/>",
            path.join(" ")
        );
        for point in path {
            let (x, y) = point.split_once(',').unwrap_or_default();
            let _ = write!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3.2\" style=\"fill:var(--{name})\"/>");
        }
    }
}

fn legend(svg: &mut String, drawn: &[Drawn]) {
    const STEP: f64 = 166.0;
    let at = HEIGHT - 20.0;
    let mut left = 24.0;
    for drawn in drawn.iter().rev() {
        let name = class(drawn.contender);
        let floor = if drawn.contender.is_floor() { " floor" } else { "" };
        let _ = write!(
            svg,
            "<line class=\"line{floor}\" style=\"stroke:var(--{name})\" x1=\"{left}\" y1=\"{0}\" x2=\"{1}\" y2=\"{0}\"/>",
            at - 4.0,
            left + 22.0
        );
        text(svg, left + 28.0, at, "start", "", drawn.contender.name());
        left += STEP;
    }
}

/// The name of a contender's colour.
fn class(contender: Contender) -> &'static str {
    match contender {
        Contender::Relay => "relay",
        Contender::MoqRs => "moq-rs",
        Contender::MoqDev => "moq-dev",
        Contender::Quinn => "quinn",
        Contender::Proto => "proto",
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, class: &str, words: &str) {
    let _ = write!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{words}</text>"
    );
}

fn rule(svg: &mut String, x1: f64, y1: f64, x2: f64, y2: f64) {
    let _ = write!(svg, "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
}

/// A whole number, its thousands as `k`: labels stand close.
fn short(value: f64) -> String {
    let value = value as u64;
    if value >= 1_000 && value.is_multiple_of(1_000) {
        format!("{}k", value / 1_000)
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_point_at_which_the_load_was_at_its_limit_is_left_out() {
        let line = |subscribers: u64, generator: f64| {
            json!({
                "contender": "relay", "shape": SHAPE, "over": "quic", "trouble": null, "visitors": 0,
                "subscribers": subscribers, "generator": generator, "cpuUsPerObject": 30.0,
                "latencyMs": { "all": { "p99": 12.0 } },
            })
        };
        let drawn = curves(&[line(50, 0.1), line(50, 0.1), line(200, 0.5), line(2_000, 0.99)]);
        assert_eq!(drawn.len(), 1);
        assert_eq!(drawn[0].cpu, [(50.0, 30.0), (200.0, 30.0)]);
        let svg = picture(&drawn);
        assert!(svg.starts_with("<svg") && svg.contains("polyline") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn an_axis_ends_on_ticks() {
        let axis = Axis::over([30.0, 400.0].into_iter(), &MICROSECONDS);
        assert_eq!((axis.from, axis.to), (20.0, 500.0));
        assert_eq!((axis.at(20.0), axis.at(500.0)), (0.0, 1.0));
    }
}

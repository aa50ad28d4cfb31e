//! Numbers as text for Prometheus: the OpenMetrics format, which it and its relatives read.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};

use super::Spread;

/// How the text is announced over HTTP.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names and values of labels.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// A value, with its kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Only grows.
    Count(u64),
    /// Only grows, in parts.
    Sum(f64),
    /// Goes up and down.
    Now(f64),
    /// How long things took, in seconds.
    Spread(Box<Spread>),
}

/// All numbers, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Page(Vec<Family>);

#[derive(Debug)]
struct Family {
    name: &'static str,
    help: String,
    samples: Vec<(Labels, Value)>,
}

impl Page {
    /// Adds a value; further ones of a name, with other labels, follow the first at once.
    pub(crate) fn add(&mut self, name: &'static str, help: &str, labels: Labels, value: Value) {
        match self.0.last_mut().filter(|family| family.name == name) {
            Some(family) => family.samples.push((labels, value)),
            None => self.0.push(Family { name, help: help.to_owned(), samples: vec![(labels, value)] }),
        }
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // A string takes all that is written to it.
        let _ = text::encode(&mut text, &registry);
        text
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { name, help, samples } in &self.0 {
            let Some((_, first)) = samples.first() else { continue };
            // The format adds what it ends with, and the stop.
            let (name, help) = (name.trim_end_matches("_total"), help.trim_end_matches('.'));
            let mut family = encoder.encode_descriptor(name, help, None, first.kind())?;
            for (labels, value) in samples {
                match labels.is_empty() {
                    true => value.encode(&mut family)?,
                    false => value.encode(&mut family.encode_family(labels)?)?,
                }
            }
        }
        Ok(())
    }
}

impl Value {
    fn kind(&self) -> MetricType {
        match self {
            Self::Count(_) | Self::Sum(_) => MetricType::Counter,
            Self::Now(_) => MetricType::Gauge,
            Self::Spread(_) => MetricType::Histogram,
        }
    }

    fn encode(&self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => encoder.encode_counter::<NoLabelSet, u64, f64>(count, None),
            Self::Sum(sum) => encoder.encode_counter::<NoLabelSet, f64, f64>(sum, None),
            // A whole number is written as one.
            Self::Now(now) if now.fract() == 0.0 && now.abs() < 9e15 => encoder.encode_gauge(&(*now as i64)),
            Self::Now(now) => encoder.encode_gauge(now),
            Self::Spread(spread) => encoder.encode_histogram::<NoLabelSet>(
                spread.sum(),
                spread.count(),
                &spread.doublings(),
                None,
            ),
        }
    }
}

//! prometheus-parse as a second opinion, on the documents it can read: no colons in names, and no `}`, `,`, `=` or
//! escapes in label values.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firedrill_exposition::parse_text;
use prometheus_parse::{Scrape, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Name, labels and the bits of the value.
type Flat = (String, BTreeMap<String, String>, u64);

#[derive(Debug, Clone)]
struct Line {
    kind: &'static str,
    labels: BTreeMap<String, String>,
    value: f64,
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let kind = prop_oneof![Just("counter"), Just("gauge"), Just("untyped")];
    let labels = btree_map("[a-z_][a-z0-9_]{0,5}", "[A-Za-z0-9/ {;:.-]{0,10}", 0..4);
    let value = prop_oneof![any::<f64>(), Just(0.0), Just(f64::INFINITY)];
    let line = (kind, labels, value).prop_map(|(kind, labels, value)| Line { kind, labels, value });
    vec(line, 0..8)
}

fn write_document(lines: &[Line]) -> String {
    let mut document = String::new();
    for (number, Line { kind, labels, value }) in lines.iter().enumerate() {
        writeln!(document, "# HELP metric_{number} Some help.\n# TYPE metric_{number} {kind}")
            .expect("a string takes every text");
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(document, "metric_{number}{labels} {value}").expect("a string takes every text");
    }
    document
}

fn ours(document: &str) -> Vec<Flat> {
    let exposition = parse_text(document).expect("the document is valid");
    exposition.samples().map(|s| (s.name.clone(), s.labels.clone(), s.value.to_bits())).collect()
}

fn theirs(document: &str) -> Vec<Flat> {
    let scrape =
        Scrape::parse(document.lines().map(|line| Ok(line.to_owned()))).expect("no line fails to be read");
    let flat = |sample: prometheus_parse::Sample| {
        let labels = sample.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => {
                (sample.metric, labels, value.to_bits())
            }
            other => panic!("no such type was written: {other:?}"),
        }
    };
    scrape.samples.into_iter().map(flat).collect()
}

proptest! {
    #[test]
    fn both_parsers_read_the_same_samples(lines in lines()) {
        let document = write_document(&lines);
        prop_assert_eq!(ours(&document), theirs(&document));
    }
}

#[test]
fn both_parsers_read_the_same_histogram() {
    let document =
        "# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n";
    let scrape = Scrape::parse(document.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let theirs = scrape
        .samples
        .iter()
        .find_map(|sample| match &sample.value {
            Value::Histogram(buckets) => {
                Some(buckets.iter().map(|b| (b.less_than, b.count)).collect::<Vec<_>>())
            }
            _ => None,
        })
        .unwrap();
    let exposition = parse_text(document).unwrap();
    let ours: Vec<(f64, f64)> = exposition
        .samples()
        .filter_map(|sample| Some((sample.labels.get("le")?.parse().unwrap(), sample.value)))
        .collect();
    assert_eq!(ours, theirs);
}

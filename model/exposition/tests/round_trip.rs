//! Generated expositions come back as they were written, and no string makes a parser panic.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firedrill_exposition::{Family, Format, MetricKind, Sample, parse_openmetrics, parse_text};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

type Labels = BTreeMap<String, String>;

fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn write_sample(document: &mut String, sample: &Sample, format: Format) {
    document.push_str(&sample.name);
    let labels: Vec<String> =
        sample.labels.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value))).collect();
    if !labels.is_empty() {
        write!(document, "{{{}}}", labels.join(",")).expect("a string takes every text");
    }
    write!(document, " {}", sample.value).expect("a string takes every text");
    let timestamp = match (sample.timestamp_seconds, format) {
        (Some(seconds), Format::Text) => format!(" {:.0}", seconds * 1000.0),
        (Some(seconds), Format::OpenMetrics) => format!(" {seconds}"),
        (None, _) => String::new(),
    };
    document.push_str(&timestamp);
    document.push('\n');
}

fn write_document(families: &[Family], format: Format) -> String {
    let mut document = String::new();
    for family in families {
        if let Some(help) = &family.help {
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            writeln!(document, "# HELP {} {help}", family.name).expect("a string takes every text");
        }
        let kind = match (family.kind, format) {
            (MetricKind::Unknown, Format::Text) => "untyped",
            (kind, _) => kind.as_str(),
        };
        writeln!(document, "# TYPE {} {kind}", family.name).expect("a string takes every text");
        family.samples.iter().for_each(|sample| write_sample(&mut document, sample, format));
    }
    if format == Format::OpenMetrics {
        document.push_str("# EOF\n");
    }
    document
}

fn label_sets() -> impl Strategy<Value = Vec<Labels>> {
    let value = prop_oneof!["[a-z/{},= #\\\\\"\n]{0,12}", "\\PC{0,8}"];
    let set = btree_map("[a-km-pr-z_][a-z0-9]{0,4}", value, 0..4);
    vec(set, 1..5).prop_map(|mut sets| {
        sets.sort();
        sets.dedup();
        sets
    })
}

fn sample(name: String, labels: Labels, value: f64, seconds: Option<u32>) -> Sample {
    Sample { name, labels, value, timestamp_seconds: seconds.map(f64::from), exemplar: None }
}

/// Names never clash: the family's number is part of each.
fn family(number: usize) -> impl Strategy<Value = Family> {
    let kind = prop_oneof![
        Just(MetricKind::Gauge),
        Just(MetricKind::Unknown),
        Just(MetricKind::Histogram),
        Just(MetricKind::Summary),
    ];
    let help = proptest::option::of("[a-z\\\\\n]{1,10}");
    (kind, "[a-z_:][a-z0-9:]{0,8}", help, label_sets(), any::<f64>(), proptest::option::of(any::<u32>()))
        .prop_map(move |(kind, stem, help, sets, value, seconds)| {
            let name = format!("{stem}_{number}");
            let samples = sets
                .into_iter()
                .flat_map(|labels| match kind {
                    MetricKind::Histogram => {
                        let mut bucket = labels.clone();
                        bucket.insert("le".to_owned(), "+Inf".to_owned());
                        vec![
                            sample(format!("{name}_bucket"), bucket, 7.0, seconds),
                            sample(format!("{name}_count"), labels, 7.0, seconds),
                        ]
                    }
                    MetricKind::Summary => vec![sample(format!("{name}_sum"), labels, 0.5, seconds)],
                    _ => vec![sample(name.clone(), labels, value, seconds)],
                })
                .collect();
            Family { name, kind, help, unit: None, samples }
        })
}

fn families() -> impl Strategy<Value = Vec<Family>> {
    (0_usize..5).prop_flat_map(|count| (0..count).map(family).collect::<Vec<_>>())
}

/// Pieces of both formats in any order reach deeper than random characters.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just("# TYPE a ".to_owned()),
        Just("# HELP a ".to_owned()),
        Just("# UNIT a_s s".to_owned()),
        Just("# EOF".to_owned()),
        Just("histogram\n".to_owned()),
        Just("a_bucket{le=\"+Inf\"} 1".to_owned()),
        Just("a{b=\"\\".to_owned()),
        Just(" # {x=\"ü\"} 1 ".to_owned()),
        "[a{}=\",\\\\# \t\n1.eNaInf+-]{0,6}",
        "\\PC{0,3}",
    ];
    vec(scrap, 0..12).prop_map(|scraps| scraps.concat())
}

proptest! {
    #[test]
    fn a_generated_exposition_comes_back_from_both_formats(families in families()) {
        let text = write_document(&families, Format::Text);
        prop_assert_eq!(&parse_text(&text).unwrap().families, &families);
        let openmetrics = write_document(&families, Format::OpenMetrics);
        prop_assert_eq!(&parse_openmetrics(&openmetrics).unwrap().families, &families);
    }

    #[test]
    fn no_document_makes_a_parser_panic(document in prop_oneof![scraps(), any::<String>()]) {
        for parsed in [parse_text(&document), parse_openmetrics(&document)] {
            if let Err(error) = parsed {
                let lines = document.split('\n').count();
                prop_assert!((1..=lines).contains(&error.line), "{}", error);
                let line = document.split('\n').nth(error.line - 1).unwrap();
                prop_assert!((1..=line.chars().count() + 1).contains(&error.column), "{}", error);
            }
        }
    }

    #[test]
    fn every_proper_prefix_of_an_openmetrics_document_is_refused(families in families(), cut in any::<prop::sample::Index>()) {
        let document = write_document(&families, Format::OpenMetrics);
        let complete = document.trim_end_matches('\n');
        let prefix: String = complete.chars().take(cut.index(complete.chars().count())).collect();
        prop_assert!(parse_openmetrics(&prefix).is_err());
    }
}

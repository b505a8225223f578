//! What is read, and that it is kept as written.

use std::collections::BTreeMap;

use firedrill_exposition::{MetricKind, Sample, parse_openmetrics, parse_text};

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn colons_braces_commas_equals_and_escapes_survive() {
    let document = "job:a:rate5m{route=\"/users/{id}\",q=\"a=b,c\",path=\"C:\\\\x\\n\\\"y\\\"\"} 1\n";
    let exposition = parse_text(document).unwrap();
    let sample = &exposition.families[0].samples[0];
    assert_eq!(sample.name, "job:a:rate5m");
    assert_eq!(sample.labels, labels(&[("route", "/users/{id}"), ("q", "a=b,c"), ("path", "C:\\x\n\"y\"")]));
}

#[test]
fn the_text_format_allows_blanks_comments_and_a_last_comma() {
    let document =
        "\n # nothing\n#\n\t# HELP  a \t two  words \n#\tTYPE a\tgauge \na { b = \"1\" , }\t-Inf  -1500 \n";
    let exposition = parse_text(document).unwrap();
    let family = exposition.family("a").unwrap();
    assert_eq!(family.kind, MetricKind::Gauge);
    assert_eq!(family.help.as_deref(), Some("two  words "));
    let sample = Sample {
        name: "a".to_owned(),
        labels: labels(&[("b", "1")]),
        value: f64::NEG_INFINITY,
        timestamp_seconds: Some(-1.5),
        exemplar: None,
    };
    assert_eq!(family.samples, [sample]);
}

#[test]
fn samples_of_histograms_and_summaries_belong_to_their_family() {
    let document = "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n\
                    # TYPE s summary\ns{quantile=\"0.5\"} NaN\ns_sum 1\ns_count 1\nh_bucketful 1\n";
    let exposition = parse_text(document).unwrap();
    let sizes: Vec<_> = exposition.families.iter().map(|f| (f.name.as_str(), f.samples.len())).collect();
    assert_eq!(sizes, [("h", 3), ("s", 3), ("h_bucketful", 1)]);
}

#[test]
fn an_empty_text_document_is_an_empty_exposition() {
    assert!(parse_text("").unwrap().families.is_empty());
}

#[test]
fn openmetrics_keeps_units_exemplars_timestamps_and_created_samples() {
    let document = "# TYPE wait_seconds counter\n# UNIT wait_seconds seconds\n# HELP wait_seconds a \"bare\" quote\n\
                    wait_seconds_total{a=\" # \"} 1 1.25 # {trace=\"x\"} 0.5 2\nwait_seconds_created{a=\" # \"} 9 1.25\n\
                    # EOF";
    let exposition = parse_openmetrics(document).unwrap();
    let family = exposition.family("wait_seconds").unwrap();
    assert_eq!(family.unit.as_deref(), Some("seconds"));
    assert_eq!(family.help.as_deref(), Some("a \"bare\" quote"));
    let exemplar = family.samples[0].exemplar.as_ref().unwrap();
    assert_eq!((exemplar.labels.clone(), exemplar.timestamp_seconds), (labels(&[("trace", "x")]), Some(2.0)));
    assert_eq!(family.samples[1].timestamp_seconds, Some(1.25));
}

#[test]
fn an_undefined_escape_in_openmetrics_is_a_backslash() {
    let exposition = parse_openmetrics("a{b=\"\\d\"} 1\n# EOF\n").unwrap();
    assert_eq!(exposition.families[0].samples[0].labels, labels(&[("b", "\\d")]));
}

#[test]
fn an_openmetrics_series_may_have_several_points_in_time_order() {
    let exposition = parse_openmetrics("# TYPE a gauge\na 1 1\na 2 2\na{b=\"1\"} 1 1\n# EOF\n").unwrap();
    assert_eq!(exposition.samples().count(), 3);
}

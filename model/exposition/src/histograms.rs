//! Whether histograms agree with themselves: a question apart from syntax, since scrapers accept those that do not.

use std::collections::{BTreeMap, HashMap};

use thiserror::Error;

use crate::rules::identity;
use crate::{Exposition, Family, Format, MetricKind, Sample, number};

/// A histogram that contradicts itself.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("histogram `{family}` with labels {labels:?}: {defect}")]
pub struct HistogramProblem {
    /// The family's name.
    pub family: String,
    /// The labels of the histogram, without `le`.
    pub labels: BTreeMap<String, String>,
    /// What is wrong.
    pub defect: HistogramDefect,
}

/// What can be wrong with a histogram.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum HistogramDefect {
    /// There is no `le="+Inf"` bucket.
    #[error("bucket `+Inf` is missing")]
    InfBucketMissing,
    /// The bounds do not rise from line to line; equal bounds count, too.
    #[error("bucket `{le}` comes after bucket `{previous_le}`")]
    BoundsNotRising {
        /// The bound of the offending bucket.
        le: String,
        /// The bound of the bucket before it.
        previous_le: String,
    },
    /// A cumulative bucket holds less than the one before it, or is negative or NaN.
    #[error("bucket `{le}` holds {count} after {previous}")]
    BucketsNotMonotone {
        /// The bound of the offending bucket.
        le: String,
        /// Its count.
        count: f64,
        /// The count of the bucket before it; 0 for the first one.
        previous: f64,
    },
    /// `_count` (or `_gcount`) is absent. OpenMetrics allows it, if the sum is absent as well.
    #[error("count is missing")]
    CountMissing,
    /// `_sum` (or `_gsum`) is absent. OpenMetrics allows it, if the count is absent as well or a bound is negative.
    #[error("sum is missing")]
    SumMissing,
    /// `_count` differs from the `+Inf` bucket.
    #[error("count {count} differs from bucket `+Inf` {inf}")]
    CountDiffers {
        /// The value of `_count`.
        count: f64,
        /// The value of the `+Inf` bucket.
        inf: f64,
    },
    /// OpenMetrics forbids a sum beside negative bounds, and a negative sum beside others.
    #[error("sum {sum} cannot be, given the bounds")]
    SumNotAllowed {
        /// The value of the sum.
        sum: f64,
    },
}

/// Every contradiction of every histogram, in the order of the document. Empty means consistent.
pub fn check_histograms(exposition: &Exposition) -> Vec<HistogramProblem> {
    exposition
        .families
        .iter()
        .filter(|family| matches!(family.kind, MetricKind::Histogram | MetricKind::GaugeHistogram))
        .flat_map(|family| check_family(family, exposition.format))
        .collect()
}

fn check_family(family: &Family, format: Format) -> Vec<HistogramProblem> {
    let mut histograms: Vec<Histogram<'_>> = Vec::new();
    let mut places = HashMap::new();
    for sample in &family.samples {
        let part = sample.name.strip_prefix(&family.name).unwrap_or_default();
        if part == "_created" {
            continue;
        }
        let timestamp = sample.timestamp_seconds.filter(|_| format == Format::OpenMetrics);
        let key =
            (identity("", &sample.labels, (part == "_bucket").then_some("le")), timestamp.map(f64::to_bits));
        let place = *places.entry(key).or_insert_with(|| {
            let mut labels = sample.labels.clone();
            if part == "_bucket" {
                labels.remove("le");
            }
            histograms.push(Histogram {
                kind: family.kind,
                labels,
                buckets: Vec::new(),
                count: None,
                sum: None,
            });
            histograms.len() - 1
        });
        let histogram = &mut histograms[place];
        match part {
            "_bucket" => histogram.buckets.push(sample),
            "_count" | "_gcount" => histogram.count = Some(sample.value),
            _ => histogram.sum = Some(sample.value),
        }
    }
    let problem = |(labels, defect)| HistogramProblem { family: family.name.clone(), labels, defect };
    histograms.iter().flat_map(|histogram| histogram.defects(format)).map(problem).collect()
}

struct Histogram<'a> {
    kind: MetricKind,
    labels: BTreeMap<String, String>,
    buckets: Vec<&'a Sample>,
    count: Option<f64>,
    sum: Option<f64>,
}

impl Histogram<'_> {
    fn defects(&self, format: Format) -> Vec<(BTreeMap<String, String>, HistogramDefect)> {
        let mut defects = self.bucket_defects();
        let inf = self.buckets.iter().find(|bucket| le(bucket) == "+Inf").map(|bucket| bucket.value);
        match (self.count, inf) {
            (_, None) => defects.push(HistogramDefect::InfBucketMissing),
            (Some(count), Some(inf)) if (count - inf).abs() > 0.0 || count.is_nan() != inf.is_nan() => {
                defects.push(HistogramDefect::CountDiffers { count, inf });
            }
            _ => {}
        }
        let negative_bounds = self.buckets.iter().any(|bucket| bound(bucket) < 0.0);
        let required = format == Format::Text;
        if self.count.is_none() && (required || self.sum.is_some()) {
            defects.push(HistogramDefect::CountMissing);
        }
        let sum_required = required || (self.count.is_some() && !negative_bounds);
        match self.sum {
            None if sum_required => defects.push(HistogramDefect::SumMissing),
            Some(sum) if format == Format::OpenMetrics && self.is_forbidden(sum, negative_bounds) => {
                defects.push(HistogramDefect::SumNotAllowed { sum });
            }
            _ => {}
        }
        defects.into_iter().map(|defect| (self.labels.clone(), defect)).collect()
    }

    fn bucket_defects(&self) -> Vec<HistogramDefect> {
        let mut defects = Vec::new();
        let mut before: Option<&Sample> = None;
        for bucket in &self.buckets {
            if let Some(before) = before.filter(|before| bound(before) >= bound(bucket)) {
                let (le, previous_le) = (le(bucket).to_owned(), le(before).to_owned());
                defects.push(HistogramDefect::BoundsNotRising { le, previous_le });
            }
            let previous = before.map_or(0.0, |before| before.value);
            if bucket.value.is_nan() || bucket.value < previous {
                let (le, count) = (le(bucket).to_owned(), bucket.value);
                defects.push(HistogramDefect::BucketsNotMonotone { le, count, previous });
            }
            before = Some(bucket);
        }
        defects
    }

    /// A gauge histogram may have a sum beside negative bounds; a histogram, whose sum only rises, may not.
    fn is_forbidden(&self, sum: f64, negative_bounds: bool) -> bool {
        if negative_bounds { self.kind == MetricKind::Histogram } else { sum < 0.0 }
    }
}

fn le(bucket: &Sample) -> &str {
    bucket.labels.get("le").map_or("", String::as_str)
}

/// The parser admits only buckets with a valid `le`.
fn bound(bucket: &Sample) -> f64 {
    number::float(le(bucket)).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse_openmetrics, parse_text};

    fn text_defects(samples: &str) -> Vec<String> {
        let document = format!("# TYPE h histogram\n{samples}");
        check_histograms(&parse_text(&document).unwrap())
            .iter()
            .map(|problem| problem.defect.to_string())
            .collect()
    }

    fn openmetrics_defects(samples: &str) -> Vec<String> {
        let document = format!("{samples}# EOF\n");
        check_histograms(&parse_openmetrics(&document).unwrap())
            .iter()
            .map(|problem| problem.defect.to_string())
            .collect()
    }

    #[test]
    fn a_consistent_histogram_has_no_problem() {
        let samples = "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
        assert!(text_defects(samples).is_empty());
    }

    #[test]
    fn each_contradiction_is_named() {
        let cases = [
            ("h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n", "bucket `+Inf` is missing"),
            (
                "h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n",
                "bucket `+Inf` holds 2 after 3",
            ),
            (
                "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
                "bucket `1` comes after bucket `2`",
            ),
            (
                "h_bucket{le=\"1\"} 0\nh_bucket{le=\"1.0\"} 0\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
                "bucket `1.0` comes after bucket `1`",
            ),
            ("h_bucket{le=\"+Inf\"} -1\nh_sum 1\nh_count -1\n", "bucket `+Inf` holds -1 after 0"),
            ("h_bucket{le=\"+Inf\"} 7\nh_sum 1\nh_count 9\n", "count 9 differs from bucket `+Inf` 7"),
            ("h_bucket{le=\"+Inf\"} 7\nh_sum 1\n", "count is missing"),
            ("h_bucket{le=\"+Inf\"} 7\nh_count 7\n", "sum is missing"),
        ];
        for (samples, defect) in cases {
            assert_eq!(text_defects(samples), [defect], "{samples}");
        }
    }

    #[test]
    fn histograms_of_one_family_are_told_apart_by_their_labels() {
        let samples = "h_bucket{s=\"a\",le=\"+Inf\"} 1\nh_bucket{s=\"b\",le=\"+Inf\"} 1\n\
                       h_sum{s=\"a\"} 1\nh_count{s=\"a\"} 1\nh_sum{s=\"b\"} 1\nh_count{s=\"b\"} 2\n";
        let document = format!("# TYPE h histogram\n{samples}");
        let problems = check_histograms(&parse_text(&document).unwrap());
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].labels.get("s").map(String::as_str), Some("b"));
    }

    #[test]
    fn openmetrics_ties_the_sum_to_the_bounds() {
        let bare = "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 0\n";
        assert!(openmetrics_defects(bare).is_empty());
        let negative_bound =
            "# TYPE h histogram\nh_bucket{le=\"-1\"} 0\nh_bucket{le=\"+Inf\"} 0\nh_count 0\n";
        assert!(openmetrics_defects(negative_bound).is_empty());
        let with_sum = format!("{negative_bound}h_sum 0\n");
        assert_eq!(openmetrics_defects(&with_sum), ["sum 0 cannot be, given the bounds"]);
        let gauge = "# TYPE h gaugehistogram\nh_bucket{le=\"+Inf\"} 1\nh_gsum -1\nh_gcount 1\n";
        assert_eq!(openmetrics_defects(gauge), ["sum -1 cannot be, given the bounds"]);
    }

    #[test]
    fn points_of_different_times_are_different_histograms() {
        let point =
            |time| format!("h_bucket{{le=\"+Inf\"}} {time} {time}\nh_sum 1 {time}\nh_count {time} {time}\n");
        let document = format!("# TYPE h histogram\n{}{}", point(1), point(2));
        assert!(openmetrics_defects(&document).is_empty());
    }
}

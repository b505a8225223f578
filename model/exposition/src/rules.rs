//! What a family demands of its samples: names, labels, values, and the order of series.

use std::collections::{BTreeMap, HashSet};

use crate::{Family, Format, MetricKind, Problem, Sample, number};

/// A unit must end the family's name, and `info` and `stateset` have none.
pub(crate) fn check_unit(family: &Family) -> Result<(), Problem> {
    let Some(unit) = family.unit.as_deref().filter(|unit| !unit.is_empty()) else { return Ok(()) };
    if matches!(family.kind, MetricKind::Info | MetricKind::StateSet) {
        return Err(Problem::UnitNotAllowed { kind: family.kind });
    }
    if family.name.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_')) {
        return Ok(());
    }
    Err(Problem::UnitNotInName { family: family.name.clone(), unit: unit.to_owned() })
}

/// Name, labels, value and exemplar of one sample of `family`.
pub(crate) fn check_sample(family: &Family, sample: &Sample, format: Format) -> Result<(), Problem> {
    let suffix = sample.name.strip_prefix(&family.name).unwrap_or_default();
    if !family.kind.suffixes(format).contains(&suffix) {
        let (name, family, kind) = (sample.name.clone(), family.name.clone(), family.kind);
        return Err(Problem::WrongSuffix { name, family, kind });
    }
    if let Some(label) = structural_label(family, sample) {
        check_structural_label(family, label, sample, format)?;
    }
    if format == Format::OpenMetrics {
        check_value(family.kind, suffix, sample)?;
    }
    if sample.exemplar.is_some() && !matches!(suffix, "_bucket" | "_total") {
        return Err(Problem::ExemplarNotAllowed);
    }
    Ok(())
}

/// The label that tells the samples of one metric apart: `le`, `quantile`, or a state set's own name.
fn structural_label<'a>(family: &'a Family, sample: &Sample) -> Option<&'a str> {
    match family.kind {
        MetricKind::Histogram | MetricKind::GaugeHistogram if sample.name.ends_with("_bucket") => {
            (sample.name.len() > family.name.len()).then_some("le")
        }
        MetricKind::Summary if sample.name == family.name => Some("quantile"),
        MetricKind::StateSet => Some(&family.name),
        _ => None,
    }
}

/// Quantiles are fractions in OpenMetrics; exporters of the text format also write percentiles (`quantile="50"`).
fn check_structural_label(
    family: &Family,
    label: &str,
    sample: &Sample,
    format: Format,
) -> Result<(), Problem> {
    let kind = family.kind;
    let Some(value) = sample.labels.get(label) else {
        return Err(Problem::MissingLabel { kind, label: label.to_owned() });
    };
    let valid = match kind {
        MetricKind::Summary => number::finite(value)
            .is_some_and(|quantile| format == Format::Text || (0.0..=1.0).contains(&quantile)),
        MetricKind::StateSet => true,
        _ => value == "+Inf" || number::finite(value).is_some(),
    };
    if valid {
        return Ok(());
    }
    Err(Problem::BadLabelValue { label: label.to_owned(), value: value.clone() })
}

/// The values OpenMetrics demands; the text format leaves them free.
fn check_value(kind: MetricKind, suffix: &str, sample: &Sample) -> Result<(), Problem> {
    let value = sample.value;
    let (holds, requirement) = match (kind, suffix) {
        (MetricKind::Info, _) => (value.to_bits() == 1.0_f64.to_bits(), "be 1"),
        (MetricKind::StateSet, _) => (value == 0.0 || value.to_bits() == 1.0_f64.to_bits(), "be 0 or 1"),
        (_, "_bucket" | "_count" | "_gcount") => (
            value >= 0.0 && (value.is_infinite() || value.fract() == 0.0),
            "be a whole number that is not negative",
        ),
        (_, "_total" | "_sum") => (value >= 0.0, "not be negative or NaN"),
        (_, "_gsum") => (!value.is_nan(), "not be NaN"),
        (MetricKind::Summary, "") => (value.is_nan() || value >= 0.0, "not be negative"),
        _ => (true, ""),
    };
    if holds {
        return Ok(());
    }
    Err(Problem::ValueNotAllowed { name: sample.name.clone(), requirement })
}

/// Which series of the open family have been seen, and for OpenMetrics also in which order.
#[derive(Default)]
pub(crate) struct SeriesOrder {
    /// Text: every series. OpenMetrics: the series of the open metric at its newest timestamp.
    seen: HashSet<String>,
    /// OpenMetrics: the metrics seen, by their labels.
    metrics: HashSet<String>,
    /// OpenMetrics: the metric whose samples are being read, and its newest timestamp.
    open: Option<(String, Option<f64>)>,
}

impl SeriesOrder {
    /// Admits the sample, or says why it may not stand at this place.
    pub(crate) fn admit(&mut self, family: &Family, sample: &Sample, format: Format) -> Result<(), Problem> {
        if format == Format::OpenMetrics {
            self.admit_metric(family, sample)?;
        }
        if self.seen.insert(identity(&sample.name, &sample.labels, None)) {
            return Ok(());
        }
        Err(Problem::DuplicateSeries { series: series(sample) })
    }

    fn admit_metric(&mut self, family: &Family, sample: &Sample) -> Result<(), Problem> {
        let metric = identity("", &sample.labels, structural_label(family, sample));
        let timestamp = sample.timestamp_seconds;
        match &mut self.open {
            Some((open, newest)) if *open == metric => match (*newest, timestamp) {
                (None, None) => {}
                (Some(before), Some(now)) if now < before => return Err(Problem::TimestampBackwards),
                (Some(before), Some(now)) => {
                    if now > before {
                        self.seen.clear();
                    }
                    *newest = timestamp;
                }
                _ => return Err(Problem::TimestampMixed),
            },
            _ => {
                if !self.metrics.insert(metric.clone()) {
                    return Err(Problem::MetricInterleaved { series: series(sample) });
                }
                self.seen.clear();
                self.open = Some((metric, timestamp));
            }
        }
        Ok(())
    }
}

/// A key that differs for different names and labels: values may hold any character, so their lengths separate.
pub(crate) fn identity(name: &str, labels: &BTreeMap<String, String>, without: Option<&str>) -> String {
    let mut key = name.to_owned();
    for (label, value) in labels.iter().filter(|(label, _)| Some(label.as_str()) != without) {
        for part in ["{", label, "=", &value.len().to_string(), ":", value] {
            key.push_str(part);
        }
    }
    key
}

/// The series as a reader knows it.
fn series(sample: &Sample) -> String {
    if sample.labels.is_empty() {
        return sample.name.clone();
    }
    let labels: Vec<String> = sample.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{}{{{}}}", sample.name, labels.join(","))
}

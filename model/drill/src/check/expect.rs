//! Expectations.

use super::metric_name::is_metric_name;
use super::problems::{Checked, Problems, all};
use crate::plan::{
    AlertExpectation, AlertOutcome, Expectation, LabelMatcher, LoadExpectation, MetricExpectation,
    QuietExpectation, TruthExpectation,
};
use crate::source::Place;
use crate::written::{
    AlertText, ExpectationText, LabelsText, LoadThresholdsText, MetricText, QuietText, TruthText,
};
use crate::yaml::At;

pub(super) fn check_expectations(
    expectations: At<Vec<At<ExpectationText>>>,
    has_fault: bool,
    problems: &mut Problems<'_>,
) -> Checked<Vec<Expectation>> {
    if expectations.value.is_empty() {
        let help =
            "add an item, at least `- load: {achieved: 99%}`: a drill that expects nothing proves nothing";
        return Err(problems.report(expectations.place, "no expectation", "an empty list", help));
    }
    let mut checked: Vec<Checked<Expectation>> = Vec::new();
    for At { value, place } in expectations.value {
        let one = check_one(value, place, has_fault, problems).and_then(|one| {
            if !checked.iter().flatten().any(|earlier| is_duplicate(earlier, &one)) {
                return Ok(one);
            }
            let message = format!("a second `{}` expectation for the same thing", kind(&one));
            Err(problems.report(place, message, "expected before", "remove one of the two"))
        });
        checked.push(one);
    }
    all(checked)
}

fn check_one(
    text: ExpectationText,
    place: Place,
    has_fault: bool,
    problems: &mut Problems<'_>,
) -> Checked<Expectation> {
    match text {
        ExpectationText::Alert(alert) => check_alert(alert, has_fault, problems).map(Expectation::Alert),
        ExpectationText::Quiet(quiet) => check_quiet(quiet, problems).map(Expectation::Quiet),
        ExpectationText::Truth(truth) => check_truth(&truth, place, problems).map(Expectation::Truth),
        ExpectationText::Load(load) => check_thresholds(&load, place, problems).map(Expectation::Load),
        ExpectationText::Metric(metric) => check_metric(metric, problems).map(Expectation::Metric),
    }
}

fn check_alert(text: AlertText, has_fault: bool, problems: &mut Problems<'_>) -> Checked<AlertExpectation> {
    let name = problems.name(&text.name);
    let outcome = check_outcome(&text, problems);
    let labels = problems.labels(text.labels);
    if !has_fault {
        let help = "add the fault that raises it under `timeline`, or expect `quiet: {}` instead";
        let message = format!("alert `{}` is expected, and nothing raises it", text.name.value);
        return Err(problems.report(text.name.place, message, "the drill has no fault", help));
    }
    Ok(AlertExpectation { name: name?, labels: labels?, outcome: outcome? })
}

fn check_outcome(text: &AlertText, problems: &mut Problems<'_>) -> Checked<AlertOutcome> {
    match (&text.notified, &text.inhibited_by) {
        (Some(receiver), None) => problems.filled(receiver, "receiver").map(AlertOutcome::Notified),
        (None, Some(source)) => problems.name(source).map(AlertOutcome::InhibitedBy),
        (Some(_), Some(source)) => {
            let message = "an alert that is both notified and inhibited";
            let help = "remove `notified` or `inhibited_by`: one alert has one outcome";
            Err(problems.report(source.place, message, "beside `notified`", help))
        }
        (None, None) => {
            let message = format!("nothing comes of alert `{}`", text.name.value);
            let help = "add `notified: RECEIVER`, or `inhibited_by: ALERTNAME` when nobody must be told";
            Err(problems.report(text.name.place, message, "neither notified nor inhibited", help))
        }
    }
}

fn check_quiet(text: QuietText, problems: &mut Problems<'_>) -> Checked<QuietExpectation> {
    let matchers = text.except.into_iter().map(|matcher| check_matcher(matcher, problems));
    all(matchers.collect()).map(|except| QuietExpectation { except })
}

fn check_matcher(matcher: At<LabelsText>, problems: &mut Problems<'_>) -> Checked<LabelMatcher> {
    if matcher.value.is_empty() {
        let help = "name at least one label, like `{alertname: HighLatency}`";
        return Err(problems.report(
            matcher.place,
            "an exception for every alert",
            "matches everything",
            help,
        ));
    }
    Ok(LabelMatcher { labels: problems.labels(matcher.value)? })
}

fn check_truth(text: &TruthText, place: Place, problems: &mut Problems<'_>) -> Checked<TruthExpectation> {
    let truth = TruthExpectation { counters: text.counters.is_some(), histograms: text.histograms.is_some() };
    if truth.counters || truth.histograms {
        return Ok(truth);
    }
    let help = "write `truth: {counters: exact, histograms: consistent}` or one of the two";
    Err(problems.report(place, "a truth that compares nothing", "neither counters nor histograms", help))
}

fn check_thresholds(
    text: &LoadThresholdsText,
    place: Place,
    problems: &mut Problems<'_>,
) -> Checked<LoadExpectation> {
    let Some(achieved) = &text.achieved else {
        let help = "write `load: {achieved: 99%}`";
        return Err(problems.report(place, "a load expectation without a threshold", "always true", help));
    };
    Ok(LoadExpectation { achieved: Some(problems.quantity(achieved)?) })
}

fn check_metric(text: MetricText, problems: &mut Problems<'_>) -> Checked<MetricExpectation> {
    let labels = problems.labels(text.labels);
    if !is_metric_name(&text.name.value) {
        let message = format!("`{}` is not a metric name", text.name.value);
        let help =
            "a metric name has letters, digits, underscores and colons; labels are written under `labels`";
        return Err(problems.report(text.name.place, message, "not allowed", help));
    }
    Ok(MetricExpectation { name: text.name.value, labels: labels? })
}

/// `quiet`, `truth` and `load` speak of the whole drill, so that one of each is enough.
fn is_duplicate(one: &Expectation, other: &Expectation) -> bool {
    match (one, other) {
        (Expectation::Alert(a), Expectation::Alert(b)) => a.name == b.name && a.labels == b.labels,
        (Expectation::Metric(a), Expectation::Metric(b)) => a == b,
        _ => kind(one) == kind(other) && !matches!(one, Expectation::Alert(_) | Expectation::Metric(_)),
    }
}

fn kind(expectation: &Expectation) -> &'static str {
    match expectation {
        Expectation::Alert(_) => "alert",
        Expectation::Quiet(_) => "quiet",
        Expectation::Truth(_) => "truth",
        Expectation::Load(_) => "load",
        Expectation::Metric(_) => "metric",
    }
}

//! Questions about one alert's rule, for the diagnosis of an alert that did not come, and about asked-for metrics.

use firedrill_drill::{AlertExpectation, MetricExpectation};
use firedrill_monitoring_api::Prometheus;
use firedrill_monitoring_api::prometheus::QueryValue;
use firedrill_record::Labels;
use firedrill_rulebook::{LabelMatcher, MatchOperator, SelectorInfo, compared_quantity, selectors};
use jiff::Timestamp;

use super::watch::{chain, millis};
use crate::evidence::{Gathered, LiveRule, MetricProbe, RuleProbe};
use crate::life_cycle::instant;

/// Recording rules are followed so deep.
const DEEPEST: usize = 8;

/// Asks for the series of every selector of the alert's rule, and for the largest value of its left side.
pub(super) async fn rule_probe(
    prometheus: &Prometheus,
    index: usize,
    expectation: &AlertExpectation,
    rules: &[LiveRule],
    began: Timestamp,
) -> Option<RuleProbe> {
    let rule = rules.iter().find(|rule| rule.alerting && rule.name == expectation.name.as_str())?;
    // Labels that the rule itself adds say nothing about its series.
    let of_series: Labels = expectation
        .labels
        .iter()
        .filter(|(name, _)| !rule.labels.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let window = millis(Timestamp::now().duration_since(began).as_secs_f64().max(1.0));
    let mut found = Vec::new();
    follow(&rule.expr, rules, DEEPEST, &mut found);
    let mut asked = Vec::new();
    for mut selector in found {
        for (name, value) in &of_series {
            if !selector.matchers.iter().any(|matcher| matcher.name() == name)
                && let Ok(matcher) = LabelMatcher::new(name, MatchOperator::Equal, value)
            {
                selector.matchers.push(matcher);
            }
        }
        let text = selector.series();
        if asked.iter().any(|(known, _)| *known == text) {
            continue;
        }
        let count = count_of(prometheus, &format!("count(last_over_time({text}[{window}ms]))")).await;
        asked.push((text, count));
    }
    let peak = match compared_quantity(&rule.expr) {
        Some(left) => {
            let step = millis(rule.interval.max(0.001));
            let query = format!("max_over_time(({left})[{window}ms:{step}ms])");
            Some((left, peak_of(prometheus, &query, &of_series).await))
        }
        None => None,
    };
    Some(RuleProbe { expectation: index, selectors: asked, peak })
}

fn follow(expr: &str, rules: &[LiveRule], depth: usize, found: &mut Vec<SelectorInfo>) {
    for selector in selectors(expr).unwrap_or_default() {
        let recorded =
            rules.iter().filter(|rule| !rule.alerting && Some(&rule.name) == selector.metric.as_ref());
        if depth > 0 {
            for rule in recorded {
                follow(&rule.expr, rules, depth - 1, found);
            }
        }
        found.push(selector);
    }
}

async fn count_of(prometheus: &Prometheus, query: &str) -> Gathered<usize> {
    match prometheus.query(query, None).await {
        Ok(reply) => match reply.parsed {
            // No series at all: count() of nothing is nothing.
            QueryValue::Vector(samples) if samples.is_empty() => Ok(0),
            QueryValue::Vector(samples) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
                let count = samples[0].sample.value as usize;
                Ok(count)
            }
            other => Err(format!("the reply is a {}", other.type_name())),
        },
        Err(error) => Err(chain(&error)),
    }
}

async fn peak_of(prometheus: &Prometheus, query: &str, labels: &Labels) -> Gathered<Option<f64>> {
    match prometheus.query(query, None).await {
        Ok(reply) => match reply.parsed {
            QueryValue::Vector(samples) => Ok(samples
                .iter()
                .filter(|one| labels.iter().all(|(name, value)| one.labels.get(name) == Some(value)))
                .map(|one| one.sample.value)
                .filter(|value| !value.is_nan())
                .reduce(f64::max)),
            other => Err(format!("the reply is a {}", other.type_name())),
        },
        Err(error) => Err(chain(&error)),
    }
}

/// When a metric was first seen since `began`.
pub(super) async fn metric_probe(
    prometheus: &Prometheus,
    index: usize,
    expectation: &MetricExpectation,
    began: Timestamp,
) -> MetricProbe {
    let matchers = expectation
        .labels
        .iter()
        .filter_map(|(name, value)| LabelMatcher::new(name, MatchOperator::Equal, value).ok())
        .collect();
    let selector = SelectorInfo {
        metric: Some(expectation.name.clone()),
        matchers,
        range: None,
        offset: std::time::Duration::ZERO,
    };
    let window = millis(Timestamp::now().duration_since(began).as_secs_f64().max(1.0));
    let first = prometheus
        .query_raw_range(&format!("{}[{window}ms]", selector.series()), None)
        .await
        .map(|reply| {
            let samples = reply.parsed.iter().filter_map(|series| series.samples.first());
            samples.map(|sample| sample.timestamp_ms).min().map(instant)
        })
        .map_err(|error| chain(&error));
    MetricProbe { expectation: index, first }
}

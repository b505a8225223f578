//! Whether an alert that nobody expected fired by chance: with so few requests in its window that one more or less
//! decides.

use firedrill_record::Ledger;
use firedrill_rulebook::Shape;
use jiff::{SignedDuration, Timestamp};

use crate::alert_plan::analysis_of;
use crate::enough_events::{too_few_for_a_quantile, too_few_for_a_ratio};
use crate::evidence::{Evidence, Series};

/// Why `alert`, a series of `ALERTS` that was first seen firing at `firing`, may have fired by chance; none when it did
/// not, or when that cannot be told: its rule is about no ratio or quantile of one service's requests, or the ledger does
/// not say when requests ended.
pub(super) fn may_explain(alert: &Series, firing: Timestamp, evidence: &Evidence) -> Option<String> {
    let configuration = evidence.configuration.as_ref().ok()?;
    let named = |rule: &&crate::evidence::LiveRule| rule.alerting && rule.name == alert.label("alertname");
    let rule = configuration.rules.iter().find(named)?;
    let shape = analysis_of(configuration, rule).ok()?.0.shape;
    let ledger = evidence.ledger.as_ref()?;
    match shape {
        Shape::Ratio { threshold, window, bad, .. } if bad.metric.as_deref() == Some(REQUESTS) => {
            let (all, failed) = requests(ledger, alert, firing, window)?;
            let ratio = if all > 0.0 { failed / all } else { 0.0 };
            too_few_for_a_ratio(all, ratio, threshold)
        }
        Shape::Quantile { quantile, window, .. } => {
            too_few_for_a_quantile(requests(ledger, alert, firing, window)?.0, quantile)
        }
        Shape::Ratio { .. }
        | Shape::Gauge { .. }
        | Shape::RateThreshold { .. }
        | Shape::Absent { .. }
        | Shape::Constant { .. }
        | Shape::Other { .. } => None,
    }
}

/// The metric that the ledger knows, too.
const REQUESTS: &str = "http_requests_total";

/// Requests of the alert's service that ended in the window before it fired, and the failed ones among them.
fn requests(
    ledger: &Ledger,
    alert: &Series,
    firing: Timestamp,
    window: std::time::Duration,
) -> Option<(f64, f64)> {
    let service = alert.label("service").parse().ok()?;
    let knows_when = ledger.rows.iter().any(|row| row.route.service == service && !row.bins.is_empty());
    let from = firing.checked_sub(SignedDuration::try_from(window).ok()?).ok()?;
    let (all, failed) = ledger.closed_between(&service, from, firing);
    knows_when.then_some((all as f64, failed as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures;

    /// Why `HighErrorRate` of the user service, firing at 16 s, may be chance: 500 requests in 5 s, 150 of them failed,
    /// of which every `keep`th is there.
    fn explained(keep: usize, expr: Option<&str>) -> Option<String> {
        let mut evidence = fixtures::alert_evidence();
        let bins = &mut evidence.ledger.as_mut().unwrap().rows[0].bins;
        *bins = bins.iter().step_by(keep).copied().collect();
        if let Some(expr) = expr {
            evidence.configuration.as_mut().unwrap().rules[0].expr = expr.to_owned();
        }
        let alert = fixtures::alert_series("HighErrorRate", "firing", [16_000]);
        may_explain(&alert, fixtures::at(16_000), &evidence)
    }

    #[test]
    fn a_ratio_of_few_requests_may_be_chance_and_one_of_many_is_not() {
        assert_eq!(explained(1, None), None);
        // 45 requests, three of ten failed: σ = √(0.21/45) = 0.068, and 5σ = 0.34 reach beyond 5 %.
        assert!(explained(11, None).is_some());
    }

    #[test]
    fn a_quantile_of_few_requests_may_be_chance() {
        let p95 = "histogram_quantile(0.95, sum by (service, le) (rate(http_request_duration_seconds_bucket[5s]))) > 0.5";
        assert_eq!(explained(1, Some(p95)), None);
        assert!(explained(3, Some(p95)).is_some());
    }

    #[test]
    fn a_gauge_and_a_ledger_without_times_explain_nothing() {
        assert_eq!(explained(11, Some("up == 0")), None);
        let mut evidence = fixtures::alert_evidence();
        evidence.ledger.as_mut().unwrap().rows[0].bins.clear();
        let alert = fixtures::alert_series("HighErrorRate", "firing", [16_000]);
        assert_eq!(may_explain(&alert, fixtures::at(16_000), &evidence), None);
    }
}

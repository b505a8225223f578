//! Diagnosis of an alert that did not come: the first broken link of the chain, with its numbers and a hint.

use firedrill_record::Reason;

use crate::alert_plan::{AlertPlan, Muting};
use crate::evidence::{Evidence, NotifiedAlert};
use crate::life_cycle::LifeCycle;

/// A reason, a sentence with its numbers, and what would mend it.
pub(crate) type Diagnosis = (Reason, String, Option<String>);

/// Why the alert of the `index`th expectation did not become `missing`, although its window is over.
pub(crate) fn first_broken_link(
    index: usize,
    alert: &AlertPlan,
    life: &LifeCycle,
    evidence: &Evidence,
    missing: &str,
) -> Diagnosis {
    if life.pending.is_none() {
        return never_true(index, alert, evidence);
    }
    if life.firing.is_none() {
        return never_fired(alert, life);
    }
    if life.received.is_none() {
        return never_received(alert, evidence);
    }
    // An alert that is inhibited goes from received to resolved.
    if missing == "delivered" {
        return never_delivered(alert, evidence);
    }
    if life.resolved.is_none() {
        let last = life.last_active.map_or_else(String::new, |at| format!(", last at {at}"));
        return (
            Reason::NotResolved,
            format!("{} still fired when its window to resolve was over{last}", alert.rule.name),
            None,
        );
    }
    let receiver = &alert.route.receiver;
    (
        Reason::ResolvedNotDelivered,
        format!("{} resolved and {receiver} was not told: it was never {missing}", alert.rule.name),
        Some(format!("does the webhook of {receiver} have `send_resolved: true`?")),
    )
}

fn never_true(index: usize, alert: &AlertPlan, evidence: &Evidence) -> Diagnosis {
    let Some(probe) = evidence.rule_probes.iter().find(|probe| probe.expectation == index) else {
        return (Reason::ExpressionNeverTrue, format!("{} never became pending", alert.rule.name), None);
    };
    for (selector, count) in &probe.selectors {
        match count {
            Ok(0) => {
                return (
                    Reason::MetricAbsent,
                    format!("{} never became pending: there is no series {selector}", alert.rule.name),
                    Some(
                        "is the target scraped, and does it expose the metric with these labels?".to_owned(),
                    ),
                );
            }
            Ok(_) => {}
            Err(error) => {
                return (Reason::QueryFailed, format!("the query for {selector} failed: {error}"), None);
            }
        }
    }
    let peak = match &probe.peak {
        Some((left, Ok(Some(peak)))) => {
            format!(": {left} peaked at {peak:.4}, the rule asks {}", condition(alert))
        }
        Some((left, Ok(None))) => format!(": {left} never had a value"),
        Some((left, Err(error))) => format!(": {left} could not be read ({error})"),
        None => String::new(),
    };
    (
        Reason::ExpressionNeverTrue,
        format!("the expression of {} never became true{peak}", alert.rule.name),
        Some(format!("compare the threshold with the effect of the fault: {}", alert.rule.expr)),
    )
}

fn condition(alert: &AlertPlan) -> String {
    use firedrill_rulebook::Shape;
    match &alert.analysis.shape {
        Shape::Ratio { op, threshold, .. }
        | Shape::Gauge { op, threshold, .. }
        | Shape::RateThreshold { op, threshold, .. }
        | Shape::Quantile { op, threshold, .. } => format!("{} {threshold}", op.as_str()),
        Shape::Absent { .. } | Shape::Constant { .. } | Shape::Other { .. } => alert.rule.expr.clone(),
    }
}

fn never_fired(alert: &AlertPlan, life: &LifeCycle) -> Diagnosis {
    if let Some(reset) = life.resets.last() {
        return (
            Reason::ForReset,
            format!(
                "{} was pending and its `for` of {}s was reset {} times, last at {reset}",
                alert.rule.name,
                alert.rule.r#for,
                life.resets.len()
            ),
            Some(
                "the expression dips below its threshold: widen its window or use keep_firing_for".to_owned(),
            ),
        );
    }
    let ended = life.last_active.map_or_else(String::new, |at| format!(", until {at}"));
    (
        Reason::NeverFired,
        format!("{} was pending{ended} and its `for` of {}s did not pass", alert.rule.name, alert.rule.r#for),
        Some("the cause must last longer than `for`".to_owned()),
    )
}

fn never_received(alert: &AlertPlan, evidence: &Evidence) -> Diagnosis {
    match &evidence.alertmanager_failures {
        Some(error) if evidence.alertmanager.is_empty() => {
            (Reason::QueryFailed, format!("Alertmanager could not be asked: {error}"), None)
        }
        Some(_) | None => (
            Reason::NotReceived,
            format!("{} fired and Alertmanager never had it", alert.rule.name),
            Some(
                "does Prometheus know this Alertmanager, and do alert_relabel_configs keep the alert?"
                    .to_owned(),
            ),
        ),
    }
}

fn never_delivered(alert: &AlertPlan, evidence: &Evidence) -> Diagnosis {
    let name = &alert.rule.name;
    let receiver = &alert.route.receiver;
    let sighted = || {
        evidence
            .alertmanager
            .iter()
            .filter(|one| alert.labels.iter().all(|(label, value)| one.labels.get(label) == Some(value)))
    };
    if let Some(one) = sighted().find(|one| !one.inhibited_by.is_empty()) {
        let by = one.inhibited_by.join(", ");
        return (Reason::Inhibited, format!("{name} was inhibited by {by}"), None);
    }
    if let Some(one) = sighted().find(|one| !one.silenced_by.is_empty()) {
        let by = one.silenced_by.join(", ");
        return (Reason::Silenced, format!("{name} was silenced by {by}"), None);
    }
    if let Muting::Always(why) = alert.muting(evidence.began, evidence.ended) {
        return (
            Reason::Muted,
            format!("{} is silent for {name} all the time: {why}", alert.route.path),
            Some("take the time interval off the route".to_owned()),
        );
    }
    if let Err(error) = &evidence.notifications {
        return (Reason::QueryFailed, format!("what {receiver} received could not be read: {error}"), None);
    }
    match &evidence.failed_notifications {
        Ok(failed) if *failed >= 1.0 => (
            Reason::ReceiverRefused,
            format!("Alertmanager tried to tell {receiver} of {name}, and {failed} requests failed"),
            Some(format!("is the webhook of {receiver} right, and does it answer?")),
        ),
        Ok(_) => told_to_others(alert, evidence).unwrap_or_else(|| {
            (
                Reason::NotDelivered,
                format!("Alertmanager had {name}, no request to {receiver} failed, and it was never told"),
                Some(format!(
                    "group_wait is {:.2}s: does the group wait for something?",
                    alert.clockwork.group_wait
                )),
            )
        }),
        Err(error) => (
            Reason::NotDelivered,
            format!(
                "Alertmanager had {name} and {receiver} was never told; failed requests are not known: {error}"
            ),
            None,
        ),
    }
}

/// Whether another receiver was told instead.
fn told_to_others(alert: &AlertPlan, evidence: &Evidence) -> Option<Diagnosis> {
    let receiver = &alert.route.receiver;
    let about = |told: &NotifiedAlert| {
        alert.labels.iter().all(|(label, value)| told.labels.get(label) == Some(value))
    };
    let others = evidence.notifications.iter().flatten().chain(&evidence.witness);
    let other = others.filter(|one| one.receiver != *receiver).find(|one| one.alerts.iter().any(about))?;
    let name = &alert.rule.name;
    Some((
        Reason::WrongReceiver,
        format!("{name} was told to {}, not to {receiver}", other.receiver),
        Some("does an earlier route take the alert away?".to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{alert, fixtures};
    use crate::evidence::Evidence;
    use firedrill_drill::Expectation;

    fn diagnosed(change: impl FnOnce(&mut Evidence)) -> (Option<Reason>, String) {
        let mut evidence = fixtures::alert_evidence();
        change(&mut evidence);
        let plan = fixtures::plan();
        let Expectation::Alert(expectation) = &plan.expect[0] else { panic!("the fixture expects an alert") };
        let record = alert::judge(&plan, 0, expectation, &evidence);
        (record.reason, record.sentence)
    }

    fn without(evidence: &mut Evidence, states: &[&str]) {
        evidence.alerts.as_mut().unwrap().retain(|one| {
            one.label("alertname") != "HighErrorRate" || !states.contains(&one.label("alertstate"))
        });
    }

    fn undelivered(evidence: &mut Evidence) {
        evidence.notifications = Ok(Vec::new());
    }

    #[test]
    fn an_absent_series_is_named() {
        let (reason, sentence) = diagnosed(|it| {
            without(it, &["pending", "firing"]);
            it.rule_probes[0].selectors.push(("http_requests_total{service=\"user\"}".into(), Ok(0)));
        });
        assert_eq!(reason, Some(Reason::MetricAbsent));
        assert!(sentence.contains("http_requests_total"), "{sentence}");
    }

    #[test]
    fn the_peak_of_an_expression_that_never_became_true_is_named() {
        let (reason, sentence) = diagnosed(|it| {
            without(it, &["pending", "firing"]);
            it.rule_probes[0].peak = Some(("ratio".into(), Ok(Some(0.043))));
        });
        assert_eq!(reason, Some(Reason::ExpressionNeverTrue));
        assert!(sentence.contains("peaked at 0.0430") && sentence.contains("> 0.05"), "{sentence}");
    }

    #[test]
    fn a_reset_for_is_told_from_one_that_never_passed() {
        let pending = |times: Vec<i64>| {
            move |it: &mut Evidence| {
                without(it, &["pending", "firing"]);
                let series = fixtures::alert_series("HighErrorRate", "pending", times);
                it.alerts.as_mut().unwrap().push(series);
            }
        };
        assert_eq!(diagnosed(pending(vec![11_000, 11_250, 12_000])).0, Some(Reason::ForReset));
        assert_eq!(diagnosed(pending(vec![11_000, 11_250])).0, Some(Reason::NeverFired));
    }

    #[test]
    fn an_alert_that_alertmanager_never_had_is_not_received() {
        assert_eq!(diagnosed(|it| it.alertmanager.clear()).0, Some(Reason::NotReceived));
    }

    #[test]
    fn each_way_of_not_being_delivered_has_its_reason() {
        let inhibited = diagnosed(|it| {
            undelivered(it);
            it.alertmanager[0].inhibited_by.push("abc".into());
        });
        assert_eq!(inhibited.0, Some(Reason::Inhibited));
        let silenced = diagnosed(|it| {
            undelivered(it);
            it.alertmanager[0].silenced_by.push("abc".into());
        });
        assert_eq!(silenced.0, Some(Reason::Silenced));
        let refused = diagnosed(|it| {
            undelivered(it);
            it.failed_notifications = Ok(3.0);
        });
        assert_eq!(refused.0, Some(Reason::ReceiverRefused));
        let muted = diagnosed(|it| {
            undelivered(it);
            let live = it.configuration.as_mut().unwrap();
            live.alertmanager_yaml = live.alertmanager_yaml.replace(
                "  group_wait: 200ms",
                "  group_wait: 200ms\n  routes: [{matchers: ['severity=\"critical\"'], mute_time_intervals: [always]}]",
            ) + "time_intervals: [{name: always, time_intervals: [{}]}]\n";
        });
        assert_eq!(muted.0, Some(Reason::Muted), "{}", muted.1);
        let wrong = diagnosed(|it| it.notifications.as_mut().unwrap()[0].receiver = "nobody".into());
        assert_eq!(wrong.0, Some(Reason::WrongReceiver));
        assert_eq!(diagnosed(undelivered).0, Some(Reason::NotDelivered));
    }

    #[test]
    fn an_alert_that_stays_and_a_resolution_nobody_hears_are_told_apart() {
        let stays = diagnosed(|it| {
            without(it, &["firing"]);
            let series = fixtures::alert_series("HighErrorRate", "firing", (16_000..=30_250).step_by(250));
            it.alerts.as_mut().unwrap().push(series);
        });
        assert_eq!(stays.0, Some(Reason::NotResolved), "{}", stays.1);
        let unheard = diagnosed(|it| it.notifications.as_mut().unwrap().truncate(1));
        assert_eq!(unheard.0, Some(Reason::ResolvedNotDelivered), "{}", unheard.1);
    }
}

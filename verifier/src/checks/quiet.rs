//! `quiet`: nothing fires and nothing is notified but what was expected.

use std::collections::BTreeSet;

use firedrill_drill::{Expectation, QuietExpectation};
use firedrill_record::{ExpectationRecord, Labels, Reason};
use jiff::{SignedDuration, Timestamp};

use super::chance;
use crate::alert_plan::{analysis_of, busy_condition};
use crate::evidence::{EndedBecause, Evidence, LiveRule, Sample, Stall, Stretch};
use crate::host::{BUSY, Usage};
use crate::life_cycle::instant;
use crate::plan::Plan;

const KIND: &str = "quiet";

/// Judges `expectation` over the whole drill.
///
/// Silence proves something only while alerts are evaluated: the rules must be healthy, and the always-firing alerts,
/// where there are any, must have been seen until the end.
pub(crate) fn judge(plan: &Plan, expectation: &QuietExpectation, evidence: &Evidence) -> ExpectationRecord {
    let about = "no other alert, no other notification";
    let unexpected = |labels: &Labels| -> bool {
        let name = labels.get("alertname").map_or("", String::as_str);
        !plan.always_firing.iter().any(|always| always == name)
            && !expectation.except.iter().any(|matcher| matcher.matches(labels))
            && !is_expected(plan, labels)
    };
    let alerts = match &evidence.alerts {
        Ok(alerts) => alerts,
        Err(error) => {
            return ExpectationRecord::because(
                KIND,
                about,
                Reason::QueryFailed,
                format!("the query for ALERTS failed: {error}"),
            );
        }
    };
    let mut fired: BTreeSet<String> = BTreeSet::new();
    let mut host_explains = true;
    let mut chance = Some(BTreeSet::new());
    let steady = asked_from(evidence);
    let from = steady.as_millisecond();
    for series in alerts.iter().filter(|one| plan.is_of_this_drill(&one.labels)) {
        let in_time = |sample: &&Sample| (from..=evidence.ended.as_millisecond()).contains(&sample.at_ms);
        let Some(first) = series.samples.iter().find(in_time) else { continue };
        if series.label("alertstate") == "firing" && unexpected(&series.labels) {
            fired.insert(shown(&series.labels));
            host_explains &= explained_by_host(series.label("alertname"), first.at_ms, evidence);
            let by_chance = chance::may_explain(series, instant(first.at_ms), evidence);
            chance = chance.zip(by_chance).map(|(mut all, why)| {
                all.insert(why);
                all
            });
        }
    }
    let mut host_explains_told = true;
    let told: BTreeSet<String> = evidence
        .notifications
        .iter()
        .flatten()
        .chain(&evidence.witness)
        .filter(|notification| notification.received_at >= steady)
        .flat_map(|notification| &notification.alerts)
        .filter(|alert| alert.status == "firing" && plan.is_of_this_drill(&alert.labels))
        .filter(|alert| unexpected(&alert.labels))
        .map(|alert| {
            // It may have fired before anybody asked for silence, and be told now.
            let name = alert.labels.get("alertname").map_or("", String::as_str);
            host_explains_told &= explained_by_host(name, alert.starts_at.as_millisecond(), evidence);
            shown(&alert.labels)
        })
        .collect();
    if !fired.is_empty() {
        let names = fired.iter().cloned().collect::<Vec<_>>().join(", ");
        if let Some(whys) = chance {
            let whys = whys.into_iter().collect::<Vec<_>>().join("; ");
            return ExpectationRecord::because(
                KIND,
                about,
                Reason::TooFewEvents,
                format!("{names} fired: {whys}"),
            );
        }
        return if host_explains {
            ExpectationRecord::because(
                KIND,
                about,
                Reason::HostBusy,
                format!("{names} fired, and the host's own counters show that it was busy"),
            )
        } else {
            ExpectationRecord::because(KIND, about, Reason::UnexpectedAlert, format!("{names} fired"))
        };
    }
    if !told.is_empty() {
        let names = told.into_iter().collect::<Vec<_>>().join(", ");
        if host_explains_told {
            let why =
                format!("a receiver was told of {names}, and the host's own counters show that it was busy");
            return ExpectationRecord::because(KIND, about, Reason::HostBusy, why);
        }
        return ExpectationRecord::because(
            KIND,
            about,
            Reason::UnexpectedNotification,
            format!("a receiver was told of {names}"),
        );
    }
    if let Some(why) = silence_proves_nothing(plan, evidence) {
        return ExpectationRecord::because(KIND, about, Reason::EvidenceMissing, why);
    }
    ExpectationRecord::held(
        KIND,
        about,
        format!(
            "nothing else fired or was notified; {} alerting rules were evaluated to the end",
            evidence.rules_at_end.iter().flatten().filter(|rule| rule.alerting).count()
        ),
    )
}

/// From when on silence is asked for. What fires and is told while windows still hold the time before the load is for
/// settling to wait for; when that ends in vain, what fires then is without a cause, and what fired before was waited
/// for.
fn asked_from(evidence: &Evidence) -> Timestamp {
    let in_vain = evidence.settled.is_none() && evidence.ended_because == Some(EndedBecause::NotSettled);
    if in_vain {
        let intervals = evidence.configuration.iter().flat_map(|live| &live.rules).map(|rule| rule.interval);
        let slowest = SignedDuration::try_from_secs_f64(intervals.fold(0.0, f64::max)).unwrap_or_default();
        return evidence.ended - slowest - slowest - SignedDuration::from_millis(500);
    }
    evidence.settled.unwrap_or(evidence.began)
}

fn is_expected(plan: &Plan, labels: &Labels) -> bool {
    plan.expect.iter().any(|one| match one {
        Expectation::Alert(alert) => {
            labels.get("alertname").is_some_and(|name| name == alert.name.as_str())
                && alert.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
        }
        Expectation::Quiet(_) | Expectation::Truth(_) | Expectation::Load(_) | Expectation::Metric(_) => {
            false
        }
    })
}

fn shown(labels: &Labels) -> String {
    let name = labels.get("alertname").map_or("an alert without a name", String::as_str);
    let rest: Vec<String> = labels
        .iter()
        .filter(|(name, _)| {
            !["__name__", "alertname", "alertstate", firedrill_rulebook::RUN_LABEL].contains(&name.as_str())
        })
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    format!("{name}{{{}}}", rest.join(", "))
}

/// Whether the rule is about processors and the host's own counters show, over the time in which the alert became
/// firing, that they were busy, and not by the drill's own burner.
fn explained_by_host(alert: &str, firing_ms: i64, evidence: &Evidence) -> bool {
    let about_processors = |rule: &&LiveRule| {
        rule.alerting && rule.name == alert && rule.expr.contains("node_cpu_seconds_total")
    };
    let Some(rule) = evidence.rules_at_end.iter().flatten().find(about_processors) else { return false };
    let condition = evidence.configuration.as_ref().ok().and_then(|live| {
        let rule = live.rules.iter().find(about_processors)?;
        busy_condition(&analysis_of(live, rule).ok()?.0.shape)
    });
    let firing = instant(firing_ms);
    let held = SignedDuration::try_from_secs_f64(rule.r#for.max(1.0)).unwrap_or(SignedDuration::ZERO);
    let busy: Vec<f64> = evidence
        .host
        .iter()
        .filter(|sample| (firing - held..=firing).contains(&sample.at))
        .map(|sample| condition.map_or(sample.busy, |condition| condition.share(sample)))
        .collect();
    let burner = Usage::between(evidence, firing - held, firing).map_or(0.0, |usage| usage.burner);
    !busy.is_empty() && busy.iter().sum::<f64>() / busy.len() as f64 - burner > BUSY
}

/// Why it proves nothing that no alert was seen; none when it proves something.
fn silence_proves_nothing(plan: &Plan, evidence: &Evidence) -> Option<String> {
    let rules = match &evidence.rules_at_end {
        Ok(rules) => rules,
        Err(error) => return Some(format!("the rules could not be read at the end: {error}")),
    };
    if !rules.iter().any(|rule| rule.alerting) {
        return Some("no alerting rule is loaded".to_owned());
    }
    if let Some(rule) = rules.iter().find(|rule| rule.health != "ok") {
        return Some(format!("rule {} is {}: {}", rule.name, rule.health, rule.last_error));
    }
    if let Some((rule, error)) = evidence.sick_rules.iter().next() {
        return Some(format!("rule {rule} could not be evaluated all the time: {error}"));
    }
    if let Err(error) = &evidence.notifications {
        return Some(format!("the notifications could not be read: {error}"));
    }
    match evidence.evaluated_until {
        Some(until) if until >= evidence.ended => {}
        Some(until) => {
            return Some(format!(
                "rules were last evaluated at {until}, before the drill ended at {}",
                evidence.ended
            ));
        }
        None => return Some("it is not known until when the rules were evaluated".to_owned()),
    }
    not_evaluated_all_the_time(plan, evidence, rules)
}

/// Why alerts were not evaluated at some time since the stack was steady; none when they were all the time.
///
/// An alert that always fires leaves a sample at each evaluation of its group. Of the other groups, the harness's looks at
/// the rules say it.
fn not_evaluated_all_the_time(plan: &Plan, evidence: &Evidence, rules: &[LiveRule]) -> Option<String> {
    let slowest = rules.iter().map(|rule| rule.interval).fold(0.0, f64::max);
    if let Some(unread) = evidence.rules_unread.as_ref().filter(|it| it.seconds() > Stall::harmless(slowest))
    {
        let Stretch { from, until, why } = unread;
        return Some(format!("the rules could not be read from {from} to {until}: {why}"));
    }
    let from = evidence.settled.unwrap_or(evidence.began).as_millisecond();
    let always: Vec<&LiveRule> =
        rules.iter().filter(|rule| rule.alerting && plan.always_firing.contains(&rule.name)).collect();
    for rule in &always {
        let samples = evidence
            .alerts
            .iter()
            .flatten()
            .filter(|series| {
                series.label("alertname") == rule.name
                    && series.label("alertstate") == "firing"
                    && plan.is_of_this_drill(&series.labels)
            })
            .flat_map(|series| series.samples.iter().map(|sample| sample.at_ms));
        let (begin, end) = widest_gap(samples, from, evidence.ended.as_millisecond());
        let seconds = (end - begin) as f64 / 1000.0;
        if seconds > Stall::harmless(rule.interval) {
            return Some(format!(
                "{} should fire all the time and was not seen for {seconds:.1}s from {}",
                rule.name,
                instant(begin)
            ));
        }
    }
    // A group has a clock of its own: that one is evaluated says nothing of the others.
    rules.iter().find_map(|rule| {
        let long = |stalls: &[Stall]| {
            let mut stalls = stalls.iter();
            let found = stalls.find(|stall| {
                stall.group == rule.group
                    && stall.until.as_millisecond() >= from
                    && stall.seconds() > Stall::harmless(rule.interval)
            });
            found.cloned()
        };
        let (Stall { group, from, until }, known) = match long(&evidence.stalls) {
            Some(stall) => (stall, "was not evaluated"),
            None => (long(&evidence.unwatched)?, "was not looked at, and may not have been evaluated,"),
        };
        Some(format!("group {group}, which rule {} is in, {known} from {from} to {until}", rule.name))
    })
}

/// The widest time without a sample between `from` and `until`, all in milliseconds.
fn widest_gap(samples: impl Iterator<Item = i64>, from: i64, until: i64) -> (i64, i64) {
    let mut times: Vec<i64> = samples.filter(|at| (from..until).contains(at)).collect();
    times.extend([from, until]);
    times.sort_unstable();
    let gaps = times.iter().zip(times.iter().skip(1)).map(|(begin, end)| (*begin, *end));
    gaps.max_by_key(|(begin, end)| end - begin).unwrap_or((from, until))
}

#[cfg(test)]
mod tests {
    use firedrill_record::Verdict;

    use super::*;
    use crate::checks::fixtures;
    use crate::evidence::{HostSample, PartSample, Series};

    fn judged(evidence: &Evidence) -> ExpectationRecord {
        judge(&fixtures::plan(), &QuietExpectation::default(), evidence)
    }

    fn fires(name: &str) -> Series {
        fixtures::alert_series(name, "firing", [1000, 1250])
    }

    #[test]
    fn silence_under_healthy_rules_holds() {
        let record = judged(&fixtures::quiet_evidence());
        assert_eq!(record.verdict, Verdict::Held, "{}", record.sentence);
    }

    #[test]
    fn another_alert_violates_and_an_expected_or_excepted_one_does_not() {
        let mut evidence = fixtures::quiet_evidence();
        evidence.alerts.as_mut().unwrap().push(fires("HighErrorRate"));
        assert_eq!(judged(&evidence).verdict, Verdict::Held);
        evidence.alerts.as_mut().unwrap().push(fires("RedisDown"));
        let record = judged(&evidence);
        assert_eq!(record.reason, Some(Reason::UnexpectedAlert));
        assert!(record.sentence.contains("RedisDown"), "{}", record.sentence);
    }

    #[test]
    fn an_alert_of_another_drill_is_not_this_ones() {
        let mut evidence = fixtures::quiet_evidence();
        let mut series = fires("RedisDown");
        series.labels.insert(firedrill_rulebook::RUN_LABEL.to_owned(), "99".to_owned());
        evidence.alerts.as_mut().unwrap().push(series);
        assert_eq!(judged(&evidence).verdict, Verdict::Held);
    }

    #[test]
    fn a_busy_host_explains_an_alert_about_processors_and_no_other() {
        let mut evidence = fixtures::quiet_evidence();
        evidence.alerts.as_mut().unwrap().push(fires("HighCpuUsage"));
        let mut rule = fixtures::live_rule("HighCpuUsage");
        rule.expr = "100 - avg(rate(node_cpu_seconds_total[5s])) * 100 > 80".into();
        evidence.rules_at_end.as_mut().unwrap().push(rule);
        assert_eq!(judged(&evidence).reason, Some(Reason::UnexpectedAlert), "the host was idle");
        evidence.host.push(HostSample { at: fixtures::at(500), busy: 0.97, waiting: 0.0 });
        assert_eq!(judged(&evidence).reason, Some(Reason::HostBusy));
        evidence.alerts.as_mut().unwrap().push(fires("RedisDown"));
        assert_eq!(judged(&evidence).reason, Some(Reason::UnexpectedAlert));
    }

    #[test]
    fn a_host_that_waits_for_its_disk_explains_an_alert_that_takes_this_for_busy() {
        let reason = |idle: &str| {
            let mut evidence = fixtures::quiet_evidence();
            evidence.alerts.as_mut().unwrap().push(fires("HighCpuUsage"));
            let mut rule = fixtures::live_rule("HighCpuUsage");
            rule.expr = format!(
                "1 - sum(rate(node_cpu_seconds_total{{mode=~\"{idle}\"}}[5s])) / sum(rate(node_cpu_seconds_total[5s])) > 0.8"
            );
            let mut live = fixtures::configuration();
            live.rules.push(rule.clone());
            evidence.configuration = Ok(live);
            evidence.rules_at_end.as_mut().unwrap().push(rule);
            evidence.host.push(HostSample { at: fixtures::at(500), busy: 0.2, waiting: 0.7 });
            judged(&evidence).reason
        };
        assert_eq!(reason("idle"), Some(Reason::HostBusy));
        assert_eq!(reason("idle|iowait"), Some(Reason::UnexpectedAlert));
    }

    #[test]
    fn when_the_stack_never_became_steady_only_what_fires_at_the_end_of_the_wait_is_without_a_cause() {
        let fired_until = |last: i64| {
            let mut evidence = fixtures::quiet_evidence();
            evidence.ended_because = Some(EndedBecause::NotSettled);
            let series = fixtures::alert_series("RedisDown", "firing", (10_000..=last).step_by(250));
            evidence.alerts.as_mut().unwrap().push(series);
            judged(&evidence).reason
        };
        assert_eq!(fired_until(20_000), Some(Reason::UnexpectedAlert));
        assert_eq!(fired_until(18_000), None, "the judge of the drill says that it was not steady");
    }

    #[test]
    fn an_alert_that_may_have_fired_by_chance_decides_nothing_unless_another_one_fired() {
        let mut evidence = fixtures::alert_evidence();
        let row = &mut evidence.ledger.as_mut().unwrap().rows[0];
        row.bins = row.bins.iter().step_by(11).copied().collect();
        let mut plan = fixtures::plan();
        plan.expect.clear();
        let judged = |evidence: &Evidence| judge(&plan, &QuietExpectation::default(), evidence).reason;
        assert_eq!(judged(&evidence), Some(Reason::TooFewEvents));
        evidence.alerts.as_mut().unwrap().push(fires("RedisDown"));
        assert_eq!(judged(&evidence), Some(Reason::UnexpectedAlert));
        assert_eq!(judged(&fixtures::alert_evidence()), Some(Reason::UnexpectedAlert));
    }

    #[test]
    fn a_host_that_the_drill_itself_keeps_busy_explains_nothing() {
        let mut evidence = fixtures::quiet_evidence();
        evidence.alerts.as_mut().unwrap().push(fires("HighCpuUsage"));
        let mut rule = fixtures::live_rule("HighCpuUsage");
        rule.expr = "100 - avg(rate(node_cpu_seconds_total[5s])) * 100 > 80".into();
        evidence.rules_at_end.as_mut().unwrap().push(rule);
        evidence.processors = Some(1);
        evidence.host =
            [0, 500, 1000].map(|ms| HostSample { at: fixtures::at(ms), busy: 0.97, waiting: 0.0 }).into();
        let burner = |ms, cpu_ms| PartSample {
            at: fixtures::at(ms),
            part: firedrill_drill::Fault::BURNER.into(),
            pid: 7,
            resident_bytes: 0,
            cpu_ms,
            open_fds: 0,
        };
        evidence.parts = vec![burner(100, 10), burner(900, 700)];
        assert_eq!(judged(&evidence).reason, Some(Reason::UnexpectedAlert));
    }

    #[test]
    fn silence_is_inconclusive_when_nobody_was_speaking() {
        let mut failed = fixtures::quiet_evidence();
        failed.alerts = Err("connection refused".into());
        assert_eq!(judged(&failed).reason, Some(Reason::QueryFailed));
        let mut no_watchdog = fixtures::quiet_evidence();
        no_watchdog.alerts = Ok(Vec::new());
        assert_eq!(judged(&no_watchdog).reason, Some(Reason::EvidenceMissing));
        let mut sick = fixtures::quiet_evidence();
        sick.rules_at_end.as_mut().unwrap()[0].health = "err".into();
        assert_eq!(judged(&sick).reason, Some(Reason::EvidenceMissing));
        let mut once_sick = fixtures::quiet_evidence();
        once_sick.sick_rules.insert("ServiceDown".into(), "many-to-many".into());
        assert_eq!(judged(&once_sick).reason, Some(Reason::EvidenceMissing));
        let mut stopped = fixtures::quiet_evidence();
        stopped.evaluated_until = Some(stopped.ended - SignedDuration::from_secs(2));
        assert_eq!(judged(&stopped).reason, Some(Reason::EvidenceMissing));
    }

    /// Nobody spoke from 8 s to 11 s, as when Prometheus was away.
    fn stretch() -> Stretch {
        Stretch { from: fixtures::at(8_000), until: fixtures::at(11_000), why: "refused".into() }
    }

    #[test]
    fn what_was_told_before_the_stack_was_steady_is_for_settling_to_wait_for() {
        let mut evidence = fixtures::alert_evidence();
        let told = &mut evidence.notifications.as_mut().unwrap()[0];
        told.alerts[0].labels.insert("alertname".into(), "RedisDown".into());
        let received_at = told.received_at;
        assert_eq!(judged(&evidence).reason, Some(Reason::UnexpectedNotification));
        evidence.settled = Some(received_at + SignedDuration::from_millis(1));
        assert_eq!(judged(&evidence).verdict, Verdict::Held);
    }

    #[test]
    fn silence_with_a_gap_in_the_middle_is_inconclusive() {
        let mut gap = fixtures::quiet_evidence();
        let watchdog = &mut gap.alerts.as_mut().unwrap()[0].samples;
        watchdog.retain(|sample| !(8_000..11_000).contains(&sample.at_ms));
        let record = judged(&gap);
        assert_eq!(record.reason, Some(Reason::EvidenceMissing));
        assert!(record.sentence.contains("3.2s"), "{}", record.sentence);
        // Before the stack was steady nobody has to speak.
        gap.settled = Some(fixtures::at(11_000));
        assert_eq!(judged(&gap).verdict, Verdict::Held);
    }

    #[test]
    fn silence_while_the_rules_could_not_be_read_is_inconclusive() {
        let mut unread = fixtures::quiet_evidence();
        unread.rules_unread = Some(stretch());
        assert_eq!(judged(&unread).reason, Some(Reason::EvidenceMissing));
    }

    #[test]
    fn a_group_that_stood_still_beside_one_that_did_not_proves_nothing() {
        let mut evidence = fixtures::quiet_evidence();
        let stalled = |group: &str, from: i64, until: i64| {
            vec![Stall { group: group.into(), from: fixtures::at(from), until: fixtures::at(until) }]
        };
        evidence.stalls = stalled("services", 8_000, 11_000);
        assert_eq!(judged(&evidence).reason, Some(Reason::EvidenceMissing));
        for harmless in [stalled("recordings", 8_000, 11_000), stalled("services", 8_000, 9_500)] {
            evidence.stalls = harmless;
            assert_eq!(judged(&evidence).verdict, Verdict::Held);
        }
    }

    #[test]
    fn a_group_that_nobody_looked_at_for_long_proves_nothing_from_the_steady_stack_on() {
        let mut evidence = fixtures::quiet_evidence();
        let unwatched =
            Stall { group: "services".into(), from: fixtures::at(8_000), until: fixtures::at(11_000) };
        evidence.unwatched = vec![unwatched];
        let record = judged(&evidence);
        assert_eq!(record.reason, Some(Reason::EvidenceMissing));
        assert!(record.sentence.contains("was not looked at"), "{}", record.sentence);
        evidence.settled = Some(fixtures::at(11_500));
        assert_eq!(judged(&evidence).verdict, Verdict::Held);
    }
}

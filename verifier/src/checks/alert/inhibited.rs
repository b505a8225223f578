//! An alert that another one must keep from every receiver.

use std::collections::BTreeSet;

use firedrill_drill::AlertExpectation;
use firedrill_record::{ExpectationRecord, Labels, Reason};
use jiff::{SignedDuration, Timestamp};

use super::followed::labels_of;
use super::judge::KIND;
use super::lateness;
use crate::evidence::{AlertmanagerSighting, Evidence};
use crate::life_cycle::{Subject, instant};
use crate::plan::Plan;

/// What was on its way when the second of the two alerts became active may still arrive: Alertmanager gets an alert
/// after its evaluation, and a notification takes its time.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_millis(400);

/// Alertmanager is looked at several times a second: two alerts that were active together for so long were seen so.
const SEEN_TOGETHER: SignedDuration = SignedDuration::from_millis(1000);

/// The verdict when the alert fired, was received and resolved in time, its rule being evaluated every `evaluation`
/// seconds.
pub(super) fn verdict(
    source: &str,
    evaluation: f64,
    plan: &Plan,
    expectation: &AlertExpectation,
    evidence: &Evidence,
) -> ExpectationRecord {
    let because = |reason, sentence: String| {
        ExpectationRecord::because(KIND, expectation.to_string(), reason, sentence)
    };
    let labels = labels_of(plan, expectation);
    let subject = Subject { name: expectation.name.as_str(), labels: &labels, receiver: None };
    let suppression = suppression(&subject, source, plan, evidence);
    // The source that really inhibits, else whichever has the name.
    let is_source = |other: &Labels| match &suppression {
        Some((_, by)) => is_same(&by.labels, other),
        None => other.get("alertname").is_some_and(|name| name == source) && plan.is_of_this_drill(other),
    };
    let Some((from, until)) = together(evidence, |other| subject.is(other), is_source) else {
        return because(
            Reason::InhibitorNotActive,
            format!("{source} was never firing together with {expectation}"),
        );
    };
    let Some((since, by)) = suppression else {
        return unsuppressed(expectation, source, evaluation, evidence, (from, until));
    };
    let from = (from + ON_ITS_WAY).max(since);
    let lasted = until.duration_since(from);
    if lasted < SEEN_TOGETHER {
        return because(
            Reason::EvidenceMissing,
            format!(
                "{source} suppressed {expectation} for {:.2}s only, too short to see whether somebody is told",
                lasted.as_secs_f64().max(0.0)
            ),
        );
    }
    let told = evidence.notifications.iter().flatten().chain(&evidence.witness).filter(|notification| {
        (from..until).contains(&notification.received_at)
            && notification.alerts.iter().any(|alert| subject.is(&alert.labels))
    });
    let mut excused = None;
    for told in told {
        let late = told.received_at.duration_since(from).as_secs_f64();
        let Some(why) = lateness::explains_delay(from, late, evaluation, evidence) else {
            return because(
                Reason::NotInhibited,
                format!(
                    "{} was told of {expectation} at {} while {source} fired",
                    told.receiver, told.received_at
                ),
            );
        };
        let at = told.received_at;
        excused.get_or_insert(format!(
            "{} was told at {at}, {late:.2}s after {source} suppressed it; {why}",
            told.receiver
        ));
    }
    if let Some(why) = excused {
        return because(Reason::HostBusy, why);
    }
    if let Err(error) = &evidence.notifications {
        return because(Reason::QueryFailed, format!("what receivers were told could not be read: {error}"));
    }
    ExpectationRecord::held(
        KIND,
        expectation.to_string(),
        format!(
            "fired, was suppressed by {source} ({}), and no receiver was told of it for the {:.2}s in which both fired",
            by.fingerprint,
            lasted.as_secs_f64()
        ),
    )
}

/// Both fired and Alertmanager was never seen to suppress: a violation, unless nobody looked.
fn unsuppressed(
    expectation: &AlertExpectation,
    source: &str,
    evaluation: f64,
    evidence: &Evidence,
    (from, until): (Timestamp, Timestamp),
) -> ExpectationRecord {
    let because = |reason, sentence: String| {
        ExpectationRecord::because(KIND, expectation.to_string(), reason, sentence)
    };
    let lasted = until.duration_since(from);
    if let Some(error) = &evidence.alertmanager_failures {
        return because(Reason::QueryFailed, format!("Alertmanager could not always be asked: {error}"));
    }
    if lasted < SEEN_TOGETHER {
        return because(
            Reason::EvidenceMissing,
            format!("{source} and {expectation} fired together for {:.2}s only", lasted.as_secs_f64()),
        );
    }
    // A look notes only what changed: that it saw no suppression is known of a look that was made.
    let (looks, since) = (&evidence.alertmanager_looks, from + ON_ITS_WAY);
    let last = looks.iter().rev().find(|at| (since..until).contains(*at));
    if !looks.is_empty() && last.is_none() {
        return because(
            Reason::EvidenceMissing,
            format!("nobody looked at Alertmanager while {source} and {expectation} fired together"),
        );
    }
    // The source may have come to it late, and then also after the last look.
    let unseen = last.and_then(|last| {
        let late = last.duration_since(from).as_secs_f64();
        lateness::explains_delay(from, late, evaluation, evidence)
    });
    if let Some(why) = unseen {
        return because(
            Reason::HostBusy,
            format!("Alertmanager was not seen to suppress {expectation} by {source} soon enough; {why}"),
        );
    }
    let mut record = because(
        Reason::NotInhibited,
        format!(
            "{source} and {expectation} fired together for {:.2}s, and Alertmanager did not suppress the latter",
            lasted.as_secs_f64()
        ),
    );
    record.hint = Some(format!(
        "is there an inhibit rule with {source} as its source, and are the labels under `equal` the same on both?"
    ));
    record
}

/// When Alertmanager was first seen to suppress the alert because of one named `source`, and that one.
fn suppression<'e>(
    subject: &Subject<'_>,
    source: &str,
    plan: &Plan,
    evidence: &'e Evidence,
) -> Option<(Timestamp, &'e AlertmanagerSighting)> {
    let sources = || {
        evidence.alertmanager.iter().filter(|one| {
            !one.fingerprint.is_empty()
                && one.labels.get("alertname").is_some_and(|name| name == source)
                && plan.is_of_this_drill(&one.labels)
        })
    };
    let suppressed =
        evidence.alertmanager.iter().filter(|one| subject.is(&one.labels) && one.state == "suppressed");
    suppressed
        .filter_map(|one| {
            let by = sources().find(|other| one.inhibited_by.contains(&other.fingerprint))?;
            Some((one.seen, by))
        })
        .min_by_key(|(seen, _)| *seen)
}

/// From the first to the last evaluation at which an alert of both kinds fired; none when there is none.
fn together(
    evidence: &Evidence,
    one: impl Fn(&Labels) -> bool,
    other: impl Fn(&Labels) -> bool,
) -> Option<(Timestamp, Timestamp)> {
    let span = |is: &dyn Fn(&Labels) -> bool| {
        let times: BTreeSet<i64> = evidence
            .alerts
            .iter()
            .flatten()
            .filter(|series| series.label("alertstate") == "firing" && is(&series.labels))
            .flat_map(|series| series.samples.iter().map(|sample| sample.at_ms))
            .collect();
        Some((*times.first()?, *times.last()?))
    };
    let (one, other) = (span(&one)?, span(&other)?);
    let (from, until) = (one.0.max(other.0), one.1.min(other.1));
    (from < until).then(|| (instant(from), instant(until)))
}

/// Whether a series of `ALERTS` is of the alert that Alertmanager knows by `labels`.
fn is_same(labels: &Labels, series: &Labels) -> bool {
    labels.iter().all(|(name, value)| series.get(name) == Some(value))
}

#[cfg(test)]
mod tests {
    use firedrill_drill::{AlertOutcome, Expectation};
    use firedrill_record::Verdict;

    use super::super::judge;
    use super::*;
    use crate::checks::fixtures::{alert_evidence, alert_series, at, labels, plan, set_late_timers};
    use crate::evidence::{Evidence, Notification};

    /// The expected alert fires from 16 s to 22.5 s; `ServiceDown` from 15 s to 25 s inhibits it.
    fn judged(change: impl FnOnce(&mut Evidence)) -> ExpectationRecord {
        let mut evidence = alert_evidence();
        evidence.alerts.as_mut().unwrap().push(alert_series(
            "ServiceDown",
            "firing",
            (15_000..25_000).step_by(250),
        ));
        let own = &mut evidence.alertmanager[0];
        own.fingerprint = "own".into();
        own.state = "suppressed".into();
        own.inhibited_by = vec!["source".into()];
        let mut source = own.clone();
        source.labels =
            labels([("alertname", "ServiceDown"), ("service", "user"), (firedrill_rulebook::RUN_LABEL, "1")]);
        source.fingerprint = "source".into();
        source.state = "active".into();
        source.inhibited_by.clear();
        evidence.alertmanager.push(source);
        evidence.notifications = Ok(Vec::new());
        evidence.witness = Vec::new();
        change(&mut evidence);
        let Expectation::Alert(mut expectation) = plan().expect.remove(0) else {
            panic!("the fixture expects an alert")
        };
        expectation.outcome = AlertOutcome::InhibitedBy("ServiceDown".parse().unwrap());
        judge(&plan(), 0, &expectation, &evidence)
    }

    #[test]
    fn an_alert_that_fires_suppressed_and_is_told_to_nobody_holds() {
        let record = judged(|_| {});
        assert_eq!(record.verdict, Verdict::Held, "{record:#?}");
        assert_eq!(record.segments.len(), 4);
    }

    #[test]
    fn a_notification_while_both_fire_violates() {
        let told = |ms: i64| {
            judged(|it| {
                it.notifications = Ok(vec![alert_evidence().notifications.unwrap().remove(0)]);
                it.notifications.as_mut().unwrap()[0].received_at = at(ms);
            })
        };
        assert_eq!(told(18_000).reason, Some(Reason::NotInhibited), "{}", told(18_000).sentence);
        // Before the other one fired, and after it no longer does, it may be told.
        assert_eq!(told(16_050).verdict, Verdict::Held);
        assert_eq!(told(25_500).verdict, Verdict::Held);
    }

    #[test]
    fn a_notification_that_was_late_on_a_busy_host_decides_nothing() {
        // Both fire from 16 s on; what is told 0.4 s later was not on its way any more.
        let told = |ms: i64, worst: f64| {
            judged(|it| {
                it.notifications = Ok(vec![alert_evidence().notifications.unwrap().remove(0)]);
                it.notifications.as_mut().unwrap()[0].received_at = at(ms);
                set_late_timers(it, worst);
            })
            .reason
        };
        assert_eq!(told(16_600, 0.02), Some(Reason::NotInhibited));
        assert_eq!(told(16_600, 0.2), Some(Reason::HostBusy));
        assert_eq!(told(18_000, 0.2), Some(Reason::NotInhibited), "nothing is so late");
    }

    #[test]
    fn of_several_notifications_the_one_that_nothing_excuses_counts() {
        let record = judged(|it| {
            let told = alert_evidence().notifications.unwrap().remove(0);
            let at_ms = |ms| Notification { received_at: at(ms), ..told.clone() };
            it.notifications = Ok(vec![at_ms(16_600), at_ms(18_000)]);
            set_late_timers(it, 0.2);
        });
        assert_eq!(record.reason, Some(Reason::NotInhibited), "{}", record.sentence);
    }

    #[test]
    fn a_suppression_that_was_late_on_a_busy_host_may_have_come_after_the_last_look() {
        let looked = |last: i64, worst: f64| {
            judged(|it| {
                it.alertmanager[0].state = "active".into();
                it.alertmanager[0].inhibited_by.clear();
                it.alertmanager_looks = vec![at(last)];
                set_late_timers(it, worst);
            })
            .reason
        };
        assert_eq!(looked(16_600, 0.02), Some(Reason::NotInhibited));
        assert_eq!(looked(16_600, 0.2), Some(Reason::HostBusy));
        assert_eq!(looked(18_000, 0.2), Some(Reason::NotInhibited), "nothing is so late");
    }

    #[test]
    fn that_nobody_looked_while_both_fired_proves_no_missing_suppression() {
        let looked = |looks: &[i64]| {
            judged(|it| {
                it.alertmanager[0].state = "active".into();
                it.alertmanager[0].inhibited_by.clear();
                it.alertmanager_looks = looks.iter().map(|ms| at(*ms)).collect();
            })
            .reason
        };
        assert_eq!(looked(&[16_100, 23_000]), Some(Reason::EvidenceMissing));
        assert_eq!(looked(&[16_100, 18_000]), Some(Reason::NotInhibited));
    }

    #[test]
    fn an_alert_that_nobody_suppresses_violates() {
        let record = judged(|it| {
            it.alertmanager[0].state = "active".into();
            it.alertmanager[0].inhibited_by.clear();
        });
        assert_eq!(record.reason, Some(Reason::NotInhibited), "{}", record.sentence);
        let by_another = judged(|it| it.alertmanager[0].inhibited_by = vec!["somebody".into()]);
        assert_eq!(by_another.reason, Some(Reason::NotInhibited), "{}", by_another.sentence);
    }

    #[test]
    fn an_alert_that_never_fires_has_its_usual_diagnosis() {
        let record =
            judged(|it| it.alerts.as_mut().unwrap().retain(|one| one.label("alertname") == "ServiceDown"));
        assert_eq!(record.reason, Some(Reason::ExpressionNeverTrue), "{}", record.sentence);
    }

    #[test]
    fn an_inhibited_alert_that_does_not_resolve_violates() {
        let record = judged(|it| {
            let alerts = it.alerts.as_mut().unwrap();
            alerts.retain(|one| {
                one.label("alertname") != "HighErrorRate" || one.label("alertstate") != "firing"
            });
            alerts.push(alert_series("HighErrorRate", "firing", (16_000..=30_250).step_by(250)));
        });
        assert_eq!(record.reason, Some(Reason::NotResolved), "{}", record.sentence);
    }

    #[test]
    fn a_resend_does_not_make_an_inhibited_alert_late() {
        let record = judged(|it| it.alertmanager[0].updated_at = at(18_000));
        assert_eq!(record.verdict, Verdict::Held, "{}", record.sentence);
    }

    #[test]
    fn without_its_source_or_a_look_nobody_can_tell() {
        let alone = judged(|it| {
            it.alerts.as_mut().unwrap().retain(|one| one.label("alertname") != "ServiceDown");
        });
        assert_eq!(alone.reason, Some(Reason::InhibitorNotActive), "{}", alone.sentence);
        let unseen = judged(|it| {
            it.alertmanager[0].state = "active".into();
            it.alertmanager[0].inhibited_by.clear();
            it.alertmanager_failures = Some("timed out".into());
        });
        assert_eq!(unseen.reason, Some(Reason::QueryFailed), "{}", unseen.sentence);
        let unread = judged(|it| it.notifications = Err("timed out".into()));
        assert_eq!(unread.reason, Some(Reason::QueryFailed), "{}", unread.sentence);
    }
}

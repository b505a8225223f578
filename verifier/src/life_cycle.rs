//! The life of one alert as the evidence shows it: pending, firing, received, delivered, resolved, resolved delivered.
//!
//! Only instants and where they come from; whether they are in time is judged elsewhere.

use std::collections::BTreeSet;

use firedrill_record::Labels;
use jiff::{SignedDuration, Timestamp};

use crate::deadline::Clockwork;
use crate::evaluations::{Evaluated, Evaluations};
use crate::evidence::{ActiveAlert, AlertmanagerSighting, Evidence, Notification, NotifiedAlert, Series};

/// When an alert passed each state; none for what was never seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LifeCycle {
    /// First evaluation of the episode at which the expression was true.
    pub pending: Option<Timestamp>,
    /// First evaluation at which it fired.
    pub firing: Option<Timestamp>,
    /// Evaluations that Prometheus left out just before it fired.
    pub skipped: u32,
    /// When Alertmanager had it; the evaluation at which it fired when that is not known.
    pub received: Option<Timestamp>,
    /// Whether Alertmanager showed a resend only, so that it had the alert at some time soon after it fired.
    pub shown_again: bool,
    /// When the receiver had the firing notification.
    pub delivered: Option<Timestamp>,
    /// First evaluation after it fired at which it no longer did.
    pub resolved: Option<Timestamp>,
    /// Seconds by which it may have been an earlier one, which nobody saw.
    pub resolved_unsure: f64,
    /// When the receiver had the resolved notification.
    pub resolved_delivered: Option<Timestamp>,
    /// Times at which it had been pending and became inactive without firing.
    pub resets: Vec<Timestamp>,
    /// Last sample at which it was pending or firing.
    pub last_active: Option<Timestamp>,
    /// Whether it was pending or firing before the cause.
    pub active_before: bool,
}

/// Which alert to follow.
#[derive(Debug, Clone)]
pub(crate) struct Subject<'a> {
    /// The alert's name.
    pub name: &'a str,
    /// Labels that it must carry, the run label among them.
    pub labels: &'a Labels,
    /// The receiver that must be told; any where there is none.
    pub receiver: Option<&'a str>,
}

impl Subject<'_> {
    /// Whether `labels` are those of the alert that is followed.
    pub(crate) fn is(&self, labels: &Labels) -> bool {
        labels.get("alertname").is_some_and(|name| name == self.name)
            && self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }
}

/// `at_ms` milliseconds since the epoch.
pub(crate) fn instant(at_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn ms(seconds: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "intervals are far below 2^63 milliseconds")]
    let millis = (seconds * 1000.0).round() as i64;
    millis
}

impl LifeCycle {
    /// Follows `subject` through `evidence` after `cause`, its rule and its route having these intervals, and the group of
    /// its rule these `evaluations`.
    ///
    /// Several alerts may carry the expected labels: each is followed on its own, and the one that came furthest is the
    /// one that counts.
    pub(crate) fn follow(
        subject: &Subject<'_>,
        evidence: &Evidence,
        cause: Timestamp,
        clockwork: &Clockwork,
        evaluations: &Evaluations,
    ) -> Self {
        let identities: BTreeSet<Labels> = evidence
            .alerts
            .iter()
            .flatten()
            .filter(|one| subject.is(&one.labels))
            .map(|one| {
                let mut labels = one.labels.clone();
                labels.retain(|name, _| name != "__name__" && name != "alertstate");
                labels
            })
            .collect();
        let lives = identities.iter().map(|labels| {
            Self::follow_one(&Subject { labels, ..*subject }, evidence, cause, clockwork, evaluations)
        });
        let active_before = |life: &Self| life.active_before;
        let lives: Vec<Self> = lives.collect();
        if let Some(early) = lives.iter().find(|life| active_before(life)) {
            return early.clone();
        }
        lives.into_iter().max_by_key(Self::progress).unwrap_or_default()
    }

    /// How many states were reached.
    fn progress(&self) -> usize {
        let states = [
            self.pending,
            self.firing,
            self.received,
            self.delivered,
            self.resolved,
            self.resolved_delivered,
        ];
        states.iter().flatten().count()
    }

    fn follow_one(
        subject: &Subject<'_>,
        evidence: &Evidence,
        cause: Timestamp,
        clockwork: &Clockwork,
        evaluations: &Evaluations,
    ) -> Self {
        let mut life = Self::default();
        let series = evidence.alerts.as_deref().unwrap_or_default();
        life.active_before = was_active(subject, series, evidence.settled, cause);
        let lived_on = |before, after| {
            let (from, until) = (instant(before), instant(after));
            lived_on(subject, &evidence.active, from, until)
                || (evaluations.none_between(before, after)
                    && !began_anew(subject, &evidence.active, from, until))
        };
        let told = told_ends(subject, evidence);
        // Alertmanager itself ends an alert of which it hears nothing for four resend delays: that is no evaluation.
        let silence = ms(2.0 * clockwork.resend);
        let ended = |last: i64| {
            evaluations.first_after(last, told.iter().copied().filter(|one| *one <= last + silence))
        };
        life.read_samples(subject, series, cause, clockwork.evaluation, ended, lived_on);
        let Some(firing) = life.firing else { return life };
        let notifications = evidence.notifications.as_deref().unwrap_or_default();
        life.delivered = delivered(subject, notifications, "firing", firing).map(|(at, _)| at);
        let first = first_sighting(subject, &evidence.alertmanager, firing);
        life.shown_again = first.is_some_and(|first| {
            may_be_resend(first, firing, life.delivered, looked(first, evidence), clockwork)
        });
        life.received = first.map(|first| if life.shown_again { firing } else { first.updated_at });
        if let Some(delivered_at) = life.delivered {
            life.resolved_delivered =
                delivered(subject, notifications, "resolved", delivered_at).map(|(at, _)| at);
        }
        life
    }

    fn read_samples(
        &mut self,
        subject: &Subject<'_>,
        series: &[Series],
        cause: Timestamp,
        evaluation: f64,
        ended: impl Fn(i64) -> Option<Evaluated>,
        lived_on: impl Fn(i64, i64) -> bool,
    ) {
        let mut active: Vec<(i64, bool)> = series
            .iter()
            .filter(|one| subject.is(&one.labels))
            .flat_map(|one| {
                let firing = one.label("alertstate") == "firing";
                one.samples.iter().map(move |sample| (sample.at_ms, firing))
            })
            .collect();
        active.sort_unstable();
        let cause_ms = cause.as_millisecond();
        self.last_active = active.last().map(|(at, _)| instant(*at));
        // Prometheus skips an evaluation when the one before it was late, and the alert lives on: two missing ones are a
        // reset, unless Prometheus itself says since when the alert is active, or its group was not evaluated. A single
        // one that really reset `for` shows in the time from pending to firing.
        let gap = 2 * ms(evaluation) + ms(evaluation) / 2;
        let mut episode_start = None;
        let mut previous: Option<(i64, bool)> = None;
        for (at, firing) in active.into_iter().filter(|(at, _)| *at >= cause_ms) {
            let continues = previous.is_some_and(|(before, was_firing)| {
                (firing || !was_firing) && (at - before <= gap || lived_on(before, at))
            });
            if !continues {
                if let Some((before, was_firing)) = previous {
                    let due = instant(before + ms(evaluation));
                    let ended = ended(before).unwrap_or(Evaluated { earliest: due, at: due });
                    if was_firing {
                        self.resolve(ended);
                        break;
                    }
                    self.resets.push(ended.at);
                }
                episode_start = Some(at);
            }
            if firing && self.firing.is_none() {
                self.firing = Some(instant(at));
                self.skipped = previous.map_or(0, |(before, _)| skipped(at - before, ms(evaluation)));
            }
            previous = Some((at, firing));
        }
        self.pending = episode_start.map(instant);
        if let Some((at, true)) = previous
            && let Some(ended) = ended(at)
        {
            self.resolve(ended);
        }
    }

    fn resolve(&mut self, ended: Evaluated) {
        if self.resolved.is_none() {
            self.resolved = Some(ended.at);
            self.resolved_unsure = ended.unsure();
        }
    }
}

/// When receivers were told that the alert ended, in milliseconds since the epoch: the time of the evaluation.
fn told_ends(subject: &Subject<'_>, evidence: &Evidence) -> Vec<i64> {
    let told = evidence.notifications.iter().flatten().chain(&evidence.witness);
    let ends = told.flat_map(|one| &one.alerts).filter(|alert| subject.is(&alert.labels));
    ends.filter(|alert| alert.status == "resolved")
        .filter_map(|alert| alert.ends_at)
        .map(Timestamp::as_millisecond)
        .collect()
}

/// Whether Prometheus said after `until` that the alert had been active without an end since `from` or before.
fn lived_on(subject: &Subject<'_>, active: &[ActiveAlert], from: Timestamp, until: Timestamp) -> bool {
    active.iter().any(|one| subject.is(&one.labels) && !is_later(one.active_at, from) && one.seen >= until)
}

/// Whether Prometheus said of the alert that it became active after `from`, and by `until`.
fn began_anew(subject: &Subject<'_>, active: &[ActiveAlert], from: Timestamp, until: Timestamp) -> bool {
    active.iter().any(|one| {
        subject.is(&one.labels) && is_later(one.active_at, from) && !is_later(one.active_at, until)
    })
}

/// Whether Prometheus's word for an evaluation, which has nanoseconds, is later than one that a sample is of, which has
/// milliseconds.
fn is_later(told: Timestamp, sampled: Timestamp) -> bool {
    told.as_millisecond() > sampled.as_millisecond()
}

/// Evaluations that are missing between two that are `apart` milliseconds from each other.
fn skipped(apart: i64, evaluation: i64) -> u32 {
    u32::try_from((apart + evaluation / 2) / evaluation.max(1) - 1).unwrap_or(0)
}

/// Whether what Alertmanager showed as the time at which it last got an alert that fired at `firing` may be that of a
/// resend: Prometheus sends none before the resend delay has passed. It is one when the alert was `delivered` before, and
/// none when Alertmanager was `looked` at since the time at which such an alert must have come first.
fn may_be_resend(
    first: &AlertmanagerSighting,
    firing: Timestamp,
    delivered: Option<Timestamp>,
    looked: Option<Timestamp>,
    clockwork: &Clockwork,
) -> bool {
    let shown = first.updated_at;
    let resend = SignedDuration::try_from_secs_f64(clockwork.resend).unwrap_or_default() - SAME_START;
    if shown.duration_since(firing) < resend {
        return false;
    }
    let was_told_before = delivered.is_some_and(|delivered| delivered < shown - SAME_START);
    was_told_before || looked.is_none_or(|looked| shown.duration_since(looked) >= resend)
}

/// The last look at Alertmanager that did not show an alert yet which was seen `first`; none where it is not known.
fn looked(first: &AlertmanagerSighting, evidence: &Evidence) -> Option<Timestamp> {
    // The last of them is the one that saw it.
    evidence.alertmanager_looks.iter().rev().filter(|at| **at <= first.seen).nth(1).copied()
}

/// Whether the alert was pending or firing between the instant at which the stack was steady and its cause.
fn was_active(
    subject: &Subject<'_>,
    series: &[Series],
    settled: Option<Timestamp>,
    cause: Timestamp,
) -> bool {
    let from = settled.map_or(i64::MIN, Timestamp::as_millisecond);
    series
        .iter()
        .filter(|one| subject.is(&one.labels))
        .flat_map(|one| &one.samples)
        .any(|sample| (from..cause.as_millisecond()).contains(&sample.at_ms))
}

/// A start that Prometheus set itself is that of the evaluation; clocks of one host agree to some milliseconds.
const SAME_START: SignedDuration = SignedDuration::from_millis(50);

/// The first that Alertmanager showed of the alert that fired at `firing`.
fn first_sighting<'e>(
    subject: &Subject<'_>,
    sightings: &'e [AlertmanagerSighting],
    firing: Timestamp,
) -> Option<&'e AlertmanagerSighting> {
    sightings
        .iter()
        .filter(|one| subject.is(&one.labels) && one.starts_at >= firing - SAME_START)
        .min_by_key(|one| one.updated_at)
}

/// The first notification of `subject` with `status` to its receiver at or after `not_before`.
fn delivered<'n>(
    subject: &Subject<'_>,
    notifications: &'n [Notification],
    status: &str,
    not_before: Timestamp,
) -> Option<(Timestamp, &'n NotifiedAlert)> {
    notifications
        .iter()
        .filter(|one| {
            subject.receiver.is_none_or(|wanted| one.receiver == wanted)
                && one.received_at >= not_before - SAME_START
        })
        .filter_map(|one| {
            let alert =
                one.alerts.iter().find(|alert| alert.status == status && subject.is(&alert.labels))?;
            Some((one.received_at, alert))
        })
        .min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Sample;

    fn at(ms: i64) -> Timestamp {
        instant(ms)
    }

    fn series(state: &str, times: impl IntoIterator<Item = i64>) -> Series {
        let labels = [("alertname", "A"), ("service", "user"), ("alertstate", state)];
        Series {
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            samples: times.into_iter().map(|at_ms| Sample { at_ms, value: 1.0 }).collect(),
        }
    }

    fn follow(alerts: Vec<Series>, cause_ms: i64) -> LifeCycle {
        follow_until(alerts, cause_ms, Some(at(1_000_000)))
    }

    fn follow_until(alerts: Vec<Series>, cause_ms: i64, evaluated_until: Option<Timestamp>) -> LifeCycle {
        let mut evidence = Evidence::begun(at(0));
        evidence.alerts = Ok(alerts);
        evidence.evaluated_until = evaluated_until;
        let labels = Labels::from([("service".to_owned(), "user".to_owned())]);
        LifeCycle::follow(
            &Subject { name: "A", labels: &labels, receiver: Some("r") },
            &evidence,
            at(cause_ms),
            &crate::checks::fixtures::clockwork(),
            &Evaluations::of(&crate::checks::fixtures::live_rule("A"), &evidence),
        )
    }

    #[test]
    fn the_first_pending_and_firing_samples_and_the_evaluation_after_the_last_make_the_life() {
        let life = follow(
            vec![series("pending", (1000..2000).step_by(250)), series("firing", (2000..3000).step_by(250))],
            900,
        );
        assert_eq!(
            (life.pending, life.firing, life.resolved),
            (Some(at(1000)), Some(at(2000)), Some(at(3000)))
        );
        assert!(life.resets.is_empty() && !life.active_before);
    }

    #[test]
    fn a_missing_evaluation_while_pending_is_a_reset() {
        let life = follow(vec![series("pending", [1000, 1250, 2000, 2250])], 900);
        assert_eq!(life.pending, Some(at(2000)));
        assert_eq!(life.resets, [at(1500)]);
        assert_eq!(life.firing, None);
    }

    #[test]
    fn evaluations_that_prometheus_left_out_are_no_reset_when_it_says_so() {
        let samples = [1000, 1250, 2250, 2500];
        let with = |active_ms: i64, seen_ms: i64| {
            let mut evidence = Evidence::begun(at(0));
            evidence.alerts = Ok(vec![series("pending", samples)]);
            let labels = series("pending", []).labels;
            let active_at = at(active_ms) + SignedDuration::from_micros(485);
            evidence.active = vec![ActiveAlert { labels, active_at, seen: at(seen_ms) }];
            let labels = Labels::from([("service".to_owned(), "user".to_owned())]);
            let subject = Subject { name: "A", labels: &labels, receiver: None };
            let evaluations = Evaluations::default();
            let clockwork = crate::checks::fixtures::clockwork();
            LifeCycle::follow(&subject, &evidence, at(900), &clockwork, &evaluations).pending
        };
        assert_eq!(with(1000, 2400), Some(at(1000)));
        // Seen before the gap only, or active since the gap only: it was reset.
        assert_eq!(with(1000, 1300), Some(at(2250)));
        assert_eq!(with(2250, 2600), Some(at(2250)));
    }

    #[test]
    fn evaluations_that_a_group_left_out_in_a_row_are_no_reset() {
        let with = |begun: &[i64], active_ms: Option<i64>| {
            let mut evidence = Evidence::begun(at(0));
            evidence.alerts = Ok(vec![series("pending", [1000, 1250, 2250, 2500])]);
            let labels = series("pending", []).labels;
            evidence.active = active_ms
                // Prometheus tells nanoseconds, samples have milliseconds.
                .map(|ms| at(ms) + SignedDuration::from_micros(485))
                .map(|active_at| ActiveAlert { labels, active_at, seen: at(2_500) })
                .into_iter()
                .collect();
            evidence.evaluations.insert("services".into(), begun.iter().map(|ms| at(*ms)).collect());
            let labels = Labels::from([("service".to_owned(), "user".to_owned())]);
            let subject = Subject { name: "A", labels: &labels, receiver: None };
            let evaluations = Evaluations::of(&crate::checks::fixtures::live_rule("A"), &evidence);
            let clockwork = crate::checks::fixtures::clockwork();
            LifeCycle::follow(&subject, &evidence, at(900), &clockwork, &evaluations).pending
        };
        assert_eq!(with(&[1_010, 1_260, 2_260], None), Some(at(1000)));
        assert_eq!(
            with(&[1_010, 1_260, 1_760, 2_260], None),
            Some(at(2250)),
            "it was evaluated, and not active"
        );
        assert_eq!(with(&[1_010, 1_260, 2_260], Some(2_250)), Some(at(2250)), "it became active again");
    }

    #[test]
    fn an_alert_that_was_active_before_its_cause_is_noticed() {
        assert!(follow(vec![series("firing", [500, 750, 1000])], 900).active_before);
    }

    #[test]
    fn an_end_that_the_evidence_does_not_reach_is_no_resolution() {
        let ends = |until| follow_until(vec![series("firing", [1000, 1250])], 900, until).resolved;
        assert_eq!(ends(Some(at(1250))), None);
        assert_eq!(ends(None), None);
        assert_eq!(ends(Some(at(1500))), Some(at(1500)));
    }

    #[test]
    fn an_evaluation_that_prometheus_skipped_is_no_reset() {
        let life = follow(vec![series("pending", [1000, 1250, 1750, 2000]), series("firing", [2250])], 900);
        assert_eq!((life.pending, life.firing), (Some(at(1000)), Some(at(2250))));
        assert!(life.resets.is_empty());
    }

    #[test]
    fn an_evaluation_that_is_missing_just_before_it_fired_is_counted() {
        let skipped = |last_pending: i64| {
            let pending = series("pending", (1000..=last_pending).step_by(250));
            follow(vec![pending, series("firing", [2250])], 900).skipped
        };
        assert_eq!((skipped(2000), skipped(1750)), (0, 1));
    }

    #[test]
    fn a_time_that_alertmanager_shows_may_be_a_resend_unless_a_look_before_it_rules_that_out() {
        // The resend delay is 1 s; fired at 10 s.
        let clockwork = crate::checks::fixtures::clockwork();
        let resend = |shown: i64, delivered: Option<i64>, looked: Option<i64>| {
            let mut first = crate::checks::fixtures::alert_evidence().alertmanager.remove(0);
            first.updated_at = at(shown);
            may_be_resend(&first, at(10_000), delivered.map(at), looked.map(at), &clockwork)
        };
        assert!(!resend(10_030, Some(10_235), None), "no resend is so early");
        assert!(resend(11_030, Some(10_235), Some(10_900)), "told before it was shown");
        assert!(
            !resend(11_280, Some(11_290), Some(11_100)),
            "the first was lost: it was not there just before"
        );
        assert!(resend(11_280, Some(11_290), Some(10_100)), "it may have come after that look");
        assert!(resend(11_280, Some(11_490), None), "nobody looked");
    }

    #[test]
    fn the_look_before_the_one_that_saw_an_alert_did_not() {
        let mut evidence = crate::checks::fixtures::alert_evidence();
        let first = evidence.alertmanager[0].clone();
        assert_eq!(looked(&first, &evidence), None);
        // It was seen at 16.1 s.
        evidence.alertmanager_looks = [15_800, 16_000, 16_090, 16_300].map(at).into();
        assert_eq!(looked(&first, &evidence), Some(at(16_000)));
    }

    #[test]
    fn an_evaluation_that_was_left_out_at_the_end_is_not_the_resolving_one() {
        let ended = |told: Option<i64>| {
            let mut evidence = Evidence::begun(at(0));
            evidence.alerts = Ok(vec![series("firing", [1000, 1250])]);
            evidence.evaluations.insert("services".into(), [1_260, 2_010].map(at).into());
            evidence.notifications = crate::checks::fixtures::alert_evidence().notifications;
            let alert = &mut evidence.notifications.as_mut().unwrap()[1].alerts[0];
            alert.labels.insert("alertname".into(), "A".into());
            alert.ends_at = told.map(at);
            let labels = Labels::from([("service".to_owned(), "user".to_owned())]);
            let subject = Subject { name: "A", labels: &labels, receiver: None };
            let evaluations = Evaluations::of(&crate::checks::fixtures::live_rule("A"), &evidence);
            let clockwork = crate::checks::fixtures::clockwork();
            let life = LifeCycle::follow(&subject, &evidence, at(900), &clockwork, &evaluations);
            (life.resolved, life.resolved_unsure)
        };
        assert_eq!(ended(None), (Some(at(2_000)), 0.5));
        assert_eq!(ended(Some(1_750)), (Some(at(1_750)), 0.0));
    }

    #[test]
    fn two_alerts_with_the_expected_labels_are_two_lives() {
        let named = |mut one: Series, instance: &str| {
            one.labels.insert("instance".into(), instance.into());
            one
        };
        let life = follow(
            vec![named(series("pending", [1000, 1250]), "a"), named(series("firing", [1500, 1750]), "b")],
            900,
        );
        assert_eq!((life.pending, life.firing), (Some(at(1500)), Some(at(1500))));
    }

    #[test]
    fn an_alert_of_another_service_is_another_alert() {
        let mut other = series("firing", [1000]);
        other.labels.insert("service".into(), "chat".into());
        assert_eq!(follow(vec![other], 900), LifeCycle::default());
    }
}

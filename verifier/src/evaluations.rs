//! When the group of a rule was evaluated, as far as the evidence shows it: Prometheus leaves evaluations out where it is
//! late, and looks of the harness do not see each of them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::evidence::{Evidence, LiveRule};
use crate::life_cycle::instant;

/// The evaluations of one group that are known, in milliseconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Evaluations {
    /// From one to the next.
    interval: f64,
    /// When some of them began: at their own time or later, before the next one was due.
    begun: Vec<f64>,
    /// The own times of some of them: those of the samples that alerts of the group left.
    times: BTreeSet<i64>,
    /// Every group has been evaluated at or after this.
    all_until: Option<i64>,
}

/// An evaluation whose own time is known up to those that nobody saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evaluated {
    /// It was not before this.
    pub earliest: Timestamp,
    /// It was at this time, or at an earlier one that nobody saw.
    pub at: Timestamp,
}

impl Evaluated {
    /// Seconds by which it may have been before `at`.
    pub(crate) fn unsure(&self) -> f64 {
        self.at.duration_since(self.earliest).as_secs_f64()
    }
}

impl Evaluations {
    /// Those of the group of `rule`.
    pub(crate) fn of(rule: &LiveRule, evidence: &Evidence) -> Self {
        let begun = evidence.evaluations.get(&rule.group).map(Vec::as_slice).unwrap_or_default();
        let rules = evidence.configuration.as_ref().map(|live| live.rules.as_slice()).unwrap_or_default();
        // Alerts of one name may be of several groups: their samples tell of none.
        let in_the_group = |name: &str| {
            let mut named = rules.iter().filter(|one| one.alerting && one.name == name).peekable();
            named.peek().is_some() && named.all(|one| one.group == rule.group)
        };
        let alerts = evidence.alerts.iter().flatten().filter(|one| in_the_group(one.label("alertname")));
        Self {
            interval: rule.interval * 1000.0,
            begun: begun.iter().map(|at| at.as_microsecond() as f64 / 1000.0).collect(),
            times: alerts.flat_map(|one| &one.samples).map(|sample| sample.at_ms).collect(),
            all_until: evidence.evaluated_until.map(Timestamp::as_millisecond),
        }
    }

    /// The first one after that at `last`. `told` are instants of which one may be its own, by another source: the first
    /// that is possible is believed. None when none is known yet.
    ///
    /// Where no look saw when the group was evaluated, it is the next that was due, once all groups got there.
    pub(crate) fn first_after(&self, last: i64, told: impl IntoIterator<Item = i64>) -> Option<Evaluated> {
        let due = self.slot_after(last, 1.0);
        if self.begun.is_empty() || self.interval <= 0.0 {
            let (at, until) = (instant(due), self.all_until?);
            return (until >= due).then_some(Evaluated { earliest: at, at });
        }
        let began = self.begun.iter().find_map(|begun| {
            let passed = ((begun - last as f64) / self.interval).floor();
            (passed >= 1.0).then(|| self.slot_after(last, passed))
        });
        // Rules of a group are done one after the other: while one of them has its sample, another may not have it yet.
        let sampled = self.times.range(last + 1..).next().copied().filter(|at| self.is_done(*at));
        let at = began.into_iter().chain(sampled).min()?;
        if let Some(known) = told.into_iter().filter(|one| *one > last && *one <= at).min() {
            return Some(Evaluated { earliest: instant(known), at: instant(known) });
        }
        Some(Evaluated { earliest: instant(due.min(at)), at: instant(at) })
    }

    /// Whether looks saw evaluations of the group, and neither they nor a sample saw one between those at `before` and at
    /// `after`.
    pub(crate) fn none_between(&self, before: i64, after: i64) -> bool {
        let is_between = |begun: &f64| {
            let passed = ((begun - before as f64) / self.interval).floor();
            passed >= 1.0 && self.slot_after(before, passed) < after
        };
        !self.begun.is_empty()
            && self.interval > 0.0
            && !self.begun.iter().any(is_between)
            && self.times.range(before + 1..after).next().is_none()
    }

    /// Whether all rules of the group were evaluated at `at`, or later: Prometheus says so when they were.
    fn is_done(&self, at: i64) -> bool {
        let seen = self.begun.last().is_some_and(|begun| *begun >= at as f64);
        seen || self.all_until.is_some_and(|until| until >= at)
    }

    /// The time of the evaluation that is due so many intervals after that at `last`.
    fn slot_after(&self, last: i64, intervals: f64) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "intervals are far below 2^63 milliseconds")]
        let after = (self.interval * intervals).round() as i64;
        last + after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::{alert_series, at, configuration, live_rule};

    /// Of a group that is evaluated every 250 ms, looks having seen it begin at `begun`.
    fn seen(begun: &[i64]) -> Evaluations {
        let mut evidence = Evidence::begun(at(0));
        evidence.evaluations.insert("services".into(), begun.iter().map(|ms| at(*ms)).collect());
        Evaluations::of(&live_rule("HighErrorRate"), &evidence)
    }

    fn between(earliest: i64, latest: i64) -> Evaluated {
        Evaluated { earliest: at(earliest), at: at(latest) }
    }

    #[test]
    fn the_next_evaluation_is_the_first_that_a_look_saw_begin() {
        assert_eq!(seen(&[1_003, 1_251, 1_502]).first_after(1_000, []), Some(between(1_250, 1_250)));
        // It began late, and still has its own time.
        assert_eq!(seen(&[1_003, 1_470]).first_after(1_000, []), Some(between(1_250, 1_250)));
        assert_eq!(seen(&[1_003]).first_after(1_000, []), None);
    }

    #[test]
    fn evaluations_that_nobody_saw_leave_it_unsure_which_was_the_next() {
        let next = seen(&[1_003, 1_801]).first_after(1_000, []);
        assert_eq!(next, Some(between(1_250, 1_750)));
        assert!((next.unwrap().unsure() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_is_told_of_it_is_believed_where_it_is_possible() {
        let seen = seen(&[1_003, 1_801]);
        assert_eq!(seen.first_after(1_000, [900, 1_500]), Some(between(1_500, 1_500)));
        assert_eq!(seen.first_after(1_000, [5_000]), Some(between(1_250, 1_750)));
    }

    #[test]
    fn a_group_that_was_not_evaluated_in_between_is_told_from_one_that_nobody_looked_at() {
        assert!(seen(&[1_003, 2_010]).none_between(1_000, 2_000));
        assert!(!seen(&[1_003, 1_600, 2_010]).none_between(1_000, 2_000));
        assert!(!seen(&[]).none_between(1_000, 2_000));
    }

    #[test]
    fn samples_of_another_alert_of_the_group_show_it_too_and_those_of_other_groups_do_not() {
        let mut evidence = Evidence::begun(at(0));
        evidence.evaluations.insert("services".into(), vec![at(1_003), at(1_801)]);
        let mut live = configuration();
        evidence.alerts = Ok(vec![alert_series("Watchdog", "firing", [1_000, 1_500])]);
        let mut next = |group: &str| {
            live.rules[1].group = group.to_owned();
            evidence.configuration = Ok(live.clone());
            Evaluations::of(&live.rules[0], &evidence).first_after(1_000, [])
        };
        assert_eq!(next("services"), Some(between(1_250, 1_500)));
        assert_eq!(next("monitoring"), Some(between(1_250, 1_750)));
    }

    #[test]
    fn a_sample_of_an_evaluation_that_may_still_go_on_shows_nothing() {
        let mut evidence = Evidence::begun(at(0));
        let live = configuration();
        evidence.alerts = Ok(vec![alert_series("Watchdog", "firing", [1_000, 1_250])]);
        evidence.evaluations.insert("services".into(), vec![at(1_003)]);
        evidence.evaluated_until = Some(at(1_003));
        evidence.configuration = Ok(live.clone());
        let next = |evidence: &Evidence| Evaluations::of(&live.rules[0], evidence).first_after(1_000, []);
        assert_eq!(next(&evidence), None);
        evidence.evaluated_until = Some(at(1_252));
        assert_eq!(next(&evidence), Some(between(1_250, 1_250)));
    }

    #[test]
    fn where_no_look_saw_any_it_is_the_next_that_was_due() {
        let mut evidence = Evidence::begun(at(0));
        let next = |evidence: &Evidence| {
            Evaluations::of(&live_rule("HighErrorRate"), evidence).first_after(1_000, [])
        };
        assert_eq!(next(&evidence), None);
        evidence.evaluated_until = Some(at(1_249));
        assert_eq!(next(&evidence), None);
        evidence.evaluated_until = Some(at(1_250));
        assert_eq!(next(&evidence), Some(between(1_250, 1_250)));
    }
}

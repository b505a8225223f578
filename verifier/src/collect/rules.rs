//! Whether the rules were read, and evaluated, all the time.

use std::collections::BTreeMap;

use firedrill_monitoring_api::prometheus::{Rule, RuleGroups};
use jiff::Timestamp;

use super::configuration::{evaluated_until, group_name, live_rules};
use crate::evidence::{ActiveAlert, Evidence, Stall, Stretch};

/// What looks at the rules remember from one to the next.
#[derive(Debug, Default)]
pub(super) struct RulesWatch {
    /// When the rules were last read.
    read: Option<Timestamp>,
    /// Why the looks since then failed.
    failure: Option<String>,
    /// The last evaluation of each group that a look knows of.
    evaluated: BTreeMap<String, Timestamp>,
}

impl RulesWatch {
    /// Notes in `evidence` what a look at `at` saw.
    pub(super) fn saw(&mut self, at: Timestamp, groups: &RuleGroups, evidence: &mut Evidence) {
        self.keep_unread(at, evidence);
        self.read = Some(at);
        self.failure = None;
        evidence.evaluated_until = evaluated_until(groups);
        note_stalls(at, groups, &mut evidence.stalls);
        self.note_unwatched(groups, &mut evidence.unwatched);
        note_active(groups, &mut evidence.active);
        super::evaluations::note(groups, &mut evidence.evaluations);
        for rule in live_rules(groups) {
            if rule.health == "err" {
                evidence.sick_rules.insert(rule.name, rule.last_error);
            }
        }
    }

    /// Notes which groups may have stood still since the look before. Whatever kept a look away, of the time between two
    /// evaluations it only knows that they were.
    fn note_unwatched(&mut self, groups: &RuleGroups, known: &mut Vec<Stall>) {
        for group in &groups.groups {
            let Some(until) = group.last_evaluation else { continue };
            let name = group_name(group);
            let Some(from) = self.evaluated.insert(name.clone(), until) else { continue };
            if until.duration_since(from).as_secs_f64() > Stall::harmless(group.interval.as_secs_f64()) {
                known.push(Stall { group: name, from, until });
            }
        }
    }

    fn keep_unread(&self, at: Timestamp, evidence: &mut Evidence) {
        if let (Some(from), Some(why)) = (self.read, &self.failure) {
            keep_longest(&mut evidence.rules_unread, Stretch { from, until: at, why: why.clone() });
        }
    }

    /// Notes in `evidence` that a look at `at` failed.
    pub(super) fn failed(&mut self, at: Timestamp, why: String, evidence: &mut Evidence) {
        self.read.get_or_insert(evidence.began);
        self.failure = Some(why);
        self.keep_unread(at, evidence);
    }
}

/// Notes which groups a look at `at` saw not evaluated for more than two of their intervals.
fn note_stalls(at: Timestamp, groups: &RuleGroups, known: &mut Vec<Stall>) {
    for group in &groups.groups {
        let Some(from) = group.last_evaluation else { continue };
        if at.duration_since(from).as_secs_f64() <= 2.0 * group.interval.as_secs_f64() {
            continue;
        }
        let name = group_name(group);
        match known.iter_mut().rev().find(|one| one.from == from && one.group == name) {
            Some(one) => one.until = at,
            None => known.push(Stall { group: name, from, until: at }),
        }
    }
}

/// Notes since when each alert is active.
fn note_active(groups: &RuleGroups, known: &mut Vec<ActiveAlert>) {
    for rule in groups.groups.iter().flat_map(|group| &group.rules) {
        let Rule::Alerting(rule) = rule else { continue };
        // What was shown is at least as new as that.
        let Some(seen) = rule.last_evaluation else { continue };
        for alert in &rule.alerts {
            let Some(active_at) = alert.active_at else { continue };
            let same = |one: &&mut ActiveAlert| one.active_at == active_at && one.labels == alert.labels;
            match known.iter_mut().rev().find(same) {
                Some(one) => one.seen = seen,
                None => known.push(ActiveAlert { labels: alert.labels.clone(), active_at, seen }),
            }
        }
    }
}

fn keep_longest(longest: &mut Option<Stretch>, stretch: Stretch) {
    if longest.as_ref().is_none_or(|known| known.seconds() < stretch.seconds()) {
        *longest = Some(stretch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::at;

    fn evaluated(ms: i64) -> RuleGroups {
        let text = format!(
            r#"{{"groups": [{{"name": "g", "file": "f", "interval": 0.25, "limit": 0, "evaluationTime": 0,
                 "lastEvaluation": "{}", "rules": []}}]}}"#,
            at(ms)
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_group_that_is_not_evaluated_is_seen_until_it_is_again() {
        let mut evidence = Evidence::begun(at(0));
        let mut watch = RulesWatch::default();
        // Looks every second; nothing is evaluated after 500 ms until 4 s.
        for (look, ms) in [(600, 500), (1_600, 500), (2_600, 500), (4_100, 4_000), (4_600, 4_250)] {
            watch.saw(at(look), &evaluated(ms), &mut evidence);
        }
        let stall = Stall { group: "f:g".into(), from: at(500), until: at(2_600) };
        assert_eq!(evidence.stalls, [stall]);
    }

    #[test]
    fn a_group_that_nobody_looked_at_for_long_may_have_stood_still() {
        let mut evidence = Evidence::begun(at(0));
        let mut watch = RulesWatch::default();
        // It was evaluated at 500 ms, and just before the look after a pause of two seconds.
        for (look, ms) in [(400, 250), (600, 500), (2_600, 2_500), (2_800, 2_750), (4_600, 4_500)] {
            watch.saw(at(look), &evaluated(ms), &mut evidence);
        }
        assert_eq!(evidence.stalls, [], "no look saw it stand still");
        let unwatched = Stall { group: "f:g".into(), from: at(500), until: at(2_500) };
        assert_eq!(evidence.unwatched, [unwatched], "1.75 s are harmless, 2 s are not");
    }

    #[test]
    fn failed_looks_are_remembered_with_the_time_since_the_last_good_one() {
        let mut evidence = Evidence::begun(at(0));
        let mut watch = RulesWatch::default();
        watch.saw(at(200), &evaluated(200), &mut evidence);
        watch.failed(at(400), "connection refused".into(), &mut evidence);
        assert_eq!(evidence.rules_unread.as_ref().map(|one| (one.from, one.until)), Some((at(200), at(400))));
        watch.saw(at(3_000), &evaluated(3_000), &mut evidence);
        watch.saw(at(9_000), &evaluated(9_000), &mut evidence);
        let unread = evidence.rules_unread.unwrap();
        assert_eq!((unread.from, unread.until), (at(200), at(3_000)));
        assert_eq!(unread.why, "connection refused");
    }

    #[test]
    fn each_start_of_an_alert_is_kept_once_with_the_last_evaluation_that_saw_it() {
        let look = |evaluated: i64, active: i64| -> RuleGroups {
            let text = format!(
                r#"{{"groups": [{{"name": "g", "file": "f", "interval": 0.25, "rules": [{{
                     "type": "alerting", "name": "A", "query": "up == 0", "duration": 5, "labels": {{}},
                     "annotations": {{}}, "health": "ok", "state": "pending", "lastEvaluation": "{}",
                     "alerts": [{{"labels": {{"alertname": "A"}}, "annotations": {{}}, "state": "pending",
                                  "activeAt": "{}", "value": "1"}}]}}]}}]}}"#,
                at(evaluated),
                at(active)
            );
            serde_json::from_str(&text).unwrap()
        };
        let mut known = Vec::new();
        for (evaluated, active) in [(500, 250), (750, 250), (2_000, 2_000)] {
            note_active(&look(evaluated, active), &mut known);
        }
        let seen: Vec<_> = known.iter().map(|one| (one.active_at, one.seen)).collect();
        assert_eq!(seen, [(at(250), at(750)), (at(2_000), at(2_000))]);
    }
}

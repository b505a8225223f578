//! The notification group that an alert came into at Alertmanager, by what was seen of it: a new one, one that other
//! alerts had opened, or one that was empty and may be gone.

use firedrill_record::Labels;
use firedrill_rulebook::GroupBy;
use jiff::{SignedDuration, Timestamp};

use crate::alert_plan::AlertPlan;
use crate::deadline::{Clockwork, FirstFlush, Group, REQUEST_TAKES, TIMER_LATE, Window};
use crate::evidence::{AlertmanagerSighting, Evidence, Notification};
use crate::life_cycle::{LifeCycle, Subject};
use crate::plan::Plan;

/// Alertmanager looks for groups that are empty every 30 s, at any speed (`Dispatcher.run` in dispatch.go): until then
/// one that became empty goes on ticking.
const LINGERS: SignedDuration = SignedDuration::from_secs(30);

/// How an alert came to Alertmanager, and the groups that it may have come into; times in seconds after it was received.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arrival {
    received: Timestamp,
    groups: Vec<Group>,
    /// How much later than `received` it may really have come.
    late: f64,
    told_before: Option<f64>,
    /// Which of them there are, in words.
    terms: String,
}

impl Arrival {
    /// The window from received to delivered.
    pub(super) fn window(&self, clockwork: &Clockwork) -> Window {
        clockwork.received_to_delivered(&self.groups, self.late, self.told_before, &self.terms)
    }

    /// When the group may have been flushed first, in seconds after `resolved`. Empty when its ticks are not known,
    /// because a notification that was tried again took longer than they are apart. `delivered` is when the receiver was
    /// told.
    pub(super) fn first_flushes(
        &self,
        clockwork: &Clockwork,
        delivered: Timestamp,
        was_retried: bool,
        resolved: Timestamp,
    ) -> Vec<FirstFlush> {
        let begin = seconds(resolved, self.received);
        let delivered = seconds(self.received, delivered);
        let flush = |earliest: f64, latest: f64| FirstFlush {
            earliest: begin + earliest,
            latest: begin + latest.max(earliest),
        };
        let flushes = self.groups.iter().map(|group| match group {
            Group::New(first) if was_retried => (delivered - first.earliest < clockwork.group_interval)
                .then(|| flush(first.earliest, first.latest + TIMER_LATE)),
            // What it told was delivered after it began.
            Group::New(first) => Some(flush(first.earliest, (first.latest + TIMER_LATE).min(delivered))),
            Group::Alive(first) => (!was_retried).then(|| flush(first.earliest, first.latest)),
        });
        flushes.collect::<Option<Vec<_>>>().unwrap_or_default()
    }
}

/// What is known of the groups of the alert with this `life`; none when Alertmanager is not known to have it.
pub(super) fn of(
    alert: &AlertPlan,
    life: &LifeCycle,
    subject: &Subject<'_>,
    told_to: &str,
    plan: &Plan,
    evidence: &Evidence,
) -> Option<Arrival> {
    let (received, firing) = (life.received?, life.firing?);
    let clockwork = &alert.clockwork;
    let own = own_labels(alert, subject, evidence, firing);
    let in_its_group = |labels: &Labels| {
        plan.is_of_this_drill(labels) && same_group(alert, own, labels) && alert.takes_its_route(labels)
    };
    let until = life.delivered.map_or(received, |delivered| delivered.min(received));
    let earlier = earlier(evidence, told_to, until, &in_its_group);
    let opener = evidence
        .alertmanager
        .iter()
        .filter(|one| one.labels != *own && one.updated_at < until && in_its_group(&one.labels))
        .min_by_key(|one| one.updated_at);
    let late = if life.shown_again { clockwork.sent().1 } else { 0.0 };
    let new = FirstFlush::of_a_new_group(clockwork, seconds(firing, received), late);
    let (groups, terms) = match (earlier.as_slice(), opener) {
        ([first, ..], _) => alive(received, first, earlier.last().unwrap_or(first), new),
        ([], Some(opener)) => joined(clockwork, received, opener, new),
        ([], None) => (vec![Group::New(new)], "new group".to_owned()),
    };
    let told_before = told_before(&earlier, own).map(|at| seconds(received, at));
    Some(Arrival { received, groups, late, told_before, terms })
}

/// A group of which a receiver was told before. `last` was the last time, before the alert came.
fn alive(
    received: Timestamp,
    first: &Notification,
    last: &Notification,
    new: FirstFlush,
) -> (Vec<Group>, String) {
    let told = seconds(received, first.received_at);
    let flushed = Group::Alive(FirstFlush { earliest: told - REQUEST_TAKES - TIMER_LATE, latest: told });
    let empty = received.duration_since(last.received_at);
    match last.status.as_str() {
        "resolved" if empty > LINGERS => {
            (vec![Group::New(new)], "new group, the one before is gone".to_owned())
        }
        "resolved" => (
            vec![flushed, Group::New(new)],
            format!(
                "group empty for {:.2}s, which ticks on for up to {}s or is gone and a new one",
                empty.as_secs_f64(),
                LINGERS.as_secs()
            ),
        ),
        _ => (vec![flushed], format!("group alive, first told {:.2}s before", -told)),
    }
}

/// A group that `opener` came into before, and of which nobody was told yet.
fn joined(
    clockwork: &Clockwork,
    received: Timestamp,
    opener: &AlertmanagerSighting,
    new: FirstFlush,
) -> (Vec<Group>, String) {
    let age = seconds(opener.starts_at, opener.updated_at);
    // What was shown of it may be a resend.
    let late = if age < clockwork.resend { 0.0 } else { age };
    let came = seconds(received, opener.updated_at) - late;
    let first = FirstFlush::of_a_new_group(clockwork, age - late, late);
    let flushed = FirstFlush { earliest: came + first.earliest, latest: came + first.latest };
    let mut groups = vec![Group::Alive(flushed)];
    if new.earliest < clockwork.group_wait {
        // An alert that comes later than group_wait makes a group tell at once that has not told anything yet.
        groups.push(Group::New(new));
    }
    (groups, format!("group opened {:.2}s before", -came))
}

/// Notifications of the group to `told_to` before `until`, in order.
fn earlier<'e>(
    evidence: &'e Evidence,
    told_to: &str,
    until: Timestamp,
    in_the_group: &impl Fn(&Labels) -> bool,
) -> Vec<&'e Notification> {
    let mut earlier: Vec<&Notification> = evidence
        .notifications
        .iter()
        .flatten()
        .filter(|one| one.receiver == told_to && one.received_at < until)
        .filter(|one| one.alerts.iter().any(|alert| in_the_group(&alert.labels)))
        .collect();
    earlier.sort_by_key(|one| one.received_at);
    earlier
}

/// When a receiver was last told that the alert with these labels fires, without having been told of its end since.
fn told_before(earlier: &[&Notification], own: &Labels) -> Option<Timestamp> {
    let about = |one: &&Notification| {
        let alert = one.alerts.iter().find(|alert| alert.labels == *own)?;
        Some((one.received_at, alert.status == "firing"))
    };
    let (at, fires) = earlier.iter().rev().find_map(about)?;
    fires.then_some(at)
}

/// All labels of the alert as Alertmanager shows them, else those it is known to have.
fn own_labels<'a>(
    alert: &'a AlertPlan,
    subject: &Subject<'_>,
    evidence: &'a Evidence,
    firing: Timestamp,
) -> &'a Labels {
    let shown = evidence.alertmanager.iter().filter(|one| subject.is(&one.labels));
    shown
        .min_by_key(|one| one.starts_at.duration_since(firing).abs())
        .map_or(&alert.labels, |one| &one.labels)
}

fn same_group(alert: &AlertPlan, one: &Labels, other: &Labels) -> bool {
    match &alert.route.group_by {
        GroupBy::Labels(by) => by.iter().all(|label| one.get(label) == other.get(label)),
        GroupBy::All => one == other,
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use firedrill_record::{ExpectationRecord, Reason, Verdict};

    use super::super::judge;
    use crate::checks::fixtures::{alert_evidence, at, expectation, plan};
    use crate::evidence::Evidence;

    /// The expected alert is received at 16.005 s; the routes group by alert name only, and the one of the chat service
    /// was told at `told`, its status then being `status`. The expected one is delivered at `delivered`.
    fn after_another(told: i64, status: &str, delivered: i64) -> ExpectationRecord {
        judged(|evidence| {
            let live = evidence.configuration.as_mut().unwrap();
            live.alertmanager_yaml = live.alertmanager_yaml.replace("alertname, service,", "alertname,");
            let notifications = evidence.notifications.as_mut().unwrap();
            let mut other = notifications[0].clone();
            other.received_at = at(told);
            other.status = status.to_owned();
            other.alerts[0].status = status.to_owned();
            other.alerts[0].labels.insert("service".into(), "chat".into());
            notifications[0].received_at = at(delivered);
            notifications.insert(0, other);
            // The group's ticks lie 5 s apart: the resolution at 22.5 s is told at the next one.
            let resolved = (22_500 - told + 4_999) / 5_000 * 5_000 + told + 10;
            notifications[2].received_at = at(resolved);
        })
    }

    fn judged(change: impl FnOnce(&mut Evidence)) -> ExpectationRecord {
        let mut evidence = alert_evidence();
        change(&mut evidence);
        judge(&plan(), 0, &expectation(), &evidence)
    }

    fn delivery(record: &ExpectationRecord) -> &str {
        let step = record.segments.iter().find(|step| step.name == "received to delivered");
        step.map_or("", |step| &step.computed_from)
    }

    #[test]
    fn a_group_that_told_of_another_alert_tells_of_this_one_at_its_next_tick() {
        // Told at 13 s: the next tick is at 18 s.
        let in_time = after_another(13_000, "firing", 18_010);
        assert_eq!(in_time.verdict, Verdict::Held, "{}", in_time.sentence);
        assert!(delivery(&in_time).contains("group alive"), "{}", delivery(&in_time));
        assert_eq!(after_another(13_000, "firing", 16_210).reason, Some(Reason::TooEarly));
        assert_eq!(after_another(13_000, "firing", 18_500).reason, Some(Reason::TooLate));
    }

    #[test]
    fn a_group_that_was_empty_for_less_than_half_a_minute_may_be_gone_or_not() {
        for delivered in [18_010, 16_210] {
            let record = after_another(13_000, "resolved", delivered);
            assert_ne!(record.reason, Some(Reason::TooEarly), "{}", record.sentence);
            assert!(delivery(&record).contains("group empty"), "{}", delivery(&record));
        }
        assert_eq!(after_another(13_000, "resolved", 17_000).reason, Some(Reason::TooLate));
    }

    #[test]
    fn an_alert_that_joins_a_group_before_its_first_flush_is_told_with_it() {
        let with_opener = |delivered: i64| {
            judged(|evidence| {
                let live = evidence.configuration.as_mut().unwrap();
                live.alertmanager_yaml = live.alertmanager_yaml.replace("alertname, service,", "alertname,");
                let mut opener = evidence.alertmanager[0].clone();
                opener.labels.insert("service".into(), "chat".into());
                (opener.starts_at, opener.updated_at) = (at(15_900), at(15_905));
                evidence.alertmanager.push(opener);
                evidence.notifications.as_mut().unwrap()[0].received_at = at(delivered);
                evidence.notifications.as_mut().unwrap()[1].received_at = at(26_110);
            })
        };
        // Opened at 15.905 s, told 0.2 s later, 0.1 s after the expected alert came.
        let told = with_opener(16_110);
        assert_eq!(told.verdict, Verdict::Held, "{}", told.sentence);
        assert_eq!(with_opener(16_400).reason, Some(Reason::TooLate));
    }

    #[test]
    fn an_alert_that_came_later_than_group_wait_is_told_at_once() {
        let record = judged(|evidence| {
            evidence.alertmanager[0].updated_at = at(16_300);
            evidence.notifications.as_mut().unwrap()[0].received_at = at(16_310);
            evidence.notifications.as_mut().unwrap()[1].received_at = at(26_310);
        });
        assert_eq!(record.verdict, Verdict::Held, "{}", record.sentence);
    }
}

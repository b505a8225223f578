//! The notification group that an alert came into at Alertmanager, by what was seen of it: a new one, one that other
//! alerts had opened, or one that was empty and may be gone.

use firedrill_record::Labels;
use firedrill_rulebook::GroupBy;
use jiff::{SignedDuration, Timestamp};

use super::steps;
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

    /// From when the ticks count up to which the alert waited: the flush of a group that was there before, else from when
    /// it came.
    pub(super) fn flushed(&self) -> Timestamp {
        let alive = self.groups.iter().filter_map(|group| match group {
            Group::New(_) => None,
            Group::Alive(flush) => Some(flush.earliest),
        });
        self.after_received(alive.fold(0.0, f64::min))
    }

    /// The same for what is told after it was delivered, by a flush after it came: of a delivery that `was_retried` nobody
    /// knows which.
    pub(super) fn flushed_since(&self, was_retried: bool) -> Timestamp {
        if was_retried { self.flushed() } else { self.received }
    }

    fn after_received(&self, seconds: f64) -> Timestamp {
        let after = SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
        self.received.checked_add(after).unwrap_or(self.received)
    }

    /// When the group may have been flushed before it was told of the end, in seconds after `resolved`. Empty when its ticks
    /// are not known, because a notification that was tried again took longer than they are apart. `delivered` is when the
    /// receiver was told.
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
            Group::Alive(_) => {
                (!was_retried).then(|| flush(delivered - REQUEST_TAKES - TIMER_LATE, delivered))
            }
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
        ([.., last], _) => {
            let failing = steps::failing_times(plan, told_to, evidence);
            let (flushed, how) = last_flush(clockwork, received, &earlier, &failing);
            alive(received, last, Group::Alive(flushed), &how, new)
        }
        ([], Some(opener)) => joined(clockwork, received, opener, new),
        ([], None) => (vec![Group::New(new)], "new group".to_owned()),
    };
    let told_before = told_before(&earlier, own).map(|at| seconds(received, at));
    Some(Arrival { received, groups, late, told_before, terms })
}

/// The last flush before the alert came of which it is known when it was, by what the receiver was told then, and how it is
/// known. A notification was tried once unless it came while the receiver was `failing` or within the notify timeout after
/// that; of one that may have been tried again the flush lies between the begin of the failing and the delivery.
fn last_flush(
    clockwork: &Clockwork,
    received: Timestamp,
    earlier: &[&Notification],
    failing: &[(Timestamp, Timestamp)],
) -> (FirstFlush, String) {
    let tries = SignedDuration::try_from_secs_f64(clockwork.notify_timeout()).unwrap_or_default();
    let failed_from = |told: Timestamp| {
        failing
            .iter()
            .filter(|(from, until)| *from <= told && told <= *until + tries)
            .map(|(from, _)| *from)
            .min()
    };
    let known = earlier.iter().rev().map(|one| one.received_at).find(|at| failed_from(*at).is_none());
    let takes = REQUEST_TAKES + TIMER_LATE;
    if let Some(at) = known {
        let told = seconds(received, at);
        let how = format!("told {:.2}s before", -told);
        return (FirstFlush { earliest: told - takes, latest: told }, how);
    }
    let last = earlier.last().map_or(received, |one| one.received_at);
    let from = failed_from(last).unwrap_or(last);
    let (earliest, latest) = (seconds(received, from) - takes, seconds(received, last));
    let how = format!("told {:.2}s before, after tries since {:.2}s before", -latest, -earliest);
    (FirstFlush { earliest, latest }, how)
}

/// A group of which a receiver was told before, for the `last` time so before the alert came, and which `flushed` then.
fn alive(
    received: Timestamp,
    last: &Notification,
    flushed: Group,
    how: &str,
    new: FirstFlush,
) -> (Vec<Group>, String) {
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
        _ => (vec![flushed], format!("group alive, {how}")),
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
            let resolved = (22_500 - delivered + 4_999) / 5_000 * 5_000 + delivered;
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
    fn ticks_count_from_the_last_time_that_a_receiver_was_told_at_once() {
        // The receiver of an alert of the group fails from 5 s to 7 s.
        let after = |told: &[i64], delivered: i64| {
            let mut plan = plan();
            let lasts = std::time::Duration::from_mins(1);
            let service = plan.notification_service.clone();
            plan.faults.push((
                lasts,
                firedrill_drill::Fault::Errors { service, ratio: "100%".parse().unwrap(), lasts },
            ));
            let mut evidence = alert_evidence();
            let mut failing = evidence.faults[0].clone();
            (failing.asked, failing.injected) = (at(5_000), Some(at(5_002)));
            (failing.undo_asked, failing.undone) = (Some(at(7_000)), Some(at(7_002)));
            evidence.faults.push(failing);
            let live = evidence.configuration.as_mut().unwrap();
            live.alertmanager_yaml = live.alertmanager_yaml.replace("alertname, service,", "alertname,");
            let notifications = evidence.notifications.as_mut().unwrap();
            notifications[0].received_at = at(delivered);
            notifications[1].received_at = at((22_500 - delivered + 4_999) / 5_000 * 5_000 + delivered);
            let mut other = notifications[0].clone();
            other.alerts[0].labels.insert("service".into(), "chat".into());
            notifications.extend(told.iter().map(|ms| {
                let mut other = other.clone();
                other.received_at = at(*ms);
                other
            }));
            judge(&plan, 0, &expectation(), &evidence)
        };
        // Flushed between 5 s and 7.9 s, and told after tries: some tick up to 17.9 s.
        let retried = after(&[7_900], 16_210);
        assert_eq!(retried.verdict, Verdict::Held, "{}", retried.sentence);
        assert!(delivery(&retried).contains("after tries since"), "{}", delivery(&retried));
        assert_eq!(after(&[7_900], 18_400).reason, Some(Reason::TooLate), "the flush was before 7.9 s");
        // Told at 4.9 s at once, and again at 7.9 s after tries: the ticks are those of 4.9 s.
        assert_eq!(after(&[4_900, 7_900], 19_910).verdict, Verdict::Held);
        assert_eq!(after(&[4_900, 7_900], 17_900).reason, Some(Reason::TooEarly));
    }

    #[test]
    fn ticks_that_drift_are_those_of_the_last_notification() {
        // First told at 1 s; each of two ticks was 0.1 s late, so that the last one before it came was at 11.2 s.
        let drifted = judged(|evidence| {
            let live = evidence.configuration.as_mut().unwrap();
            live.alertmanager_yaml = live.alertmanager_yaml.replace("alertname, service,", "alertname,");
            let notifications = evidence.notifications.as_mut().unwrap();
            notifications[0].received_at = at(16_210);
            notifications[1].received_at = at(26_310);
            let mut other = notifications[0].clone();
            other.alerts[0].labels.insert("service".into(), "chat".into());
            for ms in [1_000, 11_200] {
                other.received_at = at(ms);
                notifications.push(other.clone());
            }
        });
        assert_eq!(drifted.verdict, Verdict::Held, "{}", drifted.sentence);
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

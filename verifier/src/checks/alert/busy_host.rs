//! Alerts on a busy host: what its lateness explains, and what it does not.

use firedrill_record::{ExpectationRecord, Reason, Verdict};

use super::{Outlook, judge, outlook};
use crate::checks::fixtures::{alert_evidence, at, expectation, plan, series, set_late_timers, set_samples};
use crate::evidence::Evidence;

fn judged(change: impl FnOnce(&mut Evidence)) -> ExpectationRecord {
    let mut evidence = alert_evidence();
    change(&mut evidence);
    judge(&plan(), 0, &expectation(), &evidence)
}

#[test]
fn what_did_not_come_and_could_still_come_late_decides_nothing() {
    // Resolved at 22.5 s, to be told at 26.34 s at the latest, and watched until then.
    let untold = |worst: f64, ended: i64| {
        let mut evidence = alert_evidence();
        evidence.notifications.as_mut().unwrap().truncate(1);
        evidence.ended = at(ended);
        set_late_timers(&mut evidence, worst);
        let decided = outlook(&plan(), &expectation(), &evidence) == Outlook::Decided;
        (judge(&plan(), 0, &expectation(), &evidence).reason, decided)
    };
    assert_eq!(untold(0.02, 28_000), (Some(Reason::ResolvedNotDelivered), true));
    assert_eq!(untold(0.2, 28_000), (Some(Reason::HostBusy), false), "it may be told at the next tick");
    assert_eq!(untold(0.2, 35_000), (Some(Reason::ResolvedNotDelivered), true), "no lateness explains that");
}

#[test]
fn an_alert_that_was_taken_up_late_and_told_at_once_is_no_early_one() {
    // It fired at 16 s and came 0.1 s after; group_wait is 0.2 s. A dispatcher that is 0.11 s late tells it at once.
    let told = |delivered: i64, worst: f64| {
        judged(|evidence| {
            evidence.alertmanager[0].updated_at = at(16_100);
            evidence.notifications.as_mut().unwrap()[0].received_at = at(delivered);
            set_late_timers(evidence, worst);
        })
        .reason
    };
    assert_eq!(told(16_215, 0.15), Some(Reason::HostBusy));
    assert_eq!(told(16_215, 0.02), Some(Reason::TooEarly));
    assert_eq!(told(16_110, 0.15), Some(Reason::TooEarly), "it had not fired for group_wait");
}

#[test]
fn a_resolution_that_a_late_tick_tells_is_no_early_one() {
    // Ticks at 16.2, 19.2, 22.2 and 25.2 s; the third was so late that it came after the resolution at 22.5 s.
    let told = |delivered: i64, worst: f64| {
        judged(|evidence| {
            let live = evidence.configuration.as_mut().unwrap();
            live.alertmanager_yaml =
                live.alertmanager_yaml.replace("group_interval: 5s", "group_interval: 3s");
            evidence.notifications.as_mut().unwrap()[1].received_at = at(delivered);
            set_late_timers(evidence, worst);
        })
    };
    assert_eq!(told(25_210, 0.02).verdict, Verdict::Held);
    assert_eq!(told(22_700, 0.2).reason, Some(Reason::HostBusy));
    assert_eq!(told(22_700, 0.02).reason, Some(Reason::TooEarly));
    assert_eq!(told(24_300, 0.2).reason, Some(Reason::TooEarly), "no tick is so late");
}

#[test]
fn a_for_that_is_too_long_is_excused_by_no_busy_host_but_by_one_that_lost_a_scrape() {
    let fires_at = |ms: i64, worst: f64, scrape: f64| {
        judged(|evidence| {
            set_samples(evidence, "pending", (11_000..ms).step_by(250));
            set_samples(evidence, "firing", (ms..22_500).step_by(250));
            evidence.alertmanager[0].starts_at = at(ms);
            evidence.alertmanager[0].updated_at = at(ms + 5);
            evidence.notifications.as_mut().unwrap()[0].received_at = at(ms + 210);
            set_late_timers(evidence, worst);
            scraped_for(evidence, 12_100, scrape);
        })
        .reason
    };
    assert_eq!(fires_at(16_250, 0.2, 0.01), Some(Reason::TooLate));
    assert_eq!(fires_at(17_500, 0.2, 0.26), Some(Reason::HostBusy));
    assert_eq!(fires_at(17_500, 0.02, 0.26), Some(Reason::TooLate), "a target that hangs is no busy host");
}

#[test]
fn an_alert_that_a_lost_scrape_ended_decides_nothing() {
    let ends_at = |ms: i64, scrape: f64| {
        judged(|evidence| {
            set_samples(evidence, "firing", (16_000..ms).step_by(250));
            set_late_timers(evidence, 0.2);
            scraped_for(evidence, 17_300, scrape);
        })
        .reason
    };
    assert_eq!(ends_at(17_500, 0.26), Some(Reason::HostBusy));
    assert_eq!(ends_at(17_500, 0.01), Some(Reason::TooEarly));
    assert_eq!(ends_at(18_500, 0.26), Some(Reason::TooEarly), "that was not the scrape before");
}

/// The user service was scraped at `ms`, which took so many seconds.
fn scraped_for(evidence: &mut Evidence, ms: i64, seconds: f64) {
    let target = [("job", "services"), ("service", "user")];
    let mut one = series("scrape_duration_seconds", &target, seconds);
    one.samples[0].at_ms = ms;
    evidence.scrapes = Ok(vec![one]);
}

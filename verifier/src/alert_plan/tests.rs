use firedrill_drill::Fault;
use firedrill_record::Reason;

use super::{AlertPlan, Baseline, Measured, Muting, NoPlan, Processors, longest_history_of_all};
use crate::checks::fixtures::{self, expectation};
use crate::deadline::{Clockwork, Crossing, SteppingMean};
use crate::evidence::{Evidence, LiveConfiguration, Sample};

fn made(change: impl FnOnce(&mut LiveConfiguration)) -> Result<AlertPlan, NoPlan> {
    let mut configuration = fixtures::configuration();
    change(&mut configuration);
    AlertPlan::make(&fixtures::plan(), &configuration, &expectation())
}

#[test]
fn rule_and_route_give_the_clockwork() {
    let plan = made(|_| {}).unwrap();
    assert!((plan.clockwork.pending_time() - 5.0).abs() < 1e-9);
    assert!((plan.clockwork.group_interval - 5.0).abs() < 1e-9);
    assert!((plan.history - 5.0).abs() < 1e-9, "{}", plan.history);
    let fault = &fixtures::plan().faults[0].1;
    assert!(
        matches!(plan.crossing(fault, None), Crossing::Ratio(mean) if (mean.threshold - 0.05).abs() < 1e-9)
    );
}

#[test]
fn a_missing_rule_or_one_with_other_labels_is_absent() {
    assert_eq!(made(|live| live.rules.truncate(0)).unwrap_err().0, Reason::RuleAbsent);
    let (reason, why) = made(|live| {
        live.rules[0].labels.insert("service".into(), "chat".into());
    })
    .unwrap_err();
    assert_eq!(reason, Reason::RuleAbsent);
    assert!(why.contains("chat"), "{why}");
}

#[test]
fn an_alert_that_goes_to_somebody_else_is_not_routed() {
    let (reason, why) = made(|live| {
        live.alertmanager_yaml =
            live.alertmanager_yaml.replacen("receiver: notification-service", "receiver: nobody", 1);
    })
    .unwrap_err();
    assert_eq!(reason, Reason::NotRouted);
    assert!(why.contains("nobody"), "{why}");
}

#[test]
fn only_errors_and_parts_that_are_gone_are_solved() {
    let up = made(|live| live.rules[0].expr = "up{job=\"services\"} == 0".into()).unwrap();
    let errors = made(|_| {}).unwrap();
    let lasts = std::time::Duration::from_mins(1);
    let kill = |part: &str| Fault::Kill { part: part.into(), lasts };
    let hang = Fault::Hang { service: "user".parse().unwrap(), lasts };
    let of_another = Fault::Errors { service: "auth".parse().unwrap(), ratio: "1%".parse().unwrap(), lasts };
    assert_eq!(up.crossing(&kill("user"), None), Crossing::Immediate);
    assert!(matches!(up.crossing(&hang, None), Crossing::Within { .. }));
    assert!(matches!(errors.crossing(&kill("auth"), None), Crossing::Within { .. }));
    // Nobody knows before how much of another service's errors show here.
    assert!(matches!(errors.crossing(&of_another, None), Crossing::Within { .. }));
    let measured = Measured { requests: Some(load(30.0, 300)), ..Measured::default() };
    assert!(matches!(errors.crossing(&of_another, Some(&measured)), Crossing::Ratio { .. }));
}

/// So many requests a second before a fault and 100 under it, of which `failed` of 1000 fail.
fn load(per_second_before: f64, failed: u64) -> Baseline {
    Baseline { before: (500, 0), during: (1000, failed), per_second_before, per_second: 100.0 }
}

fn mean(plan: &AlertPlan, measured: &Measured) -> SteppingMean {
    match plan.crossing(&fixtures::plan().faults[0].1, Some(measured)) {
        Crossing::Ratio(mean) => mean,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_measured_of_the_load_is_in_the_crossing() {
    let plan = made(|_| {}).unwrap();
    let measured = Measured { requests: Some(load(50.0, 300)), ..Measured::default() };
    // Twice the traffic; 30 failed requests a second; no 5xx series before: one more scrape of 0.25 s.
    let new = mean(&plan, &measured);
    assert!((new.traffic - 2.0).abs() < 1e-9 && (new.event - 1.0 / 30.0).abs() < 1e-9, "{new:?}");
    assert!((new.born - 0.25).abs() < 1e-9 && (new.unreached - 0.25).abs() < 1e-9, "{new:?}");
    let known = mean(&plan, &Measured { counted_before: true, ..measured });
    assert!(known.born.abs() < 1e-9);
}

#[test]
fn a_window_that_is_no_whole_number_of_scrapes_reaches_less_far() {
    let plan = made(|live| live.rules[0].expr = live.rules[0].expr.replace("[5s]", "[5100ms]")).unwrap();
    let measured = Measured { requests: Some(load(100.0, 300)), ..Measured::default() };
    // 20 scrapes of 0.25 s are 5 s: 0.1 s of the window and a scrape.
    assert!((mean(&plan, &measured).unreached - 0.35).abs() < 1e-9);
}

#[test]
fn series_that_were_there_before_the_load_are_known_by_what_the_rule_selects() {
    let counted = |status: &str| {
        let mut evidence = fixtures::alert_evidence();
        let series = fixtures::series("http_requests_total", &[("service", "user"), ("status", status)], 0.0);
        evidence.counters_before.as_mut().unwrap().series = vec![series];
        let plan = made(|_| {}).unwrap();
        let service = "user".parse().unwrap();
        Measured::of(&plan, Some(&service), &evidence.faults[0], &evidence).counted_before
    };
    assert!(counted("500") && !counted("200"));
}

#[test]
fn few_events_or_a_ratio_near_the_threshold_do_not_tell() {
    let plan = made(|_| {}).unwrap();
    let baseline = |per_second: f64, failed| Baseline { per_second, ..load(100.0, failed) };
    assert_eq!(plan.too_few_events(&baseline(100.0, 300)), None);
    assert!(plan.too_few_events(&baseline(2.0, 300)).is_some());
    assert!(plan.too_few_events(&baseline(100.0, 60)).is_some());
}

#[test]
fn the_longest_history_is_that_of_the_widest_window_and_an_evaluation() {
    let all = longest_history_of_all(&fixtures::configuration(), &[]);
    assert!((all - 5.25).abs() < 1e-9, "{all}");
}

#[test]
fn a_quantile_needs_ten_requests_beyond_it() {
    let p95 = "histogram_quantile(0.95, sum by (service, le) (rate(http_request_duration_seconds_bucket[5s]))) > 0.5";
    let plan = made(|live| live.rules[0].expr = p95.into()).unwrap();
    // 10/(1 − 0.95) = 200 in 5 s: 40 a second.
    let baseline = |per_second| Baseline { per_second, ..load(100.0, 0) };
    assert_eq!(plan.too_few_events(&baseline(40.0)), None);
    assert!(plan.too_few_events(&baseline(39.0)).is_some());
}

#[test]
fn the_common_conditions_on_busy_processors_are_found_and_no_others() {
    let condition = |expr: &str| made(|live| live.rules[0].expr = expr.into()).unwrap().busy_condition();
    for expr in [
        "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5s])) * 100 > 80",
        "1 - avg(rate(node_cpu_seconds_total{mode=\"idle\"}[5s])) > 0.8",
        "avg without (cpu, mode) (rate(node_cpu_seconds_total{mode=\"idle\"}[5s])) < 0.2",
        "sum by (instance) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5s])) \
         / sum by (instance) (rate(node_cpu_seconds_total[5s])) > 0.8",
        "1 - sum(rate(node_cpu_seconds_total{mode=~\"idle|iowait\"}[5s])) / sum(rate(node_cpu_seconds_total[5s])) > 0.8",
    ] {
        let found = condition(expr).unwrap_or_else(|| panic!("{expr}"));
        assert!(
            (found.window - 5.0).abs() < 1e-9 && (found.threshold - 0.8).abs() < 1e-9,
            "{expr}: {found:?}"
        );
        assert_eq!(found.waiting_is_busy, !expr.contains("iowait"), "{expr}");
    }
    for expr in [
        // Each processor on its own.
        "1 - avg by (instance, cpu) (rate(node_cpu_seconds_total{mode=\"idle\"}[5s])) > 0.8",
        "1 - rate(node_cpu_seconds_total{mode=\"idle\"}[5s]) > 0.8",
        // The newest two samples only, means over modes, and a condition on being idle.
        "1 - avg(rate(node_cpu_seconds_total{mode=~\"idle|iowait\"}[5s])) > 0.8",
        "1 - avg(irate(node_cpu_seconds_total{mode=\"idle\"}[5s])) > 0.8",
        "avg(rate(node_cpu_seconds_total{mode!=\"idle\"}[5s])) > 0.8",
        "avg(rate(node_cpu_seconds_total{mode=\"idle\"}[5s])) > 0.8",
        "1 - avg(rate(node_cpu_seconds_total{mode=\"idle\"}[5s] offset 5s)) > 0.8",
        "sum(rate(node_cpu_seconds_total{mode!=\"idle\"}[5s])) / count(node_cpu_seconds_total{mode=\"idle\"}) > 0.8",
    ] {
        assert_eq!(condition(expr), None, "{expr}");
    }
}

fn muting(route: &str, intervals: &str) -> Muting {
    let plan = made(|live| {
        let yaml = live.alertmanager_yaml.replace(
            "  group_wait: 200ms",
            &format!("  group_wait: 200ms\n  routes: [{{matchers: ['severity=\"critical\"'], {route}}}]"),
        );
        live.alertmanager_yaml = format!("{yaml}time_intervals: [{intervals}]\n");
    });
    plan.unwrap().muting(fixtures::at(0), fixtures::at(61_000))
}

#[test]
fn a_route_is_silent_in_its_mute_intervals_and_outside_its_active_ones() {
    let always = "{name: always, time_intervals: [{}]}";
    assert!(matches!(muting("mute_time_intervals: [always]", always), Muting::Always(_)));
    assert_eq!(muting("active_time_intervals: [always]", always), Muting::Never);
    assert_eq!(made(|_| {}).unwrap().muting(fixtures::at(0), fixtures::at(1)), Muting::Never);
    // The run is the first minute of 1970, UTC, and a second.
    let noon = "{name: noon, time_intervals: [{times: [{start_time: '12:00', end_time: '13:00'}]}]}";
    assert_eq!(muting("mute_time_intervals: [noon]", noon), Muting::Never);
    assert!(matches!(muting("active_time_intervals: [noon]", noon), Muting::Always(_)));
    let midnight = "{name: midnight, time_intervals: [{times: [{start_time: '00:00', end_time: '01:00'}]}]}";
    assert!(matches!(muting("mute_time_intervals: [midnight]", midnight), Muting::Always(_)));
    assert_eq!(muting("active_time_intervals: [midnight]", midnight), Muting::Never);
}

#[test]
fn an_interval_that_covers_a_part_of_the_run_leaves_it_to_the_hour() {
    let soon = "{name: soon, time_intervals: [{times: [{start_time: '00:01', end_time: '13:00'}]}]}";
    let Muting::Sometimes(why) = muting("mute_time_intervals: [soon]", soon) else { panic!() };
    assert!(why.contains("mute_time_intervals: soon"), "{why}");
    assert!(matches!(muting("active_time_intervals: [soon]", soon), Muting::Sometimes(_)));
}

#[test]
fn what_prometheus_counted_in_the_drill_is_in_the_clockwork() {
    let mut evidence = fixtures::alert_evidence();
    assert_eq!(made(|_| {}).unwrap().as_measured(&evidence).clockwork, fixtures::clockwork());
    evidence.lost_alerts = Ok(2.0);
    let wanted = Clockwork { lost_alerts: true, ..fixtures::clockwork() };
    assert_eq!(made(|_| {}).unwrap().as_measured(&evidence).clockwork, wanted);
}

#[test]
fn the_longest_scrape_is_that_of_a_target_that_feeds_the_rule_at_the_time() {
    let plan = made(|_| {}).unwrap();
    let mut evidence = fixtures::alert_evidence();
    let longest =
        |evidence: &Evidence| plan.longest_scrape(evidence, fixtures::at(10_000), fixtures::at(11_000));
    assert_eq!(longest(&evidence), None);
    let scrapes = |job: &str, service: &str, taken: &[(i64, f64)]| {
        let mut one = fixtures::series("scrape_duration_seconds", &[("job", job), ("service", service)], 0.0);
        one.samples = taken.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect();
        one
    };
    let own = scrapes("services", "user", &[(9_700, 0.5), (9_800, 0.02), (10_900, 0.07), (11_100, 0.6)]);
    let others = [scrapes("services", "chat", &[(10_000, 0.9)]), scrapes("node", "user", &[(10_000, 0.8)])];
    evidence.scrapes = Ok([own].into_iter().chain(others).collect());
    assert_eq!(longest(&evidence), Some(0.07));
}

#[test]
fn a_busy_host_is_solved_by_what_the_harness_measured_of_it() {
    let cpu = "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5s])) * 100 > 80";
    let plan = made(|live| live.rules[0].expr = cpu.into()).unwrap();
    let burner = Fault::HostCpu { cores: None, lasts: std::time::Duration::from_mins(8) };
    let processors = Processors { before: 0.4, during: 1.0, rising: (0.4, 1.0), falling: (0.2, 1.0) };
    let measured = Measured { processors: Some(processors), ..Measured::default() };
    let levels = |crossing| match crossing {
        Crossing::Busy(mean) => (mean.before, mean.during, mean.threshold),
        other => panic!("{other:?}"),
    };
    let near = |one: (f64, f64, f64), other: (f64, f64, f64)| {
        (one.0 - other.0).abs() + (one.1 - other.1).abs() + (one.2 - other.2).abs() < 1e-9
    };
    assert!(near(levels(plan.crossing(&burner, Some(&measured))), (0.4, 1.0, 0.8)));
    assert!(near(levels(plan.crossing_back(&burner, &measured)), (0.2, 1.0, 0.8)));
    // Before anything was measured, and for what is not looked at, there is an outer bound.
    assert!(matches!(plan.crossing(&burner, None), Crossing::Within { .. }));
    let unmeasured = Measured::default();
    assert_eq!(unmeasured.unclear_processors(&plan, &burner).unwrap().0, Reason::EvidenceMissing);
    assert_eq!(measured.unclear_processors(&plan, &burner), None);
}

#[test]
fn a_planted_gauge_is_seen_at_once_or_never_becomes_true() {
    let crossing = |expr: &str, value: f64| {
        let plan = made(|live| live.rules[0].expr = expr.into()).unwrap();
        let lasts = std::time::Duration::from_mins(1);
        plan.crossing(&Fault::Gauge { name: "disk".into(), value, lasts }, None)
    };
    assert_eq!(crossing("firedrill_planted{gauge=\"disk\"} > 0.5", 1.0), Crossing::Immediate);
    assert_eq!(crossing("firedrill_planted == 2", 2.0), Crossing::Immediate);
    let never = crossing("firedrill_planted > 2", 1.0);
    assert_eq!(never, Crossing::Never { value: 1.0, threshold: 2.0 });
    assert!(fixtures::clockwork().cannot_fire(never, 60.0).unwrap().contains("threshold is 2"));
    for other in [
        "firedrill_planted{gauge=\"memory\"} > 0.5",
        "sum(firedrill_planted) > 0.5",
        "firedrill_planted offset 1m > 0",
    ] {
        assert!(matches!(crossing(other, 1.0), Crossing::Within { .. }), "{other}");
    }
}

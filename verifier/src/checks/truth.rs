//! `truth`: the counters and histograms that Prometheus stores agree with the load ledger, route by route.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_drill::TruthExpectation;
use firedrill_record::{ExpectationRecord, Ledger, Reason, Route};

use crate::counters::{self, Expected, Gains};
use crate::evidence::{CounterSnapshot, Evidence};
use crate::plan::Plan;

const KIND: &str = "truth";

/// A disagreement: its reason and its sentence.
type Problem = (Reason, String);

/// Judges `expectation` from two settled snapshots of raw counters and the ledger between them.
pub(crate) fn judge(plan: &Plan, expectation: TruthExpectation, evidence: &Evidence) -> ExpectationRecord {
    let about = match (expectation.counters, expectation.histograms) {
        (true, true) => "counters exact, histograms consistent",
        (true, false) => "counters exact",
        (false, true) => "histograms consistent",
        (false, false) => "nothing",
    };
    let gathered = match Gathered::from(evidence) {
        Ok(gathered) => gathered,
        Err((reason, sentence)) => return ExpectationRecord::because(KIND, about, reason, sentence),
    };
    if !expectation.counters && !expectation.histograms {
        return ExpectationRecord::because(KIND, about, Reason::EvidenceMissing, "it compares nothing");
    }
    let mut problems: Vec<Problem> = gathered.unscraped(plan, evidence);
    let mut findings = Vec::new();
    let mut requests = 0;
    let mut routes = 0;
    let mut unknown = 0;
    if problems.is_empty() {
        match gathered.compare_counters(plan, evidence) {
            Ok(comparison) => {
                requests = comparison.requests;
                routes = comparison.routes;
                unknown = comparison.unknown;
                findings = comparison.rows;
                if expectation.counters {
                    problems.extend(comparison.problems);
                    problems.extend(compare_chats(&gathered));
                }
            }
            Err(problem) => problems.push(problem),
        }
        if expectation.histograms {
            problems.extend(gathered.compare_histograms());
        }
    }
    // The worst first: a violation is not hidden by what could not be told.
    problems.sort_by_key(|(reason, _)| std::cmp::Reverse(reason.verdict()));
    let mut record = match problems.first() {
        Some((reason, sentence)) => ExpectationRecord::because(KIND, about, *reason, sentence),
        None if requests == 0 => ExpectationRecord::because(
            KIND,
            about,
            Reason::EvidenceMissing,
            "no request was sent, so that nothing was compared",
        ),
        None => ExpectationRecord::held(
            KIND,
            about,
            if unknown == 0 {
                format!("{requests} requests over {routes} routes, each counter equal to the ledger")
            } else {
                format!(
                    "{requests} requests over {routes} routes, each counter within the {unknown} requests of unknown end"
                )
            },
        ),
    };
    record.findings = problems.into_iter().map(|(_, sentence)| sentence).chain(findings).collect();
    record
}

/// The evidence that every comparison needs.
struct Gathered<'a> {
    ledger: &'a Ledger,
    before: &'a CounterSnapshot,
    after: &'a CounterSnapshot,
}

struct Comparison {
    requests: u64,
    unknown: u64,
    routes: usize,
    rows: Vec<String>,
    problems: Vec<Problem>,
}

impl<'a> Gathered<'a> {
    fn from(evidence: &'a Evidence) -> Result<Self, Problem> {
        let missing =
            |what: &str, why: &str| (Reason::QueryFailed, format!("{what} could not be read: {why}"));
        let ledger = evidence
            .ledger
            .as_ref()
            .ok_or_else(|| (Reason::EvidenceMissing, "there is no ledger of the load".to_owned()))?;
        let before =
            evidence.counters_before.as_ref().map_err(|why| missing("the counters before the load", why))?;
        let after =
            evidence.counters_after.as_ref().map_err(|why| missing("the counters after the drain", why))?;
        let resets = evidence.resets.as_ref().map_err(|why| missing("counter resets", why))?;
        for (snapshot, when) in [(before, "before the load"), (after, "after the drain")] {
            if !snapshot.settled {
                return Err((
                    Reason::CountersNotSettled,
                    format!("the counters were still moving {when}: {}", snapshot.moving.join(", ")),
                ));
            }
        }
        if let Some((service, count)) = resets.iter().find(|(_, count)| **count > 0.0) {
            return Err((Reason::CounterReset, format!("counters of {service} were reset {count} times")));
        }
        Ok(Self { ledger, before, after })
    }

    /// Services that received load and are not scraped.
    fn unscraped(&self, plan: &Plan, evidence: &Evidence) -> Vec<Problem> {
        let up = match &evidence.services_up {
            Ok(up) => up,
            Err(error) => return vec![(Reason::QueryFailed, format!("`up` could not be read: {error}"))],
        };
        let loaded: BTreeSet<_> = self.ledger.rows.iter().map(|row| &row.route.service).collect();
        loaded
            .into_iter()
            .filter(|service| plan.services.contains(service) && !up.contains(service))
            .map(|service| {
                (Reason::TargetAbsent, format!("{service} received load, and Prometheus does not scrape it"))
            })
            .collect()
    }

    fn compare_counters(&self, plan: &Plan, evidence: &Evidence) -> Result<Comparison, Problem> {
        let gains = counters::gains("http_requests_total", self.before, self.after)
            .map_err(|sentence| (Reason::CounterReset, sentence))?;
        let failed = *evidence.failed_notifications.as_ref().map_err(|why| {
            (Reason::QueryFailed, format!("Alertmanager's failed notifications could not be read: {why}"))
        })?;
        let to_the_service = |heard: &&crate::evidence::Notification| {
            plan.webhooks.get(&heard.receiver).is_some_and(|webhooks| webhooks.contains(&heard.webhook))
        };
        let told = evidence.witness.iter().filter(to_the_service).count() as u64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        let expected = counters::expected(
            self.ledger,
            &plan.notification_service,
            told,
            &evidence.notification_polls,
            failed.max(0.0) as u64,
        );
        Ok(compare(&gains, &expected))
    }

    fn compare_histograms(&self) -> Vec<Problem> {
        let counts = self.by_route("http_request_duration_seconds_count");
        let counters = self.by_route("http_requests_total");
        let (counts, counters) = match (counts, counters) {
            (Ok(counts), Ok(counters)) => (counts, counters),
            (Err(problem), _) | (_, Err(problem)) => return vec![problem],
        };
        let mut problems = Vec::new();
        let routes: BTreeSet<&Route> = counts.keys().chain(counters.keys()).collect();
        for route in routes {
            let (count, counter) = (counts.get(route).copied(), counters.get(route).copied());
            if count != counter {
                problems.push((
                    Reason::HistogramInconsistent,
                    format!("{}: histogram count {count:?}, counter {counter:?}", name(route)),
                ));
            }
        }
        problems.extend(self.compare_buckets(&counts));
        problems
    }

    /// Gains of `metric` summed over all labels but service, method and route.
    fn by_route(&self, metric: &str) -> Result<BTreeMap<Route, u64>, Problem> {
        let mut sums = BTreeMap::new();
        for series in self.after.series.iter().filter(|one| one.label("__name__") == metric) {
            let Ok(service) = series.label("service").parse() else { continue };
            if counters::is_own_route(series.label("route")) {
                continue;
            }
            let gained = counters::gained(series, self.before).map_err(|why| (Reason::CounterReset, why))?;
            let route =
                Route { service, method: series.label("method").into(), route: series.label("route").into() };
            *sums.entry(route).or_default() += gained.unwrap_or(0);
        }
        if sums.is_empty() { Err((Reason::MetricAbsent, format!("there is no {metric}"))) } else { Ok(sums) }
    }

    /// Buckets are monotone, the last equals the count, and each holds at least as many requests as the client saw
    /// end by its bound: a service never needs longer than its client waits.
    fn compare_buckets(&self, counts: &BTreeMap<Route, u64>) -> Vec<Problem> {
        let mut buckets: BTreeMap<Route, Vec<(f64, u64)>> = BTreeMap::new();
        let wanted = |one: &&crate::evidence::Series| {
            one.label("__name__") == "http_request_duration_seconds_bucket"
                && !counters::is_own_route(one.label("route"))
        };
        for series in self.after.series.iter().filter(wanted) {
            let (Ok(service), Ok(bound)) =
                (series.label("service").parse(), series.label("le").parse::<f64>())
            else {
                return vec![(
                    Reason::HistogramInconsistent,
                    format!("{} has no bound that is a number", counters::name_of(series)),
                )];
            };
            match counters::gained(series, self.before) {
                Ok(gained) => {
                    let route = Route {
                        service,
                        method: series.label("method").into(),
                        route: series.label("route").into(),
                    };
                    buckets.entry(route).or_default().push((bound, gained.unwrap_or(0)));
                }
                Err(why) => return vec![(Reason::CounterReset, why)],
            }
        }
        let mut problems = Vec::new();
        for (route, count) in counts {
            let mut of_route = buckets.remove(route).unwrap_or_default();
            of_route.sort_by(|a, b| a.0.total_cmp(&b.0));
            let direct = self.ledger.rows.iter().find(|row| row.direct && &row.route == route);
            problems.extend(
                bucket_problem(&of_route, *count, direct.map(|row| &row.latency))
                    .map(|why| (Reason::HistogramInconsistent, format!("{}: {why}", name(route)))),
            );
        }
        problems
    }
}

fn bucket_problem(
    buckets: &[(f64, u64)],
    count: u64,
    client: Option<&firedrill_record::LatencyHistogram>,
) -> Option<String> {
    let Some((last, in_last)) = buckets.last() else { return Some("no buckets".to_owned()) };
    if !last.is_infinite() || *in_last != count {
        return Some(format!("the bucket up to {last} holds {in_last}, the count is {count}"));
    }
    if let Some(pair) = buckets.windows(2).find(|pair| pair[0].1 > pair[1].1) {
        return Some(format!(
            "the bucket up to {} holds {}, more than the {} up to {}",
            pair[0].0, pair[0].1, pair[1].1, pair[1].0
        ));
    }
    let client = client?;
    buckets.iter().filter(|(bound, _)| bound.is_finite()).find_map(|(bound, held)| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounds are seconds")]
        let seen = client.count_at_most((bound * 1e6) as u64);
        (seen > *held)
            .then(|| format!("the client saw {seen} answers within {bound}s, the service claims {held}"))
    })
}

fn compare(gains: &Gains, expected: &BTreeMap<Route, Expected>) -> Comparison {
    let nothing_gained = BTreeMap::new();
    let nothing_expected = Expected::default();
    let mut comparison =
        Comparison { requests: 0, unknown: 0, routes: 0, rows: Vec::new(), problems: Vec::new() };
    let routes: BTreeSet<&Route> = gains.keys().chain(expected.keys()).collect();
    for route in routes {
        let gained = gains.get(route).unwrap_or(&nothing_gained);
        let want = expected.get(route).unwrap_or(&nothing_expected);
        let total_gained: u64 = gained.values().sum();
        let total_closed: u64 = want.closed.values().sum();
        if total_gained == 0 && total_closed == 0 && want.unknown == 0 {
            continue;
        }
        comparison.routes += 1;
        comparison.requests += total_closed;
        comparison.unknown += want.unknown;
        let mut verdict = "=";
        let statuses: BTreeSet<u16> = gained.keys().chain(want.closed.keys()).copied().collect();
        for status in statuses {
            let counted = gained.get(&status).copied().unwrap_or(0);
            let closed = want.closed.get(&status).copied().unwrap_or(0);
            let limits =
                if want.unknown == 0 { String::new() } else { format!(" to {}", closed + want.unknown) };
            if counted < closed {
                verdict = "≠";
                comparison.problems.push((
                    Reason::CounterShort,
                    format!(
                        "{} {status}: Prometheus has {counted}, the ledger {closed}{limits}",
                        name(route)
                    ),
                ));
            } else if counted > closed + want.unknown {
                verdict = "≠";
                comparison.problems.push((
                    Reason::CounterOver,
                    format!(
                        "{} {status}: Prometheus has {counted}, the ledger {closed}{limits}",
                        name(route)
                    ),
                ));
            }
        }
        if total_gained > total_closed + want.unknown && verdict == "=" {
            verdict = "≠";
            comparison.problems.push((
                Reason::CounterOver,
                format!(
                    "{}: Prometheus has {total_gained} in all, the ledger at most {}",
                    name(route),
                    total_closed + want.unknown
                ),
            ));
        }
        let unknown =
            if want.unknown == 0 { String::new() } else { format!(" + at most {} unknown", want.unknown) };
        comparison.rows.push(format!(
            "{}: ledger {total_closed}{unknown} {verdict} Prometheus {total_gained}",
            name(route)
        ));
    }
    comparison
}

fn name(route: &Route) -> String {
    format!("{} {} {}", route.service, route.method, route.route)
}

/// Messages sent are exact after a complete closing handshake of every connection; deliveries lie between those that
/// clients saw and those that were due.
fn compare_chats(gathered: &Gathered<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let services: BTreeSet<_> = gathered.ledger.chats.iter().map(|chat| &chat.service).collect();
    for service in services {
        let chats = || gathered.ledger.chats.iter().filter(|chat| &chat.service == service);
        let sum = |field: fn(&firedrill_record::ChatTotals) -> u64| chats().map(field).sum::<u64>();
        let open = sum(|chat| chat.connections) - sum(|chat| chat.closed_cleanly);
        if open > 0 {
            problems.push((
                Reason::EvidenceMissing,
                format!("{open} chat connections ended without a closing handshake: messages in flight are not known"),
            ));
            continue;
        }
        let claims = [
            ("messages_sent_total", sum(|chat| chat.sent), sum(|chat| chat.sent)),
            (
                "messages_delivered_total",
                sum(|chat| chat.delivered + chat.duplicated),
                sum(|chat| chat.expected_deliveries + chat.duplicated),
            ),
        ];
        for (metric, least, most) in claims {
            let series =
                gathered.after.series.iter().filter(|one| {
                    one.label("__name__") == metric && one.label("service") == service.as_str()
                });
            let mut counted = None;
            for one in series {
                match counters::gained(one, gathered.before) {
                    Ok(gained) => counted = Some(counted.unwrap_or(0) + gained.unwrap_or(0)),
                    Err(why) => problems.push((Reason::CounterReset, why)),
                }
            }
            match counted {
                None => problems.push((Reason::MetricAbsent, format!("{service} has no {metric}"))),
                Some(counted) if (least..=most).contains(&counted) => {}
                Some(counted) => problems.push((
                    Reason::MessagesMiscounted,
                    format!("{metric} of {service}: Prometheus has {counted}, the ledger {least} to {most}"),
                )),
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use firedrill_record::{ChatTotals, LatencyHistogram, Verdict};

    use super::*;
    use crate::checks::fixtures::{self, truth_evidence};

    fn judged(evidence: &Evidence) -> ExpectationRecord {
        judge(&fixtures::plan(), TruthExpectation { counters: true, histograms: true }, evidence)
    }

    fn set(evidence: &mut Evidence, metric: &str, more: &[(&str, &str)], value: f64) {
        let after = evidence.counters_after.as_mut().unwrap();
        let series = after
            .series
            .iter_mut()
            .find(|one| {
                one.label("__name__") == metric && more.iter().all(|(name, value)| one.label(name) == *value)
            })
            .expect("the fixture has such a series");
        series.samples.last_mut().unwrap().value = value;
    }

    #[test]
    fn equal_counters_and_consistent_histograms_hold() {
        let record = judged(&truth_evidence());
        assert_eq!(record.verdict, Verdict::Held, "{record:#?}");
        assert!(record.sentence.contains("100 requests"), "{}", record.sentence);
    }

    #[test]
    fn a_counter_one_short_or_one_over_violates() {
        for (value, reason) in [(94.0, Reason::CounterShort), (96.0, Reason::CounterOver)] {
            let mut evidence = truth_evidence();
            set(&mut evidence, "http_requests_total", &[("status", "200")], value);
            assert_eq!(judged(&evidence).reason, Some(reason));
        }
    }

    #[test]
    fn requests_of_unknown_end_widen_the_bound_by_exactly_their_number() {
        let mut evidence = truth_evidence();
        evidence.ledger.as_mut().unwrap().rows[0].unknown = 1;
        set(&mut evidence, "http_requests_total", &[("status", "200")], 96.0);
        set(&mut evidence, "http_request_duration_seconds_count", &[], 101.0);
        set(&mut evidence, "http_request_duration_seconds_bucket", &[("le", "+Inf")], 101.0);
        assert_eq!(judged(&evidence).verdict, Verdict::Held);
        set(&mut evidence, "http_requests_total", &[("status", "200")], 97.0);
        assert_eq!(judged(&evidence).reason, Some(Reason::CounterOver));
    }

    #[test]
    fn requests_that_nobody_sent_violate() {
        let mut evidence = truth_evidence();
        evidence.ledger.as_mut().unwrap().rows.clear();
        assert_eq!(judged(&evidence).reason, Some(Reason::CounterOver));
    }

    #[test]
    fn a_histogram_that_disagrees_with_its_counter_or_the_client_violates() {
        let mut evidence = truth_evidence();
        set(&mut evidence, "http_request_duration_seconds_count", &[], 99.0);
        assert_eq!(judged(&evidence).reason, Some(Reason::HistogramInconsistent));
        let mut evidence = truth_evidence();
        set(&mut evidence, "http_request_duration_seconds_bucket", &[("le", "0.1")], 50.0);
        let record = judged(&evidence);
        assert!(record.sentence.contains("the client saw 100"), "{}", record.sentence);
        let mut evidence = truth_evidence();
        set(&mut evidence, "http_request_duration_seconds_bucket", &[("le", "0.1")], 101.0);
        assert_eq!(judged(&evidence).reason, Some(Reason::HistogramInconsistent));
    }

    #[test]
    fn a_loaded_service_that_is_not_scraped_violates() {
        let mut evidence = truth_evidence();
        evidence.services_up = Ok(vec![]);
        assert_eq!(judged(&evidence).reason, Some(Reason::TargetAbsent));
    }

    #[test]
    fn moving_counters_failed_queries_and_no_load_are_inconclusive() {
        let mut moving = truth_evidence();
        moving.counters_after.as_mut().unwrap().settled = false;
        assert_eq!(judged(&moving).reason, Some(Reason::CountersNotSettled));
        let mut failed = truth_evidence();
        failed.counters_after = Err("connection refused".into());
        assert_eq!(judged(&failed).reason, Some(Reason::QueryFailed));
        let mut no_load = truth_evidence();
        no_load.ledger = None;
        assert_eq!(judged(&no_load).reason, Some(Reason::EvidenceMissing));
    }

    #[test]
    fn a_reset_without_a_fault_violates() {
        let mut evidence = truth_evidence();
        evidence.resets.as_mut().unwrap().insert("user".into(), 1.0);
        assert_eq!(judged(&evidence).reason, Some(Reason::CounterReset));
    }

    #[test]
    fn chat_messages_are_exact_after_a_closing_handshake_and_unknown_without() {
        let mut evidence = truth_evidence();
        let chat = ChatTotals {
            service: "user".parse().unwrap(),
            seconds: 1.0,
            rate: 10.0,
            connections: 2,
            closed_cleanly: 2,
            reconnected: 0,
            unknown: 0,
            sent: 10,
            expected_deliveries: 20,
            delivered: 20,
            lost: 0,
            duplicated: 0,
            latency: LatencyHistogram::default(),
        };
        evidence.ledger.as_mut().unwrap().chats.push(chat);
        assert_eq!(judged(&evidence).reason, Some(Reason::MetricAbsent));
        for (metric, value) in [("messages_sent_total", 10.0), ("messages_delivered_total", 20.0)] {
            let series = fixtures::series(metric, &[("service", "user")], value);
            evidence.counters_after.as_mut().unwrap().series.push(series);
        }
        assert_eq!(judged(&evidence).verdict, Verdict::Held);
        set(&mut evidence, "messages_sent_total", &[], 9.0);
        assert_eq!(judged(&evidence).reason, Some(Reason::MessagesMiscounted));
        evidence.ledger.as_mut().unwrap().chats[0].closed_cleanly = 1;
        assert_eq!(judged(&evidence).reason, Some(Reason::EvidenceMissing));
    }
}

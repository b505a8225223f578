//! When a fault may start: nothing unexpected is pending or firing, and steady load has filled every window.

use firedrill_drill::Expectation;
use firedrill_record::Labels;
use firedrill_verifier::{Evidence, Plan};
use jiff::{SignedDuration, Timestamp};

/// What the stack still waits for; none when the fault may start. `history` is the longest window in seconds,
/// `interval` the larger of scrape and evaluation interval.
pub(crate) fn waiting_for(
    plan: &Plan,
    evidence: &Evidence,
    load_began: Timestamp,
    history: f64,
    interval: f64,
) -> Option<String> {
    let filled = Timestamp::now().duration_since(load_began).as_secs_f64();
    // Two scrapes more: the first of the load may be partly empty, and the last is not there yet.
    let needed = history + 2.0 * interval;
    if filled < needed {
        return Some(format!("{needed:.1}s of steady load to fill the longest window"));
    }
    let alerts = match &evidence.alerts {
        Ok(alerts) => alerts,
        Err(error) => return Some(format!("an answer from Prometheus: {error}")),
    };
    let recent = evidence.ended - seconds(3.0 * interval + 0.5);
    let active = alerts.iter().filter(|series| {
        plan.is_of_this_drill(&series.labels)
            && series.samples.last().is_some_and(|last| last.at_ms >= recent.as_millisecond())
    });
    for series in active {
        if !is_excepted(plan, &series.labels) {
            let name = series.label("alertname");
            return Some(format!("{name} to become inactive, it is {}", series.label("alertstate")));
        }
    }
    // Inhibition knows nothing of drills: a source of an earlier one would still suppress.
    let earlier = evidence.alertmanager_active.iter().find(|labels| !is_excepted(plan, labels))?;
    let name = earlier.get("alertname").map_or("an alert", String::as_str);
    Some(format!("{name} to be resolved in Alertmanager"))
}

fn is_excepted(plan: &Plan, labels: &Labels) -> bool {
    let always = labels.get("alertname").is_some_and(|name| plan.always_firing.contains(name));
    always
        || plan.expect.iter().any(|expectation| match expectation {
            Expectation::Quiet(quiet) => quiet.except.iter().any(|matcher| matcher.matches(labels)),
            Expectation::Alert(_) | Expectation::Truth(_) | Expectation::Load(_) | Expectation::Metric(_) => {
                false
            }
        })
}

fn seconds(seconds: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::ZERO)
}

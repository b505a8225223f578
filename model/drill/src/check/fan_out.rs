//! What the faults of a drill leave certain of the requests that a step implies.
//!
//! A fan-out says under which answers a request was certainly made, in a system that works. Where a fault lets a service
//! answer by itself, with a failure that it was not asked to relay, those answers imply nothing. Every other answer
//! still implies what it did.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::fault::Fault;
use crate::journey::{FanOutStatus, Step};
use crate::load::Load;
use crate::plan::{Action, Timed};

/// With which a service answers when it fails by itself or relays that failure.
pub(super) const SERVER_ERROR: u16 = 500;
/// All answers by which a service says that it, or somebody whom it asked, failed.
const FAILURES: RangeInclusive<u16> = 500..=599;

/// Takes the answers that a fault of the `timeline` may give rise to out of what implies requests.
pub(super) fn doubt_answers_of_faults(loads: &mut [Load], timeline: &[Timed]) {
    let named: BTreeSet<String> = steps(loads).flat_map(|step| services(step).map(str::to_owned)).collect();
    for step in steps(loads) {
        for timed in timeline {
            let Action::Inject(fault) = &timed.action;
            if let Some(doubtful) = doubtful(fault, step, &named) {
                for implied in &mut step.fan_out {
                    implied.when.retain(|status| !doubtful.contains(status));
                }
            }
        }
    }
}

fn steps(loads: &mut [Load]) -> impl Iterator<Item = &mut Step> {
    loads
        .iter_mut()
        .filter_map(|load| match load {
            Load::Journey { journey, .. } | Load::Arrivals { journey, .. } => Some(journey),
            Load::Chat { .. } => None,
        })
        .flat_map(|journey| journey.setup.iter_mut().chain(&mut journey.steps))
}

/// The service of a step and those that it asks.
fn services(step: &Step) -> impl Iterator<Item = &str> {
    let asked = step.fan_out.iter().map(|implied| implied.route.service.as_str());
    std::iter::once(step.route.service.as_str()).chain(asked)
}

/// The answers to `step` that may, under `fault`, come from a service that asked nobody or had no answer to relay.
/// `named` are the services of all journeys.
fn doubtful(fault: &Fault, step: &Step, named: &BTreeSet<String>) -> Option<RangeInclusive<u16>> {
    let is_own = fault.part() == step.route.service.as_str();
    let is_asked = services(step).skip(1).any(|service| service == fault.part());
    let own_error = SERVER_ERROR..=SERVER_ERROR;
    match fault {
        // It answers before it asks anybody. Asked, it is relayed, but for an answer that always has another status:
        // then the service that asked makes a failure of its own of it.
        Fault::Errors { .. } => {
            let is_remade = step.fan_out.iter().any(|implied| {
                implied.route.service.as_str() == fault.part()
                    && implied.when.contains(&SERVER_ERROR)
                    && !matches!(implied.status, FanOutStatus::Same | FanOutStatus::Fixed(SERVER_ERROR))
            });
            (is_own || is_remade).then_some(own_error)
        }
        // Its own answers are as they were, only late: who asked it may not wait for them.
        Fault::Latency { .. } | Fault::SlowBody { .. } => is_asked.then_some(FAILURES),
        Fault::Hang { .. } | Fault::Refuse { .. } => (is_own || is_asked).then_some(FAILURES),
        // What no journey names may be what every service stands on, as Redis is.
        Fault::Kill { part, .. } => (is_own || is_asked || !named.contains(part)).then_some(FAILURES),
        // They answer what they always do.
        Fault::Memory { .. }
        | Fault::Cpu { .. }
        | Fault::BadMetrics { .. }
        | Fault::HostCpu { .. }
        | Fault::Gauge { .. } => None,
    }
}

//! The rates that are tried: each half as much again as the one before, until one is over the limit.

use std::time::Duration;

use firedrill_drill::{Drill, Load, Rate};
use firedrill_record::{DrillName, DrillRecord, ServiceName};
use thiserror::Error;

use super::findings::{Limits, step};

/// From one rate to the next, as a fraction.
const FACTOR: (u64, u64) = (3, 2);
/// No rate is higher, per second: beyond it the generator on one machine is the limit.
const HIGHEST_RATE: u64 = 20_000;

/// A drill cannot be stepped.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum NoLadder {
    /// It does not have exactly one load of arrivals, or it has faults.
    #[error("{drill} needs one load, `arrivals`, and no fault: its rate is what is stepped")]
    NotOneRate {
        /// The drill.
        drill: DrillName,
    },
    /// Its journey talks to several services.
    #[error("{drill} sends to {services}: the rate of one service is stepped")]
    SeveralServices {
        /// The drill.
        drill: DrillName,
        /// The services.
        services: String,
    },
    /// Its steps could not be named.
    #[error("{drill}-at-20000 is too long for a name of a step")]
    NameTooLong {
        /// The drill.
        drill: DrillName,
    },
}

/// The steps of one capacity run.
#[derive(Debug)]
pub(crate) struct Ladder {
    drill: Drill,
    service: ServiceName,
    limits: Limits,
    /// How long each rate is held, in drill time.
    hold: Duration,
    next_rate: u64,
}

impl Ladder {
    /// Steps of `drill`, whose rate is the first one.
    pub(crate) fn new(drill: Drill, limits: Limits, hold: Duration) -> Result<Self, NoLadder> {
        let name = drill.name.clone();
        let (Ok([Load::Arrivals { journey, rate }]), true) =
            (<&[Load; 1]>::try_from(drill.load.as_slice()), drill.timeline.is_empty())
        else {
            return Err(NoLadder::NotOneRate { drill: name });
        };
        let mut services: Vec<ServiceName> = journey.services().cloned().collect();
        services.sort();
        services.dedup();
        let [service] = services.as_slice() else {
            let services: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
            return Err(NoLadder::SeveralServices { drill: name, services: services.join(" and ") });
        };
        if named(&name, HIGHEST_RATE).is_none() {
            return Err(NoLadder::NameTooLong { drill: name });
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 100000")]
        let next_rate = rate.per_second().ceil() as u64;
        Ok(Self { service: service.clone(), limits, hold, next_rate, drill })
    }

    /// The service that is stepped.
    pub(crate) fn service(&self) -> &ServiceName {
        &self.service
    }

    /// The next step after those in `done`; none when the last one was over the limit, or nothing more can be tried.
    pub(crate) fn next(&mut self, done: &[DrillRecord]) -> Option<Drill> {
        let over = done.last().is_some_and(|last| !step(last, &self.service, self.limits).within);
        if over || self.next_rate > HIGHEST_RATE {
            return None;
        }
        let rate = self.next_rate;
        self.next_rate = (rate * FACTOR.0).div_ceil(FACTOR.1);
        let mut drill = self.drill.clone();
        drill.name = named(&drill.name, rate)?;
        drill.lasts = Some(self.hold);
        if let Some(Load::Arrivals { rate: asked, .. }) = drill.load.first_mut() {
            *asked = format!("{rate}/s").parse::<Rate>().ok()?;
        }
        Some(drill)
    }
}

fn named(drill: &DrillName, rate: u64) -> Option<DrillName> {
    format!("{drill}-at-{rate}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::findings::tests::{LIMITS, tried};
    use super::*;
    use firedrill_drill::load_drill;
    use std::path::PathBuf;

    fn drill(path: &str) -> Drill {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios/catalog");
        load_drill(&root.join(path)).unwrap()
    }

    fn ladder() -> Ladder {
        let reads = drill("capacity/user-service-reads-are-counted.yaml");
        Ladder::new(reads, LIMITS, Duration::from_mins(10)).unwrap()
    }

    #[test]
    fn each_rate_is_half_as_much_again_until_one_is_over_the_limit() {
        let mut ladder = ladder();
        assert_eq!(ladder.service().as_str(), "user");
        let mut done = Vec::new();
        let mut names = Vec::new();
        while let Some(drill) = ladder.next(&done) {
            assert_eq!(drill.lasts, Some(Duration::from_mins(10)));
            names.push(drill.name.to_string());
            done.push(tried(100.0, if names.len() < 4 { 3.0 } else { 300.0 }));
        }
        let expected = [100, 150, 225, 338].map(|rate| format!("user-service-reads-are-counted-at-{rate}"));
        assert_eq!(names, expected);
    }

    #[test]
    fn it_ends_by_itself_when_no_rate_is_over_the_limit() {
        let mut ladder = ladder();
        let done = [tried(100.0, 3.0)];
        let steps = std::iter::from_fn(|| ladder.next(&done)).count();
        assert_eq!(steps, 14);
    }

    #[test]
    fn a_drill_with_other_load_has_no_ladder() {
        let mixed = drill("services/user-service-errors-page-the-team.yaml");
        let error = Ladder::new(mixed, LIMITS, Duration::from_mins(1)).unwrap_err();
        assert!(matches!(error, NoLadder::NotOneRate { .. }));
    }
}

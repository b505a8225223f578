//! `firedrill capacity`: what the stack samples today, and which rate a service carries.

use firedrill_drill::Drill;
use firedrill_record::ExitOutcome;

use super::conducted::{self, Follow};
use super::selection;
use crate::capacity::{Ladder, Limits, findings};
use crate::cli::{CapacityArguments, Talk};
use crate::failure::{Failure, INVALID};
use crate::speed::Speed;

/// Sampling depends on the deployed intervals and latency on the load: neither is compressed, so the fastest will do.
const SPEED: u32 = 60;
/// A rate is carried when so many of its arrivals started.
const ACHIEVED: f64 = 0.99;
/// And no more requests than this failed.
const FAILED: f64 = 0.01;

pub(crate) fn capacity(arguments: &CapacityArguments, talk: &Talk) -> Result<u8, Failure> {
    let selection = selection::load(std::slice::from_ref(&arguments.drill), talk)?;
    let drill = selection::only(selection.drills, &arguments.drill)?;
    let limits = Limits {
        p99_ms: arguments.p99.as_secs_f64() * 1000.0,
        achieved: ACHIEVED,
        failed: FAILED,
        samples_per_day: arguments.samples_per_day,
        services: arguments.services,
    };
    let mut ladder = Ladder::new(drill, limits, arguments.hold * SPEED)
        .map_err(|error| Failure::told(INVALID, &error, None))?;
    let first: Vec<Drill> = ladder.next(&[]).into_iter().collect();
    let service = ladder.service().clone();
    let follow = Follow::Drills(
        Box::new(move |done| ladder.next(done)),
        Box::new(move |record| {
            let complete = record.not_run.is_empty() && record.exit == ExitOutcome::Passed;
            record.capacity = Some(findings(&record.drills, &service, limits, complete));
        }),
    );
    conducted::to_the_end(&arguments.common, Some(Speed::Factor(SPEED)), true, first, talk, follow)
}

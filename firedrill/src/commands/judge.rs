//! `firedrill judge`: the same evidence judged again.

use std::fmt::Write as _;

use firedrill_record::{DrillRecord, EvidenceFolder, ExitOutcome, Redactor};
use firedrill_verifier::{growth, judge_again};

use super::report;
use super::written_reports::WrittenReports;
use crate::cli::Talk;
use crate::failure::{Failure, INVALID};
use crate::run::{EVIDENCE, outcome_of, outcome_of_growth};
use crate::trials::findings;

pub(crate) fn judge(run: &str, talk: &Talk) -> Result<u8, Failure> {
    let (folder, mut record) = report::read(run)?;
    let mut differences = String::new();
    // How the run itself ended is not judged again; only what its drills were found to be.
    let mut outcome = match record.exit {
        ExitOutcome::Passed | ExitOutcome::Failed => ExitOutcome::Passed,
        ExitOutcome::CannotTell if record.exit_because.is_none() => ExitOutcome::Passed,
        ended @ (ExitOutcome::CannotTell
        | ExitOutcome::StackNotUp
        | ExitOutcome::FaultNotUndone
        | ExitOutcome::Interrupted) => ended,
    };
    for drill in &mut record.drills {
        let again = again(&folder.drill(&drill.name))?;
        tell_differences(drill, &again, &mut differences);
        outcome = outcome.max(outcome_of(&again));
        let seconds = drill.seconds;
        *drill = DrillRecord { seconds, ..again };
    }
    if !record.growth.is_empty() {
        record.growth = growth(&record.drills);
        outcome = record.growth.iter().map(outcome_of_growth).fold(outcome, ExitOutcome::max);
    }
    record.trials = std::mem::take(&mut record.trials)
        .into_iter()
        .map(|one| findings(&one.drill, one.busy_loops, &one.trials, &record.drills))
        .collect();
    report::show(&record, &folder, &WrittenReports::default(), talk)?;
    if differences.is_empty() {
        report::say("judged again from the evidence: the same verdicts\n")?;
    } else {
        report::say(&format!("judged again from the evidence, the verdicts differ:\n{differences}"))?;
    }
    Ok(outcome.code())
}

fn again(folder: &std::path::Path) -> Result<DrillRecord, Failure> {
    let open = |path: &std::path::Path| EvidenceFolder::open(path, Redactor::default());
    judge_again(&open(folder), &open(&folder.join(EVIDENCE)))
        .map_err(|error| Failure::new(INVALID, &error, None))
}

fn tell_differences(before: &DrillRecord, after: &DrillRecord, differences: &mut String) {
    for (one, other) in before.expectations.iter().zip(&after.expectations) {
        if (one.verdict, one.reason) != (other.verdict, other.reason) {
            let reason = |it: &firedrill_record::ExpectationRecord| {
                it.reason.map_or_else(String::new, |it| format!(" ({it})"))
            };
            // Writing to a String does not fail.
            let _ = writeln!(
                differences,
                "  {} {} {}: {}{} then, {}{} now",
                before.name,
                one.kind,
                one.about,
                one.verdict,
                reason(one),
                other.verdict,
                reason(other)
            );
        }
    }
}

//! `firedrill compare`: two runs of the same drills at two speeds, side by side in drill time.

use std::ffi::OsStr;
use std::path::Path;

use firedrill_record::{DrillRecord, EvidenceError, EvidenceFolder, Redactor};
use firedrill_reports::render_comparison;
use firedrill_stack::RunFolder;
use firedrill_verifier::Plan;

use super::report;
use crate::cli::Talk;
use crate::comparison::{Timed, compare};
use crate::failure::{Failure, INVALID, NOT_SET_UP};

/// Exit code when something differs.
const DIFFERS: u8 = 1;
/// Exit code when it cannot be told.
const CANNOT_TELL: u8 = 4;

pub(crate) fn compare_runs(one: &str, other: &str, json: Option<&OsStr>, talk: &Talk) -> Result<u8, Failure> {
    let (one_folder, one) = report::read(one)?;
    let (other_folder, other) = report::read(other)?;
    let comparison = compare(
        [one.run, other.run],
        [&timed(&one_folder, one.drills)?, &timed(&other_folder, other.drills)?],
    );
    let in_json = || {
        serde_json::to_string_pretty(&comparison)
            .map(|text| text + "\n")
            .map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to write JSON: {error}")))
    };
    match json {
        Some(place) if place == "-" => report::say(&in_json()?)?,
        Some(file) => {
            report::say(&render_comparison(&comparison, &talk.results))?;
            let file = Path::new(file);
            std::fs::write(file, in_json()?).map_err(|error| {
                Failure::plain(NOT_SET_UP, &format!("failed to write {}: {error}", file.display()))
            })?;
        }
        None => report::say(&render_comparison(&comparison, &talk.results))?,
    }
    Ok(match comparison.agrees() {
        Some(true) => 0,
        Some(false) => DIFFERS,
        None => CANNOT_TELL,
    })
}

/// Each drill with the speed of its plan: the drills of one run may have several.
fn timed(folder: &RunFolder, drills: Vec<DrillRecord>) -> Result<Vec<Timed>, Failure> {
    let speed = |drill: &DrillRecord| -> Result<u32, EvidenceError> {
        let plan: Plan =
            EvidenceFolder::open(&folder.drill(&drill.name), Redactor::default()).read_json("plan.json")?;
        Ok(plan.speed)
    };
    drills
        .into_iter()
        .map(|drill| {
            let speed = speed(&drill).map_err(|error| Failure::new(INVALID, &error, None))?;
            Ok(Timed { speed, drill })
        })
        .collect()
}

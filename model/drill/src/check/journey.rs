//! A whole journey.

use super::drill::check_stem;
use super::problems::{Checked, Problems};
use super::step::check_steps;
use crate::journey::{Journey, Pace};
use crate::source::SourceText;
use crate::written::{JourneyText, PaceText};
use crate::yaml::At;

/// Checks `text`, read from `source`; `Err` when something was reported to `problems`.
pub(crate) fn check_journey(
    text: JourneyText,
    source: &SourceText,
    problems: &mut Problems<'_>,
) -> Checked<Journey> {
    let named = check_stem(&text.journey, source, problems);
    let about = problems.filled(&text.about, "about");
    let pace = check_pace(&text.pace, problems);
    let steps_place = text.steps.place;
    let no_steps = text.steps.value.is_empty();
    let steps = check_steps(text.setup, text.steps.value, source, problems);
    if no_steps {
        let help = "add an item: `- {step: NAME, request: GET SERVICE /PATH, expect: [200]}`";
        return Err(problems.report(steps_place, "no steps", "an empty list", help));
    }
    named?;
    let (setup, steps) = steps?;
    Ok(Journey { name: text.journey.value, about: about?, setup, steps, pace: pace? })
}

fn check_pace(text: &At<PaceText>, problems: &mut Problems<'_>) -> Checked<Pace> {
    let at_least = problems.duration(&text.value.at_least);
    let at_most = problems.duration(&text.value.at_most);
    let pace = Pace { at_least: at_least?, at_most: at_most? };
    if pace.at_least > pace.at_most {
        let shortest = text.value.at_least.place;
        return Err(problems.report(
            shortest,
            "the shortest wait is longer than the longest",
            "longer",
            "swap them",
        ));
    }
    Ok(pace)
}

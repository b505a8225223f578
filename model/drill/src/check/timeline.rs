//! What happens when.

use super::problems::{Checked, Problems, all};
use crate::plan::{Action, Fault, Timed};
use crate::source::Place;
use crate::written::{ErrorsText, FaultText, TimedText};
use crate::yaml::At;

/// The timeline ordered by time.
pub(super) fn check_timeline(
    timeline: Vec<At<TimedText>>,
    problems: &mut Problems<'_>,
) -> Checked<Vec<Timed>> {
    let checked = timeline.into_iter().map(|timed| {
        let At { value: TimedText { at, inject }, .. } = timed;
        let when = problems.duration(&at);
        let (fault, place) = check_fault(inject, problems)?;
        Ok((Timed { at: when?, action: Action::Inject(fault) }, place))
    });
    let mut checked = all(checked.collect())?;
    checked.sort_by_key(|(timed, _)| timed.at);
    check_overlaps(&checked, problems)?;
    Ok(checked.into_iter().map(|(timed, _)| timed).collect())
}

fn check_fault(fault: FaultText, problems: &mut Problems<'_>) -> Checked<(Fault, Place)> {
    match fault {
        FaultText::Errors(ErrorsText { service: named, ratio, lasts }) => {
            let service = problems.name(&named);
            let ratio = problems.quantity(&ratio);
            let lasts = problems.positive_duration(&lasts);
            Ok((Fault::Errors { service: service?, ratio: ratio?, lasts: lasts? }, named.place))
        }
    }
}

/// A second fault of one kind on one service would replace the first and be undone by its end.
fn check_overlaps(ordered: &[(Timed, Place)], problems: &mut Problems<'_>) -> Checked<()> {
    let mut result = Ok(());
    for (index, (later, place)) in ordered.iter().enumerate() {
        let Action::Inject(fault) = &later.action;
        let running = ordered[..index].iter().find(|(earlier, _)| {
            let Action::Inject(before) = &earlier.action;
            same_thing(before, fault) && earlier.at + before.lasts() > later.at
        });
        if running.is_some() {
            let message = format!("two faults of one kind at the same time: {fault}");
            let help = "let the first end before the second begins: `at` of the first and its `for`";
            result = Err(problems.report(*place, message, "the earlier one still lasts", help));
        }
    }
    result
}

fn same_thing(one: &Fault, other: &Fault) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other) && one.part() == other.part()
}

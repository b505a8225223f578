//! What happens when.

use super::fault::check_fault;
use super::problems::{Checked, Problems, all};
use crate::fault::Fault;
use crate::plan::{Action, Timed};
use crate::source::Place;
use crate::written::TimedText;
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

fn check_overlaps(ordered: &[(Timed, Place)], problems: &mut Problems<'_>) -> Checked<()> {
    let mut result = Ok(());
    for (index, (later, place)) in ordered.iter().enumerate() {
        let Action::Inject(fault) = &later.action;
        let conflict = ordered[..index].iter().find_map(|(earlier, _)| {
            let Action::Inject(before) = &earlier.action;
            let together = before.part() == fault.part() && earlier.at + before.lasts() > later.at;
            together.then(|| conflict(before, fault)).flatten()
        });
        if let Some(message) = conflict {
            let help = "let the first end before the second begins: `at` of the first and its `for`";
            result = Err(problems.report(*place, message, "the earlier one still lasts", help));
        }
    }
    result
}

/// Why two faults of one part cannot be at the same time, if they cannot.
fn conflict(before: &Fault, fault: &Fault) -> Option<String> {
    let either = |wanted: fn(&Fault) -> bool| wanted(before) || wanted(fault);
    if std::mem::discriminant(before) == std::mem::discriminant(fault) {
        // The second would replace the first and be undone by its end.
        Some(format!("two faults of one kind at the same time: {fault}"))
    } else if matches!(before, Fault::Kill { .. }) {
        // A kill ends what sits in the process, and while the part is away nothing can begin in it.
        Some(format!("a part that is killed can have no other fault meanwhile: {fault}"))
    } else if either(|one| matches!(one, Fault::Refuse { .. })) {
        // Nobody could tell it to begin or to end the other one.
        Some(format!("a service that refuses connections takes no other fault meanwhile: {fault}"))
    } else {
        None
    }
}

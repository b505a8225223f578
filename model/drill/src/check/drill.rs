//! A whole drill.

use std::path::PathBuf;
use std::time::Duration;

use firedrill_record::DrillName;

use super::expect::check_expectations;
use super::fan_out::doubt_answers_of_faults;
use super::load::check_load;
use super::must_be::check_must_be;
use super::problems::{Checked, Problems, all, optional};
use super::timeline::check_timeline;
use crate::plan::{Action, Backend, Drill, Timed};
use crate::source::SourceText;
use crate::spelling;
use crate::surroundings::Surroundings;
use crate::written::DrillText;
use crate::yaml::At;

/// Checks `text`, read from `source`; `Err` when something was reported to `problems`.
pub(crate) fn check_drill(
    text: DrillText,
    source: &SourceText,
    surroundings: &dyn Surroundings,
    problems: &mut Problems<'_>,
) -> Checked<Drill> {
    let name = check_name(&text.drill, source, problems);
    let about = problems.filled(&text.about, "about");
    let speed = optional(text.speed, |speed| problems.in_range(&speed, "as the speed", 1..=u32::MAX));
    let requires = all(text.requires.iter().map(|one| check_backend(one, problems)).collect());
    let config = optional(text.config, |folder| check_config(&folder, surroundings, problems));
    let must_be = optional(text.must_be, |must_be| check_must_be(must_be, problems));
    let mut load = check_load(text.load, surroundings, problems);
    let has_fault = !text.timeline.is_empty();
    let timeline = check_timeline(text.timeline, problems);
    if let (Ok(load), Ok(timeline)) = (&mut load, &timeline) {
        doubt_answers_of_faults(load, timeline);
    }
    let expect = check_expectations(text.expect, has_fault, problems);
    let lasts = check_lasts(text.lasts.as_ref(), has_fault, &text.drill, problems);
    let limit = optional(text.limit, |limit| {
        let lasts = lasts.as_ref().ok().copied().flatten();
        check_limit(&limit, timeline.as_deref().unwrap_or_default(), lasts, problems)
    });
    Ok(Drill {
        name: name?,
        about: about?,
        file: source.file().to_owned(),
        speed: speed?,
        requires: requires?,
        config: config?,
        load: load?,
        timeline: timeline?,
        expect: expect?,
        lasts: lasts?,
        limit: limit?,
        must_be: must_be?,
    })
}

fn check_name(name: &At<String>, source: &SourceText, problems: &mut Problems<'_>) -> Checked<DrillName> {
    let checked: DrillName = problems.name(name)?;
    check_stem(name, source, problems)?;
    Ok(checked)
}

/// A file is found by its name, so the name inside must be the same.
pub(super) fn check_stem(name: &At<String>, source: &SourceText, problems: &mut Problems<'_>) -> Checked<()> {
    let stem = source.file().file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    if stem == name.value.as_str() {
        return Ok(());
    }
    let help = format!("write `{stem}` here or rename the file to {}.yaml", name.value);
    Err(problems.report(
        name.place,
        "the name differs from that of the file",
        format!("the file is `{stem}`"),
        help,
    ))
}

fn check_backend(name: &At<String>, problems: &mut Problems<'_>) -> Checked<Backend> {
    Backend::ALL.iter().copied().find(|one| one.as_str() == name.value).ok_or_else(|| {
        let known = Backend::ALL.iter().map(|one| one.as_str());
        let message = format!("unknown backend `{}`", name.value);
        problems.report(name.place, message, "not a backend", spelling::hint(&name.value, known))
    })
}

fn check_config(
    folder: &At<String>,
    surroundings: &dyn Surroundings,
    problems: &mut Problems<'_>,
) -> Checked<PathBuf> {
    surroundings.config(&folder.value).ok_or_else(|| {
        let message = format!("no folder `{}`", folder.value);
        let help = "`config` names a folder that exists, relative to the drill file";
        problems.report(folder.place, message, "not a folder", help)
    })
}

fn check_lasts(
    lasts: Option<&At<String>>,
    has_fault: bool,
    name: &At<String>,
    problems: &mut Problems<'_>,
) -> Checked<Option<Duration>> {
    match lasts {
        Some(lasts) => problems.positive_duration(lasts).map(Some),
        None if has_fault => Ok(None),
        None => {
            let help = "add `lasts: 2m`, for how long the load shall run, or a fault under `timeline`";
            Err(problems.report(
                name.place,
                "the drill has no end",
                "without a fault and without `lasts`",
                help,
            ))
        }
    }
}

fn check_limit(
    limit: &At<String>,
    timeline: &[Timed],
    lasts: Option<Duration>,
    problems: &mut Problems<'_>,
) -> Checked<Duration> {
    let duration = problems.positive_duration(limit)?;
    let ends = timeline.iter().map(|timed| match &timed.action {
        Action::Inject(fault) => timed.at + fault.lasts(),
    });
    let needed = ends.chain(lasts).max().unwrap_or_default();
    if duration >= needed {
        return Ok(duration);
    }
    let message = format!("the limit {} ends the drill too early", limit.value);
    let label = format!("what is planned takes {}s", needed.as_secs_f64());
    Err(problems.report(limit.place, message, label, "write a longer limit or none: one is computed"))
}

//! A run of trials: for each drill its verdicts, and for each segment the predicted window beside what was observed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firedrill_record::{RunRecord, Spread, TriedDrill, TriedSegment, VerdictCount};

use crate::figures::counted;
use crate::page::{Page, sign};
use crate::palette::Tone;
use crate::printable::printable;
use crate::wrapping::wrap;

/// From so many columns on the name of a segment is not broken.
const ROOMY: usize = 100;
/// Columns of a segment's name below that.
const NARROW_NAME: usize = 12;

/// The trials of `record`; nothing of a run that had none.
pub(crate) fn sections(page: Page, record: &RunRecord) -> Vec<String> {
    if record.trials.is_empty() {
        return Vec::new();
    }
    let mut blocks: Vec<String> = record.trials.iter().map(|one| tried(page, one)).collect();
    blocks.push(page.paragraph(
        "",
        "window: from the least earliest to the greatest latest end of all trials, in wall seconds after the event before it; widest: the widest window of one trial; inside: observations inside the window of their own trial",
    ));
    blocks
}

/// How many trials did not run, and why: their names say nothing more.
pub(crate) fn not_run(page: Page, record: &RunRecord) -> Option<String> {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &record.not_run {
        *reasons.entry(&one.why).or_default() += 1;
    }
    let lines = reasons.iter().map(|(why, count)| {
        page.paragraph("- ", &format!("{}: {}", counted(*count, "trial"), printable(why)))
    });
    let lines: Vec<String> = std::iter::once("trials not run:".to_owned()).chain(lines).collect();
    (!reasons.is_empty()).then(|| lines.join("\n"))
}

fn tried(page: Page, one: &TriedDrill) -> String {
    let heading = format!("trials of {}, {}:", one.drill, condition(one));
    let mut parts = vec![page.palette.paint(Tone::Strong, &wrap(&heading, page.width).join("\n"))];
    parts.push(page.toned(tone(one), "", &verdicts(one)));
    parts.extend(one.verdicts.iter().filter(|count| !count.passed).map(|count| not_passed(page, count)));
    if let Some(seconds) = one.seconds {
        parts.push(page.paragraph("", &format!("a trial took {}", spread(seconds, "s"))));
    }
    let mut about = Vec::new();
    for segment in &one.segments {
        if !about.contains(&(&segment.kind, &segment.about)) {
            about.push((&segment.kind, &segment.about));
        }
    }
    for (kind, about) in about {
        let segments = one.segments.iter().filter(|one| one.kind == *kind && one.about == *about);
        parts.push(page.paragraph("", &format!("{} {}", printable(kind), printable(about))));
        parts.push(table(page, segments));
    }
    parts.join("\n")
}

fn condition(one: &TriedDrill) -> String {
    let trials = format!("{} of {}", one.judged, one.trials.len());
    if one.busy_loops == 0 {
        return format!("{trials} alone");
    }
    let mut text = format!("{trials} beside {}", counted(one.busy_loops as usize, "busy loop"));
    if let Some(processors) = one.busy_processors {
        let _ = write!(text, " that used {}", spread(processors, "processors"));
    }
    text
}

fn spread(spread: Spread, unit: &str) -> String {
    let Spread { least, median, greatest } = spread;
    format!("{least:.1} to {greatest:.1} {unit}, median {median:.1}")
}

fn tone(one: &TriedDrill) -> Tone {
    if one.false_verdicts > 0 {
        Tone::Bad
    } else if one.cannot_tell > 0 || one.judged == 0 {
        Tone::Unsure
    } else {
        Tone::Good
    }
}

fn verdicts(one: &TriedDrill) -> String {
    let passed: Vec<String> = one
        .verdicts
        .iter()
        .filter(|count| count.passed)
        .map(|count| format!("{} {}", sign(count.verdict), with_reasons(count)))
        .collect();
    let passed = if passed.is_empty() { String::new() } else { format!(" ({})", passed.join(", ")) };
    format!(
        "{} as they must be{passed}, {}, {} cannot tell",
        one.as_they_must_be,
        if one.false_verdicts == 1 {
            "1 false verdict".to_owned()
        } else {
            format!("{} false verdicts", one.false_verdicts)
        },
        one.cannot_tell
    )
}

fn not_passed(page: Page, count: &VerdictCount) -> String {
    let text = format!("{} × {}", count.trials, with_reasons(count));
    page.toned(Tone::of(count.verdict), &format!("{} ", sign(count.verdict)), &text)
}

fn with_reasons(count: &VerdictCount) -> String {
    let reasons: Vec<&str> = count.reasons.iter().map(|reason| reason.as_str()).collect();
    if reasons.is_empty() {
        count.verdict.to_string()
    } else {
        format!("{}: {}", count.verdict, reasons.join(", "))
    }
}

fn table<'a>(page: Page, segments: impl Iterator<Item = &'a TriedSegment>) -> String {
    let mut tones = Vec::new();
    let rows = segments.enumerate().map(|(number, one)| {
        let all_inside = one.inside == one.trials;
        tones.push((number + 1, 6, if all_inside { Tone::Good } else { Tone::Bad }));
        let observed =
            |of: fn(Spread) -> f64| one.observed.map_or_else(|| "–".to_owned(), |spread| figure(of(spread)));
        vec![
            name_cell(page, &one.name),
            format!("[{}, {}]", figure(one.earliest), figure(one.latest)),
            figure(one.widest),
            observed(|spread| spread.least),
            observed(|spread| spread.median),
            observed(|spread| spread.greatest),
            format!("{}/{}", one.inside, one.trials),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let heading = ["segment", "window", "widest", "least", "median", "most", "inside"];
    page.table(&heading, rows, &tones)
}

fn name_cell(page: Page, name: &str) -> String {
    let width = if page.width >= ROOMY { ROOMY } else { NARROW_NAME };
    wrap(&printable(name), width).join("\n")
}

/// Seconds in at most six columns: milliseconds as long as they fit.
pub(crate) fn figure(seconds: f64) -> String {
    let decimals = match seconds.abs() {
        under if under < 9.9995 => 3,
        under if under < 99.995 => 2,
        _ => 1,
    };
    format!("{seconds:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn a_figure_has_six_columns_at_most() {
        let shown = [-0.02, 0.1479, 9.9996, 12.345, 304.12, 1234.5].map(figure);
        assert_eq!(shown, ["-0.020", "0.148", "10.00", "12.35", "304.1", "1234.5"]);
    }
}

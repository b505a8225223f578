//! An alert's life beside its budget: each segment's window and observation, the instants, and how the windows were
//! computed. The first broken link stands out.

use firedrill_record::{ExpectationRecord, Segment, Verdict};

use crate::figures::{drill_time, time_of_day};
use crate::page::{INDENT, Page};
use crate::palette::Tone;
use crate::printable::printable;
use crate::wrapping::wrap;

/// What marks the segment that a violation began with.
pub(crate) const FIRST_BROKEN: &str = "◀ first broken link";

/// Columns of a segment's or an instant's name.
const NAME_WIDTH: usize = 30;

/// The first segment of a violated expectation that lies outside its window or was never seen.
pub(crate) fn first_broken(expectation: &ExpectationRecord) -> Option<&Segment> {
    if expectation.verdict != Verdict::Violated {
        return None;
    }
    expectation.segments.iter().find(|segment| !segment.inside())
}

/// Budget, instants and findings of `expectation`; nothing when it has none of them.
pub(crate) fn section(page: Page, expectation: &ExpectationRecord) -> Option<String> {
    if expectation.segments.is_empty() && expectation.timeline.is_empty() && expectation.findings.is_empty() {
        return None;
    }
    let heading = format!("{} {}", printable(&expectation.kind), printable(&expectation.about));
    let mut parts = vec![page.toned(Tone::Strong, "", &heading)];
    if !expectation.segments.is_empty() {
        parts.push(budget(page, expectation));
    }
    parts.extend(
        expectation
            .segments
            .iter()
            .filter(|segment| !segment.computed_from.is_empty())
            .map(|segment| note(page, segment)),
    );
    if !expectation.timeline.is_empty() {
        parts.push(instants(page, expectation));
    }
    parts.extend(expectation.findings.iter().map(|finding| page.paragraph("- ", &printable(finding))));
    Some(parts.join("\n"))
}

fn name_cell(name: &str) -> String {
    wrap(&printable(name), NAME_WIDTH).join("\n")
}

fn budget(page: Page, expectation: &ExpectationRecord) -> String {
    let mut rows = Vec::new();
    let mut tones = Vec::new();
    for (number, judged) in judged_segments(expectation).enumerate() {
        let JudgedSegment { segment, judgement, is_first_broken } = judged;
        rows.push(vec![
            name_cell(&segment.name),
            format!("[{:.3}, {:.3}]", segment.earliest, segment.latest),
            segment.observed.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.3}")),
            if is_first_broken { format!("{judgement}\n{FIRST_BROKEN}") } else { judgement },
        ]);
        if is_first_broken {
            tones.extend((0..4).map(|column| (number + 1, column, Tone::Bad)));
        } else if segment.inside() {
            tones.push((number + 1, 3, Tone::Good));
        }
    }
    page.table(&["segment", "window (wall s)", "observed", "inside?"], rows, &tones)
}

/// A segment and what is to be said of it.
pub(crate) struct JudgedSegment<'a> {
    pub(crate) segment: &'a Segment,
    /// Inside its window, or by how much it misses; nothing of those that were due after the broken one.
    pub(crate) judgement: String,
    /// Whether a violation began here.
    pub(crate) is_first_broken: bool,
}

/// The segments of `expectation`, each with its judgement.
pub(crate) fn judged_segments(expectation: &ExpectationRecord) -> impl Iterator<Item = JudgedSegment<'_>> {
    let broken = expectation.segments.iter().position(|segment| !segment.inside());
    let violated = expectation.verdict == Verdict::Violated;
    expectation.segments.iter().enumerate().map(move |(number, segment)| {
        let after_the_end = broken.is_some_and(|at| at < number) && segment.observed.is_none();
        let judgement = if after_the_end { "–".to_owned() } else { against_window(segment) };
        JudgedSegment { segment, judgement, is_first_broken: violated && broken == Some(number) }
    })
}

/// Whether the observation lies in the window, and if not by how much it misses.
fn against_window(segment: &Segment) -> String {
    // What is shown as 0.000 would read as if it were inside.
    let by = |seconds: f64| format!("{:.3} s", seconds.max(0.001));
    match segment.observed {
        None => "no: never seen".to_owned(),
        Some(_) if segment.inside() => "yes".to_owned(),
        Some(seconds) if seconds < segment.earliest => {
            format!("no: {} too early", by(segment.earliest - seconds))
        }
        Some(seconds) => format!("no: {} too late", by(seconds - segment.latest)),
    }
}

fn instants(page: Page, expectation: &ExpectationRecord) -> String {
    let rows = expectation
        .timeline
        .iter()
        .map(|point| {
            vec![
                name_cell(&point.what),
                drill_time(point.drill_time),
                time_of_day(point.at),
                wrap(&printable(&point.source), 20).join("\n"),
            ]
        })
        .collect();
    page.table(&["instant", "drill time", "wall time", "told by"], rows, &[])
}

/// How a window was computed.
fn note(page: Page, segment: &Segment) -> String {
    let lines = wrap(
        &format!("{}: {}", printable(&segment.name), printable(&segment.computed_from)),
        page.width - 2 * INDENT,
    );
    page.palette.paint(Tone::Aside, &crate::wrapping::indented(&lines.join("\n"), 2 * INDENT))
}

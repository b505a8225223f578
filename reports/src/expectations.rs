//! The table of a drill's expectations: each with its verdict, its reason and the judgement in words.

use firedrill_record::{ExpectationRecord, Verdict};

use crate::life_cycle::first_broken;
use crate::page::{INDENT, Page, sign};
use crate::palette::Tone;
use crate::printable::printable;
use crate::wrapping::{indented, wrap};

/// At most so many columns for verdict and reason: the common reasons fit, the few longer ones break at a hyphen.
const VERDICT_WIDTH: usize = 18;
/// At most so many columns for the kind.
const KIND_WIDTH: usize = 8;
/// Borders and padding of a table of three columns.
const FRAME: usize = 10;
/// Broken expectations named under a heading; the table below names all.
const NAMED_AT_MOST: usize = 5;

/// The table of `expectations`.
pub(crate) fn table(page: Page, expectations: &[ExpectationRecord]) -> String {
    let cells: Vec<(String, String)> =
        expectations.iter().map(|one| (verdict_cell(one), kind_cell(one))).collect();
    let verdict_width = widest("verdict", cells.iter().map(|(verdict, _)| verdict));
    let kind_width = widest("kind", cells.iter().map(|(_, kind)| kind));
    let left = page.width - INDENT - FRAME - verdict_width - kind_width;
    let mut rows = Vec::new();
    let mut tones = Vec::new();
    for (number, (one, (verdict, kind))) in expectations.iter().zip(cells).enumerate() {
        tones.push((number + 1, 0, Tone::of(one.verdict)));
        rows.push(vec![verdict, kind, told(one, left)]);
    }
    page.table(&["verdict", "kind", "expectation"], rows, &tones)
}

fn verdict_cell(one: &ExpectationRecord) -> String {
    let mut lines = vec![format!("{} {}", sign(one.verdict), one.verdict)];
    lines.extend(one.reason.iter().flat_map(|reason| wrap(reason.as_str(), VERDICT_WIDTH)));
    lines.join("\n")
}

fn kind_cell(one: &ExpectationRecord) -> String {
    wrap(&printable(&one.kind), KIND_WIDTH).join("\n")
}

/// Columns of the widest line of `heading` and `cells`.
fn widest<'a>(heading: &'a str, cells: impl Iterator<Item = &'a String>) -> usize {
    cells.flat_map(|cell| cell.lines()).chain([heading]).map(console::measure_text_width).max().unwrap_or(0)
}

/// What was expected, and under it the sentence and the hint.
fn told(one: &ExpectationRecord, width: usize) -> String {
    let mut lines = wrap(&printable(&one.about), width);
    let under = width.saturating_sub(INDENT);
    let mut below = wrap(&printable(&one.sentence), under);
    if let Some(hint) = &one.hint {
        below.extend(wrap(&format!("hint: {}", printable(hint)), under));
    }
    lines.extend(below.iter().map(|line| indented(line, INDENT)));
    lines.join("\n")
}

/// One line for each expectation that decided a verdict other than Held: what, why, and the first broken link.
pub(crate) fn decisive(page: Page, verdict: Verdict, expectations: &[ExpectationRecord]) -> Vec<String> {
    if verdict == Verdict::Held {
        return Vec::new();
    }
    let deciding: Vec<&ExpectationRecord> =
        expectations.iter().filter(|one| one.verdict == verdict).collect();
    let mut lines: Vec<String> = deciding
        .iter()
        .take(NAMED_AT_MOST)
        .map(|one| {
            let mut text = format!("{} {}", printable(&one.kind), printable(&one.about));
            if let Some(reason) = one.reason {
                text.push_str(": ");
                text.push_str(reason.as_str());
            }
            if let Some(link) = first_broken(one) {
                text.push_str(", first broken link: ");
                text.push_str(&printable(&link.name));
            }
            page.toned(Tone::of(verdict), &format!("{} ", sign(verdict)), &text)
        })
        .collect();
    if deciding.len() > NAMED_AT_MOST {
        lines.push(page.paragraph("", &format!("and {} more below", deciding.len() - NAMED_AT_MOST)));
    }
    lines
}

//! Two runs side by side, for a person.

use firedrill_record::{ComparedDrill, ComparedSegment, Comparison, Verdict};

use crate::RenderOptions;
use crate::page::Page;
use crate::palette::Tone;
use crate::printable::printable;
use crate::trials_report::figure;
use crate::wrapping::wrap;

/// Columns of a segment's name.
const NAME_WIDTH: usize = 24;

/// `comparison` as a table for each drill, with a line break at its end.
pub fn render_comparison(comparison: &Comparison, options: &RenderOptions) -> String {
    let page = Page::new(options);
    let [one, other] = &comparison.runs;
    let mut blocks = vec![page.palette.paint(Tone::Aside, &format!("runs {one} and {other}, in drill time"))];
    blocks.extend(comparison.drills.iter().map(|drill| block(page, drill)));
    let (tone, word) = told(comparison.agrees());
    blocks.push(page.palette.paint(tone, &format!("the runs: {word}")));
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text
}

fn told(agrees: Option<bool>) -> (Tone, &'static str) {
    match agrees {
        Some(true) => (Tone::Good, "✓ agree"),
        Some(false) => (Tone::Bad, "✗ differ"),
        None => (Tone::Unsure, "? cannot tell"),
    }
}

fn block(page: Page, drill: &ComparedDrill) -> String {
    let (tone, word) = told(drill.agrees());
    let side = |index: usize| {
        let verdict = drill.verdicts[index].map_or("not run", Verdict::as_str);
        drill.speeds[index].map_or_else(|| verdict.to_owned(), |speed| format!("{verdict} at speed {speed}"))
    };
    let heading = format!("{}: {word}: {} and {}", drill.drill, side(0), side(1));
    let mut parts = vec![page.palette.paint(tone, &wrap(&heading, page.width).join("\n"))];
    parts.extend(drill.cannot_tell.iter().map(|why| page.paragraph("", &printable(why))));
    let mut expectations: Vec<&str> = Vec::new();
    for segment in &drill.segments {
        if !expectations.contains(&segment.expectation.as_str()) {
            expectations.push(&segment.expectation);
        }
    }
    for expectation in expectations {
        let segments = drill.segments.iter().filter(|one| one.expectation == expectation);
        parts.push(page.paragraph("", &printable(expectation)));
        parts.push(table(page, segments));
    }
    if let Some(allowed) = drill.allowed {
        let text = format!(
            "seconds of drill time; {} apart are allowed, two scrape intervals; what the switch of the fault took was subtracted",
            figure(allowed)
        );
        parts.push(page.paragraph("", &text));
    }
    parts.join("\n")
}

fn table<'a>(page: Page, segments: impl Iterator<Item = &'a ComparedSegment>) -> String {
    let mut tones = Vec::new();
    let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), figure);
    let rows: Vec<Vec<String>> = segments
        .enumerate()
        .map(|(number, one)| {
            let (tone, word) = told(one.agrees);
            tones.push((number + 1, 5, tone));
            vec![
                wrap(&printable(&one.name), NAME_WIDTH).join("\n"),
                shown(one.observed[0]),
                shown(one.observed[1]),
                shown(one.apart),
                format!("{:.3} / {:.3}", one.unscaled[0], one.unscaled[1]),
                word.to_owned(),
            ]
        })
        .collect();
    let heading = ["segment", "one", "other", "apart", "switch s", "verdict"];
    page.table(&heading, rows, &tones)
}

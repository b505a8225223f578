//! The final report of a run for a person: every drill, then one summary.

use std::fmt::Write as _;

use firedrill_record::{ExitOutcome, RunRecord};

use crate::RenderOptions;
use crate::capacity_report;
use crate::drill_report::{self, Outcome};
use crate::page::{INDENT, Page};
use crate::palette::Tone;
use crate::printable::printable;
use crate::soak_report;
use crate::trials_report;
use crate::wrapping::{hanging, wrap};

/// The whole report of `record`, with a line break at its end.
pub fn render_run(record: &RunRecord, options: &RenderOptions) -> String {
    let page = Page::new(options);
    let mut blocks = vec![page.palette.paint(Tone::Aside, &header(page, record))];
    let alone = record.drills.iter().filter(|drill| soak_report::is_told_alone(record, drill));
    blocks.extend(alone.map(|drill| drill_report::render(page, drill, record.speed)));
    blocks.extend(soak_report::sections(page, record));
    blocks.extend(record.capacity.iter().flat_map(|found| capacity_report::sections(page, found)));
    blocks.extend(trials_report::sections(page, record));
    blocks.extend(left_out(page, record));
    blocks.extend(if record.trials.is_empty() {
        not_run(page, record)
    } else {
        trials_report::not_run(page, record)
    });
    blocks.push(summary(page, record, options));
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text
}

/// The run, its seed and what ran.
fn header(page: Page, record: &RunRecord) -> String {
    let versions: Vec<String> =
        record.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let text =
        format!("run {}: speed {}, seed {}; {}", record.run, record.speed, record.seed, versions.join(", "));
    let lines = wrap(&printable(text.trim_end_matches("; ")), page.width - INDENT);
    lines.join(&format!("\n{}", " ".repeat(INDENT)))
}

/// The rules that were left out of each stack.
fn left_out(page: Page, record: &RunRecord) -> Option<String> {
    let mut lines = Vec::new();
    for stack in record.stacks.iter().filter(|stack| !stack.left_out.is_empty()) {
        lines.push(format!(
            "rules left out at speed {} ({} stack, configuration {}):",
            record.speed,
            printable(&stack.backend),
            printable(&stack.configuration)
        ));
        lines.extend(
            stack
                .left_out
                .iter()
                .map(|(rule, why)| page.paragraph("- ", &format!("{}: {}", printable(rule), printable(why)))),
        );
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The drills that were asked for and did not run.
fn not_run(page: Page, record: &RunRecord) -> Option<String> {
    if record.not_run.is_empty() {
        return None;
    }
    let mut lines = vec!["drills not run:".to_owned()];
    lines.extend(
        record
            .not_run
            .iter()
            .map(|one| page.paragraph("- ", &format!("{}: {}", one.drill, printable(&one.why)))),
    );
    Some(lines.join("\n"))
}

fn summary(page: Page, record: &RunRecord, options: &RenderOptions) -> String {
    let counts = counts(record);
    let tone = match record.exit {
        ExitOutcome::Passed => Tone::Good,
        ExitOutcome::CannotTell => Tone::Unsure,
        _ => Tone::Bad,
    };
    let mut lines = Vec::new();
    if record.exit != ExitOutcome::Passed {
        let because = record.exit_because.as_deref().map(printable);
        let text = because.map_or_else(
            || means(record.exit).to_owned(),
            |because| format!("{}: {because}", means(record.exit)),
        );
        let first = format!("exit code {}: ", record.exit.code());
        lines.push(page.palette.paint(tone, &hanging(&first, &text, page.width)));
    }
    // On one line however long, so that the folder can be taken from it whole.
    let mut last = format!("{} in {:.1} s", page.palette.paint(tone, &counts), record.seconds);
    if let Some(folder) = &options.folder {
        let _ = write!(last, "; run folder {}", printable(&folder.display().to_string()));
    }
    lines.push(last);
    lines.join("\n")
}

/// How many drills ended in which way.
pub(crate) fn counts(record: &RunRecord) -> String {
    let count = |outcome| record.drills.iter().filter(|drill| Outcome::of(drill) == outcome).count();
    let mut counts = format!(
        "{} passed, {} failed, {} inconclusive",
        count(Outcome::Passed),
        count(Outcome::Failed),
        count(Outcome::Inconclusive)
    );
    for (number, what) in [(count(Outcome::NotReached), "not reached"), (record.not_run.len(), "not run")] {
        if number > 0 {
            let _ = write!(counts, ", {number} {what}");
        }
    }
    counts
}

/// What an exit code says, in a few words.
pub(crate) fn means(exit: ExitOutcome) -> &'static str {
    match exit {
        ExitOutcome::Passed => "every drill passed",
        ExitOutcome::Failed => "a drill failed",
        ExitOutcome::CannotTell => "a drill could not tell",
        ExitOutcome::StackNotUp => "the stack could not be set up",
        ExitOutcome::FaultNotUndone => "a fault could not be undone",
        ExitOutcome::Interrupted => "interrupted",
    }
}

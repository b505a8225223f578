//! A soak: its windows in one table, and what grew over them.

use firedrill_record::{DrillRecord, GrowthRecord, RunRecord, Verdict};

use crate::drill_report::Outcome;
use crate::figures::{bytes, thousands};
use crate::page::{Page, sign};
use crate::palette::Tone;
use crate::printable::printable;

const RESIDENT_BYTES: &str = "resident bytes";
const OPEN_FDS: &str = "open file descriptors";

/// The windows and the growth of `record`; nothing of a run that was no soak.
pub(crate) fn sections(page: Page, record: &RunRecord) -> Vec<String> {
    if record.growth.is_empty() {
        return Vec::new();
    }
    vec![windows(page, &record.drills), growth(page, &record.growth)]
}

/// Whether `drill` needs a block of its own: in a soak, a capacity run or a run of trials, one that did not pass.
pub(crate) fn is_told_alone(record: &RunRecord, drill: &DrillRecord) -> bool {
    let is_one_of_many = !record.growth.is_empty() || record.capacity.is_some() || !record.trials.is_empty();
    !is_one_of_many || Outcome::of(drill) != Outcome::Passed
}

fn windows(page: Page, drills: &[DrillRecord]) -> String {
    let mut tones = Vec::new();
    let rows = drills.iter().enumerate().map(|(number, drill)| {
        tones.push((number + 1, 1, Tone::of(drill.verdict)));
        let load = &drill.load;
        let p99 = load.latency_ms.get("p99").map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1}"));
        vec![
            (number + 1).to_string(),
            format!("{} {}", sign(drill.verdict), drill.verdict),
            format!("{:.0} s", load.seconds),
            thousands(load.requests),
            thousands(load.unknown),
            thousands(load.failed),
            p99,
            thousands(load.messages_sent),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let heading = ["window", "verdict", "load", "requests", "unknown", "failed", "p99 ms", "messages"];
    format!("windows, each judged by itself:\n{}", page.table(&heading, rows, &tones))
}

/// A quantity in a word that fits a column.
fn quantity(name: &str) -> String {
    match name {
        RESIDENT_BYTES => "memory".to_owned(),
        OPEN_FDS => "open fds".to_owned(),
        other => printable(other),
    }
}

fn growth(page: Page, growth: &[GrowthRecord]) -> String {
    let mut tones = Vec::new();
    let rows = growth.iter().enumerate().map(|(number, one)| {
        let verdict = one
            .verdict
            .map_or_else(|| "followed".to_owned(), |verdict| format!("{} {verdict}", sign(verdict)));
        if let Some(verdict) = one.verdict {
            tones.push((number + 1, 4, Tone::of(verdict)));
        }
        let shown = |value: u64| {
            if one.quantity == RESIDENT_BYTES { bytes(value) } else { thousands(value) }
        };
        let per_hour = one.per_hour.abs();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a growth of an hour")]
        let per_hour =
            format!("{}{}/h", if one.per_hour < 0.0 { '-' } else { '+' }, shown(per_hour.round() as u64));
        vec![
            printable(&one.part),
            quantity(&one.quantity),
            format!("{} → {}", shown(one.base), shown(one.last)),
            per_hour,
            verdict,
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let heading = ["part", "quantity", "2nd window → last", "growth", "verdict"];
    let table = page.table(&heading, rows, &tones);
    let broken =
        growth.iter().filter(|one| one.verdict.is_some_and(|verdict| verdict != Verdict::Held)).map(|one| {
            let text = format!("{} of {}: {}", one.quantity, one.part, one.sentence);
            page.paragraph("- ", &printable(&text))
        });
    std::iter::once(format!("growth over the windows:\n{table}")).chain(broken).collect::<Vec<_>>().join("\n")
}

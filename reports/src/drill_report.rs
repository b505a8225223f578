//! One drill in the final report.

use std::fmt::Write as _;

use firedrill_record::{DrillRecord, FaultRecord, MustBe, Verdict};
use jiff::Timestamp;

use crate::figures::{drill_time, thousands, time_of_day};
use crate::page::{INDENT, Page};
use crate::palette::Tone;
use crate::printable::printable;
use crate::wrapping::{hanging, indented};
use crate::{expectations, life_cycle};

/// How a drill ended, in the words of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Inconclusive,
    NotReached,
}

impl Outcome {
    /// The outcome of `drill`. One that demanded another verdict than Held and got Held has failed.
    pub(crate) fn of(drill: &DrillRecord) -> Self {
        match (drill.passed, drill.verdict) {
            (true, _) => Self::Passed,
            (false, Verdict::Inconclusive) => Self::Inconclusive,
            (false, Verdict::NotReached) => Self::NotReached,
            (false, Verdict::Held | Verdict::Violated) => Self::Failed,
        }
    }

    /// The sign before a drill that ended so.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Inconclusive => "?",
            Self::NotReached => "–",
        }
    }

    fn heading(self) -> (String, Tone) {
        let (word, tone) = match self {
            Self::Passed => ("PASSED", Tone::Good),
            Self::Failed => ("FAILED", Tone::Bad),
            Self::Inconclusive => ("INCONCLUSIVE", Tone::Unsure),
            Self::NotReached => ("NOT REACHED", Tone::Unsure),
        };
        (format!("{} {word}", self.sign()), tone)
    }
}

/// `drill` as a block of lines, without a line break at its end.
pub(crate) fn render(page: Page, drill: &DrillRecord, speed: u32) -> String {
    let mut parts = vec![heading(page, drill)];
    if !drill.about.is_empty() {
        parts.push(page.paragraph("", &printable(&drill.about)));
    }
    parts.push(page.paragraph("", &numbers(drill, speed)));
    parts.extend(drill.faults.iter().map(|fault| fault_lines(page, fault, drill.load_began, speed)));
    if drill.verdict != Verdict::Held {
        parts.push(String::new());
        parts.extend(expectations::decisive(page, drill.verdict, &drill.expectations));
    }
    if drill.expectations.is_empty() {
        parts.push(page.paragraph("", "no expectation was judged"));
    } else {
        parts.push(String::new());
        parts.push(expectations::table(page, &drill.expectations));
    }
    for section in drill.expectations.iter().filter_map(|one| life_cycle::section(page, one)) {
        parts.push(String::new());
        parts.push(section);
    }
    if let Some(evidence) = evidence(page, drill) {
        parts.push(String::new());
        parts.push(evidence);
    }
    parts.join("\n")
}

fn heading(page: Page, drill: &DrillRecord) -> String {
    let (word, tone) = Outcome::of(drill).heading();
    let name = page.palette.paint(Tone::Strong, drill.name.as_str());
    let text = format!("{name}: {}", judged(drill));
    let text = hanging("", &text, page.width.saturating_sub(word.len() + 1));
    format!("{} {}", page.palette.paint(tone, &word), text.replace('\n', "\n  "))
}

/// The verdict of `drill`, beside the one it demands of the judge if it demands one.
pub(crate) fn judged(drill: &DrillRecord) -> String {
    match drill.must_be {
        None => drill.verdict.to_string(),
        Some(must) if drill.passed => format!("{}, as it must be", demanded(must)),
        Some(must) => format!("{}, but it must be {}", drill.verdict, demanded(must)),
    }
}

/// The verdict and the reason that `must` asks for.
pub(crate) fn demanded(must: MustBe) -> String {
    must.reason.map_or_else(|| must.verdict.to_string(), |reason| format!("{} ({reason})", must.verdict))
}

/// Time, speed and load in one sentence.
pub(crate) fn numbers(drill: &DrillRecord, speed: u32) -> String {
    let load = &drill.load;
    let mut text = format!("took {:.1} s at speed {speed}", drill.seconds);
    if drill.load_began.is_none() {
        text.push_str("; no load was made");
        return text;
    }
    let _ = write!(
        text,
        "; load of {:.1} s: {} requests, {} unknown, {} failed",
        load.seconds,
        thousands(load.requests),
        thousands(load.unknown),
        thousands(load.failed)
    );
    if !load.latency_ms.is_empty() {
        let quantiles: Vec<String> =
            load.latency_ms.iter().map(|(name, ms)| format!("{} {ms:.1} ms", printable(name))).collect();
        let _ = write!(text, ", {}", quantiles.join(", "));
    }
    if load.messages_sent > 0 {
        let _ = write!(
            text,
            "; {} chat messages, {} deliveries lost",
            thousands(load.messages_sent),
            thousands(load.messages_lost)
        );
    }
    text
}

/// A fault with its time, its proof and its problem.
fn fault_lines(page: Page, fault: &FaultRecord, load_began: Option<Timestamp>, speed: u32) -> String {
    let when = began_and_ended(fault, load_began, speed);
    let mut lines = vec![page.paragraph("fault ", &format!("{}: {when}", printable(&fault.what)))];
    match &fault.proof {
        Some(proof) => lines.push(page.paragraph("  proof: ", &printable(proof))),
        None => lines.push(page.toned(Tone::Unsure, "  proof: ", "none, no effect was seen")),
    }
    if let Some(witnessed) = &fault.witnessed {
        lines.push(page.paragraph("  witnessed: ", &printable(witnessed)));
    }
    if let Some(problem) = &fault.problem {
        lines.push(page.toned(Tone::Bad, "  problem: ", &printable(problem)));
    }
    lines.join("\n")
}

/// When a fault began and ended: `injected +2m00s, undone +10m00s`.
pub(crate) fn began_and_ended(fault: &FaultRecord, load_began: Option<Timestamp>, speed: u32) -> String {
    let at = |instant: Timestamp| {
        load_began.map_or_else(
            || time_of_day(instant),
            |zero| drill_time(instant.duration_since(zero).as_secs_f64() * f64::from(speed)),
        )
    };
    let began = fault
        .injected
        .map_or_else(|| "never injected".to_owned(), |instant| format!("injected {}", at(instant)));
    let ended = match (fault.injected, fault.undone) {
        (_, Some(instant)) => format!(", undone {}", at(instant)),
        (Some(_), None) => ", NOT UNDONE".to_owned(),
        (None, None) => String::new(),
    };
    began + &ended
}

/// The names of the evidence files, each once.
fn evidence(page: Page, drill: &DrillRecord) -> Option<String> {
    let mut files: Vec<&str> = drill
        .expectations
        .iter()
        .flat_map(|one| &one.evidence)
        .map(|evidence| evidence.file.as_str())
        .collect();
    files.sort_unstable();
    files.dedup();
    if files.is_empty() {
        return None;
    }
    let heading = format!("evidence in drills/{}/evidence:", drill.name);
    let mut lines = vec![indented(&page.palette.paint(Tone::Aside, &heading), INDENT)];
    lines.push(page.toned(Tone::Aside, "  ", &printable(&files.join(", "))));
    Some(lines.join("\n"))
}

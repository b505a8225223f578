//! What is told of an event, and how much it matters. One sentence for each kind, in one place.

use std::fmt::Write as _;

use firedrill_record::RunEventKind;

use crate::figures::{counted, thousands};
use crate::page::sign;
use crate::palette::Tone;
use crate::printable::printable;
use crate::run_report::means;

/// How much an event matters, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Progress: a line where there are no bars.
    Step,
    /// Stays on the screen beside bars too.
    Notable,
    /// What a run is, and how each of its drills ended.
    Outcome,
    /// Told even when quiet was asked for.
    Warning,
}

/// One line about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) level: Level,
    pub(crate) tone: Option<Tone>,
    pub(crate) text: String,
}

/// What is told of an event; nothing of those that only bars show.
pub(crate) fn tell(kind: &RunEventKind) -> Option<Told> {
    use RunEventKind as Kind;
    let step = |text: String| (Level::Step, None, text);
    let notable = |tone, text: String| (Level::Notable, tone, text);
    let outcome = |tone, text: String| (Level::Outcome, tone, text);
    let (level, tone, text) = match kind {
        Kind::RunStarted { run, folder, seed, speed, drills, .. } => outcome(
            None,
            format!("run {run}: {}, speed {speed}, seed {seed}, {folder}", counted(drills.len(), "drill")),
        ),
        Kind::StackStarting { parts } => step(format!("starting {}", counted(*parts, "part"))),
        Kind::StackReady { after_ms } => step(format!("stack ready after {}", seconds(*after_ms))),
        Kind::RuleLeftOut { rule, why } => {
            notable(Some(Tone::Unsure), format!("rule {rule} left out: {why}"))
        }
        Kind::DrillStarted { drill } => notable(Some(Tone::Strong), format!("drill {drill}")),
        Kind::LoadStarted { what } => step(format!("load began: {what}")),
        Kind::Settling { waiting_for } => step(format!("settling: waiting for {waiting_for}")),
        Kind::Settled { after_ms } => step(format!("settled after {}", seconds(*after_ms))),
        Kind::FaultInjected { fault } => step(format!("fault injected: {fault}")),
        Kind::FaultProved { fault, proof } => notable(None, format!("fault proved: {fault}: {proof}")),
        Kind::FaultUndone { fault } => step(format!("fault undone: {fault}")),
        Kind::AlertProgressed { alert, state } => step(format!("alert {alert}: {state}")),
        Kind::LoadProgressed { requests, unknown, messages } => {
            step(load(*requests, *unknown, Some(*messages)))
        }
        Kind::LoadDrained { requests, unknown } => {
            step(format!("{}; drained", load(*requests, *unknown, None)))
        }
        Kind::ExpectationJudged { expectation, verdict, reason, sentence } => {
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            notable(
                Some(Tone::of(*verdict)),
                format!("{} {verdict}{reason}: {expectation}: {sentence}", sign(*verdict)),
            )
        }
        Kind::DrillEnded { drill, verdict, passed } => outcome(
            Some(if *passed { Tone::Good } else { Tone::of(*verdict).unless_good(Tone::Bad) }),
            format!("drill {drill} {}: {verdict}", if *passed { "passed" } else { "did not pass" }),
        ),
        Kind::Warned { text } => (Level::Warning, Some(Tone::Unsure), format!("warning: {text}")),
        Kind::InterruptReceived => (
            Level::Warning,
            Some(Tone::Unsure),
            "interrupted: undoing faults and taking everything down; a second signal ends at once".to_owned(),
        ),
        Kind::TeardownStarted => step("taking the stack down".to_owned()),
        Kind::RunEnded { exit, seconds } => step(format!("run ended after {seconds:.1} s: {}", means(*exit))),
        Kind::PartStarted { .. }
        | Kind::PartReady { .. }
        | Kind::PartStopped { .. }
        | Kind::ConfigurationChanged { .. }
        | Kind::FaultStarting { .. } => return None,
    };
    Some(Told { level, tone, text: printable(&text) })
}

/// Load counts in words.
pub(crate) fn load(requests: u64, unknown: u64, messages: Option<u64>) -> String {
    let mut text = format!("load {} requests, {} unknown", thousands(requests), thousands(unknown));
    if let Some(messages) = messages.filter(|messages| *messages > 0) {
        let _ = write!(text, ", {} chat messages", thousands(messages));
    }
    text
}

fn seconds(milliseconds: u64) -> String {
    format!("{:.1} s", milliseconds as f64 / 1000.0)
}

impl Tone {
    /// This tone, or `other` in place of [`Tone::Good`].
    fn unless_good(self, other: Self) -> Self {
        if self == Self::Good { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use firedrill_record::Verdict;

    use super::*;

    #[test]
    fn a_sentence_from_a_service_is_told_without_its_escape_sequences() {
        let told = tell(&RunEventKind::Warned { text: "\u{1b}[2Jgone\nnext".into() }).unwrap();
        assert_eq!(told.text, "warning: gone next");
    }

    #[test]
    fn a_drill_that_held_where_it_must_not_is_not_told_as_good() {
        let told = tell(&RunEventKind::DrillEnded {
            drill: "a".parse().unwrap(),
            verdict: Verdict::Held,
            passed: false,
        })
        .unwrap();
        assert_eq!((told.tone, told.text.as_str()), (Some(Tone::Bad), "drill a did not pass: held"));
    }
}

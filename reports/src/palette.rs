//! The few colours of a report. Nothing is said by colour alone: every coloured word means the same without.

use firedrill_record::Verdict;

/// Paints, or leaves as it is when colour is off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Palette {
    pub(crate) colour: bool,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Unsure,
    Strong,
    Aside,
}

impl Tone {
    /// The tone of a verdict.
    pub(crate) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Held => Self::Good,
            Verdict::Violated => Self::Bad,
            Verdict::Inconclusive | Verdict::NotReached => Self::Unsure,
        }
    }

    /// The escape sequence that begins this tone.
    fn start(self) -> &'static str {
        match self {
            Self::Good => "\u{1b}[32m",
            Self::Bad => "\u{1b}[1;31m",
            Self::Unsure => "\u{1b}[33m",
            Self::Strong => "\u{1b}[1m",
            Self::Aside => "\u{1b}[2m",
        }
    }
}

const END: &str = "\u{1b}[0m";

impl Palette {
    /// `text` in `tone`, each of its lines by itself so that indentation and cutting leave no colour open.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let lines: Vec<String> =
            text.split('\n').map(|line| format!("{}{line}{END}", tone.start())).collect();
        lines.join("\n")
    }

    /// The setting that paints a cell of a table in `tone`.
    pub(crate) fn cell(self, tone: Tone) -> tabled::settings::Color {
        if self.colour {
            tabled::settings::Color::new(tone.start(), END)
        } else {
            tabled::settings::Color::empty()
        }
    }
}

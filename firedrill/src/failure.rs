//! How a command that failed tells it: the chain of causes, one a line, then a hint.

use std::fmt::Write as _;
use std::process::ExitCode;

/// Exit code of an invalid drill, rule file or command line: nothing was started.
pub(crate) const INVALID: u8 = 2;
/// Exit code of a stack that could not be set up, and of anything else the surroundings refused.
pub(crate) const NOT_SET_UP: u8 = 3;

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit code.
    pub(crate) code: u8,
    /// What could not be done, as a sentence.
    pub(crate) text: String,
}

impl Failure {
    /// `failed to {error}`, with its causes and what would mend it.
    pub(crate) fn new(code: u8, error: &dyn std::error::Error, hint: Option<&str>) -> Self {
        Self::hinting(code, &format!("failed to {}", described(error)), hint)
    }

    /// `{error}`, which is a clause of its own, with its causes and what would mend it.
    pub(crate) fn told(code: u8, error: &dyn std::error::Error, hint: Option<&str>) -> Self {
        Self::hinting(code, &described(error), hint)
    }

    fn hinting(code: u8, sentence: &str, hint: Option<&str>) -> Self {
        let mut text = format!("error: {sentence}\n");
        if let Some(hint) = hint {
            // Writing to a String does not fail.
            let _ = writeln!(text, "hint: {hint}");
        }
        Self { code, text }
    }

    /// A plain sentence.
    pub(crate) fn plain(code: u8, sentence: &str) -> Self {
        Self { code, text: format!("error: {sentence}\n") }
    }

    /// The same failure with one more sentence that explains it, if there is one.
    pub(crate) fn because(mut self, why: Option<&str>) -> Self {
        if let Some(why) = why {
            // Writing to a String does not fail.
            let _ = writeln!(self.text, "before that: {why}");
        }
        self
    }

    /// Tells it on stderr.
    #[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
    pub(crate) fn tell(&self) -> ExitCode {
        eprint!("{}", self.text);
        ExitCode::from(self.code)
    }
}

/// An error and its causes, in one line.
pub(crate) fn in_a_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

/// An error and its causes, one a line.
pub(crate) fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, "\n  caused by: {inner}");
        cause = inner.source();
    }
    text
}

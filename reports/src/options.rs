//! Colour, width and style of progress, decided from what the caller found out about terminal and environment. The
//! environment itself is read by the caller, once.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// When to colour, as `--color` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ColourChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always, whatever `NO_COLOR` says: the flag is the nearer wish.
    Always,
    /// Never.
    Never,
}

impl ColourChoice {
    /// The choices in the words of the command line.
    pub const NAMES: [&'static str; 3] = ["auto", "always", "never"];

    /// Whether to colour on this stream.
    fn colours(self, is_terminal: bool, no_color: Option<&str>, term: Option<&str>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            // https://no-color.org: present and not empty.
            Self::Auto => is_terminal && no_color.is_none_or(str::is_empty) && !is_dumb(term),
        }
    }
}

impl fmt::Display for ColourChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}

/// A text that is not `auto`, `always` or `never`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not one of auto, always, never")]
pub struct InvalidColourChoice {
    /// The offending text.
    pub text: String,
}

impl FromStr for ColourChoice {
    type Err = InvalidColourChoice;

    fn from_str(text: &str) -> Result<Self, InvalidColourChoice> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            other => Err(InvalidColourChoice { text: other.to_owned() }),
        }
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressStyle {
    /// A few lines at the bottom of the terminal that change in place.
    Live,
    /// One line for each notable event, with the seconds since the run began.
    Plain,
    /// One line for the run and for each drill that ended, besides warnings: for runs of many drills.
    Outcomes,
    /// Warnings and interrupts only.
    Quiet,
}

/// How the terminal reporter writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalOptions {
    /// Whether to colour.
    pub colour: bool,
    /// How progress is shown.
    pub progress: ProgressStyle,
    /// Columns to wrap at; none leaves lines as long as they are.
    pub width: Option<usize>,
}

/// How the final report is rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// Whether to colour.
    pub colour: bool,
    /// Columns to wrap at; none means 80. Kept within 60 and 160.
    pub width: Option<usize>,
    /// The run folder, named in the report's last lines.
    pub folder: Option<PathBuf>,
}

/// The options of progress on stderr. `no_color` and `term` are the values of `NO_COLOR` and `TERM`.
pub fn terminal_options(
    is_terminal_stderr: bool,
    no_color: Option<&str>,
    term: Option<&str>,
    choice: ColourChoice,
    quiet: bool,
) -> TerminalOptions {
    let progress = match (quiet, is_terminal_stderr && !is_dumb(term)) {
        (true, _) => ProgressStyle::Quiet,
        (false, true) => ProgressStyle::Live,
        (false, false) => ProgressStyle::Plain,
    };
    TerminalOptions {
        colour: choice.colours(is_terminal_stderr, no_color, term),
        progress,
        width: if is_terminal_stderr { stderr_width() } else { None },
    }
}

/// The options of the final report on stdout; [`RenderOptions::folder`] is left for the caller to fill in.
pub fn render_options(
    is_terminal_stdout: bool,
    no_color: Option<&str>,
    term: Option<&str>,
    choice: ColourChoice,
) -> RenderOptions {
    RenderOptions {
        colour: choice.colours(is_terminal_stdout, no_color, term),
        width: if is_terminal_stdout { stdout_width() } else { None },
        folder: None,
    }
}

/// Columns of the terminal at stdout; none when it is not a terminal.
pub fn stdout_width() -> Option<usize> {
    console::Term::stdout().size_checked().map(|(_, columns)| columns.into())
}

/// Columns of the terminal at stderr; none when it is not a terminal.
pub fn stderr_width() -> Option<usize> {
    console::Term::stderr().size_checked().map(|(_, columns)| columns.into())
}

/// A terminal that can neither colour nor move its cursor.
fn is_dumb(term: Option<&str>) -> bool {
    term == Some("dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_and_colour_need_a_terminal_that_can_show_them() {
        let of = |terminal, no_color, term| {
            let options = terminal_options(terminal, no_color, term, ColourChoice::Auto, false);
            (options.progress, options.colour)
        };
        assert_eq!(of(true, None, Some("xterm")), (ProgressStyle::Live, true));
        assert_eq!(of(true, Some("1"), None), (ProgressStyle::Live, false));
        assert_eq!(of(true, Some(""), None), (ProgressStyle::Live, true), "an empty NO_COLOR is not set");
        assert_eq!(of(true, None, Some("dumb")), (ProgressStyle::Plain, false));
        assert_eq!(of(false, None, None), (ProgressStyle::Plain, false));
    }

    #[test]
    fn the_flag_wins_over_no_color_and_over_a_missing_terminal() {
        assert!(render_options(false, Some("1"), None, ColourChoice::Always).colour);
        assert!(!render_options(true, None, None, ColourChoice::Never).colour);
    }

    #[test]
    fn every_colour_choice_reads_back() {
        for name in ColourChoice::NAMES {
            assert_eq!(name.parse::<ColourChoice>().unwrap().to_string(), name);
        }
        assert!("blue".parse::<ColourChoice>().is_err());
    }
}

//! What a person or another program reads of a run: live progress on stderr, the final report, JSON,
//! JUnit, Markdown.
//!
//! Everything is made from [`firedrill_record`]: events while the run lasts, the record when it has ended, so that a
//! report can be made again later; and of what [`firedrill_rulebook`] says of rules. Nothing here judges, changes a verdict or knows how a run is made. No other crate
//! prints.

mod capacity_report;
mod comparison_report;
mod destination;
mod drill_report;
mod expectations;
mod figures;
mod json;
mod junit;
mod life_cycle;
mod live_view;
mod markdown;
mod options;
mod page;
mod palette;
mod printable;
mod progress;
mod run_report;
mod scale_json;
mod scale_report;
mod soak_report;
mod status;
mod trials_report;
mod wording;
mod wrapping;
mod xml;

pub use comparison_report::render_comparison;
pub use destination::{Destination, Format, ReportError, print, write_report, write_text};
pub use json::render_json;
pub use junit::render_junit;
pub use markdown::render_markdown;
pub use options::{
    ColourChoice, InvalidColourChoice, ProgressStyle, RenderOptions, TerminalOptions, render_options,
    stderr_width, stdout_width, terminal_options,
};
pub use progress::TerminalReporter;
pub use run_report::render_run;
pub use scale_json::render_scale_json;
pub use scale_report::{ScaleReport, render_scale};

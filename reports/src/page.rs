//! The page that a report is written on: its width, its colours and its tables.

use firedrill_record::Verdict;
use tabled::builder::Builder;
use tabled::settings::Style;

use crate::RenderOptions;
use crate::palette::{Palette, Tone};
use crate::wrapping::{hanging, indented};

/// Columns when nobody knows better.
const DEFAULT_WIDTH: usize = 80;
/// Below this, tables cannot be read.
const NARROWEST: usize = 60;
/// Above this, lines cannot be read.
const WIDEST: usize = 160;
/// Spaces before everything that belongs to a heading.
pub(crate) const INDENT: usize = 2;

/// Width and colours of a report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) palette: Palette,
    pub(crate) width: usize,
}

impl Page {
    /// The page that `options` ask for.
    pub(crate) fn new(options: &RenderOptions) -> Self {
        Self {
            palette: Palette { colour: options.colour },
            width: options.width.unwrap_or(DEFAULT_WIDTH).clamp(NARROWEST, WIDEST),
        }
    }

    /// `text` after `first` as an indented paragraph; further lines hang under its beginning.
    pub(crate) fn paragraph(self, first: &str, text: &str) -> String {
        indented(&hanging(first, text, self.width - INDENT), INDENT)
    }

    /// [`Self::paragraph`] in `tone`.
    pub(crate) fn toned(self, tone: Tone, first: &str, text: &str) -> String {
        indented(&self.palette.paint(tone, &hanging(first, text, self.width - INDENT)), INDENT)
    }

    /// An indented table. `tones` names cells by row and column, the heading being row 0.
    pub(crate) fn table(
        self,
        heading: &[&str],
        rows: Vec<Vec<String>>,
        tones: &[(usize, usize, Tone)],
    ) -> String {
        let mut builder = Builder::default();
        builder.push_record(heading.iter().copied());
        for row in rows {
            builder.push_record(row);
        }
        let mut table = builder.build();
        table.with(Style::rounded());
        for (row, column, tone) in tones {
            table.modify((*row, *column), self.palette.cell(*tone));
        }
        indented(&table.to_string(), INDENT)
    }
}

/// The sign before a verdict, for the eye that runs down a page.
pub(crate) fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "✓",
        Verdict::Violated => "✗",
        Verdict::Inconclusive => "?",
        Verdict::NotReached => "–",
    }
}

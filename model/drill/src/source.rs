//! The text of one file, and places in it.
//!
//! It knows nothing of YAML: a place is what a reader reported, and becomes a span of bytes only here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{NamedSource, SourceSpan};

/// A file's text under the name that problems show.
#[derive(Debug, Clone)]
pub(crate) struct SourceText {
    file: PathBuf,
    named: Arc<NamedSource<String>>,
}

/// Where something stands. Lines and columns count from 1, columns in characters; bytes are there when known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) bytes: Option<(usize, usize)>,
}

impl SourceText {
    pub(crate) fn new(file: &Path, text: &str) -> Self {
        let named = NamedSource::new(file.display().to_string(), text.to_owned());
        Self { file: file.to_owned(), named: Arc::new(named) }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn text(&self) -> &str {
        self.named.inner()
    }

    pub(crate) fn named(&self) -> Arc<NamedSource<String>> {
        Arc::clone(&self.named)
    }

    /// The bytes of `place`, cut at the end of its line: a block may be long, its first line is enough to find it.
    pub(crate) fn span(&self, place: Place) -> SourceSpan {
        let text = self.text();
        let (start, length) = place.bytes.unwrap_or_else(|| (self.offset(place.line, place.column), 1));
        let start = floor_char(text, start);
        let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |at| start + at);
        let end = floor_char(text, start.saturating_add(length)).clamp(start, line_end);
        (start, end - start).into()
    }

    /// Where `needle` first stands at or after `place`; `place` itself when it does not.
    pub(crate) fn find_from(&self, place: Place, needle: &str) -> Place {
        let start = self.span(place).offset();
        match self.text()[start..].find(needle) {
            Some(at) => self.place_at(start + at, needle.len()),
            None => place,
        }
    }

    /// Line and column of a byte offset, both from 1.
    pub(crate) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text()[..floor_char(self.text(), offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The place of some bytes.
    pub(crate) fn place_at(&self, offset: usize, length: usize) -> Place {
        let (line, column) = self.line_and_column(offset);
        Place { line, column, bytes: Some((offset, length)) }
    }

    fn offset(&self, line: usize, column: usize) -> usize {
        let text = self.text();
        let mut start = 0;
        for _ in 1..line {
            match text[start..].find('\n') {
                Some(at) => start += at + 1,
                None => return text.len(),
            }
        }
        let rest = text[start..].char_indices().nth(column.saturating_sub(1));
        rest.map_or(text.len(), |(at, _)| start + at)
    }
}

fn floor_char(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

//! Problems of a drill's text: what is wrong, where, and what would be right.
//!
//! They are miette diagnostics, so that any of its handlers can show them. How they are printed is not known here.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};

use crate::source::SourceText;

/// One problem in the text of a drill or of a journey.
#[derive(Debug, Clone)]
pub struct DrillProblem {
    file: PathBuf,
    message: String,
    help: String,
    mark: Option<Mark>,
}

#[derive(Debug, Clone)]
struct Mark {
    source: Arc<NamedSource<String>>,
    span: SourceSpan,
    label: String,
    line: usize,
    column: usize,
}

impl DrillProblem {
    pub(crate) fn at(
        source: &SourceText,
        span: SourceSpan,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (line, column) = source.line_and_column(span.offset());
        let mark = Mark { source: source.named(), span, label: label.into(), line, column };
        Self { file: source.file().to_owned(), message: message.into(), help: help.into(), mark: Some(mark) }
    }

    /// A problem with a file as a whole: it cannot be read.
    pub(crate) fn of_file(file: &Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { file: file.to_owned(), message: message.into(), help: help.into(), mark: None }
    }

    /// The file it is in.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Line and column, both from 1 and columns in characters; none when the file could not be read at all.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        self.mark.as_ref().map(|mark| (mark.line, mark.column))
    }

    /// What would be right.
    pub fn hint(&self) -> &str {
        &self.help
    }

    fn order(&self) -> (usize, usize) {
        self.line_and_column().unwrap_or_default()
    }
}

impl fmt::Display for DrillProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for DrillProblem {}

impl Diagnostic for DrillProblem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.mark.as_ref().map(|mark| &*mark.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let mark = self.mark.as_ref()?;
        let label = LabeledSpan::new_primary_with_span(Some(mark.label.clone()), mark.span);
        Some(Box::new(std::iter::once(label)))
    }
}

/// All problems found in a drill and in the journeys it names; never empty.
#[derive(Debug, Clone)]
pub struct DrillProblems {
    file: PathBuf,
    problems: Vec<DrillProblem>,
}

impl DrillProblems {
    /// Those of `file` come first, each file's in the order of its text.
    pub(crate) fn new(file: &Path, mut problems: Vec<DrillProblem>) -> Self {
        problems.sort_by(|a, b| {
            let foreign = |one: &DrillProblem| (one.file != file, one.file.clone(), one.order());
            foreign(a).cmp(&foreign(b))
        });
        Self { file: file.to_owned(), problems }
    }

    /// The file that was asked for.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Each problem, those of [`DrillProblems::file`] first and in the order of its text.
    pub fn iter(&self) -> std::slice::Iter<'_, DrillProblem> {
        self.problems.iter()
    }
}

impl<'a> IntoIterator for &'a DrillProblems {
    type Item = &'a DrillProblem;
    type IntoIter = std::slice::Iter<'a, DrillProblem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for DrillProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "{} is invalid: {count} {noun}", self.file.display())
    }
}

impl Error for DrillProblems {}

impl Diagnostic for DrillProblems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.problems.iter().map(|one| one as &dyn Diagnostic)))
    }
}

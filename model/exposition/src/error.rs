//! Why a document was refused, and where.

use thiserror::Error;

use crate::MetricKind;

/// The first place where a document breaks its format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a document. Names and values are those of the document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each message is the variant's documentation; fields carry the document's words"
)]
pub enum Problem {
    #[error("expected a metric name")]
    MissingMetricName,
    #[error("expected a label name")]
    MissingLabelName,
    #[error("label `__name__` is reserved for the metric name")]
    ReservedLabel,
    #[error("label `{label}` is given twice")]
    DuplicateLabel { label: String },
    #[error("expected `=` after the label name")]
    MissingEquals,
    #[error("expected a label value in double quotes")]
    MissingQuote,
    #[error("label value is not closed on its line")]
    UnclosedLabelValue,
    #[error("labels are not closed on their line")]
    UnclosedLabels,
    #[error("unknown escape `\\{escaped}`")]
    UnknownEscape { escaped: String },
    #[error("expected `,` or `}}` after the label value")]
    MissingComma,
    #[error("expected one space")]
    MissingSpace,
    #[error("expected a value")]
    MissingValue,
    #[error("`{}` is not a number", word.escape_debug())]
    NotANumber { word: String },
    #[error("`{}` is not a timestamp", word.escape_debug())]
    NotATimestamp { word: String },
    #[error("unexpected text `{}` after the sample", text.escape_debug())]
    TrailingText { text: String },
    #[error("the last line does not end with a line feed: the document is cut off")]
    MissingLineFeed,
    #[error("blank lines are not allowed")]
    BlankLine,
    #[error("expected HELP, TYPE, UNIT or EOF: other comments are not allowed")]
    UnknownComment,
    #[error("the document does not end with `# EOF`: it is cut off")]
    MissingEof,
    #[error("unexpected text after `# EOF`")]
    TextAfterEof,
    #[error("`{}` is not a metric type of this format", word.escape_debug())]
    UnknownType { word: String },
    #[error("`{}` is not a unit", word.escape_debug())]
    NotAUnit { word: String },
    #[error("family `{family}` has a second {keyword} line")]
    RepeatedMetadata { keyword: &'static str, family: String },
    #[error("{keyword} of family `{family}` comes after its samples")]
    MetadataAfterSamples { keyword: &'static str, family: String },
    #[error("family `{family}` appears again after another family: its lines must be one group")]
    FamilyReopened { family: String },
    #[error("name `{name}` belongs to family `{family}`")]
    NameClash { name: String, family: String },
    #[error("sample `{name}` does not fit family `{family}` of type {kind}")]
    WrongSuffix { name: String, family: String, kind: MetricKind },
    #[error("a {kind} sample needs the label `{label}`")]
    MissingLabel { kind: MetricKind, label: String },
    #[error("`{}` is not a valid value of the label `{label}`", value.escape_debug())]
    BadLabelValue { label: String, value: String },
    #[error("series `{series}` appears twice")]
    DuplicateSeries { series: String },
    #[error("series `{series}` is interleaved with another metric of its family")]
    MetricInterleaved { series: String },
    #[error("timestamp goes backwards within a metric")]
    TimestampBackwards,
    #[error("samples of a metric must all have a timestamp, or none")]
    TimestampMixed,
    #[error("an exemplar is not allowed here: only on buckets and on `_total`")]
    ExemplarNotAllowed,
    #[error("exemplar labels have {characters} characters: at most 128 are allowed")]
    ExemplarTooLong { characters: usize },
    #[error("family `{family}` does not end with its unit `_{unit}`")]
    UnitNotInName { family: String, unit: String },
    #[error("a family of type {kind} has no unit")]
    UnitNotAllowed { kind: MetricKind },
    #[error("value of `{name}` must {requirement}")]
    ValueNotAllowed { name: String, requirement: &'static str },
}

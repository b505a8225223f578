//! Reading YAML into the written types, with the place of each value.
//!
//! The only file that names the YAML library: its errors become problems here, in the words of this crate.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Error as YamlError, Location, Spanned};

use crate::problem::{DrillProblem, DrillProblems};
use crate::source::{Place, SourceText};
use crate::spelling;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::deserialize(deserializer)?;
        Ok(Self { value: spanned.value, place: place(spanned.referenced) })
    }
}

/// The schema of a value does not depend on where it stands.
impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The one document of `source`. What is no YAML or has another shape is a single problem: reading stops there.
pub(crate) fn read<T: DeserializeOwned>(source: &SourceText) -> Result<T, DrillProblems> {
    serde_saphyr::from_str(source.text()).map_err(|error: YamlError| {
        DrillProblems::new(source.file(), vec![problem(source, error.without_snippet())])
    })
}

fn place(location: Location) -> Place {
    let span = location.span();
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let bytes = span.byte_offset().zip(span.byte_len());
    Place {
        line: number(location.line()).max(1),
        column: number(location.column()).max(1),
        // The library gives maps and lists in block form no length at all.
        bytes: bytes.map(|(start, length)| (number(start), number(length).max(1))),
    }
}

fn problem(source: &SourceText, error: &YamlError) -> DrillProblem {
    let start = Place { line: 1, column: 1, bytes: Some((0, 1)) };
    let at = match error {
        YamlError::AliasError { error, .. } => return problem(source, error),
        YamlError::Eof { .. } => start,
        other => other.location().map_or(start, place),
    };
    let (message, label, help) = words(error);
    DrillProblem::at(source, source.span(at), message, label, help)
}

/// Message, label and hint.
fn words(error: &YamlError) -> (String, String, String) {
    let (message, label, help) = match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            let hint = spelling::hint(field, expected.iter().copied());
            return (format!("unknown field `{field}`"), "not a field of this map".to_owned(), hint);
        }
        YamlError::SerdeUnknownVariant { variant, expected, .. } => {
            let hint = spelling::hint(variant, expected.iter().copied());
            return (format!("unknown kind `{variant}`"), "not known here".to_owned(), hint);
        }
        YamlError::SerdeMissingField { field, .. } => {
            // The library knows the last field of the map only.
            let help = format!("add `{field}:` beside it");
            return (format!("missing field `{field}`"), "the map with this field lacks it".to_owned(), help);
        }
        YamlError::Unexpected { expected: "string scalar", .. } => (
            "expected a text",
            "a map or a list stands here",
            "write a text, in quotes when it begins with a brace or bracket",
        ),
        YamlError::Unexpected { expected, .. } => return expected_instead(shape(expected)),
        YamlError::InvalidScalar { ty, .. } => return expected_instead(shape(ty)),
        YamlError::DuplicateMappingKey { key, .. } => {
            let message = format!("duplicate field `{}`", key.as_deref().unwrap_or("?"));
            return (
                message,
                "written before in the same map".to_owned(),
                "remove one of the two".to_owned(),
            );
        }
        YamlError::ExpectedMappingEndAfterEnumVariantValue { .. } => {
            ("two kinds in one list item", "a second kind", "write each as its own item, with its own `-`")
        }
        YamlError::MultipleDocuments { .. } => {
            ("more than one document in the file", "the second begins here", "write one file for each")
        }
        YamlError::Eof { .. } => {
            ("the file is empty", "nothing but comments", "begin with `drill: NAME` or `journey: NAME`")
        }
        YamlError::NullIntoString { .. } => {
            ("no value", "a text is needed here", "write a value or remove the field")
        }
        other => {
            let message = without_position(other);
            let help = syntax_help(&message).to_owned();
            return (message, "noticed here".to_owned(), help);
        }
    };
    (message.to_owned(), label.to_owned(), help.to_owned())
}

fn syntax_help(message: &str) -> &'static str {
    if message.contains("tab") {
        "indent with spaces"
    } else if message.contains("quote") {
        "close the quote that begins here"
    } else if message.contains("flow mapping") {
        "inside `{…}`, quote a text with braces or commas: {request: \"GET user /users/{id}\"}"
    } else {
        "look at indentation, quotes and brackets here and in the line before"
    }
}

fn expected_instead(shape: &str) -> (String, String, String) {
    (format!("expected {shape}"), "something else stands here".to_owned(), format!("write {shape}"))
}

fn shape(expected: &str) -> &str {
    match expected {
        "sequence start" => "a list, each item with its own `-` or in `[…]`",
        "mapping start" => "a map, `field: value` for each field or `{}`",
        "u16" | "u32" | "u64" => "a whole number, not negative",
        "floating point" => "a number",
        other => other,
    }
}

/// The library appends the position to its messages, which the caret shows already.
fn without_position(error: &YamlError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.rsplit_once(" at line ").map_or(line, |(message, _)| message).to_owned()
}

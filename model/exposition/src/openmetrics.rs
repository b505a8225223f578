//! OpenMetrics 1.0, text representation.
//!
//! One leniency: a help text may hold bare double quotes, which the grammar wants escaped and no reader minds.

use std::collections::BTreeMap;

use crate::assembly::Assembly;
use crate::cursor::Cursor;
use crate::{Exemplar, Exposition, Format, ParseError, Problem, Sample, number};

const EXEMPLAR_CHARACTERS: usize = 128;

/// Parses an OpenMetrics document, which must end with `# EOF`.
pub fn parse_openmetrics(document: &str) -> Result<Exposition, ParseError> {
    let mut assembly = Assembly::new(Format::OpenMetrics);
    let mut lines =
        document.split('\n').enumerate().map(|(index, line)| Cursor::new(line, index + 1)).peekable();
    while let Some(mut line) = lines.next() {
        // At most one line feed may follow.
        if line.rest() == "# EOF" {
            return match (lines.next(), lines.next()) {
                (None, _) => Ok(assembly.finish()),
                (Some(line), None) if line.is_at_end() => Ok(assembly.finish()),
                (Some(line), _) => Err(line.error(Problem::TextAfterEof)),
            };
        }
        if lines.peek().is_none() {
            let end = line.rest().len();
            return Err(line.error_at(end, Problem::MissingEof));
        }
        if line.is_at_end() {
            return Err(line.error(Problem::BlankLine));
        }
        if line.take(b'#') {
            metadata(&mut line, &mut assembly)?;
        } else {
            sample(&mut line, &mut assembly)?;
        }
    }
    Err(Cursor::new("", 1).error(Problem::MissingEof))
}

fn metadata(line: &mut Cursor<'_>, assembly: &mut Assembly) -> Result<(), ParseError> {
    line.space()?;
    let at = line.at();
    let keyword = line.word(Format::OpenMetrics);
    if !matches!(keyword, "HELP" | "TYPE" | "UNIT") {
        return Err(line.error_at(at, Problem::UnknownComment));
    }
    line.space()?;
    let at = line.at();
    let name = line.metric_name()?;
    line.space()?;
    let rest_at = line.at();
    match keyword {
        "HELP" => {
            let help = line.help(Format::OpenMetrics)?;
            assembly.help(line, at, name, help)
        }
        "TYPE" => {
            let word = line.take_rest();
            assembly.kind(line, (at, name), (rest_at, word))
        }
        _ => {
            let word = line.take_rest();
            if !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')) {
                return Err(line.error_at(rest_at, Problem::NotAUnit { word: word.to_owned() }));
            }
            assembly.unit(line, (at, name), (rest_at, word))
        }
    }
}

fn sample(line: &mut Cursor<'_>, assembly: &mut Assembly) -> Result<(), ParseError> {
    let at = line.at();
    let name = line.metric_name()?;
    let labels = if line.take(b'{') { line.labels(Format::OpenMetrics)? } else { BTreeMap::new() };
    let (value, timestamp_seconds) = point(line)?;
    let exemplar = if line.is_at_end() { None } else { Some(exemplar(line)?) };
    assembly.sample(line, at, Sample { name: name.to_owned(), labels, value, timestamp_seconds, exemplar })
}

/// ` value`, and ` timestamp` unless the line ends or an exemplar follows.
fn point(line: &mut Cursor<'_>) -> Result<(f64, Option<f64>), ParseError> {
    line.space()?;
    let at = line.at();
    let value = match line.word(Format::OpenMetrics) {
        "" => return Err(line.error(Problem::MissingValue)),
        word => number::float(word)
            .ok_or_else(|| line.error_at(at, Problem::NotANumber { word: word.to_owned() }))?,
    };
    if line.is_at_end() || line.rest().starts_with(" #") {
        return Ok((value, None));
    }
    line.space()?;
    let at = line.at();
    let word = line.word(Format::OpenMetrics);
    let timestamp = number::finite(word)
        .ok_or_else(|| line.error_at(at, Problem::NotATimestamp { word: word.to_owned() }))?;
    Ok((value, Some(timestamp)))
}

/// ` # {labels} value [timestamp]`.
fn exemplar(line: &mut Cursor<'_>) -> Result<Exemplar, ParseError> {
    line.space()?;
    let start = line.at();
    if !line.take(b'#') {
        return Err(line.error(Problem::TrailingText { text: line.rest().to_owned() }));
    }
    line.space()?;
    if !line.take(b'{') {
        return Err(line.error(Problem::TrailingText { text: line.rest().to_owned() }));
    }
    let labels = line.labels(Format::OpenMetrics)?;
    let characters = labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if characters > EXEMPLAR_CHARACTERS {
        return Err(line.error_at(start, Problem::ExemplarTooLong { characters }));
    }
    let (value, timestamp_seconds) = point(line)?;
    if !line.is_at_end() {
        return Err(line.error(Problem::TrailingText { text: line.rest().to_owned() }));
    }
    Ok(Exemplar { labels, value, timestamp_seconds })
}

//! Prometheus text format 0.0.4.

use std::collections::BTreeMap;

use crate::assembly::Assembly;
use crate::cursor::Cursor;
use crate::{Exposition, Format, ParseError, Problem, Sample, number};

/// Parses a document of the text format 0.0.4. An empty document is an empty exposition.
pub fn parse_text(document: &str) -> Result<Exposition, ParseError> {
    let mut assembly = Assembly::new(Format::Text);
    let mut lines =
        document.split('\n').enumerate().map(|(index, line)| Cursor::new(line, index + 1)).peekable();
    while let Some(mut line) = lines.next() {
        if lines.peek().is_none() {
            if line.rest().is_empty() {
                break;
            }
            let end = line.rest().len();
            return Err(line.error_at(end, Problem::MissingLineFeed));
        }
        line.skip_blanks();
        if line.is_at_end() {
            continue;
        }
        if line.take(b'#') {
            comment(&mut line, &mut assembly)?;
        } else {
            sample(&mut line, &mut assembly)?;
        }
    }
    Ok(assembly.finish())
}

fn comment(line: &mut Cursor<'_>, assembly: &mut Assembly) -> Result<(), ParseError> {
    line.skip_blanks();
    let keyword = line.word(Format::Text);
    if !matches!(keyword, "HELP" | "TYPE") {
        return Ok(());
    }
    line.skip_blanks();
    let at = line.at();
    let name = line.metric_name()?;
    if !line.is_at_end() && !line.rest().starts_with([' ', '\t']) {
        return Err(line.error(Problem::MissingSpace));
    }
    line.skip_blanks();
    if keyword == "HELP" {
        let help = line.help(Format::Text)?;
        return assembly.help(line, at, name, help);
    }
    let word_at = line.at();
    let word = line.take_rest().trim_end_matches([' ', '\t']);
    assembly.kind(line, (at, name), (word_at, word))
}

fn sample(line: &mut Cursor<'_>, assembly: &mut Assembly) -> Result<(), ParseError> {
    let at = line.at();
    let name = line.metric_name()?;
    let after_name = line.at();
    line.skip_blanks();
    let labels = if line.take(b'{') {
        line.labels(Format::Text)?
    } else {
        if line.at() == after_name && !line.is_at_end() {
            return Err(line.error(Problem::MissingSpace));
        }
        BTreeMap::new()
    };
    line.skip_blanks();
    let value = value(line)?;
    line.skip_blanks();
    let timestamp_seconds = if line.is_at_end() { None } else { Some(timestamp_seconds(line)?) };
    line.skip_blanks();
    if !line.is_at_end() {
        return Err(line.error(Problem::TrailingText { text: line.rest().to_owned() }));
    }
    assembly.sample(
        line,
        at,
        Sample { name: name.to_owned(), labels, value, timestamp_seconds, exemplar: None },
    )
}

fn value(line: &mut Cursor<'_>) -> Result<f64, ParseError> {
    let at = line.at();
    match line.word(Format::Text) {
        "" => Err(line.error(Problem::MissingValue)),
        word => number::float(word)
            .ok_or_else(|| line.error_at(at, Problem::NotANumber { word: word.to_owned() })),
    }
}

/// The text format writes whole milliseconds.
fn timestamp_seconds(line: &mut Cursor<'_>) -> Result<f64, ParseError> {
    let at = line.at();
    let word = line.word(Format::Text);
    let digits = word.strip_prefix('-').unwrap_or(word);
    let milliseconds =
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse::<i64>().ok()).flatten();
    milliseconds
        .map(|milliseconds| milliseconds as f64 / 1000.0)
        .ok_or_else(|| line.error_at(at, Problem::NotATimestamp { word: word.to_owned() }))
}

//! A position in one line, and the tokens both formats share.

use std::collections::BTreeMap;

use crate::{Format, ParseError, Problem};

/// Walks over the bytes of one line. All delimiters are ASCII, so every position is a character boundary.
pub(crate) struct Cursor<'a> {
    line: &'a str,
    number: usize,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// `number` is the line's number, counted from 1.
    pub(crate) fn new(line: &'a str, number: usize) -> Self {
        Self { line, number, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.line.len()
    }

    pub(crate) fn error(&self, problem: Problem) -> ParseError {
        self.error_at(self.at, problem)
    }

    /// An error at a byte position of this line that a cursor has been at.
    pub(crate) fn error_at(&self, at: usize, problem: Problem) -> ParseError {
        let column = self.line.get(..at).unwrap_or(self.line).chars().count() + 1;
        ParseError { line: self.number, column, problem }
    }

    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// Steps over `expected`, if it is next.
    pub(crate) fn take(&mut self, expected: u8) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += 1;
        }
        found
    }

    pub(crate) fn space(&mut self) -> Result<(), ParseError> {
        if self.take(b' ') { Ok(()) } else { Err(self.error(Problem::MissingSpace)) }
    }

    pub(crate) fn skip_blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        &self.line[start..self.at]
    }

    /// Everything up to the next blank; OpenMetrics knows only the space.
    pub(crate) fn word(&mut self, format: Format) -> &'a str {
        self.take_while(|byte| byte != b' ' && (byte != b'\t' || format == Format::OpenMetrics))
    }

    /// Everything up to the end of the line.
    pub(crate) fn take_rest(&mut self) -> &'a str {
        let rest = self.rest();
        self.at = self.line.len();
        rest
    }

    pub(crate) fn metric_name(&mut self) -> Result<&'a str, ParseError> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':')) {
            return Err(self.error(Problem::MissingMetricName));
        }
        Ok(self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')))
    }

    fn label_name(&mut self) -> Result<&'a str, ParseError> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
            return Err(self.error(Problem::MissingLabelName));
        }
        let start = self.at;
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name == "__name__" {
            return Err(self.error_at(start, Problem::ReservedLabel));
        }
        Ok(name)
    }

    /// The labels after a `{` that has been taken, up to and with the `}`. The text format allows blanks around
    /// the tokens and one comma at the end.
    pub(crate) fn labels(&mut self, format: Format) -> Result<BTreeMap<String, String>, ParseError> {
        let mut labels = BTreeMap::new();
        self.label_blanks(format);
        if self.take(b'}') {
            return Ok(labels);
        }
        loop {
            if self.is_at_end() {
                return Err(self.error(Problem::UnclosedLabels));
            }
            let start = self.at;
            let name = self.label_name()?;
            self.label_blanks(format);
            if !self.take(b'=') {
                return Err(self.error(Problem::MissingEquals));
            }
            self.label_blanks(format);
            let value = self.label_value(format)?;
            if labels.insert(name.to_owned(), value).is_some() {
                return Err(self.error_at(start, Problem::DuplicateLabel { label: name.to_owned() }));
            }
            self.label_blanks(format);
            if self.take(b'}') {
                return Ok(labels);
            }
            if !self.take(b',') {
                return Err(self.error(Problem::MissingComma));
            }
            self.label_blanks(format);
            if format == Format::Text && self.take(b'}') {
                return Ok(labels);
            }
        }
    }

    fn label_blanks(&mut self, format: Format) {
        if format == Format::Text {
            self.skip_blanks();
        }
    }

    fn label_value(&mut self, format: Format) -> Result<String, ParseError> {
        let start = self.at;
        if !self.take(b'"') {
            return Err(self.error(Problem::MissingQuote));
        }
        let mut value = String::new();
        loop {
            value.push_str(self.take_while(|byte| byte != b'"' && byte != b'\\'));
            if self.take(b'"') {
                return Ok(value);
            }
            if self.is_at_end() {
                return Err(self.error_at(start, Problem::UnclosedLabelValue));
            }
            value.push_str(&self.escape(format, true)?);
        }
    }

    /// A help text up to the end of the line.
    pub(crate) fn help(&mut self, format: Format) -> Result<String, ParseError> {
        let mut help = String::new();
        while !self.is_at_end() {
            help.push_str(self.take_while(|byte| byte != b'\\'));
            if !self.is_at_end() {
                help.push_str(&self.escape(format, format == Format::OpenMetrics)?);
            }
        }
        Ok(help)
    }

    /// A backslash and what follows. OpenMetrics reads an undefined escape as the backslash itself; the text
    /// format defines only `\\`, `\n` and, within quotes, `\"`.
    fn escape(&mut self, format: Format, quotes: bool) -> Result<String, ParseError> {
        let start = self.at;
        self.at += 1;
        let Some(escaped) = self.rest().chars().next() else {
            return Err(self.error_at(start, Problem::UnknownEscape { escaped: String::new() }));
        };
        self.at += escaped.len_utf8();
        match escaped {
            '\\' => Ok("\\".to_owned()),
            'n' => Ok("\n".to_owned()),
            '"' if quotes => Ok("\"".to_owned()),
            other if format == Format::OpenMetrics => Ok(format!("\\{other}")),
            other => Err(self.error_at(start, Problem::UnknownEscape { escaped: other.to_string() })),
        }
    }
}

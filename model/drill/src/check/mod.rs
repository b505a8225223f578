//! From what is written to what is meant: every check of a drill or journey that YAML's shape cannot make.
//!
//! Each check reports its problems and goes on, so that all are found at once. Only the text itself is judged: whether
//! an alert, a receiver or a service exists is not known here.

mod drill;
mod expect;
mod journey;
mod load;
mod must_be;
mod step;
mod timeline;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use firedrill_record::{Labels, Verdict};

pub(crate) use drill::check_drill;
pub(crate) use journey::check_journey;

use crate::parse_drill_duration;
use crate::problem::DrillProblem;
use crate::source::{Place, SourceText};
use crate::units::ParseUnitError;
use crate::written::LabelsText;
use crate::yaml::At;

/// Every verdict that `must_be` can demand.
pub(crate) const VERDICTS: [Verdict; 4] =
    [Verdict::Held, Verdict::Violated, Verdict::Inconclusive, Verdict::NotReached];

/// Proof that a problem was reported: a check that gives no value has said why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported(());

type Checked<T> = Result<T, Reported>;

/// The problems found so far in one text.
pub(crate) struct Problems<'a> {
    source: &'a SourceText,
    found: Vec<DrillProblem>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(source: &'a SourceText) -> Self {
        Self { source, found: Vec::new() }
    }

    pub(crate) fn into_found(self) -> Vec<DrillProblem> {
        self.found
    }

    fn report(
        &mut self,
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Reported {
        let span = self.source.span(place);
        self.found.push(DrillProblem::at(self.source, span, message, label, help));
        Reported(())
    }

    /// Where `length` bytes from `index` of a text stand; the whole text when it is written with escapes.
    fn part(&self, text: &At<String>, index: usize, length: usize) -> Place {
        let start = self.source.span(text.place).offset();
        // A quote may come first.
        match self.source.text()[start..].find(&text.value) {
            Some(quote @ 0..=1) => self.source.place_at(start + quote + index, length),
            _ => text.place,
        }
    }

    /// Problems of another text that this one stands on.
    fn adopt(&mut self, found: impl IntoIterator<Item = DrillProblem>) -> Reported {
        self.found.extend(found);
        Reported(())
    }

    fn duration(&mut self, text: &At<String>) -> Checked<Duration> {
        parse_drill_duration(&text.value).map_err(|error| self.unit(text, &error))
    }

    /// A duration above 0.
    fn positive_duration(&mut self, text: &At<String>) -> Checked<Duration> {
        let duration = self.duration(text)?;
        if duration.is_zero() {
            return Err(self.report(text.place, "no time at all", "0", "write a duration above 0, like 8m"));
        }
        Ok(duration)
    }

    /// A rate or a ratio.
    fn quantity<T: FromStr<Err = ParseUnitError>>(&mut self, text: &At<String>) -> Checked<T> {
        text.value.parse().map_err(|error| self.unit(text, &error))
    }

    fn unit(&mut self, text: &At<String>, error: &ParseUnitError) -> Reported {
        let message = format!("`{}` is not a {}", error.text, error.what);
        self.report(text.place, message, format!("not a {}", error.what), format!("write {}", error.expected))
    }

    /// A name of a type whose error says which rule it breaks.
    fn name<T: FromStr<Err = E>, E: fmt::Display>(&mut self, text: &At<String>) -> Checked<T> {
        text.value.parse().map_err(|error: E| {
            let message = error.to_string();
            let (message, rule) = message.rsplit_once(": ").unwrap_or((&message, "choose another name"));
            self.report(text.place, message, "not allowed", format!("a name has {rule}"))
        })
    }

    /// A text with something in it besides spaces.
    fn filled(&mut self, text: &At<String>, what: &str) -> Checked<String> {
        let trimmed = text.value.trim();
        if trimmed.is_empty() {
            return Err(self.report(
                text.place,
                format!("empty {what}"),
                "nothing here",
                format!("write the {what}"),
            ));
        }
        Ok(trimmed.to_owned())
    }

    fn in_range(
        &mut self,
        number: &At<u32>,
        what: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Checked<u32> {
        if range.contains(&number.value) {
            return Ok(number.value);
        }
        let (least, most) = range.into_inner();
        let limits =
            if most == u32::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
        let message = format!("{} {what}", number.value);
        Err(self.report(number.place, message, "out of range", format!("write {limits}")))
    }

    fn labels(&mut self, labels: LabelsText) -> Checked<Labels> {
        let checked = labels.into_iter().map(|(name, value)| {
            if is_metric_name(&name) && !name.contains(':') {
                return Ok((name, value.value));
            }
            let message = format!("`{name}` is not a label name");
            let help = "a label name has letters, digits and underscores and does not begin with a digit";
            Err(self.report(value.place, message, "the value of that label", help))
        });
        Ok(all(checked.collect())?.into_iter().collect())
    }
}

/// The value of a field that may be left out.
fn optional<T, U>(field: Option<T>, check: impl FnOnce(T) -> Checked<U>) -> Checked<Option<U>> {
    field.map(check).transpose()
}

/// All values, after all of them were checked.
fn all<T>(checked: Vec<Checked<T>>) -> Checked<Vec<T>> {
    checked.into_iter().collect()
}

/// Metric names, as Prometheus has them without its newer quoting.
fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

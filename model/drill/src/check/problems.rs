//! The problems of one text as they are found, and the checks of single fields that report them.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use firedrill_record::Labels;

use super::metric_name::is_metric_name;
use crate::parse_drill_duration;
use crate::problem::DrillProblem;
use crate::source::{Place, SourceText};
use crate::units::ParseUnitError;
use crate::written::LabelsText;
use crate::yaml::At;

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

    pub(super) fn report(
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
    pub(super) fn part(&self, text: &At<String>, index: usize, length: usize) -> Place {
        let start = self.source.span(text.place).offset();
        // A quote may come first.
        match self.source.text()[start..].find(&text.value) {
            Some(quote @ 0..=1) => self.source.place_at(start + quote + index, length),
            _ => text.place,
        }
    }

    /// Problems of another text that this one stands on.
    pub(super) fn adopt(&mut self, found: impl IntoIterator<Item = DrillProblem>) -> Reported {
        self.found.extend(found);
        Reported(())
    }

    pub(super) fn duration(&mut self, text: &At<String>) -> Checked<Duration> {
        parse_drill_duration(&text.value).map_err(|error| self.unit(text, &error))
    }

    /// A duration above 0.
    pub(super) fn positive_duration(&mut self, text: &At<String>) -> Checked<Duration> {
        let duration = self.duration(text)?;
        if duration.is_zero() {
            return Err(self.report(text.place, "no time at all", "0", "write a duration above 0, like 8m"));
        }
        Ok(duration)
    }

    /// A rate or a ratio.
    pub(super) fn quantity<T: FromStr<Err = ParseUnitError>>(&mut self, text: &At<String>) -> Checked<T> {
        text.value.parse().map_err(|error| self.unit(text, &error))
    }

    fn unit(&mut self, text: &At<String>, error: &ParseUnitError) -> Reported {
        let message = format!("`{}` is not a {}", error.text, error.what);
        self.report(text.place, message, format!("not a {}", error.what), format!("write {}", error.expected))
    }

    /// A name of a type whose error says which rule it breaks.
    pub(super) fn name<T: FromStr<Err = E>, E: fmt::Display>(&mut self, text: &At<String>) -> Checked<T> {
        text.value.parse().map_err(|error: E| {
            let message = error.to_string();
            let (message, rule) = message.rsplit_once(": ").unwrap_or((&message, "choose another name"));
            self.report(text.place, message, "not allowed", format!("a name has {rule}"))
        })
    }

    /// A text with something in it besides spaces.
    pub(super) fn filled(&mut self, text: &At<String>, what: &str) -> Checked<String> {
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

    pub(super) fn in_range(
        &mut self,
        number: &At<u32>,
        what: &str,
        range: RangeInclusive<u32>,
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

    pub(super) fn labels(&mut self, labels: LabelsText) -> Checked<Labels> {
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

/// Proof that a problem was reported: a check that gives no value has said why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported(());

pub(super) type Checked<T> = Result<T, Reported>;

/// The value of a field that may be left out.
pub(super) fn optional<T, U>(field: Option<T>, check: impl FnOnce(T) -> Checked<U>) -> Checked<Option<U>> {
    field.map(check).transpose()
}

/// All values, after all of them were checked.
pub(super) fn all<T>(checked: Vec<Checked<T>>) -> Checked<Vec<T>> {
    checked.into_iter().collect()
}

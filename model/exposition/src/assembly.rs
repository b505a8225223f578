//! Putting lines together into families: which family a line belongs to, and whether it may.
//!
//! Only the last family is open; a line for an earlier one is an error, which keeps the work linear.

use std::collections::HashMap;

use crate::cursor::Cursor;
use crate::rules::{self, SeriesOrder};
use crate::{Exposition, Family, Format, MetricKind, ParseError, Problem, Sample};

/// The families read so far.
pub(crate) struct Assembly {
    format: Format,
    families: Vec<Family>,
    /// Every name a family owns, its samples' names included, and the index of that family.
    owners: HashMap<String, usize>,
    typed: bool,
    order: SeriesOrder,
}

impl Assembly {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            families: Vec::new(),
            owners: HashMap::new(),
            typed: false,
            order: SeriesOrder::default(),
        }
    }

    pub(crate) fn finish(self) -> Exposition {
        Exposition { format: self.format, families: self.families }
    }

    /// `at` is the position of the family's name.
    pub(crate) fn help(
        &mut self,
        line: &Cursor<'_>,
        at: usize,
        name: &str,
        help: String,
    ) -> Result<(), ParseError> {
        let family = self.describe(line, at, name, "HELP")?;
        if family.help.replace(help).is_some() {
            return Err(repeated(line, at, name, "HELP"));
        }
        Ok(())
    }

    /// `at` is the position of the family's name, `word_at` that of the type.
    pub(crate) fn kind(
        &mut self,
        line: &Cursor<'_>,
        (at, name): (usize, &str),
        (word_at, word): (usize, &str),
    ) -> Result<(), ParseError> {
        let format = self.format;
        let Some(kind) = MetricKind::from_word(word, format) else {
            return Err(line.error_at(word_at, Problem::UnknownType { word: word.to_owned() }));
        };
        self.describe(line, at, name, "TYPE")?;
        if std::mem::replace(&mut self.typed, true) {
            return Err(repeated(line, at, name, "TYPE"));
        }
        let index = self.families.len() - 1;
        self.families[index].kind = kind;
        for suffix in kind.suffixes(format) {
            let owned = format!("{name}{suffix}");
            if let Some(&owner) = self.owners.get(&owned).filter(|owner| **owner != index) {
                let family = self.families[owner].name.clone();
                return Err(line.error_at(at, Problem::NameClash { name: owned, family }));
            }
            self.owners.insert(owned, index);
        }
        rules::check_unit(&self.families[index]).map_err(|problem| line.error_at(word_at, problem))
    }

    /// `at` is the position of the family's name, `unit_at` that of the unit.
    pub(crate) fn unit(
        &mut self,
        line: &Cursor<'_>,
        (at, name): (usize, &str),
        (unit_at, unit): (usize, &str),
    ) -> Result<(), ParseError> {
        let family = self.describe(line, at, name, "UNIT")?;
        if family.unit.replace(unit.to_owned()).is_some() {
            return Err(repeated(line, at, name, "UNIT"));
        }
        rules::check_unit(family).map_err(|problem| line.error_at(unit_at, problem))
    }

    /// `at` is the position of the sample's name, which every problem of the sample as a whole points at.
    pub(crate) fn sample(&mut self, line: &Cursor<'_>, at: usize, sample: Sample) -> Result<(), ParseError> {
        let index = match self.owners.get(&sample.name) {
            None => self.open(line, at, &sample.name)?,
            Some(&owner) if owner + 1 == self.families.len() => owner,
            Some(&owner) => {
                let family = self.families[owner].name.clone();
                return Err(line.error_at(at, Problem::FamilyReopened { family }));
            }
        };
        let family = &mut self.families[index];
        rules::check_sample(family, &sample, self.format)
            .and_then(|()| self.order.admit(family, &sample, self.format))
            .map_err(|problem| line.error_at(at, problem))?;
        family.samples.push(sample);
        Ok(())
    }

    /// The open family, opened now if `name` is new.
    fn describe(
        &mut self,
        line: &Cursor<'_>,
        at: usize,
        name: &str,
        keyword: &'static str,
    ) -> Result<&mut Family, ParseError> {
        let index = match self.families.last() {
            Some(family) if family.name == name => {
                if !family.samples.is_empty() {
                    let family = name.to_owned();
                    return Err(line.error_at(at, Problem::MetadataAfterSamples { keyword, family }));
                }
                self.families.len() - 1
            }
            _ => self.open(line, at, name)?,
        };
        Ok(&mut self.families[index])
    }

    fn open(&mut self, line: &Cursor<'_>, at: usize, name: &str) -> Result<usize, ParseError> {
        if let Some(&owner) = self.owners.get(name) {
            return Err(self.clash(line, at, name, owner));
        }
        let index = self.families.len();
        self.owners.insert(name.to_owned(), index);
        self.families.push(Family {
            name: name.to_owned(),
            kind: MetricKind::Unknown,
            help: None,
            unit: None,
            samples: Vec::new(),
        });
        self.typed = false;
        self.order = SeriesOrder::default();
        Ok(index)
    }

    fn clash(&self, line: &Cursor<'_>, at: usize, name: &str, owner: usize) -> ParseError {
        let family = self.families[owner].name.clone();
        let problem = if family == name {
            Problem::FamilyReopened { family }
        } else {
            Problem::NameClash { name: name.to_owned(), family }
        };
        line.error_at(at, problem)
    }
}

fn repeated(line: &Cursor<'_>, at: usize, name: &str, keyword: &'static str) -> ParseError {
    line.error_at(at, Problem::RepeatedMetadata { keyword, family: name.to_owned() })
}

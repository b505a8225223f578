//! Rule files in compressed time: every duration of rules and groups divided, what cannot be compressed left out.

use std::collections::BTreeMap;

use serde_yaml::{Mapping, Value};

use super::CompressError;
use super::monitors::Scaler;
use super::outcome::{RuleFate, RuleKind, RuleOutcome};
use super::rule_results::Scaled;
use super::rule_set::RuleSet;
use crate::change::{Change, ChangeClass};
use crate::promql::parse;
use crate::promql::scale::{NotCompressible, ScaledExpression};
use crate::rules::{Rule, RuleGroup};
use crate::yaml::{self, ConfigError};

/// Rule files in compressed time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaledRules {
    /// The files by their path, without the rules that are left out.
    pub files: BTreeMap<String, String>,
    /// Every rule in the order of files, and what became of it.
    pub rules: Vec<RuleOutcome>,
    /// Every change, and everything that was assumed.
    pub changes: Vec<Change>,
}

impl RuleSet {
    /// Divides every duration of the rules by `speed`, and leaves out what cannot be compressed and what reads it. At
    /// speed 1 nothing changes, and every rule is exact.
    pub fn scale(&self, speed: u32) -> Result<ScaledRules, CompressError> {
        match speed {
            0 => return Err(CompressError::Zero),
            1 => return Ok(self.unscaled()),
            _ => {}
        }
        let (interval, largest) = self.narrowest();
        if speed > largest {
            return Err(CompressError::TooFast { speed, interval, largest });
        }
        let mut scaled = ScaledRules {
            files: BTreeMap::new(),
            rules: Vec::with_capacity(self.count()),
            changes: Vec::new(),
        };
        let mut results = self.results(speed).into_iter().zip(self.lines.iter().copied());
        for (path, file) in &self.loaded.files {
            let mut tree = yaml::tree(path, &self.texts[path])?;
            for (group, entry) in file.groups.iter().zip(yaml::items_mut(&mut tree, "groups")) {
                let mut place =
                    Place { file: path, group, speed, notes: Vec::new(), class: ChangeClass::Exact };
                place.scale_group(entry, &mut scaled.changes)?;
                place.scale_rules(entry, results.by_ref().take(group.rules.len()), &mut scaled)?;
            }
            scaled.files.insert(path.clone(), yaml::write(&tree));
        }
        Ok(scaled)
    }

    fn unscaled(&self) -> ScaledRules {
        let rules = self.loaded.iter().zip(&self.lines).map(|((path, group, rule), line)| {
            let fate = RuleFate::Compressed {
                class: ChangeClass::Exact,
                notes: Vec::new(),
                after: rule.expr().trim().to_owned(),
            };
            outcome(path, group, rule, *line, fate)
        });
        ScaledRules { files: self.texts.clone(), rules: rules.collect(), changes: Vec::new() }
    }
}

fn outcome(path: &str, group: &RuleGroup, rule: &Rule, line: usize, fate: RuleFate) -> RuleOutcome {
    let kind = match rule {
        Rule::Alerting(_) => RuleKind::Alert,
        Rule::Recording(_) => RuleKind::Recording,
    };
    RuleOutcome {
        file: path.to_owned(),
        line,
        group: group.name.clone(),
        rule: rule.name().to_owned(),
        kind,
        before: rule.expr().trim().to_owned(),
        fate,
    }
}

/// A group that is being rewritten, and what its own durations do to every rule in it.
struct Place<'a> {
    file: &'a str,
    group: &'a RuleGroup,
    speed: u32,
    notes: Vec<String>,
    class: ChangeClass,
}

impl Place<'_> {
    fn scale_group(&mut self, entry: &mut Value, changes: &mut Vec<Change>) -> Result<(), ConfigError> {
        let Some(mapping) = entry.as_mapping_mut() else { return Ok(()) };
        let mut made = Vec::new();
        let mut durations = Scaler { file: self.file, speed: self.speed, changes: &mut made };
        let place = format!("group {}: ", self.group.name);
        durations.scale_present(mapping, &place, "interval")?;
        durations.scale_present(mapping, &place, "query_offset")?;
        self.class = weakest(&made);
        self.notes = made.iter().filter_map(|change| said(change, &place, "the group's ")).collect();
        changes.append(&mut made);
        Ok(())
    }

    fn scale_rules(
        &self,
        entry: &mut Value,
        results: impl Iterator<Item = (Scaled, usize)>,
        scaled: &mut ScaledRules,
    ) -> Result<(), ConfigError> {
        let mut nothing = Vec::new();
        let entries = entry.get_mut("rules").and_then(Value::as_sequence_mut).unwrap_or(&mut nothing);
        let mut kept = Vec::with_capacity(entries.len());
        for ((rule, (result, line)), mut entry) in
            self.group.rules.iter().zip(results).zip(std::mem::take(entries))
        {
            let fate = match result {
                Ok(expression) => {
                    let fate = self.rewrite(rule, expression, &mut entry, &mut scaled.changes)?;
                    kept.push(entry);
                    fate
                }
                Err(NotCompressible { reason, largest_factor, .. }) => {
                    RuleFate::NotCompressible { reason, largest_factor }
                }
            };
            scaled.rules.push(outcome(self.file, self.group, rule, line, fate));
        }
        *entries = kept;
        Ok(())
    }

    fn rewrite(
        &self,
        rule: &Rule,
        scaled: ScaledExpression,
        entry: &mut Value,
        changes: &mut Vec<Change>,
    ) -> Result<RuleFate, ConfigError> {
        let place = format!("rule {}: ", rule.name());
        let ScaledExpression { text, class, mut notes, .. } = scaled;
        let mut made = Vec::new();
        if let Some(mapping) = entry.as_mapping_mut() {
            let mut durations = Scaler { file: self.file, speed: self.speed, changes: &mut made };
            durations.scale_present(mapping, &place, "for")?;
            durations.scale_present(mapping, &place, "keep_firing_for")?;
            let expression = self.rewrite_expression(rule, (&text, class), &notes.join("; "), mapping);
            changes.extend(expression);
        }
        if let Rule::Alerting(alert) = rule {
            let texts = alert.labels.iter().chain(&alert.annotations);
            made.extend(texts.filter(|(_, text)| queries(text)).map(|(name, text)| Change {
                file: self.file.to_owned(),
                what: format!("{place}{name}"),
                from: text.clone(),
                to: text.clone(),
                class: ChangeClass::Assumed,
                note: "queries in templates are not compressed".to_owned(),
            }));
        }
        notes.extend(made.iter().filter_map(|change| said(change, &place, "")));
        notes.extend(self.notes.iter().cloned());
        let class = class.max(weakest(&made)).max(self.class);
        changes.append(&mut made);
        Ok(RuleFate::Compressed { class, notes, after: text })
    }

    /// Writes the expression, and gives the change if it is one.
    fn rewrite_expression(
        &self,
        rule: &Rule,
        (text, class): (&str, ChangeClass),
        note: &str,
        mapping: &mut Mapping,
    ) -> Option<Change> {
        let printed = parse(rule.expr()).map_or_else(|_| rule.expr().to_owned(), |expr| expr.to_string());
        // An expression without durations keeps its own formatting.
        if text != printed {
            mapping.insert("expr".into(), text.into());
        }
        (text != printed || class != ChangeClass::Exact).then(|| Change {
            file: self.file.to_owned(),
            what: format!("rule {}: expr", rule.name()),
            from: rule.expr().trim().to_owned(),
            to: text.to_owned(),
            class,
            note: note.to_owned(),
        })
    }
}

fn weakest(changes: &[Change]) -> ChangeClass {
    changes.iter().map(|change| change.class).max().unwrap_or(ChangeClass::Exact)
}

/// A change that is not exact, as a note of the rule: `for 1m40s becomes 14s286ms: rounded to a whole millisecond`.
fn said(change: &Change, place: &str, whose: &str) -> Option<String> {
    let what = change.what.strip_prefix(place).unwrap_or(&change.what);
    match change.class {
        ChangeClass::Exact => None,
        ChangeClass::Adjusted => {
            Some(format!("{whose}{what} {} becomes {}: {}", change.from, change.to, change.note))
        }
        ChangeClass::Assumed => Some(format!("{whose}{what}: {}", change.note)),
    }
}

fn queries(template: &str) -> bool {
    template
        .split("{{")
        .skip(1)
        .filter_map(|part| part.split("}}").next())
        .any(|action| action.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "query"))
}

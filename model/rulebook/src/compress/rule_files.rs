//! The durations of rules and groups, and the rules that have to be left out.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_yaml::{Mapping, Value};

use super::monitors::Scaler;
use super::{Compressed, LeftOut};
use crate::change::{Change, ChangeClass};
use crate::duration::{divide, format_duration, milliseconds};
use crate::folder::ConfigFolder;
use crate::labels::MatchOperator;
use crate::prometheus::PrometheusConfig;
use crate::promql::scale::{NotCompressible, ScaledExpression, Scaling};
use crate::promql::selectors::{SelectorInfo, history_of, selectors_of};
use crate::promql::{RecordingRules, parse};
use crate::rules::{LoadedRules, Rule, RuleGroup};
use crate::yaml::{self, ConfigError};

/// A drill fills the longest window of its rules with steady load before it starts: more real time than this it does
/// not take.
const LONGEST_HISTORY: Duration = Duration::from_mins(15);

/// Scales every rule file, leaving out what cannot be scaled and what reads it.
pub(super) fn compress(
    folder: &ConfigFolder,
    speed: u32,
    compressed: &mut Compressed,
) -> Result<(), ConfigError> {
    let loaded = folder.rules()?;
    check_expressions(folder, &loaded)?;
    let context = Context {
        speed,
        prometheus: &folder.prometheus()?,
        recording: &RecordingRules::of(&loaded)?,
        declared: &folder.firedrill()?,
        loaded: &loaded,
    };
    let lost = context.lost_recordings();
    for (path, file) in &loaded.files {
        let mut tree = yaml::tree(path, folder.text(path)?)?;
        for (group, entry) in file.groups.iter().zip(yaml::items_mut(&mut tree, "groups")) {
            context.group(path, group, entry, &lost, compressed)?;
        }
        compressed.folder.files.insert(path.clone(), yaml::write(&tree));
    }
    Ok(())
}

fn check_expressions(folder: &ConfigFolder, loaded: &LoadedRules) -> Result<(), ConfigError> {
    for (path, _, rule) in loaded.iter() {
        parse(rule.expr()).map_err(|error| {
            let text = folder.text(path).unwrap_or_default();
            ConfigError::at_text(path, text, rule.name(), format!("rule {}: {error}", rule.name()))
        })?;
    }
    Ok(())
}

struct Context<'a> {
    speed: u32,
    prometheus: &'a PrometheusConfig,
    recording: &'a RecordingRules,
    declared: &'a crate::firedrill_yaml::FiredrillConfig,
    loaded: &'a LoadedRules,
}

impl Context<'_> {
    /// Recorded metrics that will not be recorded, because their rule or one that it reads cannot be compressed.
    fn lost_recordings(&self) -> BTreeSet<String> {
        let mut lost = BTreeSet::new();
        loop {
            let more: Vec<_> = self
                .loaded
                .iter()
                .filter(|(_, _, rule)| matches!(rule, Rule::Recording(_)) && !lost.contains(rule.name()))
                .filter(|(_, _, rule)| self.scaled(rule, &lost).is_err())
                .map(|(_, _, rule)| rule.name().to_owned())
                .collect();
            if more.is_empty() {
                return lost;
            }
            lost.extend(more);
        }
    }

    fn group(
        &self,
        path: &str,
        group: &RuleGroup,
        entry: &mut Value,
        lost: &BTreeSet<String>,
        compressed: &mut Compressed,
    ) -> Result<(), ConfigError> {
        let mut durations = Scaler { file: path, speed: self.speed, changes: &mut compressed.changes };
        if let Some(mapping) = entry.as_mapping_mut() {
            let place = format!("group {}: ", group.name);
            durations.scale_present(mapping, &place, "interval")?;
            durations.scale_present(mapping, &place, "query_offset")?;
        }
        let Some(entries) = entry.get_mut("rules").and_then(Value::as_sequence_mut) else { return Ok(()) };
        let mut kept = Vec::with_capacity(entries.len());
        for (rule, mut entry) in group.rules.iter().zip(std::mem::take(entries)) {
            match self.scaled(rule, lost) {
                Ok(scaled) => {
                    if let Some(mapping) = entry.as_mapping_mut() {
                        self.rewrite(path, rule, scaled, mapping, &mut compressed.changes)?;
                    }
                    kept.push(entry);
                }
                Err(refused) => compressed.left_out.push(LeftOut {
                    file: path.to_owned(),
                    group: group.name.clone(),
                    rule: rule.name().to_owned(),
                    reason: refused.reason,
                    largest_factor: refused.largest_factor,
                }),
            }
        }
        *entries = kept;
        Ok(())
    }

    fn scaled(&self, rule: &Rule, lost: &BTreeSet<String>) -> Result<ScaledExpression, NotCompressible> {
        let expr = parse(rule.expr()).map_err(|error| NotCompressible::at_any_factor(error.to_string()))?;
        if let Some(metric) = selectors_of(&expr)
            .into_iter()
            .filter_map(|read| read.metric)
            .find(|metric| lost.contains(metric))
        {
            return Err(NotCompressible::at_any_factor(format!(
                "it reads {metric}, which is recorded by a rule that cannot be compressed"
            )));
        }
        let history = history_of(&expr, self.recording);
        if divide(history, self.speed).value > LONGEST_HISTORY {
            return Err(NotCompressible::at_any_factor(format!(
                "it looks back {}, which is beyond a drill",
                format_duration(history)
            )));
        }
        if let Rule::Alerting(alert) = rule {
            for (key, duration) in [("for", alert.r#for), ("keep_firing_for", alert.keep_firing_for)] {
                if !duration.is_zero() && divide(duration, self.speed).value.is_zero() {
                    return Err(NotCompressible {
                        reason: format!("its {key} {} would vanish", format_duration(duration)),
                        largest_factor: u32::try_from(milliseconds(duration)).ok(),
                    });
                }
            }
        }
        let sample_interval = |read: &SelectorInfo| self.sample_interval(read);
        Scaling {
            factor: self.speed,
            declared: self.declared,
            rules: self.recording,
            sample_interval: &sample_interval,
            evaluation_interval: self.prometheus.evaluation_interval,
        }
        .expression(rule.expr())
    }

    fn rewrite(
        &self,
        path: &str,
        rule: &Rule,
        scaled: ScaledExpression,
        mapping: &mut Mapping,
        changes: &mut Vec<Change>,
    ) -> Result<(), ConfigError> {
        let place = format!("rule {}: ", rule.name());
        let printed = parse(rule.expr()).map_or_else(|_| rule.expr().to_owned(), |expr| expr.to_string());
        // An expression without durations keeps its own formatting.
        if scaled.text != printed {
            mapping.insert("expr".into(), scaled.text.clone().into());
        }
        if scaled.text != printed || scaled.class != ChangeClass::Exact {
            changes.push(Change {
                file: path.to_owned(),
                what: format!("{place}expr"),
                from: rule.expr().trim().to_owned(),
                to: scaled.text,
                class: scaled.class,
                note: scaled.notes.join("; "),
            });
        }
        let mut durations = Scaler { file: path, speed: self.speed, changes };
        durations.scale_present(mapping, &place, "for")?;
        durations.scale_present(mapping, &place, "keep_firing_for")?;
        if let Rule::Alerting(alert) = rule {
            let texts = alert.labels.iter().chain(&alert.annotations);
            changes.extend(texts.filter(|(_, text)| queries(text)).map(|(name, text)| Change {
                file: path.to_owned(),
                what: format!("{place}{name}"),
                from: text.clone(),
                to: text.clone(),
                class: ChangeClass::Assumed,
                note: "queries in templates are not compressed".to_owned(),
            }));
        }
        Ok(())
    }

    /// The interval between the samples of a selector: of the group that records it, of the job it names, or the
    /// global one.
    fn sample_interval(&self, read: &SelectorInfo) -> Duration {
        let recorded = read.metric.as_deref().and_then(|metric| {
            self.loaded
                .iter()
                .filter(|(_, _, rule)| matches!(rule, Rule::Recording(_)) && rule.name() == metric)
                .map(|(_, group, _)| group.interval.unwrap_or(self.prometheus.evaluation_interval))
                .max()
        });
        let of_job = || {
            read.matchers
                .iter()
                .find(|matcher| matcher.name() == "job" && matcher.operator() == MatchOperator::Equal)
                .and_then(|matcher| self.prometheus.job(matcher.value()))
                .map(|job| job.scrape_interval)
        };
        recorded.or_else(of_job).unwrap_or(self.prometheus.scrape_interval)
    }
}

fn queries(template: &str) -> bool {
    template
        .split("{{")
        .skip(1)
        .filter_map(|part| part.split("}}").next())
        .any(|action| action.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "query"))
}

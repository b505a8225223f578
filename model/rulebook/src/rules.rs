//! Rule files: groups of recording and alerting rules.
//!
//! Expressions are kept as text; what they mean is `promql`'s.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_yaml::Value;

use crate::duration::deserialize_option;
use crate::labels::Labels;
use crate::promql::RulePosition;
use crate::yaml::{self, ConfigError};

/// All rule files of a configuration, in the order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadedRules {
    /// Path and content.
    pub files: Vec<(String, RuleFile)>,
}

impl LoadedRules {
    /// Every rule with its file and group, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RuleGroup, &Rule)> {
        self.files.iter().flat_map(|(path, file)| {
            file.groups
                .iter()
                .flat_map(move |group| group.rules.iter().map(move |rule| (path.as_str(), group, rule)))
        })
    }

    /// Every alerting rule of that name, with its place and group: a name may be used more than once.
    pub fn alerts<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = (RulePosition, &'a RuleGroup, &'a AlertingRule)> {
        let groups =
            self.files.iter().flat_map(|(path, file)| file.groups.iter().map(move |group| (path, group)));
        groups.flat_map(move |(path, group)| {
            group.rules.iter().enumerate().filter_map(move |(index, rule)| match rule {
                Rule::Alerting(alert) if alert.name == name => {
                    let position = RulePosition { file: path.clone(), group: group.name.clone(), index };
                    Some((position, group, alert))
                }
                _ => None,
            })
        })
    }
}

/// One rule file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFile {
    /// Groups in the order of the file.
    pub groups: Vec<RuleGroup>,
}

/// Rules that are evaluated together, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleGroup {
    /// The group's name.
    pub name: String,
    /// Its own evaluation interval, if it sets one.
    pub interval: Option<Duration>,
    /// Rules in their order of evaluation.
    pub rules: Vec<Rule>,
}

/// A rule of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Turns an expression into alerts.
    Alerting(AlertingRule),
    /// Turns an expression into a series.
    Recording(RecordingRule),
}

/// A rule with `alert:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertingRule {
    /// The alert's name.
    pub name: String,
    /// Its condition.
    pub expr: String,
    /// How long the condition must last before it fires; zero when not set.
    pub r#for: Duration,
    /// How long it goes on firing after the condition ended; zero when not set.
    pub keep_firing_for: Duration,
    /// Labels added to its alerts; templates are not expanded.
    pub labels: Labels,
    /// Annotations; templates are not expanded.
    pub annotations: Labels,
}

/// A rule with `record:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingRule {
    /// Name of the recorded metric.
    pub name: String,
    /// What is recorded.
    pub expr: String,
    /// Labels added to the recorded series.
    pub labels: Labels,
}

impl Rule {
    /// The alert's or the recorded metric's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Alerting(rule) => &rule.name,
            Self::Recording(rule) => &rule.name,
        }
    }

    /// The expression.
    pub fn expr(&self) -> &str {
        match self {
            Self::Alerting(rule) => &rule.expr,
            Self::Recording(rule) => &rule.expr,
        }
    }
}

impl RuleFile {
    /// Reads a rule file that has no path; errors name it `rules`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::parse_named("rules", text)
    }

    /// Reads a rule file; errors name it `file`.
    pub fn parse_named(file: &str, text: &str) -> Result<Self, ConfigError> {
        Self::parse_all(file, text).map_err(|mut problems| problems.swap_remove(0))
    }

    /// Reads a rule file; every rule that is none is an error, at least one if there is any.
    pub(crate) fn parse_all(file: &str, text: &str) -> Result<Self, Vec<ConfigError>> {
        let raw = yaml::read::<Option<RawFile>>(file, text).map_err(|error| vec![error])?.unwrap_or_default();
        let mut problems = Vec::new();
        let mut groups = Vec::new();
        for group in raw.groups.unwrap_or_default() {
            let mut rules = Vec::new();
            for rule in group.rules.unwrap_or_default() {
                match rule.resolve(file, text) {
                    Ok(rule) => rules.push(rule),
                    Err(problem) => problems.push(problem),
                }
            }
            let interval = group.interval.filter(|interval| !interval.is_zero());
            groups.push(RuleGroup { name: group.name, interval, rules });
        }
        if problems.is_empty() { Ok(Self { groups }) } else { Err(problems) }
    }

    /// Whether `text` is meant to be a rule file: it has `groups`, or is broken and mentions them.
    pub fn is_meant_by(text: &str) -> bool {
        match serde_yaml::from_str::<Value>(text) {
            Ok(tree) => tree.get("groups").is_some(),
            Err(_) => {
                text.lines().any(|line| line.trim_start_matches(['{', '"', '\'', ' ']).starts_with("groups"))
            }
        }
    }
}

#[derive(Default, Deserialize)]
struct RawFile {
    groups: Option<Vec<RawGroup>>,
}

#[derive(Deserialize)]
struct RawGroup {
    name: String,
    #[serde(default, deserialize_with = "deserialize_option")]
    interval: Option<Duration>,
    rules: Option<Vec<RawRule>>,
}

#[derive(Deserialize)]
struct RawRule {
    alert: Option<String>,
    record: Option<String>,
    #[serde(deserialize_with = "deserialize_scalar")]
    expr: String,
    #[serde(default, rename = "for", deserialize_with = "deserialize_option")]
    for_: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_option")]
    keep_firing_for: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_labels")]
    labels: Option<Labels>,
    #[serde(default, deserialize_with = "deserialize_labels")]
    annotations: Option<Labels>,
}

impl RawRule {
    fn resolve(self, file: &str, text: &str) -> Result<Rule, ConfigError> {
        let labels = self.labels.unwrap_or_default();
        match (self.alert, self.record) {
            (Some(name), None) => Ok(Rule::Alerting(AlertingRule {
                name,
                expr: self.expr,
                r#for: self.for_.unwrap_or_default(),
                keep_firing_for: self.keep_firing_for.unwrap_or_default(),
                labels,
                annotations: self.annotations.unwrap_or_default(),
            })),
            (None, Some(name)) => Ok(Rule::Recording(RecordingRule { name, expr: self.expr, labels })),
            (Some(name), Some(_)) => {
                Err(ConfigError::at_text(file, text, &name, format!("rule {name} has both alert and record")))
            }
            (None, None) => {
                let needle = format!("expr: {}", self.expr);
                Err(ConfigError::at_text(file, text, &needle, "a rule has neither alert nor record"))
            }
        }
    }
}

/// Labels as Prometheus reads them: an unquoted number or boolean is the text it is spelled with.
pub(crate) fn deserialize_labels<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Labels>, D::Error> {
    let raw = Option::<std::collections::BTreeMap<String, Value>>::deserialize(deserializer)?;
    raw.map(|labels| {
        labels
            .into_iter()
            .map(|(name, value)| scalar(&value).map(|text| (name, text)).map_err(serde::de::Error::custom))
            .collect()
    })
    .transpose()
}

fn deserialize_scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    scalar(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        other => Err(format!("expected a text, found {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Rule, RuleFile};

    #[test]
    fn both_kinds_of_rules_are_read() {
        let text = "groups:\n- name: g\n  interval: 30s\n  rules:\n  - {record: 'a:b', expr: 1}\n  \
                    - {alert: A, expr: 'up == 0', for: 5m, keep_firing_for: 0, labels: {n: 1}}\n";
        let file = RuleFile::parse(text).unwrap();
        assert_eq!(file.groups[0].interval, Some(Duration::from_secs(30)));
        let [Rule::Recording(recording), Rule::Alerting(alert)] = &file.groups[0].rules[..] else {
            panic!("{file:?}")
        };
        assert_eq!((recording.name.as_str(), recording.expr.as_str()), ("a:b", "1"));
        assert_eq!(alert.r#for, Duration::from_mins(5));
        assert_eq!(alert.labels["n"], "1");
    }

    #[test]
    fn a_rule_without_a_name_is_an_error_with_its_line() {
        let error =
            RuleFile::parse_named("rules/x.yml", "groups:\n- name: g\n  rules:\n  - expr: up\n").unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("rules/x.yml", 4), "{error}");
    }

    #[test]
    fn an_empty_file_has_no_groups() {
        assert!(RuleFile::parse("").unwrap().groups.is_empty());
        assert!(RuleFile::parse("groups:\n").unwrap().groups.is_empty());
    }
}

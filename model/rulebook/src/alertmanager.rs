//! What a rehearsal reads from Alertmanager's configuration, from a file or from a running server.
//!
//! Which route an alert takes and what inhibits it is `routing`'s; when a time interval holds is `time_interval`'s.

mod time_interval;

use std::time::Duration;

use serde::Deserialize;
use serde_yaml::{Mapping, Value};

use self::time_interval::RawInterval;
pub use self::time_interval::{Coverage, TimeInterval};
use crate::duration::deserialize_option;
use crate::folder::ALERTMANAGER;
use crate::labels::{LabelMatcher, Labels, MatchOperator, MatcherError, parse_matchers};
use crate::yaml::{self, ConfigError};

/// Alertmanager's configuration. Routes hold what they set themselves; [`AlertmanagerConfig::routes_for`] resolves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerConfig {
    /// How long an alert without an end lives; Prometheus always gives one.
    pub resolve_timeout: Duration,
    /// The root of the routing tree.
    pub route: Route,
    /// Receivers in the order of the file.
    pub receivers: Vec<Receiver>,
    /// Inhibition rules in the order of the file.
    pub inhibit_rules: Vec<InhibitRule>,
    /// Named time intervals.
    pub time_intervals: Vec<TimeInterval>,
}

/// A node of the routing tree, as written: what is `None` is inherited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Name of the receiver.
    pub receiver: Option<String>,
    /// What its groups are made by.
    pub group_by: Option<GroupBy>,
    /// Delay of a new group's first notification.
    pub group_wait: Option<Duration>,
    /// Interval between notifications of a group that changed.
    pub group_interval: Option<Duration>,
    /// Interval after which an unchanged group is notified again.
    pub repeat_interval: Option<Duration>,
    /// All must match, of either notation.
    pub matchers: Vec<LabelMatcher>,
    /// Whether siblings after this route are tried too.
    pub continues: bool,
    /// Names of intervals in which it is silent.
    pub mute_time_intervals: Vec<String>,
    /// Names of intervals outside of which it is silent.
    pub active_time_intervals: Vec<String>,
    /// Children, tried in order.
    pub routes: Vec<Route>,
}

/// What alerts are grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// Equal values of these labels make a group; no label: one group for all.
    Labels(Vec<String>),
    /// `['...']`: every label set is a group of its own.
    All,
}

/// A receiver and its integrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// Its webhooks in the order of the file.
    pub webhooks: Vec<Webhook>,
    /// Kinds of its other integrations, one entry each: `email`, `slack`.
    pub others: Vec<String>,
}

/// A webhook integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where it posts to, as written; running servers may hide it as `<secret>`; `None` when it is in a file.
    pub url: Option<String>,
    /// Whether it is told of ends too.
    pub send_resolved: bool,
    /// Most alerts in one message; 0 is no limit.
    pub max_alerts: u64,
}

/// While a source alert fires, target alerts are not notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InhibitRule {
    /// What the inhibiting alert matches.
    pub source: Vec<LabelMatcher>,
    /// What the inhibited alert matches.
    pub target: Vec<LabelMatcher>,
    /// Labels whose values must be equal in both.
    pub equal: Vec<String>,
}

impl AlertmanagerConfig {
    /// Reads the text of `alertmanager.yml` or of `/api/v2/status`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let raw: Raw = yaml::read(ALERTMANAGER, text)?;
        let located = |error: MatcherError| {
            let needle = error.text.split(['=', '!']).next().unwrap_or_default().trim().to_owned();
            ConfigError::at_text(ALERTMANAGER, text, &needle, error.to_string())
        };
        let intervals = raw.time_intervals.into_iter().flatten();
        let legacy_intervals = raw.mute_time_intervals.into_iter().flatten();
        let config = Self {
            resolve_timeout: raw
                .global
                .and_then(|global| global.resolve_timeout)
                .unwrap_or(Duration::from_mins(5)),
            route: raw.route.resolve().map_err(located)?,
            receivers: raw
                .receivers
                .iter()
                .map(receiver)
                .collect::<Result<_, _>>()
                .map_err(|problem| ConfigError::at_text(ALERTMANAGER, text, "receivers", problem))?,
            inhibit_rules: raw
                .inhibit_rules
                .into_iter()
                .flatten()
                .map(RawInhibit::resolve)
                .collect::<Result<_, _>>()
                .map_err(located)?,
            time_intervals: intervals
                .chain(legacy_intervals)
                .map(|raw| {
                    let name = raw.name.clone();
                    raw.resolve().map_err(|problem| {
                        ConfigError::at_text(
                            ALERTMANAGER,
                            text,
                            &name,
                            format!("time interval {name}: {problem}"),
                        )
                    })
                })
                .collect::<Result<_, _>>()?,
        };
        if config.route.receiver.is_none() {
            return Err(ConfigError::at_text(ALERTMANAGER, text, "route", "the root route has no receiver"));
        }
        Ok(config)
    }

    /// The receiver of that name.
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name == name)
    }

    /// Whether the time interval of that name covers every moment.
    pub fn is_always(&self, time_interval: &str) -> bool {
        self.time_intervals.iter().any(|interval| interval.name == time_interval && interval.always)
    }
}

#[derive(Deserialize)]
struct Raw {
    global: Option<RawGlobal>,
    route: RawRoute,
    #[serde(default)]
    receivers: Vec<Mapping>,
    inhibit_rules: Option<Vec<RawInhibit>>,
    time_intervals: Option<Vec<RawInterval>>,
    mute_time_intervals: Option<Vec<RawInterval>>,
}

#[derive(Deserialize)]
struct RawGlobal {
    #[serde(default, deserialize_with = "deserialize_option")]
    resolve_timeout: Option<Duration>,
}

#[derive(Deserialize)]
struct RawRoute {
    receiver: Option<String>,
    group_by: Option<Vec<String>>,
    #[serde(default, deserialize_with = "deserialize_option")]
    group_wait: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_option")]
    group_interval: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_option")]
    repeat_interval: Option<Duration>,
    matchers: Option<Vec<String>>,
    #[serde(default, rename = "match", deserialize_with = "crate::rules::deserialize_labels")]
    match_equal: Option<Labels>,
    match_re: Option<Labels>,
    #[serde(default, rename = "continue")]
    continues: Value,
    mute_time_intervals: Option<Vec<String>>,
    active_time_intervals: Option<Vec<String>>,
    routes: Option<Vec<RawRoute>>,
}

impl RawRoute {
    fn resolve(self) -> Result<Route, MatcherError> {
        Ok(Route {
            receiver: self.receiver.filter(|name| !name.is_empty()),
            group_by: self.group_by.map(|labels| {
                if labels.iter().any(|label| label == "...") { GroupBy::All } else { GroupBy::Labels(labels) }
            }),
            group_wait: self.group_wait,
            group_interval: self.group_interval,
            repeat_interval: self.repeat_interval,
            matchers: all_matchers(self.matchers, self.match_equal, self.match_re)?,
            continues: yaml::truth(&self.continues).unwrap_or(false),
            mute_time_intervals: self.mute_time_intervals.unwrap_or_default(),
            active_time_intervals: self.active_time_intervals.unwrap_or_default(),
            routes: self.routes.into_iter().flatten().map(Self::resolve).collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Deserialize)]
struct RawInhibit {
    source_matchers: Option<Vec<String>>,
    #[serde(default, deserialize_with = "crate::rules::deserialize_labels")]
    source_match: Option<Labels>,
    source_match_re: Option<Labels>,
    target_matchers: Option<Vec<String>>,
    #[serde(default, deserialize_with = "crate::rules::deserialize_labels")]
    target_match: Option<Labels>,
    target_match_re: Option<Labels>,
    equal: Option<Vec<String>>,
}

impl RawInhibit {
    fn resolve(self) -> Result<InhibitRule, MatcherError> {
        Ok(InhibitRule {
            source: all_matchers(self.source_matchers, self.source_match, self.source_match_re)?,
            target: all_matchers(self.target_matchers, self.target_match, self.target_match_re)?,
            equal: self.equal.unwrap_or_default(),
        })
    }
}

/// The matchers of all three notations together.
fn all_matchers(
    modern: Option<Vec<String>>,
    equal: Option<Labels>,
    regex: Option<Labels>,
) -> Result<Vec<LabelMatcher>, MatcherError> {
    let mut matchers = Vec::new();
    for text in modern.into_iter().flatten() {
        matchers.extend(parse_matchers(&text)?);
    }
    for (operator, legacy) in [(MatchOperator::Equal, equal), (MatchOperator::Regex, regex)] {
        for (name, value) in legacy.into_iter().flatten() {
            matchers.push(LabelMatcher::new(&name, operator, &value)?);
        }
    }
    Ok(matchers)
}

fn receiver(raw: &Mapping) -> Result<Receiver, String> {
    let name = raw.get("name").and_then(Value::as_str).ok_or("a receiver has no name")?.to_owned();
    let (mut webhooks, mut others) = (Vec::new(), Vec::new());
    for (key, value) in raw {
        let kind = key.as_str().and_then(|key| key.strip_suffix("_configs"));
        let integrations = value.as_sequence().map_or(&[][..], Vec::as_slice);
        match kind {
            Some("webhook") => webhooks.extend(integrations.iter().map(webhook)),
            Some(kind) => others.extend(integrations.iter().map(|_| kind.to_owned())),
            None => {}
        }
    }
    Ok(Receiver { name, webhooks, others })
}

fn webhook(raw: &Value) -> Webhook {
    Webhook {
        url: raw.get("url").and_then(Value::as_str).map(str::to_owned),
        send_resolved: sends_resolved(raw),
        max_alerts: raw.get("max_alerts").and_then(Value::as_u64).unwrap_or(0),
    }
}

/// A webhook's `send_resolved`, true when not set.
pub(crate) fn sends_resolved(webhook: &Value) -> bool {
    webhook.get("send_resolved").and_then(yaml::truth).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::{AlertmanagerConfig, GroupBy};

    #[test]
    fn receivers_routes_and_intervals_are_read() {
        let text = "route: {receiver: a, group_by: ['...'], routes: [{receiver: b, continue: yes, match: {s: x}, match_re: {t: 'y|z'}}]}\n\
            receivers: [{name: a, webhook_configs: [{url: 'http://x/y', send_resolved: false}, {url: <secret>, max_alerts: 3}], \
            slack_configs: [{channel: c}]}, {name: b}]\n\
            time_intervals:\n- {name: all, time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]}\n\
            - {name: night, time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}]}]}\n- {name: never}\n";
        let config = AlertmanagerConfig::parse(text).unwrap();
        assert_eq!(config.route.group_by, Some(GroupBy::All));
        assert_eq!(config.route.routes[0].matchers.len(), 2);
        assert!(config.route.routes[0].continues && !config.route.continues);
        let receiver = config.receiver("a").unwrap();
        assert!(!receiver.webhooks[0].send_resolved);
        assert!(receiver.webhooks[1].send_resolved);
        assert_eq!(receiver.webhooks[1].max_alerts, 3);
        assert_eq!(receiver.others, ["slack"]);
        assert!(config.is_always("all") && !config.is_always("night") && !config.is_always("never"));
    }

    #[test]
    fn a_broken_matcher_is_an_error_with_its_line() {
        let error =
            AlertmanagerConfig::parse("route:\n  receiver: a\n  routes:\n  - matchers: ['sev=~\"(\"']\n")
                .unwrap_err();
        assert_eq!(error.line, 4, "{error}");
    }
}

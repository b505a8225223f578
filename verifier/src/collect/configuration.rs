//! The configuration of the running servers.

use firedrill_monitoring_api::prometheus::{Flags, Rule, RuleGroup, RuleGroups, RuleHealth};
use firedrill_rulebook::parse_duration;
use jiff::Timestamp;

use crate::evidence::LiveRule;

/// The loaded rules, in the order of their groups.
pub(super) fn live_rules(groups: &RuleGroups) -> Vec<LiveRule> {
    groups
        .groups
        .iter()
        .flat_map(|group| {
            let named = group_name(group);
            let interval = group.interval.as_secs_f64();
            group.rules.iter().map(move |rule| match rule {
                Rule::Alerting(rule) => LiveRule {
                    group: named.clone(),
                    interval,
                    alerting: true,
                    name: rule.name.clone(),
                    expr: rule.query.clone(),
                    r#for: rule.duration.as_secs_f64(),
                    keep_firing_for: rule.keep_firing_for.as_secs_f64(),
                    labels: rule.labels.clone(),
                    health: word(rule.health).to_owned(),
                    last_error: rule.last_error.clone().unwrap_or_default(),
                },
                Rule::Recording(rule) => LiveRule {
                    group: named.clone(),
                    interval,
                    alerting: false,
                    name: rule.name.clone(),
                    expr: rule.query.clone(),
                    r#for: 0.0,
                    keep_firing_for: 0.0,
                    labels: rule.labels.clone(),
                    health: word(rule.health).to_owned(),
                    last_error: rule.last_error.clone().unwrap_or_default(),
                },
            })
        })
        .collect()
}

/// `--rules.alert.resend-delay` in seconds, where the server shows its flags.
pub(super) fn resend_delay(flags: &Flags) -> Option<f64> {
    let text = flags.get("rules.alert.resend-delay")?;
    parse_duration(text).ok().map(|delay| delay.as_secs_f64())
}

/// File and name of a group: together they are unique.
pub(super) fn group_name(group: &RuleGroup) -> String {
    format!("{}:{}", group.file, group.name)
}

/// Every group was last evaluated at or after this instant; none when one never was, or there is none.
pub(super) fn evaluated_until(groups: &RuleGroups) -> Option<Timestamp> {
    groups.groups.iter().map(|group| group.last_evaluation).min().flatten()
}

/// The health of a rule in Prometheus's own word.
fn word(health: RuleHealth) -> &'static str {
    match health {
        RuleHealth::Ok => "ok",
        RuleHealth::Err => "err",
        RuleHealth::Unknown => "unknown",
    }
}

//! Finding an alert's rule, its route and its condition in what the servers have loaded.

use firedrill_drill::{AlertExpectation, AlertOutcome};
use firedrill_record::{Labels, Reason};
use firedrill_rulebook::{
    AlertmanagerConfig, Analysis, LoadedRules, PrometheusConfig, RecordingRules, ResolvedRoute, Rule,
    RuleFile, RuleGroup, RulePosition, analyse, longest_history,
};

use super::NoPlan;
use crate::evidence::{LiveConfiguration, LiveRule};

/// The rule that makes the alert: of that name, with no label that contradicts the expected ones.
pub(super) fn rule_of<'a>(
    configuration: &'a LiveConfiguration,
    expectation: &AlertExpectation,
) -> Result<&'a LiveRule, NoPlan> {
    let named =
        || configuration.rules.iter().filter(|rule| rule.alerting && rule.name == expectation.name.as_str());
    let contradiction = |rule: &LiveRule| {
        expectation.labels.iter().find_map(|(name, wanted)| {
            let value = rule.labels.get(name)?;
            (value != wanted && !value.contains("{{")).then(|| format!("{name} is {value:?}, not {wanted:?}"))
        })
    };
    if let Some(rule) = named().find(|rule| contradiction(rule).is_none()) {
        return Ok(rule);
    }
    let loaded = configuration.rules.iter().filter(|rule| rule.alerting).count();
    let why = match named().find_map(contradiction) {
        Some(why) => format!("rule {} is loaded, but its label {why}", expectation.name),
        None => format!("none of the {loaded} loaded alerting rules is named {}", expectation.name),
    };
    Err((Reason::RuleAbsent, why))
}

/// `labels` and those that the target they name adds to every series: routes may read them.
pub(super) fn with_target_labels(prometheus: &PrometheusConfig, labels: &Labels) -> Labels {
    let all = prometheus
        .jobs
        .iter()
        .flat_map(|job| job.targets.iter().map(|target| target.series_labels(&job.name)));
    let mut named = all.filter(|target| {
        let shared = target.iter().filter(|(name, _)| labels.contains_key(*name)).count();
        shared > 0 && target.iter().all(|(name, value)| labels.get(name).is_none_or(|wanted| wanted == value))
    });
    let mut known = labels.clone();
    if let Some(target) = named.next() {
        for (name, value) in target {
            known.entry(name).or_insert(value);
        }
    }
    known
}

pub(super) fn route_of(
    alertmanager: &AlertmanagerConfig,
    labels: &Labels,
    expectation: &AlertExpectation,
) -> Result<ResolvedRoute, NoPlan> {
    let mut routes = alertmanager.routes_for(labels);
    let receivers: Vec<String> =
        routes.iter().map(|route| format!("{} by {}", route.receiver, route.path)).collect();
    let (position, wanted) = match &expectation.outcome {
        AlertOutcome::Notified(receiver) => {
            (routes.iter().position(|route| route.receiver == *receiver), format!("to {receiver}"))
        }
        // Inhibition comes before every route.
        AlertOutcome::InhibitedBy(_) => ((!routes.is_empty()).then_some(0), "anywhere".to_owned()),
    };
    position.map(|position| routes.swap_remove(position)).ok_or_else(|| {
        (Reason::NotRouted, format!("{expectation} is routed to {}, not {wanted}", receivers.join(" and ")))
    })
}

/// What kind of condition a loaded rule has, and how many seconds it looks back, through recording rules.
///
/// # Errors
/// When its expression, or that of a recording rule, cannot be read.
pub(crate) fn analysis_of(
    configuration: &LiveConfiguration,
    rule: &LiveRule,
) -> Result<(Analysis, f64), String> {
    let (rules, position) = as_rulebook(&configuration.rules, rule);
    let recording = RecordingRules::of(&rules).map_err(|error| error.to_string())?;
    let analysis = analyse(&rule.expr, &recording, Some(&position)).map_err(|error| error.to_string())?;
    let history = longest_history(&rule.expr, &recording).map_err(|error| error.to_string())?;
    Ok((analysis, history.as_secs_f64()))
}

/// Seconds by which recording rules in other groups delay what `rule` sees: an interval of their group each.
pub(super) fn recording_delay(
    configuration: &LiveConfiguration,
    analysis: &Analysis,
    rule: &LiveRule,
) -> f64 {
    let late = analysis.recorded.iter().filter(|step| !step.same_evaluation);
    late.map(|step| {
        let of_its_group = configuration.rules.iter().find(|one| one.group == step.position.group);
        of_its_group.map_or(rule.interval, |one| one.interval)
    })
    // The sum of nothing would be -0.
    .fold(0.0, |sum, interval| sum + interval)
}

/// The live rules as the rulebook knows them, and where `wanted` stands among them.
fn as_rulebook(rules: &[LiveRule], wanted: &LiveRule) -> (LoadedRules, RulePosition) {
    let mut groups: Vec<RuleGroup> = Vec::new();
    let mut position = RulePosition { file: String::new(), group: String::new(), index: 0 };
    for rule in rules {
        let index = groups.iter().position(|group| group.name == rule.group).unwrap_or_else(|| {
            groups.push(RuleGroup { name: rule.group.clone(), interval: None, rules: Vec::new() });
            groups.len() - 1
        });
        let group = &mut groups[index];
        if std::ptr::eq(rule, wanted) {
            position =
                RulePosition { file: String::new(), group: rule.group.clone(), index: group.rules.len() };
        }
        group.rules.push(if rule.alerting {
            Rule::Alerting(firedrill_rulebook::AlertingRule {
                name: rule.name.clone(),
                expr: rule.expr.clone(),
                r#for: std::time::Duration::ZERO,
                keep_firing_for: std::time::Duration::ZERO,
                labels: rule.labels.clone(),
                annotations: Labels::new(),
            })
        } else {
            Rule::Recording(firedrill_rulebook::RecordingRule {
                name: rule.name.clone(),
                expr: rule.expr.clone(),
                labels: rule.labels.clone(),
            })
        });
    }
    (LoadedRules { files: vec![(String::new(), RuleFile { groups })] }, position)
}

/// Seconds that any loaded alerting rule but the always-firing ones looks back: what steady load has to fill before a
/// fault may start.
pub fn longest_history_of_all(configuration: &LiveConfiguration, except: &[String]) -> f64 {
    configuration
        .rules
        .iter()
        .filter(|rule| rule.alerting && !except.contains(&rule.name))
        .filter_map(|rule| {
            let (analysis, history) = analysis_of(configuration, rule).ok()?;
            Some(history + rule.interval + recording_delay(configuration, &analysis, rule))
        })
        .fold(0.0, f64::max)
}

//! Which routes an alert takes, with everything inherited resolved, and what inhibits it: Alertmanager's own logic.

use std::time::Duration;

use crate::alertmanager::{AlertmanagerConfig, GroupBy, Route};
use crate::labels::{LabelMatcher, Labels};

const DEFAULT_GROUP_WAIT: Duration = Duration::from_secs(30);
const DEFAULT_GROUP_INTERVAL: Duration = Duration::from_mins(5);
const DEFAULT_REPEAT_INTERVAL: Duration = Duration::from_hours(4);

/// A route that an alert takes, nothing left to inherit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedRoute {
    /// Name of the receiver.
    pub receiver: String,
    /// What its groups are made by.
    pub group_by: GroupBy,
    /// Delay of a new group's first notification.
    pub group_wait: Duration,
    /// Interval between notifications of a group that changed.
    pub group_interval: Duration,
    /// Interval after which an unchanged group is notified again.
    pub repeat_interval: Duration,
    /// Names of intervals in which it is silent; not inherited.
    pub mute_time_intervals: Vec<String>,
    /// Names of intervals outside of which it is silent; not inherited.
    pub active_time_intervals: Vec<String>,
    /// Where it stands in the file: `route`, `route.routes[1]`.
    pub path: String,
}

/// An inhibition that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inhibition<'a> {
    /// Index of the inhibition rule in the file.
    pub rule: usize,
    /// The alert that inhibits.
    pub source: &'a Labels,
}

impl AlertmanagerConfig {
    /// The routes that an alert with these labels takes, in order; at least the root.
    pub fn routes_for(&self, labels: &Labels) -> Vec<ResolvedRoute> {
        let default = ResolvedRoute {
            receiver: String::new(),
            group_by: GroupBy::Labels(Vec::new()),
            group_wait: DEFAULT_GROUP_WAIT,
            group_interval: DEFAULT_GROUP_INTERVAL,
            repeat_interval: DEFAULT_REPEAT_INTERVAL,
            mute_time_intervals: Vec::new(),
            active_time_intervals: Vec::new(),
            path: String::new(),
        };
        let root = resolve(&self.route, &default, "route".to_owned());
        // The root takes every alert: its matchers, which Alertmanager forbids, would not be asked.
        matching(&self.route, &root, labels)
    }

    /// What keeps an alert with the labels `target` from being notified while alerts with the labels `firing` fire.
    pub fn inhibited_by<'a>(
        &self,
        target: &Labels,
        firing: impl IntoIterator<Item = &'a Labels>,
    ) -> Vec<Inhibition<'a>> {
        let firing: Vec<_> = firing.into_iter().collect();
        let mut inhibitions = Vec::new();
        for (index, rule) in self.inhibit_rules.iter().enumerate() {
            if !all_match(&rule.target, target) {
                continue;
            }
            // An alert that matches both sides is not inhibited by another one that does: neither would be notified.
            let target_is_source = all_match(&rule.source, target);
            let inhibits = |source: &Labels| {
                all_match(&rule.source, source)
                    && rule.equal.iter().all(|label| value(source, label) == value(target, label))
                    && !(target_is_source && all_match(&rule.target, source))
            };
            let sources = firing.iter().copied().filter(|source| inhibits(source));
            inhibitions.extend(sources.map(|source| Inhibition { rule: index, source }));
        }
        inhibitions
    }
}

fn matching(route: &Route, resolved: &ResolvedRoute, labels: &Labels) -> Vec<ResolvedRoute> {
    let mut taken = Vec::new();
    for (index, child) in route.routes.iter().enumerate() {
        if !all_match(&child.matchers, labels) {
            continue;
        }
        let child_resolved = resolve(child, resolved, format!("{}.routes[{index}]", resolved.path));
        taken.extend(matching(child, &child_resolved, labels));
        if !child.continues {
            break;
        }
    }
    if taken.is_empty() {
        taken.push(resolved.clone());
    }
    taken
}

fn resolve(route: &Route, parent: &ResolvedRoute, path: String) -> ResolvedRoute {
    ResolvedRoute {
        receiver: route.receiver.clone().unwrap_or_else(|| parent.receiver.clone()),
        group_by: route.group_by.clone().unwrap_or_else(|| parent.group_by.clone()),
        group_wait: route.group_wait.unwrap_or(parent.group_wait),
        group_interval: route.group_interval.unwrap_or(parent.group_interval),
        repeat_interval: route.repeat_interval.unwrap_or(parent.repeat_interval),
        mute_time_intervals: route.mute_time_intervals.clone(),
        active_time_intervals: route.active_time_intervals.clone(),
        path,
    }
}

fn all_match(matchers: &[LabelMatcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

fn value<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::alertmanager::{AlertmanagerConfig, GroupBy};
    use crate::labels::Labels;

    const ROUTES: &str = r#"
route:
  receiver: root
  group_by: [alertname]
  repeat_interval: 1h
  mute_time_intervals: []
  routes:
    - receiver: audit
      matchers: ['audit="yes"']
      continue: true
      mute_time_intervals: [night]
    - match: {severity: critical}
      receiver: pager
      group_wait: 10s
      routes:
        - match_re: {team: "a|b"}
          group_by: ['...']
    - matchers: ['severity="critical"']
      receiver: unreachable
inhibit_rules:
  - source_matchers: ['severity="critical"']
    target_matchers: ['severity="warning"']
    equal: [service]
  - source_matchers: ['kind="x"']
    target_matchers: ['kind=~"x|y"']
receivers: [{name: root}, {name: audit}, {name: pager}, {name: unreachable}]
"#;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn config() -> AlertmanagerConfig {
        AlertmanagerConfig::parse(ROUTES).unwrap()
    }

    fn paths(pairs: &[(&str, &str)]) -> Vec<String> {
        config().routes_for(&labels(pairs)).into_iter().map(|route| route.path).collect()
    }

    #[test]
    fn the_first_matching_route_takes_the_alert_unless_it_continues() {
        assert_eq!(paths(&[]), ["route"]);
        assert_eq!(paths(&[("severity", "critical")]), ["route.routes[1]"]);
        assert_eq!(paths(&[("severity", "critical"), ("team", "b")]), ["route.routes[1].routes[0]"]);
        assert_eq!(
            paths(&[("severity", "critical"), ("audit", "yes")]),
            ["route.routes[0]", "route.routes[1]"]
        );
        assert_eq!(paths(&[("audit", "yes")]), ["route.routes[0]"]);
    }

    #[test]
    fn what_a_route_does_not_set_it_inherits() {
        let route = &config().routes_for(&labels(&[("severity", "critical"), ("team", "a")]))[0];
        assert_eq!(route.receiver, "pager");
        assert_eq!(route.group_by, GroupBy::All);
        assert_eq!(route.group_wait, Duration::from_secs(10));
        assert_eq!(route.group_interval, Duration::from_mins(5));
        assert_eq!(route.repeat_interval, Duration::from_hours(1));
    }

    #[test]
    fn an_alert_is_inhibited_by_a_source_with_equal_labels_only() {
        let config = config();
        let source = labels(&[("severity", "critical"), ("service", "user")]);
        let other = labels(&[("severity", "critical"), ("service", "auth")]);
        let target = labels(&[("severity", "warning"), ("service", "user")]);
        let found = config.inhibited_by(&target, [&other, &source]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rule, found[0].source), (0, &source));
        assert!(config.inhibited_by(&source, [&other]).is_empty());
    }

    #[test]
    fn labels_absent_on_both_sides_are_equal() {
        let source = labels(&[("severity", "critical")]);
        assert_eq!(config().inhibited_by(&labels(&[("severity", "warning")]), [&source]).len(), 1);
    }

    #[test]
    fn alerts_that_match_both_sides_do_not_inhibit_each_other() {
        let (x, y) = (labels(&[("kind", "x")]), labels(&[("kind", "y")]));
        assert!(config().inhibited_by(&x, [&x]).is_empty());
        assert_eq!(config().inhibited_by(&y, [&x]).len(), 1);
    }
}

//! When groups of rules were evaluated, as looks at the rules saw it.

use std::collections::BTreeMap;

use firedrill_monitoring_api::prometheus::RuleGroups;
use jiff::Timestamp;

use super::configuration::group_name;

/// Notes when each group was last evaluated.
pub(super) fn note(groups: &RuleGroups, known: &mut BTreeMap<String, Vec<Timestamp>>) {
    for group in &groups.groups {
        let Some(begun) = group.last_evaluation else { continue };
        let seen = known.entry(group_name(group)).or_default();
        if seen.last().is_none_or(|last| *last < begun) {
            seen.push(begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::at;

    #[test]
    fn each_evaluation_that_a_look_sees_is_kept_once() {
        let mut known = BTreeMap::new();
        for ms in [500, 500, 750, 1_500] {
            let text = format!(
                r#"{{"groups": [{{"name": "g", "file": "f", "interval": 0.25, "limit": 0, "evaluationTime": 0,
                     "lastEvaluation": "{}", "rules": []}}]}}"#,
                at(ms)
            );
            note(&serde_json::from_str(&text).unwrap(), &mut known);
        }
        assert_eq!(known, BTreeMap::from([("f:g".to_owned(), vec![at(500), at(750), at(1_500)])]));
    }
}

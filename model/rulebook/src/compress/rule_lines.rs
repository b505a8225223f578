//! In which lines of a file its rules stand.
//!
//! The reader of `yaml` gives values without places; this one gives places without values. It never says that a file
//! is wrong: what it cannot read is looked for in the text.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::rules::RuleFile;

#[derive(Deserialize)]
struct File {
    groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
struct Rule {
    alert: Option<Spanned<String>>,
    record: Option<Spanned<String>>,
}

/// The line of each rule's name, from 1, in the order of the file.
pub(super) fn rule_lines(file: &RuleFile, text: &str) -> Vec<usize> {
    let names: Vec<&str> =
        file.groups.iter().flat_map(|group| group.rules.iter().map(crate::rules::Rule::name)).collect();
    let places = places(text).filter(|places| places.len() == names.len());
    let place = |index: usize| places.as_ref().and_then(|places| places[index]);
    names.iter().enumerate().map(|(index, name)| place(index).unwrap_or_else(|| first(text, name))).collect()
}

fn places(text: &str) -> Option<Vec<Option<usize>>> {
    let file: File = serde_saphyr::from_str(text).ok()?;
    let rules = file.groups?.into_iter().flat_map(|group| group.rules.unwrap_or_default());
    Some(
        rules
            .map(|rule| {
                let name = rule.alert.or(rule.record)?;
                usize::try_from(name.referenced.line()).ok().filter(|line| *line > 0)
            })
            .collect(),
    )
}

fn first(text: &str, name: &str) -> usize {
    text.lines().position(|line| line.contains(name)).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::rule_lines;
    use crate::rules::RuleFile;

    fn lines(text: &str) -> Vec<usize> {
        rule_lines(&RuleFile::parse(text).unwrap(), text)
    }

    #[test]
    fn rules_of_the_same_name_have_lines_of_their_own() {
        let text = "groups:\n- name: A\n  rules:\n  # A\n  - expr: up\n    alert: A\n  - alert: A\n    expr: up\n\
                    - name: h\n  rules: [{record: 'A:b', expr: up}, {alert: A, expr: up}]\n";
        assert_eq!(lines(text), [6, 7, 10, 10]);
    }

    #[test]
    fn a_name_that_has_no_place_of_its_own_is_looked_for_in_the_text() {
        let text = "groups:\n- name: g\n  rules:\n  - &a {alert: A, expr: up}\n  - {<<: *a, for: 5m}\n";
        let lines = lines(text);
        assert!(lines[0] == 4 && (4..=5).contains(&lines[1]), "{lines:?}");
    }
}

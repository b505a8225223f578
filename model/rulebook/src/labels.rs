//! Label sets and the matchers on them, as Prometheus and Alertmanager share them.
//!
//! Matching itself is promql-parser's: anchored regular expressions, an absent label is the empty text.

use std::collections::BTreeMap;
use std::fmt;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::token::{T_EQL, T_EQL_REGEX, T_NEQ, T_NEQ_REGEX, TokenId};

/// A label set: name to value.
pub type Labels = BTreeMap<String, String>;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOperator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

impl MatchOperator {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }

    fn token(self) -> TokenId {
        match self {
            Self::Equal => T_EQL,
            Self::NotEqual => T_NEQ,
            Self::Regex => T_EQL_REGEX,
            Self::NotRegex => T_NEQ_REGEX,
        }
    }
}

/// A matcher that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a matcher: {problem}")]
pub struct MatcherError {
    /// What was read.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

/// One condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelMatcher(Matcher);

impl LabelMatcher {
    /// A matcher; an error when `value` has to be a regular expression and is none.
    pub fn new(name: &str, operator: MatchOperator, value: &str) -> Result<Self, MatcherError> {
        Matcher::new_matcher(operator.token(), name.to_owned(), value.to_owned()).map(Self).map_err(
            |problem| MatcherError { text: format!("{name}{}{value:?}", operator.as_str()), problem },
        )
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How it compares.
    pub fn operator(&self) -> MatchOperator {
        match self.0.op {
            MatchOp::Equal => MatchOperator::Equal,
            MatchOp::NotEqual => MatchOperator::NotEqual,
            MatchOp::Re(_) => MatchOperator::Regex,
            MatchOp::NotRe(_) => MatchOperator::NotRegex,
        }
    }

    /// What it compares with.
    pub fn value(&self) -> &str {
        &self.0.value
    }

    /// Whether `labels` satisfy the matcher; an absent label is the empty text.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.is_match(labels.get(&self.0.name).map_or("", String::as_str))
    }
}

impl From<&Matcher> for LabelMatcher {
    fn from(matcher: &Matcher) -> Self {
        Self(matcher.clone())
    }
}

impl fmt::Display for LabelMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Reads Alertmanager's notation of matchers: `severity="critical"`, or several as `{a="b",c!~"d.*"}`; values may
/// stand without quotes.
pub fn parse_matchers(text: &str) -> Result<Vec<LabelMatcher>, MatcherError> {
    let trimmed = text.trim();
    let inner = trimmed.strip_prefix('{').map_or(trimmed, |rest| rest.strip_suffix('}').unwrap_or(rest));
    split_outside_quotes(inner)
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .map(parse_matcher)
        .collect()
}

fn parse_matcher(text: &str) -> Result<LabelMatcher, MatcherError> {
    let error = |problem: &str| MatcherError { text: text.trim().to_owned(), problem: problem.to_owned() };
    let start = text.find(['=', '!']).ok_or_else(|| error("there is no operator"))?;
    let (name, rest) = text.split_at(start);
    let (operator, value) =
        [MatchOperator::Regex, MatchOperator::NotRegex, MatchOperator::NotEqual, MatchOperator::Equal]
            .into_iter()
            .find_map(|operator| rest.strip_prefix(operator.as_str()).map(|value| (operator, value)))
            .ok_or_else(|| error("there is no operator"))?;
    let name = unquote(name.trim()).ok_or_else(|| error("the name's quotes are broken"))?;
    if name.is_empty() {
        return Err(error("there is no label name"));
    }
    let value = unquote(value.trim()).ok_or_else(|| error("the value's quotes are broken"))?;
    LabelMatcher::new(&name, operator, &value)
}

/// The text without its quotes and escapes; as it is when there are no quotes; `None` when they do not close.
fn unquote(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else {
        return if text.contains('"') { None } else { Some(text.to_owned()) };
    };
    let mut value = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(value),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                '"' => value.push('"'),
                '\\' => value.push('\\'),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::{Labels, MatchOperator, parse_matchers};

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_notation_of_a_matcher_is_read() {
        for text in [r#"a="b""#, "a=b", r#" a = "b" "#, r#"{a="b"}"#, r#""a"="b""#, r#"{a="b",}"#] {
            let matchers = parse_matchers(text).unwrap();
            assert_eq!(matchers.len(), 1, "{text}");
            assert_eq!((matchers[0].name(), matchers[0].value()), ("a", "b"), "{text}");
        }
        let several = parse_matchers(r#"{a=~"x,y|z", b!~q, c!="\"\\"}"#).unwrap();
        assert_eq!(several.len(), 3);
        assert_eq!(several[0].value(), "x,y|z");
        assert_eq!(several[1].operator(), MatchOperator::NotRegex);
        assert_eq!(several[2].value(), "\"\\");
    }

    #[test]
    fn broken_matchers_are_refused() {
        for text in ["a", "=b", r#"a="b"#, r#"a=~"(""#, r#"a="b"c"#] {
            assert!(parse_matchers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn regular_expressions_are_anchored_and_absent_labels_are_empty() {
        let matcher = &parse_matchers(r#"severity=~"crit|warn""#).unwrap()[0];
        assert!(matcher.matches(&labels(&[("severity", "crit")])));
        assert!(!matcher.matches(&labels(&[("severity", "critical")])));
        assert!(!matcher.matches(&Labels::new()));
        assert!(parse_matchers(r#"team="""#).unwrap()[0].matches(&Labels::new()));
        assert!(parse_matchers(r#"team!="x""#).unwrap()[0].matches(&Labels::new()));
    }
}

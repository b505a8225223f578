//! Matching raw paths against the declared route templates, without allocating.
//!
//! Knows nothing of methods, metrics or of the router that will match the same path again.

use std::cmp::Ordering;

/// Why a route template was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template is not absolute.
    #[error("it does not start with `/`")]
    NotAbsolute,
    /// A brace stands somewhere else than around a whole segment, or around nothing.
    #[error("segment `{segment}` is neither a literal nor a whole `{{name}}`")]
    Segment {
        /// The offending segment.
        segment: String,
    },
    /// `{*rest}` is followed by something.
    #[error("`{{*{name}}}` is not the last segment")]
    RestNotLast {
        /// The name inside the braces.
        name: String,
    },
}

/// One parsed route template, such as `/users/{id}`. Ordered from the most to the least specific.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    // The order of the variants is the order of precedence.
    Literal(String),
    Parameter,
    Rest,
}

impl Template {
    pub(crate) fn parse(template: &str) -> Result<Self, TemplateError> {
        let path = template.strip_prefix('/').ok_or(TemplateError::NotAbsolute)?;
        let mut segments: Vec<Segment> = Vec::new();
        let mut rest_name = None;
        for text in path.split('/') {
            if let Some(name) = rest_name {
                return Err(TemplateError::RestNotLast { name });
            }
            let segment = Segment::parse(text)?;
            if segment == Segment::Rest {
                rest_name = Some(text.trim_matches(['{', '}', '*']).to_owned());
            }
            segments.push(segment);
        }
        Ok(Self { segments })
    }

    /// Whether `path` (without its query) is one this template stands for. A parameter stands for exactly
    /// one non-empty segment, a rest for one or more characters.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let Some(mut remaining) = path.strip_prefix('/') else { return false };
        let last = self.segments.len() - 1;
        for (index, segment) in self.segments.iter().enumerate() {
            let (head, tail) = match remaining.split_once('/') {
                Some((head, tail)) => (head, Some(tail)),
                None => (remaining, None),
            };
            match segment {
                Segment::Rest => return !remaining.is_empty(),
                Segment::Literal(literal) if literal != head => return false,
                Segment::Parameter if head.is_empty() => return false,
                Segment::Literal(_) | Segment::Parameter => {}
            }
            match tail {
                Some(tail) if index < last => remaining = tail,
                None if index == last => return true,
                _ => return false,
            }
        }
        false
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, TemplateError> {
        let refused = || TemplateError::Segment { segment: text.to_owned() };
        let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
            return if text.contains(['{', '}']) {
                Err(refused())
            } else {
                Ok(Self::Literal(text.to_owned()))
            };
        };
        let (kind, name) = match inner.strip_prefix('*') {
            Some(name) => (Self::Rest, name),
            None => (Self::Parameter, inner),
        };
        if name.is_empty() || name.contains(['{', '}', '*']) { Err(refused()) } else { Ok(kind) }
    }
}

impl Ord for Template {
    fn cmp(&self, other: &Self) -> Ordering {
        self.segments.cmp(&other.segments)
    }
}

impl PartialOrd for Template {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(template: &str, path: &str) -> bool {
        Template::parse(template).expect("valid").matches(path)
    }

    #[test]
    fn a_parameter_stands_for_exactly_one_non_empty_segment() {
        assert!(matches("/users/{id}", "/users/7"));
        assert!(!matches("/users/{id}", "/users/"));
        assert!(!matches("/users/{id}", "/users"));
        assert!(!matches("/users/{id}", "/users/7/"));
        assert!(!matches("/users/{id}", "/users/7/posts"));
        assert!(matches("/rooms/{room}/ws", "/rooms/lobby/ws"));
        assert!(!matches("/rooms/{room}/ws", "/rooms//ws"));
    }

    #[test]
    fn a_literal_matches_itself_only() {
        assert!(matches("/", "/"));
        assert!(!matches("/", "/x"));
        assert!(matches("/users", "/users"));
        assert!(!matches("/users", "/users/"));
        assert!(!matches("/users", "/Users"));
        assert!(!matches("/users", "*"));
    }

    #[test]
    fn a_rest_stands_for_everything_that_remains() {
        assert!(matches("/files/{*path}", "/files/a/b/c"));
        assert!(!matches("/files/{*path}", "/files/"));
    }

    #[test]
    fn a_malformed_template_is_refused() {
        assert_eq!(Template::parse("users"), Err(TemplateError::NotAbsolute));
        for template in ["/{}", "/a{b}", "/{a}b", "/{a", "/{*}", "/{a}{b}"] {
            assert!(matches!(Template::parse(template), Err(TemplateError::Segment { .. })), "{template}");
        }
        assert_eq!(Template::parse("/{*a}/b"), Err(TemplateError::RestNotLast { name: "a".to_owned() }));
    }

    /// The straightforward definition, which allocates.
    fn reference(template: &str, path: &str) -> bool {
        let wanted: Vec<&str> = template.split('/').collect();
        let got: Vec<&str> = path.split('/').collect();
        wanted.len() == got.len()
            && wanted.iter().zip(&got).all(|(w, g)| if w.starts_with('{') { !g.is_empty() } else { w == g })
    }

    proptest! {
        #[test]
        fn matching_agrees_with_comparing_the_split_segments(
            template in "(/([ab]|\\{x\\}|)){1,4}",
            path in "(/([abc]|)){1,5}",
        ) {
            prop_assert_eq!(matches(&template, &path), reference(&template, &path));
        }

        #[test]
        fn no_path_and_no_template_panics(template in ".{0,12}", path in ".{0,12}") {
            if let Ok(template) = Template::parse(&template) {
                template.matches(&path);
            }
        }

        #[test]
        fn filling_in_the_parameters_gives_a_path_that_matches(
            template in "(/([a-z]{1,3}|\\{[a-z]\\})){1,5}", value in "[A-Za-z0-9%._~-]{1,8}",
        ) {
            let filled: Vec<&str> =
                template.split('/').map(|s| if s.starts_with('{') { value.as_str() } else { s }).collect();
            let path = filled.join("/");
            prop_assert!(matches(&template, &path));
        }

        #[test]
        fn sorting_puts_a_literal_before_a_parameter(prefix in "(/[a-z]){0,3}", literal in "[a-z]{1,3}") {
            let specific = Template::parse(&format!("{prefix}/{literal}")).expect("valid");
            let general = Template::parse(&format!("{prefix}/{{x}}")).expect("valid");
            prop_assert!(specific < general);
        }
    }
}

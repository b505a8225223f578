//! Conditional requests: entity tags, `If-Match` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1).

use http::header::{self, AsHeaderName, HeaderMap};

/// The strong entity tag of a version.
pub(super) fn entity_tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The entity tags that a request names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`
    Any,
    /// Without their quotes; none of them has a comma.
    Listed(Vec<String>),
}

impl Tags {
    /// Of `If-Match`: weak tags are left out, for they match nothing there. None without the header.
    pub(super) fn if_match(headers: &HeaderMap) -> Option<Self> {
        Self::of(headers, header::IF_MATCH, |tag| tag)
    }

    /// Of `If-None-Match`, where a weak tag is as good as a strong one. None without the header.
    pub(super) fn if_none_match(headers: &HeaderMap) -> Option<Self> {
        Self::of(headers, header::IF_NONE_MATCH, |tag| tag.strip_prefix("W/").unwrap_or(tag))
    }

    // What is no entity tag, or not text, matches nothing.
    fn of(headers: &HeaderMap, name: impl AsHeaderName, strong: fn(&str) -> &str) -> Option<Self> {
        let mut values = headers.get_all(name).iter().peekable();
        values.peek()?;
        let tags: Vec<&str> =
            values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
        if tags.iter().any(|tag| tag.trim() == "*") {
            return Some(Self::Any);
        }
        let opaque = |tag: &str| Some(strong(tag.trim()).strip_prefix('"')?.strip_suffix('"')?.to_owned());
        Some(Self::Listed(tags.into_iter().filter_map(opaque).collect()))
    }

    pub(super) fn has(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.contains(&version.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &header::HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn if_match_compares_strongly_and_if_none_match_weakly() {
        let strong = |value| Tags::if_match(&headers(&header::IF_MATCH, &[value])).expect("given").has(7);
        let weak =
            |value| Tags::if_none_match(&headers(&header::IF_NONE_MATCH, &[value])).expect("given").has(7);
        for (value, strongly, weakly) in [
            ("\"7\"", true, true),
            ("\"6\", \"7\"", true, true),
            ("*", true, true),
            ("W/\"7\"", false, true),
            ("\"6\"", false, false),
            ("\"07\"", false, false),
            ("7", false, false),
            ("\"7", false, false),
            ("\"", false, false),
            ("", false, false),
        ] {
            assert_eq!((strong(value), weak(value)), (strongly, weakly), "{value}");
        }
    }

    #[test]
    fn a_header_may_come_more_than_once_or_not_at_all() {
        let twice = headers(&header::IF_MATCH, &["\"6\"", "\"7\""]);
        assert!(Tags::if_match(&twice).expect("given").has(7));
        assert_eq!(Tags::if_match(&HeaderMap::new()), None);
    }

    #[test]
    fn the_tag_of_a_version_matches_it() {
        let tag = entity_tag(3).parse().expect("a value");
        let tags = Tags::if_match(&HeaderMap::from_iter([(header::IF_MATCH, tag)])).expect("given");
        assert!(tags.has(3) && !tags.has(4));
    }
}

//! Choosing the parser by the content type of a reply.

use thiserror::Error;

use crate::{Exposition, Format, ParseError, parse_openmetrics, parse_text};

/// Why the body of a reply is not an exposition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContentError {
    /// The content type names no format this crate reads. An absent one (an empty string) counts, too:
    /// guessing the format is how wrong numbers come about.
    #[error("content type `{content_type}` is neither text format 0.0.4 nor OpenMetrics 1.0")]
    UnsupportedContentType {
        /// The content type as given.
        content_type: String,
    },
    /// The body breaks the format its content type names.
    #[error("body is not valid {format}")]
    Invalid {
        /// The format that was expected.
        format: Format,
        /// Where and why.
        source: ParseError,
    },
}

/// Parses `body` in the format that `content_type` (the header's whole value) names.
pub fn parse(content_type: &str, body: &str) -> Result<Exposition, ContentError> {
    let parsed = match format_of(content_type) {
        Some(Format::Text) => parse_text(body).map_err(|source| (Format::Text, source)),
        Some(Format::OpenMetrics) => parse_openmetrics(body).map_err(|source| (Format::OpenMetrics, source)),
        None => {
            return Err(ContentError::UnsupportedContentType { content_type: content_type.to_owned() });
        }
    };
    parsed.map_err(|(format, source)| ContentError::Invalid { format, source })
}

fn format_of(content_type: &str) -> Option<Format> {
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next()?.to_ascii_lowercase();
    let version = parts
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("version"))
        .map(|(_, value)| value.trim().trim_matches('"'));
    match (media_type.as_str(), version) {
        ("text/plain", None | Some("0.0.4")) => Some(Format::Text),
        ("application/openmetrics-text", None | Some("0.0.1" | "1.0.0")) => Some(Format::OpenMetrics),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_decides_the_format() {
        let text = parse("text/plain; version=0.0.4; charset=utf-8", "a 1\n").unwrap();
        assert_eq!(text.format, Format::Text);
        let openmetrics =
            parse("Application/OpenMetrics-Text; charset=utf-8; version=\"1.0.0\"", "a 1\n# EOF\n").unwrap();
        assert_eq!(openmetrics.format, Format::OpenMetrics);
    }

    #[test]
    fn other_content_types_are_refused() {
        for content_type in ["", "text/html", "text/plain; version=1.0.0", "application/json"] {
            assert!(
                matches!(parse(content_type, "a 1\n"), Err(ContentError::UnsupportedContentType { .. })),
                "{content_type}"
            );
        }
    }

    #[test]
    fn a_text_body_under_an_openmetrics_content_type_is_refused() {
        let error = parse("application/openmetrics-text; version=1.0.0", "a 1\n").unwrap_err();
        assert!(matches!(error, ContentError::Invalid { format: Format::OpenMetrics, .. }), "{error}");
    }
}

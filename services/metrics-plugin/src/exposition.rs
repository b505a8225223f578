//! The two text formats: OpenMetrics 1.0 and Prometheus text 0.0.4, and choosing between them.
//!
//! The client library writes OpenMetrics only, with help texts as they were given: both formats are made
//! from its output line by line.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// A text format that `/metrics` can answer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    OpenMetrics,
    Text004,
}

impl Format {
    /// OpenMetrics when it is accepted by name, in a version that 1.0 satisfies, and not less than plain text.
    pub(crate) fn negotiate<'a>(accept: impl Iterator<Item = &'a str>) -> Self {
        let mut open_metrics: f32 = 0.0;
        let mut plain: f32 = 0.0;
        for range in accept.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default();
            let mut quality = 1.0;
            let mut version = None;
            for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = value.trim().parse().unwrap_or(0.0),
                    "version" => version = Some(value.trim().trim_matches('"')),
                    _ => {}
                }
            }
            if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
                if version.is_none_or(|version| version == "1.0.0") {
                    open_metrics = open_metrics.max(quality);
                }
            } else if media_type.eq_ignore_ascii_case("text/plain") {
                plain = plain.max(quality);
            }
        }
        if open_metrics > 0.0 && open_metrics >= plain { Self::OpenMetrics } else { Self::Text004 }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text004 => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    pub(crate) fn encode(self, registry: &Registry) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, registry)?;
        Ok(self.rewrite(&text))
    }

    fn rewrite(self, open_metrics: &str) -> String {
        let mut out = String::with_capacity(open_metrics.len());
        // Help precedes its type, whose kind decides the name of the family in 0.0.4.
        let mut help: Option<(&str, &str)> = None;
        for line in open_metrics.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = Some(rest.split_once(' ').unwrap_or((rest, "")));
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or((rest, "unknown"));
                let (suffix, kind) = self.family(kind);
                if let Some((_, text)) = help.take().filter(|(of, _)| *of == name) {
                    let text = self.escape_help(text);
                    push_line(&mut out, &["# HELP ", name, suffix, " ", &text]);
                }
                push_line(&mut out, &["# TYPE ", name, suffix, " ", kind]);
            } else if self == Self::OpenMetrics {
                push_line(&mut out, &[line]);
            } else if !line.starts_with('#') {
                push_line(&mut out, &[without_exemplar(line)]);
            }
        }
        out
    }

    fn escape_help(self, help: &str) -> String {
        let escaped = help.replace('\\', "\\\\");
        if self == Self::OpenMetrics { escaped.replace('"', "\\\"") } else { escaped }
    }

    /// What a family of this OpenMetrics type appends to its name, and its type, in this format.
    fn family(self, kind: &str) -> (&'static str, &str) {
        match (self, kind) {
            (Self::Text004, "counter") => ("_total", "counter"),
            (Self::Text004, "info") => ("_info", "gauge"),
            (Self::Text004, "stateset") => ("", "gauge"),
            (Self::Text004, "unknown" | "gaugehistogram") => ("", "untyped"),
            (Self::OpenMetrics | Self::Text004, kind) => ("", kind),
        }
    }
}

fn push_line(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
    out.push('\n');
}

/// A sample line without what follows ` # ` outside its label values.
fn without_exemplar(line: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (index, character) in line.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted => return line[..index].trim_end(),
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(accept: &str) -> Format {
        Format::negotiate(std::iter::once(accept))
    }

    #[test]
    fn prometheus_gets_open_metrics() {
        let accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                      q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(negotiated(accept), Format::OpenMetrics);
    }

    #[test]
    fn whoever_does_not_name_open_metrics_gets_plain_text() {
        for accept in ["*/*", "", "text/html", "text/plain;version=0.0.4"] {
            assert_eq!(negotiated(accept), Format::Text004, "{accept}");
        }
        assert_eq!(Format::negotiate(std::iter::empty()), Format::Text004);
    }

    #[test]
    fn quality_and_version_are_obeyed() {
        let plain_first = "application/openmetrics-text; version=1.0.0; q=0.4, text/plain; q=0.9";
        assert_eq!(negotiated(plain_first), Format::Text004);
        assert_eq!(negotiated("application/openmetrics-text; q=0"), Format::Text004);
        assert_eq!(negotiated("application/openmetrics-text; version=2.0.0"), Format::Text004);
        assert_eq!(negotiated("application/openmetrics-text; version=\"1.0.0\""), Format::OpenMetrics);
        assert_eq!(negotiated("Application/OpenMetrics-Text"), Format::OpenMetrics);
    }

    #[test]
    fn plain_text_names_counters_by_their_sample_and_drops_what_it_does_not_know() {
        let open_metrics = "# HELP size_bytes Path C:\\n \"x\".\n# TYPE size_bytes gauge\n\
                            # UNIT size_bytes bytes\nsize_bytes 1.5\n# HELP hits Hits.\n# TYPE hits counter\n\
                            hits_total{path=\"/a # {b}\\\"#\"} 1 # {trace=\"x\"} 0.5\n# EOF\n";
        let text = Format::Text004.rewrite(open_metrics);
        assert_eq!(
            text,
            "# HELP size_bytes Path C:\\\\n \"x\".\n# TYPE size_bytes gauge\nsize_bytes 1.5\n\
             # HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total{path=\"/a # {b}\\\"#\"} 1\n"
        );
        let open = Format::OpenMetrics.rewrite(open_metrics);
        assert!(open.starts_with("# HELP size_bytes Path C:\\\\n \\\"x\\\".\n"), "{open}");
        assert!(open.ends_with("1 # {trace=\"x\"} 0.5\n# EOF\n"), "{open}");
    }
}

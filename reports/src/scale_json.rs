//! What compressing time makes of rule files, as JSON for another program.

use firedrill_rulebook::{RuleFate, RuleOutcome, format_duration};
use serde::Serialize;

use crate::ScaleReport;

/// The version of the document: its fields are only added to.
const SCHEMA: &str = "firedrill.scale/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    speed: u32,
    chosen: bool,
    scrape_interval: String,
    evaluation_interval: String,
    rules: Vec<Row<'a>>,
    left_aside: &'a [String],
}

/// One rule, with the fields that apply to its class.
#[derive(Serialize)]
struct Row<'a> {
    file: &'a str,
    line: usize,
    group: &'a str,
    rule: &'a str,
    kind: &'static str,
    class: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    largest_factor: Option<u32>,
    before: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
}

/// The report as JSON, with a line break at its end.
pub fn render_scale_json(report: &ScaleReport<'_>) -> Result<String, serde_json::Error> {
    let document = Document {
        schema: SCHEMA,
        speed: report.speed,
        chosen: report.chosen,
        scrape_interval: format_duration(report.scrape_interval),
        evaluation_interval: format_duration(report.evaluation_interval),
        rules: report.rules.iter().map(row).collect(),
        left_aside: report.left_aside,
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn row(outcome: &RuleOutcome) -> Row<'_> {
    let (notes, after, reason, largest_factor) = match &outcome.fate {
        RuleFate::Compressed { notes, after, .. } => (notes.as_slice(), Some(after.as_str()), None, None),
        RuleFate::NotCompressible { reason, largest_factor } => {
            (&[][..], None, Some(reason.as_str()), *largest_factor)
        }
    };
    Row {
        file: &outcome.file,
        line: outcome.line,
        group: &outcome.group,
        rule: &outcome.rule,
        kind: outcome.kind.as_str(),
        class: outcome.class().as_str().replace(' ', "-"),
        notes,
        reason,
        largest_factor,
        before: &outcome.before,
        after,
    }
}

//! The record as JSON, for programs. Its schema is `firedrill_record::run_schema`.

use firedrill_record::RunRecord;

/// `record` as indented JSON with a line break at its end.
pub fn render_json(record: &RunRecord) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(record)?;
    text.push('\n');
    Ok(text)
}

//! `firedrill schema`: the JSON schema of a document.

use crate::cli::Document;
use crate::failure::Failure;

pub(crate) fn schema(document: Document) -> Result<u8, Failure> {
    let schema = match document {
        Document::Drill => firedrill_drill::drill_schema(),
        Document::Journey => firedrill_drill::journey_schema(),
        Document::Run => firedrill_record::run_schema(),
    };
    super::report::say(&format!("{schema:#}\n"))?;
    Ok(0)
}

//! Reports for programs, written where they were asked for.

use firedrill_record::RunRecord;
use firedrill_reports::{Destination, Format, ReportError, write_report};

use crate::records;

#[test]
fn a_json_report_reads_back_as_the_record_and_its_folders_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reports/run.json");
    write_report(Format::Json, &Destination::File(path.clone()), &records::violated()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), records::violated());
    assert!(text.ends_with("}\n"));
}

#[test]
fn a_report_that_cannot_be_written_says_which_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination::File(folder.path().to_owned());
    let error = write_report(Format::Json, &destination, &records::held()).unwrap_err();
    assert!(matches!(error, ReportError::Write { .. }));
    assert_eq!(error.to_string(), format!("write the JSON report to {}", folder.path().display()));
}

#[test]
fn a_hyphen_is_standard_output_and_anything_else_a_file() {
    assert_eq!(Destination::from("-"), Destination::Stdout);
    assert_eq!(Destination::from("./-"), Destination::File("./-".into()));
}

//! The committed schema of the record is the one its types have.

use std::path::Path;

/// Set to write the generated file instead of comparing it.
const UPDATE: &str = "FIREDRILL_UPDATE_GENERATED";

#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("run.schema.json");
    let generated = firedrill_record::run_schema();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&generated).unwrap() + "\n").unwrap();
    }
    // Values, not text: the order of keys depends on serde_json's features, which other crates may turn on.
    let committed: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_default()).unwrap_or_default();
    assert!(
        committed == generated,
        "run.schema.json is stale: run `{UPDATE}=1 cargo test -p firedrill-record` and commit it"
    );
}

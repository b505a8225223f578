//! The JSON schema of the record, generated from its types. It knows no file: who prints or stores it decides where.

use schemars::generate::SchemaSettings;

use crate::RunRecord;

/// The JSON schema (draft 2020-12) of [`RunRecord`] as it is written to `run.json`.
pub fn run_schema() -> serde_json::Value {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<RunRecord>()
        .to_value()
}

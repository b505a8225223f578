//! JSON schemas of drill and journey files, for editors. Checks that a schema cannot express are left to the parser.

use crate::written::{DrillText, JourneyText};

/// The JSON schema of a drill file.
pub fn drill_schema() -> serde_json::Value {
    schemars::schema_for!(DrillText).to_value()
}

/// The JSON schema of a journey file.
pub fn journey_schema() -> serde_json::Value {
    schemars::schema_for!(JourneyText).to_value()
}

//! Notations of single values, for the schemas: an editor then warns before the check does.

use firedrill_record::Reason;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::fault::BadMetrics;
use crate::plan::Backend;

pub(super) const DURATION: &str = r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$";
pub(super) const RATE: &str = r"^\d+(\.\d+)?/[smh]$";
pub(super) const RATIO: &str = r"^\d+(\.\d+)?%$";
pub(super) const SIZE: &str = r"^\d+(B|kB|MB|GB|KiB|MiB|GiB)$";
pub(super) const NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
pub(super) const REQUEST: &str = r"^(GET|POST|PUT|PATCH|DELETE|HEAD) +[a-z0-9-]+ +/\S*$";

pub(super) fn backend(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Backend::ALL.iter().map(|one| one.as_str()).collect();
    json_schema!({ "type": "array", "items": { "type": "string", "enum": names } })
}

pub(super) fn bad_metrics(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": BadMetrics::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>() })
}

pub(super) fn verdict(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": crate::check::VERDICTS.map(firedrill_record::Verdict::as_str) })
}

pub(super) fn reason(_: &mut SchemaGenerator) -> Schema {
    let reasons: Vec<&str> = Reason::ALL.iter().map(|one| one.as_str()).collect();
    json_schema!({ "type": "string", "enum": reasons })
}

pub(super) fn fan_out_status(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "oneOf": [{ "const": "same" }, { "type": "integer", "minimum": 100, "maximum": 599 }] })
}

pub(super) fn statuses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "minItems": 1, "items": { "type": "integer", "minimum": 100, "maximum": 599 } })
}

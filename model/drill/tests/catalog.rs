//! Every drill and journey that comes with the project is valid, and the committed schemas are those of the parser.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};

use firedrill_drill::{drill_schema, journey_schema, load_drill, load_journey};

#[test]
fn every_drill_of_the_catalog_is_valid() {
    let failures = failures(&scenarios().join("catalog"), |file| load_drill(file).map(drop));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_journey_is_valid() {
    let failures = failures(&scenarios().join("journeys"), |file| load_journey(file).map(drop));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_drill_and_journey_names_its_schema_in_the_first_line() {
    let scenarios = scenarios();
    for (folder, schema) in [("catalog", "drill.schema.json"), ("journeys", "journey.schema.json")] {
        for file in yaml_files(&scenarios.join(folder)) {
            let depth = file.strip_prefix(&scenarios).unwrap().components().count() - 1;
            let expected = format!("# yaml-language-server: $schema={}{schema}", "../".repeat(depth));
            let text = std::fs::read_to_string(&file).unwrap();
            assert_eq!(text.lines().next(), Some(expected.as_str()), "{}", file.display());
        }
    }
}

#[test]
fn the_committed_schemas_are_those_of_the_parser() {
    for (name, schema) in [("drill.schema.json", drill_schema()), ("journey.schema.json", journey_schema())] {
        let file = scenarios().join(name);
        let committed = std::fs::read(&file).unwrap_or_default();
        if serde_json::from_slice(&committed).is_ok_and(|committed: serde_json::Value| committed == schema) {
            continue;
        }
        let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
        assert!(update, "{name} is stale: run UPDATE_SCHEMAS=1 cargo test -p firedrill-drill --test catalog");
        std::fs::write(&file, format!("{schema:#}\n")).unwrap();
    }
}

fn failures<E: miette::Diagnostic>(folder: &Path, check: impl Fn(&Path) -> Result<(), E>) -> Vec<String> {
    let files = yaml_files(folder);
    assert!(!files.is_empty(), "nothing in {}", folder.display());
    files.iter().filter_map(|file| check(file).err()).map(|problems| shown(&problems)).collect()
}

fn shown(problems: &dyn miette::Diagnostic) -> String {
    let mut text = String::new();
    miette::NarratableReportHandler::new().render_report(&mut text, problems).unwrap();
    text
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

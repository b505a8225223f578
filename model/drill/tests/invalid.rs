//! What is wrong with a drill is said with its place and what would be right, and no text makes the parser panic.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use firedrill_drill::{DrillProblems, load_drill, parse_drill, parse_journey};
use firedrill_drill::{FolderSurroundings, Surroundings};
use miette::{GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;

/// Relative to the crate, so that the file names in the snapshots are the same everywhere.
const INVALID: &str = "../../scenarios/invalid";

#[test]
fn every_invalid_drill_is_refused_with_its_problems_in_place() {
    let drills = drills(Path::new(INVALID));
    assert!(drills.len() > 20, "too few in {INVALID}");
    let failures: Vec<String> = drills.iter().filter_map(|drill| failure(drill)).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), drills.len(), failures.join("\n"));
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_too() {
    let problems = load_drill(Path::new("no-such-drill.yaml")).unwrap_err();
    assert_eq!(problems.to_string(), "no-such-drill.yaml is invalid: 1 problem");
    let only = problems.iter().next().unwrap();
    assert!(only.to_string().starts_with("no-such-drill.yaml cannot be read: "), "{only}");
    assert_eq!(only.line_and_column(), None);
}

/// Why `drill` is not refused as its snapshot says, if so.
fn failure(drill: &Path) -> Option<String> {
    let name = drill.file_stem().unwrap().to_str().unwrap();
    let Err(problems) = load_drill(drill) else {
        return Some(format!("{name}: accepted"));
    };
    let text = rendered(&problems);
    catch_unwind(|| insta::assert_snapshot!(name, text)).err().map(|_| format!("{name}: differs, see above"))
}

fn rendered(problems: &DrillProblems) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    let mut text = String::new();
    handler.render_report(&mut text, problems).unwrap();
    text
}

/// Drill files in `folder` and the folders in it, but those of journeys.
fn drills(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files.push(path);
        } else if !path.ends_with("journeys") {
            files.extend(drills(&path));
        }
    }
    files.sort();
    files
}

/// Texts that come far into the parser: a valid drill or journey with a piece replaced.
fn mutated(file: &str) -> impl Strategy<Value = String> + use<> {
    let text = std::fs::read_to_string(Path::new("../../scenarios").join(file)).unwrap();
    let length = text.len();
    (0..length, 0..30_usize, "[-\\[\\]{}:,&*!|>'\"%@#a-z0-9/. \n\té日]{0,8}").prop_map(
        move |(start, count, piece)| {
            let start = text.floor_char_boundary(start);
            let end = text.floor_char_boundary((start + count).min(text.len()));
            format!("{}{piece}{}", &text[..start], &text[end.max(start)..])
        },
    )
}

fn shown_or_accepted<T>(result: Result<T, DrillProblems>) {
    if let Err(problems) = result {
        assert!(problems.iter().count() > 0, "refused without a problem");
        rendered(&problems);
    }
}

fn surroundings() -> impl Surroundings {
    FolderSurroundings::of(Path::new("../../scenarios/catalog/services/any.yaml"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}|[-\\[\\]{}:,&*!|>'\"%@# \n\tabé日]{0,60}") {
        shown_or_accepted(parse_drill(&text, Path::new("any.yaml"), &surroundings()));
        shown_or_accepted(parse_journey(&text, Path::new("any.yaml")));
    }

    #[test]
    fn no_mutated_drill_makes_the_parser_panic(
        text in mutated("catalog/services/user-service-errors-page-the-team.yaml")
    ) {
        let file = Path::new("user-service-errors-page-the-team.yaml");
        shown_or_accepted(parse_drill(&text, file, &surroundings()));
    }

    #[test]
    fn no_mutated_journey_makes_the_parser_panic(text in mutated("journeys/browse-and-chat.yaml")) {
        shown_or_accepted(parse_journey(&text, Path::new("browse-and-chat.yaml")));
    }
}

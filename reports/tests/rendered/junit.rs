//! JUnit XML as CI servers read it: what it shows of every verdict, and that their schema allows it.

use firedrill_record::RunRecord;
use firedrill_reports::render_junit;
use roxmltree::{Document, Node};

use crate::records;

/// What is allowed of one element: its name, attributes it must have, attributes it may have, children.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// What Jenkins' xUnit plugin allows, the strictest of the readers.
const SCHEMA: [Rule; 9] = [
    ("testsuites", &[], &["name", "time", "tests", "failures", "errors"], &["testsuite"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors"],
        &["group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"],
        &["testsuite", "properties", "testcase", "system-out", "system-err"],
    ),
    ("properties", &[], &[], &["property"]),
    ("property", &["name", "value"], &[], &[]),
    (
        "testcase",
        &["name"],
        &["time", "classname", "group"],
        &["skipped", "error", "failure", "system-out", "system-err"],
    ),
    ("failure", &[], &["type", "message"], &[]),
    ("error", &[], &["type", "message"], &[]),
    ("skipped", &[], &["type", "message"], &[]),
    ("system-out", &[], &[], &[]),
];

macro_rules! looks_right {
    ($($name:ident: $record:expr;)+) => {$(
        #[test]
        fn $name() {
            let text = render_junit(&$record);
            assert_valid(&text);
            insta::assert_snapshot!(text);
        }
    )+};
}

looks_right! {
    a_drill_that_held: records::held();
    a_violation_is_a_failure: records::violated();
    what_cannot_be_told_is_an_error_and_a_drill_not_run_is_skipped: records::inconclusive();
    drills_about_the_judge: records::must_be();
    an_interrupted_run_is_an_error: records::interrupted();
    a_stack_that_did_not_come_up_is_an_error: records::stack_not_up();
    a_drill_not_run_though_it_must_is_an_error: records::not_run_though_it_must();
    nothing_judged_is_an_error: records::nothing_judged();
}

#[test]
fn no_run_that_did_not_pass_looks_green() {
    let records = [
        records::violated(),
        records::inconclusive(),
        records::must_be(),
        records::interrupted(),
        records::stack_not_up(),
        records::not_run_though_it_must(),
        records::nothing_judged(),
    ];
    for record in records {
        let text = render_junit(&record);
        let document = Document::parse(&text).unwrap();
        let broken =
            document.descendants().filter(|it| it.has_tag_name("failure") || it.has_tag_name("error"));
        assert!(broken.count() > 0, "{text}");
    }
}

#[test]
fn text_of_others_stays_in_its_place() {
    for text in [
        "</testsuite>]]><evil a=\"'\">&amp;",
        "\u{1b}[31m\0\u{b}\u{fffe}\u{ffff}\u{7f}\r\n\ttext",
        "ü → 漢字 \u{1f525}",
    ] {
        assert_valid(&render_junit(&records::telling(text)));
    }
    let text = render_junit(&records::telling("a <b> & \"c\""));
    let document = Document::parse(&text).unwrap();
    let failure = document.descendants().find(|it| it.has_tag_name("failure")).unwrap();
    assert_eq!(failure.attribute("message"), Some("a <b> & \"c\""));
}

#[test]
fn seconds_that_are_no_number_become_none() {
    let record = RunRecord { seconds: f64::NAN, ..records::held() };
    assert!(
        render_junit(&record).contains(
            "<testsuites name=\"firedrill\" tests=\"3\" failures=\"0\" errors=\"0\" time=\"0.000\">"
        )
    );
}

/// Against the schema; sums agree with what they sum up.
fn assert_valid(text: &str) {
    let document = Document::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    for element in document.descendants().filter(Node::is_element) {
        assert_allowed(element);
    }
    for suite in document.descendants().filter(|it| it.has_tag_name("testsuite")) {
        assert_counts(suite, &["tests", "failures", "errors", "skipped"]);
    }
    assert_counts(root, &["tests", "failures", "errors"]);
}

fn assert_allowed(element: Node<'_, '_>) {
    let name = element.tag_name().name();
    let rule = SCHEMA.iter().find(|(known, ..)| *known == name);
    let (_, must, may, children) = rule.unwrap_or_else(|| panic!("element {name} is not known"));
    for needed in *must {
        assert!(element.has_attribute(*needed), "{name} without {needed}");
    }
    for attribute in element.attributes() {
        let (key, value) = (attribute.name(), attribute.value());
        assert!(must.contains(&key) || may.contains(&key), "{name} has {key}");
        if key == "time" {
            assert!(value.chars().all(|one| one.is_ascii_digit() || one == '.'), "time {value:?}");
        }
    }
    for child in element.children() {
        let leaf = children.is_empty();
        assert!(child.is_element() || leaf || child.text().unwrap_or("").trim().is_empty(), "text in {name}");
        if child.is_element() {
            let child = child.tag_name().name();
            assert!(children.contains(&child), "{child} in {name}");
        }
    }
}

fn assert_counts(element: Node<'_, '_>, counts: &[&str]) {
    for count in counts {
        let tag = match *count {
            "tests" => "testcase",
            "failures" => "failure",
            "errors" => "error",
            other => other,
        };
        let counted = element.descendants().filter(|it| it.has_tag_name(tag)).count().to_string();
        assert_eq!(element.attribute(*count), Some(counted.as_str()), "{count}");
    }
}

//! The final report as a reader sees it, at 80 and at 120 columns.

use std::path::PathBuf;

use firedrill_record::RunRecord;
use firedrill_reports::{RenderOptions, render_run};

use crate::records;

fn at(width: usize, record: &RunRecord) -> String {
    let folder = Some(PathBuf::from(".firedrill/runs/20261122t142300z-7f3a"));
    let text = render_run(record, &RenderOptions { colour: false, width: Some(width), folder });
    let summary = text.lines().last().unwrap();
    for line in text.lines().filter(|line| *line != summary) {
        assert!(console::measure_text_width(line) <= width, "wider than {width}: {line}");
    }
    text
}

macro_rules! looks_right {
    ($($name:ident: $record:expr;)+) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(concat!(stringify!($name), "_at_80_columns"), at(80, &$record));
            insta::assert_snapshot!(concat!(stringify!($name), "_at_120_columns"), at(120, &$record));
        }
    )+};
}

looks_right! {
    a_drill_that_held: records::held();
    a_violation_shows_its_first_broken_link: records::violated();
    an_inconclusive_drill: records::inconclusive();
    drills_about_the_judge: records::must_be();
    an_interrupted_run: records::interrupted();
    a_stack_that_did_not_come_up: records::stack_not_up();
    a_soak_with_a_leak: records::soak();
    a_capacity_run: records::capacity();
    a_run_of_trials: records::trials();
    trials_that_were_interrupted: records::interrupted_trials();
}

#[test]
fn colour_adds_nothing_but_colour() {
    for record in [records::held(), records::violated(), records::must_be(), records::interrupted()] {
        let plain = render_run(&record, &RenderOptions::default());
        let coloured = render_run(&record, &RenderOptions { colour: true, ..RenderOptions::default() });
        assert!(coloured.contains('\u{1b}') && !plain.contains('\u{1b}'));
        assert_eq!(console::strip_ansi_codes(&coloured), plain);
    }
}

#[test]
fn text_of_services_cannot_reach_the_terminal_with_escape_sequences() {
    const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\u{8}text";
    let record = records::telling(EVIL);
    let shown = render_run(&record, &RenderOptions { folder: Some(EVIL.into()), ..RenderOptions::default() });
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    assert!(!shown.contains("owned"), "the title of an escape sequence goes with it: {shown}");
}

#[test]
fn any_width_can_be_asked_for() {
    for width in [0, 1, 60, 61, 10_000] {
        render_run(&records::violated(), &RenderOptions { width: Some(width), ..RenderOptions::default() });
    }
}

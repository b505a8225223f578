//! Markdown as a job summary shows it.

use firedrill_reports::render_markdown;

use crate::records;

macro_rules! looks_right {
    ($($name:ident: $record:expr;)+) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(render_markdown(&$record));
        }
    )+};
}

looks_right! {
    a_drill_that_held: records::held();
    a_violation_is_open_and_shows_its_first_broken_link: records::violated();
    an_inconclusive_drill_and_one_not_run: records::inconclusive();
    drills_about_the_judge: records::must_be();
    an_interrupted_run: records::interrupted();
    a_stack_that_did_not_come_up: records::stack_not_up();
    a_drill_not_run_though_it_must: records::not_run_though_it_must();
    nothing_judged: records::nothing_judged();
    text_of_others_stays_in_its_place: records::telling("a|b `c` <b>\n\n# d</details> @team [e](http://f)");
}

#[test]
fn text_of_others_adds_no_line_no_cell_and_no_element() {
    let plain = render_markdown(&records::telling("text"));
    let evil = render_markdown(&records::telling("text\n| a | b |\n\n- c\n```\n</details><img src=x>`\\|"));
    let shape = |text: &str| -> Vec<(usize, usize, usize)> {
        text.lines()
            .map(|line| {
                let count = |what: &str| line.matches(what).count();
                (count("|"), count("<") - count("<!-- -->"), count(">") - count("<!-- -->"))
            })
            .collect()
    };
    assert_eq!(shape(&evil), shape(&plain));
}

//! The users' table of reasons is the one of the code.

use std::fmt::Write as _;
use std::path::Path;

use firedrill_record::{Reason, Verdict};

/// Set to write the generated table instead of comparing it.
const UPDATE: &str = "FIREDRILL_UPDATE_GENERATED";
const BEGIN: &str = "<!-- generated: reasons -->\n";
const END: &str = "<!-- end of generated -->";

fn table() -> String {
    let mut text = String::from("| reason | verdict | what it means |\n|---|---|---|\n");
    for verdict in [Verdict::Violated, Verdict::Inconclusive, Verdict::NotReached] {
        for reason in Reason::ALL.iter().filter(|reason| reason.verdict() == verdict) {
            let meaning = reason.meaning().replace('|', "\\|");
            writeln!(text, "| `{reason}` | {verdict} | {meaning} |").expect("a string takes any text");
        }
    }
    text
}

#[test]
fn the_table_of_reasons_in_the_documents_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verdicts.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/verdicts.md has the mark before its table");
    let (committed, after) = rest.split_once(END).expect("docs/verdicts.md has the mark after its table");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert!(
            committed == table(),
            "docs/verdicts.md is stale: run `{UPDATE}=1 cargo test -p firedrill-record` and commit it"
        );
    }
}

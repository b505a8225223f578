//! The record as GitHub-flavoured Markdown, for a job summary or a comment on a change: the verdict first, a table of the
//! drills, then each drill folded up, open where it did not pass.
//!
//! It knows nothing of where the text is shown. Text that may come from services cannot leave its place: see [`literal`].

use std::fmt::Write as _;

use firedrill_record::{DrillRecord, ExitOutcome, ExpectationRecord, FaultRecord, Reason, RunRecord};

use crate::drill_report::{Outcome, began_and_ended, judged, numbers};
use crate::life_cycle::{FIRST_BROKEN, judged_segments};
use crate::page::sign;
use crate::printable::printable;
use crate::run_report::{counts, means};

/// `record` as a document that ends with a line break.
pub fn render_markdown(record: &RunRecord) -> String {
    let mut blocks = vec![verdict(record), run_line(record)];
    blocks.extend(drills(record));
    blocks.extend(record.drills.iter().map(|drill| details(drill, record.speed)));
    blocks.extend(left_out(record));
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text
}

fn verdict(record: &RunRecord) -> String {
    let sign = match record.exit {
        ExitOutcome::Passed => "✓",
        ExitOutcome::CannotTell => "?",
        ExitOutcome::Failed
        | ExitOutcome::StackNotUp
        | ExitOutcome::FaultNotUndone
        | ExitOutcome::Interrupted => "✗",
    };
    let mut text = format!("## {sign} Firedrill: {}\n\n**{}**", means(record.exit), counts(record));
    let _ = write!(text, " in {:.1} s, exit code {}", record.seconds, record.exit.code());
    if let Some(because) = &record.exit_because {
        let _ = write!(text, ": {}", literal(because));
    }
    text
}

fn run_line(record: &RunRecord) -> String {
    let mut parts = vec![
        format!("run `{}`", record.run),
        format!("speed {}", record.speed),
        format!("seed {}", record.seed),
    ];
    parts.extend(record.versions.iter().map(|(name, version)| literal(&format!("{name} {version}"))));
    parts.join(" · ")
}

/// The table of the drills, those that did not run too; none when there are none.
fn drills(record: &RunRecord) -> Option<String> {
    let mut rows: Vec<[String; 4]> = record
        .drills
        .iter()
        .map(|drill| {
            [
                format!("{} {}", Outcome::of(drill).sign(), literal(drill.name.as_str())),
                literal(&judged(drill)),
                deciding(drill),
                format!("{:.1} s", drill.seconds),
            ]
        })
        .collect();
    rows.extend(record.not_run.iter().map(|one| {
        [format!("– {}", literal(one.drill.as_str())), "not run".to_owned(), literal(&one.why), String::new()]
    }));
    (!rows.is_empty()).then(|| table(["drill", "verdict", "why", "took"], &rows))
}

/// Reasons of the expectations that have the drill's verdict, each once.
fn deciding(drill: &DrillRecord) -> String {
    let mut reasons: Vec<&str> = drill
        .expectations
        .iter()
        .filter(|one| one.verdict == drill.verdict)
        .filter_map(|one| one.reason.map(Reason::as_str))
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons.join(", ")
}

/// A drill that can be folded up.
fn details(drill: &DrillRecord, speed: u32) -> String {
    let outcome = Outcome::of(drill);
    let open = if outcome == Outcome::Passed { "" } else { " open" };
    // Inside of HTML nothing is Markdown: only HTML is escaped here.
    let summary =
        format!("{} <b>{}</b>: {}", outcome.sign(), html(drill.name.as_str()), html(&judged(drill)));
    let mut blocks = vec![format!("<details{open}>\n<summary>{summary}</summary>")];
    if !drill.about.trim().is_empty() {
        blocks.push(literal(&drill.about));
    }
    blocks.push(literal(&numbers(drill, speed)));
    if !drill.faults.is_empty() {
        let lines: Vec<String> = drill.faults.iter().map(|fault| fault_item(fault, drill, speed)).collect();
        blocks.push(lines.join("\n"));
    }
    blocks.push(expectations(&drill.expectations));
    blocks.extend(drill.expectations.iter().filter_map(life_cycle));
    blocks.push("</details>".to_owned());
    blocks.join("\n\n")
}

fn fault_item(fault: &FaultRecord, drill: &DrillRecord, speed: u32) -> String {
    let when = began_and_ended(fault, drill.load_began, speed);
    let proof = fault.proof.as_deref().unwrap_or("none, no effect was seen");
    let mut text = format!("- fault **{}**: {when}; proof: {}", literal(&fault.what), literal(proof));
    for (what, said) in [("witnessed", &fault.witnessed), ("problem", &fault.problem)] {
        if let Some(said) = said {
            let _ = write!(text, "; {what}: {}", literal(said));
        }
    }
    text
}

fn expectations(expectations: &[ExpectationRecord]) -> String {
    if expectations.is_empty() {
        return "no expectation was judged".to_owned();
    }
    let rows: Vec<[String; 3]> = expectations
        .iter()
        .map(|one| {
            let reason = one.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            let mut found = literal(&one.sentence);
            if let Some(hint) = &one.hint {
                let _ = write!(found, "<br>hint: {}", literal(hint));
            }
            [
                format!("{} {}{reason}", sign(one.verdict), one.verdict),
                literal(&format!("{} {}", one.kind, one.about)),
                found,
            ]
        })
        .collect();
    table(["verdict", "expectation", "found"], &rows)
}

/// An expectation's windows beside what was observed, and its findings; none when it has neither.
fn life_cycle(one: &ExpectationRecord) -> Option<String> {
    if one.segments.is_empty() && one.findings.is_empty() {
        return None;
    }
    let mut blocks = vec![format!("**{}**", literal(&format!("{} {}", one.kind, one.about)))];
    if !one.segments.is_empty() {
        let rows: Vec<[String; 5]> = judged_segments(one)
            .map(|judged| {
                let mark = if judged.is_first_broken { format!(" {FIRST_BROKEN}") } else { String::new() };
                [
                    literal(&judged.segment.name),
                    format!("{:.3}", judged.segment.earliest),
                    judged.segment.observed.map_or_else(|| "–".to_owned(), |at| format!("{at:.3}")),
                    format!("{:.3}", judged.segment.latest),
                    judged.judgement + &mark,
                ]
            })
            .collect();
        blocks.push(table(["segment (wall s)", "earliest", "observed", "latest", "inside?"], &rows));
    }
    if !one.findings.is_empty() {
        let lines: Vec<String> =
            one.findings.iter().map(|finding| format!("- {}", literal(finding))).collect();
        blocks.push(lines.join("\n"));
    }
    Some(blocks.join("\n\n"))
}

/// The rules that were left out of the stacks.
fn left_out(record: &RunRecord) -> Option<String> {
    let lines: Vec<String> = record
        .stacks
        .iter()
        .flat_map(|stack| stack.left_out.iter().map(move |(rule, why)| (stack, rule, why)))
        .map(|(stack, rule, why)| {
            format!("- {} ({}): {}", literal(rule), literal(&stack.configuration), literal(why))
        })
        .collect();
    let heading = format!("Rules left out at speed {}:", record.speed);
    (!lines.is_empty()).then(|| format!("{heading}\n\n{}", lines.join("\n")))
}

fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let mut lines = vec![format!("| {} |", heading.join(" | ")), format!("|{}", "---|".repeat(N))];
    lines.extend(rows.iter().map(|row| format!("| {} |", row.join(" | "))));
    lines.join("\n")
}

/// `text` as one line that reads as it is written: no markup, no HTML, no cell or list of its own, nobody mentioned,
/// nothing linked.
fn literal(text: &str) -> String {
    let text = printable(text);
    let text = text.trim();
    let mut shown = String::with_capacity(text.len() + text.len() / 4);
    let numbered = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
    for (at, character) in text.char_indices() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            // Mentions and references are looked for in what is shown: only something in between stops them.
            '@' | '#' => {
                shown.push(character);
                shown.push_str("<!-- -->");
            }
            ':' if text[at..].starts_with("://") => shown.push_str("&#58;"),
            '.' if text[..at].ends_with("www") => shown.push_str("&#46;"),
            // Not by a backslash: what splits a row into cells counts those in its own way.
            '|' => shown.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '$' => {
                shown.push('\\');
                shown.push(character);
            }
            // What would begin a list or underline a heading.
            '-' | '+' | '=' if at == 0 => {
                shown.push('\\');
                shown.push(character);
            }
            '.' | ')' if at > 0 && at == numbered => {
                shown.push('\\');
                shown.push(character);
            }
            other => shown.push(other),
        }
    }
    shown
}

/// `text` as one line inside of HTML.
fn html(text: &str) -> String {
    printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "&#64;<!-- -->")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_as_it_is_written_and_does_nothing_else() {
        for (text, shown) in [
            ("HighErrorRate{service=\"user\"} ü 0.05", "HighErrorRate{service=\"user\"} ü 0.05"),
            ("a | b", "a &#124; b"),
            ("`rm` *b* _i_ ~s~ $m$", "\\`rm\\` \\*b\\* \\_i\\_ \\~s\\~ \\$m\\$"),
            ("\\| already", "\\\\&#124; already"),
            ("</details><script>&amp;", "&lt;/details&gt;&lt;script&gt;&amp;amp;"),
            ("![i](http://h/x) www.h.io", "!\\[i\\](http&#58;//h/x) www&#46;h.io"),
            ("ask @team, see #12", "ask @<!-- -->team, see #<!-- -->12"),
            ("two\nlines\r\n\n# three", "two lines  #<!-- --> three"),
            ("- item", "\\- item"),
            ("12. item", "12\\. item"),
            ("3.5 s", "3\\.5 s"),
            ("\u{1b}[31mred\u{202e}", "red"),
        ] {
            assert_eq!(literal(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_summary_holds_no_markup_of_others() {
        assert_eq!(html("</summary>\n<b>&@team"), "&lt;/summary&gt; &lt;b&gt;&amp;&#64;<!-- -->team");
    }
}

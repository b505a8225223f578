//! What compressing time makes of rule files: a table of rules for each file, then one summary.

use std::path::Path;
use std::time::Duration;

use console::measure_text_width;
use firedrill_rulebook::{RuleClass, RuleOutcome, format_duration};

use crate::RenderOptions;
use crate::figures::counted;
use crate::page::{INDENT, Page};
use crate::palette::Tone;
use crate::printable::printable;
use crate::wrapping::{hanging, wrap};

/// Columns of a table that are not for text: borders and the spaces beside them.
const FRAME: usize = 13;
/// The column of the class, counted from 0.
const CLASS: usize = 2;
/// Narrower than this, a name cannot be read.
const NARROWEST_NAME: usize = 12;

/// Rule files in compressed time, as `firedrill scale` has made them.
#[derive(Debug, Clone)]
pub struct ScaleReport<'a> {
    /// By how much time is compressed.
    pub speed: u32,
    /// Whether the factor was chosen and not given.
    pub chosen: bool,
    /// Interval between scrapes, before compression.
    pub scrape_interval: Duration,
    /// Interval between evaluations of groups that set none, before compression.
    pub evaluation_interval: Duration,
    /// Every rule and what became of it, in the order of files.
    pub rules: &'a [RuleOutcome],
    /// Files of named folders that are no rule files.
    pub left_aside: &'a [String],
    /// Where the scaled files were written.
    pub written: Option<&'a Path>,
}

impl ScaleReport<'_> {
    /// How many rules are of `class`.
    pub fn count(&self, class: RuleClass) -> usize {
        self.rules.iter().filter(|rule| rule.class() == class).count()
    }
}

/// The report for a person, with a line break at its end.
pub fn render_scale(report: &ScaleReport<'_>, options: &RenderOptions) -> String {
    let page = Page::new(options);
    let mut blocks: Vec<String> = report
        .rules
        .chunk_by(|one, next| one.file == next.file)
        .map(|rules| file_section(page, rules))
        .collect();
    if !report.left_aside.is_empty() {
        let files = printable(&report.left_aside.join(", "));
        blocks.push(hanging("left aside, no rule files: ", &files, page.width));
    }
    blocks.push(summary(page, report));
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text
}

fn file_section(page: Page, rules: &[RuleOutcome]) -> String {
    let file = rules.first().map_or("", |rule| rule.file.as_str());
    let heading = format!("{}: {}", printable(file), counted(rules.len(), "rule"));
    let width = Widths::of(page, rules);
    let mut tones = Vec::new();
    let rows = rules.iter().enumerate().map(|(index, rule)| {
        tones.push((index + 1, CLASS, tone(rule.class())));
        row(rule, width)
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let table = page.table(&["line", "rule", "class", "why"], rows, &tones);
    format!("{}\n{table}", page.palette.paint(Tone::Strong, &heading))
}

/// How wide the columns of text are.
#[derive(Debug, Clone, Copy)]
struct Widths {
    rule: usize,
    why: usize,
}

impl Widths {
    /// Names get what they need, but no more than two fifths where reasons need the rest.
    fn of(page: Page, rules: &[RuleOutcome]) -> Self {
        let widest = |text: fn(&RuleOutcome) -> String| {
            rules.iter().map(|rule| measure_text_width(&printable(&text(rule)))).max().unwrap_or(0)
        };
        let line = widest(|rule| rule.line.to_string()).max("line".len());
        let class =
            widest(|rule| class(rule).lines().max_by_key(|line| line.len()).unwrap_or_default().to_owned());
        let text = page.width.saturating_sub(INDENT + FRAME + line + class.max("class".len()));
        let free = text.saturating_sub(widest(RuleOutcome::why).max("why".len()));
        let rule = widest(|rule| rule.rule.clone()).min(free.max(text * 2 / 5)).max(NARROWEST_NAME);
        Self { rule, why: text.saturating_sub(rule).max(NARROWEST_NAME) }
    }
}

fn row(rule: &RuleOutcome, width: Widths) -> Vec<String> {
    vec![
        rule.line.to_string(),
        wrap(&printable(&rule.rule), width.rule).join("\n"),
        class(rule),
        wrap(&printable(&rule.why()), width.why).join("\n"),
    ]
}

/// The sign and the class, one word a line.
fn class(rule: &RuleOutcome) -> String {
    format!("{} {}", sign(rule.class()), rule.class().as_str().replace(' ', "\n  "))
}

fn sign(class: RuleClass) -> &'static str {
    match class {
        RuleClass::Exact => "✓",
        RuleClass::Adjusted => "~",
        RuleClass::Assumed => "?",
        RuleClass::NotCompressible => "✗",
    }
}

fn tone(class: RuleClass) -> Tone {
    match class {
        RuleClass::Exact | RuleClass::Adjusted => Tone::Good,
        RuleClass::Assumed => Tone::Unsure,
        RuleClass::NotCompressible => Tone::Bad,
    }
}

fn summary(page: Page, report: &ScaleReport<'_>) -> String {
    let mut lines = Vec::new();
    let assumed = report.count(RuleClass::Assumed);
    if assumed > 0 {
        let text = format!(
            "{} faithful only if what is assumed holds; --drivers can say what drives a metric",
            if assumed == 1 { "1 rule is".to_owned() } else { format!("{assumed} rules are") }
        );
        lines.push(page.palette.paint(Tone::Unsure, &hanging("warning: ", &text, page.width)));
    }
    let counts: Vec<String> = RuleClass::ALL
        .into_iter()
        .map(|class| (class, report.count(class)))
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| format!("{count} {class}"))
        .collect();
    let worst = RuleClass::ALL.into_iter().rev().find(|class| report.count(*class) > 0);
    let counts = format!("{}: {}", counted(report.rules.len(), "rule"), counts.join(", "));
    lines.push(page.palette.paint(worst.map_or(Tone::Aside, tone), &hanging("", &counts, page.width)));
    let chosen = if report.chosen { ", the largest faithful factor up to 60" } else { "" };
    let at = format!(
        "speed {}{chosen}; scrape interval {}, evaluation interval {}",
        report.speed,
        format_duration(report.scrape_interval),
        format_duration(report.evaluation_interval)
    );
    lines.push(page.palette.paint(Tone::Aside, &hanging("", &at, page.width)));
    if let Some(folder) = report.written {
        // On one line however long, so that the folder can be taken from it whole.
        lines.push(format!("scaled files written to {}", printable(&folder.display().to_string())));
    }
    lines.join("\n")
}

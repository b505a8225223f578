//! The record as JUnit XML, for the test pages of CI servers: a suite for each drill, a case for each expectation.
//!
//! The document is valid under the schema of Jenkins' xUnit plugin, which refuses what other readers ignore. What was
//! not proved is never green and never skipped: violated is a failure; inconclusive and not-reached are errors. It knows
//! neither how the file is named nor who reads it.

use firedrill_record::{DrillRecord, ExitOutcome, ExpectationRecord, NotRun, Reason, RunRecord, Verdict};
use jiff::Timestamp;

use crate::drill_report::{Outcome, began_and_ended, demanded, judged, numbers};
use crate::life_cycle::{FIRST_BROKEN, JudgedSegment, judged_segments};
use crate::printable::printable;
use crate::run_report::means;
use crate::xml::XmlDocument;

/// `record` as one `testsuites` document.
pub fn render_junit(record: &RunRecord) -> String {
    let mut suites: Vec<Suite> = run_suite(record).into_iter().collect();
    suites.extend(record.drills.iter().map(|drill| drill_suite(record, drill)));
    suites.extend(record.not_run.iter().map(|one| not_run_suite(record, one)));
    let sum = |status: fn(&Status) -> bool| suites.iter().map(|suite| suite.count(status)).sum::<usize>();
    let attributes = [
        ("name", "firedrill".to_owned()),
        ("tests", sum(|_| true).to_string()),
        ("failures", sum(Status::is_failure).to_string()),
        ("errors", sum(Status::is_error).to_string()),
        ("time", seconds(record.seconds)),
    ];
    let mut document = XmlDocument::new();
    document.element("testsuites", &borrowed(&attributes), |document| {
        for suite in &suites {
            suite.write(document);
        }
    });
    document.into_text()
}

/// A `testsuite`.
struct Suite {
    name: String,
    seconds: f64,
    began: Timestamp,
    properties: Vec<(String, String)>,
    cases: Vec<Case>,
    out: String,
}

/// A `testcase`.
struct Case {
    name: String,
    status: Status,
    out: String,
}

/// How a case ended.
enum Status {
    Passed,
    Failure(Because),
    Error(Because),
    Skipped { why: String },
}

/// Why a case did not pass.
struct Because {
    /// A reason, or what else the case is about, in one word.
    kind: String,
    message: String,
    details: String,
}

impl Status {
    fn is_failure(&self) -> bool {
        matches!(self, Self::Failure(_))
    }

    fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    fn is_skipped(&self) -> bool {
        matches!(self, Self::Skipped { .. })
    }
}

impl Suite {
    fn new(name: impl Into<String>, record: &RunRecord) -> Self {
        Self {
            name: name.into(),
            seconds: 0.0,
            began: record.started,
            properties: properties(record),
            cases: Vec::new(),
            out: String::new(),
        }
    }

    fn count(&self, status: fn(&Status) -> bool) -> usize {
        self.cases.iter().filter(|case| status(&case.status)).count()
    }

    fn write(&self, document: &mut XmlDocument) {
        let attributes = [
            ("name", self.name.clone()),
            ("tests", self.cases.len().to_string()),
            ("failures", self.count(Status::is_failure).to_string()),
            ("errors", self.count(Status::is_error).to_string()),
            ("skipped", self.count(Status::is_skipped).to_string()),
            ("time", seconds(self.seconds)),
            ("timestamp", self.began.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()),
        ];
        document.element("testsuite", &borrowed(&attributes), |document| {
            document.element("properties", &[], |document| {
                for (name, value) in &self.properties {
                    document.leaf("property", &[("name", name), ("value", value)], "");
                }
            });
            for case in &self.cases {
                case.write(&self.name, document);
            }
            if !self.out.is_empty() {
                document.leaf("system-out", &[], &self.out);
            }
        });
    }
}

impl Case {
    fn write(&self, class: &str, document: &mut XmlDocument) {
        let attributes = [("name", self.name.as_str()), ("classname", class)];
        if matches!(self.status, Status::Passed) && self.out.is_empty() {
            document.leaf("testcase", &attributes, "");
            return;
        }
        document.element("testcase", &attributes, |document| {
            let because = |document: &mut XmlDocument, element, because: &Because| {
                let attributes = [("type", because.kind.as_str()), ("message", because.message.as_str())];
                document.leaf(element, &attributes, &because.details);
            };
            match &self.status {
                Status::Passed => {}
                Status::Failure(why) => because(document, "failure", why),
                Status::Error(why) => because(document, "error", why),
                Status::Skipped { why } => document.leaf("skipped", &[("message", why)], ""),
            }
            if !self.out.is_empty() {
                document.leaf("system-out", &[], &self.out);
            }
        });
    }
}

/// What no drill can say: why the run as a whole did not pass. Without it a run that ended early would look green.
fn run_suite(record: &RunRecord) -> Option<Suite> {
    let told_by_drills = match record.exit {
        ExitOutcome::Passed => true,
        ExitOutcome::CannotTell | ExitOutcome::Failed => record.exit_because.is_none(),
        ExitOutcome::StackNotUp | ExitOutcome::FaultNotUndone | ExitOutcome::Interrupted => false,
    };
    if told_by_drills {
        return None;
    }
    let means = means(record.exit);
    let message = record.exit_because.as_deref().map_or_else(|| means.to_owned(), printable);
    let details = format!("exit code {}: {means}", record.exit.code());
    let why = Because { kind: means.replace(' ', "-"), message, details };
    let mut suite = Suite::new("firedrill run", record);
    suite.seconds = record.seconds;
    suite.cases.push(Case { name: "the run".to_owned(), status: Status::Error(why), out: String::new() });
    Some(suite)
}

fn drill_suite(record: &RunRecord, drill: &DrillRecord) -> Suite {
    let mut suite = Suite::new(drill.name.as_str(), record);
    suite.seconds = drill.seconds;
    suite.began = drill.load_began.unwrap_or(record.started);
    suite.properties.push(("drill.file".to_owned(), printable(&drill.file)));
    suite.cases = drill.expectations.iter().map(|one| expectation_case(drill, one)).collect();
    suite.cases.extend(verdict_case(drill, &suite.cases));
    suite.out = drill_out(drill, record.speed);
    suite
}

fn expectation_case(drill: &DrillRecord, one: &ExpectationRecord) -> Case {
    let name = printable(&format!("{} {}", one.kind, one.about));
    let sentence = printable(&one.sentence);
    let details = details(one);
    let as_it_must_be = drill.passed && drill.must_be.is_some();
    if one.verdict == Verdict::Held || as_it_must_be {
        let mut out = vec![sentence];
        if one.verdict != Verdict::Held {
            let reason = one.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            out.insert(0, format!("{}{reason}; the drill is {}", one.verdict, judged(drill)));
        }
        out.extend(details);
        return Case { name, status: Status::Passed, out: out.join("\n") };
    }
    let kind = one.reason.map_or_else(|| one.verdict.as_str(), Reason::as_str).to_owned();
    let because = Because { kind, message: sentence, details: details.join("\n") };
    let status = match one.verdict {
        Verdict::Violated => Status::Failure(because),
        Verdict::Held | Verdict::Inconclusive | Verdict::NotReached => Status::Error(because),
    };
    Case { name, status, out: String::new() }
}

/// A case for what the drill as a whole was found to be, where its expectations do not show it: another verdict than
/// it demands, or nothing that was judged.
fn verdict_case(drill: &DrillRecord, cases: &[Case]) -> Option<Case> {
    let shown = cases.iter().any(|case| case.status.is_failure() || case.status.is_error());
    if (drill.passed && !cases.is_empty()) || (shown && drill.must_be.is_none()) {
        return None;
    }
    let (name, kind) = match drill.must_be {
        Some(must) => (format!("must_be {}", demanded(must)), "must-be"),
        None => ("verdict".to_owned(), drill.verdict.as_str()),
    };
    let details = if cases.is_empty() { "no expectation was judged".to_owned() } else { String::new() };
    let because = Because { kind: kind.to_owned(), message: judged(drill), details };
    let status = match Outcome::of(drill) {
        Outcome::Passed => Status::Passed,
        Outcome::Failed => Status::Failure(because),
        Outcome::Inconclusive | Outcome::NotReached => Status::Error(because),
    };
    Some(Case { name, status, out: String::new() })
}

/// A drill that did not run is skipped, unless that is why the run did not pass.
fn not_run_suite(record: &RunRecord, one: &NotRun) -> Suite {
    let NotRun { drill, why } = one;
    let why = printable(why);
    let status = if record.exit_because.is_some() {
        Status::Error(Because { kind: "not-run".to_owned(), message: why, details: String::new() })
    } else {
        Status::Skipped { why }
    };
    let mut suite = Suite::new(drill.as_str(), record);
    suite.cases.push(Case { name: "drill".to_owned(), status, out: String::new() });
    suite
}

/// Hint, windows, findings and evidence of an expectation, one a line.
fn details(one: &ExpectationRecord) -> Vec<String> {
    let mut lines: Vec<String> = one.hint.iter().map(|hint| format!("hint: {}", printable(hint))).collect();
    for JudgedSegment { segment, judgement, is_first_broken } in judged_segments(one) {
        let observed =
            segment.observed.map_or_else(|| "not observed".to_owned(), |seconds| format!("{seconds:.3} s"));
        let mark = if is_first_broken { format!(" {FIRST_BROKEN}") } else { String::new() };
        lines.push(format!(
            "{}: {observed} in [{:.3}, {:.3}]: {judgement}{mark}",
            printable(&segment.name),
            segment.earliest,
            segment.latest
        ));
    }
    lines.extend(one.findings.iter().map(|finding| format!("- {}", printable(finding))));
    lines.extend(one.evidence.iter().map(|it| format!("evidence: {}", printable(&it.file))));
    lines
}

/// What the drill proves, its load and its faults, one a line.
fn drill_out(drill: &DrillRecord, speed: u32) -> String {
    let mut lines = vec![printable(drill.about.trim()), numbers(drill, speed)];
    for fault in &drill.faults {
        let when = began_and_ended(fault, drill.load_began, speed);
        lines.push(format!("fault {}: {when}", printable(&fault.what)));
        let proof = fault.proof.as_deref().unwrap_or("none, no effect was seen");
        lines.push(format!("  proof: {}", printable(proof)));
        for (what, text) in [("witnessed", &fault.witnessed), ("problem", &fault.problem)] {
            lines.extend(text.iter().map(|text| format!("  {what}: {}", printable(text))));
        }
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

fn properties(record: &RunRecord) -> Vec<(String, String)> {
    let mut properties = vec![
        ("run".to_owned(), record.run.to_string()),
        ("seed".to_owned(), record.seed.to_string()),
        ("speed".to_owned(), record.speed.to_string()),
    ];
    properties.extend(
        record
            .versions
            .iter()
            .map(|(name, version)| (format!("version.{}", printable(name)), printable(version))),
    );
    properties
}

/// Seconds as the schema wants them: digits and a point, never a sign, an exponent or a word.
fn seconds(seconds: f64) -> String {
    format!("{:.3}", if seconds.is_finite() && seconds > 0.0 { seconds } else { 0.0 })
}

fn borrowed<'a>(attributes: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    attributes.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

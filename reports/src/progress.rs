//! Live progress on stderr: in place on a terminal, line by line elsewhere. It reads events and nothing else.

use std::fmt;
use std::io::{self, Write};

use firedrill_record::{RunEvent, RunEventKind};
use indicatif::ProgressDrawTarget;

use crate::figures::drill_time;
use crate::live_view::LiveView;
use crate::palette::Palette;
use crate::status::Status;
use crate::wording::{Level, Told, tell};
use crate::wrapping::hanging;
use crate::{ProgressStyle, TerminalOptions};

/// Seconds between two lines about the load, where there are no bars.
const LOAD_EVERY: f64 = 10.0;
/// Seconds between two lines about what settling waits for, where there are no bars.
const SETTLING_EVERY: f64 = 5.0;

/// Shows the events of a run on stderr as they happen.
///
/// Nothing of the run depends on it: what cannot be written is not written.
pub struct TerminalReporter {
    options: TerminalOptions,
    status: Status,
    view: View,
    load_told: Option<f64>,
    settling_told: Option<(f64, String)>,
}

enum View {
    Live(LiveView),
    Lines(Box<dyn Write + Send>),
}

impl TerminalReporter {
    /// A reporter on stderr.
    pub fn new(options: TerminalOptions) -> Self {
        let view = match options.progress {
            ProgressStyle::Live => View::Live(LiveView::new(ProgressDrawTarget::stderr(), options.colour)),
            ProgressStyle::Plain | ProgressStyle::Outcomes | ProgressStyle::Quiet => {
                View::Lines(Box::new(io::stderr()))
            }
        };
        Self::with_view(options, view)
    }

    fn with_view(options: TerminalOptions, view: View) -> Self {
        Self { options, status: Status::default(), view, load_told: None, settling_told: None }
    }

    /// Shows `event`.
    pub fn event(&mut self, event: &RunEvent) {
        let told = tell(&event.kind).filter(|told| told.level >= self.least_level());
        if let Some(told) = told.filter(|told| self.is_due(event, told)) {
            self.line(&self.told_line(event, &told));
        }
        if let View::Live(view) = &mut self.view {
            self.status.apply(&event.kind);
            view.show(&self.status.lines());
        }
    }

    /// Takes the lines that change in place away, so that the final report stands alone. More events may follow.
    pub fn finish(&mut self) {
        if let View::Live(view) = &mut self.view {
            view.clear();
        }
    }

    fn least_level(&self) -> Level {
        match self.options.progress {
            ProgressStyle::Plain => Level::Step,
            ProgressStyle::Live => Level::Notable,
            ProgressStyle::Outcomes => Level::Outcome,
            ProgressStyle::Quiet => Level::Warning,
        }
    }

    /// Whether a line may be written about an event that comes often.
    fn is_due(&mut self, event: &RunEvent, told: &Told) -> bool {
        match &event.kind {
            RunEventKind::LoadProgressed { .. } => {
                let due = self.load_told.is_none_or(|before| event.elapsed - before >= LOAD_EVERY);
                if due {
                    self.load_told = Some(event.elapsed);
                }
                due
            }
            RunEventKind::Settling { .. } => {
                let due = self.settling_told.as_ref().is_none_or(|(before, text)| {
                    *text != told.text && event.elapsed - before >= SETTLING_EVERY
                });
                if due {
                    self.settling_told = Some((event.elapsed, told.text.clone()));
                }
                due
            }
            RunEventKind::DrillStarted { .. } => {
                self.load_told = None;
                self.settling_told = None;
                true
            }
            _ => true,
        }
    }

    fn told_line(&self, event: &RunEvent, told: &Told) -> String {
        let drill_time = event.drill_time.map(|time| format!(" {}", drill_time(time))).unwrap_or_default();
        let first = format!("[{:6.1}s{drill_time}] ", event.elapsed);
        let line = match self.options.width {
            Some(width) => hanging(&first, &told.text, width),
            None => format!("{first}{}", told.text),
        };
        match told.tone {
            Some(tone) => Palette { colour: self.options.colour }.paint(tone, &line),
            None => line,
        }
    }

    fn line(&mut self, text: &str) {
        match &mut self.view {
            View::Live(view) => view.scroll(text),
            // One write a line, so that lines of two programs do not mix.
            View::Lines(sink) => {
                let _ = sink.write_all(format!("{text}\n").as_bytes()).and_then(|()| sink.flush());
            }
        }
    }
}

impl fmt::Debug for TerminalReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalReporter").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Drop for TerminalReporter {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use firedrill_record::{Reason, Verdict};
    use jiff::Timestamp;

    use super::*;

    /// Keeps what was written.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(options: TerminalOptions, events: &[(f64, Option<f64>, RunEventKind)]) -> String {
        let sink = Sink::default();
        let mut reporter = TerminalReporter::with_view(options, View::Lines(Box::new(sink.clone())));
        for (elapsed, drill_time, kind) in events {
            reporter.event(&RunEvent {
                at: Timestamp::UNIX_EPOCH,
                elapsed: *elapsed,
                drill_time: *drill_time,
                kind: kind.clone(),
            });
        }
        reporter.finish();
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn options(progress: ProgressStyle) -> TerminalOptions {
        TerminalOptions { colour: false, progress, width: None }
    }

    fn whole_run() -> Vec<(f64, Option<f64>, RunEventKind)> {
        use RunEventKind as Kind;
        let fault = || "errors 30% on user".to_owned();
        let mut events = vec![
            (0.0, None, Kind::StackStarting { parts: 11 }),
            (
                0.1,
                None,
                Kind::PartStarted { part: "redis".into(), pid: Some(1), address: "127.0.0.1:1".into() },
            ),
            (0.2, None, Kind::PartReady { part: "redis".into(), after_ms: 100 }),
            (6.2, None, Kind::StackReady { after_ms: 6200 }),
            (6.3, None, Kind::DrillStarted { drill: "errors-page".parse().unwrap() }),
            (6.4, Some(0.0), Kind::LoadStarted { what: "5 users browse and chat".into() }),
            (6.5, Some(6.0), Kind::Settling { waiting_for: "5 s of steady load".into() }),
            (6.6, Some(12.0), Kind::Settling { waiting_for: "4.9 s of steady load".into() }),
            (8.4, Some(120.0), Kind::FaultInjected { fault: fault() }),
            (
                8.9,
                Some(150.0),
                Kind::FaultProved { fault: fault(), proof: "41 of 130 requests failed".into() },
            ),
            (
                9.3,
                Some(174.0),
                Kind::AlertProgressed { alert: "HighErrorRate{user}".into(), state: "pending".into() },
            ),
        ];
        events.extend((0..20u32).map(|tick| {
            let elapsed = 10.0 + f64::from(tick);
            (
                elapsed,
                None,
                Kind::LoadProgressed { requests: 1000 * (u64::from(tick) + 1), unknown: 0, messages: 3 },
            )
        }));
        events.extend([
            (30.0, Some(1416.0), Kind::FaultUndone { fault: fault() }),
            (31.0, None, Kind::Warned { text: "the witness had one delivery more".into() }),
            (
                31.5,
                None,
                Kind::ExpectationJudged {
                    expectation: "alert HighErrorRate{user}".into(),
                    verdict: Verdict::Violated,
                    reason: Some(Reason::TooLate),
                    sentence: "firing came 0.4 s too late".into(),
                },
            ),
            (
                32.0,
                None,
                Kind::DrillEnded {
                    drill: "errors-page".parse().unwrap(),
                    verdict: Verdict::Violated,
                    passed: false,
                },
            ),
            (32.1, None, Kind::InterruptReceived),
        ]);
        events
    }

    #[test]
    fn without_a_terminal_each_notable_event_is_one_line() {
        insta::assert_snapshot!(shown(options(ProgressStyle::Plain), &whole_run()));
    }

    #[test]
    fn quiet_tells_of_warnings_and_interrupts_only() {
        assert_eq!(
            shown(options(ProgressStyle::Quiet), &whole_run()),
            "[  31.0s] warning: the witness had one delivery more\n\
             [  32.1s] interrupted: undoing faults and taking everything down; a second signal ends at once\n"
        );
    }

    #[test]
    fn outcomes_are_one_line_a_drill_besides_warnings() {
        assert_eq!(
            shown(options(ProgressStyle::Outcomes), &whole_run()),
            "[  31.0s] warning: the witness had one delivery more\n\
             [  32.0s] drill errors-page did not pass: violated\n\
             [  32.1s] interrupted: undoing faults and taking everything down; a second signal ends at once\n"
        );
    }

    #[test]
    fn a_narrow_terminal_gets_wrapped_lines() {
        let options = TerminalOptions { width: Some(60), ..options(ProgressStyle::Plain) };
        let warned =
            RunEventKind::Warned { text: "Prometheus has no Alertmanager yet, waiting for one".into() };
        assert_eq!(
            shown(options, &[(1.0, None, warned)]),
            "[   1.0s] warning: Prometheus has no Alertmanager yet,\n          waiting for one\n"
        );
    }
}

//! What the bars show: the state of a run as its events have told it so far. Pure, so that no terminal is needed to
//! test it.

use std::fmt::Write as _;

use firedrill_record::RunEventKind;

use crate::figures::counted;
use crate::printable::printable;
use crate::wording;

/// Alerts shown one a line; a run with more has trouble that a bar cannot show.
const ALERTS_AT_MOST: usize = 8;
/// States shown of one alert, the latest.
const STATES_AT_MOST: usize = 3;
/// Missing parts named while the stack starts.
const PARTS_NAMED_AT_MOST: usize = 4;

/// The state of a run.
#[derive(Debug, Default)]
pub(crate) struct Status {
    drill: Option<String>,
    doing: String,
    parts: usize,
    waiting: Vec<String>,
    ready: usize,
    stopped: usize,
    load: Option<String>,
    faults: Vec<String>,
    alerts: Vec<(String, Vec<String>)>,
    judged: usize,
    tearing_down: bool,
}

impl Status {
    /// Takes `event` into account.
    pub(crate) fn apply(&mut self, event: &RunEventKind) {
        use RunEventKind as Kind;
        match event {
            Kind::RunStarted { .. } => "preparing".clone_into(&mut self.doing),
            Kind::StackStarting { parts } => {
                *self = Self { parts: *parts, ..Self::default() };
                self.doing = self.starting();
            }
            Kind::PartStarted { part, .. } => {
                self.waiting.push(printable(part));
                self.doing = self.starting();
            }
            Kind::PartReady { part, .. } => {
                let part = printable(part);
                self.waiting.retain(|waiting| *waiting != part);
                self.ready += 1;
                self.doing = self.starting();
            }
            Kind::StackReady { .. } => "stack ready".clone_into(&mut self.doing),
            Kind::DrillStarted { drill } => {
                *self = Self { parts: self.parts, drill: Some(drill.to_string()), ..Self::default() };
                "preparing".clone_into(&mut self.doing);
            }
            Kind::LoadStarted { .. } => "load running".clone_into(&mut self.doing),
            Kind::Settling { waiting_for } => {
                self.doing = format!("settling: waiting for {}", printable(waiting_for));
            }
            Kind::Settled { .. } => "settled".clone_into(&mut self.doing),
            Kind::FaultStarting { fault } => self.doing = format!("injecting {}", printable(fault)),
            Kind::FaultInjected { fault } => {
                self.faults.push(printable(fault));
                self.doing = self.under_fault();
            }
            Kind::FaultUndone { fault } => {
                let fault = printable(fault);
                self.faults.retain(|active| *active != fault);
                self.doing = self.under_fault();
            }
            Kind::AlertProgressed { alert, state } => {
                self.progress_alert(&printable(alert), &printable(state));
            }
            Kind::LoadProgressed { requests, unknown, messages } => {
                self.load = Some(wording::load(*requests, *unknown, Some(*messages)));
            }
            Kind::LoadDrained { requests, unknown } => {
                self.load = Some(format!("{}; drained", wording::load(*requests, *unknown, None)));
                "load drained, collecting evidence".clone_into(&mut self.doing);
            }
            Kind::ExpectationJudged { .. } => {
                self.judged += 1;
                self.doing = format!("judging: {} judged", counted(self.judged, "expectation"));
            }
            Kind::DrillEnded { .. } => *self = Self { parts: self.parts, ..Self::default() },
            Kind::InterruptReceived => "interrupted: undoing faults".clone_into(&mut self.doing),
            Kind::TeardownStarted => {
                self.tearing_down = true;
                self.doing = self.taking_down();
            }
            Kind::PartStopped { .. } if self.tearing_down => {
                self.stopped += 1;
                self.doing = self.taking_down();
            }
            Kind::RunEnded { .. } => *self = Self::default(),
            Kind::PartStopped { .. }
            | Kind::ConfigurationChanged { .. }
            | Kind::RuleLeftOut { .. }
            | Kind::FaultProved { .. }
            | Kind::Warned { .. } => {}
        }
    }

    /// The lines to show, the phase first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![match &self.drill {
            Some(drill) => format!("{drill}: {}", self.doing),
            None => self.doing.clone(),
        }];
        lines.extend(self.load.clone());
        lines.extend(
            self.alerts
                .iter()
                .take(ALERTS_AT_MOST)
                .map(|(alert, states)| format!("{}: {alert}", life(states))),
        );
        if let Some(more) = self.alerts.len().checked_sub(ALERTS_AT_MOST).filter(|more| *more > 0) {
            lines.push(format!("and {} more", counted(more, "alert")));
        }
        lines
    }

    fn starting(&self) -> String {
        let mut text = format!("starting: {} of {} ready", self.ready, counted(self.parts, "part"));
        if !self.waiting.is_empty() {
            let named = &self.waiting[..self.waiting.len().min(PARTS_NAMED_AT_MOST)];
            let _ = write!(text, ", waiting for {}", named.join(", "));
            if self.waiting.len() > named.len() {
                let _ = write!(text, " and {} more", self.waiting.len() - named.len());
            }
        }
        text
    }

    fn under_fault(&self) -> String {
        if self.faults.is_empty() {
            "fault undone, waiting for recovery".to_owned()
        } else {
            format!("fault active: {}", self.faults.join("; "))
        }
    }

    fn taking_down(&self) -> String {
        format!("taking down: {} of {} stopped", self.stopped, counted(self.parts, "part"))
    }

    fn progress_alert(&mut self, alert: &str, state: &str) {
        match self.alerts.iter_mut().find(|(known, _)| known == alert) {
            Some((_, states)) => states.push(state.to_owned()),
            None => self.alerts.push((alert.to_owned(), vec![state.to_owned()])),
        }
    }
}

/// The latest of `states`. They stand before the alert's name, so that a narrow terminal cuts the name and not them.
fn life(states: &[String]) -> String {
    let latest = &states[states.len().saturating_sub(STATES_AT_MOST)..];
    let before = if latest.len() < states.len() { "… → " } else { "" };
    format!("{before}{}", latest.join(" → "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(events: impl IntoIterator<Item = RunEventKind>) -> Vec<String> {
        let mut status = Status::default();
        for event in events {
            status.apply(&event);
        }
        status.lines()
    }

    #[test]
    fn a_starting_stack_names_the_parts_it_waits_for() {
        let started =
            |part: &str| RunEventKind::PartStarted { part: part.into(), pid: None, address: String::new() };
        let lines = after([
            RunEventKind::StackStarting { parts: 3 },
            started("redis"),
            started("prometheus"),
            RunEventKind::PartReady { part: "redis".into(), after_ms: 3 },
        ]);
        assert_eq!(lines, ["starting: 1 of 3 parts ready, waiting for prometheus"]);
    }

    #[test]
    fn an_active_fault_stands_beside_the_load_and_the_life_of_each_alert() {
        let alert = |state: &str| RunEventKind::AlertProgressed {
            alert: "HighErrorRate{user}".into(),
            state: state.into(),
        };
        let fault = || "errors 30% on user".to_owned();
        let mut events = vec![
            RunEventKind::DrillStarted { drill: "errors-page".parse().unwrap() },
            RunEventKind::LoadProgressed { requests: 12_345, unknown: 0, messages: 7 },
            RunEventKind::FaultInjected { fault: fault() },
            alert("pending"),
            alert("firing"),
        ];
        assert_eq!(
            after(events.clone()),
            [
                "errors-page: fault active: errors 30% on user",
                "load 12,345 requests, 0 unknown, 7 chat messages",
                "pending → firing: HighErrorRate{user}"
            ]
        );
        events.push(RunEventKind::FaultUndone { fault: fault() });
        assert_eq!(after(events)[0], "errors-page: fault undone, waiting for recovery");
    }

    #[test]
    fn of_a_long_life_the_latest_states_are_shown() {
        let lines = after(
            ["pending", "firing", "received", "delivered"]
                .map(|state| RunEventKind::AlertProgressed { alert: "A".into(), state: state.into() }),
        );
        assert_eq!(lines[1], "… → firing → received → delivered: A");
    }

    #[test]
    fn many_alerts_do_not_fill_the_screen() {
        let lines = after((0..20).map(|number| RunEventKind::AlertProgressed {
            alert: format!("A{number}"),
            state: "firing".into(),
        }));
        assert_eq!(lines.len(), 1 + ALERTS_AT_MOST + 1);
        assert_eq!(lines.last().unwrap(), "and 12 alerts more");
    }

    #[test]
    fn a_part_that_ends_counts_as_taken_down_only_while_the_stack_is() {
        let stopped = || RunEventKind::PartStopped { part: "redis".into(), how: "exited 0".into() };
        let lines = after([
            RunEventKind::StackStarting { parts: 2 },
            stopped(),
            RunEventKind::TeardownStarted,
            stopped(),
        ]);
        assert_eq!(lines, ["taking down: 1 of 2 parts stopped"]);
    }
}

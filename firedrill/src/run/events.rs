//! The stream of events: written first, shown after.

use std::sync::{Arc, Mutex, PoisonError};

use firedrill_record::{EventLog, Redactor, RunEvent, RunEventKind};
use firedrill_reports::{TerminalOptions, TerminalReporter};
use jiff::Timestamp;
use tokio::time::Instant;

/// Takes events from every phase of a run.
#[derive(Clone)]
pub(crate) struct Events {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    log: EventLog,
    /// Why the log could not be written, the first time it could not.
    broken: Option<String>,
    reporter: TerminalReporter,
    redactor: Redactor,
    began: Instant,
    /// When the load of the running drill began, and its speed.
    drill: Option<(Timestamp, u32)>,
}

impl Events {
    pub(crate) fn new(log: EventLog, options: TerminalOptions, redactor: Redactor) -> Self {
        let inner = Inner {
            log,
            broken: None,
            reporter: TerminalReporter::new(options),
            redactor,
            began: Instant::now(),
            drill: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes and shows `kind`, which happens now.
    pub(crate) fn tell(&self, kind: RunEventKind) {
        self.with(|inner| {
            let at = Timestamp::now();
            let drill_time =
                inner.drill.map(|(zero, speed)| at.duration_since(zero).as_secs_f64() * f64::from(speed));
            let event = RunEvent { at, elapsed: inner.began.elapsed().as_secs_f64(), drill_time, kind };
            if let Err(error) = inner.log.write(&event, &inner.redactor)
                && inner.broken.is_none()
            {
                inner.broken = Some(crate::failure::described(&error));
            }
            inner.reporter.event(&event);
        });
    }

    /// Warns of something that changes no verdict by itself.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.tell(RunEventKind::Warned { text: text.into() });
    }

    /// From now on events carry drill time, counted from `zero` at `speed`; none after the drill.
    pub(crate) fn set_drill(&self, drill: Option<(Timestamp, u32)>) {
        self.with(|inner| inner.drill = drill);
    }

    /// From now on nothing that `redactor` knows is written.
    pub(crate) fn set_redactor(&self, redactor: Redactor) {
        self.with(|inner| inner.redactor = redactor);
    }

    /// Why the log could not be written; none while it can.
    pub(crate) fn broken(&self) -> Option<String> {
        self.with(|inner| inner.broken.clone())
    }

    /// Seconds since the run began.
    pub(crate) fn elapsed(&self) -> f64 {
        self.with(|inner| inner.began.elapsed().as_secs_f64())
    }

    /// From now on events are shown with `options`.
    pub(crate) fn show_with(&self, options: TerminalOptions) {
        self.with(|inner| inner.reporter = TerminalReporter::new(options));
    }

    /// Takes progress off the terminal.
    pub(crate) fn finish(&self) {
        self.with(|inner| inner.reporter.finish());
    }
}

//! The ledger while it is being written: every request is opened before it is sent and ends exactly once.
//!
//! Routes are resolved once, to a [`StepId`]; opening and ending a request takes the lock of its own row only. It
//! knows nothing of HTTP: whoever sends says how it ended, and who forgets to has said *unknown*.

use std::sync::{Mutex, MutexGuard, PoisonError};

use firedrill_drill::{FanOut, FanOutStatus};
use firedrill_record::{Ledger, LedgerBin, LedgerEvent, LedgerRow, Route};

use crate::around_faults::{AroundFaults, EndedRequest};
use crate::clock::Clock;

/// A step's place in the ledger: its row and the rows that its answers imply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepId(usize);

#[derive(Debug)]
struct StepRows {
    direct: usize,
    implied: Vec<Implied>,
}

#[derive(Debug)]
struct Implied {
    row: usize,
    status: FanOutStatus,
    when: Vec<u16>,
}

/// Collects the routes of a load before it starts.
#[derive(Debug, Default)]
pub(crate) struct RecorderBuilder {
    rows: Vec<(Route, bool)>,
    steps: Vec<StepRows>,
}

impl RecorderBuilder {
    /// A place for requests of `route`, whose answers imply `fan_out`.
    pub(crate) fn step(&mut self, route: &Route, fan_out: &[FanOut]) -> StepId {
        let direct = self.row(route, true);
        let implied = fan_out
            .iter()
            .map(|one| Implied {
                row: self.row(&one.route, false),
                status: one.status,
                when: one.when.clone(),
            })
            .collect();
        self.steps.push(StepRows { direct, implied });
        StepId(self.steps.len() - 1)
    }

    pub(crate) fn build(self, clock: Clock) -> Recorder {
        Recorder {
            clock,
            rows: self
                .rows
                .into_iter()
                .map(|(route, direct)| Mutex::new(LedgerRow::empty(route, direct)))
                .collect(),
            steps: self.steps,
            around: Mutex::default(),
        }
    }

    fn row(&mut self, route: &Route, direct: bool) -> usize {
        let known = self.rows.iter().position(|(mine, kind)| mine == route && *kind == direct);
        known.unwrap_or_else(|| {
            self.rows.push((route.clone(), direct));
            self.rows.len() - 1
        })
    }
}

/// The ledger of a running load.
#[derive(Debug)]
pub(crate) struct Recorder {
    clock: Clock,
    rows: Vec<Mutex<LedgerRow>>,
    steps: Vec<StepRows>,
    around: Mutex<AroundFaults>,
}

impl Recorder {
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Opens a request that is sent right after. Dropping what is returned ends it as unknown.
    pub(crate) fn open(&self, step: StepId) -> OpenRequest<'_> {
        self.row(self.steps[step.0].direct).opened += 1;
        OpenRequest { recorder: self, step, sent_us: self.clock.now_us(), ended: false }
    }

    /// Keeps single requests around this instant.
    pub(crate) fn mark_fault(&self) {
        lock(&self.around).mark(self.clock.now_us());
    }

    /// Direct requests: opened, and with an unknown end.
    pub(crate) fn direct_totals(&self) -> (u64, u64) {
        (0..self.rows.len())
            .map(|index| self.row(index))
            .filter(|row| row.direct)
            .fold((0, 0), |(opened, unknown), row| (opened + row.opened, unknown + row.unknown))
    }

    /// What is known so far. Requests in flight are opened, and neither closed nor unknown.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::empty(self.clock.zero());
        ledger.rows = (0..self.rows.len()).map(|index| self.row(index).clone()).collect();
        ledger.events = lock(&self.around)
            .kept()
            .iter()
            .map(|one| LedgerEvent {
                route: ledger.rows[one.row].route.clone(),
                sent_us: one.sent_us,
                ended_us: one.ended_us,
                status: one.status,
            })
            .collect();
        ledger.events.sort_by_key(|event| event.ended_us);
        ledger.rows.sort_by(|a, b| (&a.route, !a.direct).cmp(&(&b.route, !b.direct)));
        ledger
    }

    fn row(&self, index: usize) -> MutexGuard<'_, LedgerRow> {
        lock(&self.rows[index])
    }

    fn end(&self, step: StepId, sent_us: u64, end: End) {
        let ended_us = self.clock.now_us();
        let rows = &self.steps[step.0];
        {
            let mut row = self.row(rows.direct);
            match end {
                End::Closed(status) => {
                    close(&mut row, status, sent_us, ended_us);
                    row.latency.record(ended_us - sent_us);
                }
                End::Refused => row.refused += 1,
                End::Unknown => row.unknown += 1,
            }
        }
        // A refused request never reached the service, so nothing was made on its behalf.
        if end != End::Refused {
            for implied in &rows.implied {
                let mut row = self.row(implied.row);
                row.opened += 1;
                match end {
                    End::Closed(status) if implied.when.contains(&status) => {
                        let status = match implied.status {
                            FanOutStatus::Same => status,
                            FanOutStatus::Fixed(fixed) => fixed,
                        };
                        close(&mut row, status, sent_us, ended_us);
                    }
                    _ => row.unknown += 1,
                }
            }
        }
        let status = if let End::Closed(status) = end { Some(status) } else { None };
        lock(&self.around).push(EndedRequest { row: rows.direct, sent_us, ended_us, status });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed(u16),
    Refused,
    Unknown,
}

/// A request in flight.
#[derive(Debug)]
#[must_use = "dropping an open request ends it as unknown"]
pub(crate) struct OpenRequest<'a> {
    recorder: &'a Recorder,
    step: StepId,
    sent_us: u64,
    ended: bool,
}

impl OpenRequest<'_> {
    /// It was answered with `status`, and the answer was read to its end.
    pub(crate) fn close(mut self, status: u16) {
        self.end(End::Closed(status));
    }

    /// It never reached the service.
    pub(crate) fn refused(mut self) {
        self.end(End::Refused);
    }

    /// Its end was not seen.
    pub(crate) fn unknown(mut self) {
        self.end(End::Unknown);
    }

    fn end(&mut self, end: End) {
        self.ended = true;
        self.recorder.end(self.step, self.sent_us, end);
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(End::Unknown);
        }
    }
}

fn close(row: &mut LedgerRow, status: u16, sent_us: u64, ended_us: u64) {
    let took_us = u32::try_from(ended_us.saturating_sub(sent_us)).unwrap_or(u32::MAX);
    *row.closed.entry(status).or_default() += 1;
    let index = u32::try_from(ended_us / (u64::from(Ledger::BIN_MS) * 1000)).unwrap_or(u32::MAX);
    // Ends come almost in order, so the place is at most a few bins from the back.
    let mut place = row.bins.len();
    while let Some(bin) = place.checked_sub(1).map(|before| &mut row.bins[before]) {
        match (bin.index, bin.status).cmp(&(index, status)) {
            std::cmp::Ordering::Equal => {
                bin.merge(&LedgerBin { count: 1, shortest_us: took_us, longest_us: took_us, ..*bin });
                return;
            }
            std::cmp::Ordering::Less => break,
            std::cmp::Ordering::Greater => place -= 1,
        }
    }
    let bin = LedgerBin { index, status, count: 1, shortest_us: took_us, longest_us: took_us };
    row.bins.insert(place, bin);
}

/// A panic while a lock was held leaves numbers that are still consistent: each is written in one go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;

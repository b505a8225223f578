//! Requests one by one around faults: the last seconds are always at hand, and kept when a fault is marked.
//!
//! A request belongs to a fault when it was alive at some instant within two seconds of it.

use std::collections::VecDeque;

/// How far around a fault requests are kept, in microseconds.
pub(crate) const REACH_US: u64 = 2_000_000;
/// Most requests held in waiting for a fault: two seconds of 100,000 a second.
const MAX_RECENT: usize = 200_000;
/// Most requests kept in all.
const MAX_KEPT: usize = 500_000;

/// One ended request; `row` is the recorder's index of its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndedRequest {
    pub(crate) row: usize,
    pub(crate) sent_us: u64,
    pub(crate) ended_us: u64,
    pub(crate) status: Option<u16>,
}

#[derive(Debug, Default)]
pub(crate) struct AroundFaults {
    recent: VecDeque<EndedRequest>,
    kept: Vec<EndedRequest>,
    faults_us: Vec<u64>,
}

impl AroundFaults {
    pub(crate) fn push(&mut self, ended: EndedRequest) {
        if self.faults_us.iter().rev().any(|at| near(&ended, *at)) {
            self.keep(ended);
            return;
        }
        while self.recent.front().is_some_and(|old| old.ended_us + REACH_US < ended.ended_us)
            || self.recent.len() >= MAX_RECENT
        {
            self.recent.pop_front();
        }
        self.recent.push_back(ended);
    }

    pub(crate) fn mark(&mut self, at_us: u64) {
        self.faults_us.push(at_us);
        for ended in std::mem::take(&mut self.recent) {
            if near(&ended, at_us) {
                self.keep(ended);
            }
        }
    }

    pub(crate) fn kept(&self) -> &[EndedRequest] {
        &self.kept
    }

    fn keep(&mut self, ended: EndedRequest) {
        if self.kept.len() < MAX_KEPT {
            self.kept.push(ended);
        }
    }
}

fn near(ended: &EndedRequest, fault_us: u64) -> bool {
    ended.sent_us <= fault_us.saturating_add(REACH_US) && ended.ended_us.saturating_add(REACH_US) >= fault_us
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(sent_ms: u64, ended_ms: u64) -> EndedRequest {
        EndedRequest { row: 0, sent_us: sent_ms * 1000, ended_us: ended_ms * 1000, status: Some(200) }
    }

    #[test]
    fn requests_alive_within_two_seconds_of_a_fault_are_kept_and_no_others() {
        let mut around = AroundFaults::default();
        for at in (0..10_000).step_by(500) {
            around.push(request(at, at + 1));
        }
        around.mark(10_000_000);
        around.push(request(11_900, 19_000));
        around.push(request(12_001, 12_002));
        let ended: Vec<u64> = around.kept().iter().map(|one| one.ended_us / 1000).collect();
        assert_eq!(ended, [8001, 8501, 9001, 9501, 19_000]);
    }

    #[test]
    fn without_a_fault_memory_holds_two_seconds() {
        let mut around = AroundFaults::default();
        for at in 0..100_000 {
            around.push(request(at, at));
        }
        assert_eq!(around.recent.len(), 2001);
        assert!(around.kept().is_empty());
    }
}

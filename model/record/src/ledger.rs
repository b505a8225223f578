//! The load ledger: what the generator itself knows to have sent, and how each request ended.
//!
//! It is the independent witness against which monitoring is judged. Rows are mergeable: two ledgers of one clock add
//! up to the ledger of both.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ServiceName;

/// What a request was, in the words of the service's own metrics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Route {
    /// The service that should count the request.
    pub service: ServiceName,
    /// HTTP method, upper case.
    pub method: String,
    /// Route template, never a raw path: `/users/{id}`.
    pub route: String,
}

/// Requests of one route that closed with one status within one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerBin {
    /// Index of the bin: it covers `[index, index + 1) * bin_ms` after [`Ledger::zero`].
    pub index: u32,
    /// HTTP status the request closed with.
    pub status: u16,
    /// How many.
    pub count: u32,
    /// Shortest time from sending to the end of the answer among them, in microseconds; of the direct request for
    /// implied ones.
    pub shortest_us: u32,
    /// Longest such time.
    pub longest_us: u32,
}

impl LedgerBin {
    /// Adds another bin of the same index and status.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.shortest_us = self.shortest_us.min(other.shortest_us);
        self.longest_us = self.longest_us.max(other.longest_us);
    }
}

/// All requests of one route.
///
/// A request that this harness sent itself is *direct*. One that a service must have sent on behalf of a direct one,
/// by the fan-out its journey step declares, is *implied*: its status and bin are those of the direct request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// What was requested.
    pub route: Route,
    /// False for requests implied by a declared fan-out.
    pub direct: bool,
    /// Requests opened: each of them is in `closed`, `refused` or `unknown`.
    pub opened: u64,
    /// Requests that ended with a status, by that status.
    pub closed: BTreeMap<u16, u64>,
    /// Requests that never reached the service because the connection was refused: they count 0.
    pub refused: u64,
    /// Requests whose end was not seen (time-out, reset, the generator stopped): each counts 0 or 1.
    pub unknown: u64,
    /// Closed requests by bin of their end, ordered by index then status; bins without requests are left out.
    pub bins: Vec<LedgerBin>,
    /// Time from sending to the end of the answer as the client saw it; empty for implied rows.
    pub latency: LatencyHistogram,
}

impl LedgerRow {
    /// A row of `route` with nothing in it.
    pub fn empty(route: Route, direct: bool) -> Self {
        Self {
            route,
            direct,
            opened: 0,
            closed: BTreeMap::new(),
            refused: 0,
            unknown: 0,
            bins: Vec::new(),
            latency: LatencyHistogram::default(),
        }
    }

    /// Requests that closed with any status.
    pub fn closed_total(&self) -> u64 {
        self.closed.values().sum()
    }

    fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.refused += other.refused;
        self.unknown += other.unknown;
        for (status, count) in &other.closed {
            *self.closed.entry(*status).or_default() += count;
        }
        let mut bins: BTreeMap<(u32, u16), LedgerBin> = BTreeMap::new();
        for bin in self.bins.iter().chain(&other.bins) {
            bins.entry((bin.index, bin.status)).and_modify(|mine| mine.merge(bin)).or_insert(*bin);
        }
        self.bins = bins.into_values().collect();
        self.latency.merge(&other.latency);
    }
}

/// Sub-buckets of [`LatencyHistogram`] between two powers of two of microseconds: values err by at most 1/32.
pub const LATENCY_BUCKETS_PER_OCTAVE: u32 = 32;

/// Latencies in microseconds as a sparse log-linear histogram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyHistogram {
    /// Upper bound of a bucket in microseconds, inclusive, to the number of values in it.
    pub buckets: BTreeMap<u64, u64>,
}

impl LatencyHistogram {
    /// The inclusive upper bound, in microseconds, of the bucket that holds `micros`.
    pub fn bucket_of(micros: u64) -> u64 {
        let per = u64::from(LATENCY_BUCKETS_PER_OCTAVE);
        if micros < per {
            return micros;
        }
        let width = (1u64 << micros.ilog2()) / per;
        micros - micros % width + (width - 1)
    }

    /// Adds one latency.
    pub fn record(&mut self, micros: u64) {
        *self.buckets.entry(Self::bucket_of(micros)).or_default() += 1;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (upper, count) in &other.buckets {
            *self.buckets.entry(*upper).or_default() += count;
        }
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// Values certainly at most `micros`: those whose whole bucket is.
    pub fn count_at_most(&self, micros: u64) -> u64 {
        self.buckets.range(..=micros).map(|(_, count)| count).sum()
    }

    /// The upper bound, in microseconds, of the bucket that holds quantile `q` (0 to 1); none when empty.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.count();
        let mut seen = 0;
        self.buckets.iter().find_map(|(upper, count)| {
            seen += count;
            (seen as f64 >= q * total as f64).then_some(*upper)
        })
    }
}

/// One request within two seconds of a fault, one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEvent {
    /// What was requested.
    pub route: Route,
    /// Microseconds from [`Ledger::zero`] to sending.
    pub sent_us: u64,
    /// Microseconds from [`Ledger::zero`] to the end.
    pub ended_us: u64,
    /// The status; none when refused or unknown.
    pub status: Option<u16>,
}

/// One open-model load: arrivals at a rate that does not wait for answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArrivalTotals {
    /// The journey's name.
    pub name: String,
    /// Arrivals asked for, per second.
    pub rate: f64,
    /// Seconds the load ran.
    pub seconds: f64,
    /// Arrivals whose intended start lay within the run.
    pub intended: u64,
    /// Arrivals started.
    pub started: u64,
    /// Arrivals not started because too many were in flight.
    pub dropped: u64,
    /// Time from the intended start to the end.
    pub latency: LatencyHistogram,
}

/// One chat load over WebSockets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatTotals {
    /// The service that carries it.
    pub service: ServiceName,
    /// Seconds the load ran.
    pub seconds: f64,
    /// Messages asked for, per second over all rooms.
    pub rate: f64,
    /// Connections whose upgrade succeeded, those after the first of a member among them.
    pub connections: u64,
    /// Connections ended with a complete closing handshake, begun by either side.
    pub closed_cleanly: u64,
    /// Connections that ended while the load ran and were made again by their member.
    pub reconnected: u64,
    /// Messages sent of which the room's stream certainly has each: it came back to somebody.
    pub sent: u64,
    /// Messages sent of which nobody knows whether the service took them: the connection ended before they came back.
    pub unknown: u64,
    /// Deliveries that the messages in `sent` should have led to: for each message the members of its room.
    pub expected_deliveries: u64,
    /// Deliveries seen, duplicates not counted.
    pub delivered: u64,
    /// Expected deliveries never seen.
    pub lost: u64,
    /// Deliveries of a message that the member already had, or of one in `unknown`.
    pub duplicated: u64,
    /// Time from sending to delivery.
    pub latency: LatencyHistogram,
}

/// Everything one drill's load did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The instant that bins and events count from.
    pub zero: Timestamp,
    /// Width of a bin in milliseconds.
    pub bin_ms: u32,
    /// One row for each route and kind, ordered by route.
    pub rows: Vec<LedgerRow>,
    /// Requests one by one around faults, ordered by end.
    pub events: Vec<LedgerEvent>,
    /// Open-model loads.
    pub arrivals: Vec<ArrivalTotals>,
    /// Chat loads.
    pub chats: Vec<ChatTotals>,
}

impl Ledger {
    /// Width of a bin in milliseconds.
    pub const BIN_MS: u32 = 10;

    /// A ledger with nothing in it.
    pub fn empty(zero: Timestamp) -> Self {
        Self {
            zero,
            bin_ms: Self::BIN_MS,
            rows: Vec::new(),
            events: Vec::new(),
            arrivals: Vec::new(),
            chats: Vec::new(),
        }
    }

    /// Adds `other`, which must have the same zero and bin width (it comes from the same drill).
    pub fn merge(&mut self, other: Self) {
        for row in other.rows {
            match self.rows.iter_mut().find(|mine| mine.route == row.route && mine.direct == row.direct) {
                Some(mine) => mine.merge(&row),
                None => self.rows.push(row),
            }
        }
        self.rows.sort_by(|a, b| (&a.route, !a.direct).cmp(&(&b.route, !b.direct)));
        self.events.extend(other.events);
        self.events.sort_by_key(|event| event.ended_us);
        self.arrivals.extend(other.arrivals);
        self.chats.extend(other.chats);
    }

    /// Requests of `service` that closed within `[from, to)`: how many in all, and how many with a 5xx status.
    pub fn closed_between(&self, service: &ServiceName, from: Timestamp, to: Timestamp) -> (u64, u64) {
        let bin = |at: Timestamp| {
            let nanos = at.duration_since(self.zero).as_nanos().max(0);
            u32::try_from(nanos / (i128::from(self.bin_ms) * 1_000_000)).unwrap_or(u32::MAX)
        };
        let (from, to) = (bin(from), bin(to));
        let mut all = 0;
        let mut failed = 0;
        for row in self.rows.iter().filter(|row| &row.route.service == service) {
            for bin in row.bins.iter().filter(|bin| (from..to).contains(&bin.index)) {
                all += u64::from(bin.count);
                if bin.status >= 500 {
                    failed += u64::from(bin.count);
                }
            }
        }
        (all, failed)
    }

    /// Requests in rows sent directly: opened, and with an unknown end.
    pub fn direct_totals(&self) -> (u64, u64) {
        self.rows
            .iter()
            .filter(|row| row.direct)
            .fold((0, 0), |(opened, unknown), row| (opened + row.opened, unknown + row.unknown))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn route(service: &str) -> Route {
        Route { service: service.parse().unwrap(), method: "GET".into(), route: "/users/{id}".into() }
    }

    #[test]
    fn merging_adds_rows_of_the_same_route_and_keeps_direct_and_implied_apart() {
        let mut one = Ledger::empty(Timestamp::UNIX_EPOCH);
        let mut row = LedgerRow::empty(route("user"), true);
        row.opened = 2;
        row.closed.insert(200, 2);
        row.bins.push(LedgerBin { index: 3, status: 200, count: 2, shortest_us: 5, longest_us: 9 });
        one.rows.push(row.clone());
        let mut two = Ledger::empty(Timestamp::UNIX_EPOCH);
        row.bins[0].index = 1;
        two.rows.push(row.clone());
        two.rows.push(LedgerRow { direct: false, ..row });
        one.merge(two);
        assert_eq!(one.rows.len(), 2);
        assert_eq!(one.rows[0].closed[&200], 4);
        assert_eq!(one.rows[0].bins.iter().map(|bin| bin.index).collect::<Vec<_>>(), [1, 3]);
        assert!(!one.rows[1].direct);
    }

    #[test]
    fn requests_between_two_instants_are_those_that_closed_in_the_bins_between() {
        let mut ledger = Ledger::empty(Timestamp::UNIX_EPOCH);
        let mut row = LedgerRow::empty(route("user"), true);
        for (index, status, count) in [(0, 200, 5), (1, 500, 3), (2, 200, 7)] {
            row.bins.push(LedgerBin { index, status, count, shortest_us: 5, longest_us: 9 });
        }
        ledger.rows.push(row);
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let user = "user".parse().unwrap();
        assert_eq!(ledger.closed_between(&user, at(0), at(20)), (8, 3));
        assert_eq!(ledger.closed_between(&user, at(20), at(1000)), (7, 0));
        assert_eq!(ledger.closed_between(&"chat".parse().unwrap(), at(0), at(1000)), (0, 0));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_value_within_one_thirty_second(micros in 0u64..1 << 40) {
            let upper = LatencyHistogram::bucket_of(micros);
            prop_assert!(upper >= micros);
            prop_assert!(upper - micros <= micros / 32);
            prop_assert_eq!(LatencyHistogram::bucket_of(upper), upper);
        }

        #[test]
        fn counts_at_most_never_claim_more_than_is_true(values in prop::collection::vec(0u64..100_000, 0..100), limit in 0u64..100_000) {
            let mut histogram = LatencyHistogram::default();
            for value in &values {
                histogram.record(*value);
            }
            let truth = values.iter().filter(|value| **value <= limit).count() as u64;
            prop_assert!(histogram.count_at_most(limit) <= truth);
            prop_assert_eq!(histogram.count(), values.len() as u64);
        }
    }
}

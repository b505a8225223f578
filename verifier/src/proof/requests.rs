//! Requests of one service in the ledger, by when they ended.

use firedrill_record::{Ledger, LedgerBin, ServiceName};
use jiff::{SignedDuration, Timestamp};

/// A bin of the ledger with its place in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'a> {
    /// Not before this its requests ended.
    pub(super) from: Timestamp,
    /// Before this they had ended.
    pub(super) until: Timestamp,
    /// The bin.
    pub(super) bin: &'a LedgerBin,
}

/// All bins of `service`, of `route` only where there is one.
pub(super) fn ended<'a>(
    ledger: &'a Ledger,
    service: &'a ServiceName,
    route: Option<&'a str>,
) -> impl Iterator<Item = Ended<'a>> {
    let rows = ledger.rows.iter().filter(move |row| {
        &row.route.service == service && route.is_none_or(|wanted| row.route.route == wanted)
    });
    let width = SignedDuration::from_millis(i64::from(ledger.bin_ms));
    rows.flat_map(|row| &row.bins).map(move |bin| {
        let from = ledger.zero + width * i32::try_from(bin.index).unwrap_or(i32::MAX);
        Ended { from, until: from + width, bin }
    })
}

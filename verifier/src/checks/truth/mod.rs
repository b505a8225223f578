//! `truth`: the counters and histograms that Prometheus stores agree with the load ledger, route by route.

mod chats;
mod counters;
mod gathered;
mod histograms;
mod interrupted;
mod judge;
mod upstreams;

pub(crate) use judge::judge;

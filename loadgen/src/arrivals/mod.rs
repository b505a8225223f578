//! Open model: rounds start at a constant rate, whether or not earlier ones were answered.
//!
//! Latency runs from the *intended* start, so that a stall of the service, or of this generator, is not hidden. It
//! knows nothing of users; all arrivals share what one set-up captured, and keep coming while it is made again.

mod client;
mod load;
mod rounds;
mod shared_session;

pub(crate) use load::Arrivals;

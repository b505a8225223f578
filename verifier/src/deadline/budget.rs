//! What a step may take beyond the intervals of the configuration, in seconds, term by term.
//!
//! Measured with Prometheus 2.42 and Alertmanager 0.25 on two cores under the load of drills, 82 alerts: firing to
//! received 4 to 96 ms, the webhook 2 to 10 ms after `group_wait`, and 3 to 63 ms after a later tick. The switch of a
//! fault is measured in each drill and no part of the budget.

/// The clocks of two processes of one host, read in milliseconds, may disagree by so much.
pub(crate) const CLOCK: f64 = 0.02;

/// A scrape of a small service, from its timestamp until its samples can be read. A drill in which Prometheus itself
/// counted longer ones allows those.
pub(crate) const SCRAPE_TAKES: f64 = 0.05;

/// A request on the host itself, until it was worked on: an alert sent to Alertmanager, a webhook.
pub(crate) const REQUEST_TAKES: f64 = 0.05;

/// A timer of a monitored program may ring so late. Where the harness sees its own timers ring later, lateness decides
/// nothing.
pub(crate) const TIMER_LATE: f64 = 0.08;

/// Alertmanager winds a group's timer up again each time that it rings: so much lateness remains of each tick.
pub(super) const TICK_DRIFT: f64 = 0.002;

/// What the tries of a notification that failed take themselves, all together.
pub(super) const TRIES_TAKE: f64 = 0.2;

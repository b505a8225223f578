//! Whether time intervals of the route keep the alert silent.

use firedrill_rulebook::Coverage;
use jiff::Timestamp;

use super::AlertPlan;

/// What the mute and active time intervals of a route do to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Muting {
    /// Nothing: the route tells at all times of it.
    Never,
    /// The route is silent all the time, because of this.
    Always(String),
    /// The route is silent for a part of it, because of this: whether it tells is a matter of the hour. Also when that
    /// cannot be told.
    Sometimes(String),
}

impl AlertPlan {
    /// What the route's time intervals do between `from` and `until`. The route is silent in any of its mute time
    /// intervals, and outside all of its active ones where it has some.
    pub fn muting(&self, from: Timestamp, until: Timestamp) -> Muting {
        let named = |kind: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{kind}: {}", names.join(", ")))
        };
        let why = || {
            let mute = named("mute_time_intervals", &self.route.mute_time_intervals);
            let active = named("active_time_intervals", &self.route.active_time_intervals);
            mute.into_iter().chain(active).collect::<Vec<_>>().join("; ")
        };
        match self.alertmanager.muted(&self.route, from, until) {
            Coverage::All => Muting::Always(why()),
            Coverage::Part => Muting::Sometimes(why()),
            Coverage::None => Muting::Never,
        }
    }
}

//! Whether time intervals of the route keep the alert silent.

use jiff::Timestamp;

use super::AlertPlan;

/// What the mute and active time intervals of a route do to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Muting {
    /// Nothing: the route tells at all times of it.
    Never,
    /// The route is silent all the time, because of this.
    Always(String),
    /// The route is silent for a part of it, because of this: whether it tells is a matter of the hour.
    Sometimes(String),
}

/// How much of a run a time interval covers.
enum Covers {
    All,
    None,
    Part,
}

impl AlertPlan {
    /// What the route's time intervals do between `from` and `until`. The route is silent in any of its mute time
    /// intervals, and outside all of its active ones where it has some.
    pub fn muting(&self, from: Timestamp, until: Timestamp) -> Muting {
        let silent = self.route.mute_time_intervals.iter().map(|name| {
            let why = format!("mute_time_intervals: {name}");
            (self.covers(name, from, until), why)
        });
        let active: Vec<Covers> =
            self.route.active_time_intervals.iter().map(|name| self.covers(name, from, until)).collect();
        let outside = (!active.is_empty()).then(|| {
            let why = format!("active_time_intervals: {}", self.route.active_time_intervals.join(", "));
            let covers = if active.iter().any(|one| matches!(one, Covers::All)) {
                Covers::None
            } else if active.iter().all(|one| matches!(one, Covers::None)) {
                Covers::All
            } else {
                Covers::Part
            };
            (covers, why)
        });
        let mut muting = Muting::Never;
        for (covers, why) in silent.chain(outside) {
            match covers {
                Covers::All => return Muting::Always(why),
                Covers::Part => muting = Muting::Sometimes(why),
                Covers::None => {}
            }
        }
        muting
    }

    fn covers(&self, name: &str, _from: Timestamp, _until: Timestamp) -> Covers {
        if self.alertmanager.is_always(name) { Covers::All } else { Covers::Part }
    }
}

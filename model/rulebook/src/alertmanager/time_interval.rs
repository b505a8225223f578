//! When a named time interval of Alertmanager holds: the mute and active intervals of routes.
//!
//! They follow the calendar, which is not compressed. So a run can be judged only when it lies wholly inside an interval
//! or wholly outside: that is what [`Coverage`] says. The fields and their meaning are Alertmanager's
//! (<https://prometheus.io/docs/alerting/latest/configuration/#time_interval-0>): a moment is in an interval when all
//! fields of one of its periods hold, and a field holds when one of its ranges does.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde::Deserialize;
use serde_yaml::Value;

use super::AlertmanagerConfig;
use crate::routing::ResolvedRoute;

/// How much of a span of time is in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Every moment.
    All,
    /// No moment.
    None,
    /// Some moments; or it cannot be told, because a name or a time zone is not known here.
    Part,
}

/// A named interval of wall-clock time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeInterval {
    /// Its name.
    pub name: String,
    /// Whether every moment is in it, whatever the clock says.
    pub always: bool,
    periods: Vec<Period>,
}

impl TimeInterval {
    /// How much of the time from `from` to `to`, both included, is in it. It is asked minute by minute: nothing that an
    /// interval speaks of changes within one.
    pub fn covers(&self, from: Timestamp, to: Timestamp) -> Coverage {
        if self.always { Coverage::All } else { coverage(from, to, |at| self.contains(at)) }
    }

    /// Whether a moment is in it; `None` when that cannot be told.
    fn contains(&self, at: Timestamp) -> Option<bool> {
        any(self.periods.iter().map(|period| period.contains(at)))
    }
}

impl AlertmanagerConfig {
    /// How much of the time from `from` to `to` is in the interval of that name; `None` when there is no such interval.
    pub fn coverage(&self, time_interval: &str, from: Timestamp, to: Timestamp) -> Option<Coverage> {
        Some(self.time_interval(time_interval)?.covers(from, to))
    }

    /// How much of the time from `from` to `to` a route is silent: inside of one of its mute intervals, or outside of all
    /// of its active ones when it has any.
    pub fn muted(&self, route: &ResolvedRoute, from: Timestamp, to: Timestamp) -> Coverage {
        let inside = |names: &[String], at| {
            any(names.iter().map(|name| self.time_interval(name).and_then(|interval| interval.contains(at))))
        };
        coverage(from, to, |at| {
            let active = &route.active_time_intervals;
            let inactive = if active.is_empty() { Some(false) } else { inside(active, at).map(|yes| !yes) };
            any([inside(&route.mute_time_intervals, at), inactive].into_iter())
        })
    }

    fn time_interval(&self, name: &str) -> Option<&TimeInterval> {
        self.time_intervals.iter().find(|interval| interval.name == name)
    }
}

/// Whether one is true; `None` when none is and one cannot be told.
fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for answer in answers {
        match answer {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(false) }
}

fn coverage(from: Timestamp, to: Timestamp, contains: impl Fn(Timestamp) -> Option<bool>) -> Coverage {
    let Some(first) = contains(from) else { return Coverage::Part };
    let mut at = from;
    loop {
        let second = at.as_second();
        // The next whole minute; what cannot be represented lies beyond any run.
        let Ok(next) =
            Timestamp::from_second(second - second.rem_euclid(60)).and_then(|at| at.checked_add(1.minute()))
        else {
            return Coverage::Part;
        };
        at = next;
        if at > to {
            return if first { Coverage::All } else { Coverage::None };
        }
        if contains(at) != Some(first) {
            return Coverage::Part;
        }
    }
}

/// Fields that must all hold; an empty one always does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Period {
    /// Minutes of the day, the end excluded.
    times: Vec<Range>,
    /// Days from Sunday, which is 0.
    weekdays: Vec<Range>,
    /// Days from 1, or from the end of the month, which is -1.
    days_of_month: Vec<Range>,
    months: Vec<Range>,
    years: Vec<Range>,
    location: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: i32,
    last: i32,
}

impl Range {
    fn has(self, value: i32) -> bool {
        (self.first..=self.last).contains(&value)
    }
}

fn holds(ranges: &[Range], value: i32) -> bool {
    ranges.is_empty() || ranges.iter().any(|range| range.has(value))
}

impl Period {
    fn always(&self) -> bool {
        let whole_day = Range { first: 0, last: MINUTES_OF_A_DAY - 1 };
        let others = [&self.weekdays, &self.days_of_month, &self.months, &self.years];
        (self.times.is_empty() || self.times.contains(&whole_day))
            && others.iter().all(|field| field.is_empty())
    }

    fn contains(&self, at: Timestamp) -> Option<bool> {
        let zone = match &self.location {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).ok()?,
        };
        let at = at.to_zoned(zone);
        let minute = i32::from(at.hour()) * 60 + i32::from(at.minute());
        Some(
            holds(&self.times, minute)
                && self.holds_on(&at)
                && holds(&self.weekdays, i32::from(at.weekday().to_sunday_zero_offset()))
                && holds(&self.months, i32::from(at.month()))
                && holds(&self.years, i32::from(at.year())),
        )
    }

    /// Whether the day of the month holds. Days are counted and cut as Alertmanager does: a range that begins after the
    /// end of the month is skipped, one that ends after it ends with it.
    fn holds_on(&self, at: &Zoned) -> bool {
        let days = i32::from(at.days_in_month());
        let from_start = |day: i32| if day < 0 { days + day + 1 } else { day };
        self.days_of_month.is_empty()
            || self.days_of_month.iter().any(|range| {
                let first = from_start(range.first);
                let last = from_start(range.last).min(days);
                first <= days && Range { first, last }.has(i32::from(at.day()))
            })
    }
}

const MINUTES_OF_A_DAY: i32 = 24 * 60;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

#[derive(Deserialize)]
pub(super) struct RawInterval {
    pub(super) name: String,
    time_intervals: Option<Vec<Option<RawPeriod>>>,
}

impl RawInterval {
    pub(super) fn resolve(self) -> Result<TimeInterval, String> {
        let raw = self.time_intervals.into_iter().flatten().map(Option::unwrap_or_default);
        let periods = raw.map(RawPeriod::resolve).collect::<Result<Vec<_>, _>>()?;
        Ok(TimeInterval { name: self.name, always: periods.iter().any(Period::always), periods })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawPeriod {
    times: Option<Vec<RawTimes>>,
    weekdays: Option<Vec<Value>>,
    days_of_month: Option<Vec<Value>>,
    months: Option<Vec<Value>>,
    years: Option<Vec<Value>>,
    location: Option<String>,
}

#[derive(Deserialize)]
struct RawTimes {
    start_time: String,
    end_time: String,
}

impl RawPeriod {
    fn resolve(self) -> Result<Period, String> {
        let times = self.times.into_iter().flatten().map(|range| {
            let (first, end) = (minute_of_day(&range.start_time)?, minute_of_day(&range.end_time)?);
            Ok::<_, String>(Range { first, last: end - 1 })
        });
        let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a number"));
        Ok(Period {
            times: times.collect::<Result<_, _>>()?,
            weekdays: ranges(self.weekdays, weekday)?,
            days_of_month: ranges(self.days_of_month, number)?,
            months: ranges(self.months, |text| month(text).map_or_else(|| number(text), Ok))?,
            years: ranges(self.years, number)?,
            location: self.location.filter(|name| !name.is_empty() && name != "UTC"),
        })
    }
}

/// Reads `a` and `a:b`.
fn ranges(raw: Option<Vec<Value>>, read: impl Fn(&str) -> Result<i32, String>) -> Result<Vec<Range>, String> {
    let range = |value: Value| {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => return Err(format!("{other:?} is not a range")),
        };
        let text = text.trim().to_ascii_lowercase();
        let (first, last) = text.split_once(':').unwrap_or((&text, &text));
        Ok(Range { first: read(first.trim())?, last: read(last.trim())? })
    };
    raw.into_iter().flatten().map(range).collect()
}

/// Reads `00:00` to `24:00`.
fn minute_of_day(text: &str) -> Result<i32, String> {
    let parts = text.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute) = (hour.parse::<i32>().ok()?, minute.parse::<i32>().ok()?);
        ((0..60).contains(&minute) && (0..=24).contains(&hour)).then_some(hour * 60 + minute)
    });
    parts
        .filter(|minute| *minute <= MINUTES_OF_A_DAY)
        .ok_or_else(|| format!("`{text}` is not a time of the day"))
}

fn weekday(text: &str) -> Result<i32, String> {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let day = match text {
        "sunday" => Sunday,
        "monday" => Monday,
        "tuesday" => Tuesday,
        "wednesday" => Wednesday,
        "thursday" => Thursday,
        "friday" => Friday,
        "saturday" => Saturday,
        _ => return Err(format!("`{text}` is not a day of the week")),
    };
    Ok(i32::from(day.to_sunday_zero_offset()))
}

fn month(text: &str) -> Option<i32> {
    (1..).zip(MONTHS).find(|(_, name)| *name == text).map(|(number, _)| number)
}

#[cfg(test)]
mod tests;

//! Prometheus' and Alertmanager's own durations.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_yaml::{Mapping, Value};

use super::Compressed;
use crate::alertmanager::Route;
use crate::change::{Change, ChangeClass};
use crate::duration::{divide, format_duration, from_value};
use crate::folder::{ALERTMANAGER, ConfigFolder, PROMETHEUS};
use crate::yaml::{self, ConfigError};

/// Alertmanager's defaults of the root route.
const ROUTE_DEFAULTS: [(&str, Duration); 3] = [
    ("group_wait", Duration::from_secs(30)),
    ("group_interval", Duration::from_mins(5)),
    ("repeat_interval", Duration::from_hours(4)),
];

/// Writes scaled durations into mappings and lists the changes.
pub(super) struct Scaler<'a> {
    pub(super) file: &'a str,
    pub(super) speed: u32,
    pub(super) changes: &'a mut Vec<Change>,
}

impl Scaler<'_> {
    /// Sets `key` to `duration` divided by the speed.
    pub(super) fn set(&mut self, mapping: &mut Mapping, path: &str, key: &str, duration: Duration) {
        let scaled = divide(duration, self.speed);
        // Only a duration of zero stays zero: Alertmanager refuses intervals of zero.
        let value =
            if duration.is_zero() { scaled.value } else { scaled.value.max(Duration::from_millis(1)) };
        let (class, note) = if scaled.exact {
            (ChangeClass::Exact, "")
        } else {
            (ChangeClass::Adjusted, "rounded to a whole millisecond")
        };
        self.write(mapping, path, key, (duration, value), class, note);
    }

    /// Sets `key` to a value that gives way to something else.
    fn write(
        &mut self,
        mapping: &mut Mapping,
        path: &str,
        key: &str,
        (from, to): (Duration, Duration),
        class: ChangeClass,
        note: &str,
    ) {
        let (from, to) = (format_duration(from), format_duration(to));
        mapping.insert(key.into(), to.clone().into());
        if from != to {
            let what = if path.is_empty() { key.to_owned() } else { format!("{path}{key}") };
            self.changes.push(Change {
                file: self.file.to_owned(),
                what,
                from,
                to,
                class,
                note: note.to_owned(),
            });
        }
    }

    /// Scales `key` when it is there.
    pub(super) fn scale_present(
        &mut self,
        mapping: &mut Mapping,
        path: &str,
        key: &str,
    ) -> Result<(), ConfigError> {
        let Some(value) = mapping.get(key).filter(|value| !value.is_null()) else { return Ok(()) };
        let duration = from_value(value).map_err(|error| ConfigError {
            file: self.file.to_owned(),
            line: 1,
            problem: format!("{path}{key}: {error}"),
        })?;
        self.set(mapping, path, key, duration);
        Ok(())
    }

    /// A scrape's timeout is real time, but never longer than the scaled interval.
    fn set_timeout(&mut self, mapping: &mut Mapping, path: &str, timeout: Duration, interval: Duration) {
        let capped = timeout.min(divide(interval, self.speed).value);
        let note = "requests take real time; no longer than the interval";
        self.write(mapping, path, "scrape_timeout", (timeout, capped), ChangeClass::Adjusted, note);
    }
}

/// Scrape and evaluation intervals.
pub(super) fn compress_prometheus(
    folder: &ConfigFolder,
    speed: u32,
    compressed: &mut Compressed,
) -> Result<(), ConfigError> {
    let config = folder.prometheus()?;
    let mut tree = yaml::tree(PROMETHEUS, folder.text(PROMETHEUS)?)?;
    let mut scaler = Scaler { file: PROMETHEUS, speed, changes: &mut compressed.changes };
    let not_a_mapping = || ConfigError {
        file: PROMETHEUS.to_owned(),
        line: 1,
        problem: "global is not a mapping".to_owned(),
    };
    if tree.is_null() {
        tree = Value::Mapping(Mapping::new());
    }
    let global = yaml::mapping_mut(&mut tree, "global").ok_or_else(not_a_mapping)?;
    scaler.set(global, "global.", "scrape_interval", config.scrape_interval);
    scaler.set_timeout(global, "global.", config.scrape_timeout, config.scrape_interval);
    scaler.set(global, "global.", "evaluation_interval", config.evaluation_interval);
    scaler.scale_present(global, "global.", "rule_query_offset")?;

    for (job, entry) in config.jobs.iter().zip(yaml::items_mut(&mut tree, "scrape_configs")) {
        let Some(entry) = entry.as_mapping_mut() else { continue };
        let path = format!("job {}: ", job.name);
        if entry.contains_key("scrape_interval") || entry.contains_key("scrape_timeout") {
            scaler.set(entry, &path, "scrape_interval", job.scrape_interval);
            scaler.set_timeout(entry, &path, job.scrape_timeout, job.scrape_interval);
        }
    }
    compressed.folder.files.insert(PROMETHEUS.to_owned(), yaml::write(&tree));
    Ok(())
}

/// The timers of every route.
pub(super) fn compress_alertmanager(
    folder: &ConfigFolder,
    speed: u32,
    compressed: &mut Compressed,
) -> Result<(), ConfigError> {
    let config = folder.alertmanager()?;
    let mut tree = yaml::tree(ALERTMANAGER, folder.text(ALERTMANAGER)?)?;
    let mut scaler = Scaler { file: ALERTMANAGER, speed, changes: &mut compressed.changes };
    if let Some(root) = tree.get_mut("route") {
        if let Some(root) = root.as_mapping_mut() {
            for (key, default) in ROUTE_DEFAULTS {
                if root.get(key).is_none_or(Value::is_null) {
                    scaler.set(root, "route.", key, default);
                } else {
                    scaler.scale_present(root, "route.", key)?;
                }
            }
        }
        compress_children(root, "route", &mut scaler)?;
    }
    let used = intervals_of(&config.route);
    for interval in &config.time_intervals {
        if !interval.always && used.contains(interval.name.as_str()) {
            compressed.changes.push(Change {
                file: ALERTMANAGER.to_owned(),
                what: format!("time interval {}", interval.name),
                from: interval.name.clone(),
                to: interval.name.clone(),
                class: ChangeClass::Assumed,
                note:
                    "follows the wall clock, which is not compressed: a run must lie wholly inside or outside"
                        .to_owned(),
            });
        }
    }
    compressed.folder.files.insert(ALERTMANAGER.to_owned(), yaml::write(&tree));
    Ok(())
}

/// Names of the time intervals of a route and of all below it.
fn intervals_of(route: &Route) -> BTreeSet<&str> {
    let own = route.mute_time_intervals.iter().chain(&route.active_time_intervals).map(String::as_str);
    own.chain(route.routes.iter().flat_map(intervals_of)).collect()
}

fn compress_children(route: &mut Value, path: &str, scaler: &mut Scaler<'_>) -> Result<(), ConfigError> {
    for (index, child) in yaml::items_mut(route, "routes").enumerate() {
        let path = format!("{path}.routes[{index}]");
        if let Some(mapping) = child.as_mapping_mut() {
            for (key, _) in ROUTE_DEFAULTS {
                scaler.scale_present(mapping, &format!("{path}."), key)?;
            }
        }
        compress_children(child, &path, scaler)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::change::ChangeClass;
    use crate::compress::compress;
    use crate::folder::ConfigFolder;

    #[test]
    fn intervals_of_the_calendar_that_a_route_names_are_listed_as_assumed() {
        let night = "times: [{start_time: '22:00', end_time: '24:00'}]";
        let alertmanager = format!(
            "route: {{receiver: a, routes: [{{mute_time_intervals: [night, always]}}, {{active_time_intervals: [day]}}]}}\n\
             receivers: [{{name: a}}]\ntime_intervals:\n- {{name: night, time_intervals: [{{{night}}}]}}\n\
             - {{name: always, time_intervals: [{{}}]}}\n- {{name: unused, time_intervals: [{{{night}}}]}}\n\
             - {{name: day, time_intervals: [{{{night}}}]}}\n"
        );
        let config = ConfigFolder::from_files([("prometheus.yml", ""), ("alertmanager.yml", &alertmanager)]);
        let changes = compress(&config, 60).unwrap().changes;
        let assumed: Vec<_> = changes.iter().filter(|change| change.class == ChangeClass::Assumed).collect();
        let names: Vec<_> = assumed.iter().map(|change| change.what.as_str()).collect();
        assert_eq!(names, ["time interval night", "time interval day"]);
        assert!(assumed.iter().all(|change| change.from == change.to && change.note.contains("wholly")));
    }
}

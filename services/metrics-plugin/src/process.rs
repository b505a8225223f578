//! The standard `process_*` metrics, read from `/proc` at every scrape.
//!
//! Where there is no `/proc` they are absent.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Reads this process's figures. The start time is read once: it must not move with the clock.
#[derive(Debug)]
pub(crate) struct ProcessCollector {
    start_time_seconds: Option<f64>,
}

/// The fields of `/proc/self/stat` that are exposed.
struct Stat {
    cpu_seconds: f64,
    /// After boot.
    start_seconds: f64,
    virtual_bytes: u64,
    resident_bytes: u64,
}

impl ProcessCollector {
    pub(crate) fn new() -> Self {
        let start_time_seconds = match (boot_time_seconds(), Stat::read()) {
            (Some(boot), Some(stat)) => Some(boot + stat.start_seconds),
            _ => None,
        };
        Self { start_time_seconds }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        if let Some(stat) = Stat::read() {
            let counter = ConstCounter::new(stat.cpu_seconds);
            counter.encode(encoder.encode_descriptor(
                "process_cpu_seconds",
                "CPU time of the process, user and system",
                None,
                counter.metric_type(),
            )?)?;
            let mut gauge =
                |name: &str, help: &str, value: u64| encode_gauge(&mut encoder, name, help, value);
            gauge("process_resident_memory_bytes", "Resident memory of the process", stat.resident_bytes)?;
            gauge("process_virtual_memory_bytes", "Virtual memory of the process", stat.virtual_bytes)?;
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // The directory being read is itself open.
            let open = (entries.count() as u64).saturating_sub(1);
            encode_gauge(&mut encoder, "process_open_fds", "Open file descriptors", open)?;
            if let Some(limit) = getrlimit(Resource::Nofile).current {
                encode_gauge(&mut encoder, "process_max_fds", "Limit of open file descriptors", limit)?;
            }
        }
        if let Some(seconds) = self.start_time_seconds {
            let gauge = ConstGauge::new(seconds);
            gauge.encode(encoder.encode_descriptor(
                "process_start_time_seconds",
                "Start of the process, in seconds since the epoch",
                None,
                gauge.metric_type(),
            )?)?;
        }
        Ok(())
    }
}

fn encode_gauge(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> std::fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
    fn parse(stat: &str) -> Option<Self> {
        let after_name: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        // Numbered as in proc(5), where the state that follows the name is field 3.
        let field = |number: usize| after_name.get(number - 3)?.parse::<u64>().ok();
        let ticks = clock_ticks_per_second() as f64;
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) as f64 / ticks,
            start_seconds: field(22)? as f64 / ticks,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * page_size() as u64,
        })
    }
}

fn boot_time_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let mut fields = vec!["0"; 50];
        fields[14 - 3] = "100";
        fields[15 - 3] = "50";
        fields[23 - 3] = "4096";
        fields[24 - 3] = "2";
        let stat = Stat::parse(&format!("7 (a) b) {}", fields.join(" "))).expect("parses");
        assert_eq!(stat.virtual_bytes, 4096);
        assert_eq!(stat.resident_bytes, 2 * page_size() as u64);
        assert!((stat.cpu_seconds * clock_ticks_per_second() as f64 - 150.0).abs() < 1e-6);
    }
}

//! What a drill can break.

use std::fmt;
use std::time::Duration;

use firedrill_record::ServiceName;
use serde::{Deserialize, Serialize};

use crate::Ratio;

/// The part that [`Fault::HostCpu`] breaks.
const HOST: &str = "host";
/// The part that [`Fault::Gauge`] sits in: the harness itself.
const HARNESS: &str = "firedrill";

/// What can be broken. `lasts` is drill time; delays added to requests are real time, as all load is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Fault {
    /// A share of a service's requests fails with 500.
    Errors {
        /// The service.
        service: ServiceName,
        /// The share.
        ratio: Ratio,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// Requests to a service take longer.
    Latency {
        /// The service.
        service: ServiceName,
        /// Real time added to each request.
        added: Duration,
        /// The route template it is limited to; all routes without it.
        route: Option<String>,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service takes requests and never answers them.
    Hang {
        /// The service.
        service: ServiceName,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service refuses connections.
    Refuse {
        /// The service.
        service: ServiceName,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service sends the head of an answer at once and its body slowly.
    SlowBody {
        /// The service.
        service: ServiceName,
        /// Real time that a body takes.
        takes: Duration,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service's memory grows and is held.
    Memory {
        /// The service.
        service: ServiceName,
        /// Bytes more.
        grow: u64,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service computes for nothing.
    Cpu {
        /// The service.
        service: ServiceName,
        /// Share of one processor.
        busy: Ratio,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service's `/metrics` is wrong.
    BadMetrics {
        /// The service.
        service: ServiceName,
        /// What is wrong with it.
        how: BadMetrics,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A part of the stack is killed (SIGKILL) and started again when the fault ends.
    Kill {
        /// The part: a service, or `redis`.
        part: String,
        /// How long it stays away, in drill time.
        lasts: Duration,
    },
    /// Processors of the host are kept busy by a process of the harness, at the lowest priority.
    HostCpu {
        /// How many processors, at most those of the host; all of them without it.
        cores: Option<u32>,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A gauge of the harness's own exporter has a value. Nothing real stands behind it: it is synthetic.
    Gauge {
        /// Value of its label `gauge`.
        name: String,
        /// The value while the fault is there; finite, and never the 0 that it has otherwise.
        value: f64,
        /// How long, in drill time; kept by the exporter's own clock.
        lasts: Duration,
    },
}

/// What is wrong with a service's `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BadMetrics {
    /// The request metrics are missing, the process metrics are there.
    Missing,
    /// Every route label says something else.
    WrongLabels,
    /// It is no exposition at all.
    Garbage,
}

impl BadMetrics {
    /// Every way there is.
    pub const ALL: &'static [Self] = &[Self::Missing, Self::WrongLabels, Self::Garbage];

    /// In the words of a drill file: `missing`, `wrong-labels`, `garbage`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongLabels => "wrong-labels",
            Self::Garbage => "garbage",
        }
    }
}

impl Fault {
    /// The gauge that [`Fault::Gauge`] sets.
    pub const GAUGE_METRIC: &'static str = "firedrill_planted";

    /// The name of the gauge of a drill that names none.
    pub const DEFAULT_GAUGE: &'static str = "default";

    /// The name of the process by which [`Fault::HostCpu`] keeps processors busy, among those of the stack.
    pub const BURNER: &'static str = "burner";

    /// The longest wall time for which processors of the host may be kept busy.
    pub const LONGEST_HOST_CPU: Duration = Duration::from_mins(15);

    /// How long it lasts, in drill time.
    pub fn lasts(&self) -> Duration {
        match self {
            Self::Errors { lasts, .. }
            | Self::Latency { lasts, .. }
            | Self::Hang { lasts, .. }
            | Self::Refuse { lasts, .. }
            | Self::SlowBody { lasts, .. }
            | Self::Memory { lasts, .. }
            | Self::Cpu { lasts, .. }
            | Self::BadMetrics { lasts, .. }
            | Self::Kill { lasts, .. }
            | Self::HostCpu { lasts, .. }
            | Self::Gauge { lasts, .. } => *lasts,
        }
    }

    /// The part that it breaks: a service, another part of the stack, the host, or the harness itself.
    pub fn part(&self) -> &str {
        match self {
            Self::Errors { service, .. }
            | Self::Latency { service, .. }
            | Self::Hang { service, .. }
            | Self::Refuse { service, .. }
            | Self::SlowBody { service, .. }
            | Self::Memory { service, .. }
            | Self::Cpu { service, .. }
            | Self::BadMetrics { service, .. } => service.as_str(),
            Self::Kill { part, .. } => part,
            Self::HostCpu { .. } => HOST,
            Self::Gauge { .. } => HARNESS,
        }
    }

    /// The service whose `/metrics` it makes bad, if it does.
    pub fn service_with_bad_metrics(&self) -> Option<&ServiceName> {
        if let Self::BadMetrics { service, .. } = self { Some(service) } else { None }
    }

    /// The name of the synthetic gauge that it sets, if it does.
    pub fn planted_gauge(&self) -> Option<&str> {
        if let Self::Gauge { name, .. } = self { Some(name) } else { None }
    }

    /// Whether it sits inside a service, and so is undone by the end of that service. What is killed stays away by
    /// itself, and the host and the harness outlive every part.
    pub fn ends_with_its_part(&self) -> bool {
        !matches!(self, Self::Kill { .. } | Self::HostCpu { .. } | Self::Gauge { .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors { service, ratio, .. } => write!(f, "errors {ratio} on {service}"),
            Self::Latency { service, added, route: None, .. } => {
                write!(f, "latency {}ms on {service}", added.as_millis())
            }
            Self::Latency { service, added, route: Some(route), .. } => {
                write!(f, "latency {}ms on {service} {route}", added.as_millis())
            }
            Self::Hang { service, .. } => write!(f, "hang of {service}"),
            Self::Refuse { service, .. } => write!(f, "refused connections to {service}"),
            Self::SlowBody { service, takes, .. } => {
                write!(f, "bodies over {}ms from {service}", takes.as_millis())
            }
            Self::Memory { service, grow, .. } => write!(f, "memory of {service} grows by {grow} bytes"),
            Self::Cpu { service, busy, .. } => write!(f, "{service} burns {busy} of a processor"),
            Self::BadMetrics { service, how, .. } => write!(f, "metrics {} on {service}", how.as_str()),
            Self::Kill { part, .. } => write!(f, "kill {part}"),
            Self::HostCpu { cores: None, .. } => write!(f, "all processors of the host busy"),
            Self::HostCpu { cores: Some(cores), .. } => write!(f, "processors of the host busy: {cores}"),
            Self::Gauge { name, value, .. } => write!(f, "synthetic gauge {name} at {value}"),
        }
    }
}

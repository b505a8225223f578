//! The body of `POST /admin/faults`: exactly one kind, and its lease.

use std::time::Duration;

use serde::Deserialize;

use super::bad_metrics::BadMetricsOrder;
use super::cpu::CpuOrder;
use super::errors::ErrorsOrder;
use super::hang::HangOrder;
use super::latency::LatencyOrder;
use super::memory::MemoryOrder;
use super::refuse::RefuseOrder;
use super::slow_body::SlowBodyOrder;
use crate::error::ApiError;

const LONGEST_LEASE: Duration = Duration::from_hours(1);

/// The kinds of faults, by the names that orders use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Errors,
    Latency,
    Hang,
    Refuse,
    SlowBody,
    Memory,
    Cpu,
    BadMetrics,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Errors,
        Self::Latency,
        Self::Hang,
        Self::Refuse,
        Self::SlowBody,
        Self::Memory,
        Self::Cpu,
        Self::BadMetrics,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::Hang => "hang",
            Self::Refuse => "refuse",
            Self::SlowBody => "slow_body",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::BadMetrics => "bad_metrics",
        }
    }
}

/// The body as it comes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderBody {
    errors: Option<ErrorsOrder>,
    latency: Option<LatencyOrder>,
    hang: Option<HangOrder>,
    refuse: Option<RefuseOrder>,
    slow_body: Option<SlowBodyOrder>,
    memory: Option<MemoryOrder>,
    cpu: Option<CpuOrder>,
    bad_metrics: Option<BadMetricsOrder>,
    lease_ms: u64,
}

/// What is to be broken.
#[derive(Debug)]
pub(super) enum Order {
    Errors(ErrorsOrder),
    Latency(LatencyOrder),
    Hang(HangOrder),
    Refuse(RefuseOrder),
    SlowBody(SlowBodyOrder),
    Memory(MemoryOrder),
    Cpu(CpuOrder),
    BadMetrics(BadMetricsOrder),
}

impl OrderBody {
    /// The one order and its lease, checked but for what depends on the service's routes.
    pub(super) fn checked(self) -> Result<(Order, Duration), ApiError> {
        let lease = Duration::from_millis(self.lease_ms);
        if lease.is_zero() || lease > LONGEST_LEASE {
            return Err(ApiError::invalid("lease_ms must be 1 to 3600000"));
        }
        let mut orders = [
            self.errors.map(Order::Errors),
            self.latency.map(Order::Latency),
            self.hang.map(Order::Hang),
            self.refuse.map(Order::Refuse),
            self.slow_body.map(Order::SlowBody),
            self.memory.map(Order::Memory),
            self.cpu.map(Order::Cpu),
            self.bad_metrics.map(Order::BadMetrics),
        ]
        .into_iter()
        .flatten();
        match (orders.next(), orders.next()) {
            (Some(order), None) => Ok((order, lease)),
            _ => Err(ApiError::invalid("an order is of exactly one kind of fault")),
        }
    }
}

impl Order {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Errors(_) => Kind::Errors,
            Self::Latency(_) => Kind::Latency,
            Self::Hang(_) => Kind::Hang,
            Self::Refuse(_) => Kind::Refuse,
            Self::SlowBody(_) => Kind::SlowBody,
            Self::Memory(_) => Kind::Memory,
            Self::Cpu(_) => Kind::Cpu,
            Self::BadMetrics(_) => Kind::BadMetrics,
        }
    }
}

//! What a stack is to the rest of the project, whatever it runs on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_drill::Fault;
use firedrill_record::{Secret, ServiceName, StackRecord};
use firedrill_rulebook::{Change, ConfigFolder, HarnessWiring, ScaledFlags};
use jiff::Timestamp;

use crate::{FaultError, RunFolder, UpError};

/// What is needed to bring a stack up.
#[derive(Debug, Clone)]
pub struct StackPlan {
    /// The configuration, compressed already, with the addresses that a user deploys it with.
    pub configuration: ConfigFolder,
    /// Its name in the record: `default`, or the overlay's folder.
    pub configuration_name: String,
    /// Prometheus' scaled flags.
    pub flags: ScaledFlags,
    /// Where the harness serves its own metrics and its witness; both must answer before the stack is brought up.
    pub harness: HarnessWiring,
    /// Environment that every service gets besides what it always gets.
    pub services_environment: BTreeMap<String, String>,
    /// The program of the services.
    pub services_binary: PathBuf,
    /// Folder for everything that belongs to this stack; made when absent.
    pub folder: PathBuf,
    /// The time within which the stack must be ready.
    pub start_deadline: Duration,
}

/// What happens while a stack is brought up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StackEvent {
    /// Something was changed in the configuration so that it fits the host.
    ConfigurationChanged(Change),
    /// A part was started.
    PartStarted {
        /// The part: `redis`, `prometheus`, the name of a service.
        part: String,
        /// Its process, where it has one on this host.
        pid: Option<u32>,
        /// Where it will listen.
        address: String,
    },
    /// A part answered as ready.
    PartReady {
        /// The part.
        part: String,
        /// Time since the stack began to start.
        after: Duration,
    },
    /// A part found its port taken, though it had been free before; all parts are started again with other ports.
    PortTaken {
        /// The part.
        part: String,
        /// The address it could not have.
        address: String,
    },
    /// Every part is ready, every target was discovered and scraped, and Prometheus knows its Alertmanager.
    StackReady {
        /// Time since the stack began to start.
        after: Duration,
    },
}

/// Where a stack can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Prometheus, from the harness.
    pub prometheus: SocketAddr,
    /// Alertmanager, from the harness.
    pub alertmanager: SocketAddr,
    /// Redis, from the harness.
    pub redis: SocketAddr,
    /// The services, from the harness.
    pub services: BTreeMap<ServiceName, SocketAddr>,
    /// Every part as Prometheus reaches it, by the name and port it has in a deployed configuration: `user:3002`.
    pub seen_by_prometheus: BTreeMap<String, String>,
}

/// A part that ended without being told to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostPart {
    /// The part.
    pub part: String,
    /// How it ended: `signal: 9 (SIGKILL)`.
    pub how: String,
    /// The last lines of its log.
    pub log_tail: String,
}

/// A part that was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedPart {
    /// The part.
    pub part: String,
    /// How it ended, in words.
    pub how: String,
}

/// How a stack was taken down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DownReport {
    /// The parts, in the order they were stopped.
    pub stopped: Vec<StoppedPart>,
    /// What could not be ended or undone, in words; empty when all is gone.
    pub left: Vec<String>,
}

/// A fault that was injected.
#[derive(Debug, Clone, PartialEq)]
pub struct InjectedFault {
    /// The fault.
    pub fault: Fault,
    /// Just before the switch was asked.
    pub asked: Timestamp,
    /// Just after the switch had answered.
    pub injected: Timestamp,
    /// Its number in the undo ledger.
    pub number: u64,
    /// What the kernel or the daemon said of it, where they can: `auth (process 4711) ended by signal 9`.
    pub witnessed: Option<String>,
}

/// A fault that was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Just before the undo was asked.
    pub asked: Timestamp,
    /// Just after it had answered.
    pub undone: Timestamp,
    /// What the kernel or the daemon said of it, where they can: `auth runs again as process 4720`.
    pub witnessed: Option<String>,
}

/// A way to run a stack.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Brings a stack up and waits until it is ready. When it fails, or when its future is dropped, nothing of it is
    /// left running.
    async fn up(
        &self,
        plan: StackPlan,
        run: &RunFolder,
        tell: &(dyn Fn(StackEvent) + Send + Sync),
    ) -> Result<Box<dyn Stack>, UpError>;
}

/// A stack that is up.
#[async_trait]
pub trait Stack: Send + Sync {
    /// Where it can be reached.
    fn addresses(&self) -> &Addresses;

    /// Its entry in the run's record; what was left out of its configuration is for the caller to add.
    fn record(&self) -> StackRecord;

    /// Values that must never be written.
    fn secrets(&self) -> Vec<Secret>;

    /// Versions of its programs, by part.
    fn versions(&self) -> BTreeMap<String, String>;

    /// The processes of the parts on this host that run now, by part.
    fn processes(&self) -> BTreeMap<String, u32>;

    /// Parts that ended without being told to: one that a fault has killed is not among them. Cheap enough to ask
    /// several times a second.
    fn lost(&self) -> Vec<LostPart>;

    /// Injects a fault that is to last for `lasts` (wall time), and ends by itself a little later, should nobody undo it;
    /// but a part that is killed stays away until then. The exporter ends a gauge by itself after exactly that time.
    async fn inject(&self, fault: &Fault, lasts: Duration) -> Result<InjectedFault, FaultError>;

    /// Undoes a fault. A fault whose service has ended is undone by that; a part that was killed is started again by
    /// the plan of its first start, and waited for; of a gauge that the exporter has ended the times are of that end.
    async fn undo(&self, fault: &InjectedFault) -> Result<Undone, FaultError>;

    /// Takes the stack down. Dropped without this, its parts are killed as a last resort.
    async fn down(self: Box<Self>) -> DownReport;
}

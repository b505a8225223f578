//! What each part of the stack is on this host: program, arguments, environment, folder, address.
//!
//! To add a part: a port in [`Layout`], a method that describes it, and its place in the order of start.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_record::{Secret, ServiceName};
use firedrill_rulebook::ScaledFlags;

use super::part::{PartPlan, ReadyWhen};
use super::ports::PortLease;
use super::tools::{Tool, Tools};
use crate::backend::{Addresses, StackPlan};

/// The services and the ports of a deployed configuration.
const SERVICES: [(&str, u16); 5] =
    [("gateway", 3000), ("auth", 3001), ("user", 3002), ("chat", 3003), ("notification", 3004)];

/// Everything else, with the names and ports of a deployed configuration.
const PROMETHEUS: (&str, u16) = ("prometheus", 9090);
const ALERTMANAGER: (&str, u16) = ("alertmanager", 9093);
const NODE_EXPORTER: (&str, u16) = ("node-exporter", 9100);
const REDIS_EXPORTER: (&str, u16) = ("redis-exporter", 9121);
const REDIS: (&str, u16) = ("redis", 6379);
const OTHERS: [(&str, u16); 5] = [PROMETHEUS, ALERTMANAGER, NODE_EXPORTER, REDIS_EXPORTER, REDIS];

/// Collectors that read much, or complain at every scrape on a host without what they look at.
const UNUSED_COLLECTORS: [&str; 12] = [
    "btrfs",
    "edac",
    "hwmon",
    "infiniband",
    "mdadm",
    "netclass",
    "nfs",
    "nfsd",
    "systemd",
    "thermal_zone",
    "xfs",
    "zfs",
];

/// A service finishes what is in flight for 5 s.
const SERVICE_GRACE: Duration = Duration::from_secs(6);
const GRACE: Duration = Duration::from_secs(5);

/// Secrets of one stack, never written anywhere.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) fault_token: Secret,
    pub(super) signing_key: Secret,
}

/// Where each part of one stack lives: its folder and its address.
#[derive(Debug)]
pub(super) struct Layout {
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    addresses: BTreeMap<&'static str, SocketAddr>,
    /// Kept from other runs until the stack is gone.
    _ports: PortLease,
}

impl Layout {
    /// The parts and the ports that they have in a deployed configuration.
    pub(super) fn deployed() -> Vec<(&'static str, u16)> {
        [SERVICES, OTHERS].concat()
    }

    /// With one port for each part, in the order of [`Layout::deployed`].
    pub(super) fn new(ports: PortLease, folder: &Path, environment: BTreeMap<String, String>) -> Self {
        let names = Self::deployed().into_iter().map(|(name, _)| name);
        let addresses = names.zip(ports.ports.iter().copied()).collect();
        Self { folder: folder.to_owned(), environment, addresses, _ports: ports }
    }

    /// The folder of a part.
    pub(super) fn folder(&self, part: &str) -> PathBuf {
        self.folder.join(part)
    }

    /// The address of a part.
    pub(super) fn address(&self, part: &str) -> SocketAddr {
        self.addresses[part]
    }

    /// Address in a deployed configuration to address on this host.
    pub(super) fn wired(&self) -> BTreeMap<String, String> {
        let all = SERVICES.iter().chain(&OTHERS);
        all.map(|(name, port)| (format!("{name}:{port}"), self.address(name).to_string())).collect()
    }

    /// All parts and their addresses.
    pub(super) fn parts(&self) -> BTreeMap<String, String> {
        self.addresses.iter().map(|(name, address)| ((*name).to_owned(), address.to_string())).collect()
    }

    pub(super) fn public_addresses(&self) -> Addresses {
        Addresses {
            prometheus: self.address(PROMETHEUS.0),
            alertmanager: self.address(ALERTMANAGER.0),
            redis: self.address(REDIS.0),
            services: SERVICES
                .iter()
                .map(|(name, _)| {
                    (name.parse::<ServiceName>().expect("the names above are valid"), self.address(name))
                })
                .collect(),
            seen_by_prometheus: self.wired(),
        }
    }

    pub(super) fn redis(&self, tools: &Tools) -> PartPlan {
        let port = self.address(REDIS.0).port().to_string();
        let mut plan = self.plan(REDIS.0, &tools.redis_server);
        plan.arguments = words(&["--bind", "127.0.0.1", "--port", &port, "--dir", "data"]);
        // Its log of writes, in the run's own folder: killed, it comes back with its data. The title stays, as Redis
        // would write it over its environment, by which it is known as this run's.
        plan.arguments.extend(words(&["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]));
        plan.arguments.extend(words(&["--daemonize", "no"]));
        plan.arguments.extend(words(&["--set-proc-title", "no"]));
        plan
    }

    /// The parts that observe.
    pub(super) fn monitoring(&self, tools: &Tools, flags: ScaledFlags) -> Vec<PartPlan> {
        vec![
            self.prometheus(&tools.prometheus, flags),
            self.alertmanager(&tools.alertmanager),
            self.node_exporter(&tools.node_exporter),
            self.redis_exporter(&tools.redis_exporter),
        ]
    }

    /// Its folder is its working directory and rule paths are relative, so that evaluation phases, which hash the
    /// paths, are those of every run.
    fn prometheus(&self, tool: &Tool, flags: ScaledFlags) -> PartPlan {
        let mut plan = self.plan(PROMETHEUS.0, tool);
        plan.arguments = [
            "--config.file=config/prometheus.yml".to_owned(),
            format!("--web.listen-address={}", plan.address),
            "--web.enable-lifecycle".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            "--storage.tsdb.retention.time=30d".to_owned(),
            format!("--query.lookback-delta={}", milliseconds(flags.lookback_delta)),
            format!("--rules.alert.resend-delay={}", milliseconds(flags.resend_delay)),
            format!("--rules.alert.for-grace-period={}", milliseconds(flags.for_grace_period)),
            format!("--rules.alert.for-outage-tolerance={}", milliseconds(flags.for_outage_tolerance)),
        ]
        .map(OsString::from)
        .to_vec();
        plan
    }

    /// Without a cluster, which would make the first notification wait for peers.
    fn alertmanager(&self, tool: &Tool) -> PartPlan {
        let mut plan = self.plan(ALERTMANAGER.0, tool);
        plan.arguments = words(&[
            "--config.file=config/alertmanager.yml",
            "--storage.path=data",
            &format!("--web.listen-address={}", plan.address),
            "--cluster.listen-address=",
        ]);
        plan
    }

    fn node_exporter(&self, tool: &Tool) -> PartPlan {
        let mut plan = self.plan(NODE_EXPORTER.0, tool);
        plan.arguments = vec![format!("--web.listen-address={}", plan.address).into()];
        plan.arguments.extend(UNUSED_COLLECTORS.map(|name| format!("--no-collector.{name}").into()));
        plan
    }

    fn redis_exporter(&self, tool: &Tool) -> PartPlan {
        let mut plan = self.plan(REDIS_EXPORTER.0, tool);
        let redis = format!("redis://{}", self.address(REDIS.0));
        plan.arguments = words(&["-redis.addr", &redis, "-web.listen-address", &plan.address.to_string()]);
        plan
    }

    /// The services. Each gets the addresses of all others; it takes what it needs.
    pub(super) fn services(&self, plan: &StackPlan, secrets: &Secrets) -> Vec<PartPlan> {
        let tool = Tool { path: plan.services_binary.clone(), version: String::new() };
        let url = |scheme: &str, part: &str| format!("{scheme}://{}", self.address(part));
        SERVICES
            .iter()
            .map(|(name, _)| {
                let mut service = self.plan(name, &tool);
                service.grace = SERVICE_GRACE;
                service.arguments = words(&[name]);
                service.environment.extend(plan.services_environment.clone());
                service.environment.extend(
                    [
                        ("FIREDRILL_LISTEN", service.address.to_string()),
                        ("REDIS_URL", url("redis", REDIS.0)),
                        ("AUTH_URL", url("http", "auth")),
                        ("USER_URL", url("http", "user")),
                        ("CHAT_URL", url("http", "chat")),
                        ("NOTIFICATION_URL", url("http", "notification")),
                        ("TOKEN_SIGNING_KEY", secrets.signing_key.expose().to_owned()),
                        ("FAULT_TOKEN", secrets.fault_token.expose().to_owned()),
                    ]
                    .map(|(name, value)| (name.to_owned(), value)),
                );
                service
            })
            .collect()
    }

    fn plan(&self, name: &str, tool: &Tool) -> PartPlan {
        PartPlan {
            name: name.to_owned(),
            program: tool.path.clone(),
            arguments: Vec::new(),
            environment: self.environment.clone(),
            folder: self.folder(name),
            address: self.address(name),
            ready_when: ready_when(name),
            grace: GRACE,
        }
    }
}

/// How the part of that name shows that it is ready.
pub(super) fn ready_when(name: &str) -> ReadyWhen {
    match name {
        name if name == REDIS.0 => ReadyWhen::Redis,
        name if name == PROMETHEUS.0 || name == ALERTMANAGER.0 => ReadyWhen::Http("/-/ready"),
        name if name == NODE_EXPORTER.0 || name == REDIS_EXPORTER.0 => ReadyWhen::Http("/metrics"),
        _service => ReadyWhen::Http("/health"),
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// Prometheus' notation; whole milliseconds can say every scaled duration.
fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

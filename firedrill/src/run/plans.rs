//! What a drill asks of the judge, of the watch and of the load generator, each in its own words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use firedrill_drill::Action;
use firedrill_loadgen::LoadPlan;
use firedrill_record::ServiceName;
use firedrill_verifier::{Plan, WatchPlan};
use url::Url;

use super::drill_run::DrillRun;

/// Service that receives Alertmanager's webhooks and stores them.
const NOTIFICATION_SERVICE: &str = "notification";
/// Service that carries chat loads.
const CHAT_SERVICE: &str = "chat";

/// The name under which the harness looks at itself.
const HARNESS: &str = "firedrill";

impl DrillRun<'_> {
    /// The processes to look at: those of the stack, the harness itself, and what it runs beside the drill.
    pub(super) fn processes(&self) -> BTreeMap<String, u32> {
        let mut processes = self.stack.processes();
        processes.insert(HARNESS.to_owned(), std::process::id());
        processes.extend(self.beside.map(|(name, pid)| (name.to_owned(), pid)));
        processes
    }

    /// The services whose `/metrics` a fault of the drill makes bad, and where they are.
    pub(super) fn services_with_bad_metrics(&self, plan: &Plan) -> BTreeMap<ServiceName, SocketAddr> {
        let services = &self.stack.addresses().services;
        let spoilt = plan.faults.iter().filter_map(|(_, fault)| fault.service_with_bad_metrics());
        spoilt.filter_map(|service| Some((service.clone(), *services.get(service)?))).collect()
    }

    /// For each receiver the indices of its webhooks that go to the service that stores notifications.
    fn webhooks(&self) -> BTreeMap<String, BTreeSet<u32>> {
        let addresses = self.stack.addresses();
        let Some(service) = addresses.services.get(&service(NOTIFICATION_SERVICE)) else {
            return BTreeMap::new();
        };
        let service = service.to_string();
        let goes_there = |url: &String| {
            Url::parse(url).is_ok_and(|url| {
                let written = format!(
                    "{}:{}",
                    url.host_str().unwrap_or_default(),
                    url.port_or_known_default().unwrap_or(0)
                );
                addresses.seen_by_prometheus.get(&written) == Some(&service)
            })
        };
        let Ok(alertmanager) = self.configuration.alertmanager() else { return BTreeMap::new() };
        alertmanager
            .receivers
            .iter()
            .map(|receiver| {
                let indices = receiver
                    .webhooks
                    .iter()
                    .zip(0..)
                    .filter(|(webhook, _)| webhook.url.as_ref().is_some_and(goes_there));
                (receiver.name.clone(), indices.map(|(_, index)| index).collect())
            })
            .collect()
    }

    /// What the judge has to know.
    pub(super) fn plan(&self) -> Plan {
        Plan {
            drill: self.drill.name.clone(),
            about: self.drill.about.clone(),
            file: self.drill.file.display().to_string(),
            number: self.number,
            speed: self.speed,
            seed: self.seed,
            faults: self
                .drill
                .timeline
                .iter()
                .map(|timed| {
                    let Action::Inject(fault) = &timed.action;
                    (timed.at, fault.clone())
                })
                .collect(),
            expect: self.drill.expect.clone(),
            must_be: self.drill.must_be,
            always_firing: self.firedrill.always_firing.iter().cloned().collect(),
            left_out: self.left_out.iter().map(|(rule, why)| (rule.clone(), why.clone())).collect(),
            services: self.stack.addresses().services.keys().cloned().collect(),
            notification_service: service(NOTIFICATION_SERVICE),
            webhooks: self.webhooks(),
            witnessed: true,
        }
    }

    /// What is watched.
    pub(super) fn watch_plan(&self) -> Result<WatchPlan, String> {
        let addresses = self.stack.addresses();
        let url = |address: &std::net::SocketAddr| {
            Url::parse(&format!("http://{address}/"))
                .map_err(|error| format!("failed to use {address}: {error}"))
        };
        let notification = addresses
            .services
            .get(&service(NOTIFICATION_SERVICE))
            .ok_or("the stack has no notification service")?;
        Ok(WatchPlan {
            prometheus: url(&addresses.prometheus)?,
            alertmanager: url(&addresses.alertmanager)?,
            notifications: url(notification)?,
            scrape: self.slowest_scrape().as_secs_f64(),
        })
    }

    /// What load is made.
    pub(super) fn load_plan(&self) -> LoadPlan {
        LoadPlan {
            loads: self.drill.load.clone(),
            targets: self.stack.addresses().services.clone(),
            chat_service: service(CHAT_SERVICE),
            seed: self.seed ^ u64::from(self.number),
            unique_prefix: format!("{}-{}-{}", self.run, self.stack_number, self.number),
        }
    }
}

fn service(name: &str) -> ServiceName {
    name.parse().expect("the services' names are valid service names")
}

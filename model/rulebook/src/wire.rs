//! A configuration wired to a run: addresses, the witness beside each webhook, the harness's own metrics, and the
//! label that tells the run's drills apart. Nothing else may differ from what the user deploys, but for durations.
//!
//! Runs after [`compress`](crate::compress): the window of the run label is real time.

use std::collections::BTreeMap;

use serde_yaml::{Mapping, Value};
use url::Url;

use crate::alertmanager::sends_resolved;
use crate::change::{Change, ChangeClass};
use crate::duration::format_duration;
use crate::folder::{ALERTMANAGER, ConfigFolder, PROMETHEUS};
use crate::yaml::{self, ConfigError};

/// Name of the gauge that the harness exposes and of the label that every alert gets from it.
pub const RUN_LABEL: &str = "firedrill_run";

/// The label's template: Prometheus expands it in alerting rules only.
const RUN_TEMPLATE: &str =
    r#"{{ with query "max_over_time(firedrill_run[1h])" }}{{ . | first | value }}{{ end }}"#;

/// Name of the scrape job for the harness's own metrics.
const HARNESS_JOB: &str = "firedrill";

/// What a configuration is wired to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wiring {
    /// Address in the configuration (`user:3002`) to address in the run (`127.0.0.1:23456`). What is not here stays.
    pub addresses: BTreeMap<String, String>,
    /// The harness's own ends, when it has any.
    pub harness: Option<HarnessWiring>,
    /// Whether alerts get the run label, and groups are made by it.
    pub run_label: bool,
}

/// The harness's own ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HarnessWiring {
    /// Host and port that serve the harness's metrics at `/metrics`.
    pub metrics_address: String,
    /// Base of the witness's addresses, without a slash at its end: each webhook gets
    /// `<witness_url>/<receiver>/<index>` beside it.
    pub witness_url: String,
}

/// A configuration that cannot be wired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A file cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration uses a name that the harness needs.
    #[error("{file}: the name `{name}` is used by {user}, but the rehearsal needs it")]
    NameTaken {
        /// Path of the file.
        file: String,
        /// The name.
        name: String,
        /// What uses it.
        user: String,
    },
    /// The witness's address is not one.
    #[error("`{url}` is not the address of a witness")]
    WitnessUrl {
        /// What was given.
        url: String,
    },
}

/// Wires `folder` and lists every change.
pub fn wire(folder: &ConfigFolder, wiring: &Wiring) -> Result<(ConfigFolder, Vec<Change>), WireError> {
    let mut wirer = Wirer { wiring, folder: folder.clone(), changes: Vec::new() };
    wirer.prometheus(folder)?;
    wirer.alertmanager(folder)?;
    if wiring.run_label {
        for path in folder.rule_paths()? {
            wirer.rule_file(&path)?;
        }
    }
    Ok((wirer.folder, wirer.changes))
}

struct Wirer<'a> {
    wiring: &'a Wiring,
    folder: ConfigFolder,
    changes: Vec<Change>,
}

impl Wirer<'_> {
    fn changed(
        &mut self,
        file: &str,
        what: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
    ) {
        self.changes.push(Change {
            file: file.to_owned(),
            what: what.into(),
            from: from.into(),
            to: to.into(),
            class: ChangeClass::Exact,
            note: String::new(),
        });
    }

    fn store(&mut self, file: &str, tree: &Value) {
        self.folder.files.insert(file.to_owned(), yaml::write(tree));
    }

    fn prometheus(&mut self, folder: &ConfigFolder) -> Result<(), WireError> {
        let config = folder.prometheus()?;
        let mut tree = yaml::tree(PROMETHEUS, folder.text(PROMETHEUS)?)?;
        if let Some(alerting) = tree.get_mut("alerting") {
            for discovery in yaml::items_mut(alerting, "alertmanagers") {
                for group in yaml::items_mut(discovery, "static_configs") {
                    for target in yaml::items_mut(group, "targets") {
                        self.alertmanager_address(target);
                    }
                }
            }
        }
        for job in yaml::items_mut(&mut tree, "scrape_configs") {
            let name = yaml::text_of(job, "job_name").to_owned();
            if let Some(groups) = job.get_mut("static_configs").and_then(Value::as_sequence_mut) {
                let wired = groups.drain(..).flat_map(|group| self.target_group(&name, group)).collect();
                *groups = wired;
            }
        }
        if let Some(harness) = &self.wiring.harness {
            if config.job(HARNESS_JOB).is_some() {
                return Err(WireError::NameTaken {
                    file: PROMETHEUS.to_owned(),
                    name: HARNESS_JOB.to_owned(),
                    user: "a scrape job".to_owned(),
                });
            }
            let shortest =
                config.jobs.iter().map(|job| job.scrape_interval).chain([config.scrape_interval]).min();
            let interval = format_duration(shortest.expect("the global interval is always there"));
            let mut group = Mapping::new();
            group.insert("targets".into(), vec![Value::from(harness.metrics_address.as_str())].into());
            let mut job = Mapping::new();
            job.insert("job_name".into(), HARNESS_JOB.into());
            job.insert("scrape_interval".into(), interval.clone().into());
            job.insert("scrape_timeout".into(), interval.into());
            job.insert("static_configs".into(), vec![Value::Mapping(group)].into());
            push(&mut tree, "scrape_configs", Value::Mapping(job));
            self.changed(PROMETHEUS, format!("job {HARNESS_JOB}"), "", &harness.metrics_address);
        }
        self.store(PROMETHEUS, &tree);
        Ok(())
    }

    fn alertmanager_address(&mut self, target: &mut Value) {
        let Some(address) = target.as_str() else { return };
        if let Some(mapped) = self.wiring.addresses.get(address) {
            let address = address.to_owned();
            *target = mapped.as_str().into();
            self.changed(PROMETHEUS, "alertmanagers", address, mapped);
        }
    }

    /// The group with mapped targets taken out into groups of their own, each with its original address as
    /// `instance`.
    fn target_group(&mut self, job: &str, group: Value) -> Vec<Value> {
        let targets = group.get("targets").and_then(Value::as_sequence).cloned().unwrap_or_default();
        let mapped = |target: &Value| target.as_str().and_then(|address| self.wiring.addresses.get(address));
        if targets.iter().all(|target| mapped(target).is_none()) {
            return vec![group];
        }
        let mut groups = Vec::with_capacity(targets.len());
        for target in targets {
            let mut single = group.clone();
            let to = target.as_str().and_then(|address| self.wiring.addresses.get(address));
            single["targets"] = vec![to.map_or_else(|| target.clone(), |to| to.as_str().into())].into();
            if let (Some(address), Some(to)) = (target.as_str(), to) {
                if let Some(labels) = yaml::mapping_mut(&mut single, "labels") {
                    labels.entry("instance".into()).or_insert_with(|| address.into());
                }
                self.changed(PROMETHEUS, format!("job {job}: target"), address, to);
            }
            groups.push(single);
        }
        groups
    }

    fn alertmanager(&mut self, folder: &ConfigFolder) -> Result<(), WireError> {
        // Read as a whole first: a configuration that cannot be read is not wired.
        folder.alertmanager()?;
        let mut tree = yaml::tree(ALERTMANAGER, folder.text(ALERTMANAGER)?)?;
        for receiver in yaml::items_mut(&mut tree, "receivers") {
            let name = yaml::text_of(receiver, "name").to_owned();
            let Some(webhooks) = receiver.get_mut("webhook_configs").and_then(Value::as_sequence_mut) else {
                continue;
            };
            let mut witnesses = Vec::new();
            for (index, webhook) in webhooks.iter_mut().enumerate() {
                self.webhook_address(&name, webhook);
                if let Some(harness) = &self.wiring.harness {
                    let url = witness_address(&harness.witness_url, &name, index)?;
                    let mut witness = Mapping::new();
                    witness.insert("url".into(), url.clone().into());
                    witness.insert("send_resolved".into(), sends_resolved(webhook).into());
                    witnesses.push(Value::Mapping(witness));
                    self.changed(
                        ALERTMANAGER,
                        format!("receiver {name}: witness of webhook {index}"),
                        "",
                        url,
                    );
                }
            }
            // After all of the user's own, which keep their places.
            webhooks.extend(witnesses);
        }
        if self.wiring.run_label
            && let Some(root) = tree.get_mut("route")
        {
            self.group_by(root, "route", true);
        }
        self.store(ALERTMANAGER, &tree);
        Ok(())
    }

    fn webhook_address(&mut self, receiver: &str, webhook: &mut Value) {
        let Some(mut url) = webhook.get("url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok())
        else {
            return;
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return };
        let from = format!("{host}:{port}");
        let Some(to) = self.wiring.addresses.get(&from) else { return };
        let Some((host, port)) = to.rsplit_once(':') else { return };
        let moved = port.parse().ok().and_then(|port| {
            url.set_host(Some(host)).ok()?;
            url.set_port(Some(port)).ok()
        });
        if moved.is_some() {
            webhook["url"] = url.as_str().into();
            self.changed(ALERTMANAGER, format!("receiver {receiver}: webhook"), from, to);
        }
    }

    /// Adds the run label to the route's own `group_by` and to those of its children.
    fn group_by(&mut self, route: &mut Value, path: &str, is_root: bool) {
        let own = route.get("group_by").and_then(Value::as_sequence).cloned();
        let groups = own.or_else(|| is_root.then(Vec::new));
        if let Some(mut labels) = groups
            && !labels.iter().any(|label| matches!(label.as_str(), Some("..." | RUN_LABEL)))
        {
            let from = comma_separated(&labels);
            labels.push(RUN_LABEL.into());
            self.changed(ALERTMANAGER, format!("{path}.group_by"), from, comma_separated(&labels));
            route["group_by"] = labels.into();
        }
        for (index, child) in yaml::items_mut(route, "routes").enumerate() {
            self.group_by(child, &format!("{path}.routes[{index}]"), false);
        }
    }

    fn rule_file(&mut self, path: &str) -> Result<(), WireError> {
        let mut tree = yaml::tree(path, self.folder.text(path)?)?;
        for group in yaml::items_mut(&mut tree, "groups") {
            for rule in yaml::items_mut(group, "rules") {
                let name = yaml::text_of(rule, "alert").to_owned();
                if name.is_empty() {
                    continue;
                }
                let Some(labels) = yaml::mapping_mut(rule, "labels") else { continue };
                if labels.contains_key(RUN_LABEL) {
                    return Err(WireError::NameTaken {
                        file: path.to_owned(),
                        name: RUN_LABEL.to_owned(),
                        user: format!("a label of the alert {name}"),
                    });
                }
                labels.insert(RUN_LABEL.into(), RUN_TEMPLATE.into());
                self.changed(path, format!("rule {name}: label {RUN_LABEL}"), "", RUN_TEMPLATE);
            }
        }
        self.store(path, &tree);
        Ok(())
    }
}

fn witness_address(base: &str, receiver: &str, index: usize) -> Result<String, WireError> {
    let error = || WireError::WitnessUrl { url: base.to_owned() };
    let mut url = Url::parse(base).map_err(|_| error())?;
    url.path_segments_mut().map_err(|()| error())?.pop_if_empty().push(receiver).push(&index.to_string());
    Ok(url.into())
}

fn push(tree: &mut Value, key: &str, item: Value) {
    match tree.get_mut(key).and_then(Value::as_sequence_mut) {
        Some(items) => items.push(item),
        None => tree[key] = vec![item].into(),
    }
}

fn comma_separated(labels: &[Value]) -> String {
    labels.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;

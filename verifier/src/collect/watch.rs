//! Watching a drill: looks at Prometheus, Alertmanager, the receiver and the host again and again, and keeps what they
//! said, raw and parsed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use firedrill_drill::Expectation;
use firedrill_monitoring_api::alertmanager::{AlertFilter, GettableAlert, SuppressionState};
use firedrill_monitoring_api::prometheus::{self, QueryValue};
use firedrill_monitoring_api::{Alertmanager, Prometheus};
use firedrill_record::{EvidenceError, EvidenceFolder, ServiceName};
use firedrill_rulebook::PrometheusConfig;
use jiff::Timestamp;
use url::Url;

use super::configuration::{evaluated_until, live_rules, resend_delay};
use super::counters::{every_sample, settled};
use super::host::HostWatch;
use super::lateness::LatenessWatch;
use super::metrics::MetricsWatch;
use super::probes::{metric_probe, rule_probe};
use super::processes::ProcessWatch;
use super::rules::RulesWatch;
use super::witness::{Witness, parse_stored};
use crate::evidence::{
    AlertmanagerSighting, Evidence, Gathered, LiveConfiguration, Notification, Sample, Series,
};

/// Pages of the receiver's notifications are so long.
const PAGE: u32 = 1000;

/// Prometheus's own metrics are read at one look of so many: they are long.
const METRICS_EVERY: u32 = 5;

/// So long everything else is waited for.
const PATIENT: Duration = Duration::from_secs(5);

/// So long a look waits for the receiver: one that is slow by a fault must keep nobody from the rules.
const OF_THE_RECEIVER: Duration = Duration::from_secs(1);

/// What to watch.
#[derive(Debug, Clone)]
pub struct WatchPlan {
    /// Base address of Prometheus.
    pub prometheus: Url,
    /// Base address of Alertmanager.
    pub alertmanager: Url,
    /// Base address of the service that stores notifications.
    pub notifications: Url,
    /// Scrape interval in seconds.
    pub scrape: f64,
}

/// Watches one drill and fills its [`Evidence`].
#[derive(Debug)]
pub struct Watch {
    plan: WatchPlan,
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    http: reqwest::Client,
    folder: EvidenceFolder,
    host: HostWatch,
    lateness: LatenessWatch,
    processes: ProcessWatch,
    metrics: MetricsWatch,
    rules: RulesWatch,
    /// Sequence of the receiver's next notification; what came before the drill is not asked for.
    next_notification: Option<u64>,
    stored: Vec<Notification>,
    witness_before: usize,
    failed_before: Gathered<f64>,
    lost_before: Gathered<f64>,
    raw_looks: u32,
    looks: u32,
    /// What has been gathered so far.
    pub evidence: Evidence,
}

impl Watch {
    /// Begins to watch; `folder` is where raw replies go.
    ///
    /// # Errors
    /// A sentence, when an address cannot be used.
    pub fn begin(plan: WatchPlan, folder: EvidenceFolder) -> Result<Self, String> {
        let timeout = PATIENT;
        let prometheus =
            Prometheus::new(plan.prometheus.clone()).map_err(|error| chain(&error))?.with_timeout(timeout);
        let alertmanager = Alertmanager::new(plan.alertmanager.clone())
            .map_err(|error| chain(&error))?
            .with_timeout(timeout);
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| chain(&error))?;
        Ok(Self {
            plan,
            prometheus,
            alertmanager,
            http,
            folder,
            host: HostWatch::default(),
            lateness: LatenessWatch::begin(),
            processes: ProcessWatch::default(),
            metrics: MetricsWatch::default(),
            rules: RulesWatch::default(),
            next_notification: None,
            stored: Vec::new(),
            witness_before: 0,
            failed_before: Err("it was never asked for".to_owned()),
            lost_before: Err("it was never asked for".to_owned()),
            raw_looks: 0,
            looks: 0,
            evidence: Evidence::begun(Timestamp::now()),
        })
    }

    /// The client of the watched Prometheus.
    pub fn prometheus(&self) -> &Prometheus {
        &self.prometheus
    }

    /// Where raw replies go.
    pub fn folder(&self) -> &EvidenceFolder {
        &self.folder
    }

    /// Sets the scrape interval in seconds, once the running configuration is known.
    pub fn set_scrape(&mut self, seconds: f64) {
        self.plan.scrape = seconds;
    }

    /// Reads the live configuration, and the counters as they stand before the load.
    pub async fn before_load(&mut self, witness: &Witness, patience: Duration) -> Result<(), EvidenceError> {
        self.evidence.configuration = self.read_configuration().await?;
        // What the receiver had before this drill belongs to earlier ones. This call is made before the counters are
        // read, so that they contain it.
        self.skip_old_notifications().await;
        self.evidence.notification_polls.clear();
        self.failed_before = self.failed_notifications().await;
        self.lost_before = self.lost_alerts().await;
        let began = Timestamp::now();
        self.evidence.began = began;
        self.evidence.counters_before = loop {
            let heard = witness.notifications().len();
            let read =
                settled(&self.prometheus, &self.targets(), Timestamp::now(), self.plan.scrape, patience)
                    .await;
            // A notification in between is in the counters or not: nobody can tell.
            if heard == witness.notifications().len()
                || Timestamp::now().duration_since(began).unsigned_abs() > 2 * patience
            {
                self.witness_before = heard;
                break self.keep("counters-before.json", read)?;
            }
        };
        Ok(())
    }

    /// One look at everything that moves.
    pub async fn look(&mut self, witness: &Witness) -> Result<(), EvidenceError> {
        self.evidence.ended = Timestamp::now();
        self.evidence.host.extend(self.host.look());
        self.evidence.lateness.push(self.lateness.look());
        if self.looks.is_multiple_of(METRICS_EVERY) {
            self.evidence.lost_alerts = gained(&self.lost_before, self.lost_alerts().await);
            // What a late alert is waited for by is what it is judged by.
            if !self.evidence.faults.is_empty() {
                self.read_scrapes().await;
            }
        }
        self.looks += 1;
        self.evidence.processors = self.host.processors();
        self.evidence.gauge_scrapes = witness.gauge_scrapes();
        self.look_at_alertmanager().await?;
        self.look_at_receiver(OF_THE_RECEIVER).await;
        self.evidence.witness = self.witnessed(witness);
        // The rules before the samples: what was evaluated by then is in the samples.
        let rules = self.prometheus.rules().await;
        let now = Timestamp::now();
        match rules {
            Ok(reply) => self.rules.saw(now, &reply.parsed, &mut self.evidence),
            Err(error) => self.rules.failed(now, chain(&error), &mut self.evidence),
        }
        self.read_alerts().await?;
        Ok(())
    }

    /// One look at the processes of the stack, whose ids are those of now; more than one look a second is none.
    pub fn look_at_processes(&mut self, pids: &BTreeMap<String, u32>) {
        self.evidence.parts.extend(self.processes.look(pids));
    }

    /// One look at the `/metrics` of `services`, those whose metrics a fault of the drill makes bad; before the fault as
    /// well, so that they are known to have been right. More than one look a second is none.
    pub async fn look_at_metrics(&mut self, services: &BTreeMap<ServiceName, SocketAddr>) {
        self.evidence.metrics_looks.extend(self.metrics.look(&self.http, services).await);
    }

    /// Everything that is read once the load is drained; waits at most `patience` for the counters to come to rest.
    pub async fn after_drain(
        &mut self,
        witness: &Witness,
        expect: &[Expectation],
        patience: Duration,
    ) -> Result<(), EvidenceError> {
        let drained = Timestamp::now();
        self.look(witness).await?;
        // Once more, and patiently.
        if self.evidence.notifications.is_err() {
            self.look_at_receiver(PATIENT).await;
        }
        self.evidence.ended = drained;
        let started = Timestamp::now();
        self.evidence.counters_after = loop {
            let heard = witness.notifications().len();
            let read =
                settled(&self.prometheus, &self.targets(), Timestamp::now(), self.plan.scrape, patience)
                    .await;
            if heard == witness.notifications().len()
                || Timestamp::now().duration_since(started).unsigned_abs() > 2 * patience
            {
                self.evidence.witness = self.witnessed(witness);
                self.evidence.witness.truncate(heard.saturating_sub(self.witness_before));
                break self.keep("counters-after.json", read)?;
            }
        };
        let raw: Vec<String> =
            witness.notifications().into_iter().skip(self.witness_before).map(|(_, raw)| raw).collect();
        self.folder.write_text("witness.jsonl", &raw.join("\n"))?;
        self.evidence.failed_notifications = gained(&self.failed_before, self.failed_notifications().await);
        self.evidence.lost_alerts = gained(&self.lost_before, self.lost_alerts().await);
        if expect.iter().any(|one| matches!(one, Expectation::Alert(_))) {
            self.read_scrapes().await;
        }
        self.read_resets().await;
        self.read_restarted().await;
        self.read_up().await;
        self.read_scrape_sizes().await;
        self.read_rules_at_end().await?;
        self.read_alerts().await?;
        self.probe(expect).await;
        self.folder.write_json("evidence.json", &self.evidence)
    }

    async fn read_scrape_sizes(&mut self) {
        let query = "scrape_samples_post_metric_relabeling";
        self.evidence.scrape_sizes = match self.prometheus.query(query, None).await {
            Ok(reply) => match reply.parsed {
                QueryValue::Vector(samples) => Ok(samples.iter().map(instant).collect()),
                other => Err(format!("a {} instead of a vector", other.type_name())),
            },
            Err(error) => Err(chain(&error)),
        };
    }

    /// The services that the running Prometheus is configured to scrape.
    fn targets(&self) -> Vec<String> {
        let Ok(live) = &self.evidence.configuration else { return Vec::new() };
        let Ok(prometheus) = PrometheusConfig::parse(&live.prometheus_yaml) else { return Vec::new() };
        let targets = prometheus.jobs.iter().flat_map(|job| &job.targets);
        targets.filter_map(|target| target.labels.get("service").cloned()).collect()
    }

    fn witnessed(&self, witness: &Witness) -> Vec<Notification> {
        witness.notifications().into_iter().skip(self.witness_before).map(|(one, _)| one).collect()
    }

    /// Writes the raw reply of `read` into `file` and gives the parsed part.
    fn keep<T>(&self, file: &str, read: Gathered<(T, String)>) -> Result<Gathered<T>, EvidenceError> {
        Ok(match read {
            Ok((value, raw)) => {
                self.folder.write_text(file, &raw)?;
                Ok(value)
            }
            Err(error) => Err(error),
        })
    }

    async fn read_configuration(&self) -> Result<Gathered<LiveConfiguration>, EvidenceError> {
        let read = tokio::try_join!(
            self.prometheus.config_yaml(),
            self.prometheus.rules(),
            self.prometheus.flags(),
            self.alertmanager.status(),
        );
        let (config, rules, flags, status) = match read {
            Ok(read) => read,
            Err(error) => return Ok(Err(chain(&error))),
        };
        self.folder.write_text("prometheus-config.json", &config.raw)?;
        self.folder.write_text("prometheus-rules-before.json", &rules.raw)?;
        self.folder.write_text("prometheus-flags.json", &flags.raw)?;
        self.folder.write_text("alertmanager-status.json", &status.raw)?;
        Ok(Ok(LiveConfiguration {
            prometheus_yaml: config.parsed.yaml,
            alertmanager_yaml: status.parsed.config.original,
            rules: live_rules(&rules.parsed),
            resend_delay: resend_delay(&flags.parsed),
        }))
    }

    async fn look_at_alertmanager(&mut self) -> Result<(), EvidenceError> {
        let asked = Timestamp::now();
        let reply = match self.alertmanager.alerts(&AlertFilter::default()).await {
            Ok(reply) => reply,
            Err(error) => {
                self.evidence.alertmanager_failures = Some(chain(&error));
                return Ok(());
            }
        };
        self.evidence.alertmanager_looks.push(asked);
        let now = Timestamp::now();
        self.evidence.alertmanager_active = reply
            .parsed
            .iter()
            .filter(|alert| alert.ends_at.is_none_or(|ends| ends > now))
            .map(|alert| alert.labels.clone())
            .collect();
        let mut news = false;
        for alert in &reply.parsed {
            let sighting = sighting(alert);
            let known = self
                .evidence
                .alertmanager
                .iter()
                .rev()
                .find(|one| one.labels == sighting.labels && one.starts_at == sighting.starts_at);
            // Resends only move `updated_at` and `ends_at`: the first one is what counts.
            let changed = known.is_none_or(|known| {
                (&known.state, &known.inhibited_by, &known.silenced_by)
                    != (&sighting.state, &sighting.inhibited_by, &sighting.silenced_by)
            });
            if changed {
                self.evidence.alertmanager.push(sighting);
                news = true;
            }
        }
        if news {
            self.raw_looks += 1;
            self.folder.write_text(&format!("alertmanager-alerts-{:03}.json", self.raw_looks), &reply.raw)?;
        }
        Ok(())
    }

    async fn stored_page(
        &mut self,
        since: u64,
        timeout: Duration,
    ) -> Gathered<(Vec<Notification>, u64, String)> {
        let mut url = self.plan.notifications.clone();
        url.set_path("/api/notifications");
        url.set_query(Some(&format!("since={since}&limit={PAGE}")));
        let answer = async {
            let reply = self.http.get(url).timeout(timeout).send().await?;
            Ok::<_, reqwest::Error>((reply.status().as_u16(), reply.text().await?))
        };
        let answer = answer.await;
        // Without an answer nobody knows whether, and as what, the service counted the call.
        let status = answer.as_ref().map_or(0, |(status, _)| *status);
        *self.evidence.notification_polls.entry(status).or_default() += 1;
        let (status, body) = answer.map_err(|error| chain(&error))?;
        if status != 200 {
            return Err(format!("the receiver answered {status}"));
        }
        let (page, next) = parse_stored(&body).map_err(|error| error.to_string())?;
        Ok((page, next, body))
    }

    async fn skip_old_notifications(&mut self) {
        let mut since = 0;
        loop {
            match self.stored_page(since, PATIENT).await {
                Ok((page, next, _)) => {
                    since = next;
                    if page.is_empty() {
                        self.next_notification = Some(since);
                        return;
                    }
                }
                Err(error) => {
                    self.evidence.notifications = Err(error);
                    return;
                }
            }
        }
    }

    async fn look_at_receiver(&mut self, timeout: Duration) {
        let Some(since) = self.next_notification else { return };
        self.evidence.notifications = match self.stored_page(since, timeout).await {
            Ok((page, next, raw)) => {
                if !page.is_empty() {
                    // A raw page that cannot be kept is told by the next write of evidence, which fails as well.
                    let _ = self.folder.write_text(&format!("notifications-from-{since:05}.json"), &raw);
                }
                self.next_notification = Some(next);
                self.stored.extend(page);
                Ok(self.stored.clone())
            }
            Err(error) => Err(error),
        };
    }

    fn window(&self) -> String {
        let since = Timestamp::now().duration_since(self.evidence.began).as_secs_f64();
        format!("{}ms", millis(since + 2.0 * self.plan.scrape + 1.0))
    }

    async fn read_alerts(&mut self) -> Result<(), EvidenceError> {
        match self.prometheus.query_raw_range(&format!("ALERTS[{}]", self.window()), None).await {
            Ok(reply) => {
                self.evidence.alerts = Ok(reply.parsed.iter().map(series).collect());
                self.folder.write_text("prometheus-alerts.json", &reply.raw)
            }
            Err(error) => {
                self.evidence.alerts = Err(chain(&error));
                Ok(())
            }
        }
    }

    async fn read_resets(&mut self) {
        let query =
            format!("max by (service) (resets(http_requests_total{{service!=\"\"}}[{}]))", self.window());
        self.evidence.resets = self.by_service(&query).await;
    }

    /// The samples of the counters of services whose process is another one than at the begin.
    async fn read_restarted(&mut self) {
        let query = format!(
            "max by (service) (changes(process_start_time_seconds{{service!=\"\"}}[{}])) > 0",
            self.window()
        );
        self.evidence.restarted = match self.by_service(&query).await {
            Ok(services) if services.is_empty() => Ok(Vec::new()),
            Ok(services) => {
                let services: Vec<String> = services.into_keys().collect();
                every_sample(&self.prometheus, &services, &self.window()).await
            }
            Err(error) => Err(error),
        };
    }

    async fn read_up(&mut self) {
        self.evidence.services_up = self.by_service("max by (service) (up{service!=\"\"})").await.map(|up| {
            up.into_iter()
                .filter(|(_, value)| *value >= 1.0)
                .filter_map(|(service, _)| service.parse().ok())
                .collect()
        });
    }

    async fn read_scrapes(&mut self) {
        let query = format!("scrape_duration_seconds[{}]", self.window());
        self.evidence.scrapes = match self.prometheus.query_raw_range(&query, None).await {
            Ok(reply) => Ok(reply.parsed.iter().map(series).collect()),
            Err(error) => Err(chain(&error)),
        };
    }

    async fn by_service(&self, query: &str) -> Gathered<BTreeMap<String, f64>> {
        match self.prometheus.query(query, None).await.map_err(|error| chain(&error))?.parsed {
            QueryValue::Vector(samples) => Ok(samples
                .into_iter()
                .map(|one| (one.labels.get("service").cloned().unwrap_or_default(), one.sample.value))
                .collect()),
            other => Err(format!("the reply is a {}", other.type_name())),
        }
    }

    async fn read_rules_at_end(&mut self) -> Result<(), EvidenceError> {
        // Silence counts only until the last evaluation: wait for one that lies after the drain.
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(4.0 * self.plan.scrape + 5.0);
        loop {
            ticks.tick().await;
            match self.prometheus.rules().await {
                Ok(reply) => {
                    self.evidence.evaluated_until = evaluated_until(&reply.parsed);
                    let late = tokio::time::Instant::now() >= deadline;
                    if late || self.evidence.evaluated_until.is_some_and(|until| until >= self.evidence.ended)
                    {
                        self.evidence.rules_at_end = Ok(live_rules(&reply.parsed));
                        return self.folder.write_text("prometheus-rules-after.json", &reply.raw);
                    }
                }
                Err(error) if tokio::time::Instant::now() >= deadline => {
                    self.evidence.rules_at_end = Err(chain(&error));
                    return Ok(());
                }
                Err(_) => {}
            }
        }
    }

    async fn failed_notifications(&self) -> Gathered<f64> {
        let text = self.alertmanager.metrics_text().await.map_err(|error| chain(&error))?;
        let exposition = firedrill_exposition::parse(&text.parsed.content_type, &text.raw)
            .map_err(|error| chain(&error))?;
        Ok(exposition
            .samples()
            .filter(|sample| sample.name == "alertmanager_notification_requests_failed_total")
            .filter(|sample| sample.labels.get("integration").is_some_and(|kind| kind == "webhook"))
            .map(|sample| sample.value)
            .sum())
    }

    /// Alerts that Prometheus dropped, and requests with alerts that failed, since it began.
    async fn lost_alerts(&self) -> Gathered<f64> {
        let text = self.prometheus.metrics_text().await.map_err(|error| chain(&error))?;
        let exposition = firedrill_exposition::parse(&text.parsed.content_type, &text.raw)
            .map_err(|error| chain(&error))?;
        let lost = ["prometheus_notifications_dropped_total", "prometheus_notifications_errors_total"];
        let samples = exposition.samples().filter(|sample| lost.iter().any(|name| sample.name == *name));
        Ok(samples.map(|sample| sample.value).sum())
    }

    async fn probe(&mut self, expect: &[Expectation]) {
        let rules = match &self.evidence.configuration {
            Ok(configuration) => configuration.rules.clone(),
            Err(_) => Vec::new(),
        };
        for (index, expectation) in expect.iter().enumerate() {
            match expectation {
                Expectation::Alert(alert) => self
                    .evidence
                    .rule_probes
                    .extend(rule_probe(&self.prometheus, index, alert, &rules, self.evidence.began).await),
                Expectation::Metric(metric) => self
                    .evidence
                    .metric_probes
                    .push(metric_probe(&self.prometheus, index, metric, self.evidence.began).await),
                Expectation::Quiet(_) | Expectation::Truth(_) | Expectation::Load(_) => {}
            }
        }
    }
}

/// What a counter gained.
fn gained(before: &Gathered<f64>, after: Gathered<f64>) -> Gathered<f64> {
    match before {
        Ok(before) => after.map(|after| after - before),
        Err(error) => Err(error.clone()),
    }
}

fn sighting(alert: &GettableAlert) -> AlertmanagerSighting {
    AlertmanagerSighting {
        seen: Timestamp::now(),
        fingerprint: alert.fingerprint.clone(),
        labels: alert.labels.clone(),
        starts_at: alert.starts_at,
        ends_at: alert.ends_at.unwrap_or(Timestamp::MAX),
        updated_at: alert.updated_at,
        state: match alert.status.state {
            SuppressionState::Active => "active",
            SuppressionState::Suppressed => "suppressed",
            SuppressionState::Unprocessed => "unprocessed",
        }
        .to_owned(),
        inhibited_by: alert.status.inhibited_by.clone(),
        silenced_by: alert.status.silenced_by.clone(),
        receivers: alert.receivers.iter().map(|one| one.name.clone()).collect(),
    }
}

fn instant(one: &prometheus::InstantSample) -> Series {
    let sample = Sample { at_ms: one.sample.timestamp_ms, value: one.sample.value };
    Series { labels: one.labels.clone(), samples: vec![sample] }
}

pub(super) fn series(series: &prometheus::Series) -> Series {
    Series {
        labels: series.labels.clone(),
        samples: series
            .samples
            .iter()
            .map(|sample| Sample { at_ms: sample.timestamp_ms, value: sample.value })
            .collect(),
    }
}

/// Whole milliseconds of `seconds`, rounded up.
pub(super) fn millis(seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "durations of drills, not negative"
    )]
    let millis = (seconds * 1000.0).ceil() as u64;
    millis
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

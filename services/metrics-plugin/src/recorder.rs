//! The request metrics, with every label set resolved when the plugin is built.
//!
//! Knows nothing of tower or of how the metrics are served.

use std::sync::Arc;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::template::Template;

/// The client left before the response head was ready.
pub(crate) const CLIENT_CLOSED_REQUEST: u16 = 499;
/// Every route can end in these two.
pub(crate) const STATUSES_OF_EVERY_ROUTE: [u16; 2] = [CLIENT_CLOSED_REQUEST, 500];
const STATUSES_OF_UNMATCHED: [u16; 4] = [404, 405, CLIENT_CLOSED_REQUEST, 500];
const UNMATCHED: &str = "unmatched";
const OTHER: &str = "OTHER";
const BUCKETS_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

type Requests = Family<RequestLabels, Counter>;
type Durations = Family<RouteLabels, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: Arc<str>,
    route: Arc<str>,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: Arc<str>,
    route: Arc<str>,
}

/// A declared route: its method, its template, and the statuses it can answer.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredRoute {
    pub(crate) method: Method,
    pub(crate) text: String,
    pub(crate) template: Template,
    pub(crate) statuses: Vec<u16>,
}

/// Counts requests. Shared by every clone of the layer.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// Sorted so that the first match is the most specific one.
    templates: Vec<(Template, Vec<(Method, usize)>)>,
    series: Vec<RouteSeries>,
    /// Where the series of `unmatched` are, whatever the method: what clients make up creates no series.
    unmatched: usize,
    requests: Requests,
    active: Gauge,
}

#[derive(Debug)]
struct RouteSeries {
    labels: RouteLabels,
    by_status: Vec<(u16, Counter)>,
    duration: Histogram,
}

impl Recorder {
    pub(crate) fn new(routes: Vec<DeclaredRoute>, registry: &mut Registry) -> Self {
        let requests = Requests::default();
        let durations = Durations::new_with_constructor(|| Histogram::new(BUCKETS_SECONDS));
        let active = Gauge::default();
        registry.register("http_requests", "HTTP requests by method, route and status", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from the request to the head of its response",
            durations.clone(),
        );
        registry.register("active_connections", "HTTP requests in progress", active.clone());

        let resolve = |method: &str, route: &str, statuses: &[u16]| {
            RouteSeries::resolve(&requests, &durations, method, route, statuses)
        };
        let mut templates: Vec<(Template, Vec<(Method, usize)>)> = Vec::new();
        let mut series = Vec::new();
        for DeclaredRoute { method, text, template, mut statuses } in routes {
            statuses.extend(STATUSES_OF_EVERY_ROUTE);
            let index = series.len();
            series.push(resolve(method.as_str(), &text, &statuses));
            match templates.iter_mut().find(|(known, _)| *known == template) {
                Some((_, methods)) => methods.push((method, index)),
                None => templates.push((template, vec![(method, index)])),
            }
        }
        templates.sort_by(|(one, _), (other, _)| one.cmp(other));
        let unmatched = series.len();
        series.push(resolve(OTHER, UNMATCHED, &STATUSES_OF_UNMATCHED));
        Self { templates, series, unmatched, requests, active }
    }

    /// Opens a request: it is active until the returned guard is finished or dropped.
    pub(crate) fn open(self: Arc<Self>, method: &Method, path: &str) -> OpenRequest {
        let series = self.series_of(method, path);
        self.active.inc();
        OpenRequest { recorder: self, series, started: Instant::now(), finished: false }
    }

    fn series_of(&self, method: &Method, path: &str) -> usize {
        self.templates
            .iter()
            .find(|(template, _)| template.matches(path))
            .and_then(|(_, methods)| methods.iter().find(|(declared, _)| declared == method))
            .map_or(self.unmatched, |(_, index)| *index)
    }

    fn close(&self, series: usize, status: u16, started: Instant) {
        let series = &self.series[series];
        series.duration.observe(started.elapsed().as_secs_f64());
        match series.by_status.iter().find(|(known, _)| *known == status) {
            Some((_, counter)) => {
                counter.inc();
            }
            None => {
                self.requests.get_or_create(&series.labels.with_status(status)).inc();
            }
        }
        // Last, so that whoever sees nothing active sees everything counted.
        self.active.dec();
    }
}

impl RouteSeries {
    fn resolve(
        requests: &Requests,
        durations: &Durations,
        method: &str,
        route: &str,
        statuses: &[u16],
    ) -> Self {
        let labels = RouteLabels { method: method.into(), route: route.into() };
        let mut by_status: Vec<(u16, Counter)> = Vec::new();
        for status in statuses {
            if by_status.iter().all(|(known, _)| known != status) {
                by_status.push((*status, requests.get_or_create_owned(&labels.with_status(*status))));
            }
        }
        let duration = durations.get_or_create_owned(&labels);
        Self { labels, by_status, duration }
    }
}

impl RouteLabels {
    fn with_status(&self, status: u16) -> RequestLabels {
        RequestLabels { method: Arc::clone(&self.method), route: Arc::clone(&self.route), status }
    }
}

/// A request in progress. Dropped before it is finished, it counts as one whose client left.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    recorder: Arc<Recorder>,
    series: usize,
    started: Instant,
    finished: bool,
}

impl OpenRequest {
    pub(crate) fn finish(mut self, status: StatusCode) {
        self.finished = true;
        self.recorder.close(self.series, status.as_u16(), self.started);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if !self.finished {
            self.recorder.close(self.series, CLIENT_CLOSED_REQUEST, self.started);
        }
    }
}

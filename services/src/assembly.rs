//! Putting a service together: its routes declared once for the router and for the metrics, the fault
//! switch, request names and the bound on bodies inside the metrics layer, and JSON answers where nothing
//! matches.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::routing::{MethodFilter, on};
use http::{Method, StatusCode};
use metrics_plugin::{BuildError, Health, MetricsPlugin, MetricsPluginBuilder};
use prometheus_client::registry::Registry;
use tower::Layer;

use crate::body_deadline::bound_body;
use crate::config::FaultSwitchConfig;
use crate::error::{no_such_method, no_such_route};
use crate::extract::BODY_LIMIT_BYTES;
use crate::faults::{self, FaultSwitch};
use crate::request_id::name_request;
use crate::server::{Application, Malformed, refusal};

/// The routes of one service, each with the statuses its handler can answer.
pub(crate) struct Routes<S> {
    router: Router<S>,
    plugin: MetricsPluginBuilder,
    templates: Vec<String>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(crate) fn of(service: &str) -> Self {
        Self { router: Router::new(), plugin: MetricsPlugin::builder(service), templates: Vec::new() }
    }

    /// Adds a route. What every route can answer (499, 500, with a body 408) need not be said.
    pub(crate) fn route<H, T>(mut self, method: Method, template: &str, statuses: &[u16], handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("only usual methods are declared");
        if !self.templates.iter().any(|known| known == template) {
            self.templates.push(template.to_owned());
        }
        Self {
            router: self.router.route(template, on(filter, handler)),
            plugin: declare(self.plugin, method, template, statuses),
            templates: self.templates,
        }
    }

    /// Makes the whole service. `register` adds its own metrics, `health` is what `/health` asks.
    pub(crate) fn assemble<H, F>(
        mut self,
        state: S,
        faults: &FaultSwitchConfig,
        register: impl FnOnce(&mut Registry),
        health: H,
    ) -> Result<Application, BuildError>
    where
        H: Fn() -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Health> + Send,
    {
        if faults.token.is_some() {
            for (method, template, statuses) in faults::ROUTES {
                self.plugin = declare(self.plugin, method, template, statuses);
            }
        }
        let mut plugin = self.plugin.build()?;
        let malformed = Malformed::new();
        malformed.register(plugin.registry());
        register(plugin.registry());

        let (refuse, refusal) = refusal();
        let mut application = self.router.with_state(state);
        if let Some(switch) = FaultSwitch::new(faults, self.templates, plugin.distortion(), refuse) {
            application = switch.around(application);
        }
        let layer = plugin.layer();
        let router = application
            .merge(plugin.routes(health))
            .fallback(no_such_route)
            .method_not_allowed_fallback(no_such_method)
            .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
            .layer(from_fn(bound_body))
            .layer(from_fn(name_request));
        Ok(Application { service: layer.layer(router), malformed, refusal })
    }
}

/// Declares a route to the metrics, with the status that a body that does not arrive is answered with.
fn declare(
    plugin: MetricsPluginBuilder,
    method: Method,
    template: &str,
    statuses: &[u16],
) -> MetricsPluginBuilder {
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    let late = has_body.then_some(StatusCode::REQUEST_TIMEOUT.as_u16());
    let statuses: Vec<u16> = statuses.iter().copied().chain(late).collect();
    plugin.route(method, template, &statuses)
}

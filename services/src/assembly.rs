//! Putting a service together: its routes declared once for the router and for the metrics, the fault
//! switch inside the metrics layer, and JSON answers where nothing matches.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use http::Method;
use metrics_plugin::{BuildError, Health, MetricsPlugin, MetricsPluginBuilder, MetricsService};
use prometheus_client::registry::Registry;
use tower::Layer;

use crate::config::FaultSwitchConfig;
use crate::error::{no_such_method, no_such_route};
use crate::extract::BODY_LIMIT_BYTES;
use crate::faults::FaultSwitch;

/// The routes of one service, each with the statuses its handler can answer.
pub(crate) struct Routes<S> {
    router: Router<S>,
    plugin: MetricsPluginBuilder,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(crate) fn of(service: &str) -> Self {
        Self { router: Router::new(), plugin: MetricsPlugin::builder(service) }
    }

    /// Adds a route. What every route can answer (499, 500) need not be said.
    pub(crate) fn route<H, T>(self, method: Method, template: &str, statuses: &[u16], handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("only usual methods are declared");
        Self {
            router: self.router.route(template, on(filter, handler)),
            plugin: self.plugin.route(method, template, statuses),
        }
    }

    /// Makes the whole service. `register` adds its own metrics, `health` is what `/health` asks.
    pub(crate) fn assemble<H, F>(
        mut self,
        state: S,
        faults: &FaultSwitchConfig,
        register: impl FnOnce(&mut Registry),
        health: H,
    ) -> Result<MetricsService<Router>, BuildError>
    where
        H: Fn() -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Health> + Send,
    {
        let mut application = self.router.with_state(state);
        if let Some(switch) = FaultSwitch::new(faults) {
            application = switch.around(application);
            let (router, declared) = switch.routes();
            application = application.merge(router);
            for (method, template, statuses) in declared {
                self.plugin = self.plugin.route(method, template, statuses);
            }
        }
        let mut plugin = self.plugin.build()?;
        register(plugin.registry());
        let layer = plugin.layer();
        let router = application
            .merge(plugin.routes(health))
            .fallback(no_such_route)
            .method_not_allowed_fallback(no_such_method)
            .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES));
        Ok(layer.layer(router))
    }
}

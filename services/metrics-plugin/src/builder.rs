//! Declaring a service's routes, and the plugin that comes of it.

use std::sync::Arc;

use axum::Router;
use http::Method;
use prometheus_client::registry::Registry;

use crate::distortion::Distortion;
use crate::endpoints::{self, Health};
use crate::layer::MetricsLayer;
use crate::process::ProcessCollector;
use crate::recorder::{DeclaredRoute, Recorder};
use crate::template::{Template, TemplateError};

/// The plugin of one service: take its [`layer`](Self::layer), add your own metrics to its
/// [`registry`](Self::registry), and turn it into the [`routes`](Self::routes) that serve them.
#[derive(Debug)]
pub struct MetricsPlugin {
    service: String,
    registry: Registry,
    recorder: Arc<Recorder>,
    distortion: Distortion,
}

impl MetricsPlugin {
    /// Begins the declaration of a service; its name appears in `/health` only, since the scraper labels
    /// the series with it.
    pub fn builder(service: impl Into<String>) -> MetricsPluginBuilder {
        MetricsPluginBuilder { service: service.into(), routes: Vec::new() }
            .route(Method::GET, endpoints::METRICS_PATH, &[200])
            .route(Method::GET, endpoints::HEALTH_PATH, &[200, 503])
    }

    /// The registry, to add the service's own metrics before it starts.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// The layer that counts requests; to be put outermost. All its clones count into this plugin.
    pub fn layer(&self) -> MetricsLayer {
        MetricsLayer::new(Arc::clone(&self.recorder))
    }

    /// The handle that makes this plugin's `/metrics` wrong on purpose.
    pub fn distortion(&self) -> Distortion {
        self.distortion.clone()
    }

    /// The routes `GET /metrics` and `GET /health`. `health` is asked at every call of `/health`: 200 when
    /// healthy, else 503, both with a JSON body.
    pub fn routes<H, F>(self, health: H) -> Router
    where
        H: Fn() -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Health> + Send,
    {
        endpoints::router(self.service, self.registry, self.distortion, health)
    }
}

/// Collects the declarations of a service's routes.
#[derive(Debug)]
pub struct MetricsPluginBuilder {
    service: String,
    routes: Vec<(Method, String, Vec<u16>)>,
}

impl MetricsPluginBuilder {
    /// Declares a route by its method, its template as axum writes it (`/users/{id}`), and every status its
    /// handler can answer; 499 and 500 are added.
    #[must_use]
    pub fn route(mut self, method: Method, template: impl Into<String>, statuses: &[u16]) -> Self {
        self.routes.push((method, template.into(), statuses.to_vec()));
        self
    }

    /// Resolves all label sets and creates their series at 0.
    pub fn build(self) -> Result<MetricsPlugin, BuildError> {
        let mut routes: Vec<DeclaredRoute> = Vec::new();
        for (method, text, statuses) in self.routes {
            let template = Template::parse(&text)
                .map_err(|source| BuildError::Template { template: text.clone(), source })?;
            if routes.iter().any(|known| known.template == template && known.method == method) {
                return Err(BuildError::Duplicate { method, template: text });
            }
            routes.push(DeclaredRoute { method, text, template, statuses });
        }
        let mut registry = Registry::default();
        let recorder = Arc::new(Recorder::new(routes, &mut registry));
        registry.register_collector(Box::new(ProcessCollector::new()));
        Ok(MetricsPlugin { service: self.service, registry, recorder, distortion: Distortion::default() })
    }
}

/// Why a plugin could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A template cannot be matched.
    #[error("route template `{template}` cannot be used")]
    Template {
        /// The template as it was declared.
        template: String,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// The same method was declared twice for one template (names of parameters do not tell them apart).
    #[error("route `{method} {template}` is declared twice")]
    Duplicate {
        /// The method.
        method: Method,
        /// The second template.
        template: String,
    },
}

//! The layer around a real router, called in process.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Router, extract::Request};
use http::{Method, StatusCode, header};
use http_body_util::BodyExt;
use metrics_plugin::{BuildError, Health, MetricsPlugin, MetricsService};
use tower::{Layer, ServiceExt};

type App = MetricsService<Router>;

fn app() -> App {
    let plugin = MetricsPlugin::builder("orders")
        .route(Method::GET, "/orders/{id}", &[200, 404])
        .route(Method::GET, "/orders/latest", &[200])
        .route(Method::POST, "/orders", &[201, 409])
        .route(Method::GET, "/panics", &[200])
        .route(Method::GET, "/never", &[200])
        .route(Method::GET, "/upgrade", &[101])
        .build()
        .expect("valid routes");
    let layer = plugin.layer();
    let routes = Router::new()
        .route("/orders/{id}", get(|| async { "order" }))
        .route("/orders/latest", get(|| async { "latest" }))
        .route("/orders", post(|| async { StatusCode::IM_A_TEAPOT }))
        .route("/panics", get(panics))
        .route("/never", get(std::future::pending::<()>))
        .route("/upgrade", any(|| async { StatusCode::SWITCHING_PROTOCOLS }))
        .merge(plugin.routes(|| async { Health::Unhealthy("the store is away".to_owned()) }));
    layer.layer(routes)
}

async fn panics() {
    std::panic::resume_unwind(Box::new("deliberate"));
}

async fn call(app: &App, method: &str, path: &str) -> Response {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("valid");
    app.clone().oneshot(request).await.expect("infallible")
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.expect("body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("utf-8")
}

async fn metrics(app: &App) -> String {
    text(call(app, "GET", "/metrics").await).await
}

fn value(metrics: &str, series: &str) -> Option<f64> {
    let line =
        metrics.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

fn requests(metrics: &str, method: &str, route: &str, status: u16) -> Option<f64> {
    value(metrics, &format!(r#"http_requests_total{{method="{method}",route="{route}",status="{status}"}}"#))
}

fn observations(metrics: &str, method: &str, route: &str) -> Option<f64> {
    value(metrics, &format!(r#"http_request_duration_seconds_count{{method="{method}",route="{route}"}}"#))
}

#[tokio::test]
async fn every_declared_series_starts_at_zero() {
    let metrics = metrics(&app()).await;
    for (method, route, statuses) in [
        ("GET", "/orders/{id}", &[200, 404, 499, 500][..]),
        ("POST", "/orders", &[201, 409, 499, 500]),
        ("GET", "/metrics", &[200, 499, 500]),
        ("GET", "/health", &[200, 503, 499, 500]),
        ("OTHER", "unmatched", &[404, 405, 499, 500]),
    ] {
        for status in statuses {
            assert_eq!(requests(&metrics, method, route, *status), Some(0.0), "{method} {route} {status}");
        }
        assert_eq!(observations(&metrics, method, route), Some(0.0), "{method} {route}");
    }
    assert_eq!(value(&metrics, "active_connections"), Some(1.0), "the scrape itself");
}

#[tokio::test]
async fn a_request_is_counted_under_its_most_specific_template() {
    let app = app();
    for path in ["/orders/1", "/orders/2?x=/orders/latest", "/orders/latest"] {
        assert_eq!(call(&app, "GET", path).await.status(), 200);
    }
    let metrics = metrics(&app).await;
    assert_eq!(requests(&metrics, "GET", "/orders/{id}", 200), Some(2.0));
    assert_eq!(requests(&metrics, "GET", "/orders/latest", 200), Some(1.0));
    assert!(!metrics.contains("/orders/1"), "no raw path is a label");
}

#[tokio::test]
async fn what_matches_no_declared_route_is_unmatched() {
    let app = app();
    call(&app, "GET", "/nowhere").await;
    call(&app, "DELETE", "/orders").await;
    call(&app, "BREW", "/nowhere").await;
    let metrics = metrics(&app).await;
    assert_eq!(requests(&metrics, "OTHER", "unmatched", 404), Some(2.0));
    assert_eq!(requests(&metrics, "OTHER", "unmatched", 405), Some(1.0));
    assert_eq!(metrics.matches("route=\"unmatched\",status=").count(), 4, "whatever the method was");
    assert!(!metrics.contains("BREW"));
}

#[tokio::test]
async fn a_status_that_was_not_declared_is_counted_all_the_same() {
    let app = app();
    call(&app, "POST", "/orders").await;
    let metrics = metrics(&app).await;
    assert_eq!(requests(&metrics, "POST", "/orders", 418), Some(1.0));
    assert_eq!(observations(&metrics, "POST", "/orders"), Some(1.0));
}

#[tokio::test]
async fn an_upgrade_counts_one_101() {
    let app = app();
    call(&app, "GET", "/upgrade").await;
    assert_eq!(requests(&metrics(&app).await, "GET", "/upgrade", 101), Some(1.0));
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_as_499_and_is_active_no_more() {
    let app = app();
    {
        let mut waiting = pin!(call(&app, "GET", "/never"));
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(waiting.as_mut().poll(&mut context), Poll::Pending));
        assert_eq!(value(&metrics(&app).await, "active_connections"), Some(2.0));
    }
    let metrics = metrics(&app).await;
    assert_eq!(requests(&metrics, "GET", "/never", 499), Some(1.0));
    assert_eq!(observations(&metrics, "GET", "/never"), Some(1.0));
    assert_eq!(value(&metrics, "active_connections"), Some(1.0));
}

#[tokio::test]
async fn a_panicking_handler_answers_500_and_is_counted() {
    let app = app();
    let response = call(&app, "GET", "/panics").await;
    assert_eq!(response.status(), 500);
    assert_eq!(text(response).await, r#"{"error":"internal error"}"#);
    let metrics = metrics(&app).await;
    assert_eq!(requests(&metrics, "GET", "/panics", 500), Some(1.0));
    assert_eq!(value(&metrics, "active_connections"), Some(1.0));
}

#[tokio::test]
async fn an_unhealthy_service_answers_503_with_its_reason() {
    let response = call(&app(), "GET", "/health").await;
    assert_eq!(response.status(), 503);
    assert!(text(response).await.contains("the store is away"));
}

#[tokio::test]
async fn the_format_follows_the_accept_header() {
    let ask = |accept: &'static str| async move {
        let request =
            Request::get("/metrics").header(header::ACCEPT, accept).body(Body::empty()).expect("valid");
        let response = app().oneshot(request).await.expect("infallible");
        let kind = response.headers()[header::CONTENT_TYPE].to_str().expect("ascii").to_owned();
        (kind, text(response).await)
    };
    let (kind, body) = ask("application/openmetrics-text; version=1.0.0").await;
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(body.ends_with("# EOF\n") && body.contains("# TYPE http_requests counter\n"));
    let (kind, body) = ask("*/*").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(!body.contains("# EOF") && body.contains("# TYPE http_requests_total counter\n"));
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_process_is_described() {
    let metrics = metrics(&app()).await;
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    ] {
        assert!(value(&metrics, name).is_some(), "{name}");
    }
    assert!(value(&metrics, "process_resident_memory_bytes") > Some(100_000.0));
}

#[test]
fn a_route_declared_twice_is_refused() {
    let twice =
        MetricsPlugin::builder("x").route(Method::GET, "/a/{b}", &[]).route(Method::GET, "/a/{c}", &[]);
    assert!(matches!(twice.build(), Err(BuildError::Duplicate { .. })));
    let own = MetricsPlugin::builder("x").route(Method::GET, "/metrics", &[200]);
    assert!(matches!(own.build(), Err(BuildError::Duplicate { .. })));
}

//! Replies of every bad shape are errors of the right kind, and calls ask for what they say.

use std::time::Duration;

use firedrill_monitoring_api::alertmanager::{AlertFilter, SuppressionState};
use firedrill_monitoring_api::prometheus::{AlertState, QueryValue, Rule, RuleHealth, TargetHealth};
use firedrill_monitoring_api::{Alertmanager, ApiError, Prometheus};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn prometheus_saying(reply: ResponseTemplate) -> (MockServer, Prometheus) {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(reply).mount(&server).await;
    let client = client(&server);
    (server, client)
}

fn client(server: &MockServer) -> Prometheus {
    Prometheus::new(server.uri().parse().expect("a mock server has an address"))
        .expect("it is a plain address")
}

fn json(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body.to_owned(), "application/json")
}

/// A server that sends `bytes` to whoever asks, and closes the connection.
async fn raw_server(bytes: &'static [u8]) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    format!("http://{address}").parse().expect("it is an address")
}

#[tokio::test]
async fn bodies_that_are_not_an_answer_are_malformed() {
    let bodies = [
        "",
        "   ",
        "null",
        "{}",
        "<html>login</html>",
        r#"{"status":"success"}"#,
        r#"{"status":"success","data":null}"#,
        r#"{"status":"success","data":{}}"#,
        r#"{"status":"success","data":[]}"#,
        r#"{"status":"success","data":{"groups":null}}"#,
        r#"{"status":"success","data":{"groups":{}}}"#,
        r#"{"status":"success","data":{"groups":[]}"#,
        r#"{"status":"success","data":{"groups":[]}} trailing"#,
        r#"{"status":"perhaps","data":{"groups":[]}}"#,
    ];
    for body in bodies {
        let (_server, client) = prometheus_saying(json(body)).await;
        let error = client.rules().await.unwrap_err();
        assert!(matches!(error, ApiError::Malformed { .. }), "{body}: {error}");
    }
}

#[tokio::test]
async fn an_error_of_the_api_is_told_with_its_type_whatever_the_status() {
    for status in [200, 400, 422, 503] {
        let body =
            r#"{"status":"error","errorType":"bad_data","error":"invalid parameter","data":{"odd":1}}"#;
        let reply = ResponseTemplate::new(status).set_body_raw(body, "application/json");
        let (_server, client) = prometheus_saying(reply).await;
        match client.query("up{", None).await.unwrap_err() {
            ApiError::Api { error_type, error } => {
                assert_eq!((error_type.as_str(), error.as_str()), ("bad_data", "invalid parameter"));
            }
            other => panic!("{status}: {other}"),
        }
    }
}

#[tokio::test]
async fn other_statuses_are_told_with_the_beginning_of_the_body() {
    for status in [302, 404, 500] {
        let reply = ResponseTemplate::new(status).set_body_string("no such page");
        let (_server, client) = prometheus_saying(reply).await;
        match client.rules().await.unwrap_err() {
            ApiError::Status { status: told, excerpt, .. } => {
                assert_eq!((told, excerpt.as_str()), (status, "no such page"));
            }
            other => panic!("{status}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_success_in_the_body_under_a_failing_status_is_no_success() {
    let reply = ResponseTemplate::new(500).set_body_string(r#"{"status":"success","data":{"groups":[]}}"#);
    let (_server, client) = prometheus_saying(reply).await;
    assert!(matches!(client.rules().await.unwrap_err(), ApiError::Status { status: 500, .. }));
}

#[tokio::test]
async fn a_reply_larger_than_the_bound_is_malformed() {
    let (_server, client) = prometheus_saying(json(&"x".repeat(100_000))).await;
    let error = client.with_max_body_bytes(50_000).metrics_text().await.unwrap_err();
    assert!(matches!(&error, ApiError::Malformed { problem, .. } if problem.contains("larger")), "{error}");
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_malformed() {
    let url = raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\na 1\n").await;
    let error = Prometheus::new(url).unwrap().metrics_text().await.unwrap_err();
    assert!(matches!(&error, ApiError::Malformed { problem, .. } if problem.contains("cut off")), "{error}");
}

#[tokio::test]
async fn an_unfinished_chunked_body_is_malformed() {
    let url = raw_server(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\na 1\n\r\n").await;
    let error = Prometheus::new(url).unwrap().metrics_text().await.unwrap_err();
    assert!(matches!(&error, ApiError::Malformed { problem, .. } if problem.contains("cut off")), "{error}");
}

#[tokio::test]
async fn metrics_without_a_last_line_feed_or_without_any_text_are_malformed() {
    for body in ["", "a 1\nb"] {
        let (_server, client) = prometheus_saying(ResponseTemplate::new(200).set_body_string(body)).await;
        assert!(matches!(client.metrics_text().await.unwrap_err(), ApiError::Malformed { .. }), "{body}");
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_malformed() {
    let reply = ResponseTemplate::new(200).set_body_bytes(vec![b'a', 0xff, b'\n']);
    let (_server, client) = prometheus_saying(reply).await;
    let error = client.metrics_text().await.unwrap_err();
    assert!(matches!(&error, ApiError::Malformed { problem, .. } if problem == "not UTF-8"), "{error}");
}

#[tokio::test]
async fn readiness_without_a_word_is_malformed() {
    let (_server, client) = prometheus_saying(ResponseTemplate::new(200)).await;
    assert!(matches!(client.ready().await.unwrap_err(), ApiError::Malformed { .. }));
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_a_timeout() {
    let reply = json(r#"{"status":"success","data":{"groups":[]}}"#).set_delay(Duration::from_mins(1));
    let (_server, client) = prometheus_saying(reply).await;
    let error = client.with_timeout(Duration::from_millis(50)).rules().await.unwrap_err();
    assert!(matches!(error, ApiError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let error = Alertmanager::new(url).unwrap().ready().await.unwrap_err();
    assert!(matches!(error, ApiError::Unreachable { .. }), "{error}");
}

#[test]
fn addresses_that_cannot_be_called_are_refused_at_once() {
    for url in ["https://127.0.0.1:9090", "unix:/run/prometheus", "mailto:a@b"] {
        let refused = Prometheus::new(url.parse().unwrap());
        assert!(matches!(refused, Err(ApiError::BadAddress { .. })), "{url}");
    }
}

#[tokio::test]
async fn a_call_keeps_the_prefix_of_the_base_and_escapes_its_parameters() {
    let server = MockServer::start().await;
    let time: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
    Mock::given(method("GET"))
        .and(path("/prom/api/v1/query"))
        .and(query_param("query", "up{a=\"b&c+d\"}[250ms]"))
        .and(query_param("time", "2026-01-02T03:04:05.678Z"))
        .respond_with(json(
            r#"{"status":"success","warnings":["partial"],"data":{"resultType":"matrix","result":[
                {"metric":{"__name__":"up"},"values":[[1.5,"NaN"],[1.75,"+Inf"]]}]}}"#,
        ))
        .mount(&server)
        .await;
    for prefix in ["prom", "prom/"] {
        let client = Prometheus::new(format!("{}/{prefix}", server.uri()).parse().unwrap()).unwrap();
        let reply = client.query_raw_range("up{a=\"b&c+d\"}[250ms]", Some(time)).await.unwrap();
        assert_eq!(reply.warnings, ["partial"]);
        assert!(reply.raw.starts_with(r#"{"status":"success","warnings""#));
        let samples = &reply.parsed[0].samples;
        assert_eq!(samples.iter().map(|s| s.timestamp_ms).collect::<Vec<_>>(), [1500, 1750]);
        assert!(samples[0].value.is_nan() && samples[1].value.is_infinite());
    }
}

#[tokio::test]
async fn a_raw_range_that_gives_no_matrix_is_malformed() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let (_server, client) = prometheus_saying(json(body)).await;
    let error = client.query_raw_range("up", None).await.unwrap_err();
    assert!(
        matches!(&error, ApiError::Malformed { problem, .. } if problem.contains("got a vector")),
        "{error}"
    );
    assert!(
        matches!(client.query("up", None).await.unwrap().parsed, QueryValue::Vector(samples) if samples.is_empty())
    );
}

#[tokio::test]
async fn rules_of_newer_servers_are_read() {
    let body = r#"{"status":"success","data":{"groups":[{"name":"g","file":"rules/a.yaml","interval":0.25,"limit":0,
        "evaluationTime":0.001,"lastEvaluation":"0001-01-01T00:00:00Z","rules":[
        {"type":"alerting","state":"firing","name":"A","query":"up == 0","duration":0.5,"keepFiringFor":2,
         "labels":{"severity":"critical"},"annotations":{},"health":"err","lastError":"boom","evaluationTime":0,
         "lastEvaluation":"2026-01-02T03:04:05.123456789Z","alerts":[{"labels":{"alertname":"A"},"annotations":{},
         "state":"firing","activeAt":"2026-01-02T03:04:05.123456789Z","keepFiringSince":"2026-01-02T03:04:06Z",
         "value":"1e+00","partialResponseStrategy":"WARN"}]},
        {"type":"recording","name":"r:x","query":"1","health":"unknown","evaluationTime":0,
         "lastEvaluation":"0001-01-01T00:00:00Z"}]}]}}"#;
    let (_server, client) = prometheus_saying(json(body)).await;
    let groups = client.rules().await.unwrap().parsed.groups;
    assert_eq!((groups[0].interval, groups[0].last_evaluation), (Duration::from_millis(250), None));
    let Rule::Alerting(rule) = &groups[0].rules[0] else { panic!("an alerting rule was written") };
    assert_eq!((rule.duration, rule.keep_firing_for), (Duration::from_millis(500), Duration::from_secs(2)));
    assert_eq!((rule.health, rule.state), (RuleHealth::Err, AlertState::Firing));
    assert!(rule.alerts[0].keep_firing_since > rule.alerts[0].active_at);
    assert!(matches!(&groups[0].rules[1], Rule::Recording(rule) if rule.health == RuleHealth::Unknown));
}

#[tokio::test]
async fn a_target_that_was_never_scraped_has_no_last_scrape() {
    let body = r#"{"status":"success","data":{"activeTargets":[{"discoveredLabels":{},"labels":{"job":"j"},
        "scrapePool":"j","scrapeUrl":"http://127.0.0.1:1/metrics","globalUrl":"","lastError":"",
        "lastScrape":"0001-01-01T00:00:00Z","lastScrapeDuration":0,"health":"unknown","scrapeInterval":"1m30s",
        "scrapeTimeout":"250ms"}],"droppedTargets":[]}}"#;
    let (_server, client) = prometheus_saying(json(body)).await;
    let target = client.targets().await.unwrap().parsed.active_targets.remove(0);
    assert_eq!((target.last_scrape, target.health), (None, TargetHealth::Unknown));
    assert_eq!((target.scrape_interval.as_secs(), target.scrape_timeout.as_millis()), (90, 250));
}

#[tokio::test]
async fn alertmanager_is_asked_for_alerts_of_every_state() {
    let server = MockServer::start().await;
    let mut mock =
        Mock::given(method("GET")).and(path("/api/v2/alerts")).and(query_param("filter", "a=\"b\""));
    for flag in ["active", "silenced", "inhibited", "unprocessed"] {
        mock = mock.and(query_param(flag, "true"));
    }
    mock.respond_with(json(
        r#"[{"annotations":{},"endsAt":"0001-01-01T00:00:00.000Z","fingerprint":"f","receivers":[{"name":"r"}],
            "startsAt":"2026-01-02T03:04:05.123Z","updatedAt":"2026-01-02T03:04:05.123Z","labels":{"alertname":"A"},
            "status":{"inhibitedBy":["g"],"silencedBy":[],"state":"suppressed"}}]"#,
    ))
    .expect(1)
    .mount(&server)
    .await;
    let client = Alertmanager::new(server.uri().parse().unwrap()).unwrap();
    let filter = AlertFilter { matchers: vec!["a=\"b\"".to_owned()], ..AlertFilter::default() };
    let alert = client.alerts(&filter).await.unwrap().parsed.remove(0);
    assert_eq!(alert.ends_at, None);
    assert_eq!(
        (alert.status.state, alert.status.inhibited_by),
        (SuppressionState::Suppressed, vec!["g".to_owned()])
    );
}

#[tokio::test]
async fn a_list_of_alerts_that_is_null_or_cut_off_is_malformed() {
    for body in ["null", "{}", "[", "[{}]", ""] {
        let server = MockServer::start().await;
        Mock::given(method("GET")).respond_with(json(body)).mount(&server).await;
        let client = Alertmanager::new(server.uri().parse().unwrap()).unwrap();
        let error = client.alerts(&AlertFilter::default()).await.unwrap_err();
        assert!(matches!(error, ApiError::Malformed { .. }), "{body}: {error}");
    }
}

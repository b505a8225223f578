use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use firedrill_exposition::{check_histograms, parse};
use http::{Request, header};
use http_body_util::Full;

use crate::client::{get, send};
use crate::redis_server::RedisServer;
use crate::running::{Running, with_token};

const MOST_SERIES: usize = 600;

pub(crate) async fn all(redis: &RedisServer) -> [(&'static str, Running); 5] {
    let auth = Running::auth(redis.url()).await;
    let gateway = Running::gateway([auth.address; 4], Duration::from_secs(1)).await;
    [
        ("gateway", gateway),
        ("auth", auth),
        ("user", Running::user(redis.url(), with_token()).await),
        ("chat", Running::chat(redis.url()).await),
        ("notification", Running::notification(redis.url()).await),
    ]
}

#[tokio::test]
async fn no_service_has_more_than_600_series_and_all_are_strictly_valid() {
    let redis = RedisServer::start().await;
    for (name, service) in all(&redis).await {
        let metrics = get(&service.url("/metrics")).await;
        let exposition = parse(&metrics.content_type, &metrics.text).expect("it is strictly valid");
        assert!(check_histograms(&exposition).is_empty(), "{name}");
        let series = exposition.samples().count();
        println!("{name}: {series} series");
        assert!((100..=MOST_SERIES).contains(&series), "{name} has {series}");
    }
}

#[tokio::test]
async fn promtool_has_nothing_to_say_about_the_text_format() {
    if Command::new("promtool").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: promtool is not on the path");
        return;
    }
    let redis = RedisServer::start().await;
    for (name, service) in all(&redis).await {
        let text = get(&service.url("/metrics")).await.text;
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool is there");
        promtool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
        let output = promtool.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
    }
}

#[tokio::test]
async fn open_metrics_ends_with_its_marker_and_has_the_same_series() {
    let redis = RedisServer::start().await;
    for (name, service) in all(&redis).await {
        let url = service.url("/metrics");
        let request =
            Request::get(&url).header(header::ACCEPT, "application/openmetrics-text; version=1.0.0");
        let open = send(request.body(Full::new(Bytes::new())).expect("valid")).await;
        assert!(open.content_type.starts_with("application/openmetrics-text"), "{}", open.content_type);
        assert!(open.text.ends_with("\n# EOF\n"), "{name}");
        let names = |text: &str| {
            let sample = |line: &str| line.rsplit_once(' ').map(|(series, _)| series.to_owned());
            let mut names: Vec<_> =
                text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&open.text), names(&get(&url).await.text), "{name}");
    }
}

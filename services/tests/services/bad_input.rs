//! Bad requests over every route of every service: the right answer, no panic, and no memory kept.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use firedrill_exposition::parse_text;
use futures_util::StreamExt;
use futures_util::stream;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::bad_requests::{BadRequest, Route};
use crate::client::{get, post};
use crate::processes::ServiceProcess;
use crate::redis_server::RedisServer;
use crate::wire::Wire;

/// How many requests in all; without it, 50 for each route.
const REQUESTS: &str = "FIREDRILL_BAD_REQUESTS";
const OF_EACH_ROUTE: usize = 50;
const AT_ONCE: usize = 16;
const SEED: u64 = 20_261_122;
const MOST_GROWTH_BYTES: f64 = 10.0 * 1024.0 * 1024.0;

/// What was seen of one service: how many of each status (or way to end), and what was wrong.
#[derive(Default)]
struct Seen {
    outcomes: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

async fn routes(service: &ServiceProcess) -> Vec<Route> {
    let text = get(&service.url("/metrics")).await.text;
    let exposition = parse_text(&text).expect("valid");
    let mut statuses: BTreeMap<(String, String), Vec<u16>> = BTreeMap::new();
    for sample in &exposition.family("http_requests_total").expect("it is there").samples {
        let label = |name: &str| sample.labels[name].clone();
        let status = label("status").parse().expect("a status");
        statuses.entry((label("method"), label("route"))).or_default().push(status);
    }
    statuses
        .into_iter()
        .filter(|((_, template), _)| template != "unmatched")
        .map(|((method, template), statuses)| Route { method, template, statuses })
        .collect()
}

async fn outcome(address: SocketAddr, bad: &BadRequest) -> Result<String, String> {
    let mut wire = Wire::to(address).await;
    // What closes early on what it has seen is judged by its answer.
    let sent = wire.send(&bad.bytes).await;
    if bad.hangs_up {
        let _ = wire.stream.shutdown().await;
    }
    let Some(answer) = wire.answer().await else {
        let closed = match (bad.hangs_up, sent) {
            (true, _) => "client hung up",
            (false, true) => "closed",
            (false, false) => "closed before all was sent",
        };
        return if bad.may_close { Ok(closed.to_owned()) } else { Err(closed.to_owned()) };
    };
    let status = answer.status;
    if !bad.right.contains(&status) {
        return Err(format!(
            "{} {}",
            answer.head.lines().next().unwrap_or_default(),
            String::from_utf8_lossy(&answer.body)
        ));
    }
    match bad.frame {
        Some((ref frame, right)) if status == 101 => {
            let _ = wire.send(frame).await;
            close_code(&mut wire, right).await
        }
        Some(_) | None => Ok(status.to_string()),
    }
}

/// Reads frames up to a close; a connection that was cut off had nothing more to say.
async fn close_code(wire: &mut Wire, right: &[u16]) -> Result<String, String> {
    loop {
        let Some(first) = wire.byte().await else { return Ok("101, closed".to_owned()) };
        let Some(mut length) = wire.byte().await.map(usize::from) else {
            return Ok("101, closed".to_owned());
        };
        if length == 126 {
            let (high, low) = (wire.byte().await.unwrap_or(0), wire.byte().await.unwrap_or(0));
            length = usize::from(u16::from_be_bytes([high, low]));
        }
        let mut payload = Vec::new();
        while payload.len() < length {
            let Some(byte) = wire.byte().await else { return Ok("101, closed".to_owned()) };
            payload.push(byte);
        }
        if first == 0x88 {
            let code = payload.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
            let said = format!("101, close {code}");
            return if right.contains(&code) { Ok(said) } else { Err(format!("{said}, not {right:?}")) };
        }
    }
}

async fn try_all(address: SocketAddr, bad: Vec<BadRequest>) -> Seen {
    let mut seen = Seen::default();
    let mut outcomes = stream::iter(bad)
        .map(|bad| async move {
            let outcome = outcome(address, &bad).await;
            (bad, outcome)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((bad, outcome)) = outcomes.next().await {
        match outcome {
            Ok(outcome) => *seen.outcomes.entry(outcome).or_default() += 1,
            Err(said) => {
                let start = String::from_utf8_lossy(&bad.bytes[..bad.bytes.len().min(80)]).into_owned();
                seen.wrong.push(format!("{}: {start:?}: {said}, not {:?}", bad.name, bad.right));
            }
        }
    }
    seen
}

#[tokio::test]
async fn bad_requests_over_every_route_get_their_4xx_and_leave_nothing_behind() {
    let redis = RedisServer::start().await;
    let redis_url = redis.url().expose().to_owned();
    let with_redis = [("REDIS_URL", redis_url)];
    let auth = ServiceProcess::start("auth", &with_redis).await;
    let user = ServiceProcess::start("user", &with_redis).await;
    let chat = ServiceProcess::start("chat", &with_redis).await;
    let notification = ServiceProcess::start("notification", &with_redis).await;
    let upstreams = [
        ("AUTH_URL", format!("http://{}", auth.address)),
        ("USER_URL", format!("http://{}", user.address)),
        ("CHAT_URL", format!("http://{}", chat.address)),
        ("NOTIFICATION_URL", format!("http://{}", notification.address)),
    ];
    let gateway = ServiceProcess::start("gateway", &upstreams).await;
    let account = json!({ "username": "somebody", "password": "a good password" });
    assert_eq!(post(&gateway.url("/api/auth/register"), &account).await.status, 201);
    let login = post(&gateway.url("/api/auth/login"), &account).await.json();
    let token = format!("authorization: Bearer {}\r\n", login["token"].as_str().expect("a token"));

    let services = [
        ("gateway", &gateway),
        ("auth", &auth),
        ("user", &user),
        ("chat", &chat),
        ("notification", &notification),
    ];
    let mut targets = Vec::new();
    for (name, service) in services {
        for route in routes(service).await {
            targets.push((name, route.clone(), ""));
            if name == "gateway" {
                targets.push((name, route, token.as_str()));
            }
        }
    }
    let asked: Option<usize> = std::env::var(REQUESTS).ok().map(|text| text.parse().expect("a number"));
    let of_each = asked.map_or(OF_EACH_ROUTE, |requests| requests.div_ceil(targets.len()));
    println!("{} targets, {of_each} requests each, seed {SEED}", targets.len());

    let mut random = StdRng::seed_from_u64(SEED);
    for (name, service) in services {
        let before = service.resident_bytes().await;
        let mut bad = Vec::new();
        for (_, route, headers) in targets.iter().filter(|(of, ..)| *of == name) {
            bad.extend((0..of_each).map(|_| route.bad_request(headers, &mut random)));
        }
        let requests = bad.len();
        let Seen { outcomes, wrong } = try_all(service.address, bad).await;
        let after = service.resident_bytes().await;
        println!("{name}: {requests} requests: {outcomes:?}; RSS {before} -> {after}");
        assert!(
            wrong.is_empty(),
            "{name}: {} wrong:\n{}",
            wrong.len(),
            wrong[..wrong.len().min(20)].join("\n")
        );
        assert!(after - before < MOST_GROWTH_BYTES, "{name} grew from {before} to {after}");
    }
    for (name, service) in services {
        let log = service.log();
        assert!(!log.contains("panicked"), "{name}: {log}");
        assert_eq!(get(&service.url("/health")).await.status, 200, "{name}");
        let text = get(&service.url("/metrics")).await.text;
        let exposition = parse_text(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let series = exposition.samples().count();
        assert!(series <= 600, "{name} has {series} series after all that");
        for sample in &exposition.family("http_requests_total").expect("it is there").samples {
            let failed = sample.labels["status"].starts_with('5') && sample.value > 0.0;
            assert!(!failed, "{name} answered {:?}", sample.labels);
        }
    }
}

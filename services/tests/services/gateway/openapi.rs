//! The description against the gateway that serves it: its series at 0 say which routes it declares.

use std::collections::BTreeSet;

use firedrill_services::{FaultSwitchConfig, GatewayConfig, UpstreamConfig, gateway};
use oas3::OpenApiV3Spec;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::client::get;

/// The client left: nobody gets it as an answer.
const NO_ANSWER: u16 = 499;

type Answers = BTreeSet<(String, String, u16)>;

/// What a gateway answers at this path that has no fault switch, which is of every service and not of the
/// gateway's users.
async fn text(path: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}{path}", listener.local_addr().expect("bound"));
    let upstream = UpstreamConfig {
        url: "http://127.0.0.1:1".parse().expect("valid url"),
        timeout: std::time::Duration::from_secs(1),
    };
    let config = GatewayConfig {
        auth: upstream.clone(),
        user: upstream.clone(),
        chat: upstream.clone(),
        notification: upstream,
        faults: FaultSwitchConfig::default(),
    };
    let serving = tokio::spawn(gateway::serve(listener, config, std::future::pending()));
    let answer = get(&url).await;
    serving.abort();
    assert_eq!(answer.status, 200);
    answer.text
}

fn label<'a>(series: &'a str, name: &str) -> &'a str {
    let (_, value) = series.split_once(&format!("{name}=\"")).expect("it has the label");
    value.split_once('"').expect("a quoted value").0
}

async fn declared() -> Answers {
    let text = text("/metrics").await;
    text.lines()
        .filter(|line| line.starts_with("http_requests_total{") && !line.contains(r#"route="unmatched""#))
        .map(|line| {
            let status = label(line, "status").parse().expect("a status");
            (label(line, "route").to_owned(), label(line, "method").to_owned(), status)
        })
        .filter(|(_, _, status)| *status != NO_ANSWER)
        .collect()
}

async fn document() -> OpenApiV3Spec {
    oas3::from_json(text("/openapi.json").await).expect("a description")
}

#[tokio::test]
async fn the_description_has_every_route_method_and_status_of_the_gateway_and_no_other() {
    let described: Answers = document()
        .await
        .operations()
        .flat_map(|(path, method, operation)| {
            let responses = operation.responses.clone().unwrap_or_default();
            let answers: Vec<_> = responses
                .keys()
                .map(|status| (path.clone(), method.to_string(), status.parse().expect("a status")))
                .collect();
            answers
        })
        .collect();
    let declared = declared().await;
    let undescribed: Vec<_> = declared.difference(&described).collect();
    let undeclared: Vec<_> = described.difference(&declared).collect();
    assert!(undescribed.is_empty() && undeclared.is_empty(), "{undescribed:#?}\n{undeclared:#?}");
    assert!(declared.len() > 100, "{}", declared.len());
}

#[tokio::test]
async fn the_description_is_valid_and_every_reference_in_it_leads_somewhere() {
    let spec = document().await;
    spec.validate_version().expect("3.1");
    let mut names = BTreeSet::new();
    for (path, method, operation) in spec.operations() {
        let name = operation.operation_id.clone().expect("a name");
        assert!(names.insert(name), "{method} {path} has the name of another");
        let parameters = operation.parameters(&spec).expect("references that lead somewhere");
        let shared = spec.paths.as_ref().expect("paths")[&path].parameters.iter();
        let shared = shared.map(|parameter| parameter.resolve(&spec).expect("a parameter"));
        let in_path: BTreeSet<String> = parameters
            .into_iter()
            .chain(shared)
            .filter(|parameter| parameter.location == oas3::spec::ParameterIn::Path)
            .map(|parameter| format!("{{{}}}", parameter.name))
            .collect();
        let in_template =
            path.split('/').filter(|part| part.starts_with('{')).map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(in_path, in_template, "{method} {path}");
    }
    let document: Value = serde_json::from_str(&text("/openapi.json").await).expect("JSON");
    let mut used = BTreeSet::new();
    follow(&document, &document, &mut used);
    for (kind, components) in document["components"].as_object().expect("components") {
        for name in components.as_object().expect("a map").keys().filter(|_| kind != "securitySchemes") {
            assert!(used.contains(&format!("/components/{kind}/{name}")), "nobody needs {kind} {name}");
        }
    }
}

fn follow(document: &Value, part: &Value, used: &mut BTreeSet<String>) {
    match part {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').expect("within the document");
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                used.insert(pointer.to_owned());
            }
            fields.values().for_each(|field| follow(document, field, used));
        }
        Value::Array(items) => items.iter().for_each(|item| follow(document, item, used)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

//! `docs/metrics.md` is what the services expose, and what they expose is what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use firedrill_exposition::{Exposition, parse_text};

use crate::client::get;
use crate::exposition::all;
use crate::redis_server::RedisServer;

/// Set to write the generated table instead of comparing it.
const UPDATE: &str = "FIREDRILL_UPDATE_GENERATED";
const BEGIN: &str = "<!-- generated: metrics -->\n";
const END: &str = "<!-- end of generated -->";

/// One metric family as it is documented.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Documented {
    name: String,
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

fn documented(exposition: &Exposition) -> impl Iterator<Item = Documented> {
    exposition.families.iter().map(|family| Documented {
        name: family.name.clone(),
        kind: family.kind.to_string(),
        help: family.help.clone().unwrap_or_default(),
        labels: family
            .samples
            .iter()
            .flat_map(|sample| sample.labels.keys().filter(|label| *label != "le").cloned())
            .collect(),
    })
}

fn table(services: &[(&str, Exposition)]) -> String {
    let mut families: BTreeMap<Documented, Vec<&str>> = BTreeMap::new();
    for (service, exposition) in services {
        for family in documented(exposition) {
            families.entry(family).or_default().push(service);
        }
    }
    let mut text =
        String::from("| metric | type | labels | services | what it tells |\n|---|---|---|---|---|\n");
    for (Documented { name, kind, help, labels }, of) in families {
        let of = if of.len() == services.len() { "all".to_owned() } else { of.join(", ") };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = labels.join(", ");
        writeln!(text, "| `{name}` | {kind} | {labels} | {of} | {help} |").expect("a string takes any text");
    }
    text
}

#[tokio::test]
async fn the_reference_of_the_metrics_is_what_each_service_exposes_from_its_start() {
    let redis = RedisServer::start().await;
    let mut services = Vec::new();
    for (name, service) in all(&redis).await {
        let text = get(&service.url("/metrics")).await.text;
        let exposition = parse_text(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for family in &exposition.families {
            let (name, help) = (&family.name, family.help.as_deref().unwrap_or_default());
            assert!(!help.is_empty(), "{name} says what it is");
            assert!(!family.samples.is_empty(), "{name} has its series from the start");
        }
        services.push((name, exposition));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let text = std::fs::read_to_string(&path).expect("docs/metrics.md is there");
    let (before, rest) = text.split_once(BEGIN).expect("docs/metrics.md has the mark before its table");
    let (committed, after) = rest.split_once(END).expect("docs/metrics.md has the mark after its table");
    let table = table(&services);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).expect("written");
    } else {
        assert!(
            committed == table,
            "docs/metrics.md is stale: run `{UPDATE}=1 cargo test -p firedrill-services reference` and \
             commit it\n{table}"
        );
    }
}

//! The shape of the workspace, held by tests: which crate may depend on which, where versions and lints come from,
//! how long a file may be, what a crate's root may hold. Each test lists every breach, not the first.
//!
//! It reads manifests and sources as text and knows nothing of what the crates do.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const MODEL: &[&str] = &[
    "firedrill-drill",
    "firedrill-record",
    "firedrill-rulebook",
    "firedrill-exposition",
    "firedrill-monitoring-api",
];
const MIDDLE: &[&str] = &["firedrill-stack", "firedrill-loadgen", "firedrill-verifier", "firedrill-reports"];
const LONGEST_FILE: usize = 800;

/// The crates of ours that `package` may depend on, or none if the package has no place in the layers.
fn allowed(package: &str, kind: &str) -> Option<Vec<&'static str>> {
    let normal = match package {
        "firedrill" => [MIDDLE, MODEL].concat(),
        middle if MIDDLE.contains(&middle) => MODEL.to_vec(),
        "firedrill-drill" => vec!["firedrill-record"],
        "firedrill-services" => vec!["metrics-plugin"],
        "metrics-plugin" => vec![],
        model if MODEL.contains(&model) => vec![],
        _ => return None,
    };
    // The services' tests may read what they expose with the parser that will judge it.
    let for_tests =
        if (package, kind) == ("firedrill-services", "dev") { vec!["firedrill-exposition"] } else { vec![] };
    Some([normal, for_tests].concat())
}

#[test]
fn dependencies_between_our_crates_go_one_way() {
    let workspace = Workspace::read();
    let names: Vec<&str> = workspace.packages.iter().map(|package| text(package, "name")).collect();
    let mut breaches = Vec::new();
    for package in &workspace.packages {
        let name = text(package, "name");
        if allowed(name, "normal").is_none() {
            breaches.push(format!("{name} has no place in the layers: give it one in this test"));
        }
        for dependency in package["dependencies"].as_array().expect("cargo lists dependencies") {
            let (on, kind) = (text(dependency, "name"), dependency["kind"].as_str().unwrap_or("normal"));
            if names.contains(&on) && allowed(name, kind).is_some_and(|allowed| !allowed.contains(&on)) {
                breaches.push(format!("{name} must not depend on {on} ({kind})"));
            }
        }
    }
    none(&breaches);
}

#[test]
fn every_crate_takes_versions_and_lints_from_the_workspace() {
    let mut breaches = Vec::new();
    for package in &Workspace::read().packages {
        let path = text(package, "manifest_path");
        let manifest = read(Path::new(path));
        breaches.extend(
            own_versions(&manifest).into_iter().map(|line| format!("{path}: not from the workspace: {line}")),
        );
        if !inherits_lints(&manifest) {
            breaches.push(format!("{path}: [lints] workspace = true is missing"));
        }
    }
    none(&breaches);
}

#[test]
fn no_file_is_longer_than_800_lines() {
    let breaches = Workspace::read().sources().into_iter().filter_map(|(path, source)| {
        let lines = source.lines().count();
        (lines > LONGEST_FILE).then(|| format!("{}: {lines} lines, split it by concern", path.display()))
    });
    none(&breaches.collect::<Vec<_>>());
}

#[test]
fn no_lint_is_switched_off_without_a_reason() {
    let mut breaches = Vec::new();
    for (path, source) in Workspace::read().sources() {
        for (index, _) in source.lines().enumerate().filter(|(_, line)| allows_a_lint(line)) {
            breaches.push(format!("{}:{}: use #[expect(lint, reason = …)]", path.display(), index + 1));
        }
    }
    none(&breaches);
}

#[test]
fn crate_and_module_roots_hold_only_docs_and_mod_and_use() {
    let mut breaches = Vec::new();
    for (path, source) in Workspace::read().sources() {
        let is_root = path.ends_with("lib.rs") || path.ends_with("mod.rs");
        if let Some(first) = strays(&source).first().filter(|_| is_root) {
            let beginning: String = first.chars().take(60).collect();
            breaches.push(format!("{}: move code to a file of its own: {beginning}", path.display()));
        }
    }
    none(&breaches);
}

#[test]
fn a_version_of_ones_own_is_seen_in_every_notation() {
    let manifest = r#"
[package]
version.workspace = true
[dependencies]
good.workspace = true
also-good = { workspace = true, features = ["x"] }
plain = "1"
path = { path = "../path" }
[dev-dependencies.table]
version = "1"
[dev-dependencies.good-table]
workspace = true
[target.'cfg(unix)'.build-dependencies]
unix = "1"
"#;
    assert_eq!(
        own_versions(manifest),
        [r#"plain = "1""#, r#"path = { path = "../path" }"#, "[dev-dependencies.table]", r#"unix = "1""#]
    );
}

#[test]
fn lints_are_inherited_only_by_saying_so() {
    assert!(inherits_lints("[lints]\nworkspace = true\n"));
    assert!(inherits_lints("lints.workspace = true\n[dependencies]\n"));
    assert!(!inherits_lints("[lints]\n[dependencies]\nworkspace = true\n"));
}

#[test]
fn code_in_a_root_is_seen() {
    let root = "//! Docs; with mod.\n#![doc = include_str!(\"a;b\")]\nmod a;\n#[cfg(test)]\npub(crate) mod b;\n\
                pub use a::{\n    One, // why;\n    Two,\n};\n/* gone; */ use c as d;\n";
    assert_eq!(strays(root), Vec::<String>::new());
    assert_eq!(strays("mod a;\nfn f() {}\n"), ["fn f() {}"]);
    assert_eq!(strays("mod a { fn f() {} }\nuse b;\n"), ["mod a { fn f() {} } use b"]);
    assert_eq!(
        strays("use b;\nconst A: u8 = 1;\nstatic B: u8 = 1;"),
        ["const A: u8 = 1", "static B: u8 = 1"]
    );
}

#[test]
fn a_lint_switched_off_is_seen_in_every_notation() {
    for attribute in ["#[AL(dead_code)]", "#![AL(dead_code)]", "#[cfg_attr(test, AL(dead_code))]"] {
        assert!(allows_a_lint(&attribute.replace("AL", "allow")), "{attribute}");
    }
    assert!(!allows_a_lint("#[expect(dead_code, reason = \"the next release reads it\")]"));
    assert!(!allows_a_lint("fn allow(target: Target) {}"));
}

/// The members of the workspace, as cargo names them.
struct Workspace {
    packages: Vec<Value>,
}

impl Workspace {
    fn read() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
        let packages = metadata["packages"].as_array().expect("cargo lists packages").clone();
        assert!(packages.len() > MODEL.len() + MIDDLE.len(), "only {} packages are seen", packages.len());
        Self { packages }
    }

    /// Every Rust file of every member, with its text.
    fn sources(&self) -> Vec<(PathBuf, String)> {
        let folders = self.packages.iter().map(|package| {
            Path::new(text(package, "manifest_path")).parent().expect("a manifest has a folder").to_owned()
        });
        let mut files: Vec<PathBuf> = folders.flat_map(|folder| rust_files(&folder)).collect();
        files.sort();
        files.dedup(); // one member lies inside another
        files.into_iter().map(|path| (path.clone(), read(&path))).collect()
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("a source folder is readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Dependencies of a manifest that do not say `workspace = true`, as they are written there.
fn own_versions(manifest: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut listing = false;
    let mut open_table = None; // the heading of a [dependencies.NAME] that has not yet said `workspace = true`
    for line in manifest.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            found.extend(open_table.take());
            let heading = line.trim_matches(['[', ']']);
            listing = heading.ends_with("dependencies");
            open_table = heading.contains("dependencies.").then_some(line);
        } else if open_table.is_some() && says_workspace(line) {
            open_table = None;
        } else if listing && !says_workspace(line) {
            found.push(line);
        }
    }
    found.extend(open_table);
    found
}

fn inherits_lints(manifest: &str) -> bool {
    let mut heading = "";
    manifest.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            heading = line;
        }
        says_workspace(line) && (heading == "[lints]" || (heading.is_empty() && line.starts_with("lints.")))
    })
}

fn says_workspace(line: &str) -> bool {
    line.replace(' ', "").contains("workspace=true")
}

fn allows_a_lint(line: &str) -> bool {
    let line = line.trim_start();
    (line.starts_with("#[") || line.starts_with("#!["))
        && ["[", " ", ","].iter().any(|before| line.contains(&format!("{before}{}(", "allow")))
}

/// Statements of a root that are neither `mod name` nor `use`.
fn strays(source: &str) -> Vec<String> {
    without_attributes(&without_comments(source))
        .split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|statement| !statement.is_empty() && !is_mod_or_use(statement))
        .collect()
}

fn is_mod_or_use(statement: &str) -> bool {
    let mut words = statement.split(' ').skip_while(|word| word.starts_with("pub"));
    match words.next() {
        Some("mod") => words.count() == 1,
        Some("use") => true,
        _ => false,
    }
}

fn without_comments(source: &str) -> String {
    let mut rest = source.lines().map(|line| before(line, "//")).collect::<Vec<_>>().join("\n");
    while let Some((head, tail)) = rest.split_once("/*") {
        rest = format!("{head}{}", tail.split_once("*/").map_or("", |(_, after)| after));
    }
    rest
}

fn before<'a>(line: &'a str, mark: &str) -> &'a str {
    line.split_once(mark).map_or(line, |(head, _)| head)
}

/// Removes `#[…]` and `#![…]`, also over several lines; brackets inside are counted.
fn without_attributes(source: &str) -> String {
    let (mut kept, mut depth) = (String::new(), 0_usize);
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '#' if depth == 0 && matches!(characters.peek(), Some('[' | '!')) => {
                depth = 1;
                characters.by_ref().find(|next| *next == '[');
            }
            '[' if depth > 0 => depth += 1,
            ']' if depth > 0 => depth -= 1,
            _ if depth == 0 => kept.push(character),
            _ => {}
        }
    }
    kept
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("cargo metadata names the {field}"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

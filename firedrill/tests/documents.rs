//! The documents, held by tests: links lead somewhere, commands are understood, recipes exist, the drill of the README
//! is the one of the catalog, and ARCHITECTURE.md stays short. Each test lists every breach, not the first.
//!
//! It reads documents as text and knows nothing of what they say.

use std::path::{Path, PathBuf};
use std::process::Command;

const LONGEST_ARCHITECTURE: usize = 150;

#[test]
fn every_relative_link_leads_to_a_file_or_folder() {
    let mut checked = 0;
    let mut breaches = Vec::new();
    for document in documents() {
        let folder = document.path.parent().expect("a document lies in a folder");
        for (line, target) in links(&document.text) {
            let path = before(&target, '#');
            if !path.contains(':') && !path.is_empty() {
                checked += 1;
                if !folder.join(path).exists() {
                    breaches.push(format!("{}:{line}: no such file: {target}", document.name()));
                }
            }
        }
    }
    none(&breaches);
    assert!(checked > 30, "only {checked} links are seen");
}

#[test]
fn every_firedrill_command_in_a_shell_block_is_understood() {
    let mut checked = 0;
    let mut breaches = Vec::new();
    for document in documents() {
        for (line, words) in shell_commands(&document.text).into_iter().filter(|(_, words)| is_ours(words)) {
            checked += 1;
            let shown = words.join(" ");
            // With --help the command line is read as far as it goes, and nothing is done.
            let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
                .args(&words[1..])
                .arg("--help")
                .output()
                .expect("firedrill starts");
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                breaches.push(format!("{}:{line}: {shown}\n    {}", document.name(), before(&said, '\n')));
            }
            for word in words.iter().filter(|word| word.starts_with("scenarios/")) {
                if !root().join(word).exists() {
                    breaches.push(format!("{}:{line}: {shown}: no such file: {word}", document.name()));
                }
            }
        }
    }
    none(&breaches);
    assert!(checked > 3, "only {checked} commands are seen");
}

#[test]
fn every_recipe_that_a_document_names_exists() {
    let known = recipes(&read(&root().join("justfile")));
    let mut checked = 0;
    let mut breaches = Vec::new();
    for document in documents() {
        for (line, recipe) in named_recipes(&document.text) {
            checked += 1;
            if !known.contains(&recipe) {
                breaches.push(format!("{}:{line}: the justfile has no recipe {recipe}", document.name()));
            }
        }
    }
    none(&breaches);
    assert!(checked > 3, "only {checked} recipes are seen");
}

#[test]
fn architecture_md_has_at_most_150_lines() {
    let lines = read(&root().join("ARCHITECTURE.md")).lines().count();
    assert!(lines <= LONGEST_ARCHITECTURE, "{lines} lines");
}

#[test]
fn every_crate_has_a_line_in_architecture_md() {
    let map = read(&root().join("ARCHITECTURE.md"));
    let breaches: Vec<String> = members(&read(&root().join("Cargo.toml")))
        .into_iter()
        .filter(|member| !map.contains(&format!("| [{member}](")))
        .map(|member| format!("{member} is not in the code map"))
        .collect();
    none(&breaches);
}

#[test]
fn the_readme_shows_the_main_drill_as_it_is() {
    let drill = read(&root().join("scenarios/catalog/services/user-service-errors-page-the-team.yaml"));
    let without_schema: Vec<&str> = drill.lines().filter(|line| !line.contains("$schema=")).collect();
    let shown = fences(&read(&root().join("README.md")));
    let shown = shown.iter().find(|fence| fence.language == "yaml").expect("the README shows a drill");
    let shown: Vec<&str> = shown.lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(shown, without_schema);
}

#[test]
fn links_are_seen_in_prose_and_tables_but_not_in_code() {
    let text = "See [a](a.md) and\n| [b `c`](../b.md#part) |\n`[no](no.md)`\n```rust\nx[0](no.md)\n```\n[d](<d e.md>)\n";
    let found: Vec<String> = links(text).into_iter().map(|(line, link)| format!("{line} {link}")).collect();
    assert_eq!(found, ["1 a.md", "2 ../b.md#part", "7 d e.md"]);
}

#[test]
fn commands_are_seen_without_prompt_comment_and_environment() {
    let text = "```console\n$ NO_COLOR=1 target/debug/firedrill run a.yaml --seed 1   # why\nits output\n```\n\
                ```sh\ncd x && ./firedrill check \\\n  b.yaml\n# a comment\n```\n```text\nfiredrill no\n```\n";
    let found: Vec<String> = shell_commands(text)
        .into_iter()
        .filter(|(_, words)| is_ours(words))
        .map(|(line, words)| format!("{line} {}", words[1..].join(" ")))
        .collect();
    assert_eq!(found, ["2 run a.yaml --seed 1", "6 check b.yaml"]);
}

#[test]
fn recipes_are_seen_in_blocks_and_in_prose() {
    let text = "Type `just a`, `./setup.sh b-c` or `just`; not `adjust d`, `just --list`, `./setup.sh RECIPE`.\n\
                ```sh\n./setup.sh d    # just because\n```\n";
    let found: Vec<String> = named_recipes(text).into_iter().map(|(_, recipe)| recipe).collect();
    assert_eq!(found, ["a", "b-c", "d"]);
    assert_eq!(recipes("x := 'y'\n# z:\na: b\n    c:\nd e='f': a\n@g:\n"), ["a", "d", "g"]);
}

/// A document and where it lies.
struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }
}

/// A block of code and its lines, each with its number.
struct Fence {
    language: String,
    lines: Vec<(usize, String)>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// Every document of the repository; folders that are built or hidden are none of it.
fn documents() -> Vec<Document> {
    let mut paths = markdown_files(root());
    paths.sort();
    let documents: Vec<Document> =
        paths.into_iter().map(|path| Document { text: read(&path), path }).collect();
    assert!(documents.len() > 15, "only {} documents are seen", documents.len());
    documents
}

fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the repository is readable") {
        let path = entry.expect("the repository is readable").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                files.extend(markdown_files(&path));
            }
        } else if path.extension().is_some_and(|ending| ending == "md") {
            files.push(path);
        }
    }
    files
}

/// Targets of the links in `text`, each with its line; code is left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code_spans(&line);
        let mut rest = line.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let target = before(after, ')').trim_matches(['<', '>']);
            found.push((number, target.to_owned()));
            rest = after;
        }
    }
    found
}

/// Commands of the shell blocks in `text`, as words, each with its line.
fn shell_commands(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for fence in fences(text) {
        let is_console = fence.language == "console";
        if !is_console && !["sh", "bash", "shell"].contains(&fence.language.as_str()) {
            continue;
        }
        for (number, line) in joined(&fence.lines) {
            let line = match line.trim_start().strip_prefix("$ ") {
                Some(typed) => typed.to_owned(),
                // What a program said.
                None if is_console => continue,
                None => line,
            };
            for command in before_comment(&line).split(['|', ';', '&']) {
                let words = command.split_whitespace().skip_while(|word| is_assignment(word));
                let words: Vec<String> =
                    words.map(|word| word.trim_matches(['\'', '"']).to_owned()).collect();
                if !words.is_empty() {
                    found.push((number, words));
                }
            }
        }
    }
    found
}

/// Recipes that `text` tells to run with `just` or `./setup.sh`, in shell blocks and between backticks.
fn named_recipes(text: &str) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, Vec<String>)> = prose(text)
        .into_iter()
        .flat_map(|(number, line)| code_spans(&line).into_iter().map(move |span| (number, span)))
        .map(|(number, span)| (number, span.split_whitespace().map(str::to_owned).collect()))
        .collect();
    commands.extend(shell_commands(text));
    commands
        .into_iter()
        .filter(|(_, words)| words.first().is_some_and(|first| first == "just" || first == "./setup.sh"))
        .filter_map(|(number, words)| Some((number, words.get(1)?.clone())))
        // Options, and words in capitals that stand for any recipe.
        .filter(|(_, recipe)| recipe.starts_with(|first: char| first.is_ascii_lowercase()))
        .collect()
}

/// The names of the recipes of a justfile.
fn recipes(justfile: &str) -> Vec<String> {
    justfile
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphabetic() || first == '@'))
        .filter(|line| !line.contains(":="))
        .filter_map(|line| line.split_once(':'))
        .map(|(head, _)| before(head.trim_start_matches('@'), ' ').to_owned())
        .collect()
}

/// The folders that the workspace's manifest lists as members.
fn members(manifest: &str) -> Vec<String> {
    let (_, after) = manifest.split_once("members = [").expect("the manifest lists members");
    before(after, ']')
        .split(',')
        .map(|one| one.trim().trim_matches('"').to_owned())
        .filter(|one| !one.is_empty())
        .collect()
}

fn is_ours(words: &[String]) -> bool {
    words.first().is_some_and(|first| first == "firedrill" || first.ends_with("/firedrill"))
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.chars().all(|one| one.is_ascii_uppercase() || one.is_ascii_digit() || one == '_')
    })
}

/// The blocks of code of a document.
fn fences(text: &str) -> Vec<Fence> {
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => fences.extend(open.take()),
            (Some(language), None) => {
                open = Some(Fence { language: language.trim().to_owned(), lines: Vec::new() });
            }
            (None, Some(fence)) => fence.lines.push((index + 1, line.to_owned())),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of code is not closed");
    fences
}

/// The lines of a document that are not in blocks of code.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push((index + 1, line.to_owned()));
        }
    }
    lines
}

/// Lines that end with a backslash and the next ones are one line, numbered as the first.
fn joined(lines: &[(usize, String)]) -> Vec<(usize, String)> {
    let mut whole: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (number, line) in lines {
        let text = line.trim_end_matches('\\');
        match whole.last_mut() {
            Some((_, last)) if continues => last.push_str(text),
            _ => whole.push((*number, text.to_owned())),
        }
        continues = line.ends_with('\\');
    }
    whole
}

fn before_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') { "" } else { line.split_once(" #").map_or(line, |(head, _)| head) }
}

/// What stands between single backticks of a line.
fn code_spans(line: &str) -> Vec<String> {
    line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn without_code_spans(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

fn before(text: &str, mark: char) -> &str {
    text.split_once(mark).map_or(text, |(head, _)| head)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

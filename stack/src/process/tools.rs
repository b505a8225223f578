//! Finding the programs of the stack, under Debian's names and upstream's, and old enough never to do.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::future::try_join_all;
use thiserror::Error;
use tokio::process::Command;
use tokio::time::timeout;

/// A program is missing or too old.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ToolError {
    /// It was found nowhere.
    #[error("find {what}: none of {} is on PATH or in .tools/bin", names.join(", "))]
    Missing {
        /// The program, as people call it.
        what: &'static str,
        /// The names it was looked for under.
        names: Vec<&'static str>,
    },
    /// Every one that was found is too old.
    #[error("use {what} {version} ({}): {oldest} or newer is needed", path.display())]
    TooOld {
        /// The program, as people call it.
        what: &'static str,
        /// The first one that was found.
        path: PathBuf,
        /// Its version.
        version: String,
        /// The oldest version that will do.
        oldest: &'static str,
    },
}

impl ToolError {
    /// What would mend it.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { .. } => "run ./setup.sh drill, which installs what is missing".to_owned(),
            Self::TooOld { .. } => {
                "put a newer one into .tools/bin, or run ./setup.sh drill to see what is missing".to_owned()
            }
        }
    }
}

/// What is looked for.
struct Wanted {
    what: &'static str,
    names: &'static [&'static str],
    oldest: Option<&'static str>,
}

const fn wanted(what: &'static str, names: &'static [&'static str], oldest: Option<&'static str>) -> Wanted {
    Wanted { what, names, oldest }
}

const WANTED: [Wanted; 7] = [
    wanted("prometheus", &["prometheus"], Some("2.42")),
    wanted("promtool", &["promtool"], None),
    wanted("alertmanager", &["prometheus-alertmanager", "alertmanager"], Some("0.25")),
    wanted("amtool", &["amtool"], None),
    wanted("node exporter", &["prometheus-node-exporter", "node_exporter"], None),
    wanted("redis exporter", &["prometheus-redis-exporter", "redis_exporter"], None),
    wanted("redis-server", &["redis-server"], None),
];

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) path: PathBuf,
    pub(super) version: String,
}

/// The programs of the stack.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) prometheus: Tool,
    pub(super) promtool: Tool,
    pub(super) alertmanager: Tool,
    pub(super) amtool: Tool,
    pub(super) node_exporter: Tool,
    pub(super) redis_exporter: Tool,
    pub(super) redis_server: Tool,
}

impl Tools {
    /// Looks for every program in the folders of `search`, in their order.
    pub(super) async fn find(search: &[PathBuf]) -> Result<Self, ToolError> {
        let found = try_join_all(WANTED.iter().map(|wanted| find(wanted, search))).await?;
        let [prometheus, promtool, alertmanager, amtool, node_exporter, redis_exporter, redis_server] =
            found.try_into().expect("one program is found for each one wanted");
        Ok(Self { prometheus, promtool, alertmanager, amtool, node_exporter, redis_exporter, redis_server })
    }
}

/// The first that is new enough; a newer one further down the path is taken over an older one before it.
async fn find(wanted: &Wanted, search: &[PathBuf]) -> Result<Tool, ToolError> {
    let mut too_old = None;
    for name in wanted.names {
        for path in search.iter().map(|folder| folder.join(name)).filter(|path| is_program(path)) {
            // The child's working directory is not this one.
            let Ok(path) = std::path::absolute(&path) else { continue };
            let version = version_of(&path).await;
            match wanted.oldest {
                Some(oldest) if !at_least(&version, oldest) => {
                    too_old.get_or_insert(ToolError::TooOld { what: wanted.what, path, version, oldest });
                }
                _ => return Ok(Tool { path, version }),
            }
        }
    }
    Err(too_old.unwrap_or_else(|| ToolError::Missing { what: wanted.what, names: wanted.names.to_vec() }))
}

fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// What the program says its version is; `unknown` when it says none within 5 s.
async fn version_of(program: &Path) -> String {
    let output =
        Command::new(program).arg("--version").env_clear().stdin(Stdio::null()).kill_on_drop(true).output();
    match timeout(Duration::from_secs(5), output).await {
        Ok(Ok(output)) => {
            let said = [output.stdout, output.stderr].concat();
            version_in(&String::from_utf8_lossy(&said)).unwrap_or_else(|| "unknown".to_owned())
        }
        _ => "unknown".to_owned(),
    }
}

/// The first group of numbers joined by points.
fn version_in(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .map(|word| word.trim_matches('.'))
        .find(|word| word.contains('.'))
        .map(str::to_owned)
}

/// Compares number by number, so that 2.9 is older than 2.42. An unknown version is too old.
fn at_least(version: &str, oldest: &str) -> bool {
    let numbers = |text: &str| text.split('.').map(str::parse::<u32>).collect::<Result<Vec<_>, _>>();
    match (numbers(version), numbers(oldest)) {
        (Ok(have), Ok(want)) => have >= want,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(folder: &Path, name: &str, says: &str) {
        fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    const ALERTMANAGER: Wanted =
        wanted("alertmanager", &["prometheus-alertmanager", "alertmanager"], Some("0.25"));

    #[test]
    fn versions_are_read_and_compared_number_by_number() {
        assert_eq!(version_in("prometheus, version 2.42.0+ds (branch: x)"), Some("2.42.0".to_owned()));
        assert_eq!(version_in("Redis server v=7.0.15 sha=0"), Some("7.0.15".to_owned()));
        assert_eq!(version_in("no numbers. at all"), None);
        assert!(at_least("2.42.0", "2.42") && at_least("3.0", "2.42"));
        assert!(!at_least("2.9.9", "2.42") && !at_least("unknown", "2.42"));
    }

    #[tokio::test]
    async fn a_missing_program_is_named_with_every_name_it_was_looked_for_under() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(&ALERTMANAGER, &[folder.path().to_owned()]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "find alertmanager: none of prometheus-alertmanager, alertmanager is on PATH or in .tools/bin"
        );
        assert!(error.hint().contains("./setup.sh"));
    }

    #[tokio::test]
    async fn a_program_that_is_too_old_gives_way_to_a_newer_one_further_down() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (root.path().join("a"), root.path().join("b"));
        program(&first, "prometheus-alertmanager", "alertmanager, version 0.24.9");
        let error = find(&ALERTMANAGER, &[first.clone(), second.clone()]).await.unwrap_err();
        assert!(matches!(error, ToolError::TooOld { ref version, .. } if version == "0.24.9"), "{error}");

        program(&second, "alertmanager", "alertmanager, version 0.28.0");
        let found = find(&ALERTMANAGER, &[first, second.clone()]).await.unwrap();
        assert_eq!(found, Tool { path: second.join("alertmanager"), version: "0.28.0".to_owned() });
    }
}

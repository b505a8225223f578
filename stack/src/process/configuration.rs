//! The configuration of one stack: fitted to its addresses, written into its folder, and shown to the programs' own
//! checkers before anything is started.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use firedrill_rulebook::{Change, ConfigFolder, Wiring, wire};
use futures_util::future::join;
use tokio::process::Command;
use tokio::time::timeout;

use super::parts::Layout;
use super::tools::{Tool, Tools};
use crate::backend::StackPlan;
use crate::failure::UpError;

/// Both checkers take well under a second.
const CHECKED_WITHIN: Duration = Duration::from_secs(20);

/// A scrape target that Prometheus must find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExpectedTarget {
    pub(super) job: String,
    pub(super) address: String,
    /// Whether it is a part of this stack or the harness, and so must answer.
    pub(super) must_be_up: bool,
}

/// A configuration fitted to a stack.
#[derive(Debug)]
pub(super) struct Configuration {
    wired: ConfigFolder,
    pub(super) changes: Vec<Change>,
}

impl Configuration {
    pub(super) fn fit(plan: &StackPlan, layout: &Layout) -> Result<Self, UpError> {
        let wiring =
            Wiring { addresses: layout.wired(), harness: Some(plan.harness.clone()), run_label: true };
        let (wired, changes) = wire(&plan.configuration, &wiring)?;
        Ok(Self { wired, changes })
    }

    /// Both programs get the whole folder, as each takes only the files that it is told of.
    pub(super) fn write(&self, layout: &Layout) -> Result<(), UpError> {
        for part in ["prometheus", "alertmanager"] {
            self.wired.write_to(&layout.folder(part).join("config"))?;
        }
        Ok(())
    }

    pub(super) async fn check(&self, tools: &Tools, layout: &Layout) -> Result<(), UpError> {
        let (prometheus, alertmanager) = (layout.folder("prometheus"), layout.folder("alertmanager"));
        let (rules, routes) = join(
            ask(&tools.promtool, "promtool", &["check", "config"], &prometheus, "prometheus.yml"),
            ask(&tools.amtool, "amtool", &["check-config"], &alertmanager, "alertmanager.yml"),
        )
        .await;
        rules.and(routes)
    }

    /// The targets that the configuration names.
    pub(super) fn targets(&self, layout: &Layout) -> Result<Vec<ExpectedTarget>, UpError> {
        let own = layout.wired();
        let own: Vec<&String> = own.values().collect();
        let jobs = self.wired.prometheus()?.jobs;
        Ok(jobs
            .into_iter()
            .flat_map(|job| {
                let name = job.name;
                job.targets.into_iter().map(move |target| (name.clone(), target.address))
            })
            .map(|(job, address)| {
                let is_loopback = address.parse::<SocketAddr>().is_ok_and(|at| at.ip().is_loopback());
                let must_be_up = own.contains(&&address) || is_loopback;
                ExpectedTarget { job, address, must_be_up }
            })
            .collect())
    }

    /// Whether alerts go anywhere at all.
    pub(super) fn has_alertmanager(&self) -> Result<bool, UpError> {
        Ok(!self.wired.prometheus()?.alertmanagers.is_empty())
    }
}

async fn ask(tool: &Tool, name: &str, words: &[&str], folder: &Path, file: &str) -> Result<(), UpError> {
    let refused =
        |said: String| UpError::ConfigurationRefused { tool: name.to_owned(), file: file.to_owned(), said };
    let output = Command::new(&tool.path)
        .args(words)
        .arg(format!("config/{file}"))
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match timeout(CHECKED_WITHIN, output).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = [output.stdout, output.stderr].concat();
            Err(refused(shortened(&String::from_utf8_lossy(&said))))
        }
        Ok(Err(source)) => Err(UpError::Spawn { part: name.to_owned(), program: tool.path.clone(), source }),
        Err(_) => Err(refused(format!("no answer within {} s", CHECKED_WITHIN.as_secs()))),
    }
}

/// The lines that say something is wrong; all lines when none is marked.
fn shortened(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let failed: Vec<&str> =
        lines().skip_while(|line| !(line.contains("FAILED") || line.contains("error"))).collect();
    let words = if failed.is_empty() { lines().collect() } else { failed };
    words.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_checkers_words_the_failure_is_kept() {
        let said = "Checking config/prometheus.yml\n SUCCESS: 1 rule files found\n\n  FAILED:\nrules/a.yml: 5:11: bad\n";
        assert_eq!(shortened(said), "FAILED:\nrules/a.yml: 5:11: bad");
        assert_eq!(shortened("something else\n"), "something else");
    }
}

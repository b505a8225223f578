//! What people type.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use firedrill_drill::parse_drill_duration;
use firedrill_reports::{ColourChoice, RenderOptions, TerminalOptions, render_options, terminal_options};
use firedrill_rulebook::parse_duration;

use crate::commands;
use crate::speed::Speed;
use crate::trials::{MOST_TRIALS, spin};

const EXAMPLES: &str = "\
Examples:
  firedrill run scenarios/catalog/services/user-service-errors-page-the-team.yaml
  firedrill run scenarios/catalog --speed 30 --seed 7 --json report.json
  firedrill run scenarios/catalog --strict --junit junit.xml --markdown summary.md
  firedrill check scenarios/catalog
  firedrill report latest --markdown -
  firedrill soak --for 8h
  firedrill capacity
  firedrill scale stack/config/rules --speed auto
  firedrill trials scenarios/trials --count 5
  firedrill up
  firedrill judge latest
  firedrill restore
  firedrill completions bash

Exit codes:
  0    every drill passed
  1    a drill failed
  2    a drill or the command line is invalid; nothing was started
  3    the stack could not be set up, or Prometheus or Alertmanager refuse the configuration
  4    a drill was inconclusive, or the run ended before it could be judged; with --strict, a drill was not run
  5    a fault could not be undone
  130  interrupted
Of several the heaviest counts: 130, 5, 3, 1, 4, 0.";

const RUN_EXAMPLES: &str = "\
Examples:
  firedrill run scenarios/catalog/services/user-service-errors-page-the-team.yaml
  firedrill run scenarios/catalog --keep 20
  firedrill run scenarios/catalog --strict --junit junit.xml --markdown summary.md
  firedrill run drill.yaml --config my-monitoring/ --out /tmp/run --json -";

const SOAK_EXAMPLES: &str = "\
Examples:
  firedrill soak --for 8h --window 10m --json soak.json
  firedrill soak my-load.yaml --for 30m --window 5m";

const CAPACITY_EXAMPLES: &str = "\
Examples:
  firedrill capacity --json capacity.json --markdown capacity.md
  firedrill capacity my-arrivals.yaml --p99 100ms --hold 30s --samples-per-day 5000000 --services 20";

const SCALE_EXAMPLES: &str = "\
Examples:
  firedrill scale stack/config/rules --drivers stack/config/firedrill.yaml
  firedrill scale rules/*.yml --speed auto --scrape-interval 30s --evaluation-interval 1m
  firedrill scale rules/ --speed 20 --out scaled/ --json scaled.json

A rule is exact, adjusted (something had to give way, such as rounding to a millisecond), assumed (faithful only if
something holds that the files do not say: a warning) or not compressible (left out of the scaled files).
`--speed auto` is the largest factor up to 60 at which every interval stays at 250 ms or more and no rule is lost that a
smaller factor above 1 would keep.

Exit codes:
  0  every rule is exact, adjusted or assumed
  1  some rules are not compressible
  2  a file or the command line is invalid, or the factor makes an interval shorter than 250 ms; nothing was written
  3  the scaled files or the report could not be written";

const TRIALS_EXAMPLES: &str = "\
Examples:
  firedrill trials scenarios/trials --count 5
  firedrill trials scenarios/trials --count 50 --busy 4 --seed 7 --json trials.json

Exit codes are those of `firedrill run`: 0 only when every trial passed.";

const COMPARE_EXAMPLES: &str = "\
Examples:
  firedrill compare 20261122t142300z-7f3a latest

Exit codes:
  0  the same verdicts, and every segment within two scrape intervals
  1  a verdict or a segment differs
  2  a run cannot be read
  3  the comparison cannot be written
  4  something is missing in one of the runs: it cannot be told";

const UP_EXAMPLES: &str = "\
Examples:
  firedrill up
  firedrill up --config my-monitoring/
  firedrill up --ports free --foreground

Exit codes:
  0    the stack is up; with --foreground, it was up and is down again
  2    the configuration or the command line is invalid; nothing was started
  3    the stack could not be set up, or one is up already
  5    something could not be ended
  130  interrupted while it started";

const STATUS_EXAMPLES: &str = "\
Examples:
  firedrill status

Exit codes:
  0  every part answers
  3  nothing is up
  4  a part does not answer, the stack is starting, or its owner was killed";

const DOWN_EXAMPLES: &str = "\
Examples:
  firedrill down

Exit codes:
  0  it is down, or nothing was up
  3  what is up could not be looked at
  5  something could not be ended";

/// The flag by which `up` starts the owner of the stack.
pub(crate) const DETACHED: &str = "--detached";

/// The command by which trials start busy loops beside them.
pub(crate) const BUSY_LOOPS: &str = "busy-loops";

const REPORT_EXAMPLES: &str = "\
Examples:
  firedrill report latest
  firedrill report latest --junit junit.xml --markdown summary.md
  firedrill report .firedrill/runs/20261122t142300z-7f3a --json -";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  firedrill completions bash > ~/.local/share/bash-completion/completions/firedrill
  firedrill completions zsh > ~/.zfunc/_firedrill
  firedrill completions fish > ~/.config/fish/completions/firedrill.fish";

/// Rehearses a Prometheus monitoring system with real load and real faults, and proves whether it told the truth.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, after_help = EXAMPLES, propagate_version = true)]
struct Cli {
    /// Colour: auto is on a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, default_value_t = ColourChoice::Auto, value_name = "WHEN")]
    color: ColourChoice,
    /// Show warnings and the final report only.
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run drills: start the stack, break it, follow the alerts, judge, take it down
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArguments),
    /// Soak a stack: steady load in real time, truth judged window by window, and what grew meanwhile
    #[command(after_help = SOAK_EXAMPLES)]
    Soak(SoakArguments),
    /// Count the samples of a day, and raise the rate on a service until its latency passes a limit
    #[command(after_help = CAPACITY_EXAMPLES)]
    Capacity(CapacityArguments),
    /// Show what compressing time makes of each rule of rule files, and write them compressed
    #[command(after_help = SCALE_EXAMPLES)]
    Scale(ScaleArguments),
    /// Repeat drills on one stack, and show predicted windows beside what was observed over all trials
    #[command(after_help = TRIALS_EXAMPLES)]
    Trials(TrialsArguments),
    /// Compare two runs of the same drills at two speeds in drill time
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare {
        /// A run's folder or id, or `latest`.
        one: String,
        /// Another one.
        other: String,
        /// Write the comparison as JSON into this file; `-` is stdout, then the table is left out.
        #[arg(long, value_name = "FILE")]
        json: Option<OsString>,
    },
    /// Keep processors busy until standard input ends
    #[command(name = BUSY_LOOPS, hide = true)]
    BusyLoops {
        /// How many loops.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MOST_BUSY_LOOPS))]
        loops: u32,
        /// How long at the longest.
        #[arg(long, value_parser = parse_drill_duration)]
        most: Duration,
    },
    /// Bring a stack up in real time and leave it running, on the ports of the deployed configuration
    #[command(after_help = UP_EXAMPLES)]
    Up(UpArguments),
    /// Show which parts of the stack that is up answer
    #[command(after_help = STATUS_EXAMPLES)]
    Status,
    /// Take down the stack that is up
    #[command(after_help = DOWN_EXAMPLES)]
    Down,
    /// Check drills without running them; every problem at once
    Check {
        /// Drill files or folders of them.
        #[arg(default_value = "scenarios/catalog")]
        paths: Vec<PathBuf>,
    },
    /// List drills and what each proves
    List {
        /// Drill files or folders of them.
        #[arg(default_value = "scenarios/catalog")]
        paths: Vec<PathBuf>,
    },
    /// Show the report of a run again, or write it in another format
    #[command(after_help = REPORT_EXAMPLES)]
    Report {
        /// A run's folder or id, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
        #[command(flatten)]
        files: ReportFiles,
    },
    /// Judge a run again from its evidence alone, and say where the verdicts differ
    Judge {
        /// A run's folder or id, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
    },
    /// End and undo what runs left behind that were killed; runs that are alive are not touched
    Restore {
        /// A run's folder or id, or `latest`; all unfinished runs by default.
        run: Option<String>,
    },
    /// Print the JSON schema of a kind of document
    Schema {
        /// Which document.
        #[arg(value_enum, default_value_t = Document::Drill)]
        document: Document,
    },
    /// Print the script that completes what is typed in a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// Which shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Keep processors busy at the lowest priority, until standard input ends: the fault `host-cpu` starts this
    #[command(hide = true)]
    Burn {
        /// How many.
        #[arg(long)]
        processors: u32,
        /// For how long at most, in milliseconds.
        #[arg(long)]
        lease_ms: u64,
    },
}

/// Arguments of `firedrill run`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArguments {
    /// Drill files or folders of them.
    #[arg(default_value = "scenarios/catalog")]
    pub(crate) paths: Vec<PathBuf>,
    /// By how much time is compressed, 1 to 60; the drill says otherwise, else 60. `auto` is the largest faithful factor
    /// for the configuration: the one `firedrill scale --speed auto` picks, and no higher than the drill's own.
    #[arg(long, value_name = "FACTOR")]
    pub(crate) speed: Option<Speed>,
    /// A drill that is not run, because it needs another stack for one, is exit code 4 and an error in reports.
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// Arguments of every command that runs drills.
#[derive(Debug, Clone, Args)]
pub(crate) struct CommonArguments {
    /// Seed of all randomness; drawn and printed when absent.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Where the stack runs.
    #[arg(long, value_enum, default_value_t = StackKind::Process)]
    pub(crate) stack: StackKind,
    /// Monitoring configuration laid out as stack/config; the built-in one by default.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The run folder itself, absent or empty; .firedrill/runs/<id> by default.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Where the run's reports go.
    #[command(flatten)]
    pub(crate) files: ReportFiles,
    /// Keep only the newest N run folders.
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
}

/// Arguments of `firedrill soak`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SoakArguments {
    /// The drill whose load is soaked; it must have no fault.
    #[arg(default_value = "scenarios/catalog/services/steady-load-raises-no-alert.yaml")]
    pub(crate) drill: PathBuf,
    /// How long the soak lasts, in real time, pauses between windows included.
    #[arg(long, value_parser = parse_drill_duration, default_value = "8h", value_name = "TIME")]
    pub(crate) r#for: Duration,
    /// How long the load of one window runs; then it rests until the counters stand still, and truth is judged.
    #[arg(long, value_parser = parse_drill_duration, default_value = "10m", value_name = "TIME")]
    pub(crate) window: Duration,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// Arguments of `firedrill capacity`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CapacityArguments {
    /// The drill whose rate is raised: one load of arrivals at one service, no fault.
    #[arg(default_value = "scenarios/catalog/capacity/user-service-reads-are-counted.yaml")]
    pub(crate) drill: PathBuf,
    /// The 99th percentile, from the intended start, that a rate may have.
    #[arg(long, value_parser = parse_drill_duration, default_value = "250ms", value_name = "TIME")]
    pub(crate) p99: Duration,
    /// How long each rate is held.
    #[arg(long, value_parser = parse_drill_duration, default_value = "10s", value_name = "TIME")]
    pub(crate) hold: Duration,
    /// Samples a day that the stack is meant to take.
    #[arg(long, default_value_t = 1e6, value_name = "N", value_parser = positive)]
    pub(crate) samples_per_day: f64,
    /// Services that the stack is meant to have.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) services: u32,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// Arguments of `firedrill scale`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ScaleArguments {
    /// Rule files, or folders with rule files anywhere below them (*.yml, *.yaml, *.rules). Recording rules of one file are
    /// followed into the others.
    #[arg(required = true, value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// By how much time is compressed, 1 to 60, or `auto`.
    #[arg(long, value_name = "FACTOR", default_value = "60")]
    pub(crate) speed: Speed,
    /// Interval between scrapes, before compression.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = interval)]
    pub(crate) scrape_interval: Duration,
    /// Interval between evaluations of groups that set none, before compression.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = interval)]
    pub(crate) evaluation_interval: Duration,
    /// A firedrill.yaml whose `drivers` say what moves a metric.
    #[arg(long, value_name = "FILE")]
    pub(crate) drivers: Option<PathBuf>,
    /// Write the scaled files below this folder, absent or empty, under the paths they were given by.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write what became of each rule as JSON into this file; `-` is stdout, then the table is left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<OsString>,
}

fn interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(interval) if !interval.is_zero() => Ok(interval),
        Ok(_) => Err("an interval is above 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// More busy loops than this say nothing more.
const MOST_BUSY_LOOPS: i64 = 64;

/// Arguments of `firedrill trials`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrialsArguments {
    /// Drill files or folders of them.
    #[arg(required = true, value_name = "DRILL")]
    pub(crate) drills: Vec<PathBuf>,
    /// How often each drill is repeated.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_TRIALS)))]
    pub(crate) count: u32,
    /// Run the second half of the trials beside so many busy loops; drills that inject `host-cpu` run alone.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_BUSY_LOOPS))]
    pub(crate) busy: Option<u32>,
    /// By how much time is compressed, 1 to 60, or `auto`; the drill says otherwise, else 60.
    #[arg(long, value_name = "FACTOR")]
    pub(crate) speed: Option<Speed>,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// Arguments of `firedrill up`.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpArguments {
    /// Monitoring configuration laid out as stack/config; the built-in one by default.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The run folder itself, absent or empty; .firedrill/up/<id> by default.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Which ports the parts get, all on 127.0.0.1.
    #[arg(long, value_enum, default_value_t = Ports::Deployed)]
    pub(crate) ports: Ports,
    /// Stay with the stack until Ctrl-C, and take it down then.
    #[arg(long)]
    pub(crate) foreground: bool,
    /// This process is the owner that another `up` has started in the background.
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

/// Which ports the parts of a stack get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ports {
    /// Those of the deployed configuration: gateway 3000, Prometheus 9090 and so on.
    Deployed,
    /// Free ones.
    Free,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        Ok(_) | Err(_) => Err("not a number above 0".to_owned()),
    }
}

/// Where reports go beside the one on stdout: one document each for the whole run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReportFiles {
    /// Write the record as JSON into this file; `-` is stdout, then the report is left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<OsString>,
    /// Write JUnit XML, for test pages of CI servers; `-` is stdout, then the report is left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<OsString>,
    /// Write GitHub-flavoured Markdown, for job summaries; `-` is stdout, then the report is left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<OsString>,
}

/// Where a stack runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StackKind {
    /// Processes of this host.
    Process,
}

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// A drill file.
    Drill,
    /// A journey file.
    Journey,
    /// The record of a run.
    Run,
}

/// How to talk to whoever typed.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    /// For progress, on stderr.
    pub(crate) progress: TerminalOptions,
    /// For results, on stdout.
    pub(crate) results: RenderOptions,
}

impl Talk {
    fn of(cli: &Cli) -> Self {
        let no_color = std::env::var("NO_COLOR").ok();
        let term = std::env::var("TERM").ok();
        let (no_color, term) = (no_color.as_deref(), term.as_deref());
        let stderr = std::io::stderr().is_terminal();
        let stdout = std::io::stdout().is_terminal();
        Self {
            progress: terminal_options(stderr, no_color, term, cli.color, cli.quiet),
            results: render_options(stdout, no_color, term, cli.color),
        }
    }
}

/// Reads the command line, does what it says, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let talk = Talk::of(&cli);
    let done = match cli.command {
        Command::Run(arguments) => commands::run(&arguments, &talk),
        Command::Soak(arguments) => commands::soak(&arguments, &talk),
        Command::Capacity(arguments) => commands::capacity(&arguments, &talk),
        Command::Scale(arguments) => commands::scale(&arguments, &talk),
        Command::Trials(arguments) => commands::trials(&arguments, &talk),
        Command::Compare { one, other, json } => commands::compare_runs(&one, &other, json.as_deref(), &talk),
        Command::BusyLoops { loops, most } => {
            spin(loops, most);
            Ok(0)
        }
        Command::Up(arguments) => commands::up(&arguments, &talk),
        Command::Status => commands::status(&talk),
        Command::Down => commands::down(),
        Command::Check { paths } => commands::check(&paths, &talk),
        Command::List { paths } => commands::list(&paths, &talk),
        Command::Report { run, files } => commands::report(&run, &files, &talk),
        Command::Judge { run } => commands::judge(&run, &talk),
        Command::Restore { run } => commands::restore(run.as_deref()),
        Command::Schema { document } => commands::schema(document),
        Command::Burn { processors, lease_ms } => commands::burn(processors, Duration::from_millis(lease_ms)),
        Command::Completions { shell } => commands::completions(shell, &mut Cli::command()),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.tell(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

# What people type. `just` alone lists it; `./setup.sh RECIPE` prepares the machine first.

debug := env("CARGO_TARGET_DIR", "target") / "debug"
release := env("CARGO_TARGET_DIR", "target") / "release"

# List the recipes
default:
    @just --list --unsorted

# Rehearse one alert end to end on real binaries
drill: build-dev rehearse

# Everything that must be green: format, lints, tests, the drill, and the drills that prove the judge
test: fmt-check build-tests lint test-workspace rehearse sabotages

# Build for use: target/release/firedrill and the services beside it
build:
    cargo build --locked --release -p firedrill -p firedrill-services

# Build what the drill runs, in the profile of the tests
build-dev:
    cargo build --locked -p firedrill -p firedrill-services

# Build every target of every crate, so that tests and their drills run the same programs
build-tests:
    cargo build --locked --workspace --all-targets

# Run the tests of every crate
test-workspace:
    cargo test --locked --workspace

# Run the drills that must fail, each with its reason: does the judge see it?
sabotages:
    {{ debug }}/firedrill run scenarios/catalog/judge

# Run the drills that must hold: services, their store, notifications, chat, the host, compressed time
catalog: build-dev hold

# Soak the stack at real speed: truth window by window, and what grew meanwhile
soak time="8h" window="10m": build
    {{ release }}/firedrill soak --for {{ time }} --window {{ window }}

# Count the samples of a day, and raise the rate on the user service until its latency passes 250 ms
capacity: build
    {{ release }}/firedrill capacity

# Repeat alerts of five kinds, half of them beside busy loops: predicted windows beside what is observed, false verdicts
trials count="5" *options: build
    {{ release }}/firedrill trials scenarios/trials scenarios/catalog/host --count {{ count }} --busy 4 {{ options }}

# Format the code
fmt:
    cargo fmt --all

# Lint the code; a warning is an error
lint:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Check the dependency tree: bans, licences, sources. Not advisories, whose database is another repository
deny:
    cargo deny --locked check --hide-inclusion-graph bans licenses sources

# Clean up after runs that were killed
restore: build-dev
    {{ debug }}/firedrill restore

[private]
fmt-check:
    cargo fmt --all -- --check

[private]
rehearse:
    {{ debug }}/firedrill run scenarios/catalog/services/user-service-errors-page-the-team.yaml

[private]
hold:
    {{ debug }}/firedrill run --strict scenarios/catalog/services scenarios/catalog/dependencies \
        scenarios/catalog/notifications scenarios/catalog/chat scenarios/catalog/capacity scenarios/catalog/time \
        scenarios/catalog/host

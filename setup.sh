#!/usr/bin/env bash
# Prepares a fresh machine and then runs a just recipe: what is missing is installed, what is there is left alone.
# Works with the bash 3.2 of macOS; knows no address of its own, only apt, pip, cargo and brew as they are set up here.
set -euo pipefail

script=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
root=$(dirname "$script")
tools=$root/.tools

# Only `just deny` needs it. Built with cargo when it is missing: no package carries it.
readonly CARGO_DENY=0.20.2 OLDEST_CARGO_DENY=0.19

# what the drills run | its names, Debian's first | Debian package | brew formula | oldest version that will do
readonly PROGRAMS='
prometheus|prometheus|prometheus|prometheus|2.42
promtool|promtool|prometheus|prometheus|
alertmanager|prometheus-alertmanager alertmanager|prometheus-alertmanager|alertmanager|0.25
amtool|amtool|prometheus-alertmanager|alertmanager|
node exporter|prometheus-node-exporter node_exporter|prometheus-node-exporter|node_exporter|
redis exporter|prometheus-redis-exporter redis_exporter|prometheus-redis-exporter|redis_exporter|
redis-server|redis-server|redis-server|redis|
'

usage() {
  cat <<TEXT
usage: ./setup.sh RECIPE...

Installs the tools that are missing, builds, and runs 'just RECIPE...'.

  ./setup.sh drill     rehearse one alert end to end on real binaries
  ./setup.sh test      format, lints, tests, the drill and the drills that prove the judge
  ./setup.sh deny      licences, sources and bans of the dependency tree; builds cargo-deny once, which takes minutes
  ./setup.sh --list    every recipe

Tools are looked for in .tools/bin and on PATH: Prometheus, Alertmanager, node exporter, redis exporter, Redis, a C
compiler and just. On Debian and Ubuntu the missing ones come from apt (as root, or through sudo without a password;
otherwise the line to type is printed), on macOS from brew. Rust comes from rustup, by your own hand. cargo-deny goes
where cargo installs programs, so that the next checkout finds it there.

  ./setup.sh --packages PACKAGE...   only this part, as root: apt installs the packages, none of their services starts

exit code: the recipe's; 2 no such recipe; 3 something is missing or too old
TEXT
}

main() {
  case ${1:-} in
    '' | -h | --help | help) usage; return ;;
    --packages) shift; install_packages "$@"; return ;;
  esac
  cd "$root"
  require_recipe "$1"
  say "[1/3] tools, [2/3] build (first time about 5 minutes), [3/3] $*"
  PATH=$tools/bin:$PATH
  require_rust
  require_tools
  if [ "$1" = deny ]; then require_cargo_deny; fi
  build_for "$1"
  say "[3/3] $*"
  exec just "$@"
}

require_recipe() {
  case $1 in -*) return ;; esac
  grep -qE "^$1( [^:]*)?:([^=]|$)" justfile && return
  say "there is no recipe '$1'; ./setup.sh --help names the usual ones, the justfile has all"
  exit 2
}

# --- tools ------------------------------------------------------------------------------------------------------------

require_rust() {
  local cargo_bin=${CARGO_HOME:-${HOME:-}/.cargo}/bin needed version
  command -v cargo >/dev/null || PATH=$PATH:$cargo_bin
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    fail "Rust is missing: get $needed or newer with rustup (rustup.rs, or your system's package rustup), then try again"
  fi
  version=$(version_of rustc)
  at_least "$version" "$needed" ||
    fail "Rust ${version:-of unknown version} ($(command -v rustc)) is too old, $needed is needed: rustup update"
}

require_tools() {
  find_missing
  if [ -z "$missing" ]; then say "[1/3] tools: all there"; return; fi
  say "[1/3] tools: missing:$missing"
  if [ -n "$packages" ]; then install_missing; fi
  command -v just >/dev/null || install_just
  find_missing
  [ -z "$missing" ] || fail "still missing:$missing; put them on PATH or into .tools/bin"
}

# cargo itself looks on PATH and where it installs.
require_cargo_deny() {
  local said version=''
  if said=$(cargo deny --version 2>/dev/null) && [[ $said =~ ([0-9]+(\.[0-9]+)+) ]]; then version=${BASH_REMATCH[1]}; fi
  if [ -z "$version" ]; then
    install_cargo_deny
  elif ! at_least "$version" "$OLDEST_CARGO_DENY"; then
    fail "cargo-deny $version is too old, $OLDEST_CARGO_DENY is needed: cargo install --locked cargo-deny@$CARGO_DENY"
  fi
}

# Sets `missing` (for people), `packages` (Debian's names) and `formulas` (brew's). A program that is too old ends the
# script: replacing what somebody installed is not ours to decide.
find_missing() {
  local what names package formula oldest
  missing='' packages='' formulas=''
  while IFS='|' read -r what names package formula oldest; do
    [ -z "$what" ] || found "$what" "$names" "$oldest" || lacks "$what" "$package" "$formula"
  done <<<"$PROGRAMS"
  has_compiler || lacks 'C compiler' 'gcc libc6-dev' ''
  has_certificates || lacks 'certificates' 'ca-certificates' ''
  if ! command -v just >/dev/null; then
    missing="$missing just,"
    formulas="$formulas just"
    # Alone it is not worth asking for root: pip and cargo have it too.
    if [ -n "$packages" ] || { command -v apt-get >/dev/null && may_be_root && ! has_pip; }; then
      packages="$packages just"
    fi
  fi
  missing=${missing%,}
}

lacks() {
  local name
  missing="$missing $1,"
  for name in $2; do [[ " $packages " == *" $name "* ]] || packages="$packages $name"; done
  for name in $3; do [[ " $formulas " == *" $name "* ]] || formulas="$formulas $name"; done
}

found() {
  local what=$1 names=$2 oldest=$3 name path version old=''
  for name in $names; do
    while read -r path; do
      [ -n "$path" ] || continue
      [ -n "$oldest" ] || return 0
      version=$(version_of "$path")
      at_least "$version" "$oldest" && return 0
      old="$what ${version:-of unknown version} ($path) is too old, $oldest or newer is needed"
    done <<<"$(type -ap "$name" || true)"
  done
  [ -z "$old" ] || fail "$old: put one into .tools/bin, which is searched first"
  return 1
}

version_of() {
  local said
  said=$("$1" --version 2>&1 </dev/null) || return 0
  [[ $said =~ ([0-9]+(\.[0-9]+)+) ]] || return 0
  echo "${BASH_REMATCH[1]}"
}

# at_least 2.42.0 2.42: compares number by number, so that 2.9 is older than 2.42.
at_least() {
  local IFS=. have want i
  read -ra have <<<"$1"
  read -ra want <<<"$2"
  [ ${#have[@]} -gt 0 ] || return 1
  for ((i = 0; i < ${#want[@]}; i++)); do
    ((10#${have[i]:-0} > 10#${want[i]})) && return 0
    ((10#${have[i]:-0} < 10#${want[i]})) && return 1
  done
  return 0
}

has_compiler() { echo '#include <stdio.h>' | cc -E - >/dev/null 2>&1; }
may_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
has_pip() { python3 -m pip --version >/dev/null 2>&1; }
has_certificates() {
  local file
  for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
    /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
    [ -z "$file" ] || [ ! -s "$file" ] || return 0
  done
  return 1
}

# --- installing -------------------------------------------------------------------------------------------------------

install_missing() {
  local list
  read -ra list <<<"$packages"
  if [ "$(uname)" = Darwin ]; then
    install_with_brew
  elif ! command -v apt-get >/dev/null; then
    fail "there is no apt-get here to install them: put them on PATH or into .tools/bin, then try again"
  elif [ "$(id -u)" = 0 ]; then
    "$script" --packages "${list[@]}" || exit $?
  elif may_be_root; then
    sudo -n "$script" --packages "${list[@]}" || exit $?
  else
    say "installing them takes root. The line to type (it runs apt-get and starts no service), then try again:"
    say "  sudo $(printf '%q' "$script") --packages ${list[*]}"
    exit 3
  fi
}

# Runs as root, and alone: installs what is named and nothing else, and keeps the services in the packages off, now and
# at the next boot; the drills start their own. Units that run already are not touched.
install_packages() {
  [ "$(id -u)" = 0 ] || fail "--packages needs root"
  [ $# -gt 0 ] || fail "--packages needs the names of packages"
  local package chosen=() new=()
  exec 9</usr/sbin && flock 9 # two of us at once would take each other's policy away
  apt-get update -q </dev/null || fail "apt-get update failed"
  for package in "$@"; do
    # Debian before 13 has no just; pip has.
    if [ "$package" = just ] && [ -z "$(apt-cache show --no-all-versions just 2>/dev/null)" ]; then
      if has_pip; then continue; fi
      package=python3-pip
    fi
    chosen+=("$package")
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || new+=("$package")
  done
  [ ${#new[@]} -gt 0 ] || return 0
  keep_services_off
  export DEBIAN_FRONTEND=noninteractive
  dpkg --configure --pending </dev/null || fail "dpkg could not finish what was begun before"
  apt-get install -q -y --no-install-recommends --no-upgrade \
    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "${chosen[@]}" </dev/null ||
    fail "apt-get could not install ${chosen[*]}"
  [ -z "$policy_is_ours" ] || disable_units_of "${new[@]}"
}

readonly POLICY=/usr/sbin/policy-rc.d
policy_is_ours=''

# The traps wait until apt has ended: Ctrl-C ends apt, and only then is the file removed.
keep_services_off() {
  local mark='# Temporary, while setup.sh of firedrill runs apt.'
  # What a run that was killed left behind; the lock says that no other is at work.
  if grep -qsxF "$mark" "$POLICY"; then rm -f "$POLICY"; fi
  if [ -e "$POLICY" ] || [ -L "$POLICY" ]; then return; fi
  policy_is_ours=yes
  trap 'rm -f "$POLICY"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$POLICY"
  chmod 755 "$POLICY"
}

disable_units_of() {
  command -v systemctl >/dev/null || return 0
  local units=() unit
  while read -r unit; do units+=("${unit##*/}"); done < <(dpkg -L "$@" | grep -E '/systemd/system/[^/@]+\.(service|timer)$')
  [ ${#units[@]} -eq 0 ] || systemctl --quiet disable "${units[@]}" || say "could not disable: ${units[*]}"
}

# apt had none, or nobody was root: the wheel carries the program, and cargo can always build it.
install_just() {
  mkdir -p "$tools/bin"
  if has_pip && PIP_USER=0 PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check \
    --no-deps --upgrade --only-binary :all: --target "$tools/rust-just" rust-just; then
    ln -sf ../rust-just/bin/just "$tools/bin/just"
  else
    say "building just with cargo (about two minutes)"
    cargo install --locked --root "$tools" just || fail "just could not be installed: not by apt, pip or cargo"
  fi
  hash -r
}

# Into cargo's own folder, not into .tools: a fresh clone on this machine must not build it again. Its release profile
# optimises across all crates, for which a check of one second is no reason to wait.
install_cargo_deny() {
  say "building cargo-deny $CARGO_DENY with cargo (two to five minutes, once on this machine)"
  env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    cargo install --locked --quiet --root "${CARGO_HOME:-$HOME/.cargo}" "cargo-deny@$CARGO_DENY" ||
    fail "cargo-deny could not be built"
}

install_with_brew() {
  local formula
  say "macOS is best effort: faults of the host itself (CPU, memory, network) need Linux and will not work here"
  command -v brew >/dev/null || fail "brew is missing, which would install them"
  for formula in $formulas; do
    brew install "$formula" || say "brew could not install $formula"
  done
}

# --- building ---------------------------------------------------------------------------------------------------------

# A recipe that needs a build names it among its dependencies, as build or build-...
build_for() {
  local build=''
  case $1 in -*) ;; *) build=$(just --show "$1" | sed -nE "s/^$1[^:]*:.* (build[a-z-]*).*/\1/p") ;; esac
  if [ -z "$build" ]; then say "[2/3] build: nothing before the recipe"; return; fi
  say "[2/3] build: just $build"
  just "$build"
}

say() { printf '%s\n' "$*" >&2; }
fail() { say "$@"; exit 3; }

main "$@"

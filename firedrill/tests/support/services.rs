//! The services' program: beside firedrill's own, built once when it is not there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// The program that `FIREDRILL_SERVICES` names, else the one beside firedrill.
pub(crate) fn program() -> &'static Path {
    PROGRAM.get_or_init(|| {
        if let Some(named) = std::env::var_os("FIREDRILL_SERVICES") {
            return PathBuf::from(named);
        }
        let beside = Path::new(env!("CARGO_BIN_EXE_firedrill")).with_file_name("firedrill-services");
        if !beside.is_file() {
            build_into(beside.parent().unwrap());
        }
        beside
    })
}

/// `cargo test -p firedrill` alone builds no other crate's program.
fn build_into(profile_folder: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "-p", "firedrill-services", "--target-dir"]);
    cargo.arg(profile_folder.parent().unwrap());
    if profile_folder.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().unwrap();
    assert!(status.success(), "failed to build the services: {status}");
}

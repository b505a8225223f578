//! Rebuilds the crate when a file of the embedded scenarios is added, changed or removed.

fn main() {
    println!("cargo::rerun-if-changed=../scenarios");
}

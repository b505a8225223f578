//! The process backend: every part of the stack is a process of this host, listening on 127.0.0.1 only.
//!
//! `backend` tries, `start` is one try. Parts are found by `tools`, get free ports from `ports`, are described in
//! `parts`, started and stopped as a `Part` each, and waited for in `readiness`. `asking` looks at the parts of another
//! process's stack.

mod asking;
mod backend;
mod burner;
mod configuration;
mod killing;
mod part;
mod parts;
mod ports;
mod readiness;
mod stack;
mod start;
mod teardown;
mod tools;

pub use asking::ask_parts;
pub use backend::ProcessBackend;
pub use burner::BurnerProgram;
pub use ports::{PortChoice, PortError};
pub use tools::ToolError;

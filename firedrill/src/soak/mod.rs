//! The workflow of `firedrill soak`: one drill without faults, again and again on one stack at real speed. Each window
//! is judged as a drill of its own; what grew is judged over all of them.
//!
//! Between two windows the load rests until every counter stands still, so that truth is judged exactly and not within
//! an interval.

mod windows;

pub(crate) use windows::Windows;

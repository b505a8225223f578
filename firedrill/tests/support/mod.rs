//! What the tests of the program stand on: a place of their own for each, and the services' program.
//!
//! It knows no command and no verdict.

mod place;
mod services;

pub(crate) use place::Place;

//! `firedrill soak`: steady load for hours, truth window by window, and what grew meanwhile.

use firedrill_drill::Drill;
use firedrill_verifier::growth;

use super::conducted::{self, Follow};
use super::selection;
use crate::cli::{SoakArguments, Talk};
use crate::failure::{Failure, INVALID};
use crate::soak::Windows;
use crate::speed::Speed;

/// A soak is what it is in real time.
const SPEED: u32 = 1;

pub(crate) fn soak(arguments: &SoakArguments, talk: &Talk) -> Result<u8, Failure> {
    let selection = selection::load(std::slice::from_ref(&arguments.drill), talk)?;
    let drill = selection::only(selection.drills, &arguments.drill)?;
    let (length, whole) = (arguments.window, arguments.r#for);
    let mut windows = Windows::new(Drill { speed: None, ..drill }, length, whole)
        .map_err(|error| Failure::told(INVALID, &error, None))?;
    let first: Vec<Drill> = windows.next().into_iter().collect();
    let follow = Follow::Drills(
        Box::new(move |_| windows.next()),
        Box::new(|record| record.growth = growth(&record.drills)),
    );
    conducted::to_the_end(&arguments.common, Some(Speed::Factor(SPEED)), true, first, talk, follow)
}

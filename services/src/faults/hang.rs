//! `hang {}`: requests are taken and not answered while it is in force; then they are.

use serde::{Deserialize, Serialize};

use super::release::{Release, Released};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HangOrder {}

pub(super) struct Hang(Release);

impl Hang {
    pub(super) fn new() -> Self {
        Self(Release::new())
    }

    pub(super) fn until(&self) -> Released {
        self.0.awaited()
    }
}

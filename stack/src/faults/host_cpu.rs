//! Processors of the host are kept busy by a process of the harness.
//!
//! How that process is started and ended is the backend's.

use std::time::Duration;

use async_trait::async_trait;

use super::driver::{FaultDriver, Mended};
use crate::failure::FaultError;

/// What can keep processors of the host busy.
#[async_trait]
pub(crate) trait Burning: Send + Sync {
    /// Whether the host has so many processors, and they may be kept busy for so long.
    fn check(&self, processors: Option<u32>, lasts: Duration) -> Result<(), FaultError>;

    /// Keeps so many processors busy, all without a number, until it is put out; somewhat after `lasts` they are free
    /// again by themselves. Returns what the kernel said of it.
    async fn burn(&self, processors: Option<u32>, lasts: Duration) -> Result<String, FaultError>;

    /// Ends that; what does not burn is well. Returns what the kernel said of it, if it burnt.
    async fn put_out(&self) -> Result<Option<String>, FaultError>;
}

pub(super) struct HostCpu<'a> {
    processors: Option<u32>,
    /// In the words of undo ledgers.
    held_by: &'a str,
    burning: &'a dyn Burning,
}

impl<'a> HostCpu<'a> {
    pub(super) fn new(processors: Option<u32>, held_by: &'a str, burning: &'a dyn Burning) -> Self {
        Self { processors, held_by, burning }
    }
}

#[async_trait]
impl FaultDriver for HostCpu<'_> {
    fn held_by(&self) -> &str {
        self.held_by
    }

    fn check(&self, lasts: Duration) -> Result<(), FaultError> {
        self.burning.check(self.processors, lasts)
    }

    async fn inject(&self, lasts: Duration) -> Result<Option<String>, FaultError> {
        self.burning.burn(self.processors, lasts).await.map(Some)
    }

    async fn undo(&self) -> Result<Mended, FaultError> {
        let witnessed = self.burning.put_out().await?;
        Ok(Mended { how: "the end of the burner".to_owned(), witnessed, ended: None })
    }
}

//! `memory {bytes}`: the process holds that much more memory, really written to.

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use http::StatusCode;

const MOST_BYTES: usize = 1024 * 1024 * 1024;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemoryOrder {
    bytes: usize,
}

/// The memory; freed when it is dropped.
pub(super) struct Ballast {
    _bytes: Vec<u8>,
}

impl MemoryOrder {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if (1..=MOST_BYTES).contains(&self.bytes) {
            Ok(())
        } else {
            Err(ApiError::invalid(format!("memory.bytes must be 1 to {MOST_BYTES}")))
        }
    }

    /// Returns once all is resident.
    pub(super) async fn begin(&self) -> Result<Ballast, ApiError> {
        let size = self.bytes;
        // Writing to a gigabyte takes a good part of a second.
        let taken = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(size).ok()?;
            // Not zeros: pages of zeros need not be resident.
            bytes.resize(size, 1);
            Some(Ballast { _bytes: bytes })
        });
        let taken = taken.await.ok().flatten();
        taken.ok_or_else(|| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "there is not so much memory"))
    }
}

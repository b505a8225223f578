//! Free ports that nobody else will take between their being found and their being used.
//!
//! They lie outside the range from which the kernel gives ports to clients, so no outgoing connection takes one. Two
//! runs of this user never try the same: ports come in blocks, and a block is locked as long as its stack lives. What
//! another program binds in between is met by another try of the whole start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use rand::rngs::OsRng;
use thiserror::Error;

const BLOCK: u16 = 32;
const FIRST: u16 = 10_000;
/// What Linux has when nobody changed it, and other systems lie above.
const USUAL_EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// No free ports could be had.
#[derive(Debug, Error)]
pub enum PortError {
    /// Every block of ports is taken.
    #[error(
        "find {wanted} free ports on 127.0.0.1: none of {blocks} blocks of {BLOCK} outside the kernel's own range has them"
    )]
    NoneFree {
        /// How many ports were wanted.
        wanted: usize,
        /// How many blocks were tried.
        blocks: usize,
    },
    /// The locks of blocks cannot be kept.
    #[error("lock ports in {}", path.display())]
    Lock {
        /// The folder or file of the lock.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Ports of one stack, kept from other runs until dropped.
#[derive(Debug)]
pub(super) struct PortLease {
    pub(super) ports: Vec<SocketAddr>,
    _lock: BlockLock,
}

impl PortLease {
    /// Takes `wanted` free ports (at most 32) of 127.0.0.1.
    pub(super) fn take(locks: &Path, wanted: usize) -> Result<Self, PortError> {
        let blocks = blocks(&ephemeral_range());
        Self::take_from(locks, wanted, &blocks)
    }

    fn take_from(locks: &Path, wanted: usize, blocks: &[u16]) -> Result<Self, PortError> {
        let lock_error = |path: &Path| {
            let path = path.to_owned();
            move |source| PortError::Lock { path, source }
        };
        fs::create_dir_all(locks).map_err(lock_error(locks))?;
        let start = OsRng.try_next_u32().unwrap_or_default() as usize;
        for step in 0..blocks.len() {
            let first = blocks[start.wrapping_add(step) % blocks.len()];
            let path = locks.join(first.to_string());
            let Some(lock) = BlockLock::take(path.clone()).map_err(lock_error(&path))? else { continue };
            let ports: Vec<SocketAddr> = (first..first + BLOCK)
                .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
                .filter(|address| TcpListener::bind(address).is_ok())
                .take(wanted)
                .collect();
            if ports.len() == wanted {
                return Ok(Self { ports, _lock: lock });
            }
        }
        Err(PortError::NoneFree { wanted, blocks: blocks.len() })
    }
}

/// A locked file that is gone when the lock is.
#[derive(Debug)]
struct BlockLock {
    path: PathBuf,
    _file: File,
}

impl BlockLock {
    fn take(path: PathBuf) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            locked => locked?,
        }
        // Between opening and locking, the holder before may have removed the file: then this lock locks nothing.
        let same = fs::metadata(&path)
            .is_ok_and(|there| file.metadata().is_ok_and(|here| here.ino() == there.ino()));
        Ok(same.then_some(Self { path, _file: file }))
    }
}

impl Drop for BlockLock {
    fn drop(&mut self) {
        // Removed while still locked; one that stays is taken over by the next.
        let _ = fs::remove_file(&self.path);
    }
}

fn ephemeral_range() -> RangeInclusive<u16> {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| {
            let mut numbers = text.split_whitespace().map(str::parse);
            Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
        })
        .unwrap_or(USUAL_EPHEMERAL)
}

/// The first ports of all blocks from 10,000 up that lie wholly outside `ephemeral`; of all blocks when none does.
fn blocks(ephemeral: &RangeInclusive<u16>) -> Vec<u16> {
    let all = (FIRST..=u16::MAX - BLOCK).step_by(usize::from(BLOCK));
    let outside: Vec<u16> =
        all.clone().filter(|first| first + BLOCK <= *ephemeral.start() || first > ephemeral.end()).collect();
    if outside.is_empty() { all.collect() } else { outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_lie_outside_the_kernels_own_range_where_there_is_room() {
        let usual = blocks(&USUAL_EPHEMERAL);
        assert!(usual.iter().all(|first| first + BLOCK <= 32_768 || *first > 60_999));
        assert!(usual.len() > 700);
        assert!(!blocks(&(1024..=65_535)).is_empty());
    }

    #[test]
    fn two_leases_at_the_same_time_share_no_port_and_leave_no_file() {
        let locks = tempfile::tempdir().unwrap();
        let first = PortLease::take(locks.path(), 10).unwrap();
        let second = PortLease::take(locks.path(), 10).unwrap();
        assert!(first.ports.iter().all(|port| !second.ports.contains(port)));
        drop((first, second));
        assert_eq!(fs::read_dir(locks.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_block_in_use_is_passed_over_and_a_taken_port_too() {
        let locks = tempfile::tempdir().unwrap();
        let first = PortLease::take(locks.path(), 1).unwrap();
        let taken = first.ports[0];
        let block = FIRST + (taken.port() - FIRST) / BLOCK * BLOCK;
        let error = PortLease::take_from(locks.path(), 1, &[block]).unwrap_err();
        assert!(matches!(error, PortError::NoneFree { wanted: 1, blocks: 1 }), "{error}");

        let _listener = TcpListener::bind(taken).unwrap();
        drop(first);
        let second = PortLease::take_from(locks.path(), 1, &[block]).unwrap();
        assert_ne!(second.ports[0], taken);
    }
}

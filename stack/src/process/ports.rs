//! Free ports that nobody else will take between their being found and their being used; or given ones.
//!
//! Free ones lie outside the range from which the kernel gives ports to clients, so no outgoing connection takes one.
//! Two runs of this user never try the same: ports come in blocks, and a block is locked as long as its stack lives. What
//! another program binds in between is met by another try of the whole start.

use std::collections::BTreeMap;
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

/// Which ports the parts of a stack get.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PortChoice {
    /// Free ones; when one is taken meanwhile, others.
    #[default]
    Free,
    /// These, by part, and for parts not named here the ones they have in a deployed configuration; none else.
    Given(BTreeMap<String, u16>),
}

impl PortChoice {
    /// The ports of a deployed configuration: gateway 3000, Prometheus 9090 and so on.
    pub fn deployed() -> Self {
        Self::Given(BTreeMap::new())
    }
}

/// The ports could not be had.
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
    /// A port that was asked for cannot be had.
    #[error("listen on {address} for {part}")]
    Taken {
        /// The part.
        part: String,
        /// Its address.
        address: String,
        /// What the system said: `Address already in use`.
        #[source]
        source: io::Error,
    },
    /// A port was asked for a part that no stack has.
    #[error("give port {port} to {part}: a stack has no such part, only {}", known.join(", "))]
    NoSuchPart {
        /// The part.
        part: String,
        /// The port.
        port: u16,
        /// The parts that there are.
        known: Vec<&'static str>,
    },
    /// The locks of ports cannot be kept.
    #[error("lock ports in {}", path.display())]
    Lock {
        /// The folder or file of the lock.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl PortError {
    /// What would mend it, where that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Taken { address, .. } => {
                Some(format!("end what listens on {address}: `ss -ltnp` names it"))
            }
            Self::NoneFree { .. } | Self::NoSuchPart { .. } | Self::Lock { .. } => None,
        }
    }
}

/// Ports of one stack, kept from other runs until dropped.
#[derive(Debug)]
pub(super) struct PortLease {
    pub(super) ports: Vec<SocketAddr>,
    _locks: Vec<PortLock>,
}

impl PortLease {
    /// Takes the ports of `given`, or those of `deployed`, in the order of `deployed`; all of them or none.
    pub(super) fn take_given(
        locks: &Path,
        given: &BTreeMap<String, u16>,
        deployed: &[(&'static str, u16)],
    ) -> Result<Self, PortError> {
        let known = || deployed.iter().map(|(name, _)| *name);
        if let Some((part, port)) = given.iter().find(|(part, _)| !known().any(|name| name == part.as_str()))
        {
            return Err(PortError::NoSuchPart { part: part.clone(), port: *port, known: known().collect() });
        }
        fs::create_dir_all(locks).map_err(|source| PortError::Lock { path: locks.to_owned(), source })?;
        let (mut ports, mut taken_locks) = (Vec::new(), Vec::new());
        // Kept open to the end, so that one port is not given to two parts.
        let mut listeners = Vec::new();
        for (part, port) in deployed {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, given.get(*part).copied().unwrap_or(*port)));
            let taken =
                |source| PortError::Taken { part: (*part).to_owned(), address: address.to_string(), source };
            // Another run that was given this port may not listen on it yet.
            let path = locks.join(format!("given-{}", address.port()));
            let lock = PortLock::take(path.clone()).map_err(|source| PortError::Lock { path, source })?;
            taken_locks.push(lock.ok_or_else(|| taken(io::ErrorKind::AddrInUse.into()))?);
            listeners.push(TcpListener::bind(address).map_err(taken)?);
            ports.push(address);
        }
        Ok(Self { ports, _locks: taken_locks })
    }

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
            let Some(lock) = PortLock::take(path.clone()).map_err(lock_error(&path))? else { continue };
            let ports: Vec<SocketAddr> = (first..first + BLOCK)
                .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
                .filter(|address| TcpListener::bind(address).is_ok())
                .take(wanted)
                .collect();
            if ports.len() == wanted {
                return Ok(Self { ports, _locks: vec![lock] });
            }
        }
        Err(PortError::NoneFree { wanted, blocks: blocks.len() })
    }
}

/// A locked file that is gone when the lock is.
#[derive(Debug)]
struct PortLock {
    path: PathBuf,
    _file: File,
}

impl PortLock {
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

impl Drop for PortLock {
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
    fn given_ports_are_had_as_they_are_and_one_that_is_taken_is_named_with_its_part() {
        let locks = tempfile::tempdir().unwrap();
        let free = PortLease::take(locks.path(), 3).unwrap();
        let ports: Vec<u16> = free.ports.iter().map(SocketAddr::port).collect();
        let deployed = [("gateway", ports[0]), ("redis", ports[1])];
        let take = |given: &[(&str, u16)]| {
            let given = given.iter().map(|(part, port)| ((*part).to_owned(), *port)).collect();
            PortLease::take_given(locks.path(), &given, &deployed)
        };
        let named = |result: Result<PortLease, PortError>| result.unwrap_err().to_string();
        let lease = take(&[("redis", ports[2])]).unwrap();
        assert_eq!(lease.ports, [free.ports[0], free.ports[2]]);
        assert_eq!(named(take(&[])), format!("listen on {} for gateway", free.ports[0]), "of another stack");
        drop(lease);

        let listener = TcpListener::bind(free.ports[1]).unwrap();
        let error = take(&[]).unwrap_err();
        assert!(error.hint().unwrap().contains(&free.ports[1].to_string()));
        assert_eq!(named(Err(error)), format!("listen on {} for redis", free.ports[1]));
        drop(listener);
        assert_eq!(named(take(&[("redis", ports[0])])), format!("listen on {} for redis", free.ports[0]));
        let error = named(take(&[("mail", ports[2])]));
        assert_eq!(
            error,
            format!("give port {} to mail: a stack has no such part, only gateway, redis", ports[2])
        );
        take(&[]).unwrap();
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

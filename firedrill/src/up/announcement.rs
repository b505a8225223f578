//! `up.json`: what the owner of a stack tells whoever looks into its run folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const FILE: &str = "up.json";

/// That a run is a stack that stays, and where its parts are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcement {
    /// Since when it is ready; none while it starts.
    pub(crate) ready: Option<Timestamp>,
    /// Its parts by name; empty while it starts.
    pub(crate) parts: BTreeMap<String, SocketAddr>,
}

impl Announcement {
    /// Of a stack that starts.
    pub(crate) fn starting() -> Self {
        Self { ready: None, parts: BTreeMap::new() }
    }

    /// Writes it into `folder`; the file appears whole or not at all.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let unfinished = folder.join(format!(".{FILE}"));
        fs::write(&unfinished, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&unfinished, folder.join(FILE))
    }

    /// The one in `folder`; none when the run is not a stack that stays, or its folder is gone.
    pub(crate) fn read(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read(folder.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_reads_back_as_written_and_a_folder_without_one_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Announcement::read(folder.path()).unwrap(), None);
        let ready = Announcement {
            ready: Some(Timestamp::UNIX_EPOCH),
            parts: BTreeMap::from([("user".to_owned(), "127.0.0.1:3002".parse().unwrap())]),
        };
        for announcement in [Announcement::starting(), ready] {
            announcement.write(folder.path()).unwrap();
            assert_eq!(Announcement::read(folder.path()).unwrap(), Some(announcement));
        }
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Announcement::read(folder.path()).is_err());
    }
}

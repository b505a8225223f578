//! The evidence folder of a drill: raw replies and documents, written redacted, read again by a later judgement.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Redactor;

/// Where a piece of evidence lies and what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EvidenceRef {
    /// File, relative to the drill's evidence folder.
    pub file: String,
    /// What it shows, in a few words.
    pub shows: String,
}

/// A piece of evidence could not be written or read.
#[derive(Debug, Error)]
#[error("{what} evidence {path}")]
pub struct EvidenceError {
    /// `write` or `read`.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// A folder of evidence. Everything written passes the redactor.
#[derive(Debug, Clone)]
pub struct EvidenceFolder {
    path: PathBuf,
    redactor: Redactor,
}

impl EvidenceFolder {
    /// The folder at `path`, made if needed.
    pub fn create(path: &Path, redactor: Redactor) -> Result<Self, EvidenceError> {
        std::fs::create_dir_all(path).map_err(|source| EvidenceError {
            what: "write",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { path: path.to_owned(), redactor })
    }

    /// The folder at `path` as it is, for reading.
    pub fn open(path: &Path, redactor: Redactor) -> Self {
        Self { path: path.to_owned(), redactor }
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `text` as `file`, whole or not at all.
    pub fn write_text(&self, file: &str, text: &str) -> Result<(), EvidenceError> {
        let path = self.path.join(file);
        let partial = self.path.join(format!("{file}.partial"));
        std::fs::write(&partial, self.redactor.redact(text))
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(|source| EvidenceError { what: "write", path, source })
    }

    /// Writes `value` as JSON into `file`.
    pub fn write_json(&self, file: &str, value: &impl Serialize) -> Result<(), EvidenceError> {
        let text = serde_json::to_string(value).map_err(|error| EvidenceError {
            what: "write",
            path: self.path.join(file),
            source: error.into(),
        })?;
        self.write_text(file, &text)
    }

    /// The text of `file`.
    pub fn read_text(&self, file: &str) -> Result<String, EvidenceError> {
        let path = self.path.join(file);
        std::fs::read_to_string(&path).map_err(|source| EvidenceError { what: "read", path, source })
    }

    /// The value that `file` holds as JSON.
    pub fn read_json<T: DeserializeOwned>(&self, file: &str) -> Result<T, EvidenceError> {
        serde_json::from_str(&self.read_text(file)?).map_err(|error| EvidenceError {
            what: "read",
            path: self.path.join(file),
            source: error.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn evidence_is_written_without_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let evidence =
            EvidenceFolder::create(folder.path(), Redactor::new([Secret::new("s3cr3t-value")])).unwrap();
        evidence.write_json("reply.json", &["a", "s3cr3t-value"]).unwrap();
        assert_eq!(evidence.read_text("reply.json").unwrap(), r#"["a","[redacted]"]"#);
        assert_eq!(evidence.read_json::<Vec<String>>("reply.json").unwrap()[0], "a");
    }
}

//! The configuration that is built into the program: the files of `stack/config`, unscaled, as a user deploys them.

use firedrill_rulebook::ConfigFolder;
use include_dir::{Dir, include_dir};

static DEFAULT_CONFIG: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/config");

/// The embedded configuration.
pub fn default_configuration() -> ConfigFolder {
    let mut files = Vec::new();
    collect(&DEFAULT_CONFIG, &mut files);
    ConfigFolder::from_files(files)
}

/// Files that are not text are no configuration, as when a folder is read.
fn collect(folder: &Dir<'static>, files: &mut Vec<(String, String)>) {
    for file in folder.files() {
        if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
            files.push((path.to_owned(), text.to_owned()));
        }
    }
    for inner in folder.dirs() {
        collect(inner, files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_configuration_is_the_folder_of_this_crate() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        assert_eq!(default_configuration(), ConfigFolder::from_dir(&folder).unwrap());
    }
}

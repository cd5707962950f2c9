//! The certificates that may sign images, as an administrator and vendors put them down.
//! It does not look into them.
//! By file name, an earlier directory wins; an empty file or a link to /dev/null masks (systemd's `conf_files_list`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The ending of a certificate's file.
const ENDING: &str = ".crt";

/// The content of every certificate file of these directories, the strongest first.
///
/// What cannot be read is passed over, as systemd does: it makes fewer signatures good, never more.
pub fn read(directories: &[&str]) -> Vec<Vec<u8>> {
    let mut found = BTreeMap::new();
    for directory in directories {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.ends_with(ENDING)) {
                found.entry(name).or_insert_with(|| content(&entry.path()));
            }
        }
    }
    found.into_values().filter(|pem| !pem.is_empty()).collect()
}

/// A masked or unreadable file is empty.
fn content(path: &Path) -> Vec<u8> {
    let regular = fs::metadata(path).is_ok_and(|found| found.is_file());
    if regular { fs::read(path).unwrap_or_default() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_directory_wins_and_masks() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = |name: &str| format!("{}/{name}", dir.path().display());
        for (name, text) in
            [("a/1.crt", ""), ("b/1.crt", "masked"), ("a/2.crt", "two"), ("b/2.crt", "no"), ("b/3.txt", "no")]
        {
            fs::create_dir_all(Path::new(&path(name)).parent().expect("a parent")).expect("directory");
            fs::write(path(name), text).expect("file");
        }
        std::os::unix::fs::symlink("/dev/null", path("a/4.crt")).expect("link");
        fs::write(path("b/4.crt"), "masked").expect("file");
        assert_eq!(read(&[&path("a"), &path("none"), &path("b")]), [b"two"]);
    }
}

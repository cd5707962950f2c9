//! docs/packaging.md against the tree: a packager must find everything there that is installed.
//! It installs nothing; `tests/install.sh` looks at an installed tree.
//! What is installed: programs are `src/bin`'s, units `units/`'s.
#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a test may")]

use std::fs;
use std::path::Path;

fn names(directory: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = fs::read_dir(path).expect("a directory");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

#[test]
fn what_is_installed_is_listed_for_packagers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/packaging.md");
    let text = fs::read_to_string(path).expect("the document");
    let (_, section) = text.split_once("## What is installed").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let programs = names("src/bin").into_iter().map(|name| name.trim_end_matches(".rs").to_owned());
    let policies = names("polkit").into_iter().filter(|name| name.ends_with(".policy"));
    // Of two units of one name the first is named in full, with the ending of the other behind it.
    let units = names("units").into_iter().map(|name| name.trim_end_matches(".in").to_owned());
    let units = units.map(|name| name.trim_end_matches(".timer").trim_end_matches(".path").to_owned());
    for name in programs.chain(policies).chain(units) {
        let stem = name.strip_suffix(".d").unwrap_or(&name);
        assert!(section.contains(&format!("`{stem}")), "{name} is not listed");
    }
}

//! Golden cases: what is configured, and all units, drop-ins and links of it, as one text per case.
//! It runs the road that the generator runs, on a root of its own; systemd's own verdict is in the guests.
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes what comes out; read the difference before you commit it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::fs;
use std::path::{Path, PathBuf};
use veneer::{generate, host::config_files};

/// Begins an input file in a case.
const FILE: &str = "=== ";
/// Begins what comes out.
const UNITS: &str = "=== units\n";

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(dir).expect("golden directory").map(|entry| entry.expect("entry").path()).collect();
    cases.sort();
    assert!(cases.len() >= 10, "where are the cases?");
    cases
}

fn inputs(case: &str) -> Vec<(String, String)> {
    let input = case.split(UNITS).next().unwrap_or_default();
    let files = input.split(FILE).filter(|file| !file.is_empty());
    files
        .map(|file| {
            let (path, text) = file.split_once('\n').expect("a path, then its text");
            (path.to_owned(), text.to_owned())
        })
        .collect()
}

fn generated(files: &[(String, String)]) -> String {
    let root = tempfile::tempdir().expect("root");
    for (path, text) in files {
        let path = root.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().expect("parent")).expect("directories");
        fs::write(path, text).expect("file");
    }
    let generated = generate::all(&config_files::read(root.path()), &[]);
    let problems: String = generated.problems.iter().map(|problem| format!("{problem}\n")).collect();
    problems + &generated.units.to_string()
}

#[test]
fn every_case_gives_its_units_whatever_the_order_of_its_files() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for path in cases() {
        let case = fs::read_to_string(&path).expect("case");
        let mut files = inputs(&case);
        let text = generated(&files);
        files.reverse();
        assert_eq!(generated(&files), text, "{}: the order of the files shows", path.display());
        let input = case.split(UNITS).next().unwrap_or_default();
        let whole = format!("{input}{UNITS}{text}");
        if update {
            fs::write(&path, &whole).expect("case");
        } else if whole != case {
            wrong.push(format!("{}:\n{text}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "other units than the golden ones:\n{}", wrong.join("\n"));
}

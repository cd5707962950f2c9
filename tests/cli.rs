//! What `veneer` prints, held to a text per verb in `tests/cli`.
//! Each text is a session with `$ veneer …` lines, run with `--root` on a copy of `tests/cli/root`; `? N` is an exit
//! code other than 0, and `| grep TEXT` keeps the lines that begin with TEXT.
//! To write the texts anew: UPDATE=1 cargo test --test cli

#![allow(clippy::expect_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn what_is_printed_is_what_the_sessions_say() {
    let mut wrong = Vec::new();
    for path in sessions() {
        let wanted = fs::read_to_string(&path).expect("a session");
        let got = play(&wanted);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &got).expect("written");
        } else if got != wanted {
            wrong.push(format!("{}:\n{}", path.display(), veneer::cli::unified::diff("wanted", "got", &wanted, &got)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn sessions() -> Vec<PathBuf> {
    let files = fs::read_dir(repo("tests/cli")).expect("tests/cli").flatten().map(|entry| entry.path());
    let mut sessions: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    sessions.sort();
    assert!(!sessions.is_empty());
    sessions
}

/// A session as it goes now: comments and commands are kept, what comes of them is new.
fn play(session: &str) -> String {
    let root = tempfile::tempdir().expect("a directory");
    copy(&repo("tests/cli/root"), root.path());
    install_units(root.path());
    let mut out = String::new();
    for line in session.lines().filter(|line| line.starts_with("$ ") || line.starts_with("## ")) {
        if !out.is_empty() {
            out.push('\n');
        }
        writeln!(out, "{line}").expect("a String");
        if let Some(command) = line.strip_prefix("$ veneer") {
            out.push_str(&run(command.trim_start(), root.path()));
        }
    }
    out
}

fn run(command: &str, root: &Path) -> String {
    let (words, filter) = match command.split_once(" | grep ") {
        Some((words, filter)) => (words, filter.trim_matches('\'')),
        None => (command, ""),
    };
    let shown_root = root.to_str().expect("UTF-8");
    let output = Command::new(env!("CARGO_BIN_EXE_veneer"))
        .arg(format!("--root={shown_root}"))
        .args(words.split_whitespace().map(|word| word.replace("ROOT", shown_root)))
        .output()
        .expect("veneer runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
    let mut kept: String = text
        .replace(shown_root, "ROOT")
        .lines()
        .filter(|line| line.starts_with(filter))
        .map(|line| format!("{line}\n"))
        .collect();
    if !output.status.success() {
        writeln!(kept, "? {}", output.status.code().expect("an exit code")).expect("a String");
    }
    kept
}

fn install_units(root: &Path) {
    let units = root.join("usr/lib/systemd/system");
    fs::create_dir_all(units.join("veneer-verity@.service.d")).expect("a directory");
    let common = "veneer-verity@.service.d/10-veneer.conf";
    for unit in [
        "app@.service",
        "veneer-check@.service",
        "veneer-detach@.service",
        "veneer-verity@.service",
        common,
        "veneer-overlay@.service",
    ] {
        let text = fs::read_to_string(repo(&format!("units/{unit}.in"))).expect("a unit");
        fs::write(units.join(unit), text.replace("@libexecdir@", "/usr/libexec/veneer")).expect("written");
    }
    copy(&repo("units/run-veneer-apps-.mount.d"), &units.join("run-veneer-apps-.mount.d"));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

//! What is said of each mistake, word for word: one text per case in tests/problems.
//! A case is files, each behind a line `--- PATH`, and behind `--- problems` all that is said of them.
//! `BLESS=1 cargo test --test config_problems` writes down what is said now; read the difference before keeping it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use veneer::config::{AppState, ConfigText, Dir, DropIns, File, Host, load_app};
use veneer::layout::CONFIG_DIRS;

const PROBLEMS: &str = "problems";

/// The parts of a case: name and text.
fn parts(case: &str) -> Vec<(&str, String)> {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for line in case.split_inclusive('\n') {
        match (line.strip_prefix("--- "), parts.last_mut()) {
            (Some(name), _) => parts.push((name.trim_end(), String::new())),
            (None, Some((_, text))) => text.push_str(line),
            (None, None) => assert!(line.starts_with('#'), "text before the first file: {line}"),
        }
    }
    parts
}

fn config(parts: &[(&str, String)]) -> ConfigText {
    let mut dirs: Vec<Dir> = CONFIG_DIRS.iter().map(|_| Dir::default()).collect();
    for (path, text) in parts.iter().filter(|(name, _)| *name != PROBLEMS) {
        let at =
            CONFIG_DIRS.iter().position(|dir| path.starts_with(&format!("{dir}/"))).expect("a configuration directory");
        let below: Vec<&str> = path[CONFIG_DIRS[at].len() + 1..].split('/').collect();
        let name = below.last().and_then(|name| name.strip_suffix(".toml")).expect("a name in .toml").into();
        let file = File::new(*path, text.as_str());
        match below[..] {
            ["veneer.toml"] => dirs[at].settings = Some(file),
            ["veneer.toml.d", _] => dirs[at].settings_drop_ins.push((name, file)),
            ["templates.d", _] => dirs[at].templates.push((name, file)),
            ["apps.d", _] => dirs[at].apps.push((name, file)),
            ["apps.d", dir, _] => dirs[at].drop_ins.push(DropIns {
                path: format!("{}/apps.d/{dir}", CONFIG_DIRS[at]).into(),
                app: dir.strip_suffix(".toml.d").expect("a drop-in directory").into(),
                files: vec![(name, file)],
            }),
            _ => panic!("{path} is no file of ours"),
        }
    }
    ConfigText::from_dirs(dirs)
}

/// Everything that is said, host first, then app by app.
fn said(text: &ConfigText) -> String {
    let (host, of_host) = Host::load(text);
    let mut all: Vec<_> = text.problems.iter().cloned().chain(of_host).collect();
    for app in text.apps.iter().filter(|app| app.state() == AppState::Configured) {
        match load_app(app, &host) {
            Ok(loaded) => all.extend(loaded.warnings),
            Err(problems) => all.extend(problems),
        }
    }
    all.iter().fold(String::new(), |mut said, problem| {
        writeln!(said, "{problem}").unwrap();
        said
    })
}

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/problems");
    let mut cases: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn each_mistake_is_said_word_for_word() {
    let mut wrong = String::new();
    for path in cases() {
        let case = std::fs::read_to_string(&path).unwrap();
        let parts = parts(&case);
        let said = said(&config(&parts));
        let expected = &parts.last().filter(|(name, _)| *name == PROBLEMS).expect("a part `problems` at the end").1;
        if said != *expected && std::env::var_os("BLESS").is_some() {
            let input = case.split("--- problems\n").next().unwrap();
            std::fs::write(&path, format!("{input}--- problems\n{said}")).unwrap();
        } else if said != *expected {
            write!(wrong, "== {}\nexpected:\n{expected}said:\n{said}", path.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_problem_is_one_line_in_the_tone_of_the_house() {
    for path in cases() {
        for line in parts(&std::fs::read_to_string(&path).unwrap()).last().unwrap().1.lines() {
            let sentence = line.rsplit(": ").next().unwrap();
            assert!(!line.ends_with('.'), "{}: a full stop: {line}", path.display());
            assert!(!sentence.starts_with(char::is_uppercase) || sentence.starts_with("Veneer"), "{line}");
        }
    }
}

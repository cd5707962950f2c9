//! Each golden case, together with our static units, passes `systemd-analyze verify` without a word; so does each
//! static unit by itself, whatever is in `units/`.
//! It runs on a root of its own with this machine's systemd; the guests do the same with theirs.
//! `systemd-analyze verify` exits 0 on cycles and unknown keys: any output is a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: &str = "usr/lib/systemd/system";
const GENERATED: &str = "run/systemd/generator";

fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("parent")).expect("directories");
    fs::write(path, text).expect("file");
}

fn install_units(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("units") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        if path.is_dir() {
            install_units(&path, &to.join(name));
        } else {
            let text = fs::read_to_string(&path).expect("unit").replace("@libexecdir@", "/usr/libexec/veneer");
            write(&to.join(name.trim_end_matches(".in")), &text);
        }
    }
}

/// Our static units as installed, and the few of systemd's that they and every unit lead to.
fn install_static(root: &Path) {
    install_units(&repo("units"), &root.join(UNITS));
    for profile in fs::read_dir(repo("profiles")).expect("profiles") {
        let path = profile.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        write(&root.join("usr/lib/veneer/profiles").join(name), &fs::read_to_string(&path).expect("profile"));
    }
    let copied = Command::new("cp").arg("-a").arg(format!("/{UNITS}/.")).arg(root.join(UNITS)).status();
    assert!(copied.expect("cp").success(), "systemd's own units are needed: is systemd installed?");
}

/// Writes what a golden case says, and gives the names of its units.
fn install_case(root: &Path, case: &str) -> Vec<String> {
    let generated = root.join(GENERATED);
    let _ = fs::remove_dir_all(&generated);
    let mut names = Vec::new();
    let (_, units) = case.split_once("=== units\n").expect("units");
    for entry in units.split("--- ").skip(1) {
        let (path, text) = entry.split_once('\n').expect("a path, then its text");
        match path.split_once(" -> ") {
            Some((path, target)) => {
                let path = generated.join(path);
                fs::create_dir_all(path.parent().expect("parent")).expect("directories");
                std::os::unix::fs::symlink(target, path).expect("link");
            }
            None => {
                write(&generated.join(path), text);
                names.push(path.split(".d/").next().unwrap_or(path).to_owned());
            }
        }
    }
    names
}

/// What stands for the programs: `verify` only wants something that can be executed.
fn install_programs(root: &Path, case: &str) {
    let templates: String = fs::read_dir(root.join(UNITS))
        .expect("units")
        .map(|entry| fs::read_to_string(entry.expect("entry").path()).unwrap_or_default())
        .collect();
    let exec = |line: &&str| line.starts_with("Exec") && line.contains("=");
    for line in case.lines().chain(templates.lines()).filter(exec) {
        let command =
            line.split_once('=').map_or("", |(_, command)| command).trim_start_matches(['-', '+', '!', ':', '@']);
        let program = command.split([' ', '"']).find(|word| word.starts_with('/'));
        if let Some(program) = program {
            let path = root.join(program.trim_start_matches('/'));
            write(&path, "");
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
        }
    }
}

/// Every unit of `units/`, a template as an instance of it. Drop-ins are looked at with what they belong to.
fn static_units() -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(repo("units")).expect("units") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        if !path.is_dir() {
            names.push(name.trim_end_matches(".in").replace("@.", "@instance."));
        }
    }
    names.sort();
    names
}

/// What systemd says about units of the root: nothing, if all is well.
fn said_of(root: &Path, names: &[String]) -> String {
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=yes"])
        .arg(format!("--root={}", root.display()))
        .args(names)
        .env("SYSTEMD_UNIT_PATH", format!("/{GENERATED}:/{UNITS}"))
        .output()
        .expect("systemd-analyze is needed: is systemd installed?");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || !said.is_empty(), "systemd-analyze ended with {}", output.status);
    said.into_owned()
}

#[test]
fn systemd_has_nothing_to_say_about_any_static_unit() {
    let root = tempfile::tempdir().expect("root");
    install_static(root.path());
    install_programs(root.path(), "");
    let names = static_units();
    assert!(names.iter().any(|name| name == "app@instance.service"), "{names:?}");
    for name in names {
        let said = said_of(root.path(), std::slice::from_ref(&name));
        assert!(said.is_empty(), "{name}: systemd-analyze says:\n{said}");
    }
}

#[test]
fn every_static_unit_is_installed() {
    let meson = fs::read_to_string(repo("meson.build")).expect("meson.build");
    for entry in fs::read_dir(repo("units")).expect("units") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        assert!(meson.contains(name.trim_end_matches(".in")), "meson.build does not install units/{name}");
    }
}

#[test]
fn systemd_has_nothing_to_say_about_any_golden_case() {
    let root = tempfile::tempdir().expect("root");
    install_static(root.path());
    for entry in fs::read_dir(repo("tests/golden")).expect("golden directory") {
        let path = entry.expect("entry").path();
        let case = fs::read_to_string(&path).expect("case");
        let names = install_case(root.path(), &case);
        if names.is_empty() {
            continue;
        }
        install_programs(root.path(), &case);
        let said = said_of(root.path(), &names);
        assert!(said.is_empty(), "{}: systemd-analyze says:\n{said}", path.display());
    }
}

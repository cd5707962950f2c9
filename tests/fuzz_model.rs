//! The fuzzer's list of what may stand in a unit knows everything that the planner writes: each app of the examples
//! and of the golden cases passes it; and its rules for requests know every method. Without this they fall behind unseen,
//! since fuzzing is not part of the tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

#[path = "../fuzz/src/units.rs"]
#[allow(unreachable_pub, reason = "a library's file there")]
mod units;

#[path = "../fuzz/src/request.rs"]
#[allow(unreachable_pub, reason = "a library's file there")]
mod request;

use std::fs;
use std::path::{Path, PathBuf};
use units::{Verdict, prove};
use veneer::request::call::Request;
use veneer::request::message::Call;

/// The files of a directory of the source tree with this ending, in order.
fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)).expect("directory");
    let paths = entries.map(|entry| entry.expect("entry").path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    files.sort();
    files
}

/// The apps of a golden case, as text.
fn apps(case: &str) -> impl Iterator<Item = &str> {
    let inputs = case.split("=== units").next().unwrap_or_default();
    inputs.split("=== ").filter_map(|input| {
        let (path, text) = input.split_once('\n')?;
        (path.contains("/apps.d/") && path.ends_with(".toml")).then_some(text)
    })
}

#[test]
fn every_example_has_only_settings_the_fuzzer_knows() {
    let verdicts: Vec<Verdict> = files("examples", "toml")
        .iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "veneer.toml"))
        .map(|path| prove(&fs::read_to_string(path).expect("example")))
        .collect();
    assert!(verdicts.len() > 8 && verdicts.iter().filter(|verdict| **verdict == Verdict::Planned).count() > 8);
}

#[test]
fn every_golden_app_has_only_settings_the_fuzzer_knows() {
    let cases: Vec<String> =
        files("tests/golden", "txt").iter().map(|path| fs::read_to_string(path).expect("case")).collect();
    let verdicts: Vec<Verdict> = cases.iter().flat_map(|case| apps(case)).map(prove).collect();
    assert!(verdicts.iter().filter(|verdict| **verdict == Verdict::Planned).count() > 12, "{verdicts:?}");
}

#[test]
fn what_is_asked_by_every_method_passes_the_fuzzers_rules() {
    let name = "{\"name\":\"a\"}";
    for (method, parameters) in
        [("List", "{}"), ("Diff", name), ("History", name), ("Reset", name), ("Rollback", name), ("Remove", name)]
    {
        let call = format!("{{\"method\":\"io.veneer.Overlay.{method}\",\"parameters\":{parameters}}}");
        let taken = Call::parse(call.as_bytes()).and_then(|call| Request::read(&call, 0));
        // What is refused is held to other rules.
        taken.unwrap_or_else(|denial| panic!("{method}: {denial:?}"));
        // In pieces of four bytes, with no descriptor.
        request::prove_request(&[b"\x03", call.as_bytes(), b"\0"].concat());
    }
}

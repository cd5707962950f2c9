//! The generator's run: reads the configuration, writes each app's units, says what was wrong.
//! It decides no unit (`generate` does), starts no program and looks at no image, no `/var` and no network.
//! The contract is systemd.generator(7): three directories or one, no fsync, nothing replaced.

use super::boot::Boot;
use super::config_files;
use super::kmsg::{Kmsg, Priority};
use super::unit_dir::UnitDir;
use crate::config::{AppText, ConfigText, Host};
use crate::generate::{self, Generated, Live};
use crate::plan;
use crate::problem::{Problem, Severity};
use anyhow::Result;
use std::ffi::OsString;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How the generator was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Write units to this directory (the first of systemd's three).
    Write {
        /// The directory.
        dir: PathBuf,
        /// Where `/etc` and the rest are.
        root: PathBuf,
    },
    /// Print what would be written.
    DryRun {
        /// Where `/etc` and the rest are.
        root: PathBuf,
    },
    /// Print how to call it.
    Help,
    /// Print the version.
    Version,
}

/// What `--help` prints.
pub const HELP: &str = "\
veneer-generator [--root=DIR] NORMAL-DIR [EARLY-DIR LATE-DIR]
veneer-generator [--root=DIR] --dry-run

Turns the apps in apps.d into systemd units. systemd runs it at boot and at
daemon-reload; people run it with --dry-run. See veneer-generator(8).

  --dry-run    print the units instead of writing them
  --root=DIR   read the configuration below DIR
  --help       print this
  --version    print the version
";

impl Call {
    /// Reads the arguments; the error is a sentence.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let (mut dirs, mut root, mut dry) = (Vec::new(), PathBuf::from("/"), None);
        for arg in args {
            match arg.to_str() {
                Some("--help" | "-h") => return Ok(Self::Help),
                Some("--version") => return Ok(Self::Version),
                Some("--dry-run") => dry = Some(()),
                Some(text) if text.starts_with("--root=") => root = text["--root=".len()..].into(),
                Some(text) if text.starts_with('-') => return Err(format!("unknown option {text:?}")),
                _ => dirs.push(PathBuf::from(arg)),
            }
        }
        match (dry, dirs.len()) {
            (Some(()), 0) => Ok(Self::DryRun { root }),
            (None, 1 | 3) => Ok(Self::Write { dir: dirs.swap_remove(0), root }),
            (Some(()), _) => Err("--dry-run takes no directory".into()),
            (None, found) => Err(format!("one directory or three are needed, not {found}")),
        }
    }
}

/// Whether everything that is configured has its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it.
    Whole,
    /// Not some apps; the others have theirs.
    Partial,
}

/// Writes the units of all apps; what went wrong is in the log already.
pub fn write(dir: &Path, root: &Path, log: &mut Kmsg) -> Outcome {
    if !Boot::read(root).wants_apps() {
        return Outcome::Whole;
    }
    let dir = match UnitDir::open(dir) {
        Ok(dir) => dir,
        Err(error) => {
            log.say(Priority::Error, &format!("{error:#}"));
            return Outcome::Partial;
        }
    };
    let text = config_files::read(root);
    let live = super::live_marks::read_units(root);
    let (host, mut problems) = Host::load(&text);
    problems.extend(text.problems.iter().cloned());
    let mut results = vec![Written { problems, errors: Vec::new() }];
    results.push(Written::new(Vec::new(), dir.write(&plan::reaper(&host.settings))));
    results.push(write_apps(&text, &host, &live, &dir));
    let gone = generate::orphans(&text, &live).map(|orphan| Written::of(orphan, &dir));
    results.extend(gone);
    results.extend(text.overlays.iter().map(|text| Written::of(generate::overlay(text), &dir)));
    report(&results, log)
}

/// What came of writing some apps.
#[derive(Debug, Default)]
struct Written {
    problems: Vec<Problem>,
    errors: Vec<String>,
}

impl Written {
    fn of(generated: Generated, dir: &UnitDir) -> Self {
        let result = dir.write(&generated.units);
        Self::new(generated.problems, result)
    }

    fn new(problems: Vec<Problem>, result: Result<()>) -> Self {
        Self { problems, errors: result.err().map(|error| format!("{error:#}")).into_iter().collect() }
    }

    fn add(&mut self, other: Self) {
        self.problems.extend(other.problems);
        self.errors.extend(other.errors);
    }
}

/// From this many apps on, a second thread is worth its start.
const MANY: usize = 64;
/// So many apps a thread takes at once.
const BATCH: usize = 4;

/// In the order of ids, whatever the threads do.
fn write_apps(text: &ConfigText, host: &Host<'_>, live: &[Live], dir: &UnitDir) -> Written {
    let work = Work { apps: &text.apps, next: AtomicUsize::new(0) };
    let write = |app: &AppText| Written::of(generate::app(app, host, generate::of(live, &app.id)), dir);
    let mut parts = thread::scope(|scope| {
        let other = || work.take(write);
        let other = (text.apps.len() >= MANY).then(|| thread::Builder::new().spawn_scoped(scope, other));
        let mut parts = work.take(write);
        // No thread to be had: all was done here. What a thread panicked of ends this one, too.
        parts.extend(
            other.into_iter().flatten().flat_map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic))),
        );
        parts
    });
    parts.sort_by_key(|(at, _)| *at);
    let mut all = Written::default();
    parts.into_iter().for_each(|(_, written)| all.add(written));
    all
}

/// Apps, of which threads take the next ones until there are none.
struct Work<'a> {
    apps: &'a [AppText],
    next: AtomicUsize,
}

impl Work<'_> {
    fn take(&self, write: impl Fn(&AppText) -> Written) -> Vec<(usize, Written)> {
        let mut done = Vec::new();
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = self.apps.chunks(BATCH).nth(at) else { return done };
            let mut all = Written::default();
            batch.iter().for_each(|app| all.add(write(app)));
            done.push((at, all));
        }
    }
}

fn report(results: &[Written], log: &mut Kmsg) -> Outcome {
    let mut outcome = Outcome::Whole;
    // Warnings are for who writes the file (`veneer check`), not for each boot's log.
    let problems = results.iter().flat_map(|written| &written.problems);
    for problem in problems.filter(|problem| problem.severity == Severity::Error) {
        outcome = Outcome::Partial;
        log.say(Priority::Error, &problem.to_string());
    }
    for error in results.iter().flat_map(|written| &written.errors) {
        outcome = Outcome::Partial;
        log.say(Priority::Error, error);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Call, String> {
        Call::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn one_directory_or_three_and_the_first_counts() {
        let write = |root: &str| Ok(Call::Write { dir: "/a".into(), root: root.into() });
        assert_eq!(parse(&["/a"]), write("/"));
        assert_eq!(parse(&["--root=/r", "/a", "/b", "/c"]), write("/r"));
        for bad in [&[][..], &["/a", "/b"], &["--dry-run", "/a"], &["--no"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}

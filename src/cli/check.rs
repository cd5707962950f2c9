//! `veneer check`: everything that is wrong with what is configured, or with some files.
//! It changes nothing and starts nothing; warnings are shown and forgiven.
//! A file that is named is read as if it were installed, in the place of the one it would replace.

use super::annotate::annotate;
use super::args::Check;
use super::context::Context;
use super::fault::fault;
use super::json::{self, ProblemRow};
use crate::app::App;
use crate::config::{AppText, Body, ConfigText, File, Host, cross_check, load_app, origins};
use crate::generate;
use crate::host::terminal::{Colour, print};
use crate::host::{below_root, config_files};
use crate::name::AppId;
use crate::problem::{Problem, Severity};
use crate::sysexits::Exit;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(context: &Context, args: &Check) -> Result<ExitCode> {
    let mut config = context.config();
    let mut named = Vec::new();
    for path in &args.files {
        named.push(install(&mut config, path)?);
    }
    let mut problems = problems(&config);
    if !named.is_empty() {
        problems.retain(|problem| named.iter().any(|file| file.concerns(problem)));
    }
    let text = match args.output.json() {
        Some(format) => json::print(&problems.iter().map(ProblemRow::from).collect::<Vec<_>>(), format)?,
        None => {
            let read = match named.len() {
                0 => number(config.apps.len(), "app"),
                files => number(files, "file"),
            };
            format!("{}{}", show(&problems, &config, context.terminal.colour), summary(&problems, &read))
        }
    };
    print(&text)?;
    Ok(exit(&problems))
}

/// Every Problem of a configuration, those of units that collide and of apps that wait for one another among them.
pub(super) fn problems(config: &ConfigText) -> Vec<Problem> {
    let mut problems = generate::all(config, &[]).problems;
    let (host, _) = Host::load(config);
    let good: Vec<App> = config.apps.iter().filter_map(|app| Some(load_app(app, &host).ok()?.app)).collect();
    problems.extend(cross_check(&good));
    problems.sort();
    problems.dedup();
    problems
}

pub(super) fn exit(problems: &[Problem]) -> ExitCode {
    let bad = problems.iter().any(|problem| problem.severity == Severity::Error);
    if bad { Exit::Config.into() } else { ExitCode::SUCCESS }
}

/// All Problems, each with the line it is about.
pub(super) fn show(problems: &[Problem], config: &ConfigText, colour: Colour) -> String {
    let texts = texts(config);
    problems.iter().map(|problem| annotate(problem, texts.get(problem.file.as_str()).copied(), colour)).collect()
}

fn texts(config: &ConfigText) -> BTreeMap<&str, &str> {
    let of_apps = config.apps.iter().flat_map(|app| std::iter::once(&app.file).chain(&app.drop_ins));
    let all = config.settings.iter().chain(config.templates.values()).chain(of_apps);
    all.map(|file| (&*file.path, file.text())).collect()
}

/// `2 errors, 1 warning in 5 apps`
fn summary(problems: &[Problem], read: &str) -> String {
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let counts = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")];
    let found: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, noun)| number(*n, noun)).collect();
    let found = if found.is_empty() { "no problem".into() } else { found.join(", ") };
    format!("{found} in {read}\n")
}

/// `1 error`, `2 errors`
pub(super) fn number(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A file that was named: which Problems are about it.
enum Named {
    /// An app's own file: all its Problems, whichever of its files they are in.
    App(Vec<Box<str>>),
    /// A part of others: what stands in it.
    Part(Box<str>),
}

impl Named {
    fn concerns(&self, problem: &Problem) -> bool {
        match self {
            Self::App(files) => files.iter().any(|file| **file == *problem.file),
            Self::Part(file) => **file == *problem.file,
        }
    }
}

/// Puts a file where it would be if it were installed.
fn install(config: &mut ConfigText, path: &Path) -> Result<Named> {
    let file = config_files::read_file(&below_root::absolute(path));
    if let Body::Unreadable(reason) = &file.body {
        return Err(fault(Exit::NoInput, format!("reading {}: {reason}", path.display())));
    }
    let shown = file.path.clone();
    match place(&shown) {
        Place::Settings => put(&mut config.settings, file),
        Place::Template(name) => {
            let name: Box<str> = name.into();
            config.templates.insert(name.clone(), file);
            extend(config, &name);
        }
        Place::DropIn(id) => match config.apps.iter_mut().find(|app| app.id.as_str() == id) {
            Some(app) => put(&mut app.drop_ins, file),
            None => {
                return Err(fault(Exit::NoInput, format!("{shown} is a drop-in of {id:?}, and there is no such app")));
            }
        },
        Place::App(id) => {
            add_app(config, file, id);
            let app = config.app(id).into_iter().flat_map(|app| std::iter::once(&app.file).chain(&app.drop_ins));
            let mut files: Vec<Box<str>> = app.map(|file| file.path.clone()).collect();
            files.push(shown.clone());
            return Ok(Named::App(files));
        }
    }
    Ok(Named::Part(shown))
}

/// Adds an app that extends a template, for nobody looks into one that no app extends. What the template
/// does not say itself, and an app must, is this app's.
fn extend(config: &mut ConfigText, template: &str) {
    const ID: &str = "check-of-template";
    let text = format!("[app]\nextends = {template:?}\n");
    add_app(config, File::new("(an app that extends it)", text.as_str()), ID);
    let (host, _) = Host::load(config);
    let keys = config.app(ID).map(|app| origins(app, &host)).unwrap_or_default();
    let has = |start: &str| keys.iter().any(|origin| origin.key.starts_with(start));
    let image = if has("image.") { "" } else { "[image]\ndirectory = \"/usr\"\n" };
    let exec = if has("service.exec") { "" } else { "[service]\nexec = [\"/bin/true\"]\n" };
    add_app(config, File::new("(an app that extends it)", text + image + exec), ID);
}

/// What a file is, by its name and its directory's.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    Settings,
    Template(&'a str),
    DropIn(&'a str),
    App(&'a str),
}

fn place(path: &str) -> Place<'_> {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let dir = dir.rsplit('/').next().unwrap_or_default();
    match dir.strip_suffix(".toml.d") {
        Some("veneer") => Place::Settings,
        Some(id) => Place::DropIn(id),
        None if name == "veneer.toml" => Place::Settings,
        None if dir == "templates.d" => Place::Template(stem),
        None => Place::App(stem),
    }
}

/// Over the file of the same path or name, or behind all others.
fn put(files: &mut Vec<File>, file: File) {
    fn name(file: &File) -> &str {
        file.path.rsplit('/').next().unwrap_or_default()
    }
    match files.iter_mut().find(|old| name(old) == name(&file)) {
        Some(old) => *old = file,
        None => files.push(file),
    }
}

/// A name that is no id is a Problem like any other.
fn add_app(config: &mut ConfigText, file: File, id: &str) {
    let id = match AppId::parse(id) {
        Ok(id) => id,
        Err(text) => {
            let (file, key) = (file.path.into(), String::new());
            return config.problems.push(Problem { file, place: None, key, text, severity: Severity::Error });
        }
    };
    match config.apps.binary_search_by(|app| app.id.cmp(&id)) {
        Ok(at) => config.apps[at].file = file,
        Err(at) => config.apps.insert(at, AppText { id, file, drop_ins: Vec::new() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_where_it_lies() {
        for (path, wanted) in [
            ("/etc/veneer/apps.d/a.toml", Place::App("a")),
            ("/tmp/b.toml", Place::App("b")),
            ("/x/a.toml.d/10-x.toml", Place::DropIn("a")),
            ("/x/veneer.toml", Place::Settings),
            ("/x/veneer.toml.d/y.toml", Place::Settings),
            ("/x/templates.d/web.toml", Place::Template("web")),
        ] {
            assert_eq!(place(path), wanted, "{path}");
        }
    }

    #[test]
    fn the_summary_counts() {
        let problem =
            |severity| Problem { file: "x".into(), place: None, key: String::new(), text: "y".into(), severity };
        assert_eq!(summary(&[], "1 app"), "no problem in 1 app\n");
        let two = [problem(Severity::Error), problem(Severity::Error), problem(Severity::Warning)];
        assert_eq!(summary(&two, "2 apps"), "2 errors, 1 warning in 2 apps\n");
    }
}

//! `veneer check`: everything that is wrong with what is configured, or with some files.
//! It changes nothing and starts nothing; warnings are shown and forgiven.
//! A file that is named is read as if it were installed, in the place of the one it would replace.

use super::annotate::annotate;
use super::args::Check;
use super::context::Context;
use super::fault::fault;
use super::json::{self, ProblemRow};
use crate::app::App;
use crate::config::{AppText, Body, ConfigText, File, Host, Says, cross_check, load_app, load_batch, origins, says};
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
    let (mut named, mut batches) = (Vec::new(), Vec::new());
    for path in &args.files {
        named.push(install(&mut config, &mut batches, path)?);
    }
    let mut problems = problems(&config);
    if !named.is_empty() {
        problems.retain(|problem| named.iter().any(|file| file.concerns(problem)));
    }
    let text = match args.output.json() {
        Some(format) => json::print(&problems.iter().map(ProblemRow::from).collect::<Vec<_>>(), format)?,
        None => {
            let read = match named.len() {
                0 => counted(&config),
                files => number(files, "file"),
            };
            let mut texts = texts(&config);
            texts.extend(batches.iter().map(|file: &File| (&*file.path, file.text())));
            format!("{}{}", annotated(&problems, &texts, context.terminal.colour), summary(&problems, &read))
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
    annotated(problems, &texts(config), colour)
}

fn annotated(problems: &[Problem], texts: &BTreeMap<&str, &str>, colour: Colour) -> String {
    problems.iter().map(|problem| annotate(problem, texts.get(problem.file.as_str()).copied(), colour)).collect()
}

fn texts(config: &ConfigText) -> BTreeMap<&str, &str> {
    let both = config.apps.iter().chain(&config.overlays);
    let files = both.flat_map(|text| std::iter::once(&text.file).chain(&text.drop_ins));
    let all = config.settings.iter().chain(config.templates.values()).chain(files);
    all.map(|file| (&*file.path, file.text())).collect()
}

/// `5 apps`, `5 apps and 1 overlay`
fn counted(config: &ConfigText) -> String {
    let apps = number(config.apps.len(), "app");
    match config.overlays.len() {
        0 => apps,
        overlays => format!("{apps} and {}", number(overlays, "overlay")),
    }
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
    /// An app's own file, or an overlay's: all its Problems, whichever of its files they are in.
    Whole(Vec<Box<str>>),
    /// A part of others: what stands in it.
    Part(Box<str>),
}

impl Named {
    fn concerns(&self, problem: &Problem) -> bool {
        match self {
            Self::Whole(files) => files.iter().any(|file| **file == *problem.file),
            Self::Part(file) => **file == *problem.file,
        }
    }
}

/// Puts a file where it would be if it were installed.
fn install(config: &mut ConfigText, batches: &mut Vec<File>, path: &Path) -> Result<Named> {
    let file = config_files::read_file(&below_root::absolute(path));
    if let Body::Unreadable(reason) = &file.body {
        return Err(fault(Exit::NoInput, format!("reading {}: {reason}", path.display())));
    }
    let shown = file.path.clone();
    match place(&shown, says(&file)) {
        Place::Settings => put(&mut config.settings, file),
        Place::Template(name) => {
            let name: Box<str> = name.into();
            config.templates.insert(name.clone(), file);
            extend(config, &name);
        }
        Place::DropIn(kind, id) => match kind.of(config).0.iter_mut().find(|text| text.id.as_str() == id) {
            Some(text) => put(&mut text.drop_ins, file),
            None => {
                let what = format!("{shown} is a drop-in of {id:?}, and there is no such {}", kind.noun());
                return Err(fault(Exit::NoInput, what));
            }
        },
        Place::Whole(kind, id) => {
            add(config, kind, file, id);
            let text = kind.of(config).0.iter().find(|text| text.id.as_str() == id);
            let all = text.into_iter().flat_map(|text| std::iter::once(&text.file).chain(&text.drop_ins));
            let mut files: Vec<Box<str>> = all.map(|file| file.path.clone()).collect();
            files.push(shown.clone());
            return Ok(Named::Whole(files));
        }
        Place::Batch => {
            config.problems.extend(load_batch(&file).err().into_iter().flatten());
            batches.push(file);
        }
    }
    Ok(Named::Part(shown))
}

/// Adds an app that extends a template, for nobody looks into one that no app extends. What the template
/// does not say itself, and an app must, is this app's.
fn extend(config: &mut ConfigText, template: &str) {
    const ID: &str = "check-of-template";
    let text = format!("[app]\nextends = {template:?}\n");
    let app = |text: &str| File::new("(an app that extends it)", text);
    add(config, Kind::App, app(&text), ID);
    let (host, _) = Host::load(config);
    let keys = config.app(ID).map(|app| origins(app, &host)).unwrap_or_default();
    let has = |start: &str| keys.iter().any(|origin| origin.key.starts_with(start));
    let image = if has("image.") { "" } else { "[image]\ndirectory = \"/usr\"\n" };
    let exec = if has("service.exec") { "" } else { "[service]\nexec = [\"/bin/true\"]\n" };
    add(config, Kind::App, app(&(text + image + exec)), ID);
}

/// What has a file of its own, and drop-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    App,
    Overlay,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Overlay => "overlay",
        }
    }

    /// All of the kind, sorted, and where Problems go.
    fn of(self, config: &mut ConfigText) -> (&mut Vec<AppText>, &mut Vec<Problem>) {
        match self {
            Self::App => (&mut config.apps, &mut config.problems),
            Self::Overlay => (&mut config.overlays, &mut config.problems),
        }
    }
}

/// What a file is: by its name and its directory's; elsewhere, whether an app or overlays, by what it says.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    Settings,
    Template(&'a str),
    DropIn(Kind, &'a str),
    Whole(Kind, &'a str),
    Batch,
}

fn place(path: &str, says: Says) -> Place<'_> {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let (above, dir) = above.rsplit_once('/').unwrap_or(("", above));
    let in_overlays = above.rsplit('/').next() == Some("overlays.d");
    match (dir.strip_suffix(".toml.d"), dir) {
        (Some("veneer"), _) if !in_overlays => Place::Settings,
        (Some(id), _) => Place::DropIn(if in_overlays { Kind::Overlay } else { Kind::App }, id),
        (None, _) if name == "veneer.toml" => Place::Settings,
        (None, "templates.d") => Place::Template(stem),
        (None, "overlays.d") => Place::Whole(Kind::Overlay, stem),
        (None, "apps.d") => Place::Whole(Kind::App, stem),
        (None, _) => match says {
            Says::Overlay => Place::Whole(Kind::Overlay, stem),
            Says::Batch => Place::Batch,
            Says::Else => Place::Whole(Kind::App, stem),
        },
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
fn add(config: &mut ConfigText, kind: Kind, file: File, id: &str) {
    let (all, problems) = kind.of(config);
    let id = match AppId::parse(id) {
        Ok(id) => id,
        Err(text) => {
            let (file, key) = (file.path.into(), String::new());
            return problems.push(Problem { file, place: None, key, text, severity: Severity::Error });
        }
    };
    match all.binary_search_by(|text| text.id.cmp(&id)) {
        Ok(at) => all[at].file = file,
        Err(at) => all.insert(at, AppText { id, file, drop_ins: Vec::new() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_where_it_lies() {
        for (path, wanted) in [
            ("/etc/veneer/apps.d/a.toml", Place::Whole(Kind::App, "a")),
            ("/tmp/b.toml", Place::Whole(Kind::App, "b")),
            ("/x/a.toml.d/10-x.toml", Place::DropIn(Kind::App, "a")),
            ("/etc/veneer/overlays.d/o.toml", Place::Whole(Kind::Overlay, "o")),
            ("/etc/veneer/overlays.d/o.toml.d/10-x.toml", Place::DropIn(Kind::Overlay, "o")),
            ("/etc/veneer/overlays.d/veneer.toml.d/10-x.toml", Place::DropIn(Kind::Overlay, "veneer")),
            ("/x/veneer.toml", Place::Settings),
            ("/x/veneer.toml.d/y.toml", Place::Settings),
            ("/x/templates.d/web.toml", Place::Template("web")),
        ] {
            assert_eq!(place(path, Says::Else), wanted, "{path}");
        }
        for (text, wanted) in [
            ("[overlay]\nsource = \"/a\"", Place::Whole(Kind::Overlay, "b")),
            ("[[overlay]]\nname = \"a\"", Place::Batch),
            ("[overlay]\nmode = \"volatile\"", Place::Whole(Kind::App, "b")),
            ("[overlay", Place::Whole(Kind::App, "b")),
        ] {
            assert_eq!(place("/tmp/b.toml", says(&File::new("/tmp/b.toml", text))), wanted, "{text}");
        }
        // Where an app's file must be, it is one.
        assert_eq!(place("/etc/veneer/apps.d/b.toml", Says::Overlay), Place::Whole(Kind::App, "b"));
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

//! What the configuration directories hold, as pure data: which file counts for which app.
//! Nothing here reads a disk (`host::config_files` does) or looks into a file's text.
//! Precedence, masks and drop-ins follow systemd.unit(5), "Unit File Load Path".

use super::report::problem;
use crate::name::AppId;
use crate::problem::{Problem, Severity};
use std::collections::BTreeMap;

/// One file: its path as the user knows it (without a `--root`), and what came of reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path.
    pub path: Box<str>,
    /// Its text, or why there is none.
    pub body: Body,
}

/// What came of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Its text; an empty one masks.
    Text(Box<str>),
    /// It cannot be read: the reason, as a sentence.
    Unreadable(String),
}

impl File {
    /// A file with this text.
    pub fn new(path: impl Into<Box<str>>, text: impl Into<Box<str>>) -> Self {
        Self { path: path.into(), body: Body::Text(text.into()) }
    }

    /// A file that cannot be read.
    pub fn unreadable(path: impl Into<Box<str>>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), body: Body::Unreadable(reason.into()) }
    }

    /// Whether it is empty (or a link to `/dev/null`, which reads the same) and so masks.
    pub fn is_mask(&self) -> bool {
        matches!(&self.body, Body::Text(text) if text.is_empty())
    }

    /// Its text; empty if it cannot be read.
    pub fn text(&self) -> &str {
        match &self.body {
            Body::Text(text) => text,
            Body::Unreadable(_) => "",
        }
    }
}

/// A file under its name in a directory.
pub type Named = (Box<str>, File);

/// What one configuration directory holds; names carry no `.toml`. Any order.
#[derive(Clone, Debug, Default)]
pub struct Dir {
    /// `veneer.toml`.
    pub settings: Option<File>,
    /// `veneer.toml.d/*.toml`.
    pub settings_drop_ins: Vec<Named>,
    /// `templates.d/*.toml`.
    pub templates: Vec<Named>,
    /// `apps.d/*.toml`.
    pub apps: Vec<Named>,
    /// `apps.d/ID.toml.d/*.toml`: the directory's path, the app's name, its files.
    pub drop_ins: Vec<DropIns>,
    /// `overlays.d/*.toml`.
    pub overlays: Vec<Named>,
    /// `overlays.d/NAME.toml.d/*.toml`, as for apps.
    pub overlay_drop_ins: Vec<DropIns>,
    /// Directories that are there but cannot be read: path and reason.
    pub unreadable: Vec<(Box<str>, String)>,
}

/// The drop-ins of one app in one directory.
#[derive(Clone, Debug)]
pub struct DropIns {
    /// The directory, as the user knows it.
    pub path: Box<str>,
    /// The app's name, unchecked.
    pub app: Box<str>,
    /// The files.
    pub files: Vec<Named>,
}

/// Everything that is configured, each file once, in the order in which it counts.
#[derive(Clone, Debug, Default)]
pub struct ConfigText {
    /// `veneer.toml` and its drop-ins, weakest first, without what is masked.
    pub settings: Vec<File>,
    /// Templates by name; masks among them.
    pub templates: BTreeMap<Box<str>, File>,
    /// Apps, sorted by id, masked ones among them.
    pub apps: Vec<AppText>,
    /// Overlays over the host, sorted by name, masked ones among them.
    pub overlays: Vec<AppText>,
    /// What is wrong with names and directories; the rest goes on all the same.
    pub problems: Vec<Problem>,
}

/// The files of one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppText {
    /// Its id.
    pub id: AppId,
    /// Its own file, from the strongest directory that has one.
    pub file: File,
    /// Its drop-ins, weakest first, without what is masked.
    pub drop_ins: Vec<File>,
}

/// Whether an app is to have units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppState {
    /// Its file says what it is (or cannot be read, which `load_app` reports).
    Configured,
    /// Its file is empty or a link to `/dev/null`.
    Masked,
}

impl AppText {
    /// A file that stands alone (`veneer check FILE`), its id taken from its name; the error is its Problem.
    pub fn alone(file: File) -> Result<Self, Problem> {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        match AppId::parse(name.strip_suffix(".toml").unwrap_or(name)) {
            Ok(id) => Ok(Self { id, file, drop_ins: Vec::new() }),
            Err(reason) => Err(error(file.path, reason)),
        }
    }

    /// Whether the app is to have units.
    pub fn state(&self) -> AppState {
        if self.file.is_mask() { AppState::Masked } else { AppState::Configured }
    }
}

impl ConfigText {
    /// Sorts out which file counts, from directories in order of strength, the strongest last.
    pub fn from_dirs(dirs: Vec<Dir>) -> Self {
        let mut all = Self::default();
        let mut sorter = Sorter::default();
        for dir in dirs {
            for (path, reason) in dir.unreadable {
                sorter.unreadable(path, reason, &mut all.problems);
            }
            sorter.settings = dir.settings.or(sorter.settings);
            sorter.settings_drop_ins.extend(dir.settings_drop_ins);
            all.templates.extend(dir.templates);
            sorter.apps.add(dir.apps, dir.drop_ins);
            sorter.overlays.add(dir.overlays, dir.overlay_drop_ins);
        }
        sorter.sort_into(&mut all);
        all
    }

    /// The app with this id.
    pub fn app(&self, id: &str) -> Option<&AppText> {
        self.apps.binary_search_by(|app| app.id.as_str().cmp(id)).ok().map(|at| &self.apps[at])
    }
}

type ByName = BTreeMap<Box<str>, File>;

/// What is found so far, by name: a stronger directory replaces.
#[derive(Default)]
struct Sorter {
    settings: Option<File>,
    settings_drop_ins: ByName,
    /// Directories that may hold settings nobody can see: each is a file that cannot be read.
    settings_unseen: Vec<File>,
    apps: Files,
    overlays: Files,
}

/// Files of one kind, with their drop-ins.
#[derive(Default)]
struct Files {
    files: Vec<Named>,
    drop_ins: BTreeMap<Box<str>, (Box<str>, ByName)>,
}

impl Files {
    fn add(&mut self, files: Vec<Named>, drop_ins: Vec<DropIns>) {
        self.files.extend(files);
        for drop_ins in drop_ins {
            let of_one = self.drop_ins.entry(drop_ins.app).or_insert_with(|| (drop_ins.path, BTreeMap::new()));
            of_one.1.extend(drop_ins.files);
        }
    }

    /// Each file once, with its drop-ins; `place` is the directory that messages name.
    fn sort_into(mut self, all: &mut Vec<AppText>, problems: &mut Vec<Problem>, place: &'static str) {
        // Stable: of one name, the strongest directory's comes last, and is kept.
        self.files.sort_by(|a, b| a.0.cmp(&b.0));
        let mut files = self.files.into_iter().peekable();
        all.reserve(files.len());
        while let Some((name, file)) = files.next() {
            if files.peek().is_some_and(|next| next.0 == name) {
                continue;
            }
            let drop_ins = self.drop_ins.remove(&name).map(|(_, files)| files).unwrap_or_default();
            let drop_ins = drop_ins.into_values().filter(|file| !file.is_mask()).collect();
            match AppId::parse(&name) {
                Ok(id) => all.push(AppText { id, file, drop_ins }),
                Err(_) if file.is_mask() => {}
                Err(reason) => problems.push(error(file.path, reason)),
            }
        }
        problems.extend(self.drop_ins.into_iter().map(|(name, (path, _))| orphan(path, &name, place)));
    }
}

impl Sorter {
    fn unreadable(&mut self, path: Box<str>, reason: String, problems: &mut Vec<Problem>) {
        if path.ends_with("/apps.d")
            || path.ends_with("/templates.d")
            || path.ends_with("/overlays.d")
            || path.ends_with(".toml.d") && path.contains("/overlays.d/")
            || path.ends_with(".toml.d") && path.contains("/apps.d/")
        {
            problems.push(error(path, reason));
        } else {
            self.settings_unseen.push(File::unreadable(path, reason));
        }
    }

    fn sort_into(self, all: &mut ConfigText) {
        let drop_ins = self.settings_drop_ins.into_values();
        all.settings = self.settings.into_iter().chain(drop_ins).chain(self.settings_unseen).collect();
        all.settings.retain(|file| !file.is_mask());
        self.apps.sort_into(&mut all.apps, &mut all.problems, "apps.d");
        self.overlays.sort_into(&mut all.overlays, &mut all.problems, "overlays.d");
    }
}

fn error(file: Box<str>, text: String) -> Problem {
    problem(&file, None, "", &text, Severity::Error)
}

fn orphan(path: Box<str>, name: &str, place: &str) -> Problem {
    let what = if place == "apps.d" { "app" } else { "overlay" };
    let text = format!("drop-ins for an {what} that has no file: there is no {place}/{name}.toml");
    problem(&path, None, "", &text, Severity::Warning)
}

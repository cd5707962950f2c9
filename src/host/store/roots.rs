//! Collects what the machine has to say about which images it needs: files, units, mounts, devices, what is up.
//! It decides nothing: `store::in_use` lays the claims on the store. What could not be asked is a sentence in the result.
//! Rules: docs/store.md, "What is in use"; proc_pid_mountinfo(5); `loop/backing_file` and `dm/name` in sysfs.

use super::StoreDir;
use crate::app::{App, Image, ImageFile, ImagePlace, Settings};
use crate::config::{AppState, ConfigText, Dir, Host, Mention, Mentioned, load_app, mentions};
use crate::host::below_root::names;
use crate::host::config_files::read_dirs;
use crate::host::systemctl::Systemctl;
use crate::layout::{CONFIG_DIRS, HOST_OVERLAYS, HOST_OVERLAYS_LIVE, IMAGES, LIVE, SESSIONS, VERSIONS};
use crate::origin::Origin;
use crate::problem::{Problem, Severity};
use crate::session::paths::MARK;
use crate::store::claims;
use crate::store::in_use::{Claim, On};
use crate::store::state::Inode;
use rustix::io::Errno;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// More than any mark, record or table of mounts has.
const TEXT_MAX: u64 = 64 << 20;

/// What was collected.
#[derive(Debug)]
pub struct Roots {
    /// Everything that names something.
    pub claims: Vec<Claim>,
    /// What could not be asked or understood: a sentence each.
    pub problems: Vec<String>,
    /// The host's settings.
    pub settings: Settings,
}

/// What systemd has loaded, as `systemctl show` prints it; none where no systemd runs.
pub fn units(systemd: Option<Systemctl>) -> anyhow::Result<String> {
    match systemd {
        Some(systemd) => systemd.show(&["*".into()], claims::PROPERTIES),
        None => Ok(String::new()),
    }
}

/// Collects all claims on a store; `units` is what [`units`] gives.
pub fn collect(store: &StoreDir, units: &str) -> Roots {
    let dirs = read_dirs(store.root());
    let (mentioned, problems) = mentions(&dirs);
    let mut collector = Collector { store, claims: Vec::new(), problems: Vec::new() };
    collector.wrong(&problems);
    let settings = collector.configured(dirs);
    mentioned.into_iter().for_each(|mention| collector.mention(mention));
    collector.claims.extend(claims::of_units(units));
    collector.up();
    collector.overlays();
    collector.mounts();
    collector.loops();
    Roots { claims: collector.claims, problems: collector.problems, settings }
}

struct Collector<'a> {
    store: &'a StoreDir,
    claims: Vec<Claim>,
    problems: Vec<String>,
}

impl Collector<'_> {
    /// Apps, masked or not. What is wrong with one may hide what it needs.
    fn configured(&mut self, dirs: Vec<Dir>) -> Settings {
        let text = ConfigText::from_dirs(dirs);
        self.wrong(&text.problems);
        let (host, problems) = Host::load(&text);
        self.wrong(&problems);
        for app in &text.apps {
            self.claims.push(Claim { on: On::App(app.id.to_string()), by: app.file.path.to_string() });
            if app.state() == AppState::Configured {
                match load_app(app, &host) {
                    Ok(loaded) => self.made(&loaded.app, &app.file.path),
                    Err(problems) => self.wrong(&problems),
                }
            }
        }
        host.settings
    }

    /// What an app's image is built from, as all its files together say; a single file may have half of it.
    fn made(&mut self, app: &App, by: &str) {
        let Image::File(ImageFile { place: ImagePlace::Made(making), .. }) = &app.image else { return };
        if matches!(making.origin, Origin::Build(_)) {
            self.claims.push(Claim { on: On::Reference(making.origin.to_string()), by: by.to_owned() });
        }
    }

    fn wrong(&mut self, problems: &[Problem]) {
        for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
            let said = problem.to_string();
            if !self.problems.contains(&said) {
                self.problems.push(said);
            }
        }
    }

    fn mention(&mut self, Mention { place, what }: Mention) {
        let on = match what {
            Mentioned::File(path) if path.starts_with('/') => {
                let inode = self.inode(&path);
                On::Path(path, inode)
            }
            Mentioned::File(name) => On::Name(name),
            Mentioned::Reference(reference) => {
                // Records have the whole of it, `docker://docker.io/library/hello:latest`, whatever was typed.
                if let Ok(origin) = Origin::parse(&reference) {
                    self.claims.push(Claim { on: On::Reference(origin.to_string()), by: place.clone() });
                }
                On::Reference(reference)
            }
            Mentioned::Text(text) if is_of_the_store(&text) => On::Text(text),
            Mentioned::Text(_) => return,
        };
        self.claims.push(Claim { on, by: place });
    }

    /// What is at a path's end, below the root; none if nothing is.
    fn inode(&mut self, path: &str) -> Option<Inode> {
        match rustix::fs::stat(self.store.at(path)) {
            Ok(stat) => Some((stat.st_dev, stat.st_ino)),
            Err(Errno::NOENT | Errno::NOTDIR) => None,
            Err(errno) => {
                self.problems.push(format!("{path} cannot be looked at: {}", std::io::Error::from(errno)));
                None
            }
        }
    }

    /// The marks of what is up. What is in them is understood by the paths alone.
    fn up(&mut self) {
        for (place, what) in [(LIVE, "app"), (SESSIONS, "session")] {
            let directory = self.store.at(place);
            for name in self.listed(&directory) {
                let path = directory.join(&name);
                // Of an app's sessions there is a directory, with one for each of them.
                let files = if path.is_dir() {
                    self.listed(&path).into_iter().map(|name| path.join(name).join(MARK)).collect()
                } else {
                    vec![path]
                };
                self.texts(files, &format!("{what} {name} is up"));
            }
        }
    }

    /// Overlays over the host: those that are applied, and those that are declared.
    fn overlays(&mut self) {
        for place in [HOST_OVERLAYS, HOST_OVERLAYS_LIVE] {
            let directory = self.store.at(place);
            for name in self.listed(&directory) {
                self.texts(vec![directory.join(&name).join("record.json")], &format!("overlay {name}"));
            }
        }
        for place in CONFIG_DIRS.map(|dir| format!("{dir}/overlays.d")) {
            let directory = self.store.at(&place);
            for name in self.listed(&directory) {
                self.texts(vec![directory.join(&name)], &format!("{place}/{name}"));
            }
        }
    }

    fn texts(&mut self, files: Vec<PathBuf>, by: &str) {
        for file in files.into_iter().filter(|file| !file.is_dir()) {
            let text = self.text(&file).filter(|text| is_of_the_store(text));
            self.claims.extend(text.map(|text| Claim { on: On::Text(text), by: by.to_owned() }));
        }
    }

    fn mounts(&mut self) {
        let Some(text) = self.text(&self.store.at("/proc/self/mountinfo")) else { return };
        self.claims.extend(claims::of_mounts(&text));
    }

    fn loops(&mut self) {
        let directory = self.store.at("/sys/block");
        for name in self.listed(&directory).into_iter().filter(|name| name.starts_with("loop")) {
            let device = directory.join(&name);
            let Some(backing) = self.text(&device.join("loop/backing_file")) else { continue };
            let path = backing.trim_end_matches('\n');
            let path = path.strip_suffix(" (deleted)").unwrap_or(path).to_owned();
            let inode = self.inode(&path);
            let holders = self.listed(&device.join("holders"));
            let holders: Vec<String> =
                holders.iter().filter_map(|holder| self.text(&directory.join(holder).join("dm/name"))).collect();
            let by = match holders.first() {
                Some(dm) => format!("device {} on /dev/{name}", dm.trim_end()),
                None => format!("device /dev/{name}"),
            };
            self.claims.push(Claim { on: On::Path(path, inode), by });
        }
    }

    fn listed(&mut self, path: &Path) -> Vec<String> {
        names(path).unwrap_or_else(|error| {
            self.problems.push(format!("{error:#}"));
            Vec::new()
        })
    }

    /// A file's text; none if it is not there, or has just gone.
    fn text(&mut self, path: &Path) -> Option<String> {
        match read_small(path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
            // A loop device that goes while it is read.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => None,
            Err(error) => {
                self.problems.push(format!("{} cannot be read: {error}", path.display()));
                None
            }
        }
    }
}

/// The bytes of a file that is no longer than a table of the kernel's.
fn read_small(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = File::open(path)?.take(TEXT_MAX + 1).read_to_end(&mut bytes)?;
    match count as u64 > TEXT_MAX {
        true => Err(std::io::Error::other("it is too long")),
        false => Ok(bytes),
    }
}

/// Whether somebody claims something of the store; most loop devices of a machine are about other files.
pub fn is_about_the_store(claim: &Claim) -> bool {
    !matches!(&claim.on, On::Path(path, _) if !is_of_the_store(path))
}

/// Whether a path into the store can be in a text.
fn is_of_the_store(text: &str) -> bool {
    text.contains(IMAGES) || text.contains(VERSIONS)
}

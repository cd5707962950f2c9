//! `veneer-clone create`: from a spec to a session that others can open, or one sentence why not.
//! It decides first, with everything open that it needs, and shows that with `--dry-run`; whatever goes wrong later, what
//! it did is removed. It never touches a session that another unit made.
//! Kinds and methods are those of docs/sessions.md.

use super::base::Base;
use super::copy_file::{self, Copied};
use super::{claim, copy_tree, grow, overlay, remove, root, sharing};
use crate::app::{FileSystem, Image, ImageFile, Reflink, SessionKind};
use crate::host::notify::Progress;
use crate::host::trusted::{Trusted, Wanted};
use crate::layout::AppPaths;
use crate::path::AbsPath;
use crate::session::paths::{DISK, ROOT, data_of};
use crate::session::steps::Step;
use crate::session::{Create, How, Mark, Method, SessionPaths, mark};
use crate::verity::{Fault, Run};
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::SystemTime;

/// A copy belongs to root alone; whoever opens it for a machine does so as root, or is given it.
const DISK_MODE: u32 = 0o600;

/// Makes a session; what it is, or nothing in a dry run, which is printed.
pub fn run(create: &Create, run: Run) -> Result<Option<Mark>> {
    let job = Job::decide(create)?;
    if run == Run::Dry {
        show(&job.steps(create));
        return Ok(None);
    }
    if is_own_unit(create) {
        // Only a killed removal leaves something of this unit's last run.
        remove::remove(&create.id, &create.name)?;
    }
    claim::claim(&create.id, &create.name, &create.directory, create.limits)?;
    job.carry_out(create).map(Some).inspect_err(|_| {
        // The first error is the one to tell; what cannot be removed now is found again by its name.
        drop(remove::remove(&create.id, &create.name));
    })
}

/// What is to be done, with everything open that it needs.
struct Job {
    kind: SessionKind,
    why: String,
    what: What,
    paths: SessionPaths,
    data: String,
}

enum What {
    Disk(Box<Base>),
    Tree { from: OwnedFd, path: String },
    Overlay,
}

impl Job {
    fn decide(create: &Create) -> Result<Self> {
        let (kind, why) = kind(create)?;
        let what = match (&create.source.image, kind) {
            (Image::File(image), SessionKind::Image) => {
                let base = Base::open(&create.id, image)?;
                create.resize.map_or(Ok(()), |size| grow::check(base.size(), size))?;
                What::Disk(Box::new(base))
            }
            (Image::Directory(_), SessionKind::Image) => {
                return Err(Fault::data("a directory is no image, of which a disk could be made").into());
            }
            (image, SessionKind::Tree) => tree(create, image)?,
            _ => {
                overlay::check_fresh(&create.id)?;
                What::Overlay
            }
        };
        let (paths, data) =
            (SessionPaths::new(&create.id, &create.name), data_of(&create.directory, &create.id, &create.name));
        Ok(Self { kind, why, what, paths, data })
    }

    fn steps(&self, create: &Create) -> Vec<Step> {
        let mut steps = vec![Step::Claim { dir: self.paths.dir.clone(), data: self.data.clone() }];
        match &self.what {
            What::Disk(base) => {
                let to = format!("{}/{DISK}", self.data);
                steps.push(Step::Disk { from: base.path().to_owned(), to: to.clone() });
                steps.extend(create.resize.map(|size| Step::Grow(to.clone(), size)));
                steps.push(Step::Link { at: self.paths.disk(), to });
            }
            What::Tree { path, .. } => {
                let to = format!("{}/{ROOT}", self.data);
                steps.push(Step::Tree { from: path.clone(), to: to.clone() });
                steps.push(Step::Bind { from: to, at: self.paths.root() });
            }
            What::Overlay => steps.push(Step::Overlay {
                lower: create.source.lower.iter().map(ToString::to_string).collect(),
                data: self.data.clone(),
                at: self.paths.root(),
            }),
        }
        steps.push(Step::Mark(self.paths.mark()));
        steps
    }

    fn carry_out(&self, create: &Create) -> Result<Mark> {
        let copied = match &self.what {
            What::Disk(base) => self.disk(create, base)?,
            What::Tree { from, path } => self.tree(create, from, path)?,
            What::Overlay => {
                overlay::mount(&create.source.lower, &self.data, &self.paths.root(), create.source.set_id)?;
                Copied { method: Method::Overlay, why: None }
            }
        };
        let mark = self.mark(create, &copied);
        std::fs::write(self.paths.mark(), mark.to_text()).with_context(|| format!("writing {}", self.paths.mark()))?;
        Ok(mark)
    }

    fn disk(&self, create: &Create, base: &Base) -> Result<Copied> {
        let path = format!("{}/{DISK}", self.data);
        let made = File::options().read(true).write(true).create_new(true).mode(DISK_MODE).open(&path);
        let file = made.with_context(|| format!("making {path}"))?;
        let mut progress = Progress::begin(format!("copying {}", base.path()), base.size());
        let copied = copy_file::copy(base.file(), &file, base.size(), create.reflink, |done| progress.reached(done));
        let copied = copied.with_context(|| format!("copying {} to {path}", base.path()))?;
        base.check_unchanged()?;
        if let Some(size) = create.resize.filter(|size| size.bytes() > base.size()) {
            grow::grow(&file, &path, size)?;
        }
        crate::host::files::link(&self.paths.disk(), &path)?;
        Ok(copied)
    }

    fn tree(&self, create: &Create, from: &OwnedFd, path: &str) -> Result<Copied> {
        let to = format!("{}/{ROOT}", self.data);
        crate::host::files::make_directory(&to, 0o700)?;
        let opened = open_directory(&to)?;
        let from = from.try_clone().context("keeping the directory")?;
        let mut progress = Progress::begin(format!("copying {path}"), 0);
        let copied = copy_tree::copy(from, opened, create.reflink, |done| progress.reached(done));
        let copied = copied.with_context(|| format!("copying {path} to {to}"))?;
        root::bind(&to, &self.paths.root(), create.source.set_id)?;
        Ok(copied)
    }

    fn mark(&self, create: &Create, copied: &Copied) -> Mark {
        let (source, root_hash, path) = match &self.what {
            What::Disk(base) => (base.path().to_owned(), base.root_hash().map(ToString::to_string), self.paths.disk()),
            What::Tree { path, .. } => (path.clone(), None, self.paths.root()),
            What::Overlay => (AppPaths::new(&create.id).image(), None, self.paths.root()),
        };
        let why = match &copied.why {
            Some(not_shared) => format!("{}; not shared: {not_shared}", self.why),
            None => self.why.clone(),
        };
        let how = How { kind: self.kind, method: copied.method, why };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Mark {
            version: mark::VERSION,
            app: create.id.to_string(),
            session: create.name.to_string(),
            kind: how.kind.name().to_owned(),
            method: how.method.name().to_owned(),
            why: how.why,
            source,
            root_hash,
            path,
            data: self.data.clone(),
            since: u64::try_from(since.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// What the session becomes, and why.
fn kind(create: &Create) -> Result<(SessionKind, String)> {
    if create.kind != SessionKind::Auto {
        return Ok((create.kind, format!("kind = \"{}\"", create.kind.name())));
    }
    let (wanted, of) = match &create.source.image {
        Image::Directory(_) => (SessionKind::Tree, "a directory"),
        Image::File(ImageFile { kind: FileSystem::Ext4, fallback: None, .. }) => (SessionKind::Image, "ext4"),
        Image::File(file) => {
            return Ok((SessionKind::Overlay, format!("an image of {} is not written to", file.kind.name())));
        }
    };
    if create.reflink == Reflink::Never {
        return Ok((SessionKind::Overlay, format!("{of} would have to be copied, and an overlay copies nothing")));
    }
    std::fs::create_dir_all(create.directory.as_str()).with_context(|| format!("making {}", create.directory))?;
    let directory = open_directory(create.directory.as_str())?;
    let shares = copy_file::can_share(&directory).with_context(|| format!("looking at {}", create.directory))?;
    if shares && shares_with_original(create, &directory)? {
        return Ok((wanted, format!("the file system of {} shares data", create.directory)));
    }
    if create.reflink == Reflink::Always {
        let text = format!("the file system of {} cannot share data (reflink) with the original", create.directory);
        return Err(Fault::unavailable(text).into());
    }
    let text = format!(
        "the file system of {} shares no data with the original, and an overlay copies nothing",
        create.directory
    );
    Ok((SessionKind::Overlay, text))
}

fn shares_with_original(create: &Create, directory: &OwnedFd) -> Result<bool> {
    let places = match &create.source.image {
        Image::Directory(path) => vec![path.clone()],
        Image::File(file) => crate::verity::names::candidates(&file.place),
    };
    // One that is not there is told by whoever opens it.
    let first = places.iter().find(|path| rustix::fs::stat(path.as_str()).is_ok());
    first.map_or(Ok(true), |path| sharing::shares_with(directory, path.as_str()))
}

/// The tree that is copied: the app's directory, or the files of its mounted image.
fn tree(create: &Create, image: &Image) -> Result<What> {
    let path = match image {
        Image::Directory(path) => path.clone(),
        Image::File(_) => {
            overlay::check_fresh(&create.id)?;
            AbsPath::parse(&AppPaths::new(&create.id).image()).map_err(anyhow::Error::msg)?
        }
    };
    if let Image::Directory(path) = image {
        let there = Trusted::host()?.open(path, Wanted::Directory)?;
        there.ok_or_else(|| Fault::no_input(format!("there is no directory {path}")))?;
    }
    Ok(What::Tree { from: open_directory(path.as_str())?, path: path.to_string() })
}

fn open_directory(path: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).with_context(|| format!("opening {path}"))
}

/// Whether this is the session's own unit, of which systemd runs one at a time.
fn is_own_unit(create: &Create) -> bool {
    let unit = format!("/veneer-clone-{}@{}.service", create.id, create.name);
    // Not readable: then it is nobody's.
    std::fs::read_to_string("/proc/self/cgroup").is_ok_and(|text| text.lines().any(|line| line.ends_with(&unit)))
}

#[allow(clippy::print_stdout, reason = "a dry run is for standard output")]
fn show(steps: &[Step]) {
    steps.iter().for_each(|step| println!("{step}"));
}

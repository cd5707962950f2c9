//! What becomes of each thing that is asked for: kept, added, put in another's place, or refused; as a list to be shown.
//! It changes nothing but the tree it makes of the image's, which nobody writes before all is decided.
//! Rules: docs/inject.md, "What becomes of what is there".

use super::check;
use super::resolve::{Root, Way};
use super::wish::{Bytes, Given, Image, Injection, Purpose, Replacing, What};
use crate::image::read;
use crate::image::tree::{Directory, Entry, InodeId, Meta, Mode, Special};
use crate::layer::fault::{bad, shown};
use crate::verity::tree::ReadAt;
use std::fmt;
use std::io;

/// The permissions of a directory that is only there because something is in it.
const IMPLIED: Mode = Mode(0o755);

/// What becomes of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is there already.
    Keep,
    /// The name is free.
    Add,
    /// It takes another's place.
    Replace,
    /// A directory that is there gets another owner or other permissions.
    Change,
    /// It cannot be, and nothing at all is done.
    Refuse(String),
}

/// One thing and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is, for people.
    pub what: String,
    /// The name that was asked for.
    pub target: String,
    /// Where that is once links are followed.
    pub place: String,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// All that is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The steps, in the order of what was asked.
    pub steps: Vec<Step>,
    /// What an agent lacks in this image, a sentence each.
    pub missing: Vec<String>,
    pub(super) names: Directory,
}

impl Plan {
    /// Whether the image has everything already.
    pub fn is_nothing(&self) -> bool {
        self.missing.is_empty() && self.steps.iter().all(|step| step.verdict == Verdict::Keep)
    }

    /// Why nothing can be done; empty if it can.
    pub fn refusals(&self) -> Vec<String> {
        let refused = |step: &Step| match &step.verdict {
            Verdict::Refuse(why) => Some(format!("{}: {why}", step.target)),
            _ => None,
        };
        self.steps.iter().filter_map(refused).chain(self.missing.iter().cloned()).collect()
    }
}

/// Holds what is asked for against an image and its names.
pub fn decide<D: ReadAt>(
    image: &Image<D>,
    names: Directory,
    injections: &[Injection<Bytes>],
    replacing: Replacing,
) -> io::Result<Plan> {
    let mut root = Root { image, names, injections };
    let mut steps = Vec::with_capacity(injections.len());
    for index in 0..injections.len() {
        steps.push(root.step(index, replacing)?);
    }
    let mut missing = Vec::new();
    for injection in injections.iter().filter(|injection| injection.purpose == Purpose::Agent) {
        if let What::File(bytes) = &injection.what {
            let lacks = check::missing(&root, &injection.target, bytes)?;
            missing.extend(lacks.into_iter().map(|why| format!("{} cannot run in this image: {why}", bytes.shown)));
        }
    }
    if injections.iter().any(|injection| injection.purpose == Purpose::Boot) {
        missing.extend(root.boot_faults()?);
    }
    Ok(Plan { steps, missing, names: root.names })
}

impl<D: ReadAt> Root<'_, D> {
    fn step(&mut self, index: usize, replacing: Replacing) -> io::Result<Step> {
        let injection = &self.injections[index];
        let (target, what) = (injection.target.shown(), injection.what.shown());
        let (parent, name) = injection.target.split().ok_or_else(|| bad("the root is there already"))?;
        let way = match self.walk(parent.as_bytes()) {
            Ok(way) => way,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let verdict = Verdict::Refuse(error.to_string());
                return Ok(Step { what, place: target.clone(), target, verdict });
            }
            Err(error) => return Err(error),
        };
        let place = format!("/{}", way.all().chain([name]).map(shown).collect::<Vec<_>>().join("/"));
        let there = if way.missing.is_empty() { self.directory(&way.there) } else { None };
        let verdict = match there.and_then(|directory| directory.entries.get(name)) {
            None => Verdict::Add,
            Some(entry) if injection.purpose == Purpose::Boot => {
                self.held_against(injection, entry, Replacing::Allowed)?
            }
            Some(entry) => self.held_against(injection, entry, replacing)?,
        };
        if matches!(verdict, Verdict::Add | Verdict::Replace | Verdict::Change) {
            self.put(index, &way, name)?;
        }
        Ok(Step { what, target, place, verdict })
    }

    /// What becomes of something whose name is taken.
    fn held_against(&self, injection: &Injection<Bytes>, entry: &Entry, replacing: Replacing) -> io::Result<Verdict> {
        let other = |what: &str| match replacing {
            Replacing::Allowed => Verdict::Replace,
            Replacing::Refused => Verdict::Refuse(format!("{what} is there (--replace puts this in its place)")),
        };
        let id = match (entry, &injection.what) {
            (Entry::Inode(id), _) => *id,
            (Entry::Directory(_), What::Directory(Given::Nothing)) => return Ok(Verdict::Keep),
            (Entry::Directory(there), What::Directory(Given::Said)) => {
                let same = same_owner(&there.meta, &injection.meta);
                let change = match other("a directory with another owner or other permissions") {
                    Verdict::Replace => Verdict::Change,
                    refused => refused,
                };
                return Ok(if same { Verdict::Keep } else { change });
            }
            (Entry::Directory(_), _) => {
                return Ok(Verdict::Refuse("a directory is there, which is never replaced".into()));
            }
        };
        let Some(there) = self.image.inode(id)? else {
            return Ok(Verdict::Refuse("something else is put there as well".into()));
        };
        let same = match (&there.what, &injection.what) {
            (read::What::File(body), What::File(bytes)) => self.image.holds(*body, bytes)?,
            (read::What::Special(Special::Symlink(said)), What::Link(target)) => said == target,
            _ => false,
        };
        // A link's permissions mean nothing.
        let as_wished = matches!(injection.what, What::Link(_)) || there.meta.mode == injection.meta.mode;
        let owner = (there.meta.uid, there.meta.gid) == (injection.meta.uid, injection.meta.gid);
        if same && as_wished && owner && there.meta.xattrs.is_empty() {
            return Ok(Verdict::Keep);
        }
        Ok(other(if same { "the same with another owner, other permissions or attributes" } else { kind(&there.what) }))
    }

    /// Puts an injection at a name, with the directories that are missing on the way.
    fn put(&mut self, index: usize, way: &Way, name: &[u8]) -> io::Result<()> {
        let injection = &self.injections[index];
        let number = u32::try_from(self.image.inodes.len() + index).map_err(io::Error::other)?;
        let mut directory = &mut self.names;
        for part in way.all() {
            let implied = || Entry::Directory(empty(Meta { mode: IMPLIED, ..Meta::default() }));
            let Entry::Directory(below) = directory.entries.entry(part.into()).or_insert_with(implied) else {
                return Err(bad(format!("{} is no directory", shown(part))));
            };
            directory = below;
        }
        match (&injection.what, directory.entries.get_mut(name)) {
            (What::Directory(_), Some(Entry::Directory(there))) => {
                let Meta { mode, uid, gid, .. } = injection.meta;
                there.meta = Meta { mode, uid, gid, ..std::mem::take(&mut there.meta) };
            }
            (What::Directory(_), _) => {
                directory.entries.insert(name.into(), Entry::Directory(empty(injection.meta.clone())));
            }
            _ => {
                directory.entries.insert(name.into(), Entry::Inode(InodeId(number)));
            }
        }
        Ok(())
    }
}

fn empty(meta: Meta) -> Directory {
    Directory { meta, ..Directory::default() }
}

fn same_owner(one: &Meta, other: &Meta) -> bool {
    (one.mode, one.uid, one.gid) == (other.mode, other.uid, other.gid)
}

fn kind(what: &read::What) -> &'static str {
    match what {
        read::What::File(_) => "another file",
        read::What::Directory(_) => "a directory",
        read::What::Special(Special::Symlink(_)) => "a link",
        read::What::Special(_) => "a device, pipe or socket",
    }
}

impl What<Bytes> {
    fn shown(&self) -> String {
        match self {
            Self::File(bytes) => bytes.shown.clone(),
            Self::Link(target) => format!("a link to {}", shown(target)),
            Self::Directory(_) => "a directory".into(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, target, place, verdict } = self;
        match verdict {
            Verdict::Keep => write!(f, "keep {target}: it is as it should be"),
            Verdict::Add => write!(f, "put {what} at {target}"),
            Verdict::Replace => write!(f, "put {what} at {target}, in the place of what is there"),
            Verdict::Change => write!(f, "give {target} the owner and the permissions that are asked for"),
            Verdict::Refuse(why) => return write!(f, "refuse {target}: {why}"),
        }?;
        if place == target { Ok(()) } else { write!(f, " (which is {place})") }
    }
}

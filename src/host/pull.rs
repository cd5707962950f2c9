//! A container image fetched or built, and put into the store: its blobs, and the record that names them.
//! It decides little: the words are `pull::words`', what a complaint means `pull::fault`'s.
//! The record is written last, when all blobs are there with the sizes that the manifest says; until then nobody sees
//! anything of it. Whole blobs stay when it is broken off, so the next try goes on from there.

use super::pull_files::{self, Kind};
use super::store::notes::{record, write_record};
use super::store::{StoreDir, StoreLock};
use super::stores::LayoutDirectory;
use super::tool::{self, Ended, Package};
use super::{clock, mounts, notify};
use crate::image::publish::ImageName;
use crate::layer::digest::{Digest, Expected};
use crate::layout::{BLOBS, IMAGES, RECORDS, STORE};
use crate::oci::document::Descriptor;
use crate::oci::store::{blob_name, read_document};
use crate::origin::{Build, Origin};
use crate::path::AbsPath;
use crate::pull::fault::{Again, Complaint, complaint, silence};
use crate::pull::words::{Setting, Words, shown, source};
use crate::pull::{Spec, When, blobs};
use crate::store::Record;
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::process::Resource;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SKOPEO: Package = Package { name: "skopeo", version: "1.9" };
const BUILDAH: Package = Package { name: "buildah", version: "1.28" };
/// The first wait before another try; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The blobs' directory as skopeo wants it: it adds `sha256` itself.
const SHARED: &str = "/var/lib/veneer/blobs";

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was fetched.
    Pulled(Record),
    /// The store has it.
    Kept(Record),
    /// What would be done.
    Shown(Vec<String>),
}

/// Who hears what goes on.
pub trait Listener {
    /// Something worth a line.
    fn hear(&self, text: &str);
}

/// Fetches what is asked for, unless the store has it.
pub fn run(store: &StoreDir, spec: &Spec, listener: &dyn Listener) -> Result<Outcome> {
    let pull = Pull { store, spec, listener, reference: spec.origin.to_string() };
    match (spec.when, pull.known()?) {
        (When::Missing, Some(record)) => return Ok(Outcome::Kept(record)),
        (When::Shown, known) => return Ok(Outcome::Shown(pull.steps(known.is_some())?)),
        _ => {}
    }
    // From here on nothing of what is fetched is pruned before it has a record.
    let _held = StoreLock::share(store)?;
    let _mine = pull.lock()?;
    match pull.known()? {
        // Whoever had the lock has fetched it.
        Some(record) if spec.when == When::Missing => Ok(Outcome::Kept(record)),
        before => pull.fetch(before),
    }
}

struct Pull<'a> {
    store: &'a StoreDir,
    spec: &'a Spec,
    listener: &'a dyn Listener,
    reference: String,
}

impl Pull<'_> {
    /// What the reference was resolved to, if what it led to is there: its blobs, or the image made of them.
    fn known(&self) -> Result<Option<Record>> {
        let Some(record) = record(self.store, &self.reference)? else { return Ok(None) };
        let image = |name: &ImageName| self.store.at(IMAGES).join(format!("{name}.raw")).exists();
        let whole = record.image.as_ref().is_some_and(image) || self.blobs_are_there(&record);
        Ok(Some(record).filter(|_| whole))
    }

    fn blobs_are_there(&self, record: &Record) -> bool {
        !record.blobs.is_empty() && record.blobs.iter().all(|digest| self.blob(digest).exists())
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.store.at(BLOBS).join(digest.hex())
    }

    /// A file of the host's own root.
    fn at(&self, path: &str) -> PathBuf {
        self.store.root().join(path.trim_start_matches('/'))
    }

    /// What the tools are told, by files that are there.
    fn setting(&self) -> Result<Setting> {
        let files = &self.spec.files;
        let needed = |given: &Option<AbsPath>, name: &str| match given {
            Some(path) => pull_files::needed(&[self.at(path.as_str())], Kind::File),
            None => {
                let places = ["/etc/veneer", "/usr/lib/veneer"].map(|dir| self.at(&format!("{dir}/{name}")));
                pull_files::needed(&places, Kind::File)
            }
        };
        let optional = |given: &Option<AbsPath>, name: &str, kind| match given {
            Some(path) => pull_files::needed(&[self.at(path.as_str())], kind).map(Some),
            None => pull_files::first(&[self.at(&format!("/etc/veneer/{name}"))], kind),
        };
        let certificates = optional(&files.certificates, "certs.d", Kind::Directory)?;
        let work = self.store.at(BLOBS).join(format!(".{}.pull", self.hex()));
        Ok(Setting {
            policy: needed(&files.policy, "policy.json")?,
            registries: needed(&files.registries, "registries.conf")?,
            lookaside: pull_files::lookaside(|path| self.at(path))?,
            auth_file: optional(&files.auth_file, "auth.json", Kind::File)?,
            certificates: certificates.map_or(Ok(None), |dir| self.certificates(&dir))?,
            platform: self.spec.platform.clone(),
            blobs: self.at(SHARED),
            // The unit's own (systemd.exec(5), "RuntimeDirectory="); by hand, a part of what is removed in the end.
            run: std::env::var_os("RUNTIME_DIRECTORY").map_or_else(|| work.join("run"), PathBuf::from),
            work,
            limits: [("nofile", Resource::Nofile), ("nproc", Resource::Nproc)].map(limit).to_vec(),
        })
    }

    /// The directory of the one registry that is asked.
    fn certificates(&self, dir: &Path) -> Result<Option<PathBuf>> {
        match &self.spec.origin {
            Origin::Registry(reference) => pull_files::first(&[dir.join(reference.host())], Kind::Directory),
            _ => Ok(None),
        }
    }

    /// What the reference's files are called.
    fn hex(&self) -> String {
        Record::file_name(&self.reference).trim_end_matches(".json").to_owned()
    }

    fn steps(&self, known: bool) -> Result<Vec<String>> {
        if known {
            return Ok(vec![format!("keep {}, which is in the store", self.reference)]);
        }
        let setting = self.setting()?;
        let mut steps: Vec<String> = match &self.spec.origin {
            Origin::Build(build) => {
                vec![shown(&setting.build(build)), shown(&setting.copy(&setting.of_build("IMAGE")))]
            }
            origin => source(origin).iter().map(|from| shown(&setting.copy(from))).collect(),
        };
        let record = self.store.at(RECORDS).join(Record::file_name(&self.reference));
        steps.push(format!("write {}", record.display()));
        Ok(steps)
    }

    /// One at a time fetches a reference; whoever waits finds it there.
    fn lock(&self) -> Result<OwnedFd> {
        self.store.make(STORE)?;
        let path = self.store.make(RECORDS)?.join(format!(".{}.lock", self.hex()));
        let act = || format!("locking {}", path.display());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600)).with_context(act)?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            self.listener.hear("waiting for another that fetches it");
            rustix::fs::flock(&file, FlockOperation::LockExclusive).with_context(act)?;
        }
        Ok(file)
    }

    fn fetch(&self, before: Option<Record>) -> Result<Outcome> {
        let setting = self.setting()?;
        self.store.make(BLOBS)?;
        if let Some(record) = &before {
            drop_damaged(self.store, record, self.listener);
        }
        // What a pull that was killed has left.
        clear(&setting.work)?;
        fs::create_dir(&setting.work).with_context(|| format!("making {}", setting.work.display()))?;
        let fetched = self.tries(&setting).and_then(|()| self.described(&setting));
        let cleared = clear(&setting.work);
        let mut record = fetched?;
        cleared?;
        if let Some(before) = before.filter(|before| before.manifest == record.manifest) {
            record.image = before.image;
        }
        sync(&self.store.at(BLOBS))?;
        write_record(self.store, &record)?;
        Ok(Outcome::Pulled(record))
    }

    fn tries(&self, setting: &Setting) -> Result<()> {
        let mut wait = FIRST_WAIT;
        for left in (0..=self.spec.retries).rev() {
            let Err(complaint) = self.try_once(setting)? else { return Ok(()) };
            if left == 0 || complaint.again == Again::Useless {
                return Err(Fault { exit: complaint.exit, sentence: complaint.sentence }.into());
            }
            self.listener.hear(&format!("{}; trying again in {} s", complaint.sentence, wait.as_secs()));
            notify::working(&format!("waiting to pull {} again", self.reference));
            std::thread::sleep(wait);
            wait *= 2;
        }
        Ok(())
    }

    fn try_once(&self, setting: &Setting) -> Result<Result<(), Complaint>> {
        match &self.spec.origin {
            Origin::Build(build) => self.build(setting, build),
            origin => match source(origin) {
                Some(from) => self.tool(&setting.copy(&from), SKOPEO, setting, Sign::Bytes),
                None => Ok(Ok(())),
            },
        }
    }

    fn build(&self, setting: &Setting, build: &Build) -> Result<Result<(), Complaint>> {
        if let Err(complaint) = self.tool(&setting.build(build), BUILDAH, setting, Sign::Words)? {
            return Ok(Err(complaint));
        }
        let id = fs::read_to_string(setting.built()).context("reading what buildah has built")?;
        self.tool(&setting.copy(&setting.of_build(id.trim())), SKOPEO, setting, Sign::Bytes)
    }

    fn tool(&self, words: &Words, package: Package, setting: &Setting, sign: Sign) -> Result<Result<(), Complaint>> {
        let mut progress = notify::Bytes::begin(format!("pulling {}", self.reference));
        let homes = tool::Homes { home: &setting.work, run: &setting.run };
        let ended = tool::run(words, homes, package, self.spec.patience, |spoken| {
            let bytes = bytes_below(&setting.layout());
            progress.reached(bytes);
            match sign {
                Sign::Bytes => bytes + names_in(&setting.blobs.join("sha256")),
                Sign::Words => spoken as u64,
            }
        })?;
        Ok(match ended {
            Ended::Well => Ok(()),
            Ended::Badly { said } => Err(complaint(package.name, &said)),
            Ended::Silent { said } => Err(silence(&said, self.spec.patience.as_secs())),
        })
    }

    /// The record of what is in the layout now, every blob of it there.
    fn described(&self, setting: &Setting) -> Result<Record> {
        let index = fs::read(setting.layout().join("index.json")).context("reading what skopeo has written")?;
        let manifest = blobs::manifest_of(&index)?;
        let store = LayoutDirectory(self.at(STORE));
        let read = |blob: &Descriptor| {
            let expected = Expected { digest: Some(blob.digest.clone()), size: Some(blob.size) };
            read_document(&store, &blob_name(&blob.digest), expected)
        };
        let named = blobs::named_by(&read(&manifest)?)?;
        for blob in &named {
            self.check_size(blob)?;
        }
        let labels = named.first().map(read).transpose()?;
        Ok(Record {
            reference: self.reference.clone(),
            manifest: manifest.digest.clone(),
            image: None,
            when: clock::now(),
            labels: labels.map(|config| blobs::labels(&config)).unwrap_or_default(),
            blobs: blobs::all(&manifest.digest, &named),
        })
    }

    fn check_size(&self, blob: &Descriptor) -> Result<()> {
        let path = self.blob(&blob.digest);
        let size = fs::metadata(&path).with_context(|| format!("looking at the blob {}", blob.digest))?.len();
        if size == blob.size {
            return Ok(());
        }
        // The next try must not take it for whole.
        fs::remove_file(&path).with_context(|| format!("removing the blob {}", blob.digest))?;
        let said = format!("the blob {} has {size} bytes, and its manifest says {}", blob.digest, blob.size);
        Err(Fault::data(said).into())
    }
}

/// Removes the blobs of a record that are not what their names say: they would be taken for whole.
pub fn drop_damaged(store: &StoreDir, record: &Record, listener: &dyn Listener) {
    for digest in &record.blobs {
        let path = store.at(BLOBS).join(digest.hex());
        if path.exists() && super::source::digest_of(&path).is_ok_and(|found| found != *digest) {
            listener.hear(&format!("the blob {digest} is damaged, and fetched again"));
            // If it stays, what is made of it says so.
            drop(fs::remove_file(&path));
        }
    }
}

/// What shows that a tool is at work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// Bytes on the disk.
    Bytes,
    /// What it says.
    Words,
}

/// A limit of this process, as buildah wants it; none at all is the most that buildah would set by itself.
fn limit((name, resource): (&str, Resource)) -> String {
    const MOST: u64 = 1 << 20;
    let limit = rustix::process::getrlimit(resource);
    let [soft, hard] = [limit.current, limit.maximum].map(|limit| limit.unwrap_or(MOST).min(MOST));
    format!("{name}={soft}:{hard}")
}

/// Bytes in a directory's own files.
fn bytes_below(dir: &Path) -> u64 {
    // It is only a sign of life: what cannot be looked at shows none.
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

fn names_in(dir: &Path) -> u64 {
    fs::read_dir(dir).map_or(0, |entries| entries.count() as u64)
}

fn clear(dir: &Path) -> Result<()> {
    mounts::remove_all(dir).with_context(|| format!("removing {}", dir.display()))
}

fn sync(dir: &Path) -> Result<()> {
    let opened = fs::File::open(dir).and_then(|dir| dir.sync_all());
    opened.with_context(|| format!("syncing {}", dir.display()))
}

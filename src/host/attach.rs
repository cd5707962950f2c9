//! `veneer-verity attach`: from a spec to a block device with its link, or one sentence why not.
//! It mounts nothing; whatever goes wrong, what it did is undone and nothing of the image can be run.
//! What it does and in which order is `verity::steps`; DESIGN of it in docs/verity.md.

use super::device_mapper::{self, DeviceMapper};
use super::image_files::{Found, FoundImage, VerityFiles, find};
use super::journal::{Entry, Journal, Weight};
use super::loop_device::{Lifetime, LoopDevice, Reading};
use super::mark_store::{self, Settled};
use super::trusted::{Trusted, Wanted};
use super::{detach, files, points, probe, signature, tree_check};
use crate::app::{FileSystem, Image, ImageFile, Trust};
use crate::layout::{APPS, AppPaths};
use crate::live::{LiveImage, LiveMark, LiveSource, Shown};
use crate::message;
use crate::path::AbsPath;
use crate::verity::steps::Step;
use crate::verity::table::{self, DeviceNumber};
use crate::verity::{Fault, Run, Spec, Superblock, dm_message};
use anyhow::{Context, Result};
use rustix::fd::AsFd as _;
use std::time::SystemTime;

/// What messages say about the image, known as far as the attach has come.
#[derive(Debug, Default)]
pub struct Told {
    image: Option<String>,
    root_hash: Option<String>,
}

/// Attaches and says in the journal how it went; the error has been said.
pub fn run(spec: &Spec, run: Run, journal: &Journal) -> Result<(), Fault> {
    let mut told = Told::default();
    attach(spec, run, journal, &mut told).map_err(|error| {
        let fault = Fault::of(&error).cloned();
        let id =
            if fault.as_ref().is_some_and(Fault::is_of_the_image) { message::REFUSED } else { message::ATTACH_FAILED };
        say(spec, &told, Weight::Error, id, journal, &format!("attaching {}: {error:#}", spec.id));
        fault.unwrap_or_else(|| Fault::failure(format!("{error:#}")))
    })
}

fn attach(spec: &Spec, run: Run, journal: &Journal, told: &mut Told) -> Result<()> {
    let trusted = Trusted::host()?;
    let job = match &spec.image {
        Image::Directory(directory) => directory_job(spec, &trusted, directory)?,
        Image::File(file) => match find(&trusted, file, |path| told.image = Some(path.to_string()))? {
            Found::Image(found) => image_job(spec, file, *found, told)?,
            Found::Nowhere(looked_for) => fallback_job(spec, &trusted, file, looked_for)?,
        },
    };
    if run == Run::Dry {
        return show(&job.steps);
    }
    let source = carry_out(spec, &job, journal)?;
    report(spec, told, &source, journal);
    Ok(())
}

/// What is to be done, with everything open that it needs.
struct Job {
    steps: Vec<Step>,
    what: What,
}

enum What {
    Directory(AbsPath),
    Fallback { directory: AbsPath, looked_for: Vec<String> },
    Image(Box<Checked>),
}

/// An image whose tree and signature are good.
struct Checked {
    found: FoundImage,
    verity: Option<Superblock>,
    trust: Trust,
    kind: FileSystem,
    looked_for: Vec<String>,
    dm_name: String,
}

fn directory_job(spec: &Spec, trusted: &Trusted, directory: &AbsPath) -> Result<Job> {
    check_directory(trusted, directory)?;
    let mut steps = first_steps(spec);
    steps.push(Step::Mark(AppPaths::new(&spec.id).live()));
    Ok(Job { steps, what: What::Directory(directory.clone()) })
}

fn fallback_job(spec: &Spec, trusted: &Trusted, file: &ImageFile, looked_for: Vec<String>) -> Result<Job> {
    let Some(directory) = &file.fallback else {
        return Err(Fault::no_input(format!("there is no image {}", looked_for.join(", nor "))).into());
    };
    check_directory(trusted, directory)?;
    let paths = AppPaths::new(&spec.id);
    let mut steps = first_steps(spec);
    steps.push(Step::Mark(paths.live()));
    steps.push(Step::Link { at: paths.tree(), to: directory.to_string() });
    Ok(Job { steps, what: What::Fallback { directory: directory.clone(), looked_for } })
}

fn image_job(spec: &Spec, file: &ImageFile, found: FoundImage, told: &mut Told) -> Result<Job> {
    let verity = match &found.verity {
        None => None,
        Some(verity) => {
            told.root_hash = Some(verity.root.to_string());
            if let Some(signature) = &verity.signature {
                signature::check(&verity.root, signature, found.image.path())?;
            }
            Some(tree_check::check(&found.image, verity, file.verify)?)
        }
    };
    let mut activation = [0; 4];
    rustix::rand::getrandom(&mut activation, rustix::rand::GetRandomFlags::empty()).context("drawing a number")?;
    let dm_name = dm_message::device_name(&spec.id, u32::from_ne_bytes(activation));
    let steps = image_steps(spec, file, &found, &dm_name);
    let looked_for = crate::verity::names::candidates(&file.place);
    let looked_for = looked_for.iter().map(ToString::to_string).take_while(|path| path != found.image.path());
    let looked_for = looked_for.chain([found.image.path().to_owned()]).collect();
    let (trust, kind) = (file.trust.clone(), file.kind);
    Ok(Job { steps, what: What::Image(Box::new(Checked { found, verity, trust, kind, looked_for, dm_name })) })
}

fn first_steps(spec: &Spec) -> Vec<Step> {
    let paths = AppPaths::new(&spec.id);
    let mut steps = vec![Step::Directory(paths.dir.clone())];
    if !spec.points.is_empty() {
        steps.push(Step::Points(paths.points(), spec.points.len()));
    }
    steps
}

fn image_steps(spec: &Spec, file: &ImageFile, found: &FoundImage, dm_name: &str) -> Vec<Step> {
    let paths = AppPaths::new(&spec.id);
    let mut steps = first_steps(spec);
    steps.push(Step::ImageLoop(found.image.path().to_owned()));
    if let Some(verity) = &found.verity {
        steps.push(Step::TreeLoop(verity.tree.path().to_owned()));
        steps.push(Step::Verity { name: dm_name.to_owned(), root: verity.root.clone() });
    }
    steps.push(Step::Probe(file.kind));
    steps.push(Step::Mark(paths.live()));
    if file.fallback.is_some() {
        steps.push(Step::Link { at: paths.tree(), to: paths.image() });
    }
    steps.push(Step::DeviceLink(paths.device()));
    steps
}

fn check_directory(trusted: &Trusted, directory: &AbsPath) -> Result<()> {
    match trusted.open(directory, Wanted::Directory)? {
        Some(_) => Ok(()),
        None => Err(Fault::no_input(format!("there is no directory {directory}")).into()),
    }
}

#[allow(clippy::print_stdout, reason = "a dry run is for standard output")]
fn show(steps: &[Step]) -> Result<()> {
    steps.iter().for_each(|step| println!("{step}"));
    Ok(())
}

/// What has been done so far, and is undone if the next step does not work.
#[derive(Default)]
struct Done {
    image: Option<LoopDevice>,
    tree: Option<LoopDevice>,
    device: Option<String>,
    kernel_checked: bool,
}

fn carry_out(spec: &Spec, job: &Job, journal: &Journal) -> Result<LiveSource> {
    let mut done = Done::default();
    match job.steps.iter().try_for_each(|step| done.step(step, spec, job, journal)) {
        Ok(()) => Ok(done.source(job)),
        Err(error) => {
            // Whatever this leaves is detach's to find, from the id alone; the first error is the one to tell.
            drop(done);
            drop(detach::sweep(&spec.id));
            Err(error)
        }
    }
}

impl Done {
    fn step(&mut self, step: &Step, spec: &Spec, job: &Job, journal: &Journal) -> Result<()> {
        match (step, &job.what) {
            (Step::Directory(path), _) => claim(path, spec),
            (Step::Points(layer, _), _) => points::make(layer, &spec.points),
            (Step::Link { at, to }, _) => files::link(at, to),
            (Step::Mark(_), _) => self.mark(spec, job, journal),
            (Step::ImageLoop(path), What::Image(checked)) => {
                let lifetime = if checked.verity.is_some() { Lifetime::WhileHeld } else { Lifetime::UntilReleased };
                let file = &checked.found.image.file;
                let made = LoopDevice::attach(file.as_fd(), &spec.id, lifetime, Reading::Direct);
                let made = made.with_context(|| format!("putting {path} under a loop device"))?;
                self.device = Some(made.node());
                self.image = Some(made);
                Ok(())
            }
            (Step::TreeLoop(path), What::Image(checked)) => {
                let Some(verity) = &checked.found.verity else { return Ok(()) };
                let file = &verity.tree.file;
                let made = LoopDevice::attach(file.as_fd(), &spec.id, Lifetime::WhileHeld, Reading::Cached);
                self.tree = Some(made.with_context(|| format!("putting {path} under a loop device"))?);
                Ok(())
            }
            (Step::Verity { name, .. }, What::Image(checked)) => self.open_verity(name, checked),
            (Step::Probe(kind), What::Image(checked)) => {
                probe::file_system(self.node()?, *kind, checked.found.image.path())
            }
            (Step::DeviceLink(at), _) => files::link(at, self.node()?),
            (Step::ImageLoop(_) | Step::TreeLoop(_) | Step::Verity { .. } | Step::Probe(_), _) => Ok(()),
        }
    }

    fn node(&self) -> Result<&str> {
        self.device.as_deref().context("no device was made")
    }

    fn open_verity(&mut self, name: &str, checked: &Checked) -> Result<()> {
        let (Some(sb), Some(verity), Some(image), Some(tree)) =
            (&checked.verity, &checked.found.verity, &self.image, &self.tree)
        else {
            anyhow::bail!("a verity device needs its loop devices")
        };
        let mapper = DeviceMapper::open()?;
        mapper.create(name, &format!("VENEER-{}", &name["veneer-".len()..]))?;
        self.kernel_checked = load(&mapper, name, sb, verity, (image.number(), tree.number()))?;
        let minor = mapper.resume(name)?;
        let status = mapper.status(name)?;
        // Since Linux 7 more follows the letter, about error correction (drivers/md/dm-verity-target.c).
        if !status.trim_start().starts_with('V') {
            let path = checked.found.image.path();
            return Err(Fault::data(format!("the kernel found {path} corrupted (state {status:?})")).into());
        }
        self.device = Some(device_mapper::node(minor));
        Ok(())
    }

    fn mark(&self, spec: &Spec, job: &Job, journal: &Journal) -> Result<()> {
        let units = mark_store::units_of(&spec.id, spec.chain.as_deref());
        if units.settled == Settled::No {
            let text = format!("attaching {}: its units are being written anew; a daemon-reload is needed", spec.id);
            Entry::about(Weight::Warning, message::UNITS_UNSETTLED, &spec.id).say(journal, &text);
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        mark_store::write(&LiveMark {
            id: spec.id.clone(),
            since: u64::try_from(since.as_micros()).unwrap_or(u64::MAX),
            chain: spec.chain.clone(),
            source: self.source(job),
            files: units.files,
        })
    }

    fn source(&self, job: &Job) -> LiveSource {
        match &job.what {
            What::Directory(directory) => LiveSource::Directory(directory.to_string()),
            What::Fallback { directory, looked_for } => {
                LiveSource::Fallback { directory: directory.to_string(), looked_for: looked_for.clone() }
            }
            What::Image(checked) => LiveSource::Image(Box::new(self.live_image(checked))),
        }
    }

    fn live_image(&self, checked: &Checked) -> LiveImage {
        let verity = checked.found.verity.as_ref();
        let mut side_files = Vec::new();
        if let Some(verity) = verity {
            side_files.push(verity.tree.mark.clone());
            side_files.extend(verity.root_file.clone());
            side_files.extend(verity.signature.as_ref().map(|signature| signature.mark.clone()));
        }
        LiveImage {
            require: checked.trust.name().to_owned(),
            shown: self.shown(checked, verity),
            kind: checked.kind.name().to_owned(),
            device: self.device.clone().unwrap_or_default(),
            dm_name: verity.map(|_| checked.dm_name.clone()),
            looked_for: checked.looked_for.clone(),
            file: checked.found.image.mark.clone(),
            side_files,
        }
    }

    fn shown(&self, checked: &Checked, verity: Option<&VerityFiles>) -> Shown {
        match (&checked.trust, verity) {
            (Trust::Nothing, _) | (_, None) => Shown::Nothing,
            (Trust::Verity, Some(verity)) => Shown::Integrity(verity.root.clone()),
            (Trust::Pinned(_), Some(verity)) => Shown::Pinned(verity.root.clone()),
            (Trust::Signed(_), Some(verity)) if self.kernel_checked => Shown::SignedKernel(verity.root.clone()),
            (Trust::Signed(_), Some(verity)) => Shown::Signed(verity.root.clone()),
        }
    }
}

/// Makes the app's directory, which is the first thing and goes last: whoever finds it finds leftovers, too.
fn claim(path: &str, spec: &Spec) -> Result<()> {
    files::make_directory("/run/veneer", 0o755)?;
    files::make_directory(APPS, 0o700)?;
    if !files::make_directory(path, 0o755)? {
        detach::sweep(&spec.id).context("clearing what an earlier start left")?;
        files::make_directory(path, 0o755)?;
    }
    Ok(())
}

/// Loads the table; true if the kernel checked the signature, too.
fn load(
    mapper: &DeviceMapper,
    name: &str,
    sb: &Superblock,
    verity: &VerityFiles,
    (image, tree): (DeviceNumber, DeviceNumber),
) -> Result<bool> {
    let line = |key: Option<&str>| table::parameters(sb, image, tree, &verity.root, key);
    if let Some(signature) = &verity.signature {
        let key = signature::to_kernel(name, signature)?;
        if mapper.load(name, table::sectors(sb), "verity", &line(Some(&key))).is_ok() {
            return Ok(true);
        }
        // The kernel has no such key, or does not check signatures at all; ours has been checked.
    }
    match mapper.load(name, table::sectors(sb), "verity", &line(None)) {
        Ok(()) => Ok(false),
        Err(_) if !std::fs::exists("/sys/module/dm_verity").unwrap_or(true) => {
            Err(Fault::unavailable("this kernel has no dm-verity (module dm-verity)").into())
        }
        Err(error) => Err(error).with_context(|| format!("loading the verity table of {}", verity.tree.path())),
    }
}

fn report(spec: &Spec, told: &Told, source: &LiveSource, journal: &Journal) {
    let id = &spec.id;
    match source {
        LiveSource::Directory(directory) => {
            say(
                spec,
                told,
                Weight::Info,
                message::ATTACHED,
                journal,
                &format!("{id}: {directory} is its root, unverified"),
            );
        }
        LiveSource::Fallback { directory, looked_for } => {
            let text =
                format!("{id}: there is no image {}; the fallback {directory} serves", looked_for.join(", nor "));
            say(spec, told, Weight::Warning, message::FALLBACK, journal, &text);
        }
        LiveSource::Image(image) => {
            let shown = match &image.shown {
                Shown::Nothing => "nothing is verified",
                Shown::Integrity(_) => "it fits its root hash",
                Shown::Pinned(_) => "it fits the pinned root hash",
                Shown::Signed(_) => "its root hash is signed",
                Shown::SignedKernel(_) => "its root hash is signed, checked by the kernel too",
            };
            let text = format!("{id}: {} is open as {}; {shown}", image.file.path, image.device);
            say(spec, told, Weight::Info, message::ATTACHED, journal, &text);
        }
    }
}

fn say(spec: &Spec, told: &Told, weight: Weight, id: message::MessageId, journal: &Journal, text: &str) {
    Entry::about(weight, id, &spec.id)
        .image(told.image.as_deref())
        .root_hash(told.root_hash.as_deref())
        .say(journal, text);
}

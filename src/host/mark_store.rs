//! One app's mark on the disk, and the units it was set up from.
//! What a mark says is `crate::live`; nothing here judges it, and reading all marks is `live_marks`' work.
//! A mark is written whole, under a name that is no id, and renamed.

use crate::layout::{AppPaths, GENERATOR_DIR, LIVE};
use crate::live::LiveMark;
use crate::name::AppId;
use crate::plan;
use crate::unit::{Content, UnitName};
use anyhow::{Context, Result};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// How long a reload under way is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked again.
const PAUSE: Duration = Duration::from_millis(50);

/// The mark of an app; `None` if it has none.
pub fn read(id: &AppId) -> Result<Option<LiveMark>> {
    let path = AppPaths::new(id).live();
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            LiveMark::parse(&text).map(Some).map_err(anyhow::Error::msg).with_context(|| format!("reading {path}"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {path}")),
    }
}

/// Writes a mark.
pub fn write(mark: &LiveMark) -> Result<()> {
    let path = AppPaths::new(&mark.id).live();
    let new = format!("{LIVE}/.{}.new", mark.id);
    std::fs::create_dir_all(LIVE).with_context(|| format!("making {LIVE}"))?;
    std::fs::write(&new, mark.to_text())
        .and_then(|()| std::fs::rename(&new, &path))
        .with_context(|| format!("writing {path}"))
}

/// Removes a mark, and what a killed writer left of one.
pub fn remove(id: &AppId) -> Result<()> {
    for path in [AppPaths::new(id).live(), format!("{LIVE}/.{id}.new")] {
        super::files::remove_file(&path)?;
    }
    Ok(())
}

/// The generated unit whose command line carries the chain's digest.
pub fn unit(id: &AppId) -> String {
    format!("{GENERATOR_DIR}/{}", UnitName::service_of("veneer-verity", id))
}

/// The digest of the app's present units, as the generator wrote it; none if it has no units (any more).
///
/// A reload may be writing them while we look: that takes a moment, no more.
pub fn chain_of(id: &AppId) -> Result<Option<String>> {
    let (path, end) = (unit(id), Instant::now() + PATIENCE);
    loop {
        let found = match std::fs::read_to_string(&path) {
            Ok(text) => plan::digest_in(&text).map(str::to_owned),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("reading {path}")),
        };
        if found.is_some() || Instant::now() >= end {
            return Ok(found);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Units as they were found.
#[derive(Debug)]
pub struct Units {
    /// Each by its path below the generator's directory.
    pub files: Vec<(String, Content)>,
    /// Whether they are the ones asked for.
    pub settled: Settled,
}

/// Whether what was found is what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It has the digest.
    Yes,
    /// It never had it, however long we waited.
    No,
}

/// The app's generated units; waits for a reload that is just writing them until they have the digest.
pub fn units_of(id: &AppId, chain: Option<&str>) -> Units {
    let end = Instant::now() + PATIENCE;
    loop {
        // A file that vanishes while we look is such a reload.
        let files = collect(id).unwrap_or_default();
        if chain.is_none_or(|chain| digest(id, &files) == chain) {
            return Units { files, settled: Settled::Yes };
        }
        if Instant::now() >= end {
            return Units { files, settled: Settled::No };
        }
        std::thread::sleep(PAUSE);
    }
}

fn digest(id: &AppId, files: &[(String, Content)]) -> String {
    let chain = plan::chain_files(id);
    let files = files.iter().filter(|(path, _)| chain.contains(path));
    plan::chain_digest(files.map(|(path, content)| (path.as_str(), content)))
}

fn collect(id: &AppId) -> Result<Vec<(String, Content)>> {
    let mut files = Vec::new();
    for path in plan::unit_files(id) {
        take(path, &mut files)?;
    }
    Ok(files)
}

fn take(path: String, files: &mut Vec<(String, Content)>) -> Result<()> {
    let full = format!("{GENERATOR_DIR}/{path}");
    let content = match std::fs::read_link(&full) {
        Ok(target) => Content::Link(target.to_string_lossy().into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        // Not a link.
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            Content::File(std::fs::read_to_string(&full).with_context(|| format!("reading {full}"))?)
        }
        Err(error) => return Err(error).with_context(|| format!("reading {full}")),
    };
    files.push((path, content));
    Ok(())
}

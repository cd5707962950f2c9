//! `veneer-verity detach`: undoes everything of an app from its id alone, however far a start had come.
//! It touches no other app's things and deletes no contents: mount points go only when they are empty.
//! It may run any number of times, also after it was killed; the app's directory goes last, so nothing is forgotten.

use super::device_mapper::{DeviceMapper, Removal};
use super::files::{remove_directory, remove_file};
use super::journal::{Entry, Journal, Weight};
use super::loop_device::LoopDevice;
use super::{mark_store, mounts, points};
use crate::layout::AppPaths;
use crate::live::LiveSource;
use crate::message;
use crate::name::AppId;
use anyhow::{Context, Result};
use std::time::Duration;

/// What was found and undone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Mounts that should have gone before.
    pub mounts: Vec<String>,
    /// Devices that were removed.
    pub devices: Vec<String>,
    /// Devices that somebody still holds.
    pub held: Vec<String>,
}

/// What an app's source may have left, by its mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Devices {
    None,
    Mapped,
    Loop,
    Unknown,
}

/// Udev looks at devices for a moment: that is no holding.
const PATIENCE: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);
/// Where the device-mapper shows itself once it is there; opening its node would load the module.
const DEVICE_MAPPER: &str = "/sys/class/misc/device-mapper";

/// Undoes, and says in the journal what was more than usual.
pub fn run(id: &AppId, journal: &Journal) -> Result<()> {
    let result = sweep(id);
    match &result {
        Ok(swept) => report(id, swept, journal),
        Err(error) => {
            let text = format!("detaching {id}: {error:#}");
            Entry::about(Weight::Error, message::CLEANED, id).say(journal, &text);
        }
    }
    result.map(drop)
}

/// Undoes everything of an app. Each part is tried, the first error comes back.
pub fn sweep(id: &AppId) -> Result<Swept> {
    let paths = AppPaths::new(id);
    let mut swept = Swept::default();
    if !is_there(&paths)? {
        return Ok(swept);
    }
    let devices = devices_of(id);
    // The mount points before the devices: removing one takes its mounts off in every other namespace as well
    // (rmdir(2) since Linux 3.18), so that a copy of ours in a container holds no device.
    let results = [
        take_mounts(&paths, &mut swept),
        take_files(&paths),
        take_devices(id, devices, &mut swept),
        take_loops(id, devices, &mut swept),
    ];
    results.into_iter().collect::<Result<()>>()?;
    // Only when nothing is left to find by them.
    mark_store::remove(id)?;
    remove_directory(&paths.dir)?;
    Ok(swept)
}

/// The app's directory is made before anything else and goes last, but for the mark of a killed `sweep`.
fn is_there(paths: &AppPaths) -> Result<bool> {
    for path in [paths.dir.clone(), paths.live()] {
        if std::fs::exists(&path).with_context(|| format!("looking for {path}"))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn devices_of(id: &AppId) -> Devices {
    match mark_store::read(id) {
        Ok(Some(mark)) => match mark.source {
            LiveSource::Directory(_) | LiveSource::Fallback { .. } => Devices::None,
            LiveSource::Image(image) if image.dm_name.is_some() => Devices::Mapped,
            LiveSource::Image(_) => Devices::Loop,
        },
        // No mark: killed before it was written. An unreadable one says nothing either.
        Ok(None) | Err(_) => Devices::Unknown,
    }
}

fn take_mounts(paths: &AppPaths, swept: &mut Swept) -> Result<()> {
    for mount in mounts::at_or_below(&paths.dir)? {
        if mounts::take_off(&mount)? {
            swept.mounts.push(mount);
        }
    }
    Ok(())
}

fn take_devices(id: &AppId, devices: Devices, swept: &mut Swept) -> Result<()> {
    if matches!(devices, Devices::None | Devices::Loop) || !std::fs::exists(DEVICE_MAPPER).unwrap_or(true) {
        return Ok(());
    }
    let mapper = DeviceMapper::open()?;
    for name in mapper.devices_of(id)? {
        match remove_patiently(&mapper, &name)? {
            Removal::Gone => swept.devices.push(name),
            Removal::Deferred => swept.held.push(name),
        }
    }
    Ok(())
}

fn remove_patiently(mapper: &DeviceMapper, name: &str) -> Result<Removal> {
    for _ in 0..PATIENCE {
        if mapper.remove(name)? == Removal::Gone {
            return Ok(Removal::Gone);
        }
        std::thread::sleep(PAUSE);
    }
    mapper.remove(name)
}

/// Under a verity device they go with it; alone they stay until they are released.
fn take_loops(id: &AppId, devices: Devices, swept: &mut Swept) -> Result<()> {
    if matches!(devices, Devices::None | Devices::Mapped) {
        return Ok(());
    }
    for device in LoopDevice::labelled(id)? {
        swept.devices.push(device.node());
        device.release()?;
    }
    Ok(())
}

fn take_files(paths: &AppPaths) -> Result<()> {
    for link in [paths.device(), paths.tree()] {
        remove_file(&link)?;
    }
    points::remove(&paths.points())?;
    for point in [paths.root(), paths.rw(), paths.image()] {
        remove_directory(&point)?;
    }
    Ok(())
}

fn report(id: &AppId, swept: &Swept, journal: &Journal) {
    if !swept.mounts.is_empty() {
        let text = format!("detaching {id}: unmounted {}, which was still there", swept.mounts.join(", "));
        Entry::about(Weight::Warning, message::CLEANED, id).say(journal, &text);
    }
    if !swept.held.is_empty() {
        let text = format!("detaching {id}: {} is held by somebody and goes when it is let go", swept.held.join(", "));
        Entry::about(Weight::Warning, message::HELD, id).say(journal, &text);
    }
}

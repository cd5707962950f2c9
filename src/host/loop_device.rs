//! Loop devices: a file as a block device, read-only.
//! It decides nothing about who gets one; it gives none back either, the kernel does when nobody holds it.
//! Rules: loop(4), linux/loop.h; races between processes are met by trying again, as losetup(8) does.

use super::ioctl::{self, LOOP_CONFIG_SIZE, LOOP_INFO_SIZE};
use crate::name::AppId;
use crate::verity::table::DeviceNumber;
use anyhow::{Context, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::time::Duration;

/// When the kernel takes the file from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// When the last one who holds the device lets go.
    WhileHeld,
    /// When it is asked to (`release`).
    UntilReleased,
}

/// How the device reads its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Past the page cache, where the file's file system can: the mounted image has its own.
    Direct,
    /// Through the page cache, where the file has just been read.
    Cached,
}

/// Whether the file can be written through the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It cannot.
    Read,
    /// It can.
    Write,
}

/// A loop device, open.
#[derive(Debug)]
pub struct LoopDevice {
    fd: OwnedFd,
    number: u32,
}

const CONTROL: &str = "/dev/loop-control";
/// linux/major.h, `LOOP_MAJOR`.
const MAJOR: u32 = 7;
/// linux/loop.h, `LO_FLAGS_…`.
const READ_ONLY: u32 = 1;
const AUTOCLEAR: u32 = 4;
const DIRECT_IO: u32 = 16;
/// `struct loop_info64`: first the device and the inode of the file, as stat(2) has them.
type Info = [u8; LOOP_INFO_SIZE];
/// Where the fields of `struct loop_config` lie: the file's descriptor, then `struct loop_info64` with flags and name.
const FD_AT: usize = 0;
const FLAGS_AT: usize = 8 + 52;
const NAME_AT: usize = 8 + 56;
/// Bytes of `lo_file_name`, with a closing NUL.
const NAME_SIZE: usize = 64;

impl LoopDevice {
    /// Puts a file under a free loop device.
    pub fn attach(file: BorrowedFd<'_>, id: &AppId, lifetime: Lifetime, reading: Reading) -> Result<Self> {
        Self::attach_as(file, &label(id), Access::Read, lifetime, reading)
    }

    /// The same for what is no app's, under a label of its own of at most 63 bytes.
    pub fn attach_as(
        file: BorrowedFd<'_>,
        label: &str,
        access: Access,
        lifetime: Lifetime,
        reading: Reading,
    ) -> Result<Self> {
        let control = open(CONTROL).context("opening /dev/loop-control (is the kernel module loop there?)")?;
        for attempt in 0..ATTEMPTS {
            let number = ioctl::loop_get_free(control.as_fd()).context("finding a free loop device")?;
            match Self::configure(number, file, label, access, lifetime, reading) {
                Ok(device) => return Ok(device),
                // Somebody took it first, or it is just being made or torn down.
                Err(Errno::BUSY | Errno::NXIO | Errno::NODEV | Errno::NOENT | Errno::AGAIN | Errno::INTR) => {
                    std::thread::sleep(Duration::from_micros(200 * u64::from(attempt.min(50))));
                }
                Err(error) => return Err(error).with_context(|| format!("configuring /dev/loop{number}")),
            }
        }
        anyhow::bail!("no loop device could be had in {ATTEMPTS} attempts: other processes took each first")
    }

    fn configure(
        number: u32,
        file: BorrowedFd<'_>,
        label: &str,
        access: Access,
        lifetime: Lifetime,
        reading: Reading,
    ) -> Result<Self, Errno> {
        let mode = if access == Access::Write { OFlags::RDWR } else { OFlags::RDONLY };
        let fd = rustix::fs::open(node(number), mode | OFlags::CLOEXEC, Mode::empty())?;
        let mut config = [0; LOOP_CONFIG_SIZE];
        let autoclear = if lifetime == Lifetime::WhileHeld { AUTOCLEAR } else { 0 };
        let direct = if reading == Reading::Direct { DIRECT_IO } else { 0 };
        config[FD_AT..FD_AT + 4].copy_from_slice(&file.as_raw_fd().to_ne_bytes());
        let read_only = if access == Access::Read { READ_ONLY } else { 0 };
        config[FLAGS_AT..FLAGS_AT + 4].copy_from_slice(&(read_only | autoclear | direct).to_ne_bytes());
        let name = &label.as_bytes()[..label.len().min(NAME_SIZE - 1)];
        config[NAME_AT..NAME_AT + name.len()].copy_from_slice(name);
        ioctl::loop_configure(fd.as_fd(), &mut config)?;
        Ok(Self { fd, number })
    }

    /// Its numbers, for a device-mapper table.
    pub fn number(&self) -> DeviceNumber {
        DeviceNumber { major: MAJOR, minor: self.number }
    }

    /// The path of its node.
    pub fn node(&self) -> String {
        node(self.number)
    }

    /// Takes the file from it, at once or when it is let go.
    pub fn release(self) -> Result<()> {
        ioctl::loop_clear(self.fd.as_fd()).with_context(|| format!("releasing {}", self.node()))
    }

    /// Its descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The loop devices that carry this app's label.
    pub fn labelled(id: &AppId) -> Result<Vec<Self>> {
        Ok(Self::all_labelled(&label(id))?.into_iter().map(|(device, _)| device).collect())
    }

    /// A loop device of this label that has this very file already.
    ///
    /// It stays there while it is held. A file system that is written to must never be under two: each would have a cache
    /// of its own.
    pub fn of_file(file: BorrowedFd<'_>, label: &str) -> Result<Option<Self>> {
        let stat = rustix::fs::fstat(file).context("looking at the file of a loop device")?;
        let own = [stat.st_dev.to_ne_bytes(), stat.st_ino.to_ne_bytes()].concat();
        let mut found = Self::all_labelled(label)?.into_iter();
        Ok(found.find(|(_, info)| info.starts_with(&own)).map(|(device, _)| device))
    }

    fn all_labelled(label: &str) -> Result<Vec<(Self, Info)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/sys/block").context("listing /sys/block")? {
            let name = entry.context("listing /sys/block")?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("loop")).and_then(|rest| rest.parse().ok());
            found.extend(number.and_then(|number| Self::if_labelled(number, label)));
        }
        Ok(found)
    }

    /// A device that is free, gone or somebody else's has not this label.
    fn if_labelled(number: u32, label: &str) -> Option<(Self, Info)> {
        std::fs::exists(format!("/sys/block/loop{number}/loop/backing_file")).ok().filter(|bound| *bound)?;
        let fd = open(&node(number)).ok()?;
        let info = ioctl::loop_status(fd.as_fd()).ok()?;
        let name = &info[NAME_AT - 8..][..NAME_SIZE];
        let name = name.split(|byte| *byte == 0).next()?;
        (name == label.as_bytes()).then_some((Self { fd, number }, info))
    }
}

/// How often a free device is asked for; twenty starts at once need a handful.
const ATTEMPTS: u32 = 200;

/// What marks a device as an app's, in 63 bytes: the whole id does not fit, so its digest tells apps apart.
fn label(id: &AppId) -> String {
    let start: String = id.as_str().chars().take(32).collect();
    format!("veneer-{:016x}-{start}", crate::digest::fnv64(id.as_str().as_bytes()))
}

fn node(number: u32) -> String {
    format!("/dev/loop{number}")
}

fn open(path: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_fit_and_differ() {
        let long = |end: &str| AppId::parse(&format!("{}{end}", "x".repeat(60))).expect("good id");
        assert!(label(&long("abcd")).len() < NAME_SIZE);
        assert_ne!(label(&long("a")), label(&long("b")));
    }
}

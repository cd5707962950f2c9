//! Device-mapper devices: made, resumed, asked, removed.
//! No libdevmapper and no udev cookie: our devices are opened by number and announced to nobody (docs/verity.md).
//! Rules: linux/dm-ioctl.h; the messages are laid out by `verity::dm_message`.

use super::ioctl;
use crate::name::AppId;
use crate::verity::Fault;
use crate::verity::dm_message::{Command, Message, app_of_device, flag};
use anyhow::{Context, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// The device-mapper's control device, open.
#[derive(Debug)]
pub struct DeviceMapper {
    control: OwnedFd,
}

/// What became of a device that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Gone,
    /// It is held, and goes when it is let go.
    Deferred,
}

const CONTROL: &str = "/dev/mapper/control";
/// Room for the first answer; grown if the kernel says it was too little.
const ROOM: usize = 16 << 10;
/// More names than this many bytes hold are no list any more.
const ROOM_MAX: usize = 64 << 20;

impl DeviceMapper {
    /// Opens the control device, which loads the module.
    pub fn open() -> Result<Self> {
        match rustix::fs::open(CONTROL, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            Ok(control) => Ok(Self { control }),
            Err(Errno::NOENT | Errno::NXIO | Errno::NODEV) => {
                Err(Fault::unavailable("this kernel has no device-mapper (module dm-mod, dm-verity)").into())
            }
            Err(error) => Err(error).context("opening /dev/mapper/control"),
        }
    }

    /// Makes a device without a table.
    pub fn create(&self, name: &str, uuid: &str) -> Result<()> {
        let mut message = Message::create(name, uuid);
        self.call(Command::Create, &mut message).with_context(|| format!("creating the device {name}"))
    }

    /// Loads a read-only table of one target; the kernel's refusal comes back as it is.
    pub fn load(&self, name: &str, sectors: u64, target: &str, parameters: &str) -> Result<(), Errno> {
        self.call(Command::LoadTable, &mut Message::load_table(name, sectors, target, parameters))
    }

    /// Makes the loaded table live; gives the device's minor number.
    pub fn resume(&self, name: &str) -> Result<u32> {
        let mut message = Message::new(name, flag::READ_ONLY, 0);
        self.call(Command::Resume, &mut message).with_context(|| format!("resuming the device {name}"))?;
        Ok(message.minor())
    }

    /// What the device's target says of itself.
    pub fn status(&self, name: &str) -> Result<String> {
        let mut message = Message::new(name, 0, ROOM);
        self.call(Command::TableStatus, &mut message).with_context(|| format!("asking the state of {name}"))?;
        Ok(message.status())
    }

    /// Removes a device, now or when it is let go; one that is gone is gone.
    pub fn remove(&self, name: &str) -> Result<Removal> {
        let mut message = Message::new(name, flag::DEFERRED_REMOVE, 0);
        match self.call(Command::Remove, &mut message) {
            Ok(()) if message.flags() & flag::DEFERRED_REMOVE != 0 => Ok(Removal::Deferred),
            Ok(()) | Err(Errno::NXIO) => Ok(Removal::Gone),
            Err(error) => Err(error).with_context(|| format!("removing the device {name}")),
        }
    }

    /// The names of all devices of an app, old ones that are still held among them.
    pub fn devices_of(&self, id: &AppId) -> Result<Vec<String>> {
        let mut names = self.names()?;
        names.retain(|name| app_of_device(name).as_ref() == Some(id));
        Ok(names)
    }

    fn names(&self) -> Result<Vec<String>> {
        let mut room = ROOM;
        loop {
            let mut message = Message::new("", 0, room);
            self.call(Command::ListDevices, &mut message).context("listing the device-mapper's devices")?;
            if !message.is_truncated() {
                return Ok(message.names());
            }
            anyhow::ensure!(room < ROOM_MAX, "the list of the device-mapper's devices has no end");
            room *= 4;
        }
    }

    fn call(&self, command: Command, message: &mut Message) -> Result<(), Errno> {
        ioctl::device_mapper(self.control.as_fd(), command as u8, message.bytes())
    }
}

/// The node of a device, which devtmpfs makes without any help.
pub fn node(minor: u32) -> String {
    format!("/dev/dm-{minor}")
}

//! How many connections one user has at a time: each holds a lock of that user's few.
//! A lock goes with its process, so nothing has to be counted down.
//! systemd's own limits are for all users together (systemd.socket(5), `MaxConnections=`) on systems before 257.

use super::peer::Peer;
use crate::host::files;
use crate::layout::REQUESTS_LIVE;
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// Connections of one user.
const SLOTS: u32 = 8;

/// The lock of a connection.
#[derive(Debug)]
pub(super) struct Slot {
    _file: OwnedFd,
}

/// Takes a free one; none if all are taken. Root's are not counted.
pub(super) fn take(peer: &Peer) -> Result<Option<Slot>> {
    files::make_directory("/run/veneer", 0o755)?;
    files::make_directory(REQUESTS_LIVE, 0o700)?;
    for number in 0..SLOTS {
        let file = open(&format!("{REQUESTS_LIVE}/{}.{number}", peer.uid))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(Slot { _file: file })),
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error).context("taking a slot"),
        }
    }
    Ok(None)
}

/// One at a time, whoever asks: what is counted must still be so when it is laid over the host.
pub(super) fn one_at_a_time() -> Result<Slot> {
    let file = open(&format!("{REQUESTS_LIVE}/limits"))?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive).context("waiting for other requests")?;
    Ok(Slot { _file: file })
}

fn open(path: &str) -> Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).with_context(|| format!("opening {path}"))
}

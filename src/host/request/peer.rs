//! Who is at the other end of a connection: the user, their groups, and the very process, as the kernel knows them.
//! It takes nobody's word: not that of a message, and no number of a process that may be another's by now.
//! Sources: unix(7) (`SO_PEERCRED`, `SO_PEERPIDFD`, Linux 6.5), pidfd_open(2), proc_pid_stat(5).

use crate::host::ioctl;
use crate::request::limits::Asker;
use anyhow::{Context, Result, bail};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// Whoever asks.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Their groups when they connected.
    pub(super) groups: Vec<u32>,
    pid: i32,
    /// When the process began: with the pid, it names one process only.
    start: u64,
    name: String,
    pidfd: OwnedFd,
}

impl Peer {
    /// Asks the kernel about a connection.
    pub(super) fn of(socket: &OwnedFd) -> Result<Self> {
        let credentials = getsockopt(socket, sockopt::PeerCredentials).context("asking for the peer's credentials")?;
        let pid = Pid::from_raw(credentials.pid()).context("the peer is not in our process namespace")?;
        let pidfd = match getsockopt(socket, sockopt::PeerPidfd) {
            Ok(pidfd) => pidfd,
            // Linux before 6.5. Between the connection and now the number may have become another process's: its
            // user is compared below, and the uid that polkit is told is that of the connection.
            Err(nix::errno::Errno::ENOPROTOOPT) => {
                let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("the asking process has ended")?;
                // proc_pid(5): the directory belongs to the effective user of the process.
                let owner =
                    fs::metadata(format!("/proc/{}", credentials.pid())).context("looking for the asking process")?;
                if owner.uid() != credentials.uid() {
                    bail!("the asking process has ended");
                }
                pidfd
            }
            // What the kernel says of a process that nobody waits for any more.
            Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ESRCH) => bail!("the asking process has ended"),
            Err(error) => return Err(error).context("asking for the peer's process"),
        };
        let (uid, gid) = (credentials.uid(), credentials.gid());
        let start = start_of(credentials.pid())?;
        let groups = ioctl::peer_groups(socket.as_fd()).context("asking for the peer's groups")?;
        let Some(user) = User::from_uid(Uid::from_raw(uid)).context("looking for the user")? else {
            // Ids of containers and subordinate ids (subuid(5)): every one would have a quota of its own.
            bail!("{uid} is no user of this host");
        };
        let peer = Self { uid, gid, groups, pid: credentials.pid(), start, name: user.name, pidfd };
        // Read while the process was there: what was read is its own.
        match peer.is_there() {
            true => Ok(peer),
            false => bail!("the asking process has ended"),
        }
    }

    /// Whether the process has not ended.
    pub(super) fn is_there(&self) -> bool {
        let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
        // A pidfd can be read from when its process has ended.
        matches!(poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
    }

    /// As polkit wants a process named, so that a number that is used again is not mistaken (pkcheck(1)).
    pub(super) fn subject(&self) -> String {
        format!("{},{},{}", self.pid, self.start, self.uid)
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        format!("user {} ({})", self.name, self.uid)
    }

    /// As limits count.
    pub(super) fn asker(&self) -> Asker {
        Asker { uid: self.uid, name: self.name.clone(), groups: groups_of(&self.name, self.gid) }
    }
}

/// The names of a user's groups, as the database has them: what a process has dropped still counts.
pub(super) fn groups_of(user: &str, gid: u32) -> Vec<String> {
    let Ok(name) = CString::new(user) else { return Vec::new() };
    let ids = getgrouplist(&name, Gid::from_raw(gid)).unwrap_or_default();
    ids.into_iter().filter_map(|id| Group::from_gid(id).ok().flatten()).map(|group| group.name).collect()
}

/// The groups of an owner that is only known by number.
pub(super) fn groups_of_owner(uid: u32) -> Vec<String> {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => groups_of(&user.name, user.gid.as_raw()),
        _ => Vec::new(),
    }
}

fn start_of(pid: i32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    // The name of a program may have blanks and brackets; what follows has none.
    let rest = text.rsplit_once(')').map(|(_, rest)| rest);
    let field = rest.and_then(|rest| rest.split_ascii_whitespace().nth(19));
    field.and_then(|field| field.parse().ok()).with_context(|| format!("{path} has no start time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_of_a_pair_is_this_very_process() {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let peer = Peer::of(&OwnedFd::from(ours)).expect("a peer");
        assert_eq!(peer.pid, i32::try_from(std::process::id()).expect("a pid"));
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
        assert!(peer.is_there() && peer.start > 0);
    }
}

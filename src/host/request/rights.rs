//! The rights of a user over files, taken for the moment in which something of theirs is opened.
//! It opens nothing itself. Root's rights over files are away meanwhile.
//! Rules: setfsuid(2), credentials(7).

use super::peer::Peer;
use crate::request::Denial;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid, setgroups};
use rustix::io::Errno;

/// The rights of a user over files, until it is dropped.
pub(super) struct Rights;

/// Takes the user's groups, for good: root needs none. Only the user's ids are changed back and forth, by [`Rights`].
pub(super) fn take_groups(peer: &Peer) -> Result<(), Denial> {
    let groups: Vec<Gid> = peer.groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).map_err(|errno| Denial::Failed(format!("taking the user's groups: {errno}")))
}

impl Rights {
    pub(super) fn of(peer: &Peer) -> rustix::io::Result<Self> {
        setfsgid(Gid::from_raw(peer.gid));
        setfsuid(Uid::from_raw(peer.uid));
        let rights = Self;
        // The calls say only what was before; an id that is none changes nothing, and tells.
        let (none, nobody) = (Uid::from_raw(u32::MAX), Gid::from_raw(u32::MAX));
        match setfsuid(none).as_raw() == peer.uid && setfsgid(nobody).as_raw() == peer.gid {
            true => Ok(rights),
            false => Err(Errno::PERM),
        }
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        setfsuid(Uid::effective());
        setfsgid(Gid::effective());
    }
}

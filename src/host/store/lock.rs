//! The store's lock: shared by all who read images for long or make new ones, exclusive for who takes some out.
//! A maker holds it from resolving a reference until what it made is referred to, so that nothing is pruned in between.
//! Rules: flock(2): it goes with its holder, however that ends. Only root can open the file, so only root can hold others up.
//! Who waits to take something out lets everybody else in: a prune can wait until tomorrow, a pull cannot.

use super::StoreDir;
use crate::layout::{STORE, STORE_LOCK};
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// How often a lock that others have is tried.
const PAUSE: Duration = Duration::from_millis(50);

/// What the store is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Reading images, or making new ones: as many as like.
    Shared,
    /// Taking things out: nobody else.
    Exclusive,
}

/// The store, held until this is dropped or its process ends.
#[derive(Debug)]
pub struct StoreLock {
    _file: OwnedFd,
}

impl StoreLock {
    /// Takes the lock, and waits no longer than that; none if others have it all the time. Says so once when it has to wait.
    pub fn take(store: &StoreDir, hold: Hold, patience: Duration, waiting: impl FnOnce()) -> Result<Option<Self>> {
        let file = open(store)?;
        let operation = match hold {
            Hold::Shared => FlockOperation::NonBlockingLockShared,
            Hold::Exclusive => FlockOperation::NonBlockingLockExclusive,
        };
        let (end, mut waiting) = (Instant::now() + patience, Some(waiting));
        loop {
            match rustix::fs::flock(&file, operation) {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(Errno::WOULDBLOCK) if Instant::now() < end => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error).context("locking the store"),
            }
            if let Some(say) = waiting.take() {
                say();
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Takes the lock for reading or making, however long a prune has it; that is a moment.
    pub fn share(store: &StoreDir) -> Result<Self> {
        let file = open(store)?;
        rustix::fs::flock(&file, FlockOperation::LockShared).context("locking the store")?;
        Ok(Self { _file: file })
    }
}

fn open(store: &StoreDir) -> Result<OwnedFd> {
    store.make(STORE)?;
    let path = store.at(STORE_LOCK);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600));
    opened.with_context(|| format!("opening {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_and_who_takes_out_is_alone() {
        let root = tempfile::tempdir().expect("temporary directory");
        let store = StoreDir::below(root.path());
        let take = |hold| StoreLock::take(&store, hold, Duration::ZERO, || ()).expect("no error");
        let (one, two) = (take(Hold::Shared), take(Hold::Shared));
        assert!(one.is_some() && two.is_some() && take(Hold::Exclusive).is_none());
        drop((one, two));
        let alone = take(Hold::Exclusive);
        assert!(alone.is_some() && take(Hold::Shared).is_none());
        drop(alone);
        assert!(take(Hold::Shared).is_some());
    }

    #[test]
    fn waiting_is_said_once_and_ends() {
        let root = tempfile::tempdir().expect("temporary directory");
        let store = StoreDir::below(root.path());
        let held = StoreLock::share(&store).expect("held");
        let mut said = 0;
        let taken = StoreLock::take(&store, Hold::Exclusive, PAUSE * 3, || said += 1).expect("no error");
        assert!(taken.is_none() && said == 1);
        drop(held);
    }
}

//! Does the steps of `veneer overlay run`, then becomes the command: there is no process of ours beside it.
//! It decides nothing: the steps are `alone`'s.
//! Rules: user_namespaces(7). What is mounted ends with the last process of the namespace; nothing is left to undo.

use crate::alone::refusal::{self, Switches};
use crate::alone::{Access, Alone, Privilege, Source, Step, UPPER, WORK, submounts};
use crate::size::Size;
use crate::verity::Fault;
use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a shell ends with when a command is not there, or cannot be run (POSIX, "Exit Status for Commands").
pub const NOT_FOUND: u8 = 127;
/// The same for one that is there.
pub const NOT_RUN: u8 = 126;

/// Who runs us, as far as namespaces go.
pub fn privilege() -> Privilege {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    match uid.is_root() {
        true => Privilege::Root,
        false => Privilege::User { uid: uid.as_raw(), gid: gid.as_raw() },
    }
}

/// A path without links on its way, as it is now; the error names it.
pub fn resolved(path: &Path, what: &str) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(|error| Fault::no_input(format!("the {what} {}: {error}", path.display())).into())
}

/// What a source is.
pub fn source(path: &Path) -> Result<Source> {
    let path = resolved(path, "source")?;
    let kind = fs::metadata(&path).with_context(|| format!("looking at {}", path.display()))?;
    match (kind.is_dir(), kind.is_file()) {
        (true, _) => Ok(Source::Directory(path)),
        (_, true) => Ok(Source::File(path)),
        _ => Err(Fault::data(format!("the source {} is neither a directory nor a file", path.display())).into()),
    }
}

/// Refuses what the kernel would, with the reason that it does not give.
pub fn check(alone: &Alone) -> Result<()> {
    let target = &alone.target;
    let kind = fs::metadata(target).with_context(|| format!("looking at {}", target.display()))?;
    let fits = match alone.source {
        Source::Directory(_) => kind.is_dir(),
        Source::File(_) => kind.is_file(),
        Source::Layers(_) => kind.is_dir(),
    };
    if !fits {
        let said = "a directory goes over a directory, and a file over a file";
        return Err(Fault::data(format!("{}: {said}", target.display())).into());
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("reading /proc/self/mountinfo")?;
    if let Some(below) = submounts(&mounts, target).first() {
        let said = format!("{} is mounted below {}", below.display(), target.display());
        return Err(Fault::data(format!("{said}, and would be hidden: name a target without mounts in it")).into());
    }
    Ok(())
}

/// Does the steps and becomes the command. Only an error comes back.
pub fn run(steps: &[Step], command: &[OsString]) -> Result<std::convert::Infallible> {
    let here = std::env::current_dir();
    for step in steps {
        act(step).with_context(|| step.to_string())?;
    }
    // The directory that we are in may be below the target: go to what is there now.
    if let Ok(here) = here {
        let _ = std::env::set_current_dir(here);
    }
    let (program, arguments) = command.split_first().context("there is no command")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("running {}", program.to_string_lossy()))
}

/// The command if none is given: the user's shell.
pub fn shell() -> OsString {
    std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into())
}

/// What a shell would end with, if this is why the command did not run.
pub fn code_of(error: &anyhow::Error) -> Option<u8> {
    let is_command = error.to_string().starts_with("running ");
    let kind = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>())?.kind();
    is_command.then_some(if kind == ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN })
}

fn act(step: &Step) -> Result<()> {
    match step {
        Step::Unshare(privilege) => unshare(*privilege),
        Step::Keep(directory) => keep(directory),
        Step::Memory { at, size } => memory(at, *size),
        Step::Overlay { target, options, access } => overlay(target, options, *access),
        Step::Forget(at) => Ok(nix::mount::umount2(at, MntFlags::MNT_DETACH)?),
        Step::Bind { source, target } => bind(source, target),
    }
}

/// Mounts of this process's own, for who may have them.
pub(super) fn own_mounts() -> Result<()> {
    unshare(Privilege::Root)
}

fn unshare(privilege: Privilege) -> Result<()> {
    match privilege {
        Privilege::Root => nix::sched::unshare(CloneFlags::CLONE_NEWNS)?,
        Privilege::User { uid, gid } => {
            let both = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS;
            nix::sched::unshare(both).map_err(|errno| unavailable(errno.desc()))?;
            // Groups cannot be mapped by a user who may drop them (user_namespaces(7), "setgroups").
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
            fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
        }
    }
    // What the host mounts later still comes in; what we mount stays here.
    let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, slave, None::<&str>).map_err(|errno| match errno {
        nix::errno::Errno::EACCES | nix::errno::Errno::EPERM => unavailable(errno.desc()),
        errno => errno.into(),
    })
}

fn unavailable(error: &str) -> anyhow::Error {
    let switch = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).ok();
    let switches = Switches {
        clone: switch("kernel/unprivileged_userns_clone"),
        most: switch("user/max_user_namespaces"),
        apparmor: switch("kernel/apparmor_restrict_unprivileged_userns"),
    };
    Fault::unavailable(refusal::sentence(&switches, error)).into()
}

fn keep(directory: &Path) -> Result<()> {
    for name in [UPPER, WORK] {
        fs::create_dir_all(directory.join(name)).with_context(|| format!("making {}", directory.display()))?;
    }
    // Not closed by exec: held until the last process of the namespace has ended.
    let lock = rustix::fs::open(directory, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let said = format!("another command keeps its changes in {} now", directory.display());
            return Err(Fault::unavailable(said).into());
        }
        Err(error) => return Err(error.into()),
    }
    std::mem::forget(lock);
    Ok(())
}

fn memory(at: &Path, size: Option<Size>) -> Result<()> {
    let mut options = OsString::from("mode=0755");
    if let Some(size) = size {
        options.push(format!(",size={size}"));
    }
    mount("tmpfs", at, &options, MsFlags::MS_NOSUID | MsFlags::MS_NODEV)?;
    for name in [UPPER, WORK] {
        fs::create_dir(at.join(name))?;
    }
    Ok(())
}

fn overlay(target: &Path, options: &OsStr, access: Access) -> Result<()> {
    let flags = match access {
        Access::ReadOnly => MsFlags::MS_RDONLY,
        Access::ReadWrite => MsFlags::empty(),
    };
    mount("overlay", target, options, flags)
}

fn mount(kind: &str, at: &Path, options: &OsStr, flags: MsFlags) -> Result<()> {
    nix::mount::mount(Some(kind), at, Some(kind), flags, Some(options)).map_err(|errno| match errno {
        nix::errno::Errno::ENODEV => Fault::unavailable(format!("the kernel has no {kind}")).into(),
        errno => errno.into(),
    })
}

/// Lays a directory over another, read-only.
pub(super) fn bind(source: &Path, target: &Path) -> Result<()> {
    nix::mount::mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    // What the mount has already may be locked, and has to be said again (mount_namespaces(7)).
    let has = nix::sys::statvfs::statvfs(target)?.flags();
    let kept = [
        (nix::sys::statvfs::FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (nix::sys::statvfs::FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (nix::sys::statvfs::FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (nix::sys::statvfs::FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (nix::sys::statvfs::FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (nix::sys::statvfs::FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ];
    let kept =
        kept.iter().filter(|(has_it, _)| has.contains(*has_it)).fold(MsFlags::empty(), |all, (_, flag)| all | *flag);
    let again = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | kept;
    Ok(nix::mount::mount(None::<&str>, target, None::<&str>, again, None::<&str>)?)
}

//! One file's data into another: shared, or copied by the kernel, or read and written.
//! It opens nothing and names nothing; owners and times are the caller's.
//! Rules: ioctl_ficlone(2), copy_file_range(2), lseek(2) `SEEK_DATA`; holes stay holes.

use crate::app::Reflink;
use crate::session::Method;
use crate::verity::Fault;
use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Copied between two signs of progress, and between two looks at a signal.
const AT_ONCE: u64 = 64 << 20;
/// What is read at once where the kernel does not copy.
const BUFFER: usize = 1 << 20;
/// What is left out if it is all zeros: the block of every file system that holds images.
const BLOCK: usize = 4096;

/// How data came over, and why so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How.
    pub method: Method,
    /// Why not by sharing; none if it is shared.
    pub why: Option<String>,
}

/// Copies all of a file of this size into an empty one; `reached` hears how far it is.
pub fn copy(from: &File, to: &File, size: u64, reflink: Reflink, reached: impl FnMut(u64)) -> Result<Copied> {
    let why = match reflink {
        Reflink::Never => "sharing is not wanted".to_owned(),
        Reflink::Auto | Reflink::Always => match share(from, to)? {
            None => return Ok(Copied { method: Method::Reflink, why: None }),
            Some(why) if reflink == Reflink::Always => {
                return Err(Fault::unavailable(format!("sharing its data (reflink): {why}")).into());
            }
            Some(why) => why,
        },
    };
    let method = copy_data(from, to, size, reflink, reached)?;
    // Behind the last data there may be a hole.
    rustix::fs::ftruncate(to, size).context("setting the size of the copy")?;
    Ok(Copied { method, why: Some(why) })
}

/// Shares the data; the reason, if these two files cannot.
fn share(from: &File, to: &File) -> Result<Option<String>> {
    match rustix::fs::ioctl_ficlone(to, from) {
        Ok(()) => Ok(None),
        Err(Errno::OPNOTSUPP | Errno::NOTTY) => Ok(Some("the file system cannot".to_owned())),
        Err(Errno::XDEV) => Ok(Some("it is on another file system".to_owned())),
        Err(error @ (Errno::INVAL | Errno::PERM | Errno::TXTBSY)) => {
            Ok(Some(format!("the file system refuses: {}", std::io::Error::from(error))))
        }
        Err(error) => Err(error).context("sharing its data"),
    }
}

/// Whether files in a directory can share data: tried with two that have no names.
pub fn can_share(directory: impl rustix::fd::AsFd) -> Result<bool> {
    match (nameless(&directory), nameless(&directory)) {
        (Ok(one), Ok(other)) => share(&one, &other).map(|why| why.is_none()),
        // No file system that shares data lacks files without names.
        (Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT), _) => Ok(false),
        (Err(error), _) | (_, Err(error)) => Err(error).context("making a file without a name"),
    }
}

/// Whether a file's data can be shared with files in a directory: tried with one that has no name.
pub fn can_share_with(directory: impl rustix::fd::AsFd, file: &File) -> Result<bool> {
    let copy = nameless(directory).context("making a file without a name")?;
    share(file, &copy).map(|why| why.is_none())
}

fn nameless(directory: impl rustix::fd::AsFd) -> rustix::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    rustix::fs::openat(&directory, ".", flags, Mode::from_raw_mode(0o600)).map(File::from)
}

fn copy_data(from: &File, to: &File, size: u64, reflink: Reflink, mut reached: impl FnMut(u64)) -> Result<Method> {
    // copy_file_range(2) shares where it can, which is not wanted then.
    let mut method = if reflink == Reflink::Never { Method::SparseCopy } else { Method::CopyFileRange };
    let mut at = 0;
    while let Some((begin, end)) = next_data(from, at, size)? {
        at = begin;
        while at < end {
            let most = (end - at).min(AT_ONCE);
            at += match method {
                Method::CopyFileRange => match kernel_copies(from, to, at, most)? {
                    Some(count) => count,
                    None => {
                        method = Method::SparseCopy;
                        0
                    }
                },
                _ => read_and_write(from, to, at, most)?,
            };
            reached(at);
        }
    }
    Ok(method)
}

/// The next stretch of data at or behind a place.
fn next_data(from: &File, at: u64, size: u64) -> Result<Option<(u64, u64)>> {
    let begin = match rustix::fs::seek(from, SeekFrom::Data(at)) {
        Ok(begin) => begin,
        // Nothing but a hole is left.
        Err(Errno::NXIO) => return Ok(None),
        // A file system that knows no holes.
        Err(Errno::INVAL) => return Ok((at < size).then_some((at, size))),
        Err(error) => return Err(error).context("looking for data"),
    };
    let end = rustix::fs::seek(from, SeekFrom::Hole(begin)).context("looking for a hole")?.min(size);
    Ok((begin < end).then_some((begin, end)))
}

/// How much the kernel copied; none if it does not copy between these files.
fn kernel_copies(from: &File, to: &File, at: u64, most: u64) -> Result<Option<u64>> {
    let (mut read, mut written) = (at, at);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    match rustix::fs::copy_file_range(from, Some(&mut read), to, Some(&mut written), most) {
        Ok(0) => bail!("it became shorter while it was copied"),
        Ok(count) => Ok(Some(count as u64)),
        Err(Errno::INTR) => Ok(Some(0)),
        Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(None),
        Err(error) => Err(error).context("writing the copy"),
    }
}

fn read_and_write(from: &File, to: &File, at: u64, most: u64) -> Result<u64> {
    let mut buffer = vec![0; BUFFER.min(usize::try_from(most).unwrap_or(BUFFER))];
    let mut done = 0;
    while done < most {
        let want = buffer.len().min(usize::try_from(most - done).unwrap_or(BUFFER));
        let count = from.read_at(&mut buffer[..want], at + done).context("reading the original")?;
        if count == 0 {
            bail!("it became shorter while it was copied");
        }
        for (number, block) in buffer[..count].chunks(BLOCK).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                to.write_all_at(block, at + done + (number * BLOCK) as u64).context("writing the copy")?;
            }
        }
        done += count as u64;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_shares_with_its_own_directory_as_files_there_do_and_with_another_file_system_never() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("file"), [1; 8192]).expect("written");
        let file = File::open(dir.path().join("file")).expect("open");
        let here = File::open(dir.path()).expect("open");
        assert_eq!(can_share_with(&here, &file).expect("tried"), can_share(&here).expect("tried"));
        let other = File::open("/dev/shm").expect("open");
        assert!(!can_share_with(&other, &file).expect("tried"));
    }

    #[test]
    fn copies_are_equal_and_holes_stay_holes() {
        use std::os::unix::fs::MetadataExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        let open = |name: &str| {
            File::options().read(true).write(true).create(true).truncate(true).open(dir.path().join(name)).expect(name)
        };
        let from = open("from");
        from.set_len(64 << 20).expect("size");
        for at in [0, 5 << 20, (40 << 20) + 17] {
            from.write_all_at(b"some data", at).expect("written");
        }
        for (name, reflink) in [("auto", Reflink::Auto), ("never", Reflink::Never)] {
            let to = open(name);
            copy(&from, &to, 64 << 20, reflink, |_| ()).expect(name);
            let (from, to) = (std::fs::read(dir.path().join("from")), std::fs::read(dir.path().join(name)));
            assert!(from.expect("read") == to.expect("read"), "{name} differs");
            let blocks = std::fs::metadata(dir.path().join(name)).expect("there").blocks();
            assert!(blocks * 512 < 1 << 20, "{name} takes {blocks} blocks");
        }
    }

    #[test]
    fn sharing_that_must_be_and_cannot_is_said() {
        // What /proc shows has no data to share.
        let from = File::open("/proc/self/status").expect("open");
        let to = tempfile::tempfile().expect("a file");
        let said = copy(&from, &to, 0, Reflink::Always, |_| ()).expect_err("no reflink from /proc");
        assert!(format!("{said:#}").contains("reflink"), "{said:#}");
    }
}

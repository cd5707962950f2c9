//! `import`: an exported overlay taken in: unpacked, looked at, and from there on a source like any other.
//! It lays nothing over anything (`apply` does, which verifies the image once more in its copy).
//! Nothing of the file is followed: it has four members, in order, by names that are known. docs/overlays.md has the format.

use super::version::{self, Opened};
use crate::host::request::staging::Staging;
use crate::image::read::{Inode, Reader, Tree, What};
use crate::image::tree::{Content, Device, Directory, Entry, Piece, Special};
use crate::layer::header::{BLOCK, Header};
use crate::layer::limits::Limits;
use crate::overlay::exported::{ABOUT, CHANGE, ENDINGS, Exported};
use crate::overlay::record::Kind;
use crate::request::hazard::{self, Hazard, Seen};
use crate::root_hash::RootHash;
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fs::{self as rfs, Gid, Timespec, Timestamps, Uid, XattrFlags};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What an overlay says of itself, and a root hash, are a few kilobytes.
const SMALL: u64 = 64 << 10;
/// How many faults of the policy are named.
const NAMED: usize = 5;
/// `file` of a single file's overlay.
const SINGLE: &str = "file";
const ROOT: u32 = 0;

/// An exported overlay, unpacked where only root comes; gone when it is dropped.
#[derive(Debug)]
pub struct Unpacked {
    staging: Staging,
    /// What it says of itself.
    pub about: Exported,
    /// The root hash of its image.
    pub root: RootHash,
}

type Image = Reader<File>;

impl Unpacked {
    /// Reads a file, and its image against its root hash.
    pub fn read(file: &Path) -> Result<Self> {
        let opened = File::open(file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Fault::no_input(format!("there is no {}", file.display())),
            _ => Fault::failure(format!("opening {}: {error}", file.display())),
        })?;
        let wrong = |said: String| Fault::data(format!("{} is no exported overlay: {said}", file.display()));
        let staging = Staging::of(ROOT)?;
        let place = staging.at(CHANGE)?.to_string();
        let mut archive = BufReader::with_capacity(1 << 18, opened);
        let said = unpack(&mut archive, &place).map_err(|error| wrong(error.to_string()))?;
        let about = Exported::parse(&said).map_err(wrong)?;
        let text = std::fs::read_to_string(format!("{place}.roothash")).context("reading the root hash")?;
        let root = RootHash::parse(text.trim_end()).map_err(wrong)?;
        version::verify_image(&place, root.as_str()).with_context(|| format!("verifying {}", file.display()))?;
        Ok(Self { staging, about, root })
    }

    /// What the image has that the policy refuses in what others made, as sentences.
    pub fn refused(&self, refuse: &[Hazard]) -> Result<Vec<String>> {
        let (image, tree) = self.tree()?;
        let mut found = Vec::new();
        let mut ahead = vec![(String::new(), &tree.root, 0)];
        while let Some((path, directory, depth)) = ahead.pop() {
            let itself = Seen { mode: S_IFDIR | u32::from(directory.meta.mode.0), ..Seen::default() };
            judge(&path, &itself, depth, refuse, &mut found);
            for (name, entry) in &directory.entries {
                let path = format!("{path}/{}", String::from_utf8_lossy(name).escape_debug());
                match entry {
                    Entry::Directory(below) => ahead.push((path, below, depth + 1)),
                    Entry::Inode(id) => {
                        let number = *tree.inodes.get(id.0 as usize).context("a name leads nowhere")?;
                        if let Some(seen) = seen(&image.inode(number)?) {
                            judge(&path, &seen, depth + 1, refuse, &mut found);
                        }
                    }
                }
            }
        }
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        found.extend((more > 0).then(|| format!("and {more} more")));
        Ok(found)
    }

    /// Opens it as a source.
    pub fn source(&self) -> Result<Opened> {
        match self.about.kind {
            Kind::Directory => Ok(Opened::Image(format!("{}.raw", self.staging.at(CHANGE)?))),
            Kind::File => {
                let place = self.staging.at(SINGLE)?;
                self.single(Path::new(place.as_str()))?;
                let file = File::open(place.as_str()).with_context(|| format!("opening {place}"))?;
                Ok(Opened::File(file.into()))
            }
        }
    }

    fn tree(&self) -> Result<(Image, Tree)> {
        let path = format!("{}.raw", self.staging.at(CHANGE)?);
        let file = File::open(&path).with_context(|| format!("opening {path}"))?;
        let size = file.metadata().with_context(|| format!("looking at {path}"))?.len();
        let image = Reader::open(file, size, Limits::default()).map_err(|error| Fault::data(error.to_string()))?;
        let tree = image.tree().map_err(|error| Fault::data(error.to_string()))?;
        Ok((image, tree))
    }

    /// Writes the only file of the image, as it is there.
    fn single(&self, to: &Path) -> Result<()> {
        let (image, tree) = self.tree()?;
        let inode = only(&tree.root).and_then(|id| tree.inodes.get(id));
        let inode = inode.map(|number| image.inode(*number)).transpose()?;
        let Some(Inode { meta, what: What::File(body) }) = inode else {
            return Err(Fault::data("it is an overlay of a file, and holds something else").into());
        };
        let act = || format!("writing {}", to.display());
        let free = free_beside(to).with_context(act)?;
        if body.size() > free {
            let size = body.size();
            let said = format!("its file has {size} bytes with its holes, and {free} are free where it is unpacked");
            return Err(Fault::data(said).into());
        }
        let file = File::options().write(true).create_new(true).mode(0o600).open(to).with_context(act)?;
        write(&mut image.content(body), &file).with_context(act)?;
        rfs::fchown(&file, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid))).with_context(act)?;
        for xattr in &meta.xattrs {
            rfs::fsetxattr(&file, &*xattr.name, &xattr.value, XattrFlags::empty()).with_context(act)?;
        }
        rfs::fchmod(&file, rfs::Mode::from_raw_mode(meta.mode.0.into())).with_context(act)?;
        let time = Timespec { tv_sec: meta.mtime.seconds, tv_nsec: meta.mtime.nanoseconds.into() };
        rfs::futimens(&file, &Timestamps { last_access: time, last_modification: time }).with_context(act)
    }
}

/// Writes the data of a file. Where it has holes the copy has them, too.
fn write(content: &mut dyn Content, mut file: &File) -> io::Result<()> {
    let mut length = 0;
    while let Some(piece) = content.next_piece()? {
        match piece {
            Piece::Data(bytes) => {
                file.write_all(bytes)?;
                length += bytes.len() as u64;
            }
            Piece::Hole(hole) => {
                length += hole;
                file.seek(io::SeekFrom::Start(length))?;
            }
        }
    }
    file.set_len(length)
}

/// What can be written beside a file that is to be.
fn free_beside(path: &Path) -> io::Result<u64> {
    let found = rfs::statvfs(path.parent().unwrap_or(Path::new("/")))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

fn only(root: &Directory) -> Option<usize> {
    match (root.entries.len(), root.entries.values().next()) {
        (1, Some(Entry::Inode(id))) => Some(id.0 as usize),
        _ => None,
    }
}

/// Unpacks the image to PLACE.*, and gives back what the overlay says of itself.
fn unpack<R: Read>(archive: &mut R, place: &str) -> io::Result<String> {
    let mut about = Vec::new();
    member(archive, ABOUT, SMALL, &mut about)?;
    for ending in ENDINGS {
        // A file of an archive that is all holes takes no room itself.
        let most = if ending == "roothash" { SMALL } else { free_beside(Path::new(place))? };
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(format!("{place}.{ending}"))?;
        member(archive, &format!("{CHANGE}.{ending}"), most, &mut file)?;
    }
    match header(archive)? {
        None => String::from_utf8(about).map_err(|_| bad(format!("{ABOUT} is no text"))),
        Some(header) => Err(bad(format!("{:?} is too much", String::from_utf8_lossy(&header.name())))),
    }
}

/// Takes the next member, which must be this file.
fn member<R: Read>(archive: &mut R, name: &str, most: u64, out: &mut dyn io::Write) -> io::Result<()> {
    let found = header(archive)?.filter(|header| header.name() == name.as_bytes() && matches!(header.kind(), b'0' | 0));
    let size = found.ok_or_else(|| bad(format!("{name} is not where it should be")))?.size()?;
    if size > most {
        return Err(bad(format!("{name} has {size} bytes, and {most} are the most that it may have")));
    }
    if io::copy(&mut archive.by_ref().take(size), out)? != size {
        return Err(bad(format!("it ends within {name}")));
    }
    let padding = size.checked_next_multiple_of(BLOCK as u64).unwrap_or(size) - size;
    io::copy(&mut archive.by_ref().take(padding), &mut io::sink()).map(drop)
}

fn header<R: Read>(archive: &mut R) -> io::Result<Option<Header>> {
    let mut block = [0; BLOCK];
    archive.read_exact(&mut block).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => bad("it is cut off"),
        _ => error,
    })?;
    Header::parse(&block)
}

fn bad(said: impl Into<String>) -> io::Error {
    crate::layer::fault::bad(said)
}

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFIFO: u32 = 0o010_000;

/// What the policy looks at; nothing of a whiteout, which is no device that anybody could use.
fn seen(inode: &Inode) -> Option<Seen> {
    let mode = u32::from(inode.meta.mode.0);
    let has_capability = inode.meta.xattrs.iter().any(|xattr| &*xattr.name == b"security.capability");
    let seen = |kind| Seen { mode: kind | mode, link: None, has_capability };
    match &inode.what {
        What::Directory(_) => Some(seen(S_IFDIR)),
        What::File(_) => Some(seen(S_IFREG)),
        What::Special(Special::Symlink(link)) => Some(Seen { link: Some(link.to_vec()), ..seen(S_IFLNK) }),
        What::Special(Special::Character(Device { major: 0, minor: 0 })) => None,
        What::Special(_) => Some(seen(S_IFIFO)),
    }
}

fn judge(path: &str, seen: &Seen, depth: usize, refuse: &[Hazard], found: &mut Vec<String>) {
    let refused = hazard::hazards(seen, depth).into_iter().filter(|hazard| refuse.contains(hazard));
    found.extend(refused.map(|hazard| format!("{} ({})", if path.is_empty() { "/" } else { path }, hazard.name())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tar::file_header;

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, bytes) in members {
            out.extend(file_header(name, bytes.len() as u64).expect("a header"));
            out.extend_from_slice(bytes);
            out.resize(out.len().next_multiple_of(BLOCK), 0);
        }
        out.resize(out.len() + 2 * BLOCK, 0);
        out
    }

    const GOOD: [(&str, &[u8]); 4] =
        [(ABOUT, b"{}"), ("change.roothash", b"00"), ("change.verity", b"v"), ("change.raw", b"rr")];

    fn unpacked(bytes: &[u8]) -> Result<String, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("change");
        super::unpack(&mut &*bytes, place.to_str().expect("text")).map_err(|error| error.to_string())
    }

    /// Writes the sum of a header that was changed.
    fn seal(header: &mut [u8]) {
        let bytes = header.iter().enumerate();
        let sum: u32 = bytes.map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }

    /// Data, a hole, data, and a hole.
    struct Holed(u64, u32);

    impl Content for Holed {
        fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
            self.1 += 1;
            Ok(match self.1 {
                1 | 3 => Some(Piece::Data(b"data")),
                2 | 4 => Some(Piece::Hole(self.0)),
                _ => None,
            })
        }
    }

    #[test]
    fn a_hole_takes_no_room_and_the_length_is_right() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = File::create_new(dir.path().join("file")).expect("made");
        let hole = 1 << 30;
        write(&mut Holed(hole, 0), &file).expect("written");
        let found = rfs::fstat(&file).expect("looked at");
        assert_eq!(u64::try_from(found.st_size), Ok(2 * hole + 8));
        assert!(found.st_blocks * 512 < 1 << 20, "{} blocks", found.st_blocks);
        let mut read = [0; 4];
        rustix::io::pread(File::open(dir.path().join("file")).expect("opened"), &mut read, hole + 4).expect("read");
        assert_eq!(&read, b"data");
    }

    #[test]
    fn what_has_no_room_is_refused_before_it_is_written() {
        let mut out = archive(&GOOD);
        // The header of the third, with a size in GNU's numbers.
        let header = &mut out[4 * BLOCK..5 * BLOCK];
        header[124..128].copy_from_slice(&[0x80, 0, 0, 0]);
        header[128..136].copy_from_slice(&(1u64 << 62).to_be_bytes());
        seal(header);
        let said = unpacked(&out).expect_err("it has no room");
        assert!(said.starts_with("change.verity has 4611686018427387904 bytes, and "), "{said}");
    }

    #[test]
    fn an_archive_of_these_four_files_is_taken_and_no_other() {
        assert_eq!(unpacked(&archive(&GOOD)), Ok("{}".into()));
        let with = |at: usize, member| {
            let mut members = GOOD.to_vec();
            members[at] = member;
            unpacked(&archive(&members))
        };
        assert!(with(0, ("../overlay.json", b"{}")).is_err());
        assert!(with(3, ("/etc/passwd", b"x")).is_err());
        assert!(with(0, (ABOUT, &[b' '; (SMALL + 1) as usize])).is_err());
        assert!(with(1, ("change.raw", b"rr")).is_err());
        assert_eq!(unpacked(&archive(&[&GOOD[..], &[("more", b"")]].concat())), Err("\"more\" is too much".into()));
        assert!(unpacked(&archive(&GOOD[..3])).is_err());
        assert!(unpacked(b"no tar").is_err());
    }

    #[test]
    fn no_archive_that_was_cut_or_whose_header_was_changed_is_taken() {
        let good = archive(&GOOD);
        for length in (0..good.len() - BLOCK).step_by(100) {
            assert!(unpacked(&good[..length]).is_err(), "{length}");
        }
        // The sum's own bytes end in a blank, whichever.
        let in_sum = |at: &usize| (148..156).contains(&(at % BLOCK));
        for at in (0..BLOCK).chain(2 * BLOCK..3 * BLOCK).filter(|at| !in_sum(at)) {
            let mut other = good.clone();
            other[at] ^= 0x20;
            assert!(unpacked(&other).is_err(), "{at}");
        }
        // A link, a directory, a sparse file of that name.
        for kind in [b'1', b'2', b'5', b'S', b'x'] {
            let mut other = good.clone();
            other[156] = kind;
            seal(&mut other[..BLOCK]);
            assert!(unpacked(&other).is_err(), "{kind}");
        }
    }
}

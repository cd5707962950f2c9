//! The image and the files beside it: found, opened once, their owners checked, the root hash read.
//! Afterwards only the descriptors are used, so nothing can be exchanged between a check and its use.
//! What they are called is `verity::names`; who may own them is `trusted`.

use super::stores::open_regular;
use super::trusted::{Opened, Trusted, Wanted, identity};
use crate::app::{ImageFile, Trust};
use crate::live::FileMark;
use crate::path::AbsPath;
use crate::root_hash::RootHash;
use crate::verity::Fault;
use crate::verity::names::{SideNames, candidates};
use crate::verity::tree::ReadAt;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A file opened for reading, with its path for messages.
#[derive(Debug)]
pub struct ImageData {
    /// The descriptor.
    pub file: File,
    /// Its path and what it was when opened.
    pub mark: FileMark,
}

/// What makes an image a verified one.
#[derive(Debug)]
pub struct VerityFiles {
    /// The hash file.
    pub tree: ImageData,
    /// The root hash.
    pub root: RootHash,
    /// The file it was read from; none if the configuration gives it.
    pub root_file: Option<FileMark>,
    /// Its signature, where one is required.
    pub signature: Option<ImageData>,
}

/// An image, open.
#[derive(Debug)]
pub struct FoundImage {
    /// The image file.
    pub image: ImageData,
    /// The files beside it; none if nothing is required.
    pub verity: Option<VerityFiles>,
}

/// What was found of an image.
#[derive(Debug)]
pub enum Found {
    /// It.
    Image(Box<FoundImage>),
    /// None of these is there.
    Nowhere(Vec<String>),
}

/// A root hash file is one line.
const ROOT_HASH_MAX: u64 = 1024;
/// A signature is a few kilobytes; certificates may be in it.
const SIGNATURE_MAX: u64 = 1 << 20;

/// Finds an image and opens it with what is beside it. `looking` hears the path first, for messages.
pub fn find(trusted: &Trusted, wanted: &ImageFile, mut looking: impl FnMut(&AbsPath)) -> Result<Found> {
    let paths = candidates(&wanted.place);
    for path in &paths {
        looking(path);
        if let Some(opened) = trusted.open(path, Wanted::File)? {
            return open_rest(trusted, wanted, path, opened).map(|found| Found::Image(Box::new(found)));
        }
    }
    Ok(Found::Nowhere(paths.iter().map(ToString::to_string).collect()))
}

impl ReadAt for ImageData {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

impl ImageData {
    /// Opens a file for looking at it, whoever owns it; none if there is none.
    pub fn look(path: &Path) -> Result<Option<Self>> {
        let act = || format!("opening {}", path.display());
        let file = match open_regular(path) {
            Ok((file, _)) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(act),
        };
        let identity = identity(&rustix::fs::fstat(&file).with_context(act)?);
        Ok(Some(Self { file, mark: FileMark { path: path.display().to_string(), identity } }))
    }

    fn new(opened: Opened, path: String) -> Self {
        Self { file: File::from(opened.fd), mark: FileMark { path, identity: opened.identity } }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.mark.identity.size
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.mark.path
    }

    /// All of it, if it is no longer than that.
    pub fn read_all(&self, most: u64) -> Result<Vec<u8>> {
        if self.size() > most {
            return Err(Fault::data(format!("{} has {} bytes, which is too long", self.path(), self.size())).into());
        }
        let mut bytes = vec![0; usize::try_from(self.size())?];
        self.file.read_exact_at(&mut bytes, 0).with_context(|| format!("reading {}", self.path()))?;
        Ok(bytes)
    }
}

fn open_rest(trusted: &Trusted, wanted: &ImageFile, path: &AbsPath, opened: Opened) -> Result<FoundImage> {
    let beside = Beside::new(trusted, path, &opened)?;
    let verity = if wanted.trust == Trust::Nothing { None } else { Some(beside.verity(&wanted.trust)?) };
    Ok(FoundImage { image: ImageData::new(opened, path.to_string()), verity })
}

/// Opens files beside an image.
struct Beside<'a> {
    trusted: &'a Trusted,
    image: &'a str,
    opened: &'a Opened,
    directory: &'a str,
    names: SideNames,
}

impl<'a> Beside<'a> {
    /// By the name that was asked for; by the image's own if that is a link to it with no tree of its name there.
    fn new(trusted: &'a Trusted, path: &'a AbsPath, opened: &'a Opened) -> Result<Self> {
        let of = |path: &'a str| {
            let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
            Self { trusted, image: path, opened, directory, names: SideNames::of(file) }
        };
        let asked = of(path.as_str());
        if opened.real == path.as_str() {
            return Ok(asked);
        }
        for tree in &asked.names.tree {
            if asked.open(tree)?.is_some() {
                return Ok(asked);
            }
        }
        Ok(Self { image: path.as_str(), ..of(&opened.real) })
    }

    fn verity(&self, trust: &Trust) -> Result<VerityFiles> {
        let tree = match self.open(&self.names.tree[0])? {
            Some(tree) => tree,
            None => self.open(&self.names.tree[1])?.ok_or_else(|| self.missing("hash tree", &self.names.tree[0]))?,
        };
        let (root, root_file) = match trust.root_hash() {
            Some(root) => (root.clone(), None),
            None => self.root_hash().map(|(root, file)| (root, Some(file)))?,
        };
        let signature = match trust {
            Trust::Signed(_) => {
                let name = &self.names.signature;
                Some(self.open(name)?.ok_or_else(|| self.missing("signature of its root hash", name))?)
            }
            _ => None,
        };
        Ok(VerityFiles { tree, root, root_file, signature })
    }

    fn root_hash(&self) -> Result<(RootHash, FileMark)> {
        let name = &self.names.root_hash;
        let file = self.open(name)?.ok_or_else(|| self.missing("root hash", name))?;
        let bytes = file.read_all(ROOT_HASH_MAX)?;
        let text = String::from_utf8_lossy(&bytes);
        let root = RootHash::parse(text.strip_suffix('\n').unwrap_or(&text))
            .map_err(|said| Fault::data(format!("{} of {} holds no root hash: {said}", file.path(), self.image)))?;
        Ok((root, file.mark))
    }

    fn open(&self, name: &str) -> Result<Option<ImageData>> {
        let shown = format!("{}/{name}", self.directory);
        let opened = self.trusted.open_beside(self.opened, name, &shown)?;
        Ok(opened.map(|opened| ImageData::new(opened, shown)))
    }

    fn missing(&self, what: &str, name: &str) -> Fault {
        Fault::no_input(format!("{} has no {what}: {}/{name} is missing", self.image, self.directory))
    }
}

/// The signature's bytes.
pub fn signature_bytes(signature: &ImageData) -> Result<Vec<u8>> {
    signature.read_all(SIGNATURE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{FileSystem, ImagePlace, Verify};
    use rustix::fs::{Mode, OFlags};
    use std::os::unix::fs::PermissionsExt as _;

    struct Store {
        dir: tempfile::TempDir,
        trusted: Trusted,
    }

    /// A root with two stores, `/s` and `/t`, and these files.
    fn store(files: &[(&str, &str)]) -> Store {
        let dir = tempfile::tempdir().expect("temporary directory");
        let mode = |path: &std::path::Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
        };
        mode(dir.path(), 0o755);
        for place in ["s", "t"] {
            std::fs::create_dir(dir.path().join(place)).expect("directory");
            mode(&dir.path().join(place), 0o755);
        }
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("file");
            mode(&dir.path().join(name), 0o644);
        }
        let root = rustix::fs::open(dir.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("open");
        Store { trusted: Trusted::below(root, rustix::process::getuid().as_raw()), dir }
    }

    impl Store {
        fn find(&self, trust: Trust) -> Result<Found> {
            let path = |text| AbsPath::parse(text).expect("good path");
            let place = ImagePlace::Named { name: "a".into(), roots: vec![path("/s"), path("/t")] };
            let (kind, verify) = (FileSystem::Erofs, Verify::Tree);
            find(&self.trusted, &ImageFile { place, kind, trust, verify, fallback: None }, |_| ())
        }

        fn found(&self, trust: Trust) -> FoundImage {
            match self.find(trust).expect("no error") {
                Found::Image(found) => *found,
                Found::Nowhere(paths) => panic!("not in {paths:?}"),
            }
        }

        fn refused(&self, trust: Trust) -> String {
            format!("{:#}", self.find(trust).map(|_| ()).expect_err("refused"))
        }
    }

    const HASH: &str = "abababababababababababababababababababababababababababababababab";

    fn hash() -> RootHash {
        RootHash::parse(HASH).expect("good hash")
    }

    #[test]
    fn both_conventions_are_found_and_a_newline_is_no_harm() {
        let line = format!("{HASH}\n");
        for files in [
            [("s/a.raw", "x"), ("s/a.verity", "x"), ("s/a.roothash", HASH)],
            [("t/a.raw", "x"), ("t/a.hash", "x"), ("t/a.roothash", &line)],
            [("t/a.app.img", "x"), ("t/a.hash", "x"), ("t/a.roothash", &line)],
        ] {
            let found = store(&files).found(Trust::Verity);
            let verity = found.verity.expect("verity");
            assert_eq!(
                (found.image.path(), verity.tree.path()),
                (&*format!("/{}", files[0].0), &*format!("/{}", files[1].0))
            );
            assert_eq!((verity.root, verity.signature.is_none()), (hash(), true));
        }
    }

    #[test]
    fn what_is_asked_for_decides_which_files_must_be_there() {
        let bare = store(&[("s/a.raw", "x")]);
        assert!(bare.found(Trust::Nothing).verity.is_none());
        assert_eq!(bare.refused(Trust::Verity), "/s/a.raw has no hash tree: /s/a.verity is missing");
        let tree = store(&[("s/a.raw", "x"), ("s/a.verity", "x")]);
        assert_eq!(tree.refused(Trust::Verity), "/s/a.raw has no root hash: /s/a.roothash is missing");
        assert!(tree.found(Trust::Pinned(hash())).verity.is_some_and(|verity| verity.root_file.is_none()));
        let refused = tree.refused(Trust::Signed(Some(hash())));
        assert_eq!(refused, "/s/a.raw has no signature of its root hash: /s/a.roothash.p7s is missing");
    }

    #[test]
    fn the_first_store_wins_even_if_its_image_is_not_whole() {
        let both = store(&[("s/a.raw", "x"), ("t/a.raw", "x"), ("t/a.verity", "x"), ("t/a.roothash", HASH)]);
        assert!(both.refused(Trust::Verity).contains("/s/a.verity is missing"));
        std::fs::remove_file(both.dir.path().join("s/a.raw")).expect("removed");
        assert_eq!(both.found(Trust::Verity).image.path(), "/t/a.raw");
        let none = store(&[]).find(Trust::Verity).expect("no error");
        assert!(matches!(none, Found::Nowhere(paths) if paths.len() == 4));
    }

    #[test]
    fn a_root_hash_file_of_anything_else_is_refused() {
        for text in ["", "rubbish", &format!("{HASH}\n\n"), &"a".repeat(2000)] {
            let odd = store(&[("s/a.raw", "x"), ("s/a.verity", "x"), ("s/a.roothash", text)]);
            assert!(odd.refused(Trust::Verity).contains("/s/a.roothash"), "{text}");
        }
    }
}

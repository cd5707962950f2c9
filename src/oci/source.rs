//! What an admin writes to say which image, layer or directory is meant.
//! It looks at no disk; whether the thing is there shows when it is opened.
//! The words are those of skopeo's transports where skopeo has one (containers-transports(5)).

use super::containerd::ImageName;
use crate::layer::digest::Digest;
use crate::layout::STORE;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a root file system comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `oci:PATH[:NAME]`: an OCI layout in a directory.
    Oci(Named),
    /// `oci-archive:PATH[:NAME]`: the same in a tar.
    OciArchive(Named),
    /// `docker-archive:PATH[:NAME]`: what `docker save` wrote.
    DockerArchive(Named),
    /// `overlay2:DIR`: a layer of Docker with those below it.
    Overlay2(PathBuf),
    /// `containerd:DIGEST` or `containerd:DIR@DIGEST`: an image in containerd's content store.
    Containerd {
        /// containerd's own directory.
        root: PathBuf,
        /// The image's manifest or index.
        digest: Digest,
    },
    /// `containerd:[DIR@][NAMESPACE//]NAME`: the same by the name that containerd has for it.
    ContainerdName {
        /// containerd's own directory.
        root: PathBuf,
        /// The image's name.
        name: ImageName,
    },
    /// `containerd:DIR[:DIR…]`: the directories of an overlayfs snapshot, the topmost first, as in its `lowerdir=`.
    Snapshot(Vec<PathBuf>),
    /// `store:DIGEST` or `store:DIR@DIGEST`: an image whose blobs are in the store.
    Blobs {
        /// The store.
        root: PathBuf,
        /// The image's manifest.
        digest: Digest,
    },
    /// `tar:PATH`: an archive, compressed or not.
    Tar(PathBuf),
    /// `tar:-`: the same from standard input.
    TarStdin,
    /// `dir:PATH`: a directory.
    Directory(PathBuf),
}

/// A file or directory with images, and the one of them that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where it is.
    pub path: PathBuf,
    /// The image's name, if there are several.
    pub name: Option<String>,
}

/// Where containerd keeps everything by default: its `config.toml`, "root".
pub const CONTAINERD: &str = "/var/lib/containerd";

/// The first words that are known, for messages.
const WORDS: &str = "oci:, oci-archive:, docker-archive:, overlay2:, containerd:, tar: and dir:";

impl Source {
    /// Reads a source; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(':').ok_or_else(|| unknown(text))?;
        if rest.is_empty() {
            return Err(format!("{text:?} has nothing behind its colon"));
        }
        Ok(match word {
            "oci" => Self::Oci(Named::parse(rest)?),
            "oci-archive" => Self::OciArchive(Named::parse(rest)?),
            "docker-archive" => Self::DockerArchive(Named::parse(rest)?),
            "overlay2" => Self::Overlay2(rest.into()),
            "containerd" => containerd(rest)?,
            "store" => blobs(rest)?,
            "tar" if rest == "-" => Self::TarStdin,
            "tar" => Self::Tar(rest.into()),
            "dir" => Self::Directory(rest.into()),
            "docker" | "containers-storage" | "docker-daemon" => {
                return Err(format!("{text:?} has to be pulled first: veneer-convert reads files, and has no network"));
            }
            _ => return Err(unknown(text)),
        })
    }
}

impl Source {
    /// The files and directories that it names.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Oci(named) | Self::OciArchive(named) | Self::DockerArchive(named) => vec![&named.path],
            Self::Overlay2(path) | Self::Tar(path) | Self::Directory(path) => vec![path],
            Self::Containerd { root, .. } | Self::ContainerdName { root, .. } | Self::Blobs { root, .. } => vec![root],
            Self::Snapshot(paths) => paths.iter().map(PathBuf::as_path).collect(),
            Self::TarStdin => Vec::new(),
        }
    }
}

fn unknown(text: &str) -> String {
    format!("{text:?} is no source: it begins with one of {WORDS}")
}

/// As skopeo has it, the path ends at the first colon.
impl Named {
    fn parse(text: &str) -> Result<Self, String> {
        let (path, name) = match text.split_once(':') {
            Some((path, name)) => (path, Some(name.to_owned())),
            None => (text, None),
        };
        if path.is_empty() || name.as_deref() == Some("") {
            return Err(format!("{text:?} is no PATH or PATH:NAME"));
        }
        Ok(Self { path: path.into(), name })
    }
}

fn blobs(text: &str) -> Result<Source, String> {
    let (root, digest) = text.split_once('@').unwrap_or((STORE, text));
    Ok(Source::Blobs { root: root.into(), digest: Digest::parse(digest)? })
}

fn containerd(text: &str) -> Result<Source, String> {
    let (root, rest) = match text.split_once('@') {
        Some((root, rest)) if root.starts_with('/') => (PathBuf::from(root), rest),
        _ if text.starts_with('/') => return snapshot(text),
        _ => (CONTAINERD.into(), text),
    };
    if rest.starts_with("sha256:") || rest.starts_with("sha512:") {
        return Ok(Source::Containerd { root, digest: Digest::parse(rest)? });
    }
    Ok(Source::ContainerdName { root, name: ImageName::parse(rest)? })
}

fn snapshot(text: &str) -> Result<Source, String> {
    let directories: Vec<PathBuf> = text.split(':').map(PathBuf::from).collect();
    match directories.iter().all(|directory| directory.is_absolute()) {
        true => Ok(Source::Snapshot(directories)),
        false => Err(format!("{text:?} is no list of absolute paths")),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oci(named) => write!(f, "oci:{named}"),
            Self::OciArchive(named) => write!(f, "oci-archive:{named}"),
            Self::DockerArchive(named) => write!(f, "docker-archive:{named}"),
            Self::Overlay2(path) => write!(f, "overlay2:{}", path.display()),
            Self::Containerd { root, digest } => write!(f, "containerd:{}@{digest}", root.display()),
            Self::ContainerdName { root, name } if root.as_os_str() == CONTAINERD => write!(f, "containerd:{name}"),
            Self::ContainerdName { root, name } => write!(f, "containerd:{}@{name}", root.display()),
            Self::Snapshot(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                write!(f, "containerd:{}", paths.join(":"))
            }
            Self::Blobs { root, digest } => write!(f, "store:{}@{digest}", root.display()),
            Self::Tar(path) => write!(f, "tar:{}", path.display()),
            Self::TarStdin => f.write_str("tar:-"),
            Self::Directory(path) => write!(f, "dir:{}", path.display()),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, ":{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_and_written_alike() {
        let digest = Digest::of(b"");
        for text in [
            "oci:/a",
            "oci:/a:b",
            "oci:a/b:docker.io/library/x:1",
            "oci-archive:/a.tar",
            "docker-archive:/a.tar:x:latest",
            "overlay2:/var/lib/docker/overlay2/x",
            &format!("containerd:/srv/containerd@{digest}"),
            &format!("store:/var/lib/veneer@{digest}"),
            "containerd:/s/2/fs:/s/1/fs",
            "containerd:docker.io/library/debian:12",
            "containerd:k8s.io//docker.io/library/debian@sha256:12",
            "containerd:/srv/containerd@default//debian",
            "tar:-",
            "tar:/a:b.tar.gz",
            "dir:/",
        ] {
            assert_eq!(Source::parse(text).map(|source| source.to_string()), Ok(text.to_owned()));
        }
        let short = Source::parse(&format!("containerd:{digest}")).map(|source| source.to_string());
        assert_eq!(short, Ok(format!("containerd:/var/lib/containerd@{digest}")));
    }

    #[test]
    fn what_is_no_source_is_refused_with_what_would_be_one() {
        for (text, reason) in [
            ("/a", "begins with one of"),
            ("zip:/a", "begins with one of"),
            ("oci:", "nothing behind"),
            ("oci::x", "no PATH"),
            ("oci:/a:", "no PATH"),
            ("docker://x", "pulled first"),
            ("containerd:/a:x", "no list"),
            ("containerd:a//", "neither"),
            ("containerd:/srv/containerd@a b", "neither"),
            ("containerd:sha256:0", "no digest"),
        ] {
            let said = Source::parse(text).expect_err(text);
            assert!(said.contains(reason), "{said}");
        }
    }
}

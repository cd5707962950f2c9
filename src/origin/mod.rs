//! Where an app's image is made from: what stands in `image.oci` or `image.build`, checked.
//! It fetches and opens nothing; `veneer-pull` fetches, `veneer-convert` opens.
//! The words are those of containers-transports(5), and of docs/convert.md for what skopeo does not know.

pub mod app_file;
mod registry;

pub use registry::RegistryRef;

use crate::oci::source::Source;
use crate::path::AbsPath;
use std::fmt;
use std::path::Path;

/// Where an image is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `docker://HOST/NAME[:TAG][@DIGEST]`: an image of a registry.
    Registry(RegistryRef),
    /// `containers-storage:…`: an image that podman, buildah or CRI-O keep on this machine.
    Storage(StorageRef),
    /// `build:CONTEXT[:FILE]`: built on this machine.
    Build(Build),
    /// What is in files that `veneer-convert` reads itself.
    Local(Source),
}

/// An image in containers-storage, in skopeo's words: `[STORAGE]NAME`, all behind the colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageRef(Box<str>);

/// A build on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The directory that the build sees.
    pub context: AbsPath,
    /// The Containerfile: `Containerfile` or `Dockerfile` of the context if not given.
    pub file: Option<AbsPath>,
}

/// The first words that are known, for messages.
const WORDS: &str = "docker://, containers-storage:, build:, oci:, oci-archive:, docker-archive:, overlay2:, containerd:, tar: and dir:";

impl Origin {
    /// Reads an origin; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(odd) = text.chars().find(|c| c.is_control()) {
            return Err(format!("a source cannot have the control character {odd:?}"));
        }
        match text.split_once(':') {
            Some(("docker", rest)) => RegistryRef::parse(rest).map(Self::Registry),
            Some(("containers-storage", rest)) => StorageRef::parse(rest).map(Self::Storage),
            Some(("build", rest)) => Build::parse(rest).map(Self::Build),
            _ => local(text),
        }
    }

    /// Whether something has to be fetched or built before it can be converted.
    pub fn is_pulled(&self) -> bool {
        !matches!(self, Self::Local(_))
    }

    /// Paths that must be mounted before this can be read.
    pub fn needs(&self) -> Vec<&str> {
        match self {
            Self::Registry(_) | Self::Storage(_) => Vec::new(),
            Self::Build(build) => std::iter::once(&build.context).chain(&build.file).map(AbsPath::as_str).collect(),
            Self::Local(source) => source.paths().into_iter().filter_map(Path::to_str).collect(),
        }
    }
}

fn local(text: &str) -> Result<Origin, String> {
    let word = text.split_once(':').map(|(word, _)| word);
    if !word.is_some_and(|word| WORDS.split([',', ' ']).any(|known| known.strip_suffix(':') == Some(word))) {
        return Err(format!("{text:?} is no container image: it begins with one of {WORDS}"));
    }
    let source = Source::parse(text)?;
    if source == Source::TarStdin {
        return Err("a unit has no standard input: write tar:/PATH".into());
    }
    match source.paths().iter().find(|path| !path.is_absolute()) {
        Some(path) => Err(format!("{:?} is not an absolute path", path.display().to_string())),
        None => Ok(Origin::Local(source)),
    }
}

impl StorageRef {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Err("containers-storage: has nothing behind its colon: write containers-storage:NAME".into()),
            name if name != text => Err(format!("{text:?} begins or ends with a space")),
            name => Ok(Self(name.into())),
        }
    }
}

impl Build {
    fn parse(text: &str) -> Result<Self, String> {
        let (context, file) = match text.split_once(':') {
            Some((context, file)) => (context, Some(file)),
            None => (text, None),
        };
        let context = AbsPath::parse(context)?;
        let file = file.map(|file| Self::file_in(&context, file)).transpose()?;
        Ok(Self { context, file })
    }

    /// A Containerfile's path: absolute, or in the context.
    pub fn file_in(context: &AbsPath, file: &str) -> Result<AbsPath, String> {
        if file.contains(':') {
            return Err(format!("{file:?} has a colon in it"));
        }
        match file.starts_with('/') {
            true => AbsPath::parse(file),
            false if file.is_empty() => Err("the name of the Containerfile is empty".into()),
            false => AbsPath::parse(&format!("{context}/{file}")),
        }
    }

    /// A build of a context; the error is a sentence.
    pub fn new(context: AbsPath, file: Option<AbsPath>) -> Result<Self, String> {
        match context.as_str().contains(':') {
            true => Err(format!("{context} has a colon in it")),
            false => Ok(Self { context, file }),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => write!(f, "docker:{reference}"),
            Self::Storage(StorageRef(text)) => write!(f, "containers-storage:{text}"),
            Self::Build(Build { context, file: None }) => write!(f, "build:{context}"),
            Self::Build(Build { context, file: Some(file) }) => write!(f, "build:{context}:{file}"),
            Self::Local(source) => write!(f, "{source}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_they_are_read() {
        for text in [
            "docker://localhost:5000/hello:1",
            "containers-storage:localhost/hello:latest",
            "containers-storage:[overlay@/srv/storage+/run/storage]localhost/hello",
            "build:/srv/hello",
            "build:/srv/hello:/srv/hello/Containerfile",
            "oci-archive:/srv/hello.tar",
            "docker-archive:/srv/hello.tar:hello:latest",
            "oci:/srv/layout:hello",
            "overlay2:/var/lib/docker/overlay2/x",
            "tar:/srv/root.tar",
        ] {
            assert_eq!(Origin::parse(text).map(|origin| origin.to_string()), Ok(text.to_owned()));
        }
        let inside = Origin::parse("build:/srv/hello:Containerfile").map(|origin| origin.to_string());
        assert_eq!(inside, Ok("build:/srv/hello:/srv/hello/Containerfile".into()));
    }

    #[test]
    fn what_is_no_origin_is_refused_with_what_would_be_one() {
        for (text, said) in [
            ("hello", "is no container image: it begins with one of docker://"),
            ("https://x/y", "is no container image"),
            ("docker:x", "write docker://"),
            ("oci:srv/hello", "\"srv/hello\" is not an absolute path"),
            ("oci:/srv/hello:", "no PATH"),
            ("tar:-", "no standard input"),
            ("build:srv", "\"srv\" is not an absolute path"),
            ("build:/srv:", "Containerfile is empty"),
            ("containers-storage:", "nothing behind"),
            ("oci:/a\nb", "control character"),
        ] {
            let error = Origin::parse(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_pulled_is_not_local() {
        for (text, pulled, needs) in [
            ("docker://r.example/a", true, vec![]),
            ("build:/srv/a:C", true, vec!["/srv/a", "/srv/a/C"]),
            ("oci-archive:/srv/a.tar", false, vec!["/srv/a.tar"]),
            ("containerd:/s/2/fs:/s/1/fs", false, vec!["/s/2/fs", "/s/1/fs"]),
        ] {
            let origin = Origin::parse(text).expect(text);
            assert_eq!((origin.is_pulled(), origin.needs()), (pulled, needs));
        }
    }
}

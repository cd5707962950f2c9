//! The command lines of skopeo and buildah.
//! It runs nothing. Everything that either would take from a user, or from the host's own containers, is given here.
//! Options: skopeo(1), skopeo-copy(1), buildah(1), buildah-build(1), as of the versions in Debian 12.

use crate::oci::document::Platform;
use crate::origin::{Build, Origin};
use std::path::PathBuf;

/// The name that a pulled image has in the layout it passes through.
const NAME: &str = "pulled";

/// What a tool is told besides what is fetched: files that are there, and nothing of anybody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which images are taken.
    pub policy: PathBuf,
    /// Which registries there are.
    pub registries: PathBuf,
    /// Where signatures are found, as registries say it (containers-registries.d(5)); nothing of the host's own.
    pub lookaside: Option<PathBuf>,
    /// Who we are there; nobody if there is no such file.
    pub auth_file: Option<PathBuf>,
    /// Certificates.
    pub certificates: Option<PathBuf>,
    /// For which machine.
    pub platform: Platform,
    /// Where blobs go, in `sha256/`.
    pub blobs: PathBuf,
    /// A directory of this pull's own, beside the blobs.
    pub work: PathBuf,
    /// A directory for what only matters while it runs.
    pub run: PathBuf,
    /// Limits of a build's steps, `nofile=SOFT:HARD`.
    pub limits: Vec<String>,
}

/// A command line, the program first.
pub type Words = Vec<String>;

impl Setting {
    /// Where the layout is that an image passes through.
    pub fn layout(&self) -> PathBuf {
        self.work.join("layout")
    }

    /// Where a build says what came of it.
    pub fn built(&self) -> PathBuf {
        self.work.join("image-id")
    }

    /// A build's own storage, which goes with it.
    fn storage(&self) -> [String; 2] {
        [self.work.join("storage"), self.run.join("storage")].map(|path| path.display().to_string())
    }

    /// skopeo, told to copy an image into the layout.
    pub fn copy(&self, from: &str) -> Words {
        let Platform { os, architecture, variant, .. } = &self.platform;
        // Not at debug level: what it says of each request is how much it waits for a registry that is too busy.
        let mut words: Words = ["skopeo", "--debug"].map(str::to_owned).to_vec();
        words.extend(given("--policy", &self.policy));
        words.extend(given("--registries-conf", &self.registries));
        words.extend(self.lookaside.iter().flat_map(|dir| given("--registries.d", dir)));
        words.extend([format!("--override-os={os}"), format!("--override-arch={architecture}")]);
        words.extend(variant.as_ref().map(|variant| format!("--override-variant={variant}")));
        words.push("copy".into());
        match &self.auth_file {
            Some(file) => words.extend(given("--src-authfile", file)),
            None => words.push("--src-no-creds".into()),
        }
        words.extend(self.certificates.iter().flat_map(|dir| given("--src-cert-dir", dir)));
        words.extend(given("--dest-shared-blob-dir", &self.blobs));
        words.push("--dest-oci-accept-uncompressed-layers".into());
        words.push("--remove-signatures".into());
        words.extend([from.to_owned(), format!("oci:{}:{NAME}", self.layout().display())]);
        words
    }

    /// buildah, told to build.
    pub fn build(&self, build: &Build) -> Words {
        let [root, run] = self.storage();
        let mut words: Words = ["buildah", "--root", &root, "--runroot", &run].map(str::to_owned).to_vec();
        words.extend(given("--registries-conf", &self.registries));
        words.push("build".into());
        words.extend(given("--signature-policy", &self.policy));
        words.extend(self.auth_file.iter().flat_map(|file| given("--authfile", file)));
        words.extend(given("--iidfile", &self.built()));
        // One layer cache less to fill up, and nothing of the host's runtimes.
        words.extend(["--isolation=chroot", "--layers=false", "--format=oci", "--pull"].map(str::to_owned));
        // Without these buildah raises them, which not everybody may.
        words.extend(self.limits.iter().map(|limit| format!("--ulimit={limit}")));
        words.extend(build.file.iter().map(|file| format!("--file={file}")));
        words.push(build.context.to_string());
        words
    }

    /// Where skopeo finds what was built, by the id that buildah has written down.
    pub fn of_build(&self, id: &str) -> String {
        let [root, run] = self.storage();
        format!("containers-storage:[overlay@{root}+{run}]@{}", id.trim_start_matches("sha256:"))
    }
}

fn given(option: &str, path: &std::path::Path) -> [String; 2] {
    [option.to_owned(), path.display().to_string()]
}

/// What skopeo is asked for; a build gives its own.
pub fn source(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Registry(reference) => Some(reference.asked()),
        Origin::Storage(_) => Some(origin.to_string()),
        Origin::Build(_) | Origin::Local(_) => None,
    }
}

/// A command line as a shell would take it.
pub fn shown(words: &[String]) -> String {
    let plain = |word: &&String| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=@+,[]".contains(&byte))
    };
    let words: Vec<String> = words
        .iter()
        .map(|word| if plain(&word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> Setting {
        Setting {
            policy: "/p".into(),
            registries: "/r".into(),
            lookaside: Some("/s".into()),
            auth_file: None,
            certificates: None,
            platform: Platform::parse("linux/arm/v7").expect("a platform"),
            blobs: "/b".into(),
            work: "/w".into(),
            run: "/run/w".into(),
            limits: vec!["nofile=1024:4096".into()],
        }
    }

    #[test]
    fn skopeo_is_told_all_that_it_would_take_from_elsewhere() {
        let words = shown(&setting().copy("docker://r.example/a:1"));
        assert_eq!(
            words,
            "skopeo --debug --policy /p --registries-conf /r --registries.d /s --override-os=linux --override-arch=arm \
             --override-variant=v7 copy --src-no-creds --dest-shared-blob-dir /b \
             --dest-oci-accept-uncompressed-layers --remove-signatures docker://r.example/a:1 oci:/w/layout:pulled"
        );
        let known = Setting { auth_file: Some("/a".into()), certificates: Some("/c".into()), ..setting() };
        let words = shown(&known.copy("docker://r.example/a:1"));
        assert!(words.contains("copy --src-authfile /a --src-cert-dir /c --dest") && !words.contains("no-creds"));
    }

    #[test]
    fn buildah_has_a_storage_of_its_own() {
        let Ok(Origin::Build(build)) = Origin::parse("build:/srv/a b:C") else { panic!("a build") };
        let words = shown(&setting().build(&build));
        assert_eq!(
            words,
            "buildah --root /w/storage --runroot /run/w/storage --registries-conf /r build --signature-policy /p \
             --iidfile /w/image-id --isolation=chroot --layers=false --format=oci --pull \
             --ulimit=nofile=1024:4096 '--file=/srv/a b/C' '/srv/a b'"
        );
        assert_eq!(setting().of_build("sha256:12"), "containers-storage:[overlay@/w/storage+/run/w/storage]@12");
    }
}

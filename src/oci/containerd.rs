//! Which image a name means to containerd: its metadata's buckets, `v1/NAMESPACE/images/NAME/target/digest`.
//! It reads no blob; from the digest on, the content store is a layout like others.
//! Source: containerd's `core/metadata/buckets.go`; short names are completed as docker(1) and nerdctl(1) do.

use super::bolt::{Bucket, Database};
use crate::layer::digest::Digest;
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::io;

/// Where the metadata is, below containerd's own directory.
pub const METADATA: &str = "io.containerd.metadata.v1.bolt/meta.db";
/// Most that a message lists.
const LISTED: usize = 20;
/// More namespaces than anybody has.
const NAMESPACES: usize = 1000;

/// An image by its name, as it is typed: `[NAMESPACE//]NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    /// The namespace; all of them if it is not given.
    pub namespace: Option<String>,
    /// The name, `docker.io/library/debian:12` or `debian:12`.
    pub name: String,
}

impl ImageName {
    /// Reads a name; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (namespace, name) = match text.split_once("//") {
            Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
            None => (None, text.to_owned()),
        };
        let bad = |word: &str| word.is_empty() || word.contains(|letter: char| letter.is_whitespace());
        if bad(&name) || namespace.as_deref().is_some_and(bad) {
            return Err(format!("{text:?} is neither a digest, nor a list of absolute paths, nor an image's name"));
        }
        Ok(Self { namespace, name })
    }

    /// The names that may be meant, the most literal first.
    fn candidates(&self) -> Vec<String> {
        let tagged = |name: &str| {
            let last = name.rsplit('/').next().unwrap_or(name);
            if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
        };
        let name = tagged(&self.name);
        let long = if name.contains('/') { format!("docker.io/{name}") } else { format!("docker.io/library/{name}") };
        vec![self.name.clone(), name, long]
    }
}

impl std::fmt::Display for ImageName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}//{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The digest that a name stands for.
pub fn find<D: ReadAt>(database: &Database<D>, wanted: &ImageName) -> io::Result<Digest> {
    let none = || bad("containerd knows no images here");
    let all = database.bucket(&database.root(), b"v1")?.ok_or_else(none)?;
    let mut found: Vec<(String, Digest)> = Vec::new();
    let mut seen = Vec::new();
    for namespace in database.buckets(&all, NAMESPACES)? {
        let shown = String::from_utf8_lossy(&namespace).into_owned();
        if wanted.namespace.as_ref().is_some_and(|wanted| *wanted != shown) {
            continue;
        }
        let Some(own) = database.bucket(&all, &namespace)? else { continue };
        let Some(images) = database.bucket(&own, b"images")? else { continue };
        match target(database, &images, wanted)? {
            Some(digest) => found.push((shown, digest)),
            None => seen.extend(names(database, &images)?.into_iter().map(|name| format!("{shown}//{name}"))),
        }
    }
    let first = found.first().map(|(_, digest)| digest.clone());
    match first {
        Some(digest) if found.iter().all(|(_, other)| *other == digest) => Ok(digest),
        Some(_) => {
            let several: Vec<String> = found.iter().map(|(namespace, _)| format!("{namespace}//{wanted}")).collect();
            Err(bad(format!("{wanted} is another image in each namespace: {}", several.join(", "))))
        }
        None => {
            seen.truncate(LISTED);
            let known = if seen.is_empty() { "none".to_owned() } else { seen.join(", ") };
            Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no image {wanted}: containerd has {known}")))
        }
    }
}

fn target<D: ReadAt>(database: &Database<D>, images: &Bucket, wanted: &ImageName) -> io::Result<Option<Digest>> {
    for name in wanted.candidates() {
        let Some(image) = database.bucket(images, name.as_bytes())? else { continue };
        let Some(target) = database.bucket(&image, b"target")? else { continue };
        let text = database.value(&target, b"digest")?.ok_or_else(|| bad(format!("{name} has no digest")))?;
        return Digest::parse(&String::from_utf8_lossy(&text)).map(Some).map_err(bad);
    }
    Ok(None)
}

fn names<D: ReadAt>(database: &Database<D>, images: &Bucket) -> io::Result<Vec<String>> {
    let names = database.buckets(images, LISTED)?;
    Ok(names.iter().map(|name| name.escape_ascii().to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::bolt::tests::Made::{self, Bucket as In, Value};
    use super::super::bolt::tests::database;
    use super::*;

    const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

    fn images(names: Vec<(&'static str, &'static str)>) -> Made {
        let image = |digest| In(vec![("target", In(vec![("digest", Value(digest)), ("mediatype", Value("x"))]))]);
        In(vec![("images", In(names.into_iter().map(|(name, digest)| (name, image(digest))).collect()))])
    }

    fn found(name: &str) -> Result<String, String> {
        let namespaces = vec![
            ("default", images(vec![("docker.io/library/debian:latest", ONE), ("quay.io/a/b:1", ONE)])),
            ("k8s.io", images(vec![("docker.io/library/debian:latest", ONE), ("quay.io/a/b:1", TWO)])),
            ("moby", In(vec![])),
        ];
        let bytes = database(&[("a", Value(""))], &[("v1", In(namespaces))]);
        let database = Database::open(&bytes[..], bytes.len() as u64).expect("opened");
        let name = ImageName::parse(name).expect("a name");
        find(&database, &name).map(|digest| digest.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_leads_to_one_digest_or_says_why_not() {
        for name in ["debian", "debian:latest", "library/debian", "docker.io/library/debian:latest"] {
            assert_eq!(found(name), Ok(ONE.to_owned()), "{name}");
        }
        assert_eq!(found("k8s.io//quay.io/a/b:1"), Ok(TWO.to_owned()));
        assert_eq!(
            found("quay.io/a/b:1").expect_err("two"),
            "quay.io/a/b:1 is another image in each namespace: default//quay.io/a/b:1, k8s.io//quay.io/a/b:1"
        );
        let said = found("default//busybox").expect_err("none");
        assert!(said.contains("containerd has default//docker.io/library/debian:latest, default//quay"), "{said}");
        assert!(found("moby//x").expect_err("none").ends_with("containerd has none"));
    }
}

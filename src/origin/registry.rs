//! The name of an image in a registry.
//! It asks no registry; whether the image is there shows when it is pulled.
//! The grammar is that of the distribution project's references; a registry is always named, none is assumed.

use crate::layer::digest::Digest;
use std::fmt;

/// `HOST[:PORT]/NAME[:TAG][@DIGEST]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryRef {
    host: Box<str>,
    name: Box<str>,
    tag: Option<Box<str>>,
    digest: Option<Digest>,
}

/// The longest name, host included, that registries take.
const NAME_MAX: usize = 255;
/// The longest tag.
const TAG_MAX: usize = 128;
/// What is meant where neither a tag nor a digest is given.
const LATEST: &str = "latest";

impl RegistryRef {
    /// Reads what stands behind `docker:`; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("//")
            .ok_or_else(|| format!("\"docker:{text}\" lacks its slashes: write docker://{text}"))?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (rest, None),
        };
        let (host, path) = rest.split_once('/').unwrap_or(("", rest));
        if !names_a_registry(host) {
            return Err(format!(
                "{rest:?} names no registry: write docker://REGISTRY/{rest}, docker://docker.io/library/{rest} for one of Docker's own"
            ));
        }
        let (name, tag) = match path.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (path, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(format!("{tag:?} is no tag: 1 to {TAG_MAX} letters, digits, '_', '.', '-' are"));
        }
        if host.len() + name.len() > NAME_MAX || !name.split('/').all(is_component) || !is_host(host) {
            return Err(format!(
                "{rest:?} is no name of an image: lower-case letters, digits and single '.', '_', '-' between them are"
            ));
        }
        Ok(Self { host: host.into(), name: name.into(), tag: tag.map(Into::into), digest })
    }

    /// The digest that the image must have, if the reference gives one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The registry, with its port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What skopeo is asked for: by the digest alone if there is one, since it takes no tag beside it.
    pub fn asked(&self) -> String {
        match &self.digest {
            Some(digest) => self.at(digest),
            None => format!("docker://{}/{}:{}", self.host, self.name, self.tag.as_deref().unwrap_or(LATEST)),
        }
    }

    /// This name, by a digest.
    pub fn at(&self, digest: &Digest) -> String {
        format!("docker://{}/{}@{digest}", self.host, self.name)
    }
}

/// What stands before the first slash is a registry only if it cannot be a part of a name.
fn names_a_registry(host: &str) -> bool {
    host == "localhost" || host.contains(['.', ':'])
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let good = address.contains(':')
                && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.');
            return good && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
        }
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let label = |label: &str| {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    name.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Runs of lower-case letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_component(part: &str) -> bool {
    let runs = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let edges = bytes.first().copied().is_some_and(runs) && bytes.last().copied().is_some_and(runs);
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    edges
        && separators
            .into_iter()
            .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=TAG_MAX).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

impl fmt::Display for RegistryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "//{}/{}", self.host, self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_their_registry() {
        let digest = Digest::of(b"");
        for (text, asked) in [
            ("//localhost:5000/hello:1", "docker://localhost:5000/hello:1"),
            ("//localhost/hello", "docker://localhost/hello:latest"),
            ("//registry.example/a/b-c/d__e.f", "docker://registry.example/a/b-c/d__e.f:latest"),
            ("//[::1]:5000/x:1", "docker://[::1]:5000/x:1"),
            (&format!("//r.example/a@{digest}"), &format!("docker://r.example/a@{digest}")),
            (&format!("//r.example/a:1@{digest}"), &format!("docker://r.example/a@{digest}")),
        ] {
            let reference = RegistryRef::parse(text).expect(text);
            assert_eq!((reference.to_string(), reference.asked()), (text.to_owned(), asked.to_owned()));
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for (text, said) in [
            ("//hello", "names no registry: write docker://REGISTRY/hello"),
            ("//library/hello:1", "names no registry"),
            ("/r.example/a", "lacks its slashes"),
            ("//r.example/", "no name"),
            ("//r.example/A", "no name"),
            ("//r.example/a..b", "no name"),
            ("//r.example/a/", "no name"),
            ("//r.example:0/a", "no name"),
            ("//-r.example/a", "no name"),
            ("//r.example/a:", "no tag"),
            ("//r.example/a:b c", "no tag"),
            ("//r.example/a@sha256:12", "no digest"),
            ("//r.example/a%20", "no name"),
        ] {
            let error = RegistryRef::parse(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

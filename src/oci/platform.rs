//! Which machine an image is for, and which one is wanted.
//! It asks nobody: this machine's processor is the one the program was built for.
//! Source: the OCI image index specification; the words are Go's `GOOS` and `GOARCH`.

use super::document::Platform;
use std::fmt;

/// Go's words for the processors that Rust names otherwise.
const GO_NAMES: [(&str, &str); 7] = [
    ("x86_64", "amd64"),
    ("aarch64", "arm64"),
    ("x86", "386"),
    ("powerpc64", "ppc64le"),
    ("loongarch64", "loong64"),
    ("riscv64", "riscv64"),
    ("s390x", "s390x"),
];

impl Platform {
    /// The machine we run on.
    pub fn of_this_machine() -> Self {
        let rust = std::env::consts::ARCH;
        let name = GO_NAMES.iter().find(|(name, _)| *name == rust).map_or(rust, |(_, go)| go);
        Self { os: "linux".into(), architecture: name.into(), variant: None }
    }

    /// `amd64`, `linux/arm64`, `linux/arm/v7`; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [architecture] => ("linux", *architecture, None),
            [os, architecture] => (*os, *architecture, None),
            [os, architecture, variant] => (*os, *architecture, Some((*variant).to_owned())),
            _ => ("", "", None),
        };
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if os != "linux" || !is_word(architecture) || !variant.as_deref().is_none_or(is_word) {
            return Err(format!("{text:?} is no platform: one like \"linux/amd64\" or \"linux/arm/v7\" is wanted"));
        }
        let architecture = GO_NAMES.iter().find(|(name, _)| *name == architecture).map_or(architecture, |(_, go)| go);
        Ok(Self { os: os.into(), architecture: architecture.into(), variant })
    }

    /// Whether an image for `self` is one for `wanted`; what an image does not say does not matter.
    pub fn serves(&self, wanted: &Self) -> bool {
        let same = |said: &str, wanted: &str| said.is_empty() || said == wanted;
        let variant = match (&self.variant, &wanted.variant) {
            (Some(said), Some(wanted)) => same(said, wanted),
            _ => true,
        };
        same(&self.os, &wanted.os) && same(&self.architecture, &wanted.architecture) && variant
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match self.variant.as_deref() {
            None | Some("") => Ok(()),
            Some(variant) => write!(f, "/{variant}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_written_as_docker_writes_them() {
        let shown = |text| Platform::parse(text).map(|platform| platform.to_string());
        assert_eq!(shown("amd64"), Ok("linux/amd64".into()));
        assert_eq!(shown("x86_64"), Ok("linux/amd64".into()));
        assert_eq!(shown("linux/arm/v7"), Ok("linux/arm/v7".into()));
        for bad in ["", "windows/amd64", "linux/", "linux/arm/v7/x", "linux/../x", "linux/arm/"] {
            assert!(shown(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_image_serves_whoever_asks_for_no_more_than_it_says() {
        let platform = |text| Platform::parse(text).expect("good");
        assert!(platform("arm64").serves(&platform("arm64")));
        assert!(platform("linux/arm64/v8").serves(&platform("arm64")));
        assert!(!platform("linux/arm/v6").serves(&platform("linux/arm/v7")));
        assert!(!platform("arm64").serves(&platform("amd64")));
        let nothing = Platform { os: String::new(), architecture: String::new(), variant: None };
        assert!(nothing.serves(&platform("amd64")));
    }
}

//! How an EROFS image is compressed: the words for `mkfs.erofs`, checked.
//! It knows no program; `host::mkfs_erofs` runs one, and what it can do depends on its build.
//! The algorithms are those of mkfs.erofs(1) of erofs-utils 1.8 that some kernel reads.

use std::fmt;

/// Algorithms, their highest level, and the kernel that reads them first.
const KNOWN: [(&str, u32, &str); 5] =
    [("lz4", 0, "5.4"), ("lz4hc", 12, "5.4"), ("lzma", 109, "5.16"), ("deflate", 9, "6.6"), ("zstd", 22, "6.10")];

/// An algorithm, and a level if one was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    algorithm: &'static str,
    level: Option<u32>,
}

impl Compression {
    /// Reads `ALGORITHM[,LEVEL]`; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, level) = match text.split_once(',') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let Some((algorithm, most, _)) = KNOWN.iter().find(|(known, ..)| *known == name) else {
            let names: Vec<String> = KNOWN.iter().map(|(name, _, since)| format!("{name} (Linux {since})")).collect();
            return Err(format!("{text:?} is no compression: there are {}", names.join(", ")));
        };
        let number = level.map(|level| level.parse().ok().filter(|level| level <= most));
        match number {
            Some(None) => Err(format!("{text:?} has no level of {algorithm}: 0 to {most}")),
            Some(Some(_)) if *most == 0 => Err(format!("{algorithm} has no levels")),
            number => Ok(Self { algorithm, level: number.flatten() }),
        }
    }

    /// What `mkfs.erofs -z` takes.
    pub fn argument(&self) -> String {
        let level = self.level.map_or(String::new(), |level| format!(",level={level}"));
        format!("{}{level}", self.algorithm)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm)?;
        self.level.map_or(Ok(()), |level| write!(f, ",{level}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compression_is_an_algorithm_and_perhaps_a_level() {
        for (text, argument) in [("lz4", "lz4"), ("zstd,19", "zstd,level=19"), ("lzma,109", "lzma,level=109")] {
            let parsed = Compression::parse(text).expect(text);
            assert_eq!((parsed.to_string(), parsed.argument()), (text.to_owned(), argument.to_owned()));
        }
        for bad in ["", "gzip", "zstd,", "zstd,23", "zstd,-1", "zstd,1,2", "lz4,1", "lz4,0"] {
            assert!(Compression::parse(bad).is_err(), "{bad}");
        }
    }
}

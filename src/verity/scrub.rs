//! How far the reading of an image has come: what a scrub that is stopped leaves for the next.
//! It reads no image; `host::scrub` does, and writes this down now and then.
//! Form: JSON, a small file per image below `/var/lib/veneer/scrub`.

use serde::{Deserialize, Serialize};

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Scrubbed {
    /// The root hash that was read against: another one begins anew.
    pub root_hash: String,
    /// The first block of the lowest level of the hash tree that is still to be checked.
    pub next: u64,
    /// When all of it was last read to its end: seconds since 1970.
    pub finished: u64,
    /// What was wrong then, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
}

impl Scrubbed {
    /// What the file says; one that says nothing sensible is as good as none.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Where to go on, with this root hash.
    pub fn begin(&self, root_hash: &str) -> u64 {
        if self.root_hash == root_hash { self.next } else { 0 }
    }

    /// The same, further.
    pub fn reached(&self, root_hash: &str, next: u64) -> Self {
        Self { root_hash: root_hash.to_owned(), next, ..self.clone() }
    }

    /// The same, at its end.
    pub fn ended(&self, root_hash: &str, now: u64, damaged: Option<String>) -> Self {
        Self { root_hash: root_hash.to_owned(), next: 0, finished: now, damaged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_goes_on_unless_the_image_is_another() {
        let half = Scrubbed::default().reached("ab", 7);
        let read = Scrubbed::parse(&serde_json::to_string(&half).expect("text"));
        assert_eq!((read.begin("ab"), read.begin("cd")), (7, 0));
        let ended = read.ended("ab", 99, Some("block 3".into()));
        assert_eq!((ended.begin("ab"), ended.finished), (0, 99));
        assert_eq!(Scrubbed::parse("rubbish"), Scrubbed::default());
    }
}

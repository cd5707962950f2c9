//! What the kernel says of a damaged block.
//! It reads no device; the words come from udev's environment.
//! Format: `DM_VERITY_ERR_BLOCK_NR=TYPE,BLOCK` (drivers/md/dm-verity-target.c, `verity_handle_err`).

use std::fmt;

/// A damaged block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// A block of the image.
    Data(u64),
    /// A block of the hash tree.
    Tree(u64),
}

impl Corruption {
    /// Reads `TYPE,BLOCK`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, block) = text.split_once(',')?;
        let block = block.parse().ok()?;
        match kind {
            "0" => Some(Self::Data(block)),
            "1" => Some(Self::Tree(block)),
            _ => None,
        }
    }

    /// The block's number.
    pub fn block(self) -> u64 {
        match self {
            Self::Data(block) | Self::Tree(block) => block,
        }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(block) => write!(f, "block {block}"),
            Self::Tree(block) => write!(f, "block {block} of its hash tree"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Corruption;

    #[test]
    fn the_kernels_words_are_read() {
        assert_eq!(Corruption::parse("0,17"), Some(Corruption::Data(17)));
        assert_eq!(Corruption::parse("1,3").map(|found| found.to_string()), Some("block 3 of its hash tree".into()));
        for odd in ["", "0", "2,1", "0,-1", "0,x"] {
            assert_eq!(Corruption::parse(odd), None, "{odd}");
        }
    }
}

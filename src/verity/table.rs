//! The dm-verity line of a device-mapper table.
//! It knows no files: devices come in as numbers.
//! Format: the kernel's admin-guide/device-mapper/verity, "Construction Parameters".

use super::superblock::Superblock;
use crate::root_hash::RootHash;
use std::fmt::Write as _;

/// A device's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceNumber {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
}

/// Sectors of the device: always 512 bytes each.
pub fn sectors(sb: &Superblock) -> u64 {
    sb.data_size() / 512
}

/// The target's parameters; `signature` is the description of a key that holds the root hash's signature.
pub fn parameters(
    sb: &Superblock,
    data: DeviceNumber,
    tree: DeviceNumber,
    root: &RootHash,
    signature: Option<&str>,
) -> String {
    let mut line = format!(
        "1 {}:{} {}:{} {} {} {} {} {} {root} ",
        data.major,
        data.minor,
        tree.major,
        tree.minor,
        sb.data_block,
        sb.hash_block,
        sb.data_blocks,
        sb.tree_start(),
        sb.algorithm.name()
    );
    if sb.salt.is_empty() {
        line.push('-');
    }
    for byte in &sb.salt {
        // Writing to a String cannot fail.
        let _ = write!(line, "{byte:02x}");
    }
    if let Some(key) = signature {
        let _ = write!(line, " 2 root_hash_sig_key_desc {key}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verity::superblock::tests::written;

    #[test]
    fn the_line_is_the_kernels() {
        let number = |minor| DeviceNumber { major: 7, minor };
        let root = RootHash::parse(&"ab".repeat(32)).expect("good hash");
        let sb = Superblock::parse(&written(9, &[0, 0xff])).expect("good superblock");
        let line = parameters(&sb, number(0), number(1), &root, Some("k"));
        assert_eq!(line, format!("1 7:0 7:1 4096 4096 9 1 sha256 {root} 00ff 2 root_hash_sig_key_desc k"));
        let sb = Superblock::parse(&written(9, &[])).expect("good superblock");
        assert!(parameters(&sb, number(0), number(1), &root, None).ends_with(&format!("{root} -")));
        assert_eq!(sectors(&sb), 72);
    }
}

//! How much an archive may ask for.
//! It measures nothing; each limit is held where the thing is read.
//! The kernel's limits are those of `<linux/limits.h>` and `<linux/xattr.h>`; the others are ours, and can be changed.

/// Bounds of one conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after decompression, of all layers together; and, apart from that, of all files written.
    pub total_size: u64,
    /// Entries of all layers together, with the directories that are only in the names of others.
    pub entries: u64,
    /// Directories within each other.
    pub depth: usize,
    /// Bytes of one PAX header, one sparse map, or one long name's entry.
    pub header_size: u64,
    /// Bytes of all names, link targets, directories and their attributes together: what stays in memory.
    pub names_size: u64,
}

impl Default for Limits {
    /// 32 GiB and four million entries: more than any image that is meant, less than what fills a disk unnoticed.
    fn default() -> Self {
        Self { total_size: 32 << 30, entries: 4_000_000, depth: 512, header_size: 1 << 20, names_size: 1 << 29 }
    }
}

/// What a directory counts for besides its name: a map of names while layers are merged, and another in what the writer
/// gets. At its height that was measured to be three times as much, and what an entry of its own takes is a fifth.
pub const DIRECTORY: u64 = 512;

/// Longest name with its directories, and longest link: `PATH_MAX` without its closing NUL.
pub const PATH_MAX: usize = 4095;
/// Longest name in a directory: `NAME_MAX`.
pub const NAME_MAX: usize = 255;
/// Longest name of an extended attribute: `XATTR_NAME_MAX`.
pub const XATTR_NAME_MAX: usize = 255;
/// Longest value of an extended attribute: EROFS counts it in sixteen bits.
pub const XATTR_VALUE_MAX: usize = 65535;

//! File systems that hold no files: a source in one of them is refused.
//! It looks at the file system of one descriptor; what is mounted below is refused elsewhere.
//! Numbers: statfs(2).

use super::copy::failed;
use crate::request::Denial;
use rustix::fd::BorrowedFd;
use rustix::fs as rfs;

/// File systems that are no files: statfs(2)'s numbers. Their reading has effects, or no end, or waits for a program.
const NO_FILES: [(i64, &str); 16] = [
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x6367_7270, "cgroup2"),
    (0x0027_e0eb, "cgroup"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x1cd1, "devpts"),
    (0x7363_6673, "securityfs"),
    (0xf97c_ff8c, "selinuxfs"),
    (0xcafe_4a11, "bpf"),
    (0xde5e_81e4, "efivarfs"),
    (0x6165_676c, "pstore"),
    (0x4249_4e4d, "binfmt_misc"),
    (0x1980_0202, "mqueue"),
    (0x6265_6570, "configfs"),
    (0x6573_5546, "FUSE"),
];

/// Refuses what is in a file system of the kernel.
pub(super) fn refuse(source: BorrowedFd<'_>) -> Result<(), Denial> {
    let kind = rfs::fstatfs(source).map_err(|errno| failed("", errno))?.f_type;
    match NO_FILES.iter().find(|(number, _)| *number == kind) {
        Some((_, name)) => Err(Denial::refused(format!("the source is in a file system of {name}: copy it first"))),
        None => Ok(()),
    }
}

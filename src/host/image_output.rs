//! Files that images are written to, and read back from.
//! It opens none and decides on no byte of them.
//! Rules: pread(2), pwrite(2), ftruncate(2); Linux begins to write back what posix_fadvise(2) says is not needed.

use crate::image::blocks::WriteAt;
use crate::verity::tree::ReadAt;
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl WriteAt for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn begin_writeback(&self, offset: u64, length: u64) {
        // Advice: where it is not taken, fsync(2) has more to do.
        let _ = fadvise(self, offset, NonZeroU64::new(length), Advice::DontNeed);
    }
}

//! Files that images are written to, and read back from.
//! It opens none and decides on no byte of them.
//! Rules: pread(2), pwrite(2), ftruncate(2).

use crate::image::blocks::WriteAt;
use crate::verity::tree::ReadAt;
use std::fs::File;
use std::io;
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
}

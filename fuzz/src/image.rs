//! Any bytes as an image, and what must hold whatever they are.
//! It makes no image of its own: the fuzzer's corpus begins with what it finds itself.

use veneer::image::read::{Reader, What};
use veneer::image::tree::{Content as _, Piece};
use veneer::layer::limits::Limits;
use veneer::verity::tree::ReadAt;

/// Where the superblock is, and behind it the root's inode (`erofs_fs.h`; the place is our writer's).
const SUPERBLOCK_AT: usize = 1024;
const ROOT_AT: usize = SUPERBLOCK_AT + 128;
const MAGIC: [u8; 4] = 0xe0f5_e1e2u32.to_le_bytes();
/// Bytes of the smallest image.
const LEAST: usize = 8192;

/// Bytes as what follows an image's first kilobyte, with what no fuzzer finds by itself put right: the magic number, no
/// checksum, no features, blocks of 4096 bytes, where the root is, and that it is a directory.
fn image(bytes: &[u8]) -> Vec<u8> {
    let mut image = vec![0; SUPERBLOCK_AT];
    image.extend_from_slice(bytes);
    image.resize(image.len().max(LEAST), 0);
    image[SUPERBLOCK_AT..SUPERBLOCK_AT + 4].copy_from_slice(&MAGIC);
    image[SUPERBLOCK_AT + 8] &= !1;
    image[SUPERBLOCK_AT + 12] = 12;
    image[SUPERBLOCK_AT + 14..SUPERBLOCK_AT + 16].copy_from_slice(&(ROOT_AT as u16 / 32).to_le_bytes());
    image[SUPERBLOCK_AT + 36..SUPERBLOCK_AT + 44].fill(0);
    image[SUPERBLOCK_AT + 80..SUPERBLOCK_AT + 88].fill(0);
    image[SUPERBLOCK_AT + 90] = 0;
    image[ROOT_AT + 5] = image[ROOT_AT + 5] & 0x0f | 0x40;
    image
}

struct Bytes<'a>(&'a [u8]);

impl ReadAt for Bytes<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.0.read_at(buffer, offset)
    }
}

/// Where an ext4 image of ours would have its root: blocks of 1024 bytes, of which the third is the descriptors', and the
/// fourth begins the inodes, of 256 bytes each.
const EXT4_BLOCK: usize = 1024;
const EXT4_ROOT_AT: usize = 3 * EXT4_BLOCK + 256;

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Bytes as what follows an image's first kilobyte, with what no fuzzer finds by itself put right: the magic number, the
/// features, the state, where the inodes are, and that the root is a directory.
fn ext4_image(bytes: &[u8]) -> Vec<u8> {
    let mut image = vec![0; SUPERBLOCK_AT];
    image.extend_from_slice(bytes);
    image.resize(image.len().max(LEAST), 0);
    let blocks = (image.len() / EXT4_BLOCK) as u32;
    for (at, value) in [(0, 64u32), (4, blocks), (20, 1), (24, 0), (40, 64), (76, 1), (92, 0), (96, 0x42), (232, 0)] {
        put(&mut image, SUPERBLOCK_AT + at, &value.to_le_bytes());
    }
    for (at, value) in [(56, 0xef53u16), (58, 1), (88, 256)] {
        put(&mut image, SUPERBLOCK_AT + at, &value.to_le_bytes());
    }
    put(&mut image, 2 * EXT4_BLOCK + 8, &3u32.to_le_bytes());
    image[EXT4_ROOT_AT + 1] = image[EXT4_ROOT_AT + 1] & 0x0f | 0x40;
    image
}

/// Reads everything that any bytes have as an EROFS image.
pub fn prove_erofs_read(bytes: &[u8]) {
    prove_read(&image(bytes));
}

/// Reads everything that any bytes have as an ext4 image.
pub fn prove_ext4_read(bytes: &[u8]) {
    prove_read(&ext4_image(bytes));
}

/// Reads everything that an image has: no more than it can have, and no name that none can be.
fn prove_read(bytes: &[u8]) {
    let limits = Limits { total_size: 1 << 24, ..Limits::default() };
    let Ok(reader) = Reader::open(Bytes(bytes), bytes.len() as u64, limits) else { return };
    let Ok(tree) = reader.tree() else { return };
    let mut ahead = vec![&tree.root];
    while let Some(directory) = ahead.pop() {
        for (name, entry) in &directory.entries {
            assert!(!matches!(&**name, b"" | b"." | b"..") && name.len() <= 255 && !name.contains(&b'/'));
            if let veneer::image::tree::Entry::Directory(below) = entry {
                ahead.push(below);
            }
        }
    }
    for number in &tree.inodes {
        let inode = reader.inode(*number).expect("it was read for its name");
        let What::File(body) = inode.what else { continue };
        let (mut content, mut length) = (reader.content(body), 0u64);
        loop {
            match content.next_piece() {
                Ok(Some(Piece::Data(bytes))) => length += bytes.len() as u64,
                Ok(Some(Piece::Hole(hole))) => length += hole,
                Ok(None) => break assert_eq!(length, body.size()),
                Err(_) => return,
            }
        }
    }
}

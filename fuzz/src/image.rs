//! Any bytes as an image, and what must hold whatever they are.
//! It makes no image of its own: the fuzzer's corpus begins with what it finds itself.

use veneer::image::erofs::read::{Reader, What};
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

/// Reads everything that any bytes have as an EROFS image: no more than they can have, and no name that none can be.
pub fn prove_erofs_read(bytes: &[u8]) {
    let bytes = image(bytes);
    let limits = Limits { total_size: 1 << 24, ..Limits::default() };
    let Ok(reader) = Reader::open(Bytes(&bytes), bytes.len() as u64, limits) else { return };
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

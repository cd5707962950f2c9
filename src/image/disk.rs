//! A disk image around a root file system: GPT, with the hash tree and its signature in partitions of their own.
//! It writes nowhere and signs nothing; it says what goes where.
//! Rules: the UEFI Specification ("GUID Partition Table"), the Discoverable Partitions Specification (UAPI.2): the root's
//! partition has the first half of the root hash for its UUID, the tree's the second.

use super::bytes::Fields as _;
use super::identity::{Purpose, Seed, Uuid};
use super::partition::{Machine, Partition};
use crate::root_hash::RootHash;

const SECTOR: u64 = 512;
/// Partitions begin at multiples of this, as systemd-repart and others have it.
const ALIGNMENT: u64 = 1 << 20;
const ENTRIES: usize = 128;
const ENTRY: usize = 128;
/// Sectors of the entries.
const ENTRY_SECTORS: u64 = (ENTRIES * ENTRY) as u64 / SECTOR;
/// "Read-only", a bit of the specification.
const READ_ONLY: u64 = 1 << 60;

/// What a disk is made of.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    /// Bytes of the file system.
    pub image: u64,
    /// Bytes of the hash file.
    pub tree: u64,
    /// Bytes of the signature's JSON, if there is one.
    pub signature: Option<u64>,
    /// The root hash.
    pub root: &'a RootHash,
    /// What machines the root is for.
    pub machine: Machine,
    /// Where the disk's own UUID comes from.
    pub seed: Seed,
}

/// A disk laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its size.
    pub size: u64,
    /// What stands at its beginning.
    pub head: Vec<u8>,
    /// What stands at its end, and where.
    pub tail: (u64, Vec<u8>),
    /// Where each partition begins; up to the next everything is zero.
    pub partitions: Vec<(Partition, u64)>,
}

/// Lays a disk out.
pub fn lay_out(contents: &Contents<'_>) -> Disk {
    let sizes = [
        (Partition::Root, Some(contents.image)),
        (Partition::Tree, Some(contents.tree)),
        (Partition::Signature, contents.signature),
    ];
    let (mut at, mut partitions, mut entries) = (ALIGNMENT, Vec::new(), vec![0; ENTRIES * ENTRY]);
    for (partition, size) in sizes.into_iter().filter_map(|(partition, size)| size.map(|size| (partition, size))) {
        let entry = &mut entries[partitions.len() * ENTRY..][..ENTRY];
        put_entry(entry, partition, contents, at / SECTOR, (at + size.next_multiple_of(4096)) / SECTOR - 1);
        partitions.push((partition, at));
        at = (at + size).next_multiple_of(ALIGNMENT);
    }
    let size = at + ALIGNMENT;
    let last = size / SECTOR - 1;
    let header =
        |own: u64, other: u64, entries_at: u64| header(&entries, contents.seed, [own, other, entries_at], last);
    let mut head = protective_record(last).to_vec();
    head.extend(header(1, last, 2));
    head.extend(&entries);
    let mut tail = entries.clone();
    tail.extend(header(last, 1, last - ENTRY_SECTORS));
    Disk { size, head, tail: ((last - ENTRY_SECTORS) * SECTOR, tail), partitions }
}

fn put_entry(entry: &mut [u8], partition: Partition, contents: &Contents<'_>, first: u64, last: u64) {
    let hash = contents.root.to_bytes();
    let half = |bytes: &[u8]| Uuid(std::array::from_fn(|index| bytes[index]));
    let uuid = match partition {
        Partition::Root => half(&hash[..16]),
        Partition::Tree => half(&hash[hash.len() - 16..]),
        Partition::Signature => contents.seed.uuid(Purpose::SignaturePartition),
    };
    entry.put(0, &mixed(Uuid(partition.kind(contents.machine).to_be_bytes())));
    entry.put(16, &mixed(uuid));
    entry.put_u64(32, first);
    entry.put_u64(40, last);
    entry.put_u64(48, READ_ONLY);
    for (index, letter) in partition.label().encode_utf16().enumerate() {
        entry.put_u16(56 + index * 2, letter);
    }
}

/// A header at one sector, with the other's, and that of its entries.
fn header(entries: &[u8], seed: Seed, [own, other, entries_at]: [u64; 3], last: u64) -> [u8; SECTOR as usize] {
    let mut header = [0; SECTOR as usize];
    header.put(0, b"EFI PART");
    header.put_u32(8, 0x0001_0000);
    header.put_u32(12, 92);
    header.put_u64(24, own);
    header.put_u64(32, other);
    header.put_u64(40, ALIGNMENT / SECTOR);
    header.put_u64(48, last - ENTRY_SECTORS - 1);
    header.put(56, &mixed(seed.uuid(Purpose::Disk)));
    header.put_u64(72, entries_at);
    header.put_u32(80, ENTRIES as u32);
    header.put_u32(84, ENTRY as u32);
    header.put_u32(88, crc32(entries));
    let sum = crc32(&header[..92]);
    header.put_u32(16, sum);
    header
}

/// The record that keeps programs which know no GPT away: one partition over everything.
fn protective_record(last: u64) -> [u8; SECTOR as usize] {
    let mut record = [0; SECTOR as usize];
    let partition = &mut record[446..];
    partition.put(1, &[0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
    partition.put_u32(8, 1);
    partition.put_u32(12, u32::try_from(last).unwrap_or(u32::MAX));
    record.put(510, &[0x55, 0xaa]);
    record
}

/// A UUID as GPT keeps it: the first three fields little-endian.
fn mixed(uuid: Uuid) -> [u8; 16] {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    order.map(|index| uuid.0[index])
}

/// CRC-32 as in Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_the_known_ones() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn partitions_follow_each_other_and_carry_the_root_hash() {
        let root = RootHash::parse(&"0123456789abcdef".repeat(4)).expect("good hash");
        let (seed, machine) = (Seed([1; 32]), Machine::X86_64);
        let contents =
            Contents { image: (5 << 20) + 4096, tree: 8192, signature: Some(4096), root: &root, machine, seed };
        let disk = lay_out(&contents);
        let places: Vec<_> = disk.partitions.iter().map(|(partition, at)| (*partition, at >> 20)).collect();
        assert_eq!(places, [(Partition::Root, 1), (Partition::Tree, 7), (Partition::Signature, 8)]);
        assert_eq!((disk.size >> 20, disk.tail.0 + disk.tail.1.len() as u64), (10, disk.size));
        let entry = &disk.head[1024..];
        assert_eq!(
            entry[16..32],
            [0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]
        );
        assert_eq!(lay_out(&Contents { signature: None, ..contents }).partitions.len(), 2);
    }
}

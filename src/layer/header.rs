//! One header block of a tar archive, as it stands there.
//! It joins nothing: long names, PAX values and sparse maps come from other blocks, and are `tar`'s to put together.
//! Sources: pax(1) in POSIX ("ustar"), GNU tar's manual "Basic Tar Format", and star's "tar\0" trailer.

use super::fault::bad;
use super::number;
use std::io;

/// Bytes of a block.
pub const BLOCK: usize = 512;

/// Offsets and lengths of the pieces of a sparse file.
pub type Pairs = Vec<(u64, u64)>;

/// What wrote a header, which says what its last bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Before POSIX: nothing behind the link's name.
    V7,
    /// POSIX: the name goes on in a prefix.
    Ustar,
    /// GNU: sparse maps stand where the prefix would.
    Gnu,
    /// Jörg Schilling's star: a shorter prefix.
    Star,
}

/// A header block whose checksum is right.
#[derive(Clone, Debug)]
pub struct Header {
    bytes: [u8; BLOCK],
    /// How to read it.
    pub format: Format,
}

impl Header {
    /// Checks a block; nothing if it is all zeros.
    pub fn parse(bytes: &[u8; BLOCK]) -> io::Result<Option<Self>> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let stated = number::field(&bytes[148..156]).map_err(|_| not_a_header())?;
        let blank = |index: usize, byte: u8| if (148..156).contains(&index) { b' ' } else { byte };
        let bytes_read = bytes.iter().enumerate().map(|(index, byte)| blank(index, *byte));
        let unsigned: i64 = bytes_read.clone().map(i64::from).sum();
        // Old tars added the bytes up as signed ones.
        let signed: i64 = bytes_read.map(|byte| i64::from(byte as i8)).sum();
        if stated != unsigned && stated != signed {
            return Err(not_a_header());
        }
        let format = match (&bytes[257..263], &bytes[263..265], &bytes[508..512]) {
            (b"ustar\0", _, b"tar\0") => Format::Star,
            (b"ustar\0", _, _) => Format::Ustar,
            (b"ustar ", b" \0", _) => Format::Gnu,
            _ => Format::V7,
        };
        Ok(Some(Self { bytes: *bytes, format }))
    }

    /// The type's letter.
    pub fn kind(&self) -> u8 {
        self.bytes[156]
    }

    /// Name, with its prefix.
    pub fn name(&self) -> Vec<u8> {
        let name = text(&self.bytes[..100]);
        let prefix = match self.format {
            Format::Ustar => text(&self.bytes[345..500]),
            Format::Star => text(&self.bytes[345..476]),
            Format::V7 | Format::Gnu => b"",
        };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// What a link leads to.
    pub fn link(&self) -> &[u8] {
        text(&self.bytes[157..257])
    }

    /// Permissions, perhaps with a file type above them.
    pub fn mode(&self) -> io::Result<i64> {
        self.number("mode", 100..108)
    }

    /// Owner.
    pub fn uid(&self) -> io::Result<i64> {
        self.number("uid", 108..116)
    }

    /// Group.
    pub fn gid(&self) -> io::Result<i64> {
        self.number("gid", 116..124)
    }

    /// Bytes behind the header.
    pub fn size(&self) -> io::Result<u64> {
        let size = self.number("size", 124..136)?;
        u64::try_from(size).map_err(|_| bad(format!("the size is {size}")))
    }

    /// Seconds since 1970.
    pub fn mtime(&self) -> io::Result<i64> {
        self.number("mtime", 136..148)
    }

    /// A device's two numbers; without POSIX's fields both are zero.
    pub fn device(&self) -> io::Result<(i64, i64)> {
        if self.format == Format::V7 {
            return Ok((0, 0));
        }
        Ok((self.number("devmajor", 329..337)?, self.number("devminor", 337..345)?))
    }

    /// GNU's sparse map in the header, whether it goes on behind it, and the file's real size.
    pub fn gnu_sparse(&self) -> io::Result<(Pairs, More, u64)> {
        if self.format != Format::Gnu {
            return Err(bad("a sparse file without GNU's header"));
        }
        let (map, more) = sparse_pairs(&self.bytes[386..482], self.bytes[482])?;
        let size = self.number("real size", 483..495)?;
        Ok((map, more, u64::try_from(size).map_err(|_| bad(format!("the real size is {size}")))?))
    }

    fn number(&self, field: &str, place: std::ops::Range<usize>) -> io::Result<i64> {
        number::field(&self.bytes[place]).map_err(|error| bad(format!("{field}: {error}")))
    }
}

/// Whether a sparse map goes on in the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// It does.
    Follows,
    /// It is complete.
    Nothing,
}

/// A block that continues a sparse map.
pub fn sparse_block(bytes: &[u8; BLOCK]) -> io::Result<(Pairs, More)> {
    sparse_pairs(&bytes[..504], bytes[504])
}

fn sparse_pairs(bytes: &[u8], more: u8) -> io::Result<(Pairs, More)> {
    let mut pairs = Vec::new();
    // An empty pair ends the map of a block.
    for pair in bytes.chunks_exact(24).take_while(|pair| pair[0] != 0) {
        let (offset, length) = (number::field(&pair[..12])?, number::field(&pair[12..])?);
        let wrong = |_| bad("the sparse map has a negative number");
        pairs.push((u64::try_from(offset).map_err(wrong)?, u64::try_from(length).map_err(wrong)?));
    }
    Ok((pairs, if more == 0 { More::Nothing } else { More::Follows }))
}

fn not_a_header() -> io::Error {
    bad("this is no tar header: its checksum is wrong")
}

/// A field's text ends at its first zero byte.
fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(edit: impl FnOnce(&mut [u8; BLOCK])) -> [u8; BLOCK] {
        let mut bytes = [0; BLOCK];
        bytes[..4].copy_from_slice(b"name");
        edit(&mut bytes);
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
        bytes[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes
    }

    #[test]
    fn the_prefix_is_read_only_where_it_is_one() {
        let with = |magic: &[u8; 8], star: &[u8]| {
            let bytes = block(|bytes| {
                bytes[257..265].copy_from_slice(magic);
                bytes[345..348].copy_from_slice(b"dir");
                bytes[508..508 + star.len()].copy_from_slice(star);
            });
            let header = Header::parse(&bytes).expect("good").expect("not empty");
            (header.format, header.name())
        };
        assert_eq!(with(b"ustar\x0000", b""), (Format::Ustar, b"dir/name".to_vec()));
        assert_eq!(with(b"ustar\x0000", b"tar\0"), (Format::Star, b"dir/name".to_vec()));
        assert_eq!(with(b"ustar  \0", b""), (Format::Gnu, b"name".to_vec()));
        assert_eq!(with(b"\0\0\0\0\0\0\0\0", b""), (Format::V7, b"name".to_vec()));
    }

    #[test]
    fn a_flipped_bit_is_found_and_zeros_are_nothing() {
        let mut bytes = block(|_| ());
        assert!(Header::parse(&bytes).expect("good").is_some());
        bytes[0] ^= 1;
        assert!(Header::parse(&bytes).is_err());
        assert!(Header::parse(&[0; BLOCK]).expect("zeros").is_none());
    }
}

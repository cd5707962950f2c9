//! How a layer is compressed, told by its first bytes, and what undoes it.
//! Media types are not asked: they are wrong often enough, and the bytes never are.
//! Sources: RFC 1952 (gzip), RFC 8878 (zstd), the xz file format; others are known by name, to be refused by it.

use super::fault::bad;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::{Action, Status, XzStream};
use std::io::{self, BufRead, ErrorKind, Read};

/// A form of compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// None.
    Plain,
    /// gzip, also of several members.
    Gzip,
    /// zstd, also of several frames.
    Zstd,
    /// xz, also of several streams.
    Xz,
}

/// Largest window that a zstd frame may ask for, as a power of two: zstd's own limit without `--long`.
const ZSTD_WINDOW: u32 = 27;
/// KiB that an xz stream may ask for: `xz -9` needs 65 MiB.
const XZ_MEMORY: u32 = 96 << 10;

impl Compression {
    /// What a stream is that begins like this.
    pub fn of(head: &[u8]) -> io::Result<Self> {
        let refused = |name: &str| Err(bad(format!("it is compressed with {name}; gzip, zstd and xz are known")));
        match head {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Self::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => refused("bzip2"),
            [0x04, 0x22, 0x4d, 0x18, ..] => refused("lz4"),
            [b'L', b'Z', b'I', b'P', 1, ..] => refused("lzip"),
            [0x1f, 0x9d, ..] => refused("compress"),
            [b'P', b'K', 3, 4, ..] => Err(bad("it is a zip archive, not a tar")),
            _ => Ok(Self::Plain),
        }
    }
}

/// A stream whose compression is undone.
pub enum Decoder<R: BufRead> {
    /// As it is.
    Plain(R),
    /// From gzip.
    Gzip(Box<MultiGzDecoder<R>>),
    /// From zstd.
    Zstd(Box<zstd::stream::read::Decoder<'static, R>>),
    /// From xz.
    Xz(Box<Xz<R>>),
}

impl<R: BufRead> Decoder<R> {
    /// Looks at the first bytes and begins.
    pub fn new(mut inner: R) -> io::Result<Self> {
        // A buffer that was just made holds more than the magic, unless the stream is shorter.
        Ok(match Compression::of(inner.fill_buf()?)? {
            Compression::Plain => Self::Plain(inner),
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(inner))),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(inner)?;
                decoder.window_log_max(ZSTD_WINDOW)?;
                Self::Zstd(Box::new(decoder))
            }
            Compression::Xz => Self::Xz(Box::new(Xz { inner, stream: XzStream::new_mem_limit(true, XZ_MEMORY) })),
        })
    }

    /// What is read from.
    pub fn inner_mut(&mut self) -> &mut R {
        match self {
            Self::Plain(inner) => inner,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
            Self::Xz(decoder) => &mut decoder.inner,
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Xz(decoder) => decoder.read(buffer),
        }
    }
}

/// An xz stream; the crate's own reader cannot give its input back after an error.
pub struct Xz<R> {
    inner: R,
    stream: XzStream,
}

impl<R: BufRead> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.inner.fill_buf()?;
            let ended = input.is_empty();
            let action = if ended { Action::Finish } else { Action::Run };
            let done = self.stream.process(input, buffer, action)?;
            self.inner.consume(done.bytes_consumed);
            if done.bytes_produced > 0 || done.status == Status::StreamEnd || buffer.is_empty() {
                return Ok(done.bytes_produced);
            }
            if ended {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Decoder::new(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("in memory")
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder =
            lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).expect("in memory");
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn each_form_comes_out_as_it_went_in_in_one_part_or_two() {
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("in memory");
        let text = b"layer".repeat(10_000);
        for pack in [gzip as fn(&[u8]) -> Vec<u8>, zstd, xz, <[u8]>::to_vec] {
            assert_eq!(read(&pack(&text)).expect("one part"), text);
            let (a, b) = text.split_at(20_001);
            assert_eq!(read(&[pack(a), pack(b)].concat()).expect("two parts"), text);
        }
    }

    #[test]
    fn cut_streams_are_errors_wherever_they_are_cut() {
        let text: Vec<u8> = (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for packed in [gzip(&text), zstd::encode_all(&*text, 1).expect("in memory"), xz(&text)] {
            for end in [7, 11, 40, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
                assert!(read(&packed[..end]).is_err(), "{end} of {}", packed.len());
            }
        }
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (head, name) in [(&b"BZh91AY&SY"[..], "bzip2"), (b"\x04\x22\x4d\x18", "lz4"), (b"PK\x03\x04", "zip")] {
            let said = read(head).expect_err(name).to_string();
            assert!(said.contains(name), "{said}");
        }
    }
}

//! Tar archives made byte by byte, right ones and wrong ones.

/// A record of a PAX header.
pub fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key, b"=", value, b"\n"].concat();
    let length = (rest.len()..).find(|length| length.to_string().len() + rest.len() == *length).expect("a length");
    [length.to_string().as_bytes(), &rest].concat()
}

/// An archive in the making.
#[derive(Clone, Default)]
pub struct Tar {
    pub bytes: Vec<u8>,
}

/// A header whose fields can be set before it is summed up.
#[derive(Clone)]
pub struct Header(pub [u8; 512]);

impl Header {
    pub fn new(kind: u8, name: &[u8], size: u64) -> Self {
        let mut bytes = [0; 512];
        bytes[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        bytes[257..265].copy_from_slice(b"ustar\x0000");
        bytes[156] = kind;
        let mut header = Self(bytes);
        header.octal(100, 8, if kind == b'5' { 0o755 } else { 0o644 });
        header.octal(108, 8, 0);
        header.octal(116, 8, 0);
        header.octal(124, 12, size);
        header.octal(136, 12, 0);
        header.octal(329, 8, 0);
        header.octal(337, 8, 0);
        header
    }

    pub fn octal(&mut self, at: usize, width: usize, value: u64) -> &mut Self {
        let text = format!("{value:0width$o}\0", width = width - 1);
        self.put(at, &text.as_bytes()[..width])
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub fn gnu(&mut self) -> &mut Self {
        self.put(257, b"ustar  \0")
    }

    pub fn summed(&self) -> [u8; 512] {
        let mut bytes = self.0;
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes
    }
}

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A header and what is behind it, filled up to a block.
    pub fn entry(self, header: &Header, data: &[u8]) -> Self {
        let padding = vec![0; data.len().next_multiple_of(512) - data.len()];
        self.raw(&header.summed()).raw(data).raw(&padding)
    }

    /// Names too long for a header go into a PAX header.
    fn named(self, name: &[u8]) -> Self {
        if name.len() > 100 { self.pax(&[record(b"path", name)]) } else { self }
    }

    pub fn file(self, name: &[u8], data: &[u8]) -> Self {
        let header = Header::new(b'0', name, data.len() as u64);
        self.named(name).entry(&header, data)
    }

    pub fn dir(self, name: &[u8]) -> Self {
        self.named(name).entry(&Header::new(b'5', name, 0), b"")
    }

    pub fn dir_mode(self, name: &[u8], mode: u64) -> Self {
        let mut header = Header::new(b'5', name, 0);
        header.octal(100, 8, mode);
        self.named(name).entry(&header, b"")
    }

    pub fn link(self, kind: u8, name: &[u8], target: &[u8]) -> Self {
        let mut header = Header::new(kind, name, 0);
        let tar = if target.len() > 100 {
            self.pax(&[record(b"linkpath", target)])
        } else {
            header.put(157, target);
            self
        };
        tar.entry(&header, b"")
    }

    pub fn symlink(self, name: &[u8], target: &[u8]) -> Self {
        self.link(b'2', name, target)
    }

    pub fn hard(self, name: &[u8], target: &[u8]) -> Self {
        self.link(b'1', name, target)
    }

    pub fn special(self, kind: u8, name: &[u8], major: u64, minor: u64) -> Self {
        let mut header = Header::new(kind, name, 0);
        header.octal(329, 8, major).octal(337, 8, minor);
        self.entry(&header, b"")
    }

    pub fn pax(self, records: &[Vec<u8>]) -> Self {
        let data = records.concat();
        self.entry(&Header::new(b'x', b"pax", data.len() as u64), &data)
    }

    pub fn end(self) -> Vec<u8> {
        self.raw(&[0; 1024]).bytes
    }
}

//! As much of D-Bus as it takes to ask systemd what it read: calls with strings, answers of any type.
//! It talks to systemd's own socket for root, so no bus daemon stands between, and nothing here knows a unit's meaning.
//! The format is the D-Bus specification's ("Message Protocol"); the interface is org.freedesktop.systemd1(5).

use std::collections::BTreeMap;
use std::io::{Error, Read, Result, Write};
use std::os::unix::net::UnixStream;

/// Where systemd listens for root.
const SOCKET: &str = "/run/systemd/private";
/// How long an answer may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const LOCAL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Any answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Data {
    Number(u64),
    Text(String),
    Many(Vec<Data>),
}

impl Data {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::Many(texts.into_iter().map(Self::text).collect())
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn items(&self) -> &[Data] {
        if let Self::Many(items) = self { items } else { &[] }
    }
}

/// All properties of one interface of a unit.
pub(crate) type Properties = BTreeMap<String, Data>;

/// A connection to systemd.
pub(crate) struct Bus {
    stream: UnixStream,
    serial: u32,
}

impl Bus {
    /// Connects as root.
    pub(crate) fn open() -> Result<Self> {
        let mut stream = UnixStream::connect(SOCKET)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // In one piece, as sd-bus does: a message that comes along with BEGIN is not seen until another follows.
        stream.write_all(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        if !line.starts_with(b"OK") {
            return Err(Error::other(format!("systemd said {}", String::from_utf8_lossy(&line))));
        }
        Ok(Self { stream, serial: 0 })
    }

    /// `systemctl daemon-reload`; systemd closes private connections over it, so there is a new one afterwards.
    pub(crate) fn reload(&mut self) -> Result<()> {
        let done = std::process::Command::new("systemctl").arg("daemon-reload").status()?;
        if !done.success() {
            return Err(Error::other("systemctl daemon-reload"));
        }
        *self = Self::open()?;
        Ok(())
    }

    /// What systemd has read of a unit; it loads it for that.
    pub(crate) fn properties(&mut self, unit: &str, interface: &str) -> Result<Properties> {
        let path = object(unit);
        let interface = format!("org.freedesktop.systemd1.{interface}");
        let all = self.call(&path, "org.freedesktop.DBus.Properties", "GetAll", &[&interface])?;
        Ok(all.into_iter().flat_map(entries).collect())
    }

    /// Starts a unit, without waiting for it.
    pub(crate) fn start(&mut self, unit: &str) -> Result<()> {
        self.call("/org/freedesktop/systemd1", MANAGER, "StartUnit", &[unit, "replace"]).map(drop)
    }

    /// Stops a unit, without waiting for it.
    pub(crate) fn stop(&mut self, unit: &str) -> Result<()> {
        self.call("/org/freedesktop/systemd1", MANAGER, "StopUnit", &[unit, "replace"]).map(drop)
    }

    fn call(&mut self, path: &str, interface: &str, member: &str, words: &[&str]) -> Result<Vec<Data>> {
        self.serial += 1;
        let message = message(self.serial, path, interface, member, words);
        self.stream.write_all(&message)?;
        loop {
            let (kind, to, answer) = self.receive()?;
            match kind {
                RETURN if to == self.serial => return Ok(answer),
                ERROR if to == self.serial => return Err(Error::other(format!("{member} {words:?}: {answer:?}"))),
                _ => {}
            }
        }
    }

    /// One message: its kind, the call it answers, and its contents (of answers alone).
    fn receive(&mut self) -> Result<(u8, u32, Vec<Data>)> {
        let mut head = vec![0; 16];
        self.stream.read_exact(&mut head)?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (body, fields) = (number(4), number(12));
        let mut rest = vec![0; fields.next_multiple_of(8) + body];
        self.stream.read_exact(&mut rest)?;
        let mut whole = head.clone();
        whole.extend(rest);
        let mut reader = Reader { bytes: &whole, at: 12 };
        let (mut signature, mut to) = (String::new(), 0);
        for field in reader.read(&mut b"a(yv)".as_slice()).items() {
            match field.items() {
                [Data::Number(8), Data::Text(text)] => text.clone_into(&mut signature),
                [Data::Number(5), Data::Number(serial)] => to = *serial as u32,
                _ => {}
            }
        }
        reader.align(8);
        let mut types = signature.as_bytes();
        let mut answer = Vec::new();
        while !types.is_empty() && matches!(head[1], RETURN | ERROR) {
            answer.push(reader.read(&mut types));
        }
        Ok((head[1], to, answer))
    }
}

/// The object of a unit: every byte but letters and digits escaped, and a digit in front as well.
fn object(unit: &str) -> String {
    let mut path = String::from("/org/freedesktop/systemd1/unit/");
    for (at, byte) in unit.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || at > 0 && byte.is_ascii_digit() {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

/// The pairs of a dictionary.
fn entries(dictionary: Data) -> Vec<(String, Data)> {
    let Data::Many(pairs) = dictionary else { return Vec::new() };
    pairs
        .into_iter()
        .filter_map(|pair| match pair {
            Data::Many(mut both) if both.len() == 2 => both.pop().zip(both.pop()),
            _ => None,
        })
        .filter_map(|(value, key)| key.as_text().map(|key| (key.to_owned(), value.clone())))
        .collect()
}

fn message(serial: u32, path: &str, interface: &str, member: &str, words: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for word in words {
        push_text(&mut body, word);
    }
    let mut out = vec![b'l', LOCAL, 0, 1];
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(serial.to_le_bytes());
    let signature = "s".repeat(words.len());
    let mut fields = Vec::new();
    for (code, kind, text) in [(1, b'o', path), (2, b's', interface), (3, b's', member)] {
        align(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        push_text(&mut fields, text);
    }
    align(&mut fields, 8);
    fields.extend([8, 1, b'g', 0, signature.len() as u8]);
    fields.extend(signature.bytes());
    fields.push(0);
    out.extend((fields.len() as u32).to_le_bytes());
    out.extend(fields);
    align(&mut out, 8);
    out.extend(body);
    out
}

fn align(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    align(out, 4);
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.bytes());
    out.push(0);
}

/// Reads what systemd sent; systemd is trusted to send no nonsense.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn number(&mut self, size: usize) -> u64 {
        self.align(size);
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&self.bytes[self.at..self.at + size]);
        self.at += size;
        u64::from_le_bytes(bytes)
    }

    fn text(&mut self, length_size: usize) -> Data {
        let length = self.number(length_size) as usize;
        let text = String::from_utf8_lossy(&self.bytes[self.at..self.at + length]).into_owned();
        self.at += length + 1;
        Data::Text(text)
    }

    /// Reads one value, and takes its type off the signature.
    fn read(&mut self, types: &mut &[u8]) -> Data {
        let kind = types[0];
        *types = &types[1..];
        match kind {
            b'y' => Data::Number(self.number(1)),
            b'n' | b'q' => Data::Number(self.number(2)),
            b'b' | b'i' | b'u' | b'h' => Data::Number(self.number(4)),
            b'x' | b't' | b'd' => Data::Number(self.number(8)),
            b's' | b'o' => self.text(4),
            b'g' => self.text(1),
            b'v' => {
                let inner = self.text(1);
                self.read(&mut inner.as_text().unwrap_or_default().as_bytes())
            }
            b'a' => self.array(types),
            _ => self.structure(types),
        }
    }

    fn array(&mut self, types: &mut &[u8]) -> Data {
        let length = self.number(4) as usize;
        self.align(match types[0] {
            b'x' | b't' | b'd' | b'(' | b'{' => 8,
            b's' | b'o' | b'a' | b'b' | b'i' | b'u' => 4,
            _ => 1,
        });
        let end = self.at + length;
        let mut items = Vec::new();
        while self.at < end {
            items.push(self.read(&mut &**types));
        }
        skip(types);
        Data::Many(items)
    }

    fn structure(&mut self, types: &mut &[u8]) -> Data {
        self.align(8);
        let mut items = Vec::new();
        while !matches!(types[0], b')' | b'}') {
            items.push(self.read(types));
        }
        *types = &types[1..];
        Data::Many(items)
    }
}

/// Takes one whole type off a signature.
fn skip(types: &mut &[u8]) {
    let mut depth = 0;
    loop {
        let kind = types[0];
        *types = &types[1..];
        match kind {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && kind != b'a' {
            return;
        }
    }
}

//! PAX headers: values that stand before an entry and replace or add to what its own header says.
//! It opens no file and applies nothing; keys that mean nothing here are passed over.
//! Sources: pax(1) in POSIX, GNU tar's manual "PAX 0" and "PAX 1", libarchive's tar(5), star(5) for SCHILY.*.

use super::acl;
use super::fault::{bad, shown, within};
use super::number;
use super::xattr;
use crate::image::tree::{Time, Xattr};
use std::io;

/// What the PAX headers of one entry say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pax {
    /// Name, instead of the header's.
    pub path: Option<Vec<u8>>,
    /// Link target, instead of the header's.
    pub link: Option<Vec<u8>>,
    /// Bytes behind the header.
    pub size: Option<u64>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Time of last change.
    pub mtime: Option<Time>,
    /// Device numbers in decimal (star).
    pub device: (Option<u64>, Option<u64>),
    /// Extended attributes, as they came.
    pub xattrs: Vec<Xattr>,
    /// What is said of a sparse file.
    pub sparse: PaxSparse,
}

/// GNU's three ways to say that a file is sparse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaxSparse {
    /// The version, where it is given: the map of 1.0 stands before the data.
    pub major: Option<u64>,
    /// Its second part.
    pub minor: Option<u64>,
    /// The file's name, if the header's is only for tars that do not know.
    pub name: Option<Vec<u8>>,
    /// The file's size.
    pub size: Option<u64>,
    /// The map of 0.0 and 0.1.
    pub map: Option<Vec<(u64, u64)>>,
    /// In 0.0, an offset whose length has not come yet.
    offset: Option<u64>,
}

/// Longest digits of a record's length that can be meant.
const LENGTH_DIGITS: usize = 12;

impl Pax {
    /// Reads the records of one PAX header.
    pub fn parse(mut bytes: &[u8]) -> io::Result<Self> {
        let mut pax = Self::default();
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes)?;
            pax.take(key, value).map_err(|error| within(shown(key), &error))?;
            bytes = rest;
        }
        Ok(pax)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        match key {
            b"path" => self.path = or_header(value, |value| Ok(value.to_vec()))?,
            b"linkpath" => self.link = or_header(value, |value| Ok(value.to_vec()))?,
            b"size" => self.size = or_header(value, number::decimal)?,
            b"uid" => self.uid = or_header(value, number::decimal)?,
            b"gid" => self.gid = or_header(value, number::decimal)?,
            b"mtime" => self.mtime = or_header(value, number::time)?,
            b"SCHILY.devmajor" => self.device.0 = Some(number::decimal(value)?),
            b"SCHILY.devminor" => self.device.1 = Some(number::decimal(value)?),
            b"SCHILY.acl.access" => self.xattrs.push(acl::access(value)?),
            b"SCHILY.acl.default" => self.xattrs.push(acl::default(value)?),
            b"RHT.security.selinux" => self.xattrs.push(xattr::new(b"security.selinux", value)),
            _ => return self.take_prefixed(key, value),
        }
        Ok(())
    }

    fn take_prefixed(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.xattrs.push(xattr::new(name, value));
        } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
            self.xattrs.push(xattr::from_libarchive(name, value)?);
        } else if let Some(name) = key.strip_prefix(b"GNU.sparse.") {
            self.sparse.take(name, value)?;
        }
        Ok(())
    }
}

impl PaxSparse {
    fn take(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        match key {
            b"major" => self.major = Some(number::decimal(value)?),
            b"minor" => self.minor = Some(number::decimal(value)?),
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = Some(number::decimal(value)?),
            b"numblocks" => self.map = Some(Vec::new()),
            b"offset" => self.offset = Some(number::decimal(value)?),
            b"numbytes" => {
                let offset = self.offset.take().ok_or_else(|| bad("a length without an offset"))?;
                self.map.get_or_insert_default().push((offset, number::decimal(value)?));
            }
            b"map" => self.map = Some(comma_pairs(value)?),
            _ => {}
        }
        Ok(())
    }
}

/// An empty value takes an earlier one back: the header's holds.
fn or_header<T>(value: &[u8], parse: impl FnOnce(&[u8]) -> io::Result<T>) -> io::Result<Option<T>> {
    if value.is_empty() { Ok(None) } else { parse(value).map(Some) }
}

fn comma_pairs(value: &[u8]) -> io::Result<Vec<(u64, u64)>> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let numbers = value.split(|byte| *byte == b',').map(number::decimal).collect::<io::Result<Vec<_>>>()?;
    if numbers.len() % 2 != 0 {
        return Err(bad("an offset without a length"));
    }
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// Key and value of the first record, and what is behind it. The length counts itself: `LENGTH KEY=VALUE\n`.
fn record(bytes: &[u8]) -> io::Result<(&[u8], &[u8], &[u8])> {
    let wrong = |said: &str| bad(format!("a PAX record {said}"));
    let head = &bytes[..bytes.len().min(LENGTH_DIGITS)];
    let blank = head.iter().position(|byte| *byte == b' ').ok_or_else(|| wrong("has no length"))?;
    let length = number::decimal(&bytes[..blank]).map_err(|_| wrong("has no length"))?;
    let length = usize::try_from(length).map_err(|_| wrong("is too long"))?;
    if length > bytes.len() {
        return Err(wrong("is longer than its header"));
    }
    let record = bytes.get(blank + 1..length).ok_or_else(|| wrong("is shorter than its length"))?;
    let record = record.strip_suffix(b"\n").ok_or_else(|| wrong("does not end where its length says"))?;
    let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(|| wrong("has no '='"))?;
    if equals == 0 {
        return Err(wrong("has no key"));
    }
    Ok((&record[..equals], &record[equals + 1..], &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with its own length before it.
    fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
        let rest = [b" ", key, b"=", value, b"\n"].concat();
        let length = (rest.len()..).find(|length| length.to_string().len() + rest.len() == *length).expect("a length");
        [length.to_string().as_bytes(), &rest].concat()
    }

    #[test]
    fn records_are_bytes_with_newlines_and_all() {
        let bytes = [record(b"SCHILY.xattr.user.\xff", b"a\nb\0=c"), record(b"path", b"\xff/b")].concat();
        let pax = Pax::parse(&bytes).expect("good");
        assert_eq!(pax.xattrs, [xattr::new(b"user.\xff", b"a\nb\0=c")]);
        assert_eq!(pax.path.as_deref(), Some(&b"\xff/b"[..]));
    }

    #[test]
    fn an_empty_value_takes_an_earlier_one_back() {
        let pax = Pax::parse(b"9 uid=77\n7 uid=\n").expect("good");
        assert_eq!(pax.uid, None);
    }

    #[test]
    fn sparse_maps_of_both_old_kinds_are_read() {
        let pax = Pax::parse(&record(b"GNU.sparse.map", b"0,1,5,2")).expect("0.1");
        assert_eq!(pax.sparse.map, Some(vec![(0, 1), (5, 2)]));
        let parts = [(&b"numblocks"[..], &b"1"[..]), (b"offset", b"5"), (b"numbytes", b"2")];
        let parts = parts.map(|(key, value)| record(&[b"GNU.sparse.", key].concat(), value)).concat();
        assert_eq!(Pax::parse(&parts).expect("0.0").sparse.map, Some(vec![(5, 2)]));
    }

    #[test]
    fn broken_records_are_refused() {
        for bytes in [
            &b"x"[..],
            b"5 a=b",
            b"5 a=b\n",
            b"7 a=b\n",
            b"4 a=\n",
            b"0 a=b\n",
            b"2 a=b\n",
            b"-6 a=b\n",
            b"6 aab\n",
            b"5 =b\n",
            b"99999999999999999999 a=b\n",
            b"9 uid=-1\n",
            b"10 size=1x\n",
            b"11 mtime=1e\n",
            b"25 GNU.sparse.numbytes=2\n",
            b"22 GNU.sparse.map=0,1,2\n",
        ] {
            assert!(Pax::parse(bytes).is_err(), "{}", shown(bytes));
        }
    }
}

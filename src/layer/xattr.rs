//! Extended attributes as layers carry them, and which of them an image may have.
//! It reads no file: archives give PAX records, directories what the kernel says.
//! Sources: xattr(7), libarchive's tar(5), the kernel's filesystems/overlayfs, and what containerd applies.

use super::fault::{bad, shown};
use super::limits::{XATTR_NAME_MAX, XATTR_VALUE_MAX};
use crate::image::tree::Xattr;
use std::io;

/// An attribute from its parts.
pub fn new(name: &[u8], value: &[u8]) -> Xattr {
    Xattr { name: name.into(), value: value.into() }
}

/// libarchive's form: the name with `%XX`, the value in base64.
pub fn from_libarchive(name: &[u8], value: &[u8]) -> io::Result<Xattr> {
    Ok(Xattr { name: percent(name)?.into(), value: base64(value)?.into() })
}

/// Checks the attributes of an entry of an archive, drops those that no image may have, and sorts them; of two
/// with one name the later holds.
pub fn clean(xattrs: Vec<Xattr>) -> io::Result<Vec<Xattr>> {
    let mut kept: Vec<Xattr> = Vec::with_capacity(xattrs.len());
    for xattr in xattrs {
        check(&xattr)?;
        if !is_kept(&xattr.name) {
            continue;
        }
        match kept.binary_search_by(|other| other.name.cmp(&xattr.name)) {
            Ok(at) => kept[at] = xattr,
            Err(at) => kept.insert(at, xattr),
        }
    }
    Ok(kept)
}

fn check(xattr: &Xattr) -> io::Result<()> {
    if xattr.name.is_empty() || xattr.name.len() > XATTR_NAME_MAX || xattr.name.contains(&0) {
        return Err(bad(format!("{:?} is no name of an extended attribute", shown(&xattr.name))));
    }
    if xattr.value.len() > XATTR_VALUE_MAX {
        let (name, length) = (shown(&xattr.name), xattr.value.len());
        return Err(bad(format!("the extended attribute {name} has {length} bytes, {XATTR_VALUE_MAX} are possible")));
    }
    Ok(())
}

/// What Linux has no room for (`com.apple.…`, NFS) no runtime applies; what overlayfs says of itself would be
/// obeyed by the next overlay mount.
fn is_kept(name: &[u8]) -> bool {
    let known = [&b"user."[..], b"trusted.", b"security."].iter().any(|prefix| has_prefix(name, prefix))
        || matches!(name, b"system.posix_acl_access" | b"system.posix_acl_default");
    known && overlay(name).is_none()
}

fn has_prefix(name: &[u8], prefix: &[u8]) -> bool {
    name.len() > prefix.len() && name.starts_with(prefix)
}

/// What overlayfs says with an attribute of this name; nothing if it is none of overlayfs's.
pub fn overlay(name: &[u8]) -> Option<&[u8]> {
    name.strip_prefix(b"trusted.overlay.").or_else(|| name.strip_prefix(b"user.overlay."))
}

fn percent(name: &[u8]) -> io::Result<Vec<u8>> {
    let wrong = || bad("a '%' without two hex digits");
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16)).ok_or_else(wrong);
        bytes.push((digit()? << 4 | digit()?) as u8);
    }
    Ok(bytes)
}

fn base64(text: &[u8]) -> io::Result<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let mut bytes = Vec::with_capacity(end * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for byte in &text[..end] {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return Err(bad("the value is not base64")),
        };
        bits = bits << 6 & 0xffff | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libarchives_form_is_undone() {
        let xattr = from_libarchive(b"user.%41%fF", b"AAEC/w==").expect("good");
        assert_eq!(xattr, new(b"user.A\xff", &[0, 1, 2, 255]));
        assert_eq!(from_libarchive(b"user.a", b"YWI").expect("unpadded").value, b"ab"[..].into());
        for (name, value) in [(&b"user.%4"[..], &b""[..]), (b"user.%zz", b""), (b"user.a", b"a b")] {
            assert!(from_libarchive(name, value).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_is_kept_is_sorted_known_and_not_overlayfss() {
        let names = [
            &b"user.b"[..],
            b"user.a",
            b"security.capability",
            b"system.posix_acl_access",
            b"system.nfs4_acl",
            b"com.apple.provenance",
            b"trusted.overlay.redirect",
            b"user.overlay.opaque",
            b"trusted.x",
            b"user.",
        ];
        let kept =
            clean(names.iter().map(|name| new(name, b"1")).chain([new(b"user.a", b"2")]).collect()).expect("good");
        let shown: Vec<_> = kept.iter().map(|xattr| shown(&xattr.name)).collect();
        assert_eq!(shown, ["security.capability", "system.posix_acl_access", "trusted.x", "user.a", "user.b"]);
        assert_eq!(kept[3].value, b"2"[..].into());
    }

    #[test]
    fn what_the_kernel_would_refuse_is_refused() {
        for xattr in [new(b"", b""), new(&[b'x'; 256], b""), new(b"user.a\0", b""), new(b"user.a", &[0; 65536])] {
            assert!(clean(vec![xattr]).is_err());
        }
    }
}

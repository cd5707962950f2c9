//! Access control lists as text, which GNU tar and star write, turned into the kernel's attributes.
//! It looks no name up: a user is a number here, as everything in an image is.
//! Sources: star(5) on SCHILY.acl.access, acl(5) for the text, `<linux/posix_acl_xattr.h>` for the bytes.

use super::fault::{bad, shown};
use super::number;
use super::xattr;
use crate::image::tree::Xattr;
use std::io;

/// `POSIX_ACL_XATTR_VERSION`.
const VERSION: u32 = 2;
/// `ACL_UNDEFINED_ID`: the entry's tag says who.
const NOBODY: u32 = u32::MAX;

/// `SCHILY.acl.access`.
pub fn access(text: &[u8]) -> io::Result<Xattr> {
    Ok(xattr::new(b"system.posix_acl_access", &bytes(text)?))
}

/// `SCHILY.acl.default`.
pub fn default(text: &[u8]) -> io::Result<Xattr> {
    Ok(xattr::new(b"system.posix_acl_default", &bytes(text)?))
}

fn bytes(text: &[u8]) -> io::Result<Vec<u8>> {
    let is_between = |byte: &u8| matches!(byte, b',' | b'\n');
    let mut entries = text
        .split(is_between)
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty())
        .map(entry)
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort_unstable();
    let mut bytes = VERSION.to_le_bytes().to_vec();
    for (tag, id, permissions) in entries {
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&permissions.to_le_bytes());
        bytes.extend_from_slice(&id.to_le_bytes());
    }
    Ok(bytes)
}

/// Tag, id and permissions of `user:name:rwx:1000`, whose name may be a number and whose last field may be missing.
fn entry(text: &[u8]) -> io::Result<(u16, u32, u16)> {
    let wrong = || bad(format!("{:?} is no entry of an access control list", shown(text)));
    let fields: Vec<&[u8]> = text.split(|byte| *byte == b':').map(<[u8]>::trim_ascii).collect();
    let (who, name, permissions, number) = match fields.as_slice() {
        [who, permissions] => (*who, &b""[..], *permissions, None),
        [who, name, permissions] => (*who, *name, *permissions, None),
        [who, name, permissions, number] => (*who, *name, *permissions, Some(*number)),
        _ => return Err(wrong()),
    };
    let tag = match (who, name.is_empty()) {
        (b"user" | b"u", true) => 0x01,
        (b"user" | b"u", false) => 0x02,
        (b"group" | b"g", true) => 0x04,
        (b"group" | b"g", false) => 0x08,
        (b"mask" | b"m", true) => 0x10,
        (b"other" | b"o", true) => 0x20,
        _ => return Err(wrong()),
    };
    let id = match name {
        b"" => NOBODY,
        name => id(number.unwrap_or(name)).ok_or_else(wrong)?,
    };
    Ok((tag, id, mode(permissions).ok_or_else(wrong)?))
}

fn id(text: &[u8]) -> Option<u32> {
    // A name without a number cannot be looked up on whatever machine this is.
    number::decimal(text).ok().and_then(|id| u32::try_from(id).ok())
}

fn mode(text: &[u8]) -> Option<u16> {
    match text {
        [r @ (b'r' | b'-'), w @ (b'w' | b'-'), x @ (b'x' | b'-')] => {
            Some(u16::from(*r != b'-') << 2 | u16::from(*w != b'-') << 1 | u16::from(*x != b'-'))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_the_kernels_bytes_in_its_order() {
        let acl = access(b"user::rwx,other::r--,user:lisa:rw-:1000,group::r-x\nmask::rwx,group:7:--x").expect("good");
        assert_eq!(&*acl.name, b"system.posix_acl_access");
        let mut wanted = vec![2, 0, 0, 0];
        for (tag, permissions, id) in
            [(1u16, 7u16, NOBODY), (2, 6, 1000), (4, 5, NOBODY), (8, 1, 7), (16, 7, NOBODY), (32, 4, NOBODY)]
        {
            wanted.extend(tag.to_le_bytes().into_iter().chain(permissions.to_le_bytes()).chain(id.to_le_bytes()));
        }
        assert_eq!(&*acl.value, wanted);
    }

    #[test]
    fn names_without_numbers_and_nonsense_are_refused() {
        for text in
            ["user:lisa:rwx", "user::rw", "mask:1:rwx", "x::rwx", "user", "user:1:rwx:1:1", "user:99999999999:rwx"]
        {
            assert!(access(text.as_bytes()).is_err(), "{text}");
        }
    }
}

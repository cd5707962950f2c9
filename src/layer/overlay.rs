//! What overlayfs's own signs in a directory mean: whiteouts, opaque directories, and what cannot be read without it.
//! It reads no directory; `host` asks it about each name.
//! Source: the kernel's filesystems/overlayfs ("whiteouts and opaque directories", "redirect_dir", "metacopy").

use super::fault::{bad, shown};
use super::xattr;
use crate::image::tree::{Device, Special, Xattr};
use std::io;

/// What the signs of one inode say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// None.
    Plain,
    /// The name is gone from the layers below.
    Whiteout,
    /// The directory hides what is in it below.
    Opaque,
}

/// Reads the signs of an inode with these attributes; one whose content is elsewhere cannot be read.
pub fn sign(xattrs: &[Xattr], special: Option<&Special>) -> io::Result<Sign> {
    if special == Some(&Special::Character(Device { major: 0, minor: 0 })) {
        return Ok(Sign::Whiteout);
    }
    let mut sign = Sign::Plain;
    for (name, value) in xattrs.iter().filter_map(|xattr| Some((xattr::overlay(&xattr.name)?, &*xattr.value))) {
        match (name, value) {
            (b"opaque", b"y") => sign = Sign::Opaque,
            (b"whiteout", _) => return Ok(Sign::Whiteout),
            (b"redirect" | b"metacopy", _) => {
                let name = shown(name);
                return Err(bad(format!(
                    "it has overlayfs's {name}: its content is elsewhere, and only a mount of the overlay shows it"
                )));
            }
            _ => {}
        }
    }
    Ok(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_prefixes_and_both_kinds_of_whiteout_are_read() {
        let signed = |name: &[u8], value: &[u8]| sign(&[xattr::new(b"user.a", b"y"), xattr::new(name, value)], None);
        assert_eq!(signed(b"trusted.overlay.opaque", b"y").expect("good"), Sign::Opaque);
        assert_eq!(signed(b"user.overlay.opaque", b"y").expect("good"), Sign::Opaque);
        assert_eq!(signed(b"trusted.overlay.opaque", b"x").expect("good"), Sign::Plain);
        assert_eq!(signed(b"user.overlay.whiteout", b"").expect("good"), Sign::Whiteout);
        assert_eq!(signed(b"trusted.overlay.origin", b"\0").expect("good"), Sign::Plain);
        assert!(signed(b"trusted.overlay.redirect", b"/a").is_err());
        assert!(signed(b"user.overlay.metacopy", b"").is_err());
        let device = |minor| Special::Character(Device { major: 0, minor });
        assert_eq!(sign(&[], Some(&device(0))).expect("good"), Sign::Whiteout);
        assert_eq!(sign(&[], Some(&device(1))).expect("good"), Sign::Plain);
    }
}

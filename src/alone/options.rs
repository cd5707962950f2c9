//! The options of an overlay that a process mounts by itself.
//! Units have options of their own, with other limits: `unit::text`.
//! Rules: overlayfs.rst: `:` and `,` in names are escaped with a backslash, and so is the backslash; mount(2): one page.

use super::{Privilege, UPPER, WORK};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// What mount(2) takes of options, with the closing NUL.
const OPTIONS_MAX: usize = 4096;

/// The options for read-only layers, the topmost first, and a directory that holds `upper` and `work`.
///
/// Without privileges overlayfs keeps its signs in `user.` attributes.
pub fn overlay_options(lower: &[&Path], side: Option<&Path>, privilege: Privilege) -> Result<OsString, String> {
    let mut options = b"lowerdir=".to_vec();
    for (at, layer) in lower.iter().enumerate() {
        if at > 0 {
            options.push(b':');
        }
        escape(layer, &mut options);
    }
    if let Some(side) = side {
        for (key, name) in [("upperdir", UPPER), ("workdir", WORK)] {
            options.extend_from_slice(format!(",{key}=").as_bytes());
            escape(&side.join(name), &mut options);
        }
    }
    if privilege != Privilege::Root {
        options.extend_from_slice(b",userxattr");
    }
    match options.len() < OPTIONS_MAX {
        true => Ok(OsString::from_vec(options)),
        false => Err(format!("the paths are too long together: an overlay takes {OPTIONS_MAX} bytes of options")),
    }
}

fn escape(path: &Path, into: &mut Vec<u8>) {
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b':' | b',') {
            into.push(b'\\');
        }
        into.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_layers_or_options() {
        let layers = [Path::new("/a:b"), Path::new("/c,upperdir=\\d")];
        let options = overlay_options(&layers, None, Privilege::Root).expect("options");
        assert_eq!(options, "lowerdir=/a\\:b:/c\\,upperdir=\\\\d");
    }

    #[test]
    fn what_mount_would_cut_off_is_refused() {
        let long = format!("/{}", "x".repeat(4090));
        assert!(overlay_options(&[Path::new(&long)], None, Privilege::Root).is_err());
    }
}

//! The chain below an app's service, as files: which they are, and a digest to tell two chains apart.
//! The digest guards against stale mounts, not against anybody: it is no cryptographic one.
//! `veneer-verity attach` keeps the files it was started from, so that they outlive the app's own file.

use super::Names;
use super::making::{CONVERT_DROP_IN, PULL_DROP_IN};
use crate::digest::fnv64;
use crate::name::AppId;
use crate::unit::{Content, DROP_IN};

/// What marks the digest in `veneer-verity`'s command line; it is not part of what is digested.
const MARK: &str = "--chain=";
/// Hex digits of a digest.
const DIGITS: usize = 16;

/// The files, below the generator's directory, that the mounts of an app were set up from; sorted.
pub fn chain_files(id: &AppId) -> Vec<String> {
    let names = Names::new(id);
    let mut files = vec![
        names.image.to_string(),
        names.root.to_string(),
        names.rw.to_string(),
        format!("{}.d/{DROP_IN}", names.overlay),
        format!("{}.d/{DROP_IN}", names.pull),
        format!("{}.d/{PULL_DROP_IN}", names.pull),
        format!("{}.d/{DROP_IN}", names.convert),
        format!("{}.d/{CONVERT_DROP_IN}", names.convert),
        names.verity.to_string(),
    ];
    files.sort();
    files
}

/// All files, below the generator's directory, that belong to an app, but for what starts it at boot; sorted.
pub fn unit_files(id: &AppId) -> Vec<String> {
    let names = Names::new(id);
    let mut files = chain_files(id);
    files.extend([
        format!("{}.d/{DROP_IN}", names.app),
        format!("{}.d/{}", names.app, super::service::PROFILE_DROP_IN),
        names.socket.to_string(),
        names.timer.to_string(),
    ]);
    files.extend(super::session::files(id));
    files.sort();
    files
}

/// The digest of an app's chain: of those of its [`chain_files`] that there are, in their order.
///
/// The digest inside the text itself counts as zeros, so that a file read back has the digest it carries.
pub fn chain_digest<'a>(files: impl IntoIterator<Item = (&'a str, &'a Content)>) -> String {
    let mut all = String::new();
    for (path, content) in files {
        let (Content::File(text) | Content::Link(text)) = content;
        all.push_str(path);
        all.push('\0');
        push_without_digest(&mut all, text);
        all.push('\0');
    }
    format!("{:016x}", fnv64(all.as_bytes()))
}

/// The digest in the text of an app's `veneer-verity@`; nothing in one that was not written to its end.
pub fn digest_in(text: &str) -> Option<&str> {
    let at = text.rfind(MARK)? + MARK.len();
    text.ends_with('\n').then_some(())?;
    text.get(at..at + DIGITS).filter(|digest| digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The text with its digest put where the zeros stood.
pub(super) fn with_digest(text: &str, digest: &str) -> String {
    text.replacen(&zeros(), &format!("{MARK}{digest}"), 1)
}

/// The argument as it stands before the digest is known.
pub(super) fn zeros() -> String {
    format!("{MARK}{}", "0".repeat(DIGITS))
}

fn push_without_digest(all: &mut String, text: &str) {
    match text.rfind(MARK).map(|at| at + MARK.len()) {
        Some(at) if text.is_char_boundary(at + DIGITS) => {
            all.push_str(&text[..at]);
            all.push_str(&"0".repeat(DIGITS));
            all.push_str(text.get(at + DIGITS..).unwrap_or_default());
        }
        _ => all.push_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_read_back_has_the_digest_it_carries() {
        let before = Content::File(format!("ExecStart=x {}\nMore=1\n", zeros()));
        let digest = chain_digest([("a", &before)]);
        let Content::File(text) = &before else { unreachable!() };
        let after = Content::File(with_digest(text, &digest));
        assert_ne!(before, after);
        assert_eq!(chain_digest([("a", &after)]), digest);
        let Content::File(text) = &after else { unreachable!() };
        assert_eq!(digest_in(text), Some(digest.as_str()));
        for cut in 0..text.len() {
            assert_eq!(digest_in(&text[..cut]).filter(|_| cut < text.len() - "More=1\n".len()), None, "{cut}");
        }
        assert_ne!(chain_digest([("b", &after)]), digest);
    }
}

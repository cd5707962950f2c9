//! Why a conversion failed: one line that names the image once, and the exit code.
//! It looks at errors only; what was on its way to the disk is gone by then.
//! Codes: sysexits(3). A full disk is told as such, whichever file happened to meet it.

use super::{Doing, Spec};
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::Error;
use std::io::ErrorKind;

/// What is said of an error, and how the program ends.
pub fn verdict(spec: &Spec, error: &Error) -> (String, Exit) {
    let kinds = || error.chain().filter_map(kind);
    let text = match &spec.doing {
        Doing::Writing(output) if kinds().any(is_full) => {
            format!("converting {}: no space left in {}; nothing was written", output.name, output.directory)
        }
        Doing::Writing(output) => format!("converting {}: {error:#}", output.name),
        Doing::Checking | Doing::Showing(_) => about(&spec.source.to_string(), format!("{error:#}")),
    };
    (text.replace('\n', " "), exit_of(error))
}

/// How the program ends by an error of a conversion.
pub fn exit_of(error: &Error) -> Exit {
    match Fault::of(error) {
        Some(fault) => fault.exit,
        None => error.chain().filter_map(kind).next().map_or(Exit::Failure, exit),
    }
}

/// Some errors name the source themselves.
fn about(source: &str, said: String) -> String {
    if said.starts_with(source) { said } else { format!("{source}: {said}") }
}

fn kind(cause: &(dyn std::error::Error + 'static)) -> Option<ErrorKind> {
    if let Some(errno) = cause.downcast_ref::<rustix::io::Errno>() {
        return Some(std::io::Error::from(*errno).kind()).filter(|kind| is_full(*kind));
    }
    cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn exit(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => Exit::Data,
        ErrorKind::NotFound => Exit::NoInput,
        ErrorKind::Unsupported => Exit::Unavailable,
        _ => Exit::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Arguments;
    use super::*;
    use anyhow::Context as _;
    use clap::Parser as _;
    use rustix::io::Errno;
    use std::io;

    fn spec(line: &str) -> Spec {
        let words = std::iter::once("veneer-convert").chain(line.split_whitespace());
        Arguments::try_parse_from(words).and_then(Spec::try_from).expect(line)
    }

    #[test]
    fn an_error_names_the_image_once_and_ends_with_its_own_code() {
        let bad = || Error::new(io::Error::new(ErrorKind::InvalidData, "layer sha256:12: etc/x: bad"));
        let writing = spec("oci:/a --output /store/hello");
        assert_eq!(verdict(&writing, &bad()), ("converting hello: layer sha256:12: etc/x: bad".to_owned(), Exit::Data));
        assert_eq!(verdict(&spec("oci:/a --check"), &bad()).0, "oci:/a: layer sha256:12: etc/x: bad");
        let missing = Err::<(), _>(Errno::NOENT).context("opening the directory /store").expect_err("missing");
        assert_eq!(
            verdict(&writing, &missing),
            (
                "converting hello: opening the directory /store: No such file or directory (os error 2)".into(),
                Exit::Failure
            )
        );
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let wanted = "converting hello: no space left in /store; nothing was written";
        let met = io::Error::new(ErrorKind::StorageFull, "layer sha256:12: etc/x: No space left on device");
        let naming = Err::<(), _>(Errno::DQUOT).context("naming /store/hello.raw").expect_err("full");
        for error in [Error::new(met), naming] {
            assert_eq!(verdict(&spec("oci:/a --output /store/hello"), &error), (wanted.to_owned(), Exit::Failure));
        }
    }
}

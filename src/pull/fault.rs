//! What a tool's complaint means: one sentence, how the program ends, and whether it is worth another try.
//! It asks nobody; the words are those that skopeo and the registries it talks to say.
//! Sources: the messages of containers/image (docker, manifest, copy), errors of the distribution specification.

use crate::sysexits::Exit;

/// Why an image was not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// One line.
    pub sentence: String,
    /// How the program ends.
    pub exit: Exit,
    /// Whether another try may help.
    pub again: Again,
}

/// Whether another try may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The registry may be there, or have its mind back, in a moment.
    Worthwhile,
    /// It would be the same.
    Useless,
}

/// What a tool said, and what we make of it: words of it, our sentence, the program's end, another try.
const KNOWN: [(&[&str], &str, Exit, Again); 12] = [
    (
        &["toomanyrequests", "too many requests", "status code 429", "statuscode: 429", "429 "],
        "the registry answers too many requests (429), and says to come back later",
        Exit::TempFail,
        Again::Worthwhile,
    ),
    (
        &[
            "unauthorized",
            "authentication required",
            "status code 401",
            "statuscode: 401",
            "401 ",
            "access to the resource is denied",
        ],
        "the registry wants to know who we are (401): put a name and a password into the auth file with \
         skopeo login --authfile",
        Exit::NoPermission,
        Again::Useless,
    ),
    (
        &[
            "manifest unknown",
            "name unknown",
            "status code 404",
            "statuscode: 404",
            "404 ",
            "repository name not known",
        ],
        "the registry has no such image (404)",
        Exit::NoInput,
        Again::Useless,
    ),
    (&["stopped after 10 redirects"], "the registry redirects in circles", Exit::Unavailable, Again::Useless),
    (
        &["no image found in manifest list", "no image found in image index", "choosing an image from manifest list"],
        "there is no image for this machine in it",
        Exit::Data,
        Again::Useless,
    ),
    (
        &[
            "digest did not match",
            "does not match expected digest",
            "manifest digest",
            "digest mismatch",
            "provided digest",
        ],
        "what the registry sends is not what its digest says",
        Exit::Data,
        Again::Useless,
    ),
    (
        &["size mismatch", "size is"],
        "what the registry sends is not as long as its manifest says",
        Exit::Data,
        Again::Useless,
    ),
    (
        &["unexpected eof", "connection reset", "broken pipe", "server closed", "http2: "],
        "the registry broke off while it sent the image",
        Exit::Unavailable,
        Again::Worthwhile,
    ),
    (
        &[
            "status code 5",
            "statuscode: 5",
            "500 ",
            "502 ",
            "503 ",
            "504 ",
            "internal server error",
            "bad gateway",
            "service unavailable",
        ],
        "the registry has a fault of its own (5xx)",
        Exit::Unavailable,
        Again::Worthwhile,
    ),
    (
        &[
            "connection refused",
            "no such host",
            "network is unreachable",
            "no route to host",
            "temporary failure",
            "i/o timeout",
            "context deadline exceeded",
            "timeout",
        ],
        "the registry cannot be reached",
        Exit::Unavailable,
        Again::Worthwhile,
    ),
    (
        &["x509:", "tls:", "gave http response to https client"],
        "the registry's certificate is not trusted",
        Exit::Unavailable,
        Again::Useless,
    ),
    (
        &["source image rejected", "signature was required"],
        "the policy does not take this image",
        Exit::NoPermission,
        Again::Useless,
    ),
];

/// Makes a complaint of all that a tool said before it gave up.
pub fn complaint(tool: &str, said: &str) -> Complaint {
    let last = last_words(said);
    let lower = last.to_lowercase();
    let known = KNOWN.iter().find(|(words, ..)| words.iter().any(|word| lower.contains(word)));
    match known {
        Some((_, sentence, exit, again)) => {
            Complaint { sentence: format!("{sentence}: {last}"), exit: *exit, again: *again }
        }
        None => Complaint { sentence: format!("{tool}: {last}"), exit: Exit::Failure, again: Again::Useless },
    }
}

/// Nothing came for so long that it was ended.
pub fn silence(said: &str, seconds: u64) -> Complaint {
    // skopeo waits longer each time that a registry says 429, and says so at debug level only.
    if said.to_lowercase().contains("too many requests") {
        let sentence = format!("the registry answers too many requests (429), for {seconds} s");
        return Complaint { sentence, exit: Exit::TempFail, again: Again::Useless };
    }
    let sentence = format!("the registry has sent nothing for {seconds} s");
    Complaint { sentence, exit: Exit::Unavailable, again: Again::Worthwhile }
}

/// The `msg` of the last line at level fatal or error; else the last line.
fn last_words(said: &str) -> String {
    let lines = || said.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let marked =
        lines().find(|line| ["level=fatal", "level=error", "Error: ", "error "].iter().any(|mark| line.contains(mark)));
    let line = marked.or_else(|| lines().next()).unwrap_or("it said nothing");
    let message = line.split_once("msg=").map_or(line, |(_, rest)| rest);
    let message = message.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(message);
    let clean: String = message.replace("\\\"", "\"").replace("\\n", " ").chars().filter(|c| !c.is_control()).collect();
    shortened(&clean)
}

/// What a tool says can be as long as a registry likes.
fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    let mut cut: String = text.chars().take(MOST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fatal(text: &str) -> String {
        format!(
            "time=\"x\" level=debug msg=\"GET\"\ntime=\"x\" level=fatal msg=\"{text}\"\ntime=\"x\" level=debug msg=\"bye\"\n"
        )
    }

    #[test]
    fn what_tools_say_becomes_one_sentence_with_an_end() {
        for (said, sentence, exit, again) in [
            (
                "reading manifest 1 in r/a: manifest unknown: manifest unknown",
                "no such image",
                Exit::NoInput,
                Again::Useless,
            ),
            ("reading manifest 1 in r/a: unauthorized: who?", "wants to know who", Exit::NoPermission, Again::Useless),
            (
                "received unexpected HTTP status: 500 Internal Server Error",
                "fault of its own",
                Exit::Unavailable,
                Again::Worthwhile,
            ),
            (
                "dial tcp 127.0.0.1:9: connect: connection refused",
                "cannot be reached",
                Exit::Unavailable,
                Again::Worthwhile,
            ),
            ("dial tcp: lookup x on y: no such host", "cannot be reached", Exit::Unavailable, Again::Worthwhile),
            (
                "Get \\\"http://x/v2/\\\": stopped after 10 redirects",
                "redirects in circles",
                Exit::Unavailable,
                Again::Useless,
            ),
            (
                "choosing image instance: no image found in manifest list for architecture amd64",
                "for this machine",
                Exit::Data,
                Again::Useless,
            ),
            ("something new", "skopeo: something new", Exit::Failure, Again::Useless),
        ] {
            let complaint = complaint("skopeo", &fatal(said));
            assert!(complaint.sentence.contains(sentence), "{complaint:?}");
            assert_eq!((complaint.exit, complaint.again), (exit, again), "{said}");
            assert!(!complaint.sentence.contains('\n') && !complaint.sentence.contains("level="));
        }
        assert_eq!(complaint("buildah", "STEP 1\nError: no").sentence, "buildah: Error: no");
        assert_eq!(complaint("buildah", "").sentence, "buildah: it said nothing");
        assert!(complaint("skopeo", &"x".repeat(10_000)).sentence.len() < 500);
    }

    #[test]
    fn silence_is_told_from_a_registry_that_is_too_busy() {
        assert!(silence("", 90).sentence.ends_with("sent nothing for 90 s"));
        assert_eq!(silence("msg=\"Too many requests: sleeping\"", 90).exit, Exit::TempFail);
    }
}

//! What `veneer doctor` says of users' requests for overlays over the host: whether somebody listens, and can say yes.
//! It asks nobody; a socket that is there is one that listens.
//! What a request is: veneer-overlay-request.socket(8).

use super::doctor::{Finding, Level};
use crate::layout::REQUEST_SOCKET;

/// Where Debian 12 and later, and where others have it.
const POLKITD: [&str; 3] = ["/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd", "/usr/libexec/polkit-1/polkitd"];
const ACTIONS: &str = "/usr/share/polkit-1/actions/io.veneer.overlay.policy";

/// Whether users can ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Requests {
    /// The socket is not enabled.
    #[default]
    Unheard,
    /// They can, and polkit decides.
    Decided,
    /// They can, and polkit knows nothing of us.
    WithoutActions,
    /// They can, and there is no polkit.
    WithoutPolkit,
}

pub(super) fn look(there: &impl Fn(&str) -> bool) -> Requests {
    match (there(REQUEST_SOCKET), POLKITD.iter().any(|path| there(path)), there(ACTIONS)) {
        (false, ..) => Requests::Unheard,
        (true, false, _) => Requests::WithoutPolkit,
        (true, true, false) => Requests::WithoutActions,
        (true, true, true) => Requests::Decided,
    }
}

/// Nobody has to let users ask, so that alone is no fault.
pub(super) fn finding(requests: Requests) -> Finding {
    let useless = |text: &str| {
        let text = format!("{text}: every request of a user for an overlay over the host is refused");
        Finding::new("requests", Level::Warn, text)
    };
    match requests {
        Requests::Unheard => Finding::ok(
            "requests",
            "veneer-overlay-request.socket is not enabled: users cannot ask for overlays over the host",
        ),
        Requests::WithoutPolkit => useless("there is no polkit").advise("apt install polkitd"),
        Requests::WithoutActions => {
            useless("polkit does not know io.veneer.overlay.policy").advise("install Veneer again")
        }
        Requests::Decided => Finding::ok("requests", "users can ask for overlays over the host, and polkit decides"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_nobody_can_grant_are_told() {
        let said = |there: &[&str]| finding(look(&|path: &str| there.contains(&path))).plain();
        assert!(said(&[]).contains("is not enabled"));
        assert!(said(&[REQUEST_SOCKET]).contains("apt install polkitd"));
        assert!(said(&[REQUEST_SOCKET, POLKITD[0]]).contains("does not know io.veneer.overlay.policy"));
        assert!(said(&[REQUEST_SOCKET, POLKITD[1], ACTIONS]).contains("polkit decides"));
    }
}

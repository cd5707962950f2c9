//! Why the kernel gives no user namespace, in words that say what to do.
//! It asks the machine nothing: what the switches say is handed in.
//! Sources: user_namespaces(7), namespaces(7) (`/proc/sys/user`), Debian's and Ubuntu's own switches.

/// What the switches of a machine say; none where the kernel has no such switch.
#[derive(Clone, Debug, Default)]
pub struct Switches {
    /// `kernel.unprivileged_userns_clone`, Debian's.
    pub clone: Option<String>,
    /// `user.max_user_namespaces`.
    pub most: Option<String>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, Ubuntu's.
    pub apparmor: Option<String>,
}

/// The sentence for a refusal; `error` is the kernel's own word.
pub fn sentence(switches: &Switches, error: &str) -> String {
    let is = |value: &Option<String>, wanted: &str| value.as_deref().map(str::trim) == Some(wanted);
    let why = if is(&switches.clone, "0") {
        "user namespaces are switched off here: sysctl kernel.unprivileged_userns_clone is 0"
    } else if is(&switches.most, "0") {
        "user namespaces are switched off here: sysctl user.max_user_namespaces is 0"
    } else if is(&switches.apparmor, "1") {
        "AppArmor keeps user namespaces from mounting here: sysctl kernel.apparmor_restrict_unprivileged_userns is 1"
    } else {
        return format!(
            "the kernel refuses a user namespace that may mount ({error}): a container, or a filter, forbids it"
        );
    };
    format!("{why}; an admin can change that, or lay the overlay over the host")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_that_is_off_is_named() {
        let off = |text: &str| Some(format!("{text}\n"));
        let said = |switches: Switches| sentence(&switches, "EPERM");
        assert!(said(Switches { clone: off("0"), ..Default::default() }).contains("unprivileged_userns_clone is 0"));
        assert!(said(Switches { most: off("0"), ..Default::default() }).contains("max_user_namespaces is 0"));
        assert!(said(Switches { apparmor: off("1"), clone: off("1"), ..Default::default() }).contains("AppArmor"));
        assert!(said(Switches { most: off("5"), ..Default::default() }).contains("EPERM"));
    }
}

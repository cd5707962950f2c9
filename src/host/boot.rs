//! What the boot says to a generator: which manager runs it, whether this is the initrd, and the kernel's command line.
//! It decides nothing; `generate` does.
//! Sources: systemd.generator(7) ("Environment"), kernel-command-line(7).

use std::path::Path;

/// Where a generator runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// Whether the user manager runs it; it has no apps.
    pub user_manager: bool,
    /// Whether this is the initrd, where no app can run.
    pub initrd: bool,
    /// The kernel's command line.
    pub command_line: String,
}

impl Boot {
    /// Asks the environment, as systemd's own generators do; `root` serves a test.
    pub fn read(root: &Path) -> Self {
        let variable = |name| std::env::var(name).ok();
        let initrd = match variable("SYSTEMD_IN_INITRD").as_deref() {
            Some("0" | "no" | "false") => false,
            Some(_) => true,
            None => root.join("etc/initrd-release").exists(),
        };
        // An unreadable command line switches nothing off, so it is the same as an empty one; ignoring.
        let command_line = variable("SYSTEMD_PROC_CMDLINE")
            .or_else(|| std::fs::read_to_string(root.join("proc/cmdline")).ok())
            .unwrap_or_default();
        Self { user_manager: variable("SYSTEMD_SCOPE").is_some_and(|scope| scope == "user"), initrd, command_line }
    }

    /// Whether apps are wanted here at all.
    pub fn wants_apps(&self) -> bool {
        !self.user_manager && !self.initrd && !self.is_switched_off()
    }

    /// Whether the kernel's command line says that no app is wanted.
    pub fn is_switched_off(&self) -> bool {
        switched_off(&self.command_line)
    }
}

/// Whether `veneer=0` (or `no`, `off`, `false`) is the last word on the kernel's command line.
fn switched_off(command_line: &str) -> bool {
    let last = command_line.split_ascii_whitespace().filter_map(|word| word.strip_prefix("veneer=")).next_back();
    last.is_some_and(|value| matches!(value.trim_matches('"'), "0" | "no" | "n" | "off" | "false" | "f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_the_command_line_counts() {
        for off in ["veneer=0", "quiet veneer=no ro", "veneer=1 veneer=off"] {
            assert!(switched_off(off), "{off}");
        }
        for on in ["", "veneer", "veneer=1", "veneer=0 veneer=yes", "xveneer=0", "veneer.x=0"] {
            assert!(!switched_off(on), "{on}");
        }
    }
}

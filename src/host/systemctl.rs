//! Talks to systemd, through its own commands; the one place of the admin's command that starts programs.
//! It reads nothing into what they say: `cli::show` parses, the verbs decide.
//! Options are those of systemctl(1) and journalctl(1) since version 252.

use crate::message::MessageId;
use crate::name::AppId;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A connection to the running systemd; there is none for a `--root`.
#[derive(Clone, Copy, Debug)]
pub struct Systemctl(());

impl Systemctl {
    /// The running systemd, if there is one (sd_booted(3)).
    pub fn running() -> Option<Self> {
        Path::new("/run/systemd/system").is_dir().then_some(Self(()))
    }

    /// `systemctl show` of units or patterns, these properties, times in seconds since the epoch.
    pub fn show(self, units: &[String], properties: &str) -> Result<String> {
        if units.is_empty() {
            return Ok(String::new());
        }
        let property = format!("--property={properties}");
        let mut words = vec!["show", "--timestamp=unix", &property, "--"];
        words.extend(units.iter().map(String::as_str));
        read("systemctl", &words)
    }

    /// `systemctl list-units` of patterns, as JSON: the states of what is loaded, much cheaper than `show`, for which
    /// systemd looks at the files of each unit (`NeedDaemonReload`).
    pub fn list_units(self, patterns: &[&str]) -> Result<String> {
        let mut words = vec!["list-units", "--all", "--full", "--output=json", "--"];
        words.extend(patterns);
        read("systemctl", &words)
    }

    /// Starts units and waits for all of them, whatever becomes of each; which are up is to be asked afterwards.
    ///
    /// One transient unit wants them: systemctl would have systemd look for changed files of each, in hundreds of places.
    pub fn start_together(self, units: &[String], what: &str) -> Result<()> {
        transient(what, "Wants", units)
    }

    /// Stops units and waits for all of them, by a transient unit that conflicts with them; an error if some are being
    /// started.
    pub fn stop_together(self, units: &[String], what: &str) -> Result<()> {
        transient(what, "Conflicts", units)
    }

    /// `systemctl cat` of units: fragments and drop-ins as they lie on the disk.
    pub fn cat(self, units: &[String]) -> Result<String> {
        let mut words = vec!["cat", "--"];
        words.extend(units.iter().map(String::as_str));
        read("systemctl", &words)
    }

    /// Makes systemd read everything anew, generators first.
    pub fn daemon_reload(self) -> Result<()> {
        self.act(&["daemon-reload"])
    }

    /// Any other act: `start UNIT`, `stop UNIT`, `disable UNIT`. What systemctl says goes to the admin.
    pub fn act(self, words: &[&str]) -> Result<()> {
        let status = command("systemctl", words)
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit())
            .status()
            .with_context(|| format!("running systemctl {}", words.join(" ")))?;
        if status.success() { Ok(()) } else { bail!("systemctl {}: {status}", words.join(" ")) }
    }

    /// An act whose failure means nothing, and of which nothing is shown.
    pub fn quietly(self, words: &[&str]) {
        drop(command("systemctl", words).output());
    }

    /// What `systemctl --version` says.
    pub fn version(self) -> Option<String> {
        read("systemctl", &["--version"]).ok()
    }

    /// The last warnings and errors of a unit's own processes, and what root's programs said about it.
    ///
    /// `invocation` and `since` (seconds) tell the last run from those before it. What systemd itself says of the
    /// unit is left out: its state says the same.
    pub fn last_errors(self, unit: &str, invocation: &str, since: Option<u64>, lines: usize) -> Result<String> {
        let own = match invocation {
            "" => format!("_SYSTEMD_UNIT={unit}"),
            invocation => format!("_SYSTEMD_INVOCATION_ID={invocation}"),
        };
        let about = format!("OBJECT_SYSTEMD_UNIT={unit}");
        let (count, since) = (lines.to_string(), since.map(|seconds| format!("--since=@{seconds}")));
        let mut words = vec!["--priority=warning", "--output=cat", "--quiet", "--no-pager", "--lines", &count];
        words.extend(since.as_deref());
        words.extend([&own, "+", &about, "_UID=0"]);
        read("journalctl", &words)
    }

    /// The last messages of a kind about an app, since a time in microseconds.
    pub fn messages(self, id: MessageId, app: &AppId, since: u64, lines: usize) -> Result<String> {
        let (count, since) = (lines.to_string(), format!("--since=@{}.{:06}", since / 1_000_000, since % 1_000_000));
        let fields = [format!("MESSAGE_ID={}", id.as_str()), format!("VENEER_APP={app}")];
        let words = ["--output=cat", "--quiet", "--no-pager", "--lines", &count, &since, &fields[0], &fields[1]];
        read("journalctl", &words)
    }
}

/// How many seconds an app must have been up to count as having come up.
const PROBATION: u64 = 30;

/// Whether an app, first started with what it runs at this time, never came up since, or not for long.
pub fn failed_early(id: &AppId, since: u64) -> Result<bool> {
    let unit = format!("app@{id}.service");
    let property = "--property=ActiveEnterTimestamp,InactiveEnterTimestamp";
    let shown = read("systemctl", &["show", "--timestamp=unix", property, "--", &unit])?;
    let at = |key: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix("=@"));
        line.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    let (up, down) = (at("ActiveEnterTimestamp"), at("InactiveEnterTimestamp"));
    Ok(up < since || down.saturating_sub(up) < PROBATION)
}

/// Has systemd start an app that has failed; it is not waited for.
pub fn start_again(id: &AppId) -> Result<()> {
    let unit = format!("app@{id}.service");
    read("systemctl", &["reset-failed", "--", &unit])
        .and_then(|_| read("systemctl", &["start", "--no-block", "--", &unit]))?;
    Ok(())
}

/// A unit that is there for what it draws in, and gone when that is through (systemd-run(1)).
fn transient(what: &str, dependency: &str, units: &[String]) -> Result<()> {
    let units = units.join(" ");
    let (description, drawn) = (format!("--description={what}"), format!("--property={dependency}={units}"));
    let after = format!("--property=After={units}");
    let words = ["--quiet", "--collect", "--property=Type=oneshot", &description, &drawn, &after, "--", "true"];
    read("systemd-run", &words).map(drop)
}

fn read(program: &str, words: &[&str]) -> Result<String> {
    let act = || format!("running {program} {}", words.first().copied().unwrap_or_default());
    let Output { status, stdout, stderr } = command(program, words).output().with_context(act)?;
    if !status.success() {
        bail!("{}: {}", act(), String::from_utf8_lossy(&stderr).trim());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

fn command(program: &str, words: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    // What is parsed must not depend on the admin's language, terminal or pager.
    command.env("LC_ALL", "C.UTF-8").env("SYSTEMD_PAGER", "").env("SYSTEMD_COLORS", "0");
    command
}

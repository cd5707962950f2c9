//! `veneer doctor`: what this machine lacks for running apps, one line each, with what to install or do.
//! It changes nothing. What is looked at is `doctor_looks`'; what it means is decided here, purely.
//! Versions are those of the oldest guest that the tests run in (docs/testing.md).

use super::args::Doctor;
use super::context::Context;
use super::doctor_looks::{Facts, Feature, Owned, Tool, look};
use super::doctor_requests;
use super::doctor_sessions;
use super::json;
use super::style::Style;
use super::table::cut;
use crate::host::terminal::{Terminal, print};
use crate::sysexits::Exit;
use anyhow::Result;
use serde::Serialize;
use std::process::ExitCode;

/// Debian 12's, the oldest that is tested.
const SYSTEMD: u32 = 252;
/// Debian 12's, the oldest that is tested.
const LINUX: (u32, u32) = (6, 1);

/// How a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    check: String,
    level: Level,
    text: String,
    advice: Option<String>,
}

impl Finding {
    pub(super) fn new(check: &str, level: Level, text: impl Into<String>) -> Self {
        Self { check: check.into(), level, text: text.into(), advice: None }
    }

    pub(super) fn ok(check: &str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, text)
    }

    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

#[cfg(test)]
impl Finding {
    /// As one line, for tests.
    pub(super) fn plain(&self) -> String {
        let advice = self.advice.as_ref().map(|advice| format!(" -> {advice}")).unwrap_or_default();
        format!("{:?}: {}{advice}", self.level, self.text)
    }
}

pub(super) fn run(context: &Context, args: &Doctor) -> Result<ExitCode> {
    let findings = findings(&look(context)?);
    let text = match args.output.json() {
        Some(format) => json::print(&findings, format)?,
        None => render(&findings, context.terminal),
    };
    print(&text)?;
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    Ok(if failed { Exit::Unavailable.into() } else { ExitCode::SUCCESS })
}

fn findings(facts: &Facts) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(facts.linux.as_deref().map(linux));
    all.extend(facts.features.iter().map(feature));
    all.extend(facts.online.then(|| systemd(facts.systemd.as_deref())));
    all.push(generator(facts));
    all.push(missing("files", &facts.missing_files, "install Veneer again: meson install, or the package"));
    all.push(udev(facts));
    all.extend(facts.tools.iter().map(tool));
    all.push(certificates(facts));
    all.extend(facts.online.then(|| kernel_keys(facts)));
    all.extend(facts.owned.iter().filter_map(owned));
    all.extend(facts.online.then(|| doctor_requests::finding(facts.requests)));
    all.extend(facts.sessions.iter().flat_map(doctor_sessions::findings));
    all.push(apps(facts));
    all.extend(overlays(facts));
    all.extend(facts.stale.iter().map(|(id, reason)| {
        let text = format!("{id} runs on as it was: {reason}");
        Finding::new("stale", Level::Warn, text).advise(format!("systemctl stop app@{id}, then start"))
    }));
    all.extend(facts.online.then(|| pending(facts.pending)));
    all
}

/// The first numbers of a version.
fn numbers(text: &str) -> (u32, u32) {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn linux(release: &str) -> Finding {
    let text = format!("Linux {release}");
    if numbers(release) >= LINUX {
        return Finding::ok("kernel", text);
    }
    Finding::new("kernel", Level::Warn, text)
        .advise(format!("Linux {}.{} is the oldest that is tested", LINUX.0, LINUX.1))
}

fn feature(feature: &Feature) -> Finding {
    let Feature { name, config, needed, there } = feature;
    match (there, needed) {
        (true, _) if *name == "dm-verity" => Finding::ok(
            name,
            "in the kernel; veneer-verity makes the devices itself, systemd-veritysetup is not needed",
        ),
        (true, _) => Finding::ok(name, "in the kernel, or a module of it"),
        (false, true) => Finding::new(name, Level::Fail, "this kernel does not have it")
            .advise(format!("a kernel with {config} (Debian: linux-image-amd64 or linux-image-arm64)")),
        (false, false) => Finding::new(name, Level::Warn, "this kernel does not have it: only for images of this type")
            .advise(format!("a kernel with {config}")),
    }
}

fn systemd(version: Option<&str>) -> Finding {
    let Some(version) = version else {
        return Finding::new("systemd", Level::Fail, "it does not run here");
    };
    let text = format!("systemd {}", version.trim_start_matches("systemd "));
    if numbers(version).0 >= SYSTEMD {
        return Finding::ok("systemd", text);
    }
    Finding::new("systemd", Level::Fail, text).advise(format!("systemd {SYSTEMD} or later is needed"))
}

fn generator(facts: &Facts) -> Finding {
    let finding = |text: &str| Finding::new("generator", Level::Fail, text);
    match (&facts.generator, facts.switched_off) {
        (None, _) => finding("veneer-generator is not installed: no app has units").advise("install Veneer again"),
        (Some((path, true)), _) => finding(&format!("masked by {path}: no app has units"))
            .advise(format!("rm {path}, then systemctl daemon-reload")),
        (Some(_), true) => {
            finding("switched off by veneer=0 on the kernel's command line: no app has units").advise("boot without it")
        }
        (Some((path, false)), false) => Finding::ok("generator", path.clone()),
    }
}

fn missing(check: &str, missing: &[String], advice: &str) -> Finding {
    if missing.is_empty() {
        return Finding::ok(check, "units, helpers, profiles and the skeleton are installed");
    }
    Finding::new(check, Level::Fail, format!("missing: {}", missing.join(", "))).advise(advice)
}

fn udev(facts: &Facts) -> Finding {
    if facts.udev_rule {
        return Finding::ok("udev", "damaged blocks are reported with the app's name");
    }
    let text = "60-veneer.rules is not installed: damaged blocks are only in the kernel's log";
    Finding::new("udev", Level::Warn, text).advise("install Veneer again, then udevadm control --reload")
}

fn tool(tool: &Tool) -> Finding {
    let Tool { name, package, purpose, there, app } = tool;
    let finding = match (there, app) {
        (true, _) => return Finding::ok(name, "installed"),
        (false, Some(app)) => Finding::new(name, Level::Fail, format!("not installed, and {app} cannot do without")),
        (false, None) => Finding::new(name, Level::Warn, format!("not installed: only needed for {purpose}")),
    };
    finding.advise(format!("apt install {package}"))
}

fn certificates(facts: &Facts) -> Finding {
    let text = match facts.certificates.len() {
        0 => "none in /etc/verity.d, /run/verity.d and /usr/lib/verity.d".to_owned(),
        n => format!("{n} in verity.d"),
    };
    if let Some(bad) = facts.certificates.iter().find(|(_, pem)| !pem) {
        let text = format!("{} is no certificate in PEM: images it should verify are refused", bad.0);
        return Finding::new("certificates", Level::Fail, text).advise("openssl x509 -in FILE -outform PEM");
    }
    match (facts.certificates.is_empty(), facts.signed.as_slice()) {
        (true, [first, ..]) => {
            Finding::new("certificates", Level::Fail, format!("{text}, and {first} requires a signature"))
                .advise("put the signer's certificate into /etc/verity.d/NAME.crt")
        }
        (true, []) => Finding::ok("certificates", format!("{text}; only image.require = \"signed\" needs one")),
        (false, _) => Finding::ok("certificates", text),
    }
}

fn kernel_keys(facts: &Facts) -> Finding {
    let text = match facts.kernel_checks {
        true => "the kernel checks signatures of dm-verity too, by the keys in its own keyrings",
        false => "the kernel does not check signatures of dm-verity; ours in user space is what counts",
    };
    Finding::ok("keyring", text)
}

/// Only what is wrong; whatever is not there is nobody's to write.
fn owned(owned: &Owned) -> Option<Finding> {
    let Owned { path, uid, mode } = owned;
    let text = match (uid, mode & 0o022) {
        (0, 0) => return None,
        (0, _) => format!("{path} has mode {mode:04o}: others than root can write to it, so images there are refused"),
        _ => format!("{path} belongs to user {uid}, not to root, so images there are refused"),
    };
    Some(Finding::new("permissions", Level::Fail, text).advise(format!("chown root:root {path}; chmod go-w {path}")))
}

fn apps(facts: &Facts) -> Finding {
    let count = super::check::number(facts.apps, "app");
    match (facts.broken.as_slice(), facts.failed.as_slice()) {
        ([], []) => Finding::ok("apps", format!("{count}, none broken or failed")),
        ([], failed) => Finding::new("apps", Level::Warn, format!("{count}, failed: {}", failed.join(", ")))
            .advise("veneer status ID"),
        (broken, _) => {
            Finding::new("apps", Level::Fail, format!("{count}, broken: {}", broken.join(", "))).advise("veneer check")
        }
    }
}

/// Only where some are declared.
fn overlays(facts: &Facts) -> Option<Finding> {
    let count = super::check::number(facts.overlays, "overlay");
    match (facts.overlays, facts.broken_overlays.as_slice()) {
        (0, _) => None,
        (_, []) => Some(Finding::ok("overlays", format!("{count} declared, none broken"))),
        (_, broken) => {
            let text = format!("{count} declared, broken: {}", broken.join(", "));
            Some(Finding::new("overlays", Level::Fail, text).advise("veneer check"))
        }
    }
}

fn pending(pending: usize) -> Finding {
    if pending == 0 {
        return Finding::ok("reload", "systemd has what is configured");
    }
    let text = format!("{} would change with a reload", super::check::number(pending, "unit file"));
    Finding::new("reload", Level::Warn, text).advise("veneer diff, then veneer reload")
}

fn render(findings: &[Finding], terminal: Terminal) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let (word, style) = match finding.level {
            Level::Ok => ("ok  ", Style::Good),
            Level::Warn => ("warn", Style::Warning),
            Level::Fail => ("FAIL", Style::Bad),
        };
        let advice = finding.advice.as_ref().map(|advice| format!(" -> {advice}")).unwrap_or_default();
        let room = terminal.width.map_or(usize::MAX, |columns| columns.saturating_sub(width + 8));
        // What is in order may be cut; advice never is.
        let text = if finding.level == Level::Ok { cut(&finding.text, room) } else { finding.text.clone() };
        format!("{}  {:width$}  {text}{advice}\n", style.paint(terminal.colour, word), finding.check)
    };
    findings.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            linux: Some("6.12.48+deb13-amd64".into()),
            systemd: Some("systemd 257 (257.8-1~deb13u2)".into()),
            generator: Some(("/usr/lib/systemd/system-generators/veneer-generator".into(), false)),
            udev_rule: true,
            online: true,
            ..Facts::default()
        }
    }

    fn bad(facts: &Facts) -> Vec<String> {
        let findings = findings(facts);
        findings.iter().filter(|finding| finding.level != Level::Ok).map(|finding| finding.text.clone()).collect()
    }

    #[test]
    fn a_good_machine_has_nothing_bad() {
        assert_eq!(bad(&good()), [""; 0]);
    }

    #[test]
    fn each_lack_is_named() {
        let feature = |needed| Feature { name: "erofs", config: "CONFIG_EROFS_FS", needed, there: false };
        let facts = Facts { features: vec![feature(true)], linux: Some("5.10.0".into()), ..good() };
        assert_eq!(bad(&facts), ["Linux 5.10.0", "this kernel does not have it"]);
        let facts = Facts { systemd: Some("systemd 247 (247.3)".into()), switched_off: true, ..good() };
        let off = "switched off by veneer=0 on the kernel's command line: no app has units";
        assert_eq!(bad(&facts), ["systemd 247 (247.3)", off]);
        let tool = |app: Option<&str>| Tool {
            name: "skopeo",
            package: "skopeo",
            purpose: "making images",
            there: false,
            app: app.map(str::to_owned),
        };
        assert_eq!(
            bad(&Facts { tools: vec![tool(Some("web"))], ..good() }),
            ["not installed, and web cannot do without"]
        );
        let facts = Facts { signed: vec!["hello".into()], tools: vec![tool(None)], ..good() };
        let none = "none in /etc/verity.d, /run/verity.d and /usr/lib/verity.d, and hello requires a signature";
        assert_eq!(bad(&facts), ["not installed: only needed for making images", none]);
    }

    #[test]
    fn a_broken_declaration_of_an_overlay_is_named() {
        let facts = |broken: &[&str]| Facts {
            overlays: 2,
            broken_overlays: broken.iter().map(ToString::to_string).collect(),
            ..good()
        };
        assert_eq!(bad(&facts(&[])), [""; 0]);
        assert_eq!(bad(&facts(&["site"])), ["2 overlays declared, broken: site"]);
    }

    #[test]
    fn a_store_that_others_can_write_to_is_found() {
        let owned = |uid, mode| Owned { path: "/var/lib/veneer/images".into(), uid, mode };
        let facts = |uid, mode| Facts { owned: vec![owned(uid, mode)], ..good() };
        assert_eq!(bad(&facts(0, 0o755)), [""; 0]);
        assert!(bad(&facts(0, 0o775))[0].contains("has mode 0775"));
        assert!(bad(&facts(1000, 0o755))[0].contains("belongs to user 1000"));
    }
}

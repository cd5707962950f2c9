//! What `veneer doctor` looks at: the kernel, systemd, what is installed, who may write where, the apps.
//! It judges nothing. A thing that cannot be looked at counts as absent, and the finding says what to do.
//! Kernel features: `/proc/filesystems`, `/sys/module` and the module lists of kmod (modules.dep(5)).

use super::apps::{Standing, state, trust, views};
use super::context::{Context, unit_patterns};
use super::doctor_requests::{self, Requests};
use super::doctor_sessions::{self, Sessions};
use super::{diff, stale};
use crate::app::{App, Image, ImageFile, ImagePlace};
use crate::config::{AppState, Host, load_overlay};
use crate::host::below_root;
use crate::host::boot::Boot;
use crate::layout::{CONFIG_DIRS, LIBEXEC, PROFILES, SKELETON, SYSTEM_UNITS, VERITY_CERTIFICATES};
use crate::origin::Origin;
use crate::plan::Names;
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::Path;

/// All that is looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Whether this is the running system, and no `--root`.
    pub(super) online: bool,
    /// The running kernel's release; none for a `--root`.
    pub(super) linux: Option<String>,
    pub(super) features: Vec<Feature>,
    /// The first line of `systemctl --version`, if systemd runs.
    pub(super) systemd: Option<String>,
    /// The generator that systemd would run, and whether it is masked.
    pub(super) generator: Option<(String, bool)>,
    /// `veneer=0`.
    pub(super) switched_off: bool,
    pub(super) missing_files: Vec<String>,
    pub(super) udev_rule: bool,
    pub(super) tools: Vec<Tool>,
    /// Certificates, and whether each is in PEM.
    pub(super) certificates: Vec<(String, bool)>,
    /// Whether the kernel has dm-verity's keyring.
    pub(super) kernel_checks: bool,
    pub(super) owned: Vec<Owned>,
    /// None for a `--root`.
    pub(super) sessions: Option<Sessions>,
    pub(super) apps: usize,
    /// Apps that require a signature.
    pub(super) signed: Vec<String>,
    pub(super) broken: Vec<String>,
    pub(super) failed: Vec<String>,
    /// Overlays over the host that are declared.
    pub(super) overlays: usize,
    /// Those of them whose files are wrong.
    pub(super) broken_overlays: Vec<String>,
    pub(super) stale: Vec<(String, String)>,
    /// Unit files that a reload would change.
    pub(super) pending: usize,
    /// Whether users can ask for overlays over the host.
    pub(super) requests: Requests,
}

/// A program of others.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// Debian's.
    pub(super) package: &'static str,
    pub(super) purpose: &'static str,
    pub(super) there: bool,
    /// An app that cannot be started without it.
    pub(super) app: Option<String>,
}

/// A part of the kernel.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    pub(super) name: &'static str,
    pub(super) config: &'static str,
    pub(super) needed: bool,
    pub(super) there: bool,
}

/// A path that only root may write to.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    pub(super) path: String,
    pub(super) uid: u32,
    pub(super) mode: u32,
}

/// Name, module, option of the kernel's build, and whether every app needs it.
const FEATURES: [(&str, &str, &str, bool); 6] = [
    ("dm-verity", "dm-verity", "CONFIG_DM_VERITY", true),
    ("loop", "loop", "CONFIG_BLK_DEV_LOOP", true),
    ("erofs", "erofs", "CONFIG_EROFS_FS", true),
    ("overlay", "overlay", "CONFIG_OVERLAY_FS", true),
    ("squashfs", "squashfs", "CONFIG_SQUASHFS", false),
    ("ext4", "ext4", "CONFIG_EXT4_FS", false),
];
/// Name, package, and what it is for.
const TOOLS: [(&str, &str, &str); 5] = [
    ("mkfs.erofs", "erofs-utils", "making images"),
    ("veritysetup", "cryptsetup-bin", "making images"),
    ("openssl", "openssl", "making images"),
    (SKOPEO, "skopeo", "images from registries and containers-storage"),
    (BUILDAH, "buildah", "images that are built here, `build =` in [image]"),
];
const SKOPEO: &str = "skopeo";
const BUILDAH: &str = "buildah";
const PROGRAM_DIRS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// systemd.generator(7), the strongest first.
const GENERATOR_DIRS: [&str; 4] = [
    "/run/systemd/system-generators",
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
];

pub(super) fn look(context: &Context) -> Result<Facts> {
    let there = |path: &str| below_root::exists(&context.at(path));
    let mut facts = Facts {
        online: context.root == Path::new("/"),
        generator: generator(context),
        switched_off: Boot::read(&context.root).is_switched_off(),
        missing_files: installed().into_iter().filter(|path| !there(path)).collect(),
        udev_rule: ["/etc", "/run", "/usr/lib", "/lib"]
            .iter()
            .any(|dir| there(&format!("{dir}/udev/rules.d/60-veneer.rules"))),
        tools: TOOLS.map(|tool| self::tool(&there, tool)).to_vec(),
        certificates: certificates(context)?,
        owned: owned(context)?,
        pending: diff::pending(context)?.len(),
        requests: doctor_requests::look(&there),
        ..Facts::default()
    };
    if let Some(systemd) = context.systemd {
        facts.systemd = systemd.version().and_then(|text| text.lines().next().map(str::to_owned));
    }
    if facts.online {
        machine(context, &mut facts)?;
    }
    apps(context, &mut facts)?;
    Ok(facts)
}

/// What only the running kernel can tell.
fn machine(context: &Context, facts: &mut Facts) -> Result<()> {
    let read = |path: &str| below_root::read(&context.at(path)).map(Option::unwrap_or_default);
    let release = read("/proc/sys/kernel/osrelease")?.trim().to_owned();
    // What is built in is in no list of modules if the kernel came without one.
    let known = [read("/proc/filesystems")?, read("/proc/devices").unwrap_or_default()].concat();
    let lists =
        ["dep", "builtin"].map(|list| read(&format!("/lib/modules/{release}/modules.{list}")).unwrap_or_default());
    let has = |module: &str| {
        let loaded = format!("/sys/module/{}", module.replace('-', "_"));
        known.split_ascii_whitespace().any(|name| name == module)
            || below_root::exists(&context.at(&loaded))
            || lists.iter().any(|list| has_module(list, module))
    };
    let feature = |(name, module, config, needed)| Feature { name, config, needed, there: has(module) };
    facts.features = FEATURES.map(feature).to_vec();
    facts.kernel_checks =
        below_root::read(&context.at("/proc/keys")).ok().flatten().is_some_and(|keys| keys.contains(".dm-verity"));
    facts.linux = Some(release);
    facts.sessions = Some(doctor_sessions::look(context)?);
    Ok(())
}

/// Whether a list of kmod names a module: `kernel/fs/erofs/erofs.ko.xz:`.
fn has_module(list: &str, module: &str) -> bool {
    let file = format!("/{module}.ko");
    list.lines().filter_map(|line| line.split(':').next()).any(|path| {
        path.rfind(&file).is_some_and(|at| matches!(path.as_bytes().get(at + file.len()), None | Some(b'.')))
    })
}

fn generator(context: &Context) -> Option<(String, bool)> {
    let paths = GENERATOR_DIRS.iter().map(|dir| format!("{dir}/veneer-generator"));
    let path = paths.into_iter().find(|path| below_root::exists(&context.at(path)))?;
    let masked = below_root::link(&context.at(&path)).is_some_and(|target| target == "/dev/null")
        || below_root::read(&context.at(&path)).ok().flatten().is_some_and(|text| text.is_empty());
    Some((path, masked))
}

/// What an installation has.
fn installed() -> Vec<String> {
    let units = [
        "app@.service",
        "veneer-check@.service",
        "veneer-detach@.service",
        "veneer-convert@.service",
        "veneer-inject@.service",
        "veneer-verity@.service",
        "veneer-verity@.service.d",
        "veneer-pull@.service",
        "veneer-rollback@.service",
        "veneer-prune.service",
        "veneer-scrub@.service",
        "veneer-overlay@.service",
        "run-veneer-apps-.mount.d",
    ];
    let helpers = [
        "veneer-verity",
        "veneer-overlay",
        "veneer-convert",
        "veneer-explain",
        "veneer-inject",
        "veneer-signature",
        "veneer-pull",
        "veneer-version",
        "veneer-prune",
    ];
    let units = units.iter().map(|unit| format!("{SYSTEM_UNITS}/{unit}"));
    let helpers = helpers.iter().map(|helper| format!("{LIBEXEC}/{helper}"));
    units.chain(helpers).chain([PROFILES.to_owned(), format!("{SKELETON}/proc")]).collect()
}

fn has_program(there: &impl Fn(&str) -> bool, name: &str) -> bool {
    PROGRAM_DIRS.iter().any(|dir| there(&format!("{dir}/{name}")))
}

fn tool(there: &impl Fn(&str) -> bool, (name, package, purpose): (&'static str, &'static str, &'static str)) -> Tool {
    Tool { name, package, purpose, there: has_program(there, name), app: None }
}

/// Programs that an app cannot be started without.
fn needed(app: &App) -> &'static [&'static str] {
    match &app.image {
        Image::File(ImageFile { place: ImagePlace::Made(making), .. }) => match making.origin {
            Origin::Registry(_) | Origin::Storage(_) => &[SKOPEO],
            Origin::Build(_) => &[SKOPEO, BUILDAH],
            Origin::Local(_) => &[],
        },
        _ => &[],
    }
}

fn certificates(context: &Context) -> Result<Vec<(String, bool)>> {
    let mut found = Vec::new();
    for dir in VERITY_CERTIFICATES {
        for name in below_root::names(&context.at(dir))?.into_iter().filter(|name| name.ends_with(".crt")) {
            let path = format!("{dir}/{name}");
            let text = below_root::read(&context.at(&path))?.unwrap_or_default();
            found.push((path, text.contains("-----BEGIN CERTIFICATE-----")));
        }
    }
    Ok(found)
}

/// Configuration, state and the stores, with everything above them.
fn owned(context: &Context) -> Result<Vec<Owned>> {
    let config = context.config();
    let (host, _) = Host::load(&config);
    let mut paths: BTreeSet<String> = CONFIG_DIRS.iter().map(|dir| format!("{dir}/apps.d")).collect();
    paths.extend(host.settings.roots.iter().map(ToString::to_string));
    paths.extend(["/var/lib/veneer/overlays".to_owned(), "/run/veneer/live".to_owned()]);
    let of_apps = views(&config, []).into_iter().filter_map(|view| view.app.as_ref().and_then(image));
    paths.extend(of_apps);
    let above =
        |path: &String| path.match_indices('/').skip(1).map(|(at, _)| path[..at].to_owned()).collect::<Vec<_>>();
    let parents: Vec<String> = paths.iter().flat_map(above).collect();
    paths.extend(parents);
    let mut owned = Vec::new();
    for path in paths {
        let found = below_root::owner_and_mode(&context.at(&path))?;
        owned.extend(found.map(|(uid, mode)| Owned { path, uid, mode }));
    }
    Ok(owned)
}

fn image(app: &App) -> Option<String> {
    match &app.image {
        Image::File(image) => match &image.place {
            ImagePlace::At(path) => Some(path.to_string()),
            ImagePlace::Named { .. } | ImagePlace::Made(_) => None,
        },
        Image::Directory(_) => None,
    }
}

fn apps(context: &Context, facts: &mut Facts) -> Result<()> {
    let (config, marks) = (context.config(), context.marks());
    let views = views(&config, marks.iter().map(|mark| &mark.id));
    let states = context.states(&unit_patterns())?;
    facts.apps = views.len();
    facts.overlays = config.overlays.len();
    let broken =
        config.overlays.iter().filter(|text| text.state() == AppState::Configured && load_overlay(text).is_err());
    facts.broken_overlays = broken.map(|text| text.id.to_string()).collect();
    for view in &views {
        let id = view.id.to_string();
        if view.app.as_ref().map(trust) == Some("signed") {
            facts.signed.push(id.clone());
        }
        for name in view.app.as_ref().map(needed).unwrap_or_default() {
            let tool = facts.tools.iter_mut().find(|tool| tool.name == *name && tool.app.is_none());
            if let Some(tool) = tool {
                tool.app = Some(id.clone());
            }
        }
        if view.standing == Standing::Broken {
            facts.broken.push(id.clone());
        }
        if state(&Names::new(&view.id), &states) == "failed" {
            facts.failed.push(id.clone());
        }
        let mark = marks.iter().find(|mark| mark.id == view.id);
        let reason = mark.and_then(|mark| stale::of(context, view, mark).into_iter().next());
        facts.stale.extend(reason.map(|reason| (id, reason)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::has_module;

    #[test]
    fn modules_are_found_by_their_whole_name() {
        let list =
            "kernel/fs/erofs/erofs.ko.xz: kernel/lib/x.ko.xz\nkernel/drivers/md/dm-verity.ko:\nkernel/fs/ext4/ext4.ko";
        for (module, there) in [("erofs", true), ("dm-verity", true), ("ext4", true), ("x", false), ("verity", false)] {
            assert_eq!(has_module(list, module), there, "{module}");
        }
    }
}

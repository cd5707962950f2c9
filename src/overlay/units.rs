//! The units of an overlay: the mount over its target, made so that systemd shows it, orders it and takes it off.
//! What is the same for all is `veneer-overlay-host@.service`; here is only what is particular.
//! Why lazy: a busy mount does not stop, and at shutdown something may always be busy (systemd.mount(5), `LazyUnmount=`).

use super::record::{Kind, Mode};
use super::{Guard, Guards, OverlayName, OverlayPaths, Record, Spec};
use crate::path::AbsPath;
use crate::unit::{Arg, Duplicate, Text, Unit, UnitName, UnitSet, Value};

/// The template whose instance holds an overlay's layers.
pub const LAYERS: &str = "veneer-overlay-host";

/// What systemd and mountinfo call the file system of an overlay.
pub fn mount_source(name: &OverlayName) -> String {
    format!("veneer-{name}")
}

/// The names of an overlay's units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The mount over the target.
    pub mount: UnitName,
    /// What holds its layers.
    pub layers: UnitName,
}

impl Names {
    /// The names of the units of an overlay over this target.
    pub fn new(name: &OverlayName, target: &AbsPath) -> Self {
        Self { mount: UnitName::mount_of(target.as_str()), layers: UnitName::service_of(LAYERS, name.as_instance()) }
    }
}

/// What the mount unit is made from.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The overlay.
    pub name: &'a OverlayName,
    /// Its target.
    pub target: &'a AbsPath,
    /// Directory or file.
    pub kind: Kind,
    /// Whether it can be written.
    pub mode: Mode,
    /// Further options of overlayfs.
    pub options: &'a [String],
    /// What the mount keeps programs from.
    pub guards: Guards,
    /// What a person calls it.
    pub description: Option<&'a str>,
}

impl<'a> Plan<'a> {
    /// The plan of a recorded overlay over a target whose mount has these guards.
    pub fn of(record: &'a Record, guards: &Guards) -> Self {
        Self {
            name: &record.name,
            target: &record.target,
            kind: record.kind,
            mode: record.mode,
            options: &record.options,
            guards: Guards::of_options(&record.options).and(guards),
            description: record.description.as_deref(),
        }
    }

    /// Options of its overlay that are no layers.
    pub fn overlay_options(&self) -> Vec<String> {
        // Fixed, whatever the kernel was built with: diff and commit read the layers as they are without these.
        let fixed = ["index=off", "metacopy=off", "redirect_dir=nofollow"];
        let own = self.options.iter().filter(|option| Guard::of_name(option).is_none()).cloned();
        fixed.iter().map(|option| (*option).to_owned()).chain(own).collect()
    }

    /// Options of its mount.
    fn mount_options(&self) -> Vec<String> {
        let access = if self.mode == Mode::ReadOnly { "ro" } else { "rw" };
        let guards = self.guards.names();
        [access, "nodev"].into_iter().chain(guards).map(str::to_owned).collect()
    }
}

/// The read-only layers of an overlay, topmost first.
pub fn lower(paths: &OverlayPaths, mode: Mode) -> Vec<String> {
    let version = paths.in_use();
    let mut lower = Vec::with_capacity(3);
    if mode == Mode::ReadOnly {
        lower.push(version.top());
    }
    lower.push(format!("{}/tree", version.source()));
    lower.push(paths.base());
    lower
}

/// Fills a unit that has been begun with the mount.
pub fn mount(plan: &Plan<'_>, paths: &OverlayPaths, mut unit: Unit) -> Unit {
    let names = Names::new(plan.name, plan.target);
    let text = match plan.description {
        Some(description) => format!("{description} (overlay {})", plan.name),
        None => format!("Overlay {}", plan.name),
    };
    if let Ok(text) = Text::parse(&text) {
        unit.set("Description", Value::Text(&text));
    }
    unit.set("Documentation", Value::Word("man:veneer-overlay(8)"));
    unit.set("DefaultDependencies", Value::Word("no"));
    unit.set("Conflicts", Value::Word("umount.target"));
    // What is ordered after sysinit.target, as most services are, starts with the overlay and stops before it comes off.
    unit.set("Before", Value::Word("umount.target sysinit.target"));
    // An admin who changes a declaration and looks what comes of it restarts this more often than systemd likes.
    unit.set("StartLimitIntervalSec", Value::Word("0"));
    unit.set("BindsTo", Value::Units(&[&names.layers]));
    unit.set("After", Value::Units(&[&names.layers]));
    unit.section("Mount");
    match plan.kind {
        Kind::Directory => overlay(plan, paths, &mut unit),
        Kind::File => bind(plan, paths, &mut unit),
    }
    unit.set("LazyUnmount", Value::Word("yes"));
    unit
}

fn overlay(plan: &Plan<'_>, paths: &OverlayPaths, unit: &mut Unit) {
    unit.set("What", Value::What(&mount_source(plan.name)));
    unit.set("Where", Value::Path(plan.target.as_str()));
    unit.set("Type", Value::Word("overlay"));
    let mut options = plan.mount_options();
    options.extend(plan.overlay_options());
    let lower = lower(paths, plan.mode);
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let upper = (plan.mode == Mode::Writable).then(|| paths.in_use().written());
    unit.set("Options", Value::Overlay { options: &options, lower: &lower, upper: upper.as_deref() });
}

fn bind(plan: &Plan<'_>, paths: &OverlayPaths, unit: &mut Unit) {
    unit.set("What", Value::What(&bound_file(paths, plan.mode)));
    unit.set("Where", Value::Path(plan.target.as_str()));
    unit.set("Type", Value::Word("none"));
    let options: Vec<String> = std::iter::once("bind".to_owned()).chain(plan.mount_options()).collect();
    unit.set("Options", Value::Options(&options));
}

/// The file that is bound over a target that is a file.
pub fn bound_file(paths: &OverlayPaths, mode: Mode) -> String {
    match mode {
        Mode::ReadOnly => format!("{}/file", paths.in_use().source()),
        Mode::Writable => format!("{}/file", paths.in_use().written()),
    }
}

/// The set with the mount of a recorded overlay; `guards` are those of the mount that its target is on.
pub fn of_record(record: &Record, guards: &Guards) -> Result<UnitSet, Duplicate> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let names = Names::new(&record.name, &record.target);
    let source = AbsPath::parse(&paths.record()).unwrap_or_else(|_| unreachable!("our own paths are clean"));
    let mut set = UnitSet::default();
    set.unit(&names.mount, mount(&Plan::of(record, guards), &paths, Unit::of_overlay(&source)))?;
    Ok(set)
}

/// The units of a declared overlay: its mount, what its layers are made from, and that the boot wants it.
pub fn of_spec(spec: &Spec) -> Result<UnitSet, Duplicate> {
    let paths = OverlayPaths::new(&spec.name, spec.lifetime);
    let names = Names::new(&spec.name, &spec.target);
    let file = spec.declared.as_deref().unwrap_or_default();
    // A file that stands alone is read as the one it is to become.
    let source = AbsPath::parse(file).unwrap_or_else(|_| {
        AbsPath::parse(&format!("/etc/veneer/overlays.d/{}.toml", spec.name))
            .unwrap_or_else(|_| unreachable!("a name is clean"))
    });
    let options: Vec<String> = spec.options.iter().map(|option| option.as_str().to_owned()).collect();
    let plan = Plan {
        name: &spec.name,
        target: &spec.target,
        // Whether the target is a file cannot be seen from here; declared overlays lie over directories.
        kind: Kind::Directory,
        mode: spec.mode,
        options: &options,
        // The mount that the target is on need not be there yet: `declare` compares it with what is said.
        guards: Guards::of_options(&options),
        description: spec.description.as_ref().map(Text::as_str),
    };
    let mut set = UnitSet::default();
    set.unit(&names.mount, mount(&plan, &paths, Unit::from_source(&source)))?;
    set.drop_in(&names.layers, layers(spec, &source))?;
    let link = format!("{}/{}", crate::layout::GENERATOR_DIR, names.mount);
    set.wanted_by("sysinit.target", &names.mount, link)?;
    Ok(set)
}

/// What comes before a declared overlay: extensions, whose own mounts over `/usr`, `/opt` and `/etc` would hide it
/// (systemd-sysext(8)), and the recovery, which clears away what the boot before left of it.
const AFTER: &str = "systemd-sysext.service systemd-confext.service veneer-overlay-recover.service";

/// How the layers of a declared overlay are made: all that its helper needs stands on the command line.
fn layers(spec: &Spec, source: &AbsPath) -> Unit {
    let mut unit = Unit::from_source(source);
    // Not the target itself: that is the mount which waits for this.
    let parent = spec.target.as_str().rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty());
    unit.set("RequiresMountsFor", Value::Paths(&[spec.source.as_str(), parent.unwrap_or("/")]));
    unit.set("Before", Value::Word("sysinit.target"));
    unit.set("After", Value::Word(AFTER));
    unit.section("Service");
    unit.set("ExecStart", Value::Reset);
    let words = spec.to_words();
    let program = format!("{}/veneer-overlay", crate::layout::LIBEXEC);
    let line = [program.as_str(), "host-declare"].into_iter().map(str::to_owned).chain(words);
    let argv: Vec<Arg> = line.filter_map(|word| Arg::parse(&word).ok()).collect();
    unit.set("ExecStart", Value::Exec { prefix: "", argv: &argv });
    unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::record::Lifetime;
    use crate::overlay::record::tests::record;

    #[test]
    fn the_mount_of_an_overlay_names_only_what_stays() {
        let text = of_record(&record("site", "/usr/share/site"), &Guards::default()).expect("units").to_string();
        let wanted = "--- usr-share-site.mount\n\
            # Written by veneer overlay; it goes with its record, /run/veneer/overlays/site/record.json.\n\
            [Unit]\n\
            Description=Overlay site\n\
            Documentation=man:veneer-overlay(8)\n\
            DefaultDependencies=no\n\
            Conflicts=umount.target\n\
            Before=umount.target sysinit.target\n\
            StartLimitIntervalSec=0\n\
            BindsTo=veneer-overlay-host@site.service\n\
            After=veneer-overlay-host@site.service\n\
            [Mount]\n\
            What=veneer-site\n\
            Where=/usr/share/site\n\
            Type=overlay\n\
            Options=rw,nodev,index=off,metacopy=off,redirect_dir=nofollow,\
            lowerdir=/run/veneer/overlays/site/current/source/tree:/run/veneer/overlays/site/base/v,\
            upperdir=/run/veneer/overlays/site/current/written/upper,\
            workdir=/run/veneer/overlays/site/current/written/work\n\
            LazyUnmount=yes\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_file_is_bound() {
        let mut record = record("tool", "/usr/bin/tool");
        (record.kind, record.mode) = (Kind::File, Mode::ReadOnly);
        let text = of_record(&record, &Guards::default()).expect("units").to_string();
        assert!(text.contains("What=/run/veneer/overlays/tool/current/source/file\nWhere=/usr/bin/tool\nType=none\nOptions=bind,ro,nodev\n"), "{text}");
    }

    #[test]
    fn the_layers_of_the_longest_name_fit_into_what_the_kernel_takes() {
        let name = OverlayName::parse(&"n".repeat(50)).expect("a name");
        let lower = lower(&OverlayPaths::new(&name, Lifetime::Persistent), Mode::ReadOnly).join(":");
        assert!(lower.len() < 256, "{lower}");
    }

    #[test]
    fn what_the_targets_mount_keeps_programs_from_the_overlay_keeps_them_from() {
        let mut record = record("site", "/srv/site");
        record.options = vec!["volatile".into(), "noexec".into()];
        let guards: Guards = [Guard::NoSuid].into_iter().collect();
        let text = of_record(&record, &guards).expect("units").to_string();
        assert!(text.contains("\nOptions=rw,nodev,nosuid,noexec,index=off,"), "{text}");
        // The kernel is told of the mount, and not of the file system.
        assert!(text.contains(",redirect_dir=nofollow,volatile,lowerdir="), "{text}");
        assert!(!Plan::of(&record, &guards).overlay_options().contains(&"noexec".to_owned()));
        record.kind = Kind::File;
        let text = of_record(&record, &guards).expect("units").to_string();
        assert!(text.contains("\nOptions=bind,rw,nodev,nosuid,noexec\n"), "{text}");
    }
}

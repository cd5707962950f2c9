//! systemd's syntax, as much as it takes to know which settings a unit's text has.
//! It is no parser to use: it refuses what Veneer does not write (continuations, comments between settings).
//! The rules are systemd.syntax(7)'s.

use veneer::app::{Access, App, OverlayMode};

/// What Veneer itself writes, by section.
const UNIT: &[&str] = &[
    "SourcePath",
    "Description",
    "Documentation",
    "BindsTo",
    "Requires",
    "Wants",
    "After",
    "Before",
    "Conflicts",
    "RequiresMountsFor",
    "OnFailure",
    "ConditionPathExists",
    "ConditionDirectoryNotEmpty",
    "AssertPathExists",
    "DefaultDependencies",
    "StopWhenUnneeded",
    "JobTimeoutSec",
    "PropagatesStopTo",
    "PartOf",
];
const MOUNT: &[&str] = &["What", "Where", "Type", "Options"];
const SOCKET: &[&str] = &["ListenStream", "ListenDatagram", "Service", "Accept", "FileDescriptorName"];
const TIMER: &[&str] = &["OnCalendar", "Persistent", "Unit"];
const SERVICE: &[&str] = &[
    "Type",
    "NotifyAccess",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
    "ExecStop",
    "ExecStopPost",
    "RootDirectory",
    "Environment",
    "DynamicUser",
    "ProtectSystem",
    "User",
    "ReadWritePaths",
    "StateDirectory",
    "BindPaths",
    "BindReadOnlyPaths",
    "LoadCredential",
    "MountAPIVFS",
    "PrivateUsers",
    "SupplementaryGroups",
    "SyslogIdentifier",
];

/// One setting: its section, its name, its text.
struct Setting<'a> {
    section: &'a str,
    name: &'a str,
    value: &'a str,
}

/// Every line of a unit of this app must be a setting that Veneer writes or the app has under `[service.directives]`.
pub(crate) fn prove(path: &str, text: &str, app: &App) {
    let settings = read(path, text);
    let mut directives: Vec<&str> = app.service.directives.iter().map(|directive| directive.name()).collect();
    for setting in &settings {
        let known = match setting.section {
            "Unit" => UNIT,
            "Mount" => MOUNT,
            "Socket" => SOCKET,
            "Timer" => TIMER,
            "Service" => SERVICE,
            other => panic!("{path}: section [{other}] in {text:?}"),
        };
        let own = directives.iter().position(|name| setting.section == "Service" && *name == setting.name);
        match own {
            Some(at) if !known.contains(&setting.name) => drop(directives.remove(at)),
            _ => assert!(known.contains(&setting.name), "{path}: {}= in {text:?}", setting.name),
        }
    }
    counts(path, text, &settings, app);
}

/// How often each setting is there must follow from the app.
fn counts(path: &str, text: &str, settings: &[Setting<'_>], app: &App) {
    let count = |name: &str| settings.iter().filter(|setting| setting.name == name).count();
    assert_eq!(count("SourcePath"), 1, "{path}: {text:?}");
    if path.starts_with("app@") {
        let service = &app.service;
        let own = |name: &str| service.directives.iter().filter(|directive| directive.name() == name).count();
        let binds = |access| service.binds.iter().filter(|bind| bind.access == access).count();
        assert_eq!(count("ExecStart"), 2, "{path}: {text:?}");
        assert!(count("ExecStartPre") <= 2 + own("ExecStartPre"), "{path}: {text:?}");
        assert_eq!(count("Environment"), service.environment.len() + own("Environment"), "{path}: {text:?}");
        assert_eq!(count("BindPaths"), binds(Access::ReadWrite) + own("BindPaths"), "{path}: {text:?}");
        assert_eq!(count("BindReadOnlyPaths"), binds(Access::ReadOnly) + own("BindReadOnlyPaths"), "{path}: {text:?}");
        assert_eq!(count("LoadCredential"), service.credentials.len() + own("LoadCredential"), "{path}: {text:?}");
        assert_eq!(count("User"), 1, "{path}: {text:?}");
        assert_eq!(count("RootDirectory"), 1, "{path}: {text:?}");
    }
    if path.ends_with("root.mount") {
        options(path, settings, app);
    }
}

/// An overlay's options: one `lowerdir=`, with as many layers as there should be, whatever their names.
fn options(path: &str, settings: &[Setting<'_>], app: &App) {
    let Some(options) = settings.iter().find(|setting| setting.name == "Options") else { panic!("{path}: no options") };
    let lower: Vec<&str> = options.value.split(',').filter_map(|option| option.strip_prefix("lowerdir=")).collect();
    let [lower] = lower[..] else { panic!("{path}: {}", options.value) };
    let mut layers = 1;
    let mut escaped = false;
    for c in lower.chars() {
        layers += usize::from(c == ':' && !escaped);
        escaped = c == '\\' && !escaped;
    }
    // The image, and at most the mount points and the skeleton.
    let own = app.overlay.layers.len();
    assert!((own + 1..=own + 3).contains(&layers), "{path}: {layers} layers in {lower}");
    let parts = options.value.split(',').count();
    let writable = if app.overlay.mode == OverlayMode::None { 0 } else { 2 };
    assert!((2 + writable..=5 + writable).contains(&parts), "{path}: {}", options.value);
}

/// Splits a text into its settings.
fn read<'a>(path: &str, text: &'a str) -> Vec<Setting<'a>> {
    assert!(text.ends_with('\n'), "{path}: the last line is cut off");
    let mut settings = Vec::new();
    let mut section = "";
    for (at, line) in text[..text.len() - 1].split('\n').enumerate() {
        assert!(!line.chars().any(char::is_control), "{path}: a control character in {line:?}");
        assert!(!line.ends_with('\\'), "{path}: a line goes on: {line:?}");
        assert!(line.len() < 1 << 20, "{path}: a line systemd refuses");
        if at == 0 && line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            continue;
        }
        let Some((name, value)) = line.split_once('=') else { panic!("{path}: no setting: {line:?}") };
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(plain && !section.is_empty(), "{path}: {line:?}");
        assert_eq!(value.trim(), value, "{path}: white space that would be lost: {line:?}");
        settings.push(Setting { section, name, value });
    }
    settings
}

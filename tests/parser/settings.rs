//! Whatever a newtype takes, systemd reads back as it was meant, and nothing else with it.
//! Every property of a unit is compared: those that were set with what was meant, all others with a unit that set none.
//! How systemd shows a setting is org.freedesktop.systemd1(5)'s.

use crate::bus::{Bus, Data, Properties};
use crate::report::Report;
use crate::wild::Wild;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use veneer::path::AbsPath;
use veneer::unit::{Arg, CredentialName, Directive, EnvVar, Text, Unit, UnitName, Value};

/// Where the units go: as if an admin had written them by hand for this boot.
pub(crate) const UNITS: &str = "/run/systemd/system";
/// Units per daemon-reload.
const BATCH: usize = 500;
/// What tells two units apart whatever they say: their names, their times, their processes.
const OWN: [&str; 18] = [
    "Id",
    "Names",
    "FileDescriptorName",
    "FragmentPath",
    "InvocationID",
    "ControlGroupId",
    "Slice",
    "ControlGroup",
    "ExecStartEx",
    // The source is not there, so it "has changed".
    "NeedDaemonReload",
    // They follow from RootDirectory= and MemoryMax=.
    "CanLiveMount",
    "BindLogSockets",
    "MountAPIVFS",
    "EffectiveMemoryMax",
    "EffectiveMemoryHigh",
    "StartupMemoryMax",
    "MemoryAvailable",
    "Result",
];
/// Properties that grow by what other settings imply: here only names of mounts may come on top.
/// On a machine with devices the device of a mount's `What=` is among them, which a container has not.
const IMPLIED: [&str; 8] =
    ["After", "Requires", "Wants", "Before", "Conflicts", "WantsMountsFor", "BindsTo", "StopPropagatedFrom"];

/// What the plain units say, by their type and the interface.
type Plain = BTreeMap<(&'static str, &'static str), Properties>;

/// A unit being made wild, and what systemd must say of it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// The interface that has its type's properties.
    pub(crate) interface: &'static str,
    pub(crate) wanted: Properties,
    /// All paths it names, which may turn up in `RequiresMountsFor=`.
    paths: BTreeSet<String>,
}

impl Case {
    fn new(name: String, source: &AbsPath, interface: &'static str) -> Self {
        let mut case = Self {
            name,
            unit: Unit::from_source(source),
            interface,
            wanted: Properties::new(),
            paths: BTreeSet::new(),
        };
        case.want("SourcePath", Data::text(source.as_str()));
        case
    }

    fn want(&mut self, property: &str, data: Data) {
        self.wanted.insert(property.to_owned(), data);
    }

    fn path(&mut self, setting: &'static str, path: &AbsPath) {
        self.unit.set(setting, Value::Path(path.as_str()));
        self.want(setting, Data::text(path.as_str()));
        self.paths.insert(path.to_string());
    }
}

/// Makes `count` units of each kind in batches and compares what systemd has read.
pub(crate) fn prove(bus: &mut Bus, report: &mut Report, wild: &mut Wild, count: usize) -> std::io::Result<()> {
    let mut done = 0;
    while done < count {
        let batch: Vec<Case> = (0..BATCH.min(count - done)).map(|at| case(wild, report, done + at)).collect();
        done += batch.len();
        for case in &batch {
            std::fs::write(format!("{UNITS}/{}", case.name), case.unit.as_str())?;
        }
        plain_units()?;
        bus.reload()?;
        let mut plain = Plain::new();
        for case in &batch {
            compare(bus, report, case, &mut plain)?;
        }
        for case in &batch {
            std::fs::remove_file(format!("{UNITS}/{}", case.name))?;
        }
    }
    bus.reload()
}

/// One unit of each kind that sets nothing but what it must.
fn plain_units() -> std::io::Result<()> {
    let write = |name: &str, text: &str| std::fs::write(format!("{UNITS}/{name}"), text);
    write("wild-plain.service", "[Service]\nType=exec\nExecStart=/bin/true\n")?;
    write("wild-plain.socket", "[Socket]\nListenStream=/run/wild-plain\nService=wild-plain.service\n")?;
    write("wild-plain.timer", "[Timer]\nOnCalendar=daily\nUnit=wild-plain.service\n")?;
    write("wild\\x2dplain.mount", "[Mount]\nWhat=/dev/null\nWhere=/wild-plain\nType=none\nOptions=ro\n")
}

fn plain_of(interface: &str) -> &'static str {
    match interface {
        "Socket" => "wild-plain.socket",
        "Timer" => "wild-plain.timer",
        "Mount" => "wild\\x2dplain.mount",
        _ => "wild-plain.service",
    }
}

fn case(wild: &mut Wild, report: &mut Report, number: usize) -> Case {
    let source = loop {
        if let Some(path) = report.take("SourcePath", &wild.path(), AbsPath::parse) {
            break path;
        }
    };
    match wild.below(6) {
        0 => mount(wild, report, &source).unwrap_or_else(|| service(wild, report, &source, number)),
        1 => socket(wild, report, &source, number),
        2 => timer(wild, report, &source, number),
        _ => service(wild, report, &source, number),
    }
}

fn described(wild: &mut Wild, report: &mut Report, case: &mut Case) {
    case.want("Description", Data::text(case.name.clone()));
    if let Some(text) = report.take("Description", &wild.text(), Text::parse) {
        case.unit.set("Description", Value::Text(&text));
        case.want("Description", Data::text(text.as_str()));
    }
}

fn service(wild: &mut Wild, report: &mut Report, source: &AbsPath, number: usize) -> Case {
    let mut case = Case::new(format!("wild-{number}.service"), source, "Service");
    described(wild, report, &mut case);
    condition(wild, report, &mut case);
    requires_mounts(wild, report, &mut case);
    case.unit.section("Service");
    // The default depends on credentials.
    case.unit.set("Type", Value::Word("exec"));
    exec(wild, report, &mut case);
    environment(wild, report, &mut case);
    for setting in ["RootDirectory", "WorkingDirectory"] {
        if let Some(path) = report.take(setting, &wild.path(), AbsPath::parse) {
            case.path(setting, &path);
        }
    }
    for setting in ["BindPaths", "BindReadOnlyPaths"] {
        binds(wild, report, &mut case, setting);
    }
    for setting in ["ReadWritePaths", "InaccessiblePaths"] {
        listed(wild, report, &mut case, setting);
    }
    credentials(wild, report, &mut case);
    directives(wild, report, &mut case);
    case
}

fn condition(wild: &mut Wild, report: &mut Report, case: &mut Case) {
    if let Some(path) = report.take("ConditionPathExists", &wild.path(), AbsPath::parse) {
        case.unit.set("ConditionPathExists", Value::Path(path.as_str()));
        let no = || Data::Number(0);
        let condition = [Data::text("ConditionPathExists"), no(), no(), Data::text(path.as_str()), no()];
        case.want("Conditions", Data::Many(vec![Data::Many(condition.to_vec())]));
    }
}

/// Several paths, all good; their settings merge them over lines, so one line is enough.
fn paths(wild: &mut Wild, report: &mut Report, setting: &'static str) -> Vec<AbsPath> {
    (0..wild.below(4)).filter_map(|_| report.take(setting, &wild.path(), AbsPath::parse)).collect()
}

fn requires_mounts(wild: &mut Wild, report: &mut Report, case: &mut Case) {
    let paths = paths(wild, report, "RequiresMountsFor");
    if !paths.is_empty() {
        let texts: Vec<&str> = paths.iter().map(AbsPath::as_str).collect();
        case.unit.set("RequiresMountsFor", Value::Paths(&texts));
        case.paths.extend(paths.iter().map(ToString::to_string));
    }
    case.want("RequiresMountsFor", Data::texts(paths.iter().map(AbsPath::as_str)));
}

fn listed(wild: &mut Wild, report: &mut Report, case: &mut Case, setting: &'static str) {
    let prefix = *wild.pick(&["", "+", "-", "-+"]);
    let paths: Vec<String> = paths(wild, report, setting).iter().map(|path| format!("{prefix}{path}")).collect();
    let texts: Vec<&str> = paths.iter().map(String::as_str).collect();
    if !texts.is_empty() {
        case.unit.set(setting, Value::Paths(&texts));
        case.want(setting, Data::texts(texts));
    }
}

fn exec(wild: &mut Wild, report: &mut Report, case: &mut Case) {
    let program = loop {
        if let Some(program) = report.take("program", &wild.path(), Arg::program) {
            break program;
        }
    };
    let prefix = *wild.pick(&["", "+"]);
    let mut argv = vec![program];
    argv.extend((0..wild.below(6)).filter_map(|_| report.take("argument", &wild.text(), Arg::parse)));
    case.unit.set("ExecStart", Value::Exec { prefix, argv: &argv });
    // What is shown is before the `$` is looked at; what the program gets is `argv`'s to prove.
    let shown = argv.iter().enumerate().map(|(at, arg)| match at {
        0 => arg.as_str().to_owned(),
        _ => arg.as_str().replace('$', "$$"),
    });
    let mut command = vec![Data::text(argv[0].as_str()), Data::texts(shown), Data::Number(0)];
    command.extend(std::iter::repeat_n(Data::Number(0), 7));
    case.want("ExecStart", Data::Many(vec![Data::Many(command)]));
}

fn environment(wild: &mut Wild, report: &mut Report, case: &mut Case) {
    let mut shown = Vec::new();
    for at in 0..wild.below(4) {
        let name = format!("V_{at}");
        if let Some(var) = report.take("environment", &wild.text(), |text| EnvVar::parse(&name, text)) {
            case.unit.set("Environment", Value::Env(&var));
            shown.push(Data::Text(format!("{name}={}", var.value())));
        }
    }
    case.want("Environment", Data::Many(shown));
}

fn binds(wild: &mut Wild, report: &mut Report, case: &mut Case, setting: &'static str) {
    /// `MS_REC`: what `rbind`, the default, shows as.
    const RECURSIVE: u64 = 16384;
    let mut shown = Vec::new();
    for _ in 0..wild.below(3) {
        let both =
            (report.take(setting, &wild.path(), AbsPath::parse), report.take(setting, &wild.path(), AbsPath::parse));
        let (Some(source), Some(target)) = both else { continue };
        let prefix = *wild.pick(&["", "-"]);
        case.unit.set(setting, Value::Bind { prefix, source: &source, target: &target });
        case.paths.extend([source.to_string(), target.to_string()]);
        let missing = Data::Number(u64::from(prefix == "-"));
        let pair = [Data::text(source.as_str()), Data::text(target.as_str()), missing, Data::Number(RECURSIVE)];
        shown.push(Data::Many(pair.to_vec()));
    }
    case.want(setting, Data::Many(shown));
}

fn credentials(wild: &mut Wild, report: &mut Report, case: &mut Case) {
    let mut shown = BTreeSet::new();
    for at in 0..wild.below(3) {
        let wild_name = format!("{at}{}", wild.text());
        let name = report.take("credential", &wild_name, CredentialName::parse);
        let file = report.take("LoadCredential", &wild.path(), AbsPath::parse);
        let (Some(name), Some(file)) = (name, file) else { continue };
        case.unit.set("LoadCredential", Value::Credential { name: name.as_str(), file: &file });
        shown.insert(Data::texts([name.as_str(), file.as_str()]));
    }
    case.want("LoadCredential", Data::Many(shown.into_iter().collect()));
}

fn directives(wild: &mut Wild, report: &mut Report, case: &mut Case) {
    if let Some(directive) = report.take("directive", &wild.text(), |text| Directive::parse("SyslogIdentifier", text)) {
        case.unit.directive(&directive);
        case.want("SyslogIdentifier", Data::text(directive.value()));
    }
    let (text, bytes) = *wild.pick(&[("1G", 1 << 30), ("4096", 4096), ("64K", 65536), ("infinity", u64::MAX)]);
    if let Some(directive) = report.take("directive", text, |text| Directive::parse("MemoryMax", text)) {
        case.unit.directive(&directive);
        case.want("MemoryMax", Data::Number(bytes));
    }
}

fn mount(wild: &mut Wild, report: &mut Report, source: &AbsPath) -> Option<Case> {
    let place = report.take("Where", &format!("/wild{}", wild.path()), AbsPath::parse)?;
    let what = report.take("What", &wild.path(), AbsPath::parse)?;
    let name = report.take("mount_of", place.as_str(), |text| {
        let name = UnitName::mount_of(text).to_string();
        if name.len() > 255 { Err("a unit's name has at most 255 bytes".to_owned()) } else { Ok(name) }
    })?;
    let mut case = Case::new(name, source, "Mount");
    described(wild, report, &mut case);
    if case.wanted["Description"].as_text() == Some(&case.name) {
        // Without one, a mount goes by its place.
        case.want("Description", Data::text(place.as_str()));
    }
    case.unit.section("Mount");
    case.unit.set("What", Value::What(what.as_str()));
    // Like a command's: what is shown is before the `$` is looked at.
    case.want("What", Data::text(what.as_str().replace('$', "$$")));
    case.paths.insert(what.to_string());
    case.path("Where", &place);
    case.unit.set("Type", Value::Word("none"));
    let options: Vec<String> = (0..1 + wild.below(3))
        .filter_map(|_| report.take("Options", &wild.text(), Text::parse))
        .map(|text| text.as_str().to_owned())
        .collect();
    let options = if options.is_empty() { vec!["ro".to_owned()] } else { options };
    case.unit.set("Options", Value::Options(&options));
    case.want("Options", Data::text(options.join(",").replace('$', "$$")));
    Some(case)
}

fn socket(wild: &mut Wild, report: &mut Report, source: &AbsPath, number: usize) -> Case {
    let mut case = Case::new(format!("wild-{number}.socket"), source, "Socket");
    described(wild, report, &mut case);
    case.unit.section("Socket");
    let mut shown = Vec::new();
    for _ in 0..1 + wild.below(2) {
        // sun_path has 108 bytes; that, and what an address is, is `config`'s to know.
        let short =
            |text: &str| if text.len() > 100 { Err("a socket's path is short".into()) } else { Text::parse(text) };
        let path = AbsPath::parse(&wild.path()).map_or_else(|_| "/run/wild".into(), |path| path.to_string());
        if let Some(text) = report.take("ListenStream", &path, short) {
            case.unit.set("ListenStream", Value::Text(&text));
            case.paths.insert(text.as_str().to_owned());
            shown.push(Data::texts(["Stream", &c_escaped(text.as_str())]));
        }
    }
    if shown.is_empty() {
        case.unit.set("ListenStream", Value::Word("8080"));
        shown.push(Data::texts(["Stream", "[::]:8080"]));
    }
    case.unit.set("Service", Value::Word("wild-plain.service"));
    case.want("Listen", Data::Many(shown));
    case
}

/// systemd shows a socket's path as C would write it (`xescape`), in bytes.
fn c_escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'\\' | b'"' | b'\'' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out
}

fn timer(wild: &mut Wild, report: &mut Report, source: &AbsPath, number: usize) -> Case {
    let mut case = Case::new(format!("wild-{number}.timer"), source, "Timer");
    described(wild, report, &mut case);
    case.unit.section("Timer");
    let (text, normal) = *wild.pick(&[
        ("daily", "*-*-* 00:00:00"),
        ("Mon..Fri 22:30", "Mon..Fri *-*-* 22:30:00"),
        ("*:0/15", "*-*-* *:00/15:00"),
        ("2030-01-01 00:00:00 UTC", "2030-01-01 00:00:00 UTC"),
    ]);
    if let Some(time) = report.take("OnCalendar", text, Text::parse) {
        case.unit.set("OnCalendar", Value::Text(&time));
    }
    case.unit.set("Unit", Value::Word("wild-plain.service"));
    case.want("TimersCalendar", Data::texts([normal]));
    case
}

/// All properties of a case's unit against what was meant and against the plain unit's.
fn compare(bus: &mut Bus, report: &mut Report, case: &Case, plain: &mut Plain) -> std::io::Result<()> {
    for interface in ["Unit", case.interface] {
        let read = match bus.properties(&case.name, interface) {
            Ok(read) => read,
            Err(error) => {
                report.wrong("GetAll", &format!("{} ({} bytes): {error}", case.name, case.name.len()), "");
                continue;
            }
        };
        let plain = match plain.entry((case.interface, interface)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(bus.properties(plain_of(case.interface), interface)?),
        };
        for (property, got) in &read {
            report.checked();
            if let Some(why) = differs(case, property, got, plain.get(property)) {
                report.wrong(property, &format!("{}: {why}", case.name), case.unit.as_str());
            }
        }
    }
    Ok(())
}

/// Why a property is not as it should be.
fn differs(case: &Case, property: &str, got: &Data, plain: Option<&Data>) -> Option<String> {
    let wanted = case.wanted.get(property);
    let good = match property {
        "RequiresMountsFor" => mounts_are_as_meant(case, got),
        "ExecStart" => command(got) == wanted.and_then(command),
        "LoadCredential" => sorted(got) == wanted.map_or_else(Vec::new, sorted),
        "TimersCalendar" => calendar(got) == wanted.map_or_else(Vec::new, |wanted| wanted.items().iter().collect()),
        _ if OWN.contains(&property) || property.contains("Timestamp") || property.contains("USecRealtime") => true,
        _ if IMPLIED.contains(&property) => {
            wanted.is_some_and(|wanted| wanted == got) || only_mounts_on_top(got, plain)
        }
        _ => Some(got) == wanted.or(plain),
    };
    (!good).then(|| format!("{got:?} is not {:?}", wanted.or(plain)))
}

/// Path and arguments; the rest of the tuple is about processes.
fn command(data: &Data) -> Option<(&Data, &Data)> {
    match data.items() {
        [one] => one.items().first().zip(one.items().get(1)),
        _ => None,
    }
}

fn sorted(data: &Data) -> Vec<&Data> {
    let mut all: Vec<&Data> = data.items().iter().collect();
    all.sort();
    all
}

fn calendar(data: &Data) -> Vec<&Data> {
    data.items().iter().filter_map(|timer| timer.items().get(1)).collect()
}

fn mounts_are_as_meant(case: &Case, got: &Data) -> bool {
    let read: BTreeSet<&str> = got.items().iter().filter_map(Data::as_text).collect();
    let wanted = case.wanted.get("RequiresMountsFor").map(Data::items).unwrap_or_default();
    let implied = ["/var/tmp", "/tmp", "/wild", "/run", "/"];
    wanted.iter().filter_map(Data::as_text).all(|path| read.contains(path))
        && read.iter().all(|path| {
            implied.contains(path) || case.paths.contains(*path) || case.paths.iter().any(|ours| ours.starts_with(path))
        })
}

fn only_mounts_on_top(got: &Data, plain: Option<&Data>) -> bool {
    let plain = plain.map(Data::items).unwrap_or_default();
    got.items().iter().all(|item| plain.contains(item) || item.as_text().is_some_and(implied_name))
}

fn implied_name(name: &str) -> bool {
    name.ends_with(".mount")
        || name.ends_with(".socket")
        || [
            "tmp.mount",
            "umount.target",
            "local-fs.target",
            "local-fs-pre.target",
            "-.mount",
            "systemd-tmpfiles-setup.service",
            "system.slice",
            "sysinit.target",
            "wild-plain.service",
            "blockdev@dev-null.target",
        ]
        .contains(&name)
        || name.ends_with(".device")
        || name.starts_with("blockdev@")
        || name.starts_with("/")
}

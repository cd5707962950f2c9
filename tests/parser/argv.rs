//! What a started program really gets: its arguments and its environment, byte for byte.
//! The program is this one, called as `dump`; what systemd says it would run is `settings`' to compare.
//! It is the only proof of `$`, which systemd looks at when it starts a program and not before.

use crate::bus::Bus;
use crate::report::Report;
use crate::settings::UNITS;
use crate::wild::Wild;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::time::{Duration, Instant};
use veneer::path::AbsPath;
use veneer::unit::{Arg, EnvVar, Unit, Value};

/// Units that are started together.
const BATCH: usize = 50;
/// How long one batch may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where the programs write what they got.
const OUT: &str = "/run/veneer-parser";
/// Variables that systemd sets by itself (systemd.exec(5), "Environment Variables Set or Propagated").
const SYSTEMDS: [&str; 11] = [
    "PATH",
    "LANG",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "USER",
    "LOGNAME",
    "HOME",
    "SHELL",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
];

/// What a program is to get.
struct Case {
    name: String,
    argv: Vec<String>,
    environ: BTreeSet<String>,
}

/// The other side: writes command line and environment to the file named first, whole or not at all.
pub(crate) fn dump(file: &str) -> Result<()> {
    let mut got = fs::read("/proc/self/cmdline")?;
    got.extend(b"\0\0");
    got.extend(fs::read("/proc/self/environ")?);
    fs::write(format!("{file}.new"), got)?;
    fs::rename(format!("{file}.new"), file)
}

/// Starts `count` programs and compares what they got.
pub(crate) fn prove(bus: &mut Bus, report: &mut Report, wild: &mut Wild, count: usize) -> Result<()> {
    fs::create_dir_all(OUT)?;
    let program = std::env::current_exe()?;
    let program = Arg::program(&program.to_string_lossy()).map_err(Error::other)?;
    let mut done = 0;
    while done < count {
        let batch: Vec<Case> =
            (0..BATCH.min(count - done)).map(|at| case(report, wild, &program, done + at)).collect::<Result<_>>()?;
        done += batch.len();
        bus.reload()?;
        for case in &batch {
            bus.start(&case.name)?;
        }
        for case in &batch {
            compare(report, case, &await_file(Path::new(&format!("{OUT}/{}", case.name)))?);
        }
        for case in &batch {
            fs::remove_file(format!("{UNITS}/{}", case.name))?;
        }
    }
    fs::remove_dir_all(OUT)
}

fn case(report: &mut Report, wild: &mut Wild, program: &Arg, number: usize) -> Result<Case> {
    let name = format!("wild-argv-{number}.service");
    let source = AbsPath::parse("/etc/veneer/apps.d/x.toml").map_err(Error::other)?;
    let mut unit = Unit::from_source(&source);
    unit.section("Service");
    unit.set("Type", Value::Word("oneshot"));
    let mut argv = vec![program.clone()];
    for word in ["dump", &format!("{OUT}/{name}")] {
        argv.push(Arg::parse(word).map_err(Error::other)?);
    }
    argv.extend((0..wild.below(12)).filter_map(|_| report.take("argument", &wild.text(), Arg::parse)));
    unit.set("ExecStart", Value::Exec { prefix: "", argv: &argv });
    let mut environ = BTreeSet::new();
    for at in 0..wild.below(6) {
        let variable = format!("V_{at}");
        if let Some(var) = report.take("environment", &wild.text(), |text| EnvVar::parse(&variable, text)) {
            unit.set("Environment", Value::Env(&var));
            environ.insert(format!("{variable}={}", var.value()));
        }
    }
    fs::write(format!("{UNITS}/{name}"), unit.as_str())?;
    Ok(Case { name, argv: argv.iter().map(|arg| arg.as_str().to_owned()).collect(), environ })
}

fn await_file(path: &Path) -> Result<Vec<u8>> {
    let end = Instant::now() + PATIENCE;
    loop {
        match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(Error::other(format!("{}: {error}", path.display()))),
            Ok(got) => return Ok(got),
        }
    }
}

fn compare(report: &mut Report, case: &Case, got: &[u8]) {
    let text = String::from_utf8_lossy(got);
    // An empty last argument is a NUL of its own, so the split is from behind: no environment is empty.
    let Some((argv, environ)) = text.rsplit_once("\0\0\0").or_else(|| text.rsplit_once("\0\0")) else {
        return report.wrong("cmdline", &case.name, "");
    };
    let argv: Vec<&str> = argv.split('\0').collect();
    report.checked();
    if argv != case.argv {
        report.wrong("cmdline", &format!("{}: {argv:?} is not {:?}", case.name, case.argv), "");
    }
    let own = |variable: &&str| !SYSTEMDS.iter().any(|name| variable.split('=').next() == Some(*name));
    let environ: BTreeSet<&str> = environ.split('\0').filter(|variable| !variable.is_empty()).filter(own).collect();
    report.checked();
    if !environ.iter().copied().eq(case.environ.iter().map(String::as_str)) {
        report.wrong("environ", &format!("{}: {environ:?} is not {:?}", case.name, case.environ), "");
    }
}

//! How long the configuration of many apps takes: reading the directory, parsing and checking, per app.
//! No framework: best and median of some rounds are enough to see a change; `perf record` takes the same program.
//! Run with `cargo bench --bench config -- [APPS]`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use veneer::config::{ConfigText, Host, load_app};
use veneer::host::config_files;

const ROUNDS: usize = 41;

/// A file with the full chain, as large as an app's file usually is.
fn app(number: usize) -> String {
    format!(
        r#"# An app of the benchmark.
[app]
description = "App number {number}"
autostart = true

[image]
file = "/var/lib/veneer/images/app{number}.raw"
root-hash = "{number:064x}"
require = "pinned"

[overlay]
mode = "volatile"
size = "64M"
writable = ["/var/cache/app"]

[service]
type = "exec"
exec = ["/usr/bin/app", "--port", "8080", "--name=app{number}"]
environment = {{ PORT = "8080", MODE = "fast" }}
profile = "strict"
state = true
bind = [{{ source = "/srv/data{number}", target = "/data", read-only = true }}]

[service.directives]
MemoryMax = "1G"
"#
    )
}

fn main() {
    let apps = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1000);
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    write_apps(root.path(), apps);
    let text = config_files::read(root.path());
    assert_eq!(text.apps.len(), apps);
    let bytes: usize = text.apps.iter().map(|app| app.file.text().len()).sum();
    println!("{apps} apps, {} bytes each", bytes / apps);
    let read = time("read", apps, || black_box(config_files::read(root.path())).apps.len());
    let load = time("load", apps, || load_all(&text));
    println!("both  {:>8.2} us of CPU per app", (read + load).as_secs_f64() * 1e6 / apps as f64);
}

fn write_apps(root: &Path, apps: usize) {
    let dir = root.join("etc/veneer/apps.d");
    std::fs::create_dir_all(&dir).unwrap();
    for number in 0..apps {
        std::fs::write(dir.join(format!("app{number}.toml")), app(number)).unwrap();
    }
}

fn load_all(text: &ConfigText) -> usize {
    let (host, _) = Host::load(text);
    text.apps.iter().filter(|app| black_box(load_app(app, &host)).is_ok()).count()
}

/// Time on a processor: a busy machine must not look like a slow parser.
fn on_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

fn time(what: &str, apps: usize, run: impl Fn() -> usize) -> Duration {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = on_cpu();
            assert_eq!(run(), apps);
            on_cpu() - start
        })
        .collect();
    rounds.sort();
    let us = |time: Duration| time.as_secs_f64() * 1e6 / apps as f64;
    println!("{what:5} {:>8.2} us of CPU per app (best {:.2})", us(rounds[ROUNDS / 2]), us(rounds[0]));
    rounds[ROUNDS / 2]
}

//! The generator beside its bars: a loop that only writes the same bytes to the same files, systemd's own
//! fstab-generator with as many mounts, Quadlet with as many containers. All in one run, in turns, on one tmpfs.
//! Run by `tools/bench`, which makes the root with the other generators; the bars are in docs/testing.md.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{chroot, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Apps, and rounds for so many.
const SIZES: [(usize, usize); 4] = [(1, 41), (100, 31), (1000, 15), (10_000, 3)];

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match &words.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
        ["bare", packed, out] => bare(Path::new(packed), Path::new(out)),
        ["run", root, generator, ..] => run(Path::new(root), Path::new(generator)),
        _ => println!("this one is run by tools/bench"),
    }
}

/// The loop without a generator: directories, files and links from one packed file.
fn bare(packed: &Path, out: &Path) {
    let packed = fs::read(packed).unwrap();
    let mut rest = packed.as_slice();
    while let [kind, tail @ ..] = rest {
        let (path, tail) = field(tail);
        let (content, tail) = field(tail);
        let path = out.join(std::str::from_utf8(path).unwrap());
        match kind {
            b'd' => fs::create_dir(path).unwrap(),
            b'l' => symlink(std::str::from_utf8(content).unwrap(), path).unwrap(),
            _ => fs::write(path, content).unwrap(),
        }
        rest = tail;
    }
}

fn field(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
    rest.split_at(u32::from_le_bytes(*length) as usize)
}

/// One contestant: its name, and how it is called.
struct Contestant {
    name: &'static str,
    command: Command,
    times: Vec<Duration>,
}

/// All run in the others' root, which this one enters first: a chroot(8) before each would be timed with it.
fn run(root: &Path, generator: &Path) {
    fs::copy(generator, root.join("bench/veneer-generator")).unwrap();
    fs::copy(std::env::current_exe().unwrap(), root.join("bench/bare")).unwrap();
    chroot(root).unwrap();
    std::env::set_current_dir("/").unwrap();
    let root = Path::new("/");
    println!(
        "{:>6} {:<16} {:>10} {:>10} {:>8}  {:>9}",
        "apps", "program", "median ms", "best ms", "us/app", "ours is x"
    );
    for (apps, rounds) in SIZES {
        inputs(root, apps);
        let mut all = contestants();
        pack(root, &mut all[0]);
        for _ in 0..rounds {
            for contestant in &mut all {
                let time = once(root, &mut contestant.command);
                contestant.times.push(time);
            }
        }
        table(apps, &mut all);
    }
}

fn contestants() -> Vec<Contestant> {
    let new = |name, words: &[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear().stdout(Stdio::null()).stderr(Stdio::null());
        Contestant { name, command, times: Vec::new() }
    };
    let fstab = "/usr/lib/systemd/system-generators/systemd-fstab-generator";
    let mut all = vec![
        new("veneer", &["/bench/veneer-generator", "--root=/bench/root", "/bench/out"]),
        new("bare loop", &["/bench/bare", "bare", "/bench/packed", "/bench/out"]),
        new("fstab", &[fstab, "/bench/out", "/bench/out", "/bench/out"]),
        new("fstab with fsck", &[fstab, "/bench/out", "/bench/out", "/bench/out"]),
        new("quadlet", &["/usr/libexec/podman/quadlet", "/bench/out"]),
    ];
    all[2].command.env("SYSTEMD_FSTAB", "/bench/fstab");
    all[3].command.env("SYSTEMD_FSTAB", "/bench/fstab-fsck");
    for fstab in &mut all[2..4] {
        fstab.command.env("SYSTEMD_PROC_CMDLINE", "quiet").env("SYSTEMD_IN_INITRD", "0");
    }
    all[4].command.env("QUADLET_UNIT_DIRS", "/bench/quadlets");
    all
}

fn once(root: &Path, command: &mut Command) -> Duration {
    let out = root.join("bench/out");
    let _ = fs::remove_dir_all(&out);
    fs::create_dir(&out).unwrap();
    let begin = Instant::now();
    let status = command.status().unwrap();
    let time = begin.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    assert!(fs::read_dir(&out).unwrap().next().is_some(), "{command:?} wrote nothing");
    time
}

fn table(apps: usize, all: &mut [Contestant]) {
    for contestant in all.iter_mut() {
        contestant.times.sort();
    }
    let median = |contestant: &Contestant| contestant.times[contestant.times.len() / 2].as_secs_f64() * 1e3;
    let ours = median(&all[0]);
    for contestant in all.iter() {
        let (middle, best) = (median(contestant), contestant.times[0].as_secs_f64() * 1e3);
        let each = middle * 1e3 / apps as f64;
        println!("{apps:>6} {:<16} {middle:>10.2} {best:>10.2} {each:>8.2}  {:>9.2}", contestant.name, ours / middle);
    }
}

/// The same number of apps, mounts and containers.
fn inputs(root: &Path, apps: usize) {
    let bench = root.join("bench");
    let (ours, quadlets) = (bench.join("root/etc/veneer/apps.d"), bench.join("quadlets"));
    for dir in [&ours, &quadlets] {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir).unwrap();
    }
    let (mut fstab, mut fsck) = (String::new(), String::new());
    for number in 0..apps {
        fs::write(ours.join(format!("app{number}.toml")), app(number)).unwrap();
        fs::write(quadlets.join(format!("app{number}.container")), container(number)).unwrap();
        for (text, pass) in [(&mut fstab, 0), (&mut fsck, 2)] {
            writeln!(text, "/dev/disk/by-label/a{number} /srv/apps/a{number} erofs ro,nodev 0 {pass}").unwrap();
        }
    }
    fs::write(bench.join("app.toml"), app(0)).unwrap();
    fs::write(bench.join("fstab"), fstab).unwrap();
    fs::write(bench.join("fstab-fsck"), fsck).unwrap();
}

/// The full chain: verity, image, volatile overlay, service.
fn app(number: usize) -> String {
    format!(
        r#"[app]
description = "App number {number}"
autostart = true

[image]
file = "/var/lib/veneer/images/app{number}.raw"

[overlay]
mode = "volatile"
size = "64M"

[service]
exec = ["/usr/bin/app", "--port", "8080", "--name=app{number}"]
environment = {{ PORT = "8080" }}
"#
    )
}

/// What says the same to Quadlet.
fn container(number: usize) -> String {
    format!(
        r#"[Unit]
Description=App number {number}

[Container]
Image=registry.invalid/app{number}:latest
Exec=/usr/bin/app --port 8080 --name=app{number}
Environment=PORT=8080
ReadOnly=true
Tmpfs=/var/cache:size=64M

[Install]
WantedBy=multi-user.target
"#
    )
}

/// Runs ours once, and packs what it wrote for the bare loop.
fn pack(root: &Path, ours: &mut Contestant) {
    once(root, &mut ours.command);
    let mut packed = Vec::new();
    let out = root.join("bench/out");
    let mut paths = vec![PathBuf::new()];
    while let Some(below) = paths.pop() {
        let mut entries: Vec<_> = fs::read_dir(out.join(&below)).unwrap().map(|entry| entry.unwrap()).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = below.join(entry.file_name());
            let kind = entry.file_type().unwrap();
            let (tag, content) = if kind.is_dir() {
                (b'd', Vec::new())
            } else if kind.is_symlink() {
                (b'l', fs::read_link(entry.path()).unwrap().to_str().unwrap().as_bytes().to_vec())
            } else {
                (b'f', fs::read(entry.path()).unwrap())
            };
            packed.push(tag);
            for bytes in [path.to_str().unwrap().as_bytes(), &content] {
                packed.extend((bytes.len() as u32).to_le_bytes());
                packed.extend(bytes);
            }
            if kind.is_dir() {
                paths.push(path);
            }
        }
    }
    fs::write(root.join("bench/packed"), packed).unwrap();
}

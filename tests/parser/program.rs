//! Proves the unit writer with the systemd that runs: `parser [--seed N] [--units N] [--part NAME]`, as root.
//! It writes units to /run, so it is for a machine made for tests: `tools/parser`, or the scenario `parser`.
//! What is proved, part by part, is in docs/testing.md.

// A test, though not one that cargo runs: a panic is a failure.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod argv;
mod bus;
mod layers;
mod names;
mod report;
mod settings;
mod wild;

use bus::Bus;
use report::Report;
use wild::Wild;

struct Options {
    seed: u64,
    units: usize,
    part: String,
}

fn options() -> Options {
    let mut options = Options { seed: 1, units: 1000, part: String::new() };
    let mut words = std::env::args().skip(1);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name.as_str() {
            "--seed" => options.seed = value.parse().expect("a number"),
            "--units" => options.units = value.parse().expect("a number"),
            "--part" => options.part = value,
            _ => panic!("{name}?"),
        }
    }
    options
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let [_, "dump", file, ..] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return argv::dump(file).expect("a place to write to");
    }
    let options = options();
    let mut bus = Bus::open().expect("systemd's own socket");
    let mut report = Report::default();
    let mut wild = Wild::new(options.seed);
    let wanted = |part: &str| options.part.is_empty() || options.part == part;
    if wanted("settings") {
        settings::prove(&mut bus, &mut report, &mut wild, options.units).expect("settings");
        report.part("settings", options.units);
    }
    if wanted("names") {
        names::prove(&mut bus, &mut report, &mut wild, options.units).expect("names");
        report.part("names", options.units);
    }
    // These start something for each, and so are fewer.
    let fewer = options.units.div_ceil(5);
    if wanted("argv") {
        argv::prove(&mut bus, &mut report, &mut wild, fewer).expect("argv");
        report.part("argv", fewer);
    }
    if wanted("layers") {
        layers::prove(&mut bus, &mut report, &mut wild, fewer).expect("layers");
        report.part("layers", fewer);
    }
    if report.faults() > 0 {
        println!("{} wrong, seed {}", report.faults(), options.seed);
        std::process::exit(1);
    }
    println!("all as meant");
}

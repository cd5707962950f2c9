//! The man pages against the command line: every verb and every option that `--help` has is in the page that is its place.
//! How pages look is tests/man.sh's; what verbs do is not looked at here.
//! Completions are made from the same command line, and hold the verbs that hand on what they are given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clap::{Command, CommandFactory as _};
use std::fs;

/// A page as text: no fonts, no escapes, no macros but those that begin a block.
fn page(name: &str) -> String {
    let text = fs::read_to_string(format!("{}/man/{name}", env!("CARGO_MANIFEST_DIR"))).expect(name);
    let text = text.replace("\\-", "-").replace("\\ ", " ").replace("\\e", "");
    let text = ["\\fI", "\\fR", "\\fB", "\\fP", "\""].iter().fold(text, |text, escape| text.replace(escape, ""));
    let plain = |line: &str| match line.split_once(' ') {
        Some((mac, rest)) if mac.starts_with('.') && !mac.starts_with(".S") => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(plain).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// The blocks of a page: from one `.TP` or heading to the next.
fn blocks(page: &str) -> Vec<Vec<&str>> {
    let mut blocks = vec![Vec::new()];
    for line in page.lines() {
        if line == ".TP" || line.starts_with(".S") {
            blocks.push(Vec::new());
        }
        blocks.last_mut().expect("one").push(line);
    }
    blocks
}

/// The blocks that a verb begins, or is named in beside another (`.TQ`).
fn of_verb(page: &str, verb: &str) -> Vec<String> {
    let begins = |line: &&str| line.strip_prefix(verb).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let blocks = blocks(page).into_iter().filter(|block| {
        let mut heads = block.iter().enumerate().filter(|(at, _)| *at == 1 || block[at.saturating_sub(1)] == ".TQ");
        heads.any(|(_, line)| begins(line))
    });
    blocks.map(|block| block.join("\n")).collect()
}

fn has_option(text: &str, option: &str) -> bool {
    let option = format!("--{option}");
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
    text.match_indices(&option).any(|(at, _)| ends(&text[at + option.len()..]))
}

fn options(command: &Command) -> Vec<&str> {
    let known = command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_global_set());
    known.filter_map(clap::Arg::get_long).filter(|long| !matches!(*long, "help" | "version")).collect()
}

fn leaves<'a>(command: &'a Command, above: &str, found: &mut Vec<(String, &'a Command)>) {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("{above} {}", verb.get_name()).trim().to_owned();
        match verb.has_subcommands() {
            true => leaves(verb, &name, found),
            false => found.push((name, verb)),
        }
    }
}

/// Where the options of a group of verbs are, if not with the verb itself.
fn elsewhere(verb: &str) -> &'static [&'static str] {
    match verb.split_once(' ') {
        Some(("overlay", "run")) => &["veneer-overlay-run.1"],
        Some(("overlay", _)) => &["veneer-overlay.8", "veneer-overlay-request.socket.8"],
        Some(("session", _)) => &["veneer-clone@.service.8"],
        _ => &[],
    }
}

#[test]
fn every_verb_and_option_is_in_its_man_page() {
    let command = veneer::cli::args::Cli::command();
    let main = page("veneer.1");
    let general = main.split_once(".SH OPTIONS").map_or("", |(_, rest)| rest).to_owned();
    let general = general.split_once("\n.SH ").map_or(general.as_str(), |(section, _)| section).to_owned();
    let mut verbs = Vec::new();
    leaves(&command, "", &mut verbs);
    assert!(verbs.len() > 40, "{}", verbs.len());
    let mut missing = Vec::new();
    for (verb, command) in verbs {
        let mut text = of_verb(&main, &verb);
        if text.is_empty() {
            missing.push(format!("veneer(1) has no verb {verb}"));
        }
        text.push(general.clone());
        text.extend(elsewhere(&verb).iter().map(|name| page(name)));
        let text = text.join("\n");
        let lost = options(command).into_iter().filter(|option| !has_option(&text, option));
        missing.extend(lost.map(|option| format!("nothing says what --{option} of {verb} does")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_option_of_a_helper_is_in_its_man_page() {
    let helpers = [
        (veneer::convert::Arguments::command(), "veneer-convert@.service.8"),
        (veneer::inject::Arguments::command(), "veneer-inject@.service.8"),
        (veneer::pull::Arguments::command(), "veneer-pull@.service.8"),
        (veneer::store::spec::Arguments::command(), "veneer-prune.service.8"),
    ];
    let mut missing = Vec::new();
    for (command, name) in helpers {
        let text = page(name);
        let lost = options(&command).into_iter().filter(|option| !has_option(&text, option));
        missing.extend(lost.map(|option| format!("{name} does not say what --{option} does")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn completions_have_every_verb_and_option_of_images() {
    let said = std::process::Command::new(env!("CARGO_BIN_EXE_veneer")).args(["completions", "fish"]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let of = |verb: &str| {
        said.lines().filter(|line| line.contains(&format!("from {verb}\""))).collect::<Vec<_>>().join("\n")
    };
    for (verb, option) in [
        ("push", "auth-file"),
        ("export", "dry-run"),
        ("import", "id"),
        ("convert", "max-size"),
        ("inject", "output"),
        ("prune", "policy"),
    ] {
        assert!(of(verb).contains(&format!("-l {option}")), "{verb} --{option}: {}", of(verb));
    }
}

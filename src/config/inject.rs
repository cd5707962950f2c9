//! Reads a manifest of `veneer-inject`: an agent, files, links and directories.
//! Whether a source is there, and what a target is in the image, shows when the image is made.
//! The keys are those of docs/inject.md, `[inject]` of an app's file among them.

use super::image::foreign_path;
use super::keys::{APP, INJECT, Section};
use super::node::{At, Kind, parse};
use super::read::{Field, Fields};
use super::report::Report;
use super::text::File;
use crate::app::{Image, ImageFile, ImagePlace};
use crate::image::limits::check_link;
use crate::image::tree::{Meta, Mode};
use crate::inject::{AGENT, Given, Injection, Purpose, What};
use crate::layer::path::LayerPath;
use crate::path::AbsPath;
use crate::problem::Problem;
use std::path::PathBuf;

/// What a file has that says nothing else.
const FILE_MODE: Mode = Mode(0o644);
const DIRECTORY_MODE: Mode = Mode(0o755);
/// What links have (symlink(7)).
const LINK_MODE: Mode = Mode(0o777);

type Typed = Injection<PathBuf>;

/// Reads a manifest; the error is everything that is wrong with it.
pub fn load_injections(file: &File) -> Result<Vec<Typed>, Vec<Problem>> {
    let table = parse(file).map_err(|problem| vec![problem])?;
    let mut report = Report::default();
    let section = Fields::top(INJECT, &table, &mut report).section(INJECT, "inject", &mut report);
    let list = read(section, &mut report);
    if list.is_empty() && !report.has_errors() && !section.is_broken() {
        let text = "there is nothing to put in: write `agent = \"/PATH\"` in [inject], or [[inject.file]]";
        report.missing(section.at, file, section.key(""), text);
    }
    if report.has_errors() { Err(report.into_problems()) } else { Ok(list) }
}

fn read(section: Fields<'_, '_>, report: &mut Report) -> Vec<Typed> {
    let list = listed(section, INJECT, report);
    once_each(list, report).into_iter().map(|(_, injection)| injection).collect()
}

/// Everything, directories before what may lie in them.
fn listed<'a>(section: Fields<'_, 'a>, sections: &'static [Section], report: &mut Report) -> Vec<(At<'a>, Typed)> {
    let mut list = agent(section, report);
    let kinds: [Listed; 3] =
        [("directory", "inject.directory", directory), ("file", "inject.file", in_file), ("link", "inject.link", link)];
    for kind in kinds {
        list.extend(each(section, sections, kind, report));
    }
    list
}

fn agent<'a>(section: Fields<'_, 'a>, report: &mut Report) -> Vec<(At<'a>, Typed)> {
    let Some(field) = section.get("agent") else { return Vec::new() };
    let source = field.parse(report, |text| Ok(PathBuf::from(foreign_path(text)?.as_str())));
    let agent = source.and_then(|source| Injection::agent(source).ok());
    agent.map(|agent| (field.at, agent)).into_iter().collect()
}

/// A key, the name of its tables, and who reads one of them.
type Listed = (&'static str, &'static str, fn(Fields<'_, '_>, &mut Report) -> Option<Typed>);

fn each<'a>(
    section: Fields<'_, 'a>,
    sections: &'static [Section],
    (key, name, one): Listed,
    report: &mut Report,
) -> Vec<(At<'a>, Typed)> {
    let Some(field) = section.get(key) else { return Vec::new() };
    let wanted = format!("tables: write [[{name}]]");
    let mut list = Vec::new();
    for node in field.items(report, &wanted) {
        let item = Fields::from_field(sections, name, field.item(node), report);
        if item.is_table() {
            list.extend(one(item, report).map(|injection| (node.at, injection)));
        }
    }
    list
}

/// `[inject]` of an app's file: it goes into an image that is made for the app, and into no other.
pub(super) fn of_app(section: Fields<'_, '_>, image: Option<&Image>, report: &mut Report) -> Vec<Injection<AbsPath>> {
    let made = matches!(image, None | Some(Image::File(ImageFile { place: ImagePlace::Made(_), .. })));
    if let (Some(at), false) = (section.at, made) {
        let text = "goes with `oci` and `build` in [image]: put files into an image that is there with \
                    `veneer image inject`, or bind them with service.bind";
        report.error(at, section.key(""), text);
        return Vec::new();
    }
    let list = listed(section, APP, report);
    once_each(list, report).into_iter().filter_map(|(at, injection)| converted(at, injection, report)).collect()
}

/// As the converter's command line has it.
fn converted(at: At<'_>, injection: Typed, report: &mut Report) -> Option<Injection<AbsPath>> {
    let path = |path: PathBuf| AbsPath::parse(path.to_str().unwrap_or_default());
    let typed = injection.try_map(path).and_then(|typed| typed.check_word().map(|()| typed));
    typed.map_err(|said| report.error(at, super::report::Key::of("inject", ""), said)).ok()
}

/// Each target once.
fn once_each<'a>(list: Vec<(At<'a>, Typed)>, report: &mut Report) -> Vec<(At<'a>, Typed)> {
    let mut kept: Vec<(At<'_>, Typed)> = Vec::with_capacity(list.len());
    for (at, injection) in list {
        match kept.iter().find(|(_, other)| other.target == injection.target) {
            Some((other, _)) => {
                let text = format!("{} is there twice, first at {}", injection.target.shown(), other.seen_from(at));
                report.error(at, super::report::Key::of("inject", ""), text);
            }
            None => kept.push((at, injection)),
        }
    }
    kept
}

fn in_file(item: Fields<'_, '_>, report: &mut Report) -> Option<Typed> {
    let source = wanted(item, "source", report).and_then(|field| field.parse(report, foreign_path));
    let (target, (meta, _)) = (target(item, report), meta(item, FILE_MODE, report));
    let what = What::File(PathBuf::from(source?.as_str()));
    Some(Injection { target: target?, what, meta, purpose: Purpose::Other })
}

fn directory(item: Fields<'_, '_>, report: &mut Report) -> Option<Typed> {
    let (target, (meta, given)) = (target(item, report), meta(item, DIRECTORY_MODE, report));
    Some(Injection { target: target?, what: What::Directory(given), meta, purpose: Purpose::Other })
}

fn link(item: Fields<'_, '_>, report: &mut Report) -> Option<Typed> {
    let to = wanted(item, "to", report).and_then(|field| {
        field.parse(report, |text| {
            check_link(text.as_bytes()).map(|()| text.as_bytes().into()).map_err(|e| e.to_string())
        })
    });
    let meta = Meta { mode: LINK_MODE, ..Meta::default() };
    Some(Injection { target: target(item, report)?, what: What::Link(to?), meta, purpose: Purpose::Other })
}

/// A key that must be there.
fn wanted<'n, 'a>(item: Fields<'n, 'a>, key: &'static str, report: &mut Report) -> Option<Field<'n, 'a>> {
    let field = item.get(key);
    if let (None, Some(at)) = (field, item.at) {
        report.error(at, item.key(key), format!("`{key}` is missing: write {key} = \"/PATH\""));
    }
    field
}

fn target(item: Fields<'_, '_>, report: &mut Report) -> Option<LayerPath> {
    let path = |text: &str| {
        if !text.starts_with('/') {
            return Err(format!("{text:?} is not an absolute path: write {:?}", format!("/{text}")));
        }
        let path = LayerPath::parse(text.as_bytes()).map_err(|error| format!("{text:?} is no path: {error}"))?;
        match path.as_bytes() {
            b"" => Err("the root is there already".into()),
            AGENT => Err("the agent goes there: write `agent = \"/PATH\"` in [inject]".into()),
            _ => Ok(path),
        }
    };
    wanted(item, "target", report).and_then(|field| field.parse(report, path))
}

/// Permissions and owner, and whether anything was said of them.
fn meta(item: Fields<'_, '_>, usual: Mode, report: &mut Report) -> (Meta, Given) {
    let fields = ["mode", "uid", "gid"].map(|key| item.get(key));
    let [mode, uid, gid] = fields;
    let mut id = |field: Option<Field<'_, '_>>| field.and_then(|field| number(field, report)).unwrap_or_default();
    let (uid, gid) = (id(uid), id(gid));
    let mode = mode.and_then(|field| permissions(field, report)).unwrap_or(usual);
    let given = if fields.iter().any(Option::is_some) { Given::Said } else { Given::Nothing };
    (Meta { mode, uid, gid, ..Meta::default() }, given)
}

fn permissions(field: Field<'_, '_>, report: &mut Report) -> Option<Mode> {
    if let Kind::Integer(_) = field.kind {
        field.error(report, "wants text, not an integer: write \"0755\", in octal and in quotes");
        return None;
    }
    field.parse(report, |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let mode = u16::from_str_radix(text, 8).ok().filter(|mode| digits && *mode <= 0o7777);
        mode.map(Mode).ok_or_else(|| format!("{text:?} is no mode: write \"0755\", in octal"))
    })
}

fn number(field: Field<'_, '_>, report: &mut Report) -> Option<u32> {
    let Kind::Integer(text) = field.kind else {
        field.wrong(report, "an integer");
        return None;
    };
    // -1 is "no change" to chown(2), and nobody's number.
    let number = text.parse().ok().filter(|number| *number != u32::MAX);
    if number.is_none() {
        field.error(report, format!("{text} is nobody's number: 0 to {} are possible", u32::MAX - 1));
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Result<Vec<Typed>, String> {
        let lines = |problems: Vec<Problem>| problems.iter().map(|problem| format!("{problem}\n")).collect();
        load_injections(&File::new("/m.toml", text)).map_err(lines)
    }

    #[test]
    fn everything_that_can_be_said_is_read() {
        let text = r#"
            [inject]
            agent = "/usr/lib/vm-agent"
            [[inject.file]]
            source = "/srv/a"
            target = "/etc/a"
            mode = "4600"
            uid = 7
            gid = 8
            [[inject.file]]
            source = "/srv/b"
            target = "/etc//b"
            [[inject.link]]
            target = "/etc/c"
            to = "../b"
            [[inject.directory]]
            target = "/srv/d"
            [[inject.directory]]
            target = "/srv/e"
            mode = "1777"
        "#;
        let list = loaded(text).expect("good");
        let shown = |injection: &Typed| {
            let Meta { mode, uid, gid, .. } = injection.meta;
            let kind = match &injection.what {
                What::File(source) => source.display().to_string(),
                What::Link(target) => format!("-> {}", String::from_utf8_lossy(target)),
                What::Directory(given) => format!("{given:?}"),
            };
            format!("{} {kind} {:04o} {uid}:{gid} {:?}", injection.target.shown(), mode.0, injection.purpose)
        };
        assert_eq!(
            list.iter().map(shown).collect::<Vec<_>>(),
            [
                "/sbin/vm-agent /usr/lib/vm-agent 0755 0:0 Agent",
                "/srv/d Nothing 0755 0:0 Other",
                "/srv/e Said 1777 0:0 Other",
                "/etc/a /srv/a 4600 7:8 Other",
                "/etc/b /srv/b 0644 0:0 Other",
                "/etc/c -> ../b 0777 0:0 Other",
            ]
        );
    }

    #[test]
    fn every_mistake_is_said_with_its_place() {
        for (text, said) in [
            (
                "",
                "/m.toml: inject: there is nothing to put in: write `agent = \"/PATH\"` in [inject], or [[inject.file]]\n",
            ),
            ("[inject]\nagnt = \"/a\"", "/m.toml:2:1: inject.agnt: there is no such key: did you mean \"agent\"?\n"),
            ("[inject]\nagent = \"a\"", "/m.toml:2:9: inject.agent: \"a\" is not an absolute path\n"),
            ("[inject]\nfile = 1", "/m.toml:2:8: inject.file: wants tables: write [[inject.file]], not an integer\n"),
            (
                "[[inject.file]]\nsource = \"/a\"",
                "/m.toml:1:1: inject.file.target: `target` is missing: write target = \"/PATH\"\n",
            ),
            (
                "[[inject.link]]\ntarget = \"a\"\nto = \"\"",
                "/m.toml:2:10: inject.link.target: \"a\" is not an absolute path: write \"/a\"\n\
                 /m.toml:3:6: inject.link.to: no link can say \"\": 1 to 4095 bytes, none zero\n",
            ),
            (
                "[[inject.directory]]\ntarget = \"/a/../b\"\nmode = 755\nuid = -1",
                "/m.toml:2:10: inject.directory.target: \"/a/../b\" is no path: the name has '..' in it\n\
                 /m.toml:3:8: inject.directory.mode: wants text, not an integer: write \"0755\", in octal and in quotes\n\
                 /m.toml:4:7: inject.directory.uid: -1 is nobody's number: 0 to 4294967294 are possible\n",
            ),
            (
                "[[inject.directory]]\ntarget = \"/a\"\n[[inject.directory]]\ntarget = \"//a/\"",
                "/m.toml:3:1: inject: /a is there twice, first at line 1\n",
            ),
            (
                "[[inject.directory]]\ntarget = \"/sbin/vm-agent\"\nmode = \"9\"",
                "/m.toml:2:10: inject.directory.target: the agent goes there: write `agent = \"/PATH\"` in [inject]\n\
                 /m.toml:3:8: inject.directory.mode: \"9\" is no mode: write \"0755\", in octal\n",
            ),
        ] {
            assert_eq!(loaded(text), Err(said.to_owned()), "{text}");
        }
    }
}

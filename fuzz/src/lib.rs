//! What the fuzz targets share: what their bytes stand for, and what must hold whatever they are.

pub mod image;
pub mod layers;
pub mod request;
mod units;
pub mod writer;

pub use units::prove;

use std::fmt::Write as _;

/// The keys that `file_of` fills, with how a value is written.
const KEYS: [(&str, &str, Kind); 21] = [
    ("app", "description", Kind::Text),
    ("image", "file", Kind::Path),
    ("image", "fallback", Kind::Path),
    ("overlay", "layers", Kind::Paths),
    ("overlay", "writable", Kind::Paths),
    ("overlay", "mode", Kind::Mode),
    ("service", "exec", Kind::Exec),
    ("service", "user", Kind::Text),
    ("service", "listen", Kind::Texts),
    ("service", "schedule", Kind::Texts),
    ("service", "after", Kind::Texts),
    ("service", "requires", Kind::Texts),
    ("service", "environment", Kind::Table("A_1")),
    ("service", "environment", Kind::Table("B")),
    ("service", "credentials", Kind::Files),
    ("service", "bind", Kind::Bind),
    ("service.directives", "MemoryMax", Kind::Text),
    ("service.directives", "SyslogIdentifier", Kind::Text),
    ("service.directives", "StandardInputText", Kind::Text),
    ("service.directives", "ReadWritePaths", Kind::Text),
    ("service.directives", "TimeoutStopSec", Kind::Text),
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    Path,
    Paths,
    Mode,
    Exec,
    Table(&'static str),
    Files,
    Bind,
}

/// A well-formed file in which the bits of `choice` say which keys there are, and `pieces` are their values.
pub fn file_of<'a>(choice: &[u8], mut pieces: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut table = "";
    let mut next = || pieces.next().unwrap_or_default();
    let wanted = |at: usize| choice.get(at / 6).is_none_or(|byte| byte >> (at % 6) & 1 == 1);
    let kept: Vec<_> = KEYS.iter().enumerate().filter(|(at, _)| matches!(at, 1 | 6) || wanted(*at)).collect();
    for (_, (in_table, key, kind)) in kept {
        if *in_table != table {
            table = in_table;
            let _ = writeln!(text, "[{table}]");
        }
        match kind {
            Kind::Table(name) => line(&mut text, &format!("{key}.{name}"), &quoted(next())),
            Kind::Text => line(&mut text, key, &quoted(next())),
            Kind::Texts => line(&mut text, key, &format!("[{}, {}]", quoted(next()), quoted(next()))),
            Kind::Path => line(&mut text, key, &path(next())),
            Kind::Paths => line(&mut text, key, &format!("[{}, {}]", path(next()), path(next()))),
            Kind::Mode => line(&mut text, key, if next().len() % 2 == 0 { "\"volatile\"" } else { "\"persistent\"" }),
            Kind::Exec => {
                let words = [path(next()), quoted(next()), quoted(next()), quoted(next())];
                line(&mut text, key, &format!("[{}]", words.join(", ")));
            }
            Kind::Files => line(&mut text, key, &format!("{{ {} = {} }}", quoted(next()), path(next()))),
            Kind::Bind => {
                let (source, target) = (path(next()), path(next()));
                line(&mut text, key, &format!("[{{ source = {source}, target = {target} }}]"));
            }
        }
    }
    text
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {value}");
}

fn path(text: &str) -> String {
    quoted(&format!("/{text}"))
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
